//! Operating an installation.
//!
//! # Files
//!
//! | file | what | reload |
//! |---|---|---|
//! | `estelam.toml` | configuration; unknown keys are refused with file and line | restart |
//! | `policies/` | agencies, Cedar rules, services, schemes, reasons, cases | by itself, whole or not at all |
//! | `pki/crl/` | revocation lists of every issuer | by itself, whole or not at all |
//! | `pki/gateway/`, `pki/gateway-client/` | our certificates towards agencies and towards the registry | restart |
//! | `registry/officials/` | public keys of the officials who sign decrees | at the next use |
//! | `keys/` | signing keys, readable by the service alone | restart |
//! | `ledger/` | the access log; one process at a time | |
//! | `registry/` | the reference registry's store; the only place with numbers and names | |
//!
//! # Health
//!
//! `GET /health/live` on `ops` says that the process runs. `GET /health/ready` is 200 only when a query could be answered *and*
//! recorded now; its body names the part that is not ready:
//!
//! | part | red means | do |
//! |---|---|---|
//! | `registry` | no decrees loaded, or the change feed is out of contact | look at the registry and its certificate |
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
//! # Searches for holders
//!
//! `[protection]` of an agency's file holds the bounds; what is left out has its default. `estelam_alerts_total{rule,agency}` counts every
//! alert, a line of the log (target `estelam::alert`, without the instant) tells the first of a rule, an agency and a day, and the access log
//! gets one `admin` entry of each once the day is over. What to do: ask the agency which branch it was; its own records and
//! `log:patterns` tell, the alert does not. `estelam registry honeypot mint --count N` makes numbers that no paper bears; plant them where only a
//! thief would find them.
//!
//! | rule | raised when | effect |
//! |---|---|---|
//! | `failed-checks` | a value had `failed_checks` wrong second factors | its checked answers are `not-established` for the day |
//! | `failed-values` | `failed_values` different values had some | checked answers on further values are `not-established` |
//! | `sequential-values` | `sequential_values` values of one run of a thousand | the branch waits |
//! | `unknown-values`, `distinct-values` | too many that are nobody's; too many at all; where no second factor is wanted | it waits; new values wait for the next day |
//! | `actor-burst`, `branch-burst` | too many new values in a minute | they wait for the next minute |
//! | `honeypot` | a honeypot or a protected record was asked for | from the `honeypots`th on the branch learns nothing that day |
//!
//! `make timing` measures whether unknown, blocked and unprovable can be told apart by the time that they take.
//!
//! # Metrics
//!
//! `estelam_requests_total{outcome}`, `estelam_request_seconds{outcome}`, `estelam_registry_*`, `estelam_ledger_*`,
//! `estelam_tls_refusals_total{listener,reason}`,
//! `estelam_tls_profile_refusals_total{rule}`, `estelam_connections_cut_total{reason}`, `estelam_connections_open{listener}`,
//! `estelam_policy_reloads_total{result}`, `estelam_policy_agencies`, `estelam_alerts_total{rule,agency}`. No label names a person, a clerk or a number.
//!
//! Logs are JSON lines on standard error; `ESTELAM_LOG` sets the level (`info`, `warn`, `debug`).
