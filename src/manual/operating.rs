//! Operating an installation.
//!
//! # Files
//!
//! | file | what | reload |
//! |---|---|---|
//! | `estelam.toml` | configuration; unknown keys are refused with file and line | restart |
//! | `policies/` | agencies, Cedar rules, services, schemes, reasons, cases | by itself, whole or not at all |
//! | `pki/crl/` | revocation lists of every issuer | by itself, whole or not at all |
//! | `registry.crls`, `registry.intermediates`, `registry.identity` in `estelam.toml` | how the registry's certificate is judged | lists by themselves, the rest restart |
//! | `pki/gateway/`, `pki/gateway-client/` | our certificates towards agencies and towards the registry | restart |
//! | `registry/officials/` | public keys of the officials who sign decrees | at the next use |
//! | `keys/` | signing keys, readable by the service alone | restart |
//! | `ledger/` | the access log; one process at a time | |
//! | `ledger/*revocation-lists.json` | the highest number of every revocation list seen; an older list is refused even after a restart | |
//! | `registry/` | the reference registry's store; the only place with numbers and names | |
//!
//! # Health
//!
//! `GET /health/live` on `ops` says that the process runs. `GET /health/ready` is 200 only when a query could be answered *and*
//! recorded now; its body names the part that is not ready:
//!
//! | part | red means | do |
//! |---|---|---|
//! | `registry` | no decrees loaded, or the change feed is out of contact | look at the registry and its certificate; `estelam_registry_errors_total{kind}` and `estelam_registry_feed_errors_total{kind}` say why |
//! | `ledger` | the log cannot take entries | look at the disk; nothing is answered meanwhile |
//! | `revocation-lists` | a list is missing or past its date | bring the list; nobody is let in meanwhile |
//! | `accepting` | the node is stopping | wait |
//!
//! While the registry is away queries are answered `indeterminate` with what to do, signed and recorded; that is not an error.
//!
//! # Cutting an agency off
//!
//! `estelam agency suspend NAME --dir DIR` (or `suspended = true` in its policy file): its next request is refused, on open connections too;
//! `resume` undoes it. Revoking a certificate: replace
//! the issuer's list in `pki/crl/` by one with a higher number (one file per issuer); live connections of the certificate are cut when it is read.
//!
//! # Metrics
//!
//! `estelam_requests_total{outcome}`, `estelam_request_seconds{outcome}`, `estelam_registry_*`, `estelam_ledger_*`,
//! `estelam_tls_refusals_total{listener,reason}`,
//! `estelam_tls_profile_refusals_total{rule}`, `estelam_connections_cut_total{reason}`, `estelam_connections_open{listener}`,
//! `estelam_policy_reloads_total{result}`, `estelam_policy_agencies`. No label names a person, a clerk or a number.
//!
//! Logs are JSON lines on standard error; `ESTELAM_LOG` sets the level (`info`, `warn`, `debug`).
