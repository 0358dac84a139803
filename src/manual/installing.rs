//! Installing: from nothing to the first answer, outside the demo.
//!
//! Every block below is run by a test in this order (`tests/it/installing.rs`). So that it can be tried on one machine, each machine
//! is a folder here: `authority`, `registry`, `gateway`, `officials` (each official has a machine of one's own, the data-protection officer too), `bank`
//! and `dpo`. Where they are real machines, carry over what the lines copy: certificates, requests and public halves, never a private key. You need
//! `estelam` (`cargo build --release --locked`, then `target/release/estelam`), OpenSSL 3 and the repository, whose folder is `$ESTELAM`.
//!
//! ```text
//! export ESTELAM=$PWD                        # a checkout of the repository
//! export DOMAIN=gov.example                  # trust domain, in the name of every certificate; it stays for good
//! export GATEWAY=gate.gov.example:8443       # where agencies reach the gateway; the public listener has the next port, the operator's the one after
//! export REGISTRY=registry.gov.example:8446  # where the gateway reaches the registry
//! export LISTEN=0.0.0.0                      # 127.0.0.1 to try it on one machine, with `localhost` for both hosts
//! ```
//!
//! # 1. An authority
//!
//! Take the one that you have, if it can issue what the next section lists. Otherwise two levels of your own do; the root's key belongs off line:
//!
//! ```sh
//! mkdir authority registry gateway officials bank dpo
//! cd authority
//! cat > ca.cnf <<'END'
//! [req]
//! distinguished_name = none
//! [none]
//! [root]
//! basicConstraints = critical,CA:TRUE,pathlen:1
//! keyUsage = critical,keyCertSign,cRLSign
//! subjectKeyIdentifier = hash
//! [intermediate]
//! basicConstraints = critical,CA:TRUE,pathlen:0
//! keyUsage = critical,keyCertSign,cRLSign
//! subjectKeyIdentifier = hash
//! authorityKeyIdentifier = keyid
//! [ca]
//! default_ca = lists
//! [lists]
//! database = $ENV::NAME.index
//! crlnumber = $ENV::NAME.number
//! default_md = sha256
//! default_crl_days = 7
//! crl_extensions = list
//! [list]
//! authorityKeyIdentifier = keyid
//! END
//! export NAME=
//! for name in root intermediate; do
//!   openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $name.key
//!   touch $name.index
//!   echo 01 > $name.number
//! done
//! openssl req -config ca.cnf -x509 -extensions root -key root.key -subj "/CN=$DOMAIN root" -days 3650 -out root.pem
//! openssl req -config ca.cnf -new -key intermediate.key -subj "/CN=$DOMAIN intermediate" |
//!   openssl x509 -req -CA root.pem -CAkey root.key -extfile ca.cnf -extensions intermediate -days 1095 -out intermediate.pem
//! # sh issue USAGE NAMES < REQUEST > CERTIFICATE; of the request only the key is taken
//! cat > issue <<'END'
//! cd "$(dirname "$0")"
//! cat > leaf.cnf <<LEAF
//! basicConstraints = critical,CA:FALSE
//! keyUsage = critical,digitalSignature
//! extendedKeyUsage = $1
//! subjectAltName = $2
//! authorityKeyIdentifier = keyid
//! LEAF
//! openssl x509 -req -CA intermediate.pem -CAkey intermediate.key -extfile leaf.cnf -days 90 && cat intermediate.pem
//! END
//! # sh lists: new revocation lists
//! cat > lists <<'END'
//! cd "$(dirname "$0")"
//! for name in root intermediate; do
//!   NAME=$name openssl ca -config ca.cnf -gencrl -keyfile $name.key -cert $name.pem -out $name.crl.pem
//! done
//! END
//! sh lists
//! cd ..
//! ```
//!
//! A list is good for a week. Run `sh lists` every day or two and bring both files into `pki/crl/` of gateway and registry (copy beside, then `mv`: a half
//! file is refused), or publish them and name the places in `tls.crl_urls`. What happens without: [`trust`](super::trust). To revoke: `NAME=intermediate openssl ca
//! -config ca.cnf -revoke CERTIFICATE -keyfile intermediate.key -cert intermediate.pem`, then `sh lists`.
//!
//! # 2. Certificates of our own parts
//!
//! | file | usage | names |
//! |---|---|---|
//! | `pki/gateway/{cert,key}.pem` of the gateway | `serverAuth` | its host, and `spiffe://DOMAIN/server/gateway`, by which a registry that pushes knows it |
//! | `pki/gateway-client/{cert,key}.pem` of the gateway | `clientAuth` | `spiffe://DOMAIN/service/gateway` alone |
//! | `pki/registry/{cert,key}.pem` of the registry | `serverAuth` | its host, and `spiffe://DOMAIN/server/registry` (`registry.identity`) |
//! | `pki/registry-client/{cert,key}.pem` of the registry | `clientAuth` | `spiffe://DOMAIN/service/registry` alone (`events.sender`) |
//!
//! `cert.pem` is the certificate, then the intermediate's. Key usage is `digitalSignature`; keys are P-256, P-384, Ed25519, or RSA of 2048 bits and more. Each key
//! is made where it stays:
//!
//! ```sh
//! certificate() {
//!   mkdir -p "$1"
//!   openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1/key.pem" -subj /CN=estelam |
//!     sh authority/issue "$2" "$3" > "$1/cert.pem"
//! }
//! certificate gateway/pki/gateway          serverAuth "DNS:${GATEWAY%:*},URI:spiffe://$DOMAIN/server/gateway"
//! certificate gateway/pki/gateway-client   clientAuth "URI:spiffe://$DOMAIN/service/gateway"
//! certificate registry/pki/registry        serverAuth "DNS:${REGISTRY%:*},URI:spiffe://$DOMAIN/server/registry"
//! certificate registry/pki/registry-client clientAuth "URI:spiffe://$DOMAIN/service/registry"
//! for machine in gateway registry; do
//!   cp authority/root.pem $machine/pki/ca.pem
//!   cp authority/intermediate.pem $machine/pki/intermediate.pem
//!   mkdir $machine/pki/crl
//!   cp authority/*.crl.pem $machine/pki/crl/
//! done
//! ```
//!
//! # 3. The registry
//!
//! It begins with an import: an office's export (`tests/data/registry-sample.csv` shows the columns), here the people of the demo. Then two officials
//! who sign decrees become known by the public halves of their keys, `registry/officials/NAME.pub.pem`; a file of another name there is nobody's, and further ones
//! are added with the keys of two who are known. A gateway takes their decrees only if it has them among its own officials (section 6). The registry's own policy
//! folder, if it has one (`policies/` beside `registry/`, or `policies` of an `estelam.toml`), says which schemes and services there are; without one those that
//! are shipped count, so copy the gateway's `schemes.toml` and `services.toml` there once you change them.
//!
//! ```sh
//! cp $ESTELAM/policies/demo/fixtures.ndjson registry/people.ndjson
//! estelam registry import registry/people.ndjson --dir registry
//! rm registry/people.ndjson
//! for name in director counsel; do
//!   openssl genpkey -algorithm ed25519 -out officials/$name.pem
//!   openssl pkey -in officials/$name.pem -pubout -out officials/$name.pub
//!   estelam registry official add $name --public officials/$name.pub --dir registry
//! done
//! estelam registry decree add $ESTELAM/policies/demo/decrees.toml --key officials/director.pem --dir registry
//! estelam registry decree approve d1-1402-04-07 --key officials/counsel.pem --dir registry
//! estelam registry event-key --dir registry
//! estelam keys trail registry/registry/holder.key
//! ```
//!
//! The last two make the key that signs what is pushed, and that of the desk for holders (leave it out, and `[holder]` of the configuration too, if
//! holders shall not ask yet). In place of this registry a social-protection registry can have the people: [`spdci`](super::spdci).
//!
//! # 4. The gateway
//!
//! `config new` prints a commented configuration that loads as it is; read it through. `keys seal` makes the signing keys and `keys.unlock`, which opens them:
//! keep that away from their disk ([`trust`](super::trust)). The data-protection officer makes the key pair of the trails where no operator comes, and hands
//! over the public half.
//!
//! ```sh
//! estelam config new --trust-domain $DOMAIN --gateway $GATEWAY --registry $REGISTRY --listen $LISTEN > gateway/estelam.toml
//! estelam policy new --dir gateway
//! estelam keys seal --dir gateway
//! estelam keys trail officials/trail.key
//! cp officials/trail.pub gateway/pki/officer.pub
//! cp registry/registry/holder.pub gateway/pki/holder.pub
//! cp registry/pki/registry/events.jwks.json gateway/pki/events.jwks.json
//! ```
//!
//! `policy new` writes what is shipped, without an agency; `policies/examples/` has the demo's agencies under your trust domain, to be copied, read and changed.
//! The cases in `policies/cases/` speak of these agencies: `estelam policy test` names each that must go or change.
//!
//! # 5. Agencies
//!
//! The agency makes a key and a request, and keeps the key. The operator checks the request against the agency's file and prints what the authority must sign;
//! the certificate is taken up, and the kit goes to the agency, which puts its key beside it. Auditors, the officer and the operator's office are agencies
//! too; those that open trails or administer sign their requests by a second key.
//!
//! ```sh
//! request() {
//!   openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1/key.pem -out $1/$1.csr -subj /O=$1 \
//!     -addext subjectAltName=URI:spiffe://$DOMAIN/agency/$1
//! }
//! request bank
//! estelam agency enrol bank --csr bank/bank.csr --policy gateway/policies/examples/bank.toml --dir gateway
//! sh authority/issue clientAuth URI:spiffe://$DOMAIN/agency/bank < bank/bank.csr > bank/bank.pem
//! estelam agency enrol bank --certificate bank/bank.pem --kit bank/kit --dir gateway
//! cp bank/key.pem bank/kit/key.pem
//!
//! request dpo
//! openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out dpo/request-key.pem
//! openssl pkey -in dpo/request-key.pem -pubout -out dpo/request-key.pub
//! estelam agency enrol dpo --csr dpo/dpo.csr --request-key dpo/request-key.pub --policy gateway/policies/examples/dpo.toml --dir gateway
//! sh authority/issue clientAuth URI:spiffe://$DOMAIN/agency/dpo < dpo/dpo.csr > dpo/dpo.pem
//! estelam agency enrol dpo --certificate dpo/dpo.pem --kit dpo/kit --dir gateway
//! cp dpo/key.pem dpo/request-key.pem dpo/kit/
//! ```
//!
//! # 6. Two officials
//!
//! Policies, agencies' files included, take effect only with the signatures of two officials. They read what is proposed before they sign it. Decrees count only with
//! the signatures of two who are listed here too and in office when they approve them: list whoever signs decrees in the registry, here the same two. Whoever
//! approved decrees of earlier years is listed with the term of then.
//!
//! ```sh
//! {
//!   echo 'quorum = 2'
//!   for name in director counsel; do
//!     echo '[[official]]'
//!     echo "id = \"$name\""
//!     echo "role = \"$name of the office\""
//!     echo "key = \"$(openssl pkey -in officials/$name.pem -pubout | sed /-----/d)\""
//!     echo "from = \"$(date -u +%F)\""
//!     echo "to = \"$(date -u -d '+2 years' +%F)\""
//!   done
//! } > officials/officials.toml
//! estelam officials init officials/officials.toml --dir gateway
//! estelam officials propose policies --dir gateway
//! estelam officials sign policies --key officials/director.pem --dir gateway
//! estelam officials sign policies --key officials/counsel.pem --dir gateway
//! estelam officials apply policies --dir gateway
//! ```
//!
//! The same four lines follow every later change, of an agency's file too ([`trust`](super::trust)).
//!
//! # 7. Start
//!
//! ```sh,service
//! estelam registry serve --dir registry --trust-domain $DOMAIN --listen $LISTEN --port ${REGISTRY##*:} --push https://$GATEWAY
//! ```
//!
//! ```sh,service
//! estelam serve --dir gateway
//! ```
//!
//! `--push` names the gateway as `issuer` of its configuration does. As a service of systemd:
//!
//! ```text
//! [Service]
//! User=estelam
//! ExecStart=/usr/local/bin/estelam serve --config /etc/estelam/estelam.toml
//! LoadCredential=estelam-keys:/run/keys/estelam
//! UMask=0077
//! Restart=on-failure
//! ```
//!
//! The registry's line is that of above. The folder belongs to that user, and nobody else can write in it. What is red, `status` says ([`operating`](super::operating)):
//!
//! ```sh
//! estelam status --dir gateway
//! estelam log verify --dir gateway
//! ```
//!
//! # 8. Ask
//!
//! The kit is the folder of a client: `estelam verify`, `token` and `log` take it as `--dir`, on whatever machine it lies. Its `client.json` says where the gateway
//! and its public listener are and names, relative to the folder, `ca.pem`, `cert.pem`, `key.pem` and `request-key.pem`; who has other places writes them there.
//! On the gateway's machine the folder of the installation serves too, with `pki/NAME/{cert,key,request-key}.pem` in it. `ask.sh` asks with `curl` alone.
//!
//! ```sh
//! echo A170000001 | estelam verify --dir bank/kit --as bank --scheme amayesh-no \
//!   --service bank-card --purpose account-maintenance --actor teller-17 --birth-year 1370
//! ```
//!
//! And the officer, whose private key opens the trails on the officer's own machine:
//!
//! ```sh
//! estelam log case open case-1 --reason "complaint 1" --until $(date -u -d '+30 days' +%F) --dir gateway
//! echo A170000001 | estelam log person --dir dpo/kit --as dpo --case case-1 --scheme amayesh-no --officer-key officials/trail.key
//! ```
//!
//! # Afterwards
//!
//! - A purge order of two officials, before the first contents are due after 30 days; nothing is deleted without one: [`log`](super::log).
//! - A witness on another machine, and back-ups: [`log`](super::log).
//! - Alerts of the metrics on [`operating`](super::operating)'s alarms, on certificates that end and on revocation lists: [`trust`](super::trust).
//! - Copies of `keys/`, `keys.unlock`, the officer's `trail.key` and the officials' keys, each where the others are not.
