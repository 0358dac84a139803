//! People looked up in a social-protection registry: `protocol = "spdci"`.
//!
//! The gateway asks its own registry ([`crate::registry`]) by default: people, decrees and what changes. Where the people are in a registry that
//! speaks the interoperability APIs of the Digital Convergence Initiative (SPDCI, version 1.0.0), `[registry.people]` of `estelam.toml` has them
//! looked up there, by `POST /registry/sync/search`. **Decrees still come from `[registry]`**: SPDCI knows none.
//!
//! ```toml
//! [registry]                # as before: decrees and their change feed
//! url = "https://registry.example"
//! # …
//! [registry.people]
//! protocol = "spdci"
//! url = "https://social.example/namespace/v1.0.0"   # `/registry/sync/search` is added; `further_urls` as above
//! sender_id = "gateway.example"                     # our name there
//! receiver_id = "social.example"                    # its own
//! signing_key = "pki/spdci/sign.key"                # PKCS#8 PEM, Ed25519 or P-256, for this alone
//! registry_keys = "pki/spdci/registry.jwks.json"    # JWK set: Ed25519, P-256, or RSA with PS256
//! token = "pki/spdci/token"                         # if it wants an access token: one line, read for each look-up
//! identity = "spiffe://social.example/registry"     # if its certificate is pinned
//! # ca, intermediates, crls, certificate, key       # those of [registry] if left out
//! reg_type = "ns:org:RegistryType:Social"           # these five where the registry wants them
//! reg_event_type = "REGISTER"
//! reg_record_type = "spdci:Member"                  # then every answer must bear it
//! response_entity = "Member"
//! authorize = { text = "verification of entitlement", code = "entitlement", ref_uri = "https://social.example/purposes" }
//! [registry.people.identifiers]                     # our scheme = its identifier type; each type once
//! yekta = "UIN"
//! fida = "FIDA"
//! ```
//!
//! `openssl genpkey -algorithm ed25519 -out sign.key` makes a key; the registry gets its public half, whose id is the RFC 7638 thumbprint.
//! All of it takes effect at a restart, the token and revocation lists by themselves.
//!
//! # What is different
//!
//! - **No change feed.** Facts are as old as the policy of each service lets them be (`max_age`), and no younger by any promise: a change reaches
//!   answers after `max_age` at the latest, not within a second, also where a clock is set back meanwhile. Decrees keep their feed. Nobody is ever said not to exist without a live look-up.
//! - **A scheme without a type is not asked for.** Such a query is `registry-unavailable`; it is no failure of the registry's.
//! - **Readiness** has a part `people-registry`: false while look-ups at every address of it fail (its circuit breaker is open); the node then stays in service (`degraded`). `estelam status` shows the
//!   addresses of both registries apart. Timeouts, retries, second look-ups and lanes are those of `[registry]`.
//! - **Trails of the data-protection officer** are expanded to the other numbers that the record names and whose types are in `identifiers`. A number
//!   whose type is not there is searched alone (`persons` 0), and not sent. Past numbers SPDCI does not tell. Whether others have a number it does not tell either, so that entries on all but the number asked for are shown
//!   as ambiguous.
//! - **Tools that read the registry's store** (`estelam registry lookup`, `policy explain --scheme`) know the people of the reference registry alone.
//! - **The holder's own view** asks `[registry]` for the code, which must know the holder's SIM.
//!
//! # What is sent
//!
//! `{"signature","header","message"}`; header and criteria name the gateway, never an agency, an actor or a purpose of theirs. `message_id`,
//! `transaction_id` and `reference_id` are 128 random bits each. The query type is `idtype-value`, the number stands in the body alone, twice: as
//! itself and within the signature. `authorize`, if configured, is the gateway's own legal basis and the same for everybody; consent is not claimed.
//!
//! # Signatures
//!
//! The descriptions say that `signature` is text, over `{header}+{message}`, with the sender's key; of its form they give an example alone, which does
//! not say what is hashed. Ours, both ways, is a **compact JWS (RFC 7515) whose payload is the JSON object `{"header":…,"message":…}`**, as other
//! implementations of SPDCI have it: it says itself which bytes were signed. The answer's is checked over these bytes, and header and message beside it
//! must be equal to them member by member. Algorithms: `EdDSA`, `ES256`, `PS256`, one for each key; `RS256` is not taken, nor a header member that would
//! choose a key. Encrypted messages (`EncryptedMessage`) are not read.
//!
//! # What counts as an answer
//!
//! 200, JSON, at most 256 KiB, signed; `action` `on-search`; `sender_id` and `receiver_id` the registry's and ours; `transaction_id` and `reference_id`
//! those of this search; `message_ts` and `timestamp` within a minute (the older is `as_of`); one `search_response`. `message_id` is the answer's own, as
//! in the descriptions' examples, and is not compared.
//!
//! | status of header and search | means |
//! |---|---|
//! | `succ`, `reg_records` of one record | somebody |
//! | `succ`, several records (at most 10; of a longer list its first page, with two who are not blocked) | `ambiguous-identifier` |
//! | `succ`, `reg_records` an empty list | nobody; the only way to say so |
//! | `rjct` with whatever code, `pdng`, `rcvd`, anything else | `registry-unavailable`; `last_error` in `estelam status` says which |
//!
//! What is wrong with one record, or with how many there are, is that number's trouble: it is asked for once and counts against no address.
//!
//! `spdci-registry.yaml` has `reg_records` as one object, with which nobody cannot be said; a list is taken from those registries too.
//!
//! # A record
//!
//! A member (`spdci-social.yaml`), a beneficiary (`spdci-ibr.yaml`) or a flat person (`dci_PersonRecord` of `spdci-registry.yaml`); not a group. It must
//! bear the number asked for under its type (`identifier_type` with `identifier_value` or `identifier`). Birth date (ISO 8601, day as written) and name
//! (for the asker's hint alone, kept as a fingerprint) are read from it; a date of death beside a document in use is a contradiction. Documents and what
//! rules read besides have no field in SPDCI: records may be extended by `additional_attributes`, and one entry of that list, in the form of
//! `AttributeNameValue`, is ours:
//!
//! ```json
//! {"name": "estelam",
//!  "value": {"blocked": false,
//!            "birth": {"date": "1370", "calendar": "jalali"},
//!            "nationality": "AF", "province": "IR-25", "household_role": "member",
//!            "documents": [{"kind": "amayesh", "series": 17, "state": "active",
//!                           "issued": {"date": "1400/01/01", "calendar": "jalali"},
//!                           "expires": {"date": "1402/03/31", "calendar": "jalali"},
//!                           "legal_status": null, "facets": {}, "recorded_at": null}],
//!            "papers": [{"kind": "amayesh", "series": 17, "expires": {"date": "1402/03/31", "calendar": "jalali"}}]}}
//! ```
//!
//! Words and dates are those of the import formats (contract §5.1); `facets` are the states of a card's `bank` account and `sim`, where they have their
//! own; `papers` says of each document with the number asked for what it knows of `kind`, `series`, `country` and printed `expires`, and may be empty;
//! `recorded_at` is when the registry first had the document. **Every member must be there**, `null` where the registry does not know, and no other may be: what is missing or new might be what
//! ends an entitlement. A record without the entry, or with two, is no answer; an empty list of documents is one.
