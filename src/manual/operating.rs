//! Operating an installation. How one is made: [`installing`](super::installing).
//!
//! # Files
//!
//! | file | what | reload |
//! |---|---|---|
//! | `estelam.toml` | configuration; unknown keys are refused with file and line | restart |
//! | `policies/` | agencies, Cedar rules, services, schemes, reasons, cases | by itself, whole or not at all |
//! | `archive/` | every policy version and decree set ever in force, by hash; keep it as long as the log | written by itself |
//! | `pki/crl/` | revocation lists of every issuer; those fetched from `tls.crl_urls` are kept here too | by itself, whole or not at all |
//! | `cutoff/list.json` | what is cut off at once (`estelam agency suspend`); `revoked-tokens` beside it | within half a second |
//! | `enrolment/` | registers of the agencies' certificates, their kits | |
//! | `registry.crls`, `registry.intermediates`, `registry.identity` in `estelam.toml` | how the registry's certificate is judged | lists by themselves, the rest restart |
//! | `pki/gateway/`, `pki/gateway-client/` | our certificates towards agencies and towards the registry | restart |
//! | `events.keys` in `estelam.toml` | public keys of the events that the registry pushes | restart |
//! | `pki/registry-client/`, `pki/registry/events-key.pem` | the registry's certificate towards gateways (`…/service/registry`) and the key of its events | for the next connection; restart of the registry |
//! | `registry/officials/NAME.pub.pem` | public keys of those who sign decrees in the registry (`estelam registry official add`; once there are two, with the keys of two); files of other names are nobody's. A gateway goes by its own officials: [`super::trust`] | at the next use |
//! | `registry.people` in `estelam.toml`, `pki/spdci/` | people looked up in a social-protection registry: keys and access token; [`super::spdci`] | token at the next look-up, the rest restart |
//! | `keys/`, `keys.unlock` | sealed signing keys and the secret that opens them, readable by the service alone; [`super::trust`] | by themselves |
//! | `ledger/` | the access log, database and journal; copy them with `estelam log backup`; one process at a time | |
//! | `keys/logs-begun.json` | which logs were begun here; copied with the keys. One that is named there and is not in `ledger/` keeps the gateway from starting ([`super::log`], *A log that is not there*) | written by itself |
//! | `ledger/origins.json`, `ledger/origins/` | later logs, where one had to end; [`super::log`] | |
//! | `ledger/fence` | who writes the log, and how many entries were answered for; never copy it back alone | |
//! | `deferrals/` | entries that are shown to their holder later, signed by two officials; [`super::holder`] | at the next view |
//! | `ledger/holder-codes.json` | codes that each office had sent today; not to be lost | |
//! | `holds/` | legal holds, signed by two officials (in a demo by those whose public keys are in `holds/officials/`) | within seconds |
//! | `purge-orders/` (`ledger.purge_orders`) | purge orders, signed alike; outside a demo nothing is deleted without one; [`super::log`] | within seconds |
//! | `ledger.witness_key`, `ledger.witness_checkpoint` in `estelam.toml` | the witness, and what it has seen; see [`super::log`] | clock and log are compared with it whenever the file changes |
//! | `ledger/reserve` | room that answers have for themselves; made again at a start where it is missing | |
//! | `ledger/client-assertions` | client assertions and signatures that were used; hashes alone. Those that have expired stay, the last 131,072 of them, in case the clock was wrong that said so | |
//! | `ledger/registry-events` | the same of pushed events | |
//! | `ledger/*revocation-lists.json` | the highest number of every revocation list seen; an older list is refused even after a restart | |
//! | `ledger/memories.json` | which of the files that must not be forgotten there were: `authority.json`, `acts.json`, the lists, assertions and events here, `revoked-tokens` beside the local list. One that is gone keeps the gateway from starting, and the message says how to go on | |
//! | `ledger/segments/` | where auditors' searches look, encrypted; made again from the log where missing | |
//! | `cases/` | the register of cases (`estelam log case`); `audit.trails_per_day`, `audit.cases` in `estelam.toml` | at the next use |
//! | `ledger/clock` | what the clock showed against the time since the machine's start; may be lost | |
//! | `ledger/watch.json`, `ledger/alerts.json` | up to which day alerts are recorded, and which were raised since; may be lost, then today alone is read again, and what cannot be read is lost ([`super::watching`]) | |
//! | `alerts/` | alerts that wait for the webhook; [`super::watching`] | |
//! | `ledger/retry-secrets`, `ledger/retry-former` | secrets of the last half hour by which retries are known again (Retries, below); may be lost | written by itself |
//! | `ledger/quota.json` | what agencies and units with a daily quota spent of the day; may be lost | |
//! | `registry/` | the reference registry's store; the only place with numbers and names | |
//!
//! # Health
//!
//! `GET /health/live` on `ops` says that the process runs. `GET /health/ready` is 200 only when a query could be answered *and*
//! recorded now; its body names the parts that are not ready. Those listed in `degraded` do not make it red: in an outage of the registry every node loses it
//! at once, and one that was in order and is then left in the balancer still serves what needs no document, what is remembered, and the signed
//! `proceed` or `try-later` of each policy. A node that has not heard of the registry since its start is red. For alarms about the registry take
//! `estelam_registry_in_order`, not readiness.
//!
//! | part | red means | do |
//! |---|---|---|
//! | `registry` | no decrees loaded, the change feed out of contact or behind what look-ups show, or look-ups at every address failed repeatedly; mostly `degraded` | look at the registry and its certificate; `estelam_registry_errors_total{kind}` and `estelam_registry_feed_errors_total{kind}` say why |
//! | `people-registry` | people are looked up in another registry ([`spdci`](super::spdci)), and look-ups at every address of it failed repeatedly; mostly `degraded` | `estelam status` says what failed; answers are `registry-unavailable` meanwhile |
//! | `ledger` | the log cannot take entries, or its disk is full and the reserve used up | look at the disk; nothing is answered meanwhile |
//! | `revocation-lists` | `degraded`, with what goes on in `advice`: a list is past its `nextUpdate`. Red: it is past its grace too, and no service is `life_critical` | bring the list; see [`trust`](super::trust) |
//! | `keys` | `degraded`: a file of `keys/` or `keys.unlock` is gone, reachable by others, another one, or does not open; the keys in memory go on, and a restart would not have them. Red: a token does not answer, or what opens the contents has been away for a day | restore the file (the body says which), or bring the token; give a key that is lost up by `estelam keys lost USE`, one that signs no more by `keys retire KID`; [`trust`](super::trust) says why |
//! | `clock` | the wall clock jumped by more than 30 s against the time since boot (`clock-jumped`), or differs by more than that from the witness's (`clock-contradicted`), or was at the start more than that behind the log's last entry and has not passed it yet (`clock-behind-log`), or was set by more than that while the gateway did not run (`clock-moved`); nothing is signed, purged or issued (503 `ledger-unavailable`), and it is an entry | as `estelam status` and the body say: set the clock right and restart the gateway; if it is right, see below |
//! | `certificate` | what the listeners show, `tls.certificate` as it was at the start, is not within its dates: every client refuses it | bring a new one and restart the gateway |
//! | `accepting` | the node is stopping | wait |
//!
//! **The clock at a start.** A wall clock that moves on evenly is believed as it is when the gateway starts, with two exceptions: a witness that contradicts it
//! ([`super::log`]), and the log, whose time never decreases. If it is the log that is wrong, because a clock was ahead when it was written, two things say so: a
//! cosignature of the witness that shows it, or `ledger.clock_was_ahead_until = "2027-01-31T12:00:00Z"` in `estelam.toml`: up to that instant the log's time counts for nothing
//! against the clock. It stands in the entry `service-started`; entries keep the log's time until the clock has passed it.
//!
//! As long as the machine itself was not started anew, the time since its start tells whether its clock was set meanwhile, ahead or back (`ledger/clock`, written while the registry
//! agrees with the clock). One that was is doubted until the registry, or the witness's next cosignature, agrees with it: set right by an operator, it is believed as soon as the registry
//! answers. After a start of the machine nothing on it knows better, and a clock that is far *ahead* is contradicted by the registry alone. That makes no
//! doubt: a registry that lies would stop every gateway. It is told (alarm `clock-disputed`, `advice` of the health check), nothing that the registry says is used, so that a
//! node which starts so is not ready; and nothing is deleted while it lasts, for that alone could not be undone. Dates in revocation lists are no second voice: they bound the
//! time from below. So have a witness, or have the time synchronised before the service starts (`time-sync.target` of systemd, and its `systemd-time-wait-sync.service`).
//!
//! `estelam status` (and `GET /status`) shows the same with the age of the change feed, the lanes, and each address of the registry: its circuit
//! breaker, how long its look-ups take, what last went wrong there; and until when two officials ordered deletions, class by class, and what is due and
//! stays for want of an order. It exits 1 where the gateway is not ready.
//!
//! It names the policy and the list of what is cut off that are in force (`policy_version`, `cut_off_version`), which registers of certificates are on
//! record (`certificates_version`), by which list of signing keys it acts (`keys_version`), and how far the node has followed the registry's changes (`registry_cursor`).
//!
//! # A registry that is slow or away
//!
//! `registry.url` is asked first; `registry.further_urls` are other addresses of the same register. Each has a circuit breaker; a look-up that fails is
//! tried elsewhere (at most one in ten), and one that takes longer than 95 of 100 get a second one beside it (at most one in twenty), all within
//! `registry.timeout_ms`. One that has no answer after half of that is tried elsewhere too, as one of those one in ten, and is still waited for: addresses that
//! are slow and in time answer everybody. An address that is given a pause for hanging is asked over new connections after it; batches leave half of what may be saved up of either to the counter. An answer about one number that cannot be used (too long, a
//! record that is not understood) is asked for once and counts against no
//! address: that number alone is `registry-unavailable`. The reference registry lists ten people of a number that more bear, and says so (`"more": true`).
//!
//! **Deadlines.** A query has `registry.query_ms` in all (twice `timeout_ms` if left out) for whatever it waits for: its first look-up, one that a "no" needs
//! on top, decrees that it has to ask for, and a batch's turn. What is left of it bounds the next wait; a look-up has `timeout_ms` at most. When it is over, the
//! answer is `registry-unavailable` with what to do, or a stale one where policy allows; a batch that had no turn by then is 503 `overloaded`.
//!
//! **One look-up for all.** Whoever asks for the same person meanwhile waits for the same look-up, from whatever agency and lane; it is made when the first of
//! them has a turn, so that nobody waits in another's queue and a counter does not wait for a batch. It goes on when one of them goes, until the last one has to (twice
//! `timeout_ms` at most). Whoever asks after a change never gets what was asked before it; a look-up that must be live is its own.
//!
//! **An address that lags.** An answer older than what the feed had told before it was asked for is not used: it is asked for at another address, and for
//! five seconds the one that lags is asked only where there is no other (`estelam status`: `behind what is known`; `estelam_registry_lagging`).
//!
//! **Pace.** How many look-ups are there at once follows the registry's pace (4 to 512): a tenth fewer where they come to nothing, more while they are quick
//! and all in use. One that takes more than half of its time and is answered lowers nothing; it is a reason for more only where the registry took as long
//! with a handful. After an outage one look-up at a time finds out whether an address is
//! back; then it gets two, and with each answer one more. Where all were away, four are let on at first, twice as many in each round up to half of what it was before, so that
//! those who waited do not come all at once. A look-up that had waited too long to be answered in time is not begun, and one that was cut off for that
//! reason says nothing about the registry: an overload of ours opens no breaker.
//!
//! **Lanes.** Somebody at a counter comes before a batch (`priority: background`), which
//! never holds more than half of the slots, and agencies take turns. Beyond `registry.waiting` waiting look-ups (a quarter of it for batches) a query is 503
//! `overloaded` with `Retry-After` and the agency's `advice`: the newest of the agency that has most waiting there, so that a flood turns away its own.
//! What is remembered needs none of this, but for a second factor that does not match: that is
//! `overloaded` too, on the time grid, so that an overload does not tell which numbers are remembered.
//!
//! What is remembered counts as current while the change feed vouches for it. It does so until it has been silent for 10 s (a poll that fails is tried
//! again at once), by a clock that goes on while the machine sleeps. Where it goes on behind what was told before (at another address, or by another
//! store behind the same one), that is no change of the register: nothing that is remembered counts as current until it has caught up, and what was told
//! stays told. What stays behind for 20 s is taken for another register, or for one that was put back. A feed that speaks and does not tell within 10 s what look-ups show (each says which cursor it reflects) vouches for nothing
//! since they began to, and its address is left for the next one; every 30 s it is seen whether the preferred one is back. A register that was put
//! back from a copy and went on has other changes under the same cursors: the reference registry names each (`history` of changes and decrees, said again with
//! the next poll), and says `rewritten`; then everything is asked for again. A registry that tells no `history` is known by a cursor that runs back alone, after those 20 s. A batch
//! of changes that is larger than 4 MiB is not read: everything is asked for again, and the feed goes on from the cursor of the decrees.
//!
//! An answer that is behind what the feed has told is asked for once more, at the next address if there is one. One that claims a cursor which the feed
//! does not come to is remembered no longer than that is in doubt (20 s): no change would ever be newer. While this process stands still (a
//! suspended machine, a debugger) replies may lie here: a look-up's that was asked for longer ago than twice `registry.timeout_ms`, or the feed's of more than
//! 10 s ago, counts as none; so do facts on which nobody has decided 5 s after their query should have ended; an answer that was decided before does not leave
//! after that, and its caller gets the 503 that may be on record. Each question to the registry bears a name in the header field `estelam-question`, drawn at random, which the reference
//! registry says again: an answer that bears another's, as a proxy gives that has mixed up two, is none, and its connection is not used again. However soon the feed answers, it is polled fifty times a second at most.
//!
//! Decrees are as current as the feed. While it vouches for nothing they are loaded for each answer that they would make too old, at most once for many; `as_of`
//! is never later than the last word on them, an answer that rests on decrees of more than ten seconds ago is not `live`, and a "no" that must be live
//! (`must_be_live_for_denial`) is not given on them.
//! `estelam_registry_shed_total{lane}`, `estelam_registry_retries_total`, `estelam_registry_hedges_total` and
//! `estelam_registry_lookups_total{outcome}` count.
//!
//! What is remembered takes at most `registry.cache_mib` (512) of memory and is of at most `registry.cache` (200,000) people; an entry is counted
//! with some to spare, about 1.5 KiB for somebody with two cards and a name (measured: a million of them, 1.4 GiB; `make memory`). Nothing of it is on the disk: after a start everybody is looked up
//! again, through the same lanes, so that a cold start asks the registry for no more at once than any other moment does, and for each person once.
//!
//! Queries of batches are worked on `limits.batch_calls` at a time once their facts are there, and agencies take turns; a counter's wait for nothing. Whoever
//! had to wait looks again at what is known, so that no answer is older than what the feed has told; whoever has to ask the registry once more gives
//! the turn up. What is `overloaded` costs nothing of the day's quota, and while the clock does not hold nobody is looked up.
//!
//! Beside a counter `limits.batch_calls` (16) begin every six milliseconds, none while a counter's query is worked on, and each when the one before waits for the
//! disk, so that whoever comes to a counter between two of them goes first; where counters keep the node busy all the time, one begins whenever a counter's query
//! ends. So a batch beside counters goes at up to 2,600 queries a second; where a node has processors to spare, raise `limits.batch_calls`. Batches have the node for themselves again when 20,000 of their queries went by without one of a counter.
//!
//! While the registry is away queries are answered `indeterminate` with what to do, signed and recorded; that is not an error.
//!
//! # What the registry pushes
//!
//! The gateway follows the registry's change feed by a long poll; that alone decides what is known, and how fresh. Beside it the registry may push:
//! `POST /v1/events` takes Security Event Tokens (RFC 8417, RFC 8935) where `estelam.toml` has `[events]`:
//!
//! | key | what |
//! |---|---|
//! | `sender` | the name in the sender's client certificate, `spiffe://<trust-domain>/service/<name>`; issued and revoked like an agency's, but no agency: it can ask nothing |
//! | `issuer` | `iss` of its events |
//! | `keys` | JWK set of the public keys that sign its events, and nothing else; two while one follows the other |
//!
//! Certificate and signature are checked each on its own: whoever has one of the two can do nothing. `typ` is `secevent+jwt`, `alg` the key's own, `aud`
//! our issuer URL, `iat` at most five minutes old and ten seconds ahead; a `jti` counts once, after a restart too. Under `events` stands one
//! `urn:estelam:event:registry-changed` with what the feed would say: `cursor`, `subjects` (keyed hashes), `decrees`, `everything`. It merely
//! invalidates: facts older than `cursor` answer nothing any more, also those that are on their way, and facts and decrees are asked for again. The feed
//! goes on where it was, so that a push that is lost or wrong hides nothing; a cursor that the feed does not confirm within 20 s is not believed.
//! What is remembered never outlives the process, so that what was acknowledged is not undone by a crash.
//!
//! 202 says: heeded, recorded (`registry-event`, kept like a refusal) and spent, in this order. What fails in between is 503, and the same token is taken when it
//! is sent again; one that is just being taken is 503 too. Errors are those of RFC 8935 §2.4, recorded like every refusal; nothing is
//! invalidated then. Two events a second are taken and twenty at once; one that makes everything useless once in five seconds; decrees are
//! loaded for pushes once a second. More is 429: the sender puts what changes meanwhile into one event, and the poll is not bound by this.
//! `estelam_registry_events_total{outcome}` counts.
//!
//! The reference registry pushes with `estelam registry serve --push URL` (a gateway's issuer URL; may be given several times), under
//! `pki/registry-client/` and `pki/registry/events-key.pem`; the demo does so by itself. It keeps what each gateway acknowledged, sends everything after
//! that as one new token, at most twice a second, and after failures waits 0.2 to 30 s, or as long as `Retry-After` says. Of several nodes behind one URL
//! only the one that a push reaches hears of it sooner; the others follow the poll.
//!
//! # Retries
//!
//! A retry under an `Idempotency-Key` finds its answer for ten minutes. What is kept, and where it ends:
//!
//! | what | bound |
//! |---|---|
//! | keys | the rates of the policies: an agency cannot have more answers in ten minutes than 600 times its rates of `counter` and `background`, and refused tries keep none. About 250 bytes each: a thousand answers a second under a key take 150 MB |
//! | answers | `limits.retry_mib` (256) of memory in all, about 2.5 kB each: the last 100,000. Where it is full the agency that has most gives up its oldest, and nobody else any |
//! | across a crash | what the log has: a mark of the key and one of the body, no answer |
//!
//! A key whose answer is not there any more is answered anew: tied to the first (`retry_of`), not counted against the quota again, and another body is refused as before. After
//! a start the last ten minutes of the log are read while the gateway answers already, the newest first. Until they are, a key that was not found yet waits up
//! to three seconds and is 503 then; so it goes for ten minutes where they cannot be read (alarm `retries-not-read`). A key is never taken for a new one that the log
//! may have. `ledger/retry-secrets` is what bodies are known again by; each of its two secrets is written over within half an hour, so that nobody can find out later what was
//! asked. It is in no copy. If it is lost, keys from before are `key-reused` until their ten minutes are over. `keys rotate content` changes the marks; what those from before
//! are known by lies in `ledger/retry-former` for ten minutes, sealed under the new key.
//!
//! `estelam_retry_keys`, `estelam_retry_answers_bytes`, `estelam_retry_log_read` (1 once the log has been read), `estelam_retry_answers_given_up_total`.
//!
//! # A disk that runs full
//!
//! `ledger.reserve_mib` (256) of the log's disk belong to answers alone: `ledger/reserve` takes them up while there is room, and gives them back
//! piece by piece when others have filled the rest. At 1.1 kB an answer they last for 240,000 answers. `ledger.floor_mib` (512) is what should be free besides:
//!
//! | free | `estelam status`, alarm and entry | what stops |
//! |---|---|---|
//! | less than the floor | `low`, `disk-low` | reads of the log (searches, trails, exports, samples, proofs, holders' views), back-ups to the same disk, the index that searches use |
//! | less than a quarter of it | `scarce`, `disk-scarce` | refusals too: none is told or recorded one by one |
//! | nothing, and the reserve is used up | `gone`, `disk-gone` (the entry comes later) | everything; `/health/ready` is red |
//!
//! Answers, tokens and administrative acts go on until the last stage; a disk that others fill in one go turns nobody away as long as the reserve has
//! something to give. What stops is a bare 503 `ledger-unavailable` with the agency's `advice`, a `detail` that says why and a `Retry-After` of 30 to 45 s: the one reply
//! that may leave unrecorded (contract §4), and it is given before anything is looked up. Refusals that were withheld are counted by certificate, second and
//! code, and the counts are recorded once there is room. Each stage ends with an eighth more than it begins with. The reserve is made again from what is
//! beyond the floor. `estelam_ledger_disk_free_bytes`, `estelam_ledger_reserve_bytes`, `estelam_ledger_not_taken_total{what}`.
//!
//! A disk that hangs keeps nobody waiting: a batch of entries that takes longer than 3 s is given up on by those who wait (503 `ledger-unavailable` with the
//! agency's `advice`; it may be recorded all the same), and nothing new is begun until the disk goes on. Alarm and, afterwards, entry: `disk-hung`.
//!
//! # Changing policy
//!
//! 1. Copy `policies/`, change the copy. Grants in `agencies/NAME.toml` and rules in `*.cedar` may have a first and a last day (`from`,
//!    `until`; `@from("1405/01/01")`, `@until(…)`); they begin and end by themselves, at Tehran's midnight.
//!    Every Cedar rule says where it comes from and how sure that is (`@source`, `@confidence`); no change takes effect that brings one without, while one
//!    of an earlier build stands until you mend it.
//! 2. `estelam policy check --policies COPY`: faults with file and line. Those of catalogues and rules come first, with what is wrong in the form of
//!    agencies' files; what is judged by them (agencies' grants, cases of answers) is told once they are mended, so check again then.
//! 3. `estelam policy test --policies COPY`: every case of `cases/*.toml`. A rule without a case each way fails. A case asks a question and says what must
//!    come: outcome, reason, decree, rule, next step. It can say too what was named beside the number (`series`, `country`), what the agency
//!    is told (`told = { reason = …, shows = […] }`, by the `[disclosure]` of its file) and, on remembered facts (`registry = "cached"`), whether they were
//!    enough (`asked_again`). The head of `cases/answers.toml` lists every field.
//! 4. `estelam policy explain --case NAME --policies COPY`: which documents, decrees, lists of provinces, grants and rules led to an answer. `--at` and
//!    `--known-at` ask for other instants; `--answer ID` explains a recorded answer, `--scheme CODE --service CODE` an identifier read from standard input.
//!    A refusal is explained by the lines of the policy files that led to it. Of a recorded answer, `--known-at` after it counts the newest list of decrees
//!    that the archive (or a registry in the same folder) has; with `--at` its facts count as if the register had given them at that instant. Both are said.
//! 5. `estelam policy replay --from DAY --to DAY --against COPY --dir DIR`: who would be answered differently; counts alone. Permits, duties,
//!    services' rules, decrees and ages of facts are decided anew, and what the asker is told of the outcome is compared: reason, next step, and which parts
//!    of the document. Refusals for a rate, a quota or the protection of holders stand as they are
//!    and are counted apart: they depend on what else was asked in that minute, which no entry holds. For the same reason changes of schemes, of the
//!    words of reasons, and of an agency's limits, protection, units, numbers for schemes and keys cannot be tried; they are listed (`changed_not_tried`).
//! 6. Put the copy in place: a running service takes it up by itself, whole or not at all.
//!
//! # Cutting an agency off
//!
//! `estelam agency suspend NAME --dir DIR`: its next request is refused, on open connections too; the command returns when that is so. `resume`
//! undoes it. Branches, certificates, tokens, revocation lists and their age: [`trust`](super::trust).
//!
//! # Clients and outside issuers
//!
//! An agency's client proves itself by its certificate; `[client_auth]` in `agencies/NAME.toml` can want a signed assertion beside it:
//! `methods = ["private_key_jwt"]`, and public keys as `[[client_auth.key]]` or as a JWK set in `agencies/NAME.jwks.json`. Both reload by
//! themselves. To change keys, publish the new one beside the old, let the agency switch, remove the old one.
//!
//! Tokens of another authorization server are accepted too, once `estelam.toml` names it:
//!
//! ```toml
//! [[issuers]]
//! issuer = "https://sso.example"           # its `iss`, exactly
//! jwks_url = "https://sso.example/jwks"    # the only place that keys are fetched from; redirects are not followed
//! ca = "pki/sso-root.pem"                  # who may vouch for that server
//! crls = "pki/sso-crl"                     # revocation lists of its chain; left out: not checked
//! algorithms = ["ES256"]                   # of PS256, ES256, EdDSA; keys for others are passed over
//! audience = "https://gate.example"        # left out: our own `issuer`
//! agency_claim = "client_id"               # the claim that names the agency
//! agencies = ["school"]                    # nobody else may come with its tokens
//! scopes = ["verify"]                      # and then only as far as the agency's own file allows
//! private_addresses = false                # true where the server is in our own network
//! refresh_s = 300                          # between fetches
//! cooldown_s = 30                          # least time between two, also when somebody comes with an unknown key
//! good_for_s = 3600                        # how long keys count that could not be fetched again
//! ```
//!
//! Such tokens are RFC 9068 access tokens of at most five minutes, bound to the agency's certificate by `cnf.x5t#S256`. A key that the issuer
//! withdraws verifies nothing from the next fetch on, not even tokens that were accepted before.
//! `estelam_issuer_keys_fetched_total{issuer,result}` counts fetches. `limits.tokens_per_address` bounds the token endpoint by address.
//!
//! # Handshakes
//!
//! A TLS handshake costs as much as six answers. Handshakes are made on threads of their own (as many as answer) at a lower priority, so that nobody who is connected
//! waits for them; where nothing is left of a processor they have a quarter of it. From one address `limits.handshakes_per_address` (100) are begun a second, and `limits.connections_per_address` (256) at once after a quiet time;
//! further ones wait in the order in which they came and nobody is refused (`estelam_handshakes_put_off_total`), for several agencies may have one address. Whoever
//! comes last where an address floods waits as long as 256 handshakes take at that pace: 2.6 s. `limits.handshake_ms` counts from when a handshake is begun. Raise both
//! bounds where all agencies come through one address.
//!
//! Threads that answer agencies, and the one that makes answers durable, ask the system for a shorter slice of time than others have (0.5 ms), so that they get the
//! processor at once, whatever else has it; Linux before 6.12 knows no such slices, and there they wait for a tick of its clock now and then. Searches in the log, its
//! index and the watch have the lower priority of handshakes.
//!
//! # Floods of refusals
//!
//! A certificate is told `limits.refusals_per_second` refusals a second, and twenty times as many after a quiet time. What comes beyond
//! is counted (`estelam_refusals_counted_total{code}`) and gets no reply: the connection closes (`estelam_connections_cut_total{reason="flood"}`), and each
//! second and code becomes one entry of the access log with its `count`. Such a connection is held for `limits.flood_hold_ms` (500) first and counts as
//! one of the agency's meanwhile, so that a flood does not become one of handshakes; twice as long in each further second in which it goes on, up to sixteen times; and
//! each for up to twice that time, so that connections which were cut together do not come back together.
//! What is our own failing (503) is no part of it: each is told, with `advice`. Somebody's client is broken, or somebody tries to fill the log: ask the agency.
//!
//! Until its allowance is back (twenty seconds without a refusal and without a wait behind others of the kind) a certificate that flooded waits for turns as batches do, in a line of
//! its own that has a quarter of them: what it asks within its limits is answered, and what it is refused is told, beside the counters of others at up to 660 a second.
//!
//! # Alarms
//!
//! `estelam_alarms_total{alarm}` should stay at nought; each comes with a line of the log that says more.
//!
//! | alarm | what happened | do |
//! |---|---|---|
//! | `revocation-lists-grace`, `revocation-lists-overdue`, `revocation-lists-refused`, `cut-off-list-unreadable` | revocation lists that are old or do not verify; the local list cannot be read | see [`trust`](super::trust) |
//! | `rules-not-signed` | policies lie there that two officials have not signed; those before stay in force | see [`trust`](super::trust) |
//! | `retries-not-read` | the last ten minutes of the log cannot be read, so that unknown `Idempotency-Key`s are 503 | look at the log's disk, run `estelam log verify`; it is tried every five seconds |
//! | `clock-disputed` | the registry's clock and ours are more than a minute apart | see which is wrong (The clock at a start, above); nothing is deleted meanwhile |
//! | `clock-jumped`, `clock-moved`, `clock-contradicted`, `clock-behind-log`, `disk-low`, `disk-scarce`, `disk-gone`, `disk-hung` | see above | |
//! | `key-file-missing` | a restart would not find a file of the keys as it should be; answers go on. Also an entry, with the files' names, and `key-files-back` | as for the part `keys` above, before anybody restarts the gateway |
//! | `content-key-away` | that file was `content.key` or `keys.unlock`, and a day is over: nothing is recorded or answered | put it back; it goes on within a second |
//! | `client-certificate-refused` | the files of our certificate towards a registry changed and are no pair, cannot be read, or bear an agency's name; the one before is still shown | put the right two there; see [`trust`](super::trust), Certificates that end |
//! | `certificates-not-recorded` | certificates that were issued or ended are not in the access log yet; it is tried again | see whether `enrolment/` can be read, and look at the log's disk |
//! | `acts-not-recorded` | acts have effect and are not in the log yet; tried again | look at the log's disk; see [`log`](super::log) |
//! | `refusals-not-recorded` | counts of refusals are lost: floods come, and the log takes nothing (the alarm grows by as many) | look at the log's disk, then at who floods |
//! | `policy-refused` | the policy folder was changed and does not validate (a rule that fails when it is put to Cedar is among the faults); the version before stays in force | `estelam policy check` names every file and line |
//! | `rule-missing` | a service has no rule for today; its answers are indeterminate | add one to `services.toml` |
//! | `deletion-not-ordered` | contents are due and stay, because no purge order covers them | two officials sign one (`estelam log purge-order`, see [`log`](super::log)) |
//! | `deletion-order-ends` | the last purge order ends within 30 days | have the next one signed |
//! | `log-contradicted` | while it runs: the witness has seen entries that are not in the log here, or a log that goes on from it elsewhere; nothing is signed or answered any more | find out who put an older folder in place, or runs a second one; then restart: the start compares again, and seals what is here ([`log`](super::log)) |
//! | `log-ended` | the access log was sealed and goes on under a new origin | tell its witness and the auditors, see [`log`](super::log) |
//! | `log-missing` | at the start a log that was sealed was not where the list of origins says; searches, trails, counts and holders' views that it may belong to say that they are not complete | put its folder back (from a copy, if need be), restart the gateway, run `estelam log verify` |
//! | `decrees-not-of-their-version`, `decrees-rewritten` | the registry's decrees are not what they claim to be, or one that was there is gone or changed (a restored backup does that too); nothing is decided until the registry has them again | find out why; once an official has looked into it, restart the gateway |
//! | `decrees-not-signed` | a decree or a rescission in the registry is not signed by two officials of this gateway, or was changed; its list is refused, and the one before goes on until it is too old | see [`trust`](super::trust), Decrees |
//! | `registry-event-key` | somebody who has the registry's client certificate pushes events that its key did not sign | compare `events.keys` with the registry's key, or revoke that certificate |
//! | `watch-blind` | the rules that watch for abuse could not read back what happened before (at a start, or after something was missed); they count from then on and try again | look at the log's disk, run `estelam log verify` |
//! | `alerts-lost` | at the start `ledger/watch.json` or `ledger/alerts.json` could not be read, as after a power cut: alerts that it had are lost, and today alone is read again | look at the log's disk; the file is written anew by itself |
//! | `webhook-outbox`, `webhook-refused` | an alert could not be kept for the webhook, or the webhook refused it (it lies in `refused` of the outbox); the log has it either way | look at the disk of `alerts/`; ask the webhook's owner; see [`watching`](super::watching) |
//!
//! # Searches for holders
//!
//! `[protection]` of an agency's file holds the bounds; what is left out has its default. `estelam_alerts_raised_total` counts every
//! alert at once, a line of the log (target `estelam::alert`, without the instant) tells the first of a rule, an agency and a day, and once the day is
//! over the access log gets one `admin` entry of each, and `estelam_alerts_total{rule,agency}` its count: one that went up at once would tell the instant. What to do: ask the agency which branch it was; its own records and
//! `log:patterns` tell, the alert does not. `estelam registry honeypot mint --count N` makes numbers that no paper bears; plant them where only a
//! thief would find them.
//!
//! | rule | raised when | effect |
//! |---|---|---|
//! | `failed-checks` | a value had `failed_checks` wrong second factors | its checked answers are `not-established` for the day |
//! | `failed-values` | `failed_values` different values had some | checked answers on further values are `not-established` |
//! | `sequential-values` | `sequential_values` numbers of one thousand in order, or mostly nobody's, from one clerk (half as many again from a branch) | that thousand waits for that clerk (or branch); what was asked before is answered. From the third time on everything new waits |
//! | `crowded-run` | `run_values` numbers of one thousand in whatever order | that thousand waits for the branch |
//! | `unknown-values` | too many that are nobody's, where no second factor is wanted | the branch waits |
//! | `distinct-values` | `distinct_values` of a branch, or `actor_values` of one named clerk, with or without a second factor | new values wait for the next day |
//! | `actor-burst`, `branch-burst` | too many new values in a minute | they wait for the next minute |
//! | `honeypot` | a honeypot or a protected record was asked for | from the `honeypots`th on the branch learns nothing that day |
//!
//! Batches: an agency that has to go through its own list at night (a bank after a decree) gets `batches = { values = N, branch = "NAME" }` in
//! `[protection]`. Queries with `priority: background` from certificates of that branch are then free of the rules on runs and minutes, up to N
//! numbers a day. Wrong second factors, honeypots and lists that are mostly nobody's count for them as for everybody.
//!
//! A number that a real person turns out to have is a honeypot no longer: the import takes the honeypot back.
//!
//! What a search yields: a scripted harvester with an agency's own certificate, one query in two minutes for a day, waiting as it is told to
//! (the tests of `tests/it/stack/harvest.rs`, measured on 2026-11-29 against a town of 500 people, every fourth number somebody's, and 500
//! people whose numbers lie far apart, all with cards of one series). «Learnt» are people of whom it knows that they are in the register.
//!
//! | strategy | asked | learnt | second factors found |
//! |---|---|---|---|
//! | one number after another | 180 | 9 | not asked for |
//! | random numbers | 213 | 0 | not asked for |
//! | at random within the town | 47 | 9 | not asked for |
//! | nineteen of each thousand in turn | 46 | 9 | not asked for |
//! | another clerk each time | 37 | 7 | not asked for |
//! | every 48th number | 90 | 40 | not asked for |
//! | one after another, called a batch | 27 | 4 | not asked for |
//! | every birth year on one number | 60 | 0 | 0 |
//! | a stolen list, one guess at each of 500 | 500 | 4 | 4 |
//! | a stolen list, five guesses at each | 720 | 12 | 12 |
//! | random numbers, random years | 720 | 0 | 0 |
//! | a stolen list of 500 with the day that the whole series has printed | 500 | 0 (500 where the file takes `shared-expires`) | 0 (500) |
//! | the same with the month or the year of it | 500 | 0 | 0: `check-required` |
//! | a stolen list of 500 whose birth years are known, `actor_values = 100` | 101 | 100 | 100, known before |
//! | the same under another clerk's name each time, `distinct_values = 200` | 201 | 200 | 200, known before |
//! | a bank's own list in order, birth years known, with a counter's certificate | 38 | 30 | 30, known before |
//!
//! Before second factors were told apart the series' day, or its year alone, proved all 500, and a list with birth years was bounded by nothing but the rate. Where
//! no second factor is wanted the weakest place is a step of 48: 90 queries told of 40 people, where the other ways told of nine at most. Where one is wanted it is a
//! list that has them already: what a clerk and a branch may ask about in a day is all that stands against that, so keep `actor_values` near what one of
//! yours does.
//!
//! `make timing` measures whether unknown, blocked and unprovable can be told apart by the time that they take.
//!
//! # Metrics and logs
//!
//! `GET /metrics` on `ops`, for Prometheus: every name, label and meaning stands in [`metrics`](super::metrics). Logs are JSON lines on standard error;
//! `ESTELAM_LOG` sets the level (`info`, `warn`, `debug`). Neither names a person, a clerk or a number.
