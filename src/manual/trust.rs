//! Agencies, their certificates, and cutting them off.
//!
//! # An agency's life
//!
//! | verb of `estelam agency` | what happens |
//! |---|---|
//! | `enrol NAME --csr FILE --policy FILE` | the request is checked, the policy file put in place, a certificate issued, a kit written |
//! | `enrol NAME --csr FILE --like OTHER --fa … --en …` | the same with the policy of an agency of the same kind |
//! | `enrol NAME --branch UNIT --csr FILE` | one more certificate, for a branch or a system |
//! | `list`, `show NAME` (`--json`) | who may ask what, who is cut off, when which certificate ends |
//! | `rotate NAME --csr FILE`, then `rotate NAME --finish` | a second certificate beside the first; then the end of the first. `--branch UNIT` with both: that unit's, no other |
//! | `suspend NAME`, `--branch UNIT`, `--certificate FILE`, `--tokens` | cut off, from the next request on |
//! | `resume NAME`, `--branch UNIT` | back; tokens from before stay dead. Refused, and nothing changed, while the agency's own policy file says `suspended = true` |
//! | `retire NAME` | cut off, certificates revoked, file moved to `policies/retired/`; the name is never given again |
//!
//! A request (PKCS #10) may hold a key (P-256, P-384, Ed25519, RSA of 2048 to 4096 bits), a subject of CN, O, OU and C, and an extension request
//! for exactly one name, `URI:spiffe://TRUST-DOMAIN/agency/NAME[/branch/UNIT]`, for `digitalSignature` and `clientAuth`. Anything else refuses it;
//! nothing of it but the key and the name gets into a certificate:
//!
//! ```text
//! openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out bank.csr -subj /O=Bank \
//!   -addext subjectAltName=URI:spiffe://estelam.test/agency/bank/branch/north
//! ```
//!
//! Beside the development authority (`pki/authority/`) certificates are issued at once. With any other authority, `--outside-ca` prints exactly
//! what it must sign, and `--certificate FILE` takes the result up: it must be for the same key and name, and pass the gateway's own checks.
//! The kit holds the certificate, the root of the gateway's own (`tls.server_ca`; that of the agencies', `tls.client_ca`, if left out), the policy in
//! Persian and English, `ask.sh` (a token and a query with `curl`; the number goes in by standard input), `sign.py` and `oauth.json`; where the agency's file
//! wants `private_key_jwt` and nothing less, `assertion.py` too, which `ask.sh` runs. By `client.json` it is a folder for `estelam verify`, `token` and `log`
//! (`--dir KIT`, on any machine) once the agency has put its `key.pem`, and `request-key.pem` if it signs requests, beside it. No private key is ever in it.
//!
//! A register per agency (`enrolment/NAME/register.json`, every version kept beside it) says which certificate is whose and until when. At most two
//! certificates of one unit are good at a time, and each is for a key of its own: one that was ever in a certificate of anybody, or that signs requests or
//! client assertions, is refused. One that is cut off counts neither as good nor as the newest that `rotate --finish` leaves. One verb at a time has the
//! registers (`enrolment/.lock`); others wait for it.
//!
//! Each certificate is an entry of the log (`certificate-issued`, `certificate-ended`, with the SHA-256 and with the scopes of its agency that open trails
//! or the gateway): before it is handed out where a gateway runs, at the next start where none does. Of an agency that is not in force yet the entry says so
//! (`in_force: false`, `opens: null`); what it may open is an entry (`scopes-gained`) within seconds of its policies' coming into force, and so is whatever
//! a later change of the policies lets an agency with a certificate open besides.
//!
//! Our own parts are no agencies: the gateway is `spiffe://TRUST-DOMAIN/service/gateway` towards the registry, which serves that whole name and nobody
//! else, and a registry that pushes is `…/service/NAME` (`events.sender`). `gateway`, `gateway-client`, `registry` and `registry-client` are given to no agency:
//! `enrol`, the policies and the TLS check all refuse them. A demo's own certificates are issued anew at its next start; elsewhere the gateway does not
//! start while its certificate towards a registry, or `events.sender`, has any agency's name of our trust domain, and says what to have issued.
//!
//! # At the door
//!
//! TLS 1.3 only (`tls.allow_tls12` for old clients), X25519MLKEM768 first, then X25519, P-256, P-384; no session is ever resumed, so every connection
//! shows its certificate. What is wrong with it, the alert says (RFC 8446, section 6.2); it comes after the client's own end of the handshake, and the
//! socket stays open for up to a second for those who are still sending:
//!
//! | certificate | alert |
//! |---|---|
//! | none | `certificate_required` |
//! | revoked, or cut off here; expired or not valid yet | `certificate_revoked`; `certificate_expired` |
//! | of an authority that is not ours, self-signed, without its intermediate | `unknown_ca` |
//! | signed by another key than its issuer's, or unreadable | `bad_certificate` |
//! | not for `clientAuth` and `digitalSignature`; an authority's; a key that is not accepted | `unsupported_certificate` |
//! | of another trust domain, or not with exactly one `spiffe://` name of an agency or of a part of ours | `access_denied` |
//!
//! Eleven clients of ten makers (OpenSSL in `curl` and in Node, GnuTLS, NSS, wolfSSL, BoringSSL, Go, Java, Bouncy Castle, Erlang, tlslite-ng) get in with a
//! good certificate and see these alerts in `make end-to-end`, but for NSS, which shows no certificate at all that is not for clients; `sslyze` (Mozilla's
//! modern profile) and `testssl` find nothing on `public`.
//!
//! # Units
//!
//! A branch or a system is what stands after `/branch/` in its certificate. It may have limits of its own, within the agency's:
//!
//! ```toml
//! [[unit]]
//! name = "north"
//! suspended = false
//! max_connections = 8
//! daily_quota = 2000
//! counter = { per_second = 20, burst = 40 }   # also background, token, token_miss
//! ```
//!
//! # Cutting off
//!
//! | what | how | first refused request (`make cutoff`) |
//! |---|---|---|
//! | an agency or a branch; its tokens, and no others, are dead for good | `agency suspend` | when the command returns |
//! | an agency or a unit, by its policy | `suspended = true` in the file | some tenths of a second |
//! | one certificate | `agency suspend --certificate`; its connections are cut | when the command returns |
//! | one certificate, by its authority | a list with a higher number in `tls.crls`, or at one of `tls.crl_urls` | a tenth of a second; `tls.crl_poll_ms` |
//! | one token | `POST /oauth2/revoke` (RFC 7009), by its own client | the reply |
//! | all tokens of an agency | `agency suspend --tokens`; an outside issuer's clock may be 10 s ahead, so its tokens of the next 10 s are dead too | when the command returns |
//! | a key that signs tokens, or statements | `keys compromised` | when the gateway has read its keys anew |
//!
//! The local list (`cutoff/list.json`) is read by the service within a moment, by an event or twice a second. The files of revocation lists, keys and
//! policies are looked at as often where no event comes, so that what is cut off by a file is cut off within a second on any file system. While the list
//! is broken or gone, what was cut off stays cut off, and `estelam_alarms_total{alarm="cut-off-list-unreadable"}` grows. Revoked tokens lie beside it and
//! outlive a restart.
//! A certificate that names another agency, or stands in another's register, is refused, since nothing brings it back; so is a branch that the policy does not
//! admit. A branch that nothing here names but that could come is cut off with a word of warning.
//!
//! An outside issuer's token that cannot be judged yet, because its key is still to be fetched or its `iat` is ahead, is not called dead: revoking it is 503
//! `temporarily_unavailable`, with a `Retry-After`. A revocation is of one issuer's `jti` alone.
//!
//! A suspension in an agency's policy file (`suspended = true`) is for those to lift who answer for the policies; the local list is the operator's.
//!
//! # Revocation lists
//!
//! Every root and intermediate must have a list, or nothing starts. Lists come from the folder `tls.crls` and from `tls.crl_urls`, of which two or more
//! should be named: each is asked on its own every `tls.crl_poll_ms`, with validators, and what it gives is tried (issuer, signature, number, a whole
//! verifier built with it) before it takes force and is kept in the folder. The highest number wins, whichever source it comes from; a lower one never
//! does, also after a restart; other contents under the same number refuse the change.
//!
//! | age of the oldest list | effect |
//! |---|---|
//! | up to half of its life | none |
//! | past half of it | a warning: a newer one should be here |
//! | past `nextUpdate`, within `tls.crl_grace_h` (24; at most 168) | alarm `revocation-lists-grace`, and part `revocation-lists` of the health check is `degraded` from here on; everything goes on, each record is marked `revocation-grace` |
//! | past that | alarm `revocation-lists-overdue`; services that are `life_critical` in `services.toml` go on, each record marked `revocation-overdue`; the rest is refused `certificate-not-accepted`, and no other agency gets a token. Whoever has one may revoke it |
//!
//! So a source that is blocked closes no hospital and opens no bank. What the last list revoked stays revoked, and whoever must be stopped meanwhile is stopped
//! by the local list. The registry's lists count like the agencies': the older of the two decides.
//!
//! # Certificates that end
//!
//! `estelam_certificate_not_after_seconds{kind,name}` tells the end (Unix time) of every agency's certificate that must be renewed next, and of our own
//! (`kind="own"`: listener, registry client, authorities); one that is cut off here does not count. `estelam_certificates_expiring{within="7d"|"30d"}` counts those near; alert on the first.
//! `estelam agency list` shows the days left.
//!
//! Our certificate towards a registry is renewed by putting certificate and key in the place of those before: within half a minute they are shown, and connections
//! from before are not used again. Two that are no pair are not taken (alarm `client-certificate-refused`), nor is one that bears an agency's name. The metric
//! tells the end of the one that is shown. What a registry says of it (`it does not accept our certificate`) is in `estelam status`.
//!
//! # Authority over the rules
//!
//! Outside a demo (`demo = true` in `estelam.toml`, which warns at each start and sets `estelam_demo` to 1) the policy folder, agency files included,
//! takes effect only with the signatures of a quorum (two or more) of officials:
//!
//! ```text
//! estelam officials init officials.toml           the first officials
//! estelam officials propose policies              what would change, line by line, each under its table
//! estelam officials sign policies --key KEY.pem   each official, after reading it
//! estelam officials apply policies                the running gateway records it and takes it up
//! ```
//!
//! ```toml
//! previous = "sha256:…"   # hash of the file before; not in the first
//! quorum = 2
//! [[official]]
//! id = "director"
//! role = "head of the office"
//! key = "MCowBQYDK2VwAyEA…"   # the base64 line of `openssl pkey -in KEY.pem -pubout`, Ed25519
//! from = "2026-01-01"
//! to = "2027-12-31"
//! ```
//!
//! A signature is over kind, gateway (its `issuer`), hash, the hash of what it replaces, the officials' version and the instant. What names another gateway, or
//! none as in earlier versions, takes effect only where it is on record already: what was signed for a trial is not signed for the real one. The approval with its signatures is an entry of the
//! access log (`policies-activated`) before the policies take effect; no entry, no change. A folder that is not signed, or half signed, keeps a gateway
//! from starting; in a running one the old version stays, and `estelam_alarms_total{alarm="rules-not-signed"}` grows. An official must be in office
//! when it was proposed and when it takes effect, at a restart too: sign anew before a term ends. New officials (`propose officials --file FILE`) are
//! signed by those present and recorded (`officials-activated`) before the first thing that they sign takes effect; then the policies are
//! signed anew. What is not on record yet must be signed by people who are in office now, and was proposed after what it replaces came into force: no
//! former official dates a change back. `authority.json` beside the log remembers what was in force: nobody goes back behind it, and without it nothing starts.
//!
//! `agency enrol` of a new agency, `enrol --request-key` and `retire` write into the policy folder. Outside a demo they do not wait: certificates, registers and
//! the cutting off count when the command returns, and it prints what the officials have to run so that the policies do. Until then a gateway that
//! stops does not start again.
//!
//! Legal holds, deferrals and purge orders are begun and ended by two officials too, each in office when it has effect; in a demo by people whose keys
//! are enrolled beside them. Nothing is deleted but what is due and what such an order covers
//! ([`log`](super::log)), by hand as by the clock: one operator neither begins deletions nor ends them. Not under signatures: `agency suspend`, `resume`
//! and `rotate` (the operator's list and register). Whoever writes `demo = true` into an installation's `estelam.toml` escapes all this, on record: the entry
//! `service-started` says `demo`, and the statement of such a purge names no order.
//!
//! # Decrees
//!
//! Decrees are entered, approved and rescinded in the registry, by the keys that it knows (`registry/officials/`). Outside a demo that puts nothing in force here: the
//! registry sends each decree's signatures and the keys that made them, and the gateway builds the signed text anew from the decree as it would use it. Under each
//! approval and each rescission there must be the signatures of two different officials of its own `officials.toml`, both in office on the day (UTC) of the approval or
//! rescission, which the second signature covers. What this gateway sees for the first time must be signed by people who are still in office, so that nobody who
//! left dates a decree back; the first list of all, which brings the decrees of years, is judged by the office of then. Keep former officials in the file, with
//! the last day of their term. Whoever entered a decree or asked for a rescission must be in office still when the other completes it; the registry does not know
//! terms, so look before you complete what somebody began who has left. What took effect here stays. The entry `decrees-activated` names the two by their ids here, and the hash of what they signed.
//!
//! A list in which anything is not signed so is refused whole: `estelam_alarms_total{alarm="decrees-not-signed"}` grows, a line of the log names decree and fault, and
//! the gateway is not ready. Where that list is otherwise the one in use, that one goes on until its age forbids it (`too-stale`); where it changes anything
//! else, or at a start, nothing is decided. To go on:
//!
//! | the signers are | do |
//! |---|---|
//! | officials of ours who are not listed, or not with that term | list them, with `key` from `registry/officials/NAME.pub.pem` (`officials propose officials --file FILE`, `sign`, `apply`); the gateway takes it up by itself; sign the policies anew |
//! | nobody of ours | find out who made them known to the registry; `estelam registry decree discard ID --key A --key B` takes the decree out, and where it should count two officials enter and approve it anew |
//!
//! `discard` is for what no gateway took: one that decided by a decree which is gone uses none at all (`decrees-rewritten`). In a demo, which has no officials, two
//! different keys of the registry are enough, and the entry says `demo`.
//!
//! # Keys for requests
//!
//! An agency may sign its requests by a key that is neither its certificate's nor its client's (how: [`crate::manual::asking`]). Its public half stands
//! in the agency's file or beside it:
//!
//! ```toml
//! # agencies/NAME.request-jwks.json, or here; keys may overlap, each has a `kid`
//! [request_signing]
//! required = true         # every request; or `must_give = [..., "signature"]` in single grants
//! [[request_signing.key]]
//! kty = "EC"
//! ...
//! ```
//!
//! A key that is also the certificate's, the client's or another agency's is refused: whoever stole one must not have the other. The scopes
//! `log:person`, `log:holder` and `ops` are of no use without a signature, whatever the route: the flow asks for it where it looks at the
//! scope, and what opens a trail or administers takes a `SignedCall`, which nothing else makes. Without a key, an agency
//! with such a scope does not load. Only a demo takes `demo_optional = true`, by which its `dpo` and `operator` may ask unsigned too; its keys are
//! `pki/NAME/request-key.pem`.
//!
//! The log keeps which key signed (`signed_by`) and a commitment to the signature (`signature`), never its digest: the signature names
//! the body's digest, and a body can be guessed. The commitment's key is the signature's own `jti`. An agency that denies a request is asked for what it
//! signed under that commitment; an agency that was never answered shows the JWS, and the entry that commits to it or the lack of one decides. Queries
//! and exports of the log show both.
//!
//! # Our own keys
//!
//! Tokens, statements, checkpoints and contents have a key each, in `keys/`, encrypted (PKCS#8 under scrypt, which `openssl pkey` opens too).
//! `keys.unlock` beside the folder holds the secret; `signing.unlock` names another file, and the credential `estelam-keys` of the service (systemd's
//! `LoadCredential=`) comes before it. Keep it on another disk than the folder and its copies. The registry's events (`POST /v1/events`) are signed by a key of
//! the registry's own, of which the gateway has the public half (`events.keys`); it counts for nothing else.
//!
//! | what happens | what to do | what others see |
//! |---|---|---|
//! | every 90 days (`signing.rotate_days`) | nothing | the new key was in the JWKS for `overlap_s`; the old one stays there for `checkable_days` after it signed last |
//! | at will | `estelam keys rotate USE`; `--now` does not wait for the overlap | the same |
//! | a private half is lost | `estelam keys lost USE`: the standby key signs | old answers stay genuine |
//! | others may have a key | `estelam keys compromised KID --checkpoint FILE`, the last checkpoint from before | the key is in the JWKS no more; only statements under that checkpoint stay genuine |
//! | others may have the key of the log | the same, after `estelam keys standby checkpoints`; then give `/checkpoint.key` to the witness and the auditors | `/checkpoint` is signed anew at once; proofs that the former key signed count under the checkpoint named alone, new proofs as before |
//! | a key is not wanted any more | `estelam keys retire KID` | it is published no more |
//! | `content.key` is lost | put it back from its backup; nothing else opens the contents, and none is ever made anew | nothing |
//! | others may have `content.key` | stop the service, `estelam keys rotate content`, start, take a new copy of the log | nothing |
//!
//! A standby key for statements is always published in advance. One for tokens or checkpoints is made when it is needed (`estelam keys standby USE`).
//! Where a gateway runs, a verb returns once it acts by the change; if it does not, the verb says so and exits 1. Each row was rehearsed with a running installation in `make end-to-end`, loss and compromise of all four.
//!
//! `/.well-known/estelam-keys.json` on the public listener tells the life of every key for good; how anybody judges a paper by it: [`receipts`](super::receipts).
//!
//! `signing.algorithm` is `EdDSA` or `ES256` for new keys. For an HSM name its module, token and a file with the PIN under `[signing.pkcs11]`, make keys
//! by `estelam keys standby USE --hsm`, then `rotate`: they are made in the token, for signing alone, and cannot leave it. With a file missing, a wrong secret
//! or PIN, or a token that is gone, no gateway starts. A token that goes away while it runs makes it not ready: it answers `ledger-unavailable`, and nothing leaves unsigned. It is
//! ready again by itself once the token is back. A wrong PIN is tried once, so that the token does not lock. `make end-to-end` tries all this with SoftHSM.
//!
//! **A file that goes away while the gateway runs** (or can be reached by others, is another one, does not open) cuts nobody off: a mistake in what puts the files
//! down reaches every node at once. The files are looked at every second; a folder of which nothing can be seen for five seconds, since its disk hangs, counts as away. Part `keys` of the health check is `degraded` then, with alarm (`key-file-missing`) and entry, and it is
//! put right before the next restart, which fails but for a standby key. What goes on meanwhile:
//!
//! | away | what goes on from memory | for how long |
//! |---|---|---|
//! | a key for statements, tokens or checkpoints, a standby key, `keys.json` | signing; whoever checks needs the public half, which is published and in the log. Keys are not replaced meanwhile | until the process ends |
//! | `content.key`, `keys.unlock`, the whole folder | recording; without a backup of them all contents, those of before too, are lost with the process | a day, then part `keys` is red and nothing is recorded or answered (`content-key-away`) until they are back |
//! | public keys of the data-protection officer and the holders' desk, our TLS keys | everything; read at the start, the officer's is in the log too | until the process ends |
//!
//! # Kinds of tokens
//!
//! Each kind of JWT has a `typ` of its own, and whoever reads one wants exactly that (RFC 8725 §3.11): `at+jwt`, `client-authentication+jwt`,
//! `estelam-request+jwt`, `estelam-answer+jwt`, `estelam-refusal+jwt`, `estelam-receipt+jwt`, `secevent+jwt`. Three things fall short of that, for the
//! sake of what others' software makes and reads:
//!
//! - Alerts for a webhook and events of the registry are both `secevent+jwt`, the `typ` that RFC 8417 §2.3 gives to every such token. Issuer, key, audience
//!   and event type tell them apart, each of which is checked.
//! - A client assertion may lack its `typ`, since RFC 7523 gives it none and many libraries write none; another's it may not have. The key is the client's, registered
//!   for nothing else, and `iss`, `sub` and `aud` must be the client and the gateway.
//! - The signature of an SPDCI message ([`spdci`](super::spdci)) is no JWT, and the descriptions give it no `typ`: it may have any but one of those above.
//!   The key is the registry's, and what it signed must be the header and the message beside it.
//!
//! # Secrets
//!
//! Keys, the unlocking secret and PINs are refused when others can reach their files: those in `keys/` and what unlocks them by anybody but the owner (the
//! folder itself when others can write there); the TLS keys, the officials', the registry's and the data-protection officer's by anybody but owner and group.
//! What must not be changed by others (`estelam.toml`, roots, revocation lists, policies, officials, registers, cases, holds, purge orders, deferrals, the public
//! keys of the data-protection officer, the holders' desk, the witness and the registries, the local list, the log's folder, a token's module) is refused at
//! the start when everybody can write it, or a group that is neither the service's own nor root's. So is what lies in such a folder, where something else could
//! be put in its place; of the folders further up those are refused that everybody can write (not those with the sticky bit, like `/tmp`). What `serve`, `demo`, `registry`, `keys` and `log` write is
//! for their own user alone, save for `log hold`, `purge-order`, `defer` and `case`, whose files the service must read; what root writes belongs to whom its folder
//! belongs to. A private half that cannot be destroyed when a key stops signing, because its token is away, is tried again until it is. Secrets are wiped from memory when they are let go; no core dump is written, and no other process may look. Nothing that is printed for debugging
//! shows a key, a token, a statement or a body; after a whole run, and after one at the finest level of the logs, `make end-to-end` looks for every key and for any
//! token in all output and all files.
