//! Watching for abuse behind the request path.
//!
//! Bounds on the path (`[protection]` in an agency's file) stop whoever runs into them. The watch looks at what was recorded, refuses nobody, and
//! finds what no single call shows: one clerk who asks about more people than come to a counter, one person whom many agencies ask about.
//!
//! # Rules
//!
//! `policies/watch.toml` holds them; its head explains every word. They are policy like all other files there: checked with file and line by
//! `estelam policy check`, part of the policy version, signed by officials outside a demo, and taken up by a running gateway by themselves. A rule
//! that stays as it is goes on counting when others change. A policy folder without the file watches for nothing.
//!
//! | shipped rule | raised when |
//! |---|---|
//! | `harvesting` | one clerk asks about more than 250 people in a day |
//! | `number-sequence` | one clerk asks about more than 16 numbers of one thousand in a day |
//! | `off-hours-burst` | one clerk makes more than 15 calls within an hour of the clock while offices of that kind are closed |
//! | `tracked-holder` | more than four agencies ask about one person on one day; it names the agency whose call was too many |
//! | `far-above-peers` | one clerk asks about more than 80 people, and four times the median of the agency's clerks |
//! | `honeypot-hit` | one clerk asks about a honeypot or a protected record |
//! | `wrong-purpose` | one clerk is refused more than four times for a purpose or service that the agency does not have |
//!
//! # How good they are
//!
//! `estelam policy watch-test` (`make watch`) runs the rules over a made-up week: some 2,700 clerks of six agencies with office hours in Tehran, half a
//! Thursday and no Friday, families with numbers one after another, settlements whose numbers lie close together, people who move and see to
//! everything on one day, batches at night, clerks who work late or fast or mistype; and planted abusers of each kind, from bold to cautious.
//! `--seed N` makes another week. A rule's `least` is what it must reach in a hundred; one that does not fails the command and the tests.
//!
//! Measured on three weeks (seeds 1405, 7, 99; 813,000 to 842,000 calls each), worst and best:
//!
//! | rule | planted a week | precision | recall | `least` |
//! |---|---|---|---|---|
//! | `harvesting` | 28–29 | 92–97 % | 100 % | 90/95 |
//! | `number-sequence` | 23–35 | 65–87 % | 78–100 % | 65/75 |
//! | `off-hours-burst` | 27–37 | 100 % | 92–100 % | 90/90 |
//! | `tracked-holder` | 30–31 | 81–85 % | 96–100 % | 60/90 |
//! | `far-above-peers` | 30–36 | 98–100 % | 91–96 % | 80/80 |
//! | `honeypot-hit` | 30–36 | 77–87 % | 100 % | 70/95 |
//! | `wrong-purpose` | 28–33 | 96–100 % | 90–100 % | 90/85 |
//!
//! What `number-sequence` accuses wrongly are clerks near settlements whose people's cards were made together; what it misses are walkers
//! who ask few numbers under several names. `tracked-holder` also finds people who moved and saw to everything on one day.
//!
//! `planted` and `alerts` are counted by day and abuser. Precision counts an alert as right when it is about any planted abuser: a bold harvester
//! stands out among colleagues too. The made-up week is ours and no measurement of a real one: tune `more_than` by the alerts of your own first weeks.
//!
//! # Alerts
//!
//! An alert says rule, agency, day and how many clerks, branches or holders it was about; never who, never when.
//! `estelam_alerts_raised_total` counts at once, and nothing else of it. A line of the log (target `estelam::alert`, without the instant) tells the first
//! of a day. Once the Tehran day is over the access log gets one administrative entry per rule, agency and day (route `watch`; route `alert` for the
//! bounds on the path: `estelam log query --as security-auditor --route watch`), and so do the webhook and `estelam_alerts_total{rule,agency}`.
//!
//! # What the watch knows
//!
//! Clerks, branches and holders by hashes under a key that is drawn at each start and never leaves the process; a day's counts are gone when it ends.
//! A table holds a million keys a rule at most; `estelam_watch_passed_over_total` says when one was full. Nothing of it is on the disk but `ledger/watch.json`: up to which day alerts
//! are recorded, and what was raised since (rule, agency, day, number); `ledger/alerts.json` has the same of the bounds on the path. They are written when the gateway stops (unless that takes more than a second),
//! and else at most once in a quarter of an hour, so that when a file changed tells no finer when an alert was raised.
//!
//! A person is one holder by whichever number, as soon as the registry has said whose the number is (`key` of a look-up, a keyed hash; other registries than ours
//! may leave it out): what was counted by the number until then goes along. Refusals before a look-up count by the number.
//!
//! After a restart the days that are not recorded yet (seven at most) are read again from the log. If more calls come than the watch can take (200,000 within half a
//! second), it reads the day again too (`estelam_watch_read_again_total`), and keeps what it had counted of holders.
//!
//! # What a restart costs
//!
//! An alert that was raised is recorded all the same; after a crash those of the last quarter of an hour may be lost, unless the log shows them again. What was counted on the way to one:
//!
//! | rule | after a restart | so that, of a day with one restart |
//! |---|---|---|
//! | `off-hours-burst`, `wrong-purpose`, agencies' and branches' calls | read again from the log | nothing is missed |
//! | `harvesting`, `far-above-peers` (people) | read again by the agency's tags | nothing is missed; somebody asked about before and after counts as two |
//! | `tracked-holder` (agencies) | counted anew | a person is asked about by up to twice as many agencies (eight by the shipped rule) unseen |
//! | `number-sequence` (runs) | counted anew | a clerk goes through up to twice as many numbers of a thousand (32) unseen |
//! | `honeypot-hit` | counted anew | nothing is missed: the first one raises it; one clerk may count as two |
//!
//! That the middle ones are not kept is decided, not owed. The log has no numbers, and nothing in it joins two agencies' entries about one person: what could go on counting would
//! have to know a person again by something on the disk that outlives the process, whether a number, a hash with its key or a tag of an epoch whose keys are gone. That is the tracking file that the log
//! must not become, and a stolen disk would have it. Starts and stops are entries (`service-started`), so that who restarts to be missed is seen.
//!
//! # Webhook
//!
//! ```toml
//! [alerts]
//! url = "https://soc.example/alerts"   # gets a POST for each alert, once its day is over
//! ca = "pki/soc-root.pem"              # who may vouch for that server, and nobody else
//! crls = "pki/soc-crl"                 # revocation lists of its chain; left out: not checked
//! audience = "https://soc.example"     # left out: the URL
//! private_addresses = false            # true where the server is in our own network
//! outbox = "alerts"                    # alerts wait here until they are taken
//! ```
//!
//! What comes is a Security Event Token (RFC 8417, `secevent+jwt`) as RFC 8935 pushes it, signed with the key of statements (`/.well-known/jwks.json`):
//! `iss`, `aud`, `iat`, `jti`, and under `events` one `urn:estelam:event:alert` with `rule`, `agency`, `day`, `count`. Answer 202. After 400 it is put into
//! `refused/` and not sent again; after anything else it is sent again, after a second and then ever later, up to a quarter of an hour. One that
//! comes twice has the same `jti`. Redirects are not followed. Ten thousand may wait; more are in the access log alone
//! (`estelam_alarms_total{alarm="webhook-outbox"}`). Nothing waits for the webhook.
