//! Metrics: every name that `GET /metrics` of the `ops` listener can show, with its labels. A test holds this page complete.
//!
//! Counters end in `_total`, histograms are named as such, everything else is a gauge. A counter appears once there was something to count. No label
//! names a person, a clerk or a number. What to do about alarms: [`operating`](super::operating).
//!
//! # Requests
//!
//! | name | what |
//! |---|---|
//! | `estelam_requests_total{outcome}` | replies, by decision, refusal code or kind of delivery; their rate is the request rate |
//! | `estelam_request_seconds{outcome}` | histogram: from the request's head to its recorded reply |
//! | `estelam_refusals_counted_total{code}` | refusals of a flood, which got no reply |
//! | `estelam_retry_keys`, `estelam_retry_answers_bytes` | `Idempotency-Key`s that are known, and memory of their answers |
//! | `estelam_retry_answers_given_up_total` | answers that a retry would not have found any more |
//! | `estelam_retry_log_read` | 1 once the last ten minutes of the log were read for them |
//!
//! # Connections, certificates, tokens
//!
//! | name | what |
//! |---|---|
//! | `estelam_tls_refusals_total{listener,reason}` | connections that did not get past the handshake: `slow`, `no-certificate`, `unknown-issuer`, `dates`, `revoked`, `revocation-unknown`, `purpose`, `profile`, `invalid`, `protocol`, `client`, `full-total`, `full-address`, `full-agency` |
//! | `estelam_tls_profile_refusals_total{rule}` | certificates with a valid path that broke a rule of our profile |
//! | `estelam_handshakes_put_off_total` | handshakes that had to wait because their address began too many |
//! | `estelam_connections_open{listener}` | now |
//! | `estelam_connections_cut_total{reason}` | `idle`, `slow-head`, `slow-body`, `handling`, `not-accepted` (revoked, suspended, cut off), `flood` |
//! | `estelam_certificate_not_after_seconds{kind,name}` | Unix time at which a certificate ends that is next to end: ours, and of each agency |
//! | `estelam_certificates_expiring{within}` | how many end within `7d` and `30d` |
//! | `estelam_revocation_lists_next_update_seconds` | Unix time at which the first list has to be replaced |
//! | `estelam_crl_fetch_errors_total{source}` | lists that could not be fetched |
//! | `estelam_jose_members_refused_total{member}` | tokens whose head names a key or a meaning of its own (`jwk`, `jku`, `x5u`, `crit` …): somebody tries |
//! | `estelam_issuer_keys_fetched_total{issuer,result}` | fetches of an outside issuer's keys |
//!
//! # The access log
//!
//! | name | what |
//! |---|---|
//! | `estelam_ledger_entries_total` | entries that are durable |
//! | `estelam_ledger_batch_size` | histogram: entries that one write made durable |
//! | `estelam_ledger_sync_seconds` | histogram: how long the disk took for it |
//! | `estelam_ledger_queue_depth` | entries that wait |
//! | `estelam_ledger_fill_seconds` | histogram: carrying a batch from the journal into the database, behind the replies |
//! | `estelam_ledger_disk_free_bytes`, `estelam_ledger_reserve_bytes` | free on the log's disk, and what answers have for themselves |
//! | `estelam_ledger_not_taken_total{what}` | what was not recorded for want of room |
//! | `estelam_log_index_mended_total` | parts of the search index that were made again |
//! | `estelam_log_damaged_entries_total` | entries that no search finds because they do not fit their leaf: run `estelam log verify` |
//! | `estelam_log_uncounted_days_total` | days whose counts could not be kept, since their key is damaged |
//!
//! # The registry
//!
//! | name | what |
//! |---|---|
//! | `estelam_registry_lookups_total{outcome}` | `hit` (remembered), `miss`, `live` (asked because it had to be), `refresh`, `stale` |
//! | `estelam_registry_errors_total{kind}` | look-ups that failed, by what went wrong |
//! | `estelam_registry_feed_errors_total{kind}` | polls of the change feed that failed |
//! | `estelam_registry_retries_total`, `estelam_registry_hedges_total` | look-ups tried again, and tried at a second address beside the first |
//! | `estelam_registry_shed_total{lane}` | look-ups turned away because too many waited |
//! | `estelam_registry_connections_dropped_total` | connections given up, since the registry's certificate or lists changed |
//! | `estelam_registry_forgotten_total` | how often everything remembered was forgotten |
//! | `estelam_registry_events_total{outcome}` | pushed events: `heeded`, or the error that they got |
//! | `estelam_registry_in_order` | 1 while decrees are loaded, the feed vouches for what is known, and look-ups are answered |
//! | `estelam_registry_feed_silence_seconds` | for how long the feed has vouched for nothing; beyond 10 s remembered facts are asked for again |
//! | `estelam_registry_feed_lag_changes`, `estelam_registry_cursor` | changes that look-ups show and the feed has not told; how far it was followed |
//! | `estelam_registry_decrees_age_seconds` | since the registry last said that these decrees are all there are |
//! | `estelam_registry_breaker{registry,address}` | of each address (1 is the preferred one), `registry` being `register` or `people`: 0 closed, 1 half open, 2 open |
//! | `estelam_registry_lagging{registry,address}` | 1 while an address is left alone because its answers were older than what is known |
//! | `estelam_registry_last_error_age_seconds{registry,address}`, `estelam_registry_lookup_p95_seconds{registry,address}` | since something went wrong there (`estelam status` says what); how long its look-ups take |
//! | `estelam_registry_lane_in_flight{lane}`, `estelam_registry_lane_waiting{lane}`, `estelam_registry_at_once` | look-ups at the registry and waiting, of the counter and in the background; how many may be there at once |
//! | `estelam_registry_remembered`, `estelam_registry_remembered_bytes` | people, and memory |
//!
//! Gauges of the registry are taken when the metrics are read.
//!
//! # Policy, alarms, alerts
//!
//! | name | what |
//! |---|---|
//! | `estelam_alarms_total{alarm}` | should stay at nought; [`operating`](super::operating) has a row for each |
//! | `estelam_alerts_raised_total` | alerts about searches for holders and other abuse, at once |
//! | `estelam_alerts_total{rule,agency}` | the same once the day is over, so that the instant does not tell who |
//! | `estelam_watch_passed_over_total` | calls that the rules of `watch.toml` did not count because a table was full |
//! | `estelam_watch_read_again_total` | times that the watch read its day again because more came than it could take |
//! | `estelam_webhook_failures_total` | deliveries of alerts that failed; they wait and are tried again |
//! | `estelam_holder_cases_total` | cases that holders opened by contesting a line |
//! | `estelam_policy_reloads_total{result}` | `applied`, `refused` |
//! | `estelam_policy_agencies` | agencies of the policy in force |
//! | `estelam_demo` | 1 where rules take effect without officials' signatures |
