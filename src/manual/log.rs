//! The access log: what it holds, and how anyone checks it.
//!
//! Every answer and every refusal after the TLS handshake is one entry, durable before the reply leaves. An entry has a header that
//! is kept for ever and a content that can be deleted without breaking the tree.
//!
//! ```text
//! leaf      = H( H(salt₁ ‖ header) ‖ H(salt₂ ‖ content) )          H = SHA-256
//! tree leaf = H( 0x00 ‖ leaf )                                     RFC 6962
//! ```
//!
//! The header's bytes are described in [`crate::core::ledger::leaf`], the content in [`crate::core::ledger::EntryContent`].
//! For readers outside both are written out below (*Checking it without us*). Neither holds a number, a name or a birth date; the content holds no unkeyed digest at all, and the header only the statement's. Whom an entry is about stands there
//! only as two keyed tags ([`crate::core::ledger::subject`] has the bytes). Each joins one agency's entries about one number within one epoch (at most a day),
//! and nothing else: both are others for each agency. The agency tag's secret is kept nowhere; the trail tags of all agencies come of one key an epoch, which is
//! sealed to the data-protection officer before the first use, and to the registry's desk for holders where holders' own views are offered ([`super::holder`]).
//! So nobody but who opens that key joins a person's entries across agencies or days. Both keys live in memory and are gone with the epoch. Earlier builds wrote
//! one trail tag for all agencies; trails and views find their entries too, and within such an epoch the disk and the content keys are enough to join agencies.
//!
//! *What is left to whoever has the disk and the content keys* (an operator): that entries of one agency and epoch are about one number; and what the entries say. A rare document
//! looks alike wherever it is shown (kind, series, printed days, age, province): that is no tag, and needed to decide again. Agencies that ask about one person in the same second
//! stand beside each other, and where hardly anybody is asked about, a remembered answer is about one of few. Whoever reads the live process's memory has the keys of the present
//! epoch, and the numbers that are asked about.
//!
//! *How old the facts were.* One look-up answers several agencies for as long as their policies let facts be remembered, all from one instant of the registry: in their entries it
//! would be a tag across agencies. An answer tells it to the second (`as_of`), to whom it is owed. Its entry has another instant, before it, which says no more than `freshness` and the
//! agency's policy do:
//!
//! | facts | `as_of` of the entry |
//! |---|---|
//! | `live` | the second of the look-up, which is the call's own |
//! | `cached` or `stale`, inside what policy allows (`max_age`, or `max_stale`) | the oldest instant that it allows, whenever they were looked up |
//! | the same, where it allows more than two quarters of an hour | the begin of the quarter of an hour, UTC, and of the one before for the present one; the oldest instant allowed for the last two |
//! | older than policy allows (`too-stale`) | the begin of the quarter of an hour, or of the one before that in which the bound falls |
//!
//! Whichever it is, it stands for all look-ups of a quarter of an hour at least, or of all the time that policy allows. It is never later than the truth, and inside the bound exactly where
//! the truth is, so that every query is decided again as it was. A draft that allows less is replayed as if facts were so old; what it finds too old from the cache would have been
//! asked for again. Whoever also has the key that signs statements can try the seconds of an answer without a `nonce` against the header's digest; with one (our client and kits
//! always send it) nobody can. Entries of earlier builds have the instant itself, for as long as their contents are kept.
//!
//! Of a signed request the content keeps the key (`signed_by`) and a commitment to the signature (`signature`): HMAC-SHA-256 over the JWS, keyed by its
//! `jti`, which only the agency has ([`crate::core::domain::context::RequestSignature`]). Refusals of a call whose signature was good keep them too.
//!
//! An answer under an `Idempotency-Key` keeps two marks: `retry`, a keyed tag over certificate and key, and `retry_body`, one over the first and the body's digest under a
//! secret that is written over within half an hour ([`super::operating`], Retries). A digest whose key stays would tell a body without a nonce to whoever tries all numbers; this
//! one tells nobody anything after that. `retry_of` is the first answer to the same request. A key that may be somebody's number leaves neither mark.
//!
//! # On the disk
//!
//! An entry is durable once it is in the journal (`ledger/journal.0` and `.1`, two files of fixed length written in turn, one frame
//! and one sync for all entries that wait). A second thread carries it into the database (`ledger/ledger.sqlite`) a moment later;
//! a journal file is written over only when the database has all its entries and was synced. At a start, and in `log verify`,
//! `policy replay` and `policy explain`, what only the journal has is read back; each frame must lead to the tree's root that was
//! written with it. A frame cut off at the end was never answered for; a gap before a whole frame refuses the start, and so does a log with fewer
//! entries than `ledger/fence` says were answered for.
//!
//! **One writer.** The folder's lock keeps an honest second process out. A writer also holds a fencing token (`ledger/fence`, and in the database): each
//! batch is answered only if the token is still its own after the sync, each transaction and each checkpoint is made only under it. A process that was
//! paused while somebody took its lock away finds another token when it wakes up: it answers 503, is not ready, and does not come back. A folder that
//! was copied knows that it is a copy (inode and instant of birth of its database) and is never gone on from under the same origin.
//!
//! The entry of a flood of refusals (route `flood`) stands for the `count` refusals of one certificate, second and `code`; queries and exports show the number, and the
//! counts of days leave floods out.
//!
//! # Derived inputs
//!
//! The content's `basis` is JSON with short names, enough to decide the query again and nothing that names anybody:
//!
//! | name | what | left out when |
//! |---|---|---|
//! | `q.t` | when policy judged it, seconds since 1970 | never |
//! | `q.g` | what was given: 1 actor, 2 check, 4 reference, 8 nonce, 16 identifier, 32 emergency, 64 signature, added up; never 2 and 16 where no document is needed | nothing |
//! | `q.m` | `max_age` | not given |
//! | `b` | what the decision rested on | a refusal |
//! | `b.n` | people behind the identifier | none |
//! | `b.c` | whether the second factor matched | none was tested |
//! | `b.f` | nanoseconds from the entry's `as_of` to the instant decided for | 0 |
//! | `b.a` | least and most full years of the holder on that day | not known |
//! | `b.w`, `b.p`, `b.h` | nationality, registered province, `head` or `member` of a household | not known |
//! | `b.x`, `b.v` | province that the query named; age of the decrees in seconds | not named; ten seconds or less |
//! | `b.d[]` | documents: `k` kind, `s` series, `z` state (active), `i` issued, `e` last day, `l` status carried, `f` facets, `h` whole hours since it was recorded | |
//! | `b.m` | how a name given as a hint agreed: match, close, different | no name was given |
//! | `b.r` | the service rule | none |
//!
//! Days are `YYYYMMDD` (Gregorian), or `[first,last]` where only a month or a year is printed. A new fact that decisions read must be added
//! here, or replay no longer agrees: [`crate::core::decision::Basis`] takes people and documents apart field by field, so that the compiler says so.
//!
//! Every policy version and decree set that was ever in force is in `archive/`, by its hash, written before it took effect. So
//! `estelam policy replay --from DAY --to DAY --dir DIR` decides every query again under its own versions and nothing may differ;
//! with `--against FOLDER` it counts who would be answered, or told, differently under a draft. `estelam policy explain --answer ID` says why one was
//! answered as it was, and by `--at` and `--known-at` what it would be at another instant or by what became known later, as long as its content is kept.
//!
//! # Proofs
//!
//! Anyone can read `GET /checkpoint` (a signed note), `GET /checkpoint.key` and `GET /tile/…` on the public listener. The agency that got an
//! answer can fetch `GET /v1/log/proof/{answer_id}`: salt₁, header, content commitment, audit path and a checkpoint. With the statement
//! in hand that proves that the entry is about this statement and is in the log:
//!
//! 1. the header ends in SHA-256 of the compact statement;
//! 2. the leaf follows from salt₁, header and content commitment;
//! 3. the audit path leads from the leaf to the root in the checkpoint (RFC 6962 §2.1.1);
//! 4. the checkpoint is signed by the log's key.
//!
//! The checkpoint is the last one, or where a row is lost beside the entry, the first that covered it. The leaf of a row lies with the row alone until its tile has 256 entries,
//! whose joint hash is then kept apart (a second copy of each leaf would cost every append): so among the 256 beside a lost row only what an earlier checkpoint covered without it can be
//! proved. An export whose first and last line fall there is made again, by when the tile is full at the latest, and `--prove` shows it.
//!
//! *What the header tells an agency.* It has the retention class, and `minor` says that the person is under 18, which the answer may not have told. It stays there: by the class
//! in the leaf an auditor checks each deletion's due date, and a class that only auditors can open would be another leaf. What it comes to:
//!
//! | agency | what `minor` tells it |
//! |---|---|
//! | gives a birth year or date that must match (as `check`; in the demo bank, insurer, telecom, Kefalat office) | what it gave itself |
//! | asks for a service with a least age (`bank-card`) | what the answer says: `entitled`, or `under-age` |
//! | neither (a school, a clinic, whoever gives the day on which a paper ends) | one bit, of a person that it had established and is told about; never of a number that comes to nothing (`not-established` is always `detail`) |
//!
//! Nobody learns it who may not ask about the person; each such look is on record twice, as the answer and as the proof (`log-proof`).
//!
//! **Checking it without us.** `tests/e2e/log_reader.py` does all of this with nothing but SHA-256 and Ed25519, from this page alone:
//!
//! | what | where and how |
//! |---|---|
//! | the log's key | `GET /checkpoint.key`, to be compared by another way: a signed note's verifier key, `ORIGIN+HASH+base64(0x01 ‖ Ed25519 key)` |
//! | checkpoint | C2SP tlog-checkpoint: origin, size, root in base64, an empty line, `— ORIGIN base64(hash (4) ‖ signature)`; signed are the lines before the empty one |
//! | tiles | C2SP tlog-tiles: `/tile/L/N[.p/W]` has the hashes of height 8·L, 256 or W of them; `/tile/entries/N[.p/W]` the leaves, each after its length in 16 bits (32). Of a sealed log all below `/log/1` … |
//! | header | 43 bytes: `0x01` ‖ microseconds since 1970 (signed, 64 bits, big-endian) ‖ class (1 `detail`, 2 `minor`, 3 `admin`) ‖ kind (1 answer, 2 refusal, 3 token, 4 log-read, 5 admin, 6 registry-event) ‖ SHA-256 of the statement |
//! | `salt`, `header`, `content_commitment` | of a proof, and of a row's `proof` in an export: base64. They make the leaf, which must be entry `index` of the log, or lead there by `inclusion_path` |
//! | the statement of an answer or refusal | the compact JWS itself; its key in `/.well-known/jwks.json`, of one that signs no more in `/.well-known/estelam-keys.json` |
//! | that of an export's first and last line | the line without its line feed (in CSV without `# ` before it), under `export_id` and `recorded_as` |
//!
//! `estelam log verify --dir DIR` walks every log of the installation and names the first entry that does not hold: header, leaf, tree, every
//! checkpoint, each content against its commitment, the index by which answers are found, each deletion's due date and class by what its purge says, that each epoch which a content
//! names still has its sealed trail key under that name, the counts of every day of which contents are gone, that database and journal are of one tree, that nothing in the database acts on its own, and that each log goes on from the end of the one before it. `--checkpoint FILE` also compares the log that it is of with a checkpoint that you kept from before. It uses every
//! processor and the same memory for a log of any length.
//!
//! What a purge rests on is checked against keys that the auditor got elsewhere. Without them `log verify` says that it was not checked, and `--json` counts 0 of `purges`. Where something does not hold `--json` prints `fault` alone.
//!
//! | given | what each purge must have; the first that has not is named |
//! |---|---|
//! | `--witness-key FILE`, once for each key | a checkpoint that the witness cosigned, of a tree that is the beginning of a log here, at an instant not before the one up to which due dates were counted |
//! | `--officials FILE` (an `officials.toml`), once for each version | for every key that it destroyed an order by its hash, signed by two of those officials, both in office when it began, begun and not ended on record before, that covers day and class |
//!
//! The orders' files (`purge-orders/`) are read where they lie: keep those that are over. Where the entry that an order began is gone (after a year), two who signed it must have
//! been in office together on some day until the purge.
//!
//! # Administrative acts
//!
//! Each is an entry of kind `admin`, kept a year: `route` says what it was done to, `code` what, `actor` by whom (`operator` for a file or a command of the
//! installation, `gateway` for its schedule, `officials` for a quorum of them), `basis` the details, to which the header commits.
//!
//! | route | codes | details |
//! |---|---|---|
//! | `service` | `service-started`, `service-stopped` | version of the program, policies, list of what is cut off, keys that sign |
//! | `policies` | `policies-activated`, `policies-refused` | approval and signers; or how many faults and where the first is |
//! | `officials` | `officials-activated` | hash, version, approval |
//! | `decrees` | `decrees-activated` | version before; decrees that came or were rescinded, each with the hash of what was signed and the two officials who did; `demo` in one |
//! | `cut-off` | `agency-suspended`, `branch-suspended`, `tokens-killed`, `certificate-cut`; `agency-resumed`, `branch-resumed`, `…-restored` | agency, branch, certificate |
//! | `keys` | `key-standby`, `key-rotated`, `key-lost`, `key-compromised`, `key-retired` | ids, uses, states before and after |
//! | `certificates` | `certificate-issued`, `certificate-ended`; `scopes-gained` | agency, branch, SHA-256, end, scopes that open trails or the gateway; [`trust`](super::trust) |
//! | `holds` | `hold-begun`, `hold-released` | name, hash, days, signers |
//! | `purge-orders` | `purge-order-begun`, `purge-order-ended` | name, hash, days, classes, signers |
//! | `revocation` | `list-in-force`; `revocation-grace`, `revocation-overdue`, `revocation-current`; `list-source-lost`, `list-source-back` | whose lists, authority, CRL number, hash, how many it revokes, hash before; next date; place of the source |
//! | `deferrals` | `deferral-begun`, `deferral-ended` | name, hash, days, signers |
//! | `log-case` | `log-case` | a case at its first use, and when it was changed; of a holder's case no id of an entry |
//! | `log-purge` | `purge` | statement in the table `purge` |
//! | `alert`, `watch` | the rule | rule, agency, day, count |
//!
//! What opens something is on record before: where the log takes no entry, policies and decrees stay as they were (new decrees closed: none is
//! used), what is cut off stays cut off, a new key is not taken up, a hold goes on, nothing is deferred or deleted. Of several things that one change opens each is open
//! with its own entry. What closes something (a suspension, a key that is compromised, lost or
//! retired) has effect at once, also while the log hangs, and its entry follows as soon as the log takes one; `estelam_alarms_total{alarm="acts-not-recorded"}` says that some wait.
//! `ledger/acts.json` remembers what was recorded last, so that what was done while no gateway ran is recorded by the next start, and a
//! hold or purge order whose file is gone, or is another than was recorded, stops every deletion (a deferral: every holder's view). Each begins only while all
//! who signed it are in office. After a crash between the entry and this file, an act may stand twice.
//!
//! # Auditors
//!
//! **Deciding anew** for any pair of instants (`policy explain`, `policy replay`) is no part of what auditors have over the network: it needs the content keys, the
//! archive and, for an identifier, the registry's store, and so runs on the installation alone. An auditor who wants it asks the operator to run it there.
//! What it prints names nobody.
//!
//! Two roles, two scopes: who audits *patterns* (`log:patterns`, in the demo `security-auditor`) sees entries and counts and never whom they are about;
//! the *data-protection officer* (`log:person`, `dpo`) opens one person's trail in an open case and sees no patterns. Every look is an entry with its filter
//! or case before its answer leaves. With the demo running:
//!
//! ```text
//! estelam log query --as security-auditor --agency bank --from 2026-11-23          # newest first, with the exact number
//! estelam log query --as security-auditor --code purpose-not-allowed --json        # any field: see the table below
//! estelam log summary --as security-auditor                                       # counts per day and agency
//! estelam log export --as security-auditor --agency bank --out bank.ndjson         # `--format csv`: `'` stands before what looks like a formula
//! estelam log export --check bank.ndjson --prove                                   # against the checkpoint in it; `--checkpoint FILE`: and yours, of whatever size
//! estelam log export --check bank.ndjson --log-key log.key                         # on a machine that has no installation: the log's key by another way
//! estelam log prove ANSWER_ID                                                      # one entry's proof
//! estelam log sample draw --size 20 --agency bank; estelam log sample list         # work-lists, and what agencies said
//! estelam log sample list --as bank; estelam log sample justify SAMPLE INDEX holder-present --reference file-77 --as bank
//! estelam log case open case-7 --reason "complaint 7" --until 2026-12-24
//! echo A170000001 | estelam log person --as dpo --case case-7 --scheme amayesh-no
//! ```
//!
//! `query` and `person` without `--as` search the folder itself, as the operator may; nothing records that. The same questions over HTTP are `GET /v1/log/entries`,
//! `/summary`, `/export`, `/samples`, `/epochs`, `POST /v1/log/person`, `/samples` (see `openapi.json`).
//!
//! **What a look leaves.** A filter's value is recorded only if an entry, a closed list or the policy in force has it; of any other only the field is
//! (`of_no_entry`), since it may be a name. What looks like a number of a person, or cannot be a value of its field, is refused, and so is every parameter that a
//! resource does not take. A justification is a ground from a closed list and the agency's own file number, at most five times an entry; the last one counts.
//!
//! **Filters.** All that is named must fit. `GET /v1/log/entries`, `/export`, the `filter` of a sample and the commands (`--min-latency-ms` for `min_latency_ms` …) take the same:
//!
//! | filter | what |
//! |---|---|
//! | `agency`, `branch`, `certificate`, `actor` | who asked; the first 16 hex digits of the certificate's SHA-256 |
//! | `service`, `purpose`, `reference` | what for; of a look-up its case, of a justification its sample, of a sample its seed |
//! | `decision`, `reason`, `code`, `kind`, `route` | how it ended, and what it was |
//! | `policy_version`, `decrees_version`, `decree`, `freshness` | by which rules, on how fresh facts |
//! | `min_latency_ms`, `max_latency_ms` | from arrival to conclusion, both ends in it; up to an hour |
//! | `signed` (`yes`, `no`), `signed_by`, `retry_of` | signature of the request, and its key; retries of an answer across a crash |
//! | `class` | retention class |
//! | `answer_id`, `from`, `to` | one entry; a span of ledger time |
//!
//! There is none by a person, nor by the hash of a request: the log has neither. An answer in hand names its entry (`answer_id`); a signed request in hand is found by
//! agency, time and `signed_by`, and told by its `signature`. The counts of days (`/summary`) take whole days and `agency` alone.
//!
//! **Pages.** A cursor holds the size of the log that is searched and the last index; entries that come meanwhile shift nothing, and `count` is
//! exact for `tree_size`. Entries whose content was deleted are found no more.
//!
//! **Sealed logs** (below) are searched with the present one: by filter, by person, by the holder, in the counts of days, with and without a gateway. Their entries have `origin`
//! beside `index`; `count` covers all logs. Exports are of all of them too, log by log, or of one by `origin=`; a sample is of one log (the present one, or `origin`), and both
//! name in `not_covered` what they were not asked for. A sample that was drawn before its log was sealed stays open and answerable. One that is listed, had entries and is not there is named (`missing_logs`) by every query, trail and
//! count that it may belong to, which then is not `complete`, as no holder's view is; the alarm `log-missing` says so at the start. Trail keys are bound to their log's origin, which `/v1/log/epochs` says and `trail_keys` repeats.
//!
//! **Trails.** A trail tag can be made only with its epoch's trail key, and that is sealed to the officer's key. The search asks each part of the index which agencies it has
//! entries of, and looks for their tags of that day alone. In an installation `estelam log person …
//! --officer-key FILE --dir KIT`, on the officer's machine with the officer's kit, fetches the sealed keys of the period (`--from`, `--to`), opens them there and sends those keys along; the gateway makes
//! the tags, searches and wipes the keys. Without keys it searches the epoch in memory alone and says `complete: false`. The demo's gateway has the officer's
//! key (`audit.officer_key`), which only a `demo = true` configuration takes. Offline, `estelam log person --officer-key FILE --scheme …` searches a folder or a restored copy
//! for one number; whose that is, and whether several people bear it, is not known there. Where the officer's key was replaced within the period, give `--officer-key` once for each: what none
//! of them opens is named in `epochs_unopened`. So is an epoch that entries name and the table `epoch` lacks, or has under another name, and one whose key is not
//! the epoch's own: beside each sealed key lies what the key comes to (HMAC-SHA-256 of `estelam trail key check v1` under it; epochs of earlier builds have none). The registry adds the person's other numbers, present and past. Entries on a number that several people share are listed
//! apart as `ambiguous`, and so are those that were answered `ambiguous-identifier`, whoever bears the number now; asked for such a number, the answer has nothing else. Without the registry no trail is shown (503 `registry-unavailable`).
//!
//! **Cases and quotas.** `cases/NUMBER.json` names an office and a last day; an unknown, closed or expired case, or another office's, is 403 `case-unknown`. A case is an entry (`log-case`) with its
//! reason at its first use, and again once it was changed. An officer (agency and
//! branch of the certificate) opens at most `audit.trails_per_day` trails a Tehran day, counted by the entries themselves, so that a restart gives none back.
//!
//! **Counts** are whole tens, rounded down, and nothing else is told: no count or total below ten, none that is not a ten. So no difference of two published
//! numbers is a count of fewer than ten, whichever filters or moments they are from. A filter chooses whole buckets. An hour after its end a day's counts are kept
//! as they are for a year, so that deletions change nothing. Days with entries that nobody can read stand in `damaged_days`, their buckets are not `complete`, and
//! they are kept, with that mark, only once some of their contents may be deleted: until then what is put right is counted.
//!
//! **Exports.** First line: the manifest (filter, `count`, and each log in the order of its rows: `origin`, `tree_size`, signed `checkpoint`; all but the last in `earlier`). Of a
//! sealed log that is its own last checkpoint, and its seal where that did not reach the end. The manifest also names what is not in the file: entries that nobody can read
//! (`damaged`, as ranges), sealed logs that are not there (`missing_logs`), logs that were not asked for (`not_covered`); with one of the first two it is not
//! `complete`. Rows: oldest first, each with its `origin`, salt₁, header and content
//! commitment, which make its leaf, and the `gap` before it: the roots of the largest aligned subtrees that cover the entries in between. A line `part` has the gap to the end of
//! each checkpoint of `earlier`. Last line: the gap to the end of the last,
//! the number of rows, SHA-256 of all lines before. A reader keeps the tree's right edge, joins two subtrees of one size as they meet, and must end with the
//! checkpoint's root: no row can be put in, moved or given another time or kind. First and last line are statements of two entries (`export`,
//! `export-end`), so that the log's own proofs (`--check FILE --prove` fetches them) cover the file's digest: only they show that no row was hidden in a gap. The other fields are bound to their leaf by salt₂ and the whole content, which holds the tags and
//! leaves nobody's hands; for them the receiver has the gateway's word under that digest. `gone` in the last line are rows that were counted and whose contents went, by a purge or by damage
//! (`damaged` there), while the file was written.
//!
//! **Until when an export may be kept.** A deletion must reach every copy, so each row has `destroy_by`: its entry's time and the days of its `class`, as its header says; the last line has the
//! first and the last of them, and `--check` tells them. A receiver destroys each row by then, with every copy and whatever was made of it. A file without some of its rows holds no
//! more, so the simplest is to export by days, destroy the whole file by its `first_destroy_by`, and export anew what may be kept longer. A row whose date has passed when it is exported is kept by a legal
//! hold or for want of a purge order: the receiver keeps it no longer than what it was asked for needs, and no longer than the hold.
//!
//! **Samples.** Of the entries that fit, those come whose SHA-256 with the seed is smallest. What nobody can read may have fitted: `left_out` names it (a hundred ranges at most: of more, neighbours
//! are joined), it is part of the sample's entry, and none that lies in it is drawn, now or when the sample comes again, so that putting it right changes no work-list. Seed, `size`, filter, `origin` and `tree_size` make a sample: asked for again with the `tree_size`
//! that it had, the same work-list comes however the log has grown, under its own `sample_id`, and nobody is asked twice. It names the entries whose content was deleted since
//! (`gone`), those that nobody can read (`damaged`), and whether drawing anew from what is left bears it out (`agrees`). `/v1/log/samples` names both of each list as well. Samples of builds that recorded no
//! origin are listed, not drawn again.
//!
//! **Where searches look.** `ledger/segments/` holds columns of entries per content key, in stretches of 65,536 entries, each block encrypted under that content key: codes into
//! dictionaries for every field, times, and the first 8 bytes of trail tags, sorted, in pages of one length. The list of these files is sealed under `keys/content.key` for this
//! log's origin, so that nobody else can leave one out, nor put another log's or an earlier one there. They only say where to look: rows are read from the entries and checked against their leaves, and a file that is missing, damaged or wrong is
//! made again. An entry that does not fit its leaf is in none of them, nor one that is gone, or whose content or key is gone, though no recorded purge destroyed that key: queries and
//! trails, exports and work-lists name it (`damaged`; of several that lie together the first and the last, and how many), a new sample of its span leaves it out and says so, holders' views of its span say that they are not complete. Where
//! its own time cannot be read it may be of any day between the entries around it, and of no other. A row that is gone took its leaf with it: nobody can prove what lies beside it, so an
//! export has its rows among the same 256 entries with `gap: null`, and where these are the last ones an earlier checkpoint in `earlier` proves what it can. `--check` refuses such a file unless
//! `--prove` shows that the gateway gave it out so. Damage is kept as ranges: of more than a thousand, neighbours are joined, so that `entries` is
//! the most that there can be and some between `index` and `last` are whole. However much there is, searches, counts and deletion go on. Counts that the damaged key of a day keeps
//! from being kept are told from the entries (`estelam_log_uncounted_days_total`). The index follows the log once a second while fewer than 2,000 entries come in it. A purge removes the files of the keys that it destroys.
//!
//! # Deletion
//!
//! Contents are kept by retention class: `detail` 90 days, `minor` 30, `admin` one year, from ledger time. `minor` is whatever is known to be about a minor: the answer, a refusal
//! after it was decided, the officer's look at the trail, the holder's view and what is contested in it (the registry says so with the numbers; a year of birth counts as the younger age).
//! Where nobody knows it, it is `detail`: refusals before the look-up, a code that is asked for, a wrong one. So is every `not-established`, whoever bears the number: the class stands in
//! the header, which agencies get with proofs. Then the key of a day and class is
//! destroyed and contents with salt₂ are overwritten; header, salt₁, content commitment and leaf stay, so the tree still verifies. A gateway does
//! it every hour, `estelam log purge` at once: it asks the process that has the log open by `ledger/purge-request.json`, or does it itself.
//! `--day DAY --class CLASS` asks for one; if it is not due, or not ordered, the whole run is refused. `--dry-run` only says what would go, and under which
//! order.
//!
//! A purge is an administrative entry before it takes effect. Its header commits to a statement that the log keeps for ever (table `purge`): the
//! instant up to which due dates were counted, the keys (day, class, counts), the orders with their hashes, the holds in force, the witness's checkpoint if
//! there was one. A statement without an order is of a demo, or of a build that needed none. `log
//! verify` takes a missing content only where such a statement names its key and class and it was due at that instant, and no statement may name
//! an instant after its own entry. A crash at any point leaves a log that verifies; the next purge finishes it, also where the log was sealed meanwhile.
//!
//! The host's clock alone makes nothing due: where a witness is configured (`ledger.witness_checkpoint`), the instant at which it cosigned the checkpoint that
//! lies there counts, by schedule as by hand, so that its file is to be brought at least daily; `--witnessed FILE` gives a newer one. Elsewhere a stretch
//! of more than two days without an entry counts two days, and a clock more than two days ahead of the last entry is refused.
//!
//! No byte of a key or content is left in database pages (`secure_delete` from the first entry on), write-ahead log (emptied) or journal
//! (overwritten if newer entries have not taken the place); readers forget the key. Trail keys go with the last content of their day. Copies that you
//! made before hold sealed contents and wrapped keys still: they open only with `keys/content.key`, so keep that key apart from them, and bring them up to
//! date (`log backup` into the same folder deletes there what was deleted here) or destroy them within 30 days.
//!
//! Sealed logs are purged like the present one, by the same schedule and command; the present log records it, and the statement lies in both. One that fails
//! keeps no other: the report says what was deleted in each, `failed` which are not done, and the command exits 1.
//!
//! **Purge orders.** Outside a demo a purge deletes only what an order of two officials covers. `purge-orders/ID.json` names the first and the last day on
//! which what is due may be deleted (366 days at most: those who signed leave office, and somebody must look again) and perhaps classes: `estelam log
//! purge-order add ID --reason … --from … --to … [--class …] --key A`, `purge-order approve ID --key B`, `purge-order end ID --key A`, then `--key B`, `purge-order
//! list`. It must cover the day up to which due dates are counted, the witness's where there is one, and the day of the log's last entry. Its beginning
//! and its end, with hash and signers, are entries before a purge goes by them. What is due and not ordered stays: `log purge` says so and exits 1, `estelam
//! status` says so, and [`super::operating`] has the alarms. While an order cannot be read, or is gone or another than was recorded, nothing is deleted. In a demo nothing
//! needs an order; people enrolled by `purge-order enrol NAME --key KEY` may try them.
//!
//! **Legal holds.** `holds/ID.json` names days, an agency or answers, never a person, and a last day of its own, which must not be over when it is added (UTC). It holds once two people signed it
//! and until two released it: `estelam log hold enrol NAME --key KEY` (once each), `hold add ID --reason … --from … --to … --until … --key A`, `hold
//! approve ID --key B`, `hold release ID --key A`, then `--key B`, `hold list`. Outside a demo nobody is enrolled: officials in office sign. Held contents are encrypted again under a new key, then the old one goes. While a
//! hold cannot be read or a signature does not fit, nothing is deleted. Names and reasons of what people sign are refused where they may hold a person's number;
//! the lists of holds, deferrals and orders have `--json`.
//!
//! # Witness
//!
//! An auditor runs `estelam log witness --url URL --ca FILE --log-key FILE --name NAME --state DIR` on a machine of one's own (`--every 600` to go on).
//! It fetches the checkpoint, shows by tiles that it continues the last one in `DIR/checkpoint`, and cosigns it there (C2SP cosignature/v1) in one step. What lies
//! there must be cosigned by this very witness; where it is gone nothing is cosigned: a witness that forgets would take a fork for a first checkpoint.
//! A log that went back or forked is refused: exit 1, the other signed note is kept in `DIR/refused`. With `--every` nothing else ends it: an outage is told and looked
//! at again. After `keys rotate checkpoints` give the new key beside the one before it (`--log-key OLD --log-key NEW`, or a line each); a checkpoint that none of
//! them signed is refused. `DIR/witness.key` is its verifier key, there from the first cosignature on.
//!
//! In `estelam.toml`, `ledger.witness_key` names that key's file and `ledger.witness_checkpoint` the last cosigned checkpoint, fetched
//! before a start. Before the first signature the log is compared with it:
//!
//! | the log here | what happens |
//! |---|---|
//! | continues it | it is opened |
//! | lacks entries of it: a back-up put back, a disk as it was before | it is sealed, and goes on under a new origin |
//! | is a copy of a folder that may be in use (with or without a witness) | the same |
//! | has other entries: a fork | nothing is opened or signed. Find out who wrote the other one; then `estelam log succeed` |
//!
//! A running gateway holds each checkpoint that is brought there against its log in the same way. Where the witness has seen entries that are not here, or a log that goes on
//! from this one elsewhere, it gives its own up: it signs and answers nothing any more (alarm `log-contradicted`), and the next start does as the table says.
//! Bring the file often: between two of them nothing else can show that the whole folder was put back from before.
//!
//! It holds each against its clock too: the cosignature was made after the checkpoint was published and before it
//! came back, so that its instant must lie between the two, give or take 30 s. At a start the time of the checkpoint's last entry stands for the first. Where it
//! does not, nothing is signed, purged or issued ([`super::operating`]) until a newer cosignature agrees or the gateway is restarted with a right clock. Without a witness a
//! start is held against the log's last entry alone: that finds out a clock that is behind, and none that is ahead.
//!
//! # One log after another
//!
//! A log that lacks what was published of it can never be signed again under its origin. `ledger/origins.json` lists the logs of an installation;
//! the first lies in `ledger/`, each later one in `ledger/origins/`, and no file is moved. The new origin is the first one, the day and eight random
//! digits, so that the same back-up restored twice never gives an origin twice. A log below `ledger/origins/` that was in use and is not listed keeps everything from
//! opening: the list was taken away, or an older one put back. Entry 0 of the new log commits to a statement that is kept for
//! ever: where the old log ended (size and root), the witness's last checkpoint of it, and why. The old one is served as it ended: `GET /log/origins`
//! lists them, `GET /log/1/checkpoint`, `/log/1/checkpoint.key` and `/log/1/tile/…` are the oldest, and proofs of its answers are given as before.
//! What none of its own checkpoints covers is proved under the *seal*, a checkpoint of its end under the origin `NEW/sealed`.
//!
//! A witness follows by itself if the statement names exactly what it has seen, says how many entries are lost, and keeps the old checkpoint
//! (`ended-…`). If it has seen more than the statement owns up to, it refuses: give the node its last checkpoint, then `estelam log succeed`.
//! The alarm `log-ended` counts every such change.
//!
//! # A log that is not there
//!
//! A disk that is not mounted leaves an empty folder, and a log that began there would be a second one under the origin of the first. So the first start notes in
//! `keys/logs-begun.json`, which is never in the log's folder and is copied with the keys, that a log of this origin was begun, before anything is answered. Where a log is
//! named there and `ledger.dir` has none, neither `serve` nor `demo` nor `log purge` makes anything, with a witness or without; they name the folder. An installation that has
//! a log and no such file gets one at its next start; where the service may not write beside its keys, each start says that nothing remembers the log.
//!
//! | the log | do |
//! |---|---|
//! | lies on a disk that is not mounted, or elsewhere | mount it, or set `ledger.dir` right |
//! | is lost, and a copy is there | `estelam log restore` (Back-ups, below) |
//! | is lost for good | `estelam log succeed`: a new log goes on under a new origin, and names the configured witness's last checkpoint of the old one. Tell the witness and the auditors |
//!
//! What is remembered beside the log is gone with its folder: the next start names each file and what to do about it.
//!
//! # Back-ups
//!
//! `estelam log backup FOLDER` copies the log as of one moment into a new folder while the service runs, or brings an earlier copy there up to date at the
//! cost of what changed since, with the last checkpoint beside it; the content key
//! is not in it; sealed logs are, and the counts of days. The folder is new, or empty and of mode 0700; the folder of a log in use, and any below one, is refused. Keys that `keys rotate content` wrapped anew are wrapped anew there by the next update.
//! `estelam log restore FOLDER --checkpoint FILE` puts it back where no log is, whole or not at all: a restore that a crash cut short is run again, and nothing
//! opens the log before. `FILE` is the last checkpoint that anybody outside has seen (the witness's).
//!
//! | the copy | what happens |
//! |---|---|
//! | lacks entries of that checkpoint, or that `ledger/fence` says were answered for | refused; with `--succeed` put back sealed, a new log goes on from it |
//! | has exactly what `ledger/fence` says, and the writer there ended in order | it goes on (with `--succeed`: under a new origin) |
//! | anything else: a new disk, another machine | put back sealed, a new log goes on from it |
//!
//! Agencies hold signed answers that no witness has seen yet: only the old folder itself can show that there are none beyond the copy. So an installation
//! that moves to another machine goes on under a new origin too, whether its folder was copied or restored.
