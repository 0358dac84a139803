//! Decisions, dated, each with its reason.
//!
//! - **2026-11-23, one order in one place.** `flow` is the only module that knows the order of stages; stages own the one before.
//! - **2026-11-23, an own accept loop.** Stock actix never cuts a slow head on a later request nor any slow body, cannot cut a live
//!   connection and cannot swap TLS settings. HTTP/1.1 only: `h2` 0.3 has a public advisory without a fix.
//! - **2026-11-23, deadlines without timers.** One watchdog per process sweeps coarse deadlines; a timer per request would cost the
//!   hot path more than the whole table of connections does.
//! - **2026-11-23, facts are cached, decisions are not.** A decree or policy takes effect on the next request, and an old answer can be computed again.
//! - **2026-11-23, `not-established` is asked live.** A cached absence never answers; so unknown, blocked and unprovable take one path.
//! - **2026-11-23, a shared identifier stays indeterminate** even where the second factor fits one person: after a wrong merge the
//!   register itself does not know whose documents it holds under whose birth date (contract §5.1).
//! - **2026-11-23, a coarse reason keeps the exact one's next step** (contract §4): the holder must learn what to do. Whoever writes `reasons.toml`
//!   keeps the steps of one class so alike that they do not tell the reason.
//! - **2026-11-23, `may_deny` follows the outcome**: false on every `indeterminate`, and only there.
//! - **2026-11-23, content commitments are over plain content**, so that an entry can be opened to a third party without sharing the
//!   day's key; the stored bytes are encrypted.
//! - **2026-11-23, epochs start with the process.** Tag keys live in memory only, so a restart begins a new epoch on the same day.
//! - **2026-11-23, answers for retries live in memory.** The log cannot give one back: it has the digest of a statement, not the statement; and a reply made of
//!   stored bytes would need a way to make a `Reply` without a `Recorded`. A second answer to the same question is harmless, and recorded.
//! - **2026-11-23, the registry is a process of its own** in the demo too, and ends when its standard input closes, so that killing the
//!   demo leaves nothing behind.
//! - **2026-11-23, three refusal codes more than the contract lists**: `certificate-not-accepted` (403, a certificate that stopped being good on a
//!   live connection; the connection ends), `not-found` and `method-not-allowed` (recorded like every refusal).
//! - **2026-11-23, `HPKE` from rustls.** Trail keys are sealed with RFC 9180 as rustls ships it over aws-lc, instead of another crate.
//! - **2026-11-23, `regex` for scheme patterns.** Patterns are data that officials own; linear time by construction.
//! - **2026-11-23, `moka`, `governor`, `jsonwebtoken`, `cedar-policy`, `rusqlite`**: as the design's dependency page tried them together.
//! - **2026-11-23, 413 and 415 have codes too** (`body-too-large`, `unsupported-media-type`); the contract names only their statuses.
//! - **2026-11-23, two reasons more than the contract lists**, both indeterminate: `card-not-delivered` (the only document is not handed out yet) and
//!   `document-replaced` (the newer one is not known). Neither may count against anyone.
//! - **2026-11-23, the later of two contrary decrees wins** by `effective_from`; on the same day the exception does («all but six groups»).
//! - **2026-11-23, a stand-in carries a lost card's status only while that card would itself be valid**; otherwise losing a lapsed card would help.
//! - **2026-11-23, `wrong-scheme` needs another scheme's telling shape.** Read literally any digits would fit `old-fida`.
//! - **2026-11-23, Cedar judges each kind of agency once, at load.** The request path does two hash look-ups. Warnings refuse the load.
//! - **2026-11-23, one limit cell per agency and tier**: rates differ per agency, and no key table needs tending. No limit is no admission.
//! - **2026-11-23, an unlisted branch is `agency-suspended`**; an identity without a branch admits every branch.
//! - **2026-11-23, requests that actix's parser refuses are refused on record**: the stream holds back actix's bare 400 or 431 (always the last thing
//!   written on a connection) and sends a signed and recorded `malformed-request` or `head-too-large` in its place. A second parser in front would cost
//!   every request; this costs one comparison per reply. Heads over 16 KiB and broken bodies go the same way.
//! - **2026-11-23, what is merely slow is cut without a reply**: a head or body that does not come in time is not yet a request. On the `public` listener
//!   broken requests get the same problems without a record: nobody is known there, and strangers must not be able to fill the log.
//! - **2026-11-23, a signing key that is missing beside others is never replaced**: what it protected would be lost without a word.
//! - **2026-11-23, `quick_cache`** for verified tokens (bounded, concurrent, cheaper per hit than moka); **`form_urlencoded`, `pem`, `miette`**, later **`foldhash`** (for tables that
//!   only operators fill: seeded, and cheaper than SipHash) were in the tree already; **jiff's `static`** compiles Tehran's rules in, so that an outdated machine cannot move a day.
//! - **2026-11-29, link-time optimisation** of everything as one unit: 8 to 9 % less processor time per answer, which only many short windows in turn
//!   (`make bench ARGS="--against OTHER"`) could show; longer ones differ by more. It makes a release build some minutes longer.
//! - **2026-11-23, `hdrhistogram`, `httparse`, `rustix`** serve the bench alone; rustix binds a process to its processor before it starts.
//! - **2026-11-23, the kill test holds the database's write lock in half its rounds**: what is answered then is in the journal alone, so that a
//!   kill shows whether the journal is enough. (It once showed an answer before its commit; a bare SIGKILL is too slow for that.)
//! - **2026-11-24, in the other rounds the journal lies on a disk that loses what was not synced** and holds up syncs: a library of sixty lines
//!   of C, preloaded into the gateway by the test, so that a kill loses what a power failure would. The shipped binary has no switch for it. A FUSE
//!   or a device-mapper target would do the same and wants root.
//! - **2026-11-24, an entry holds what a decision read, not what it concluded**: replay runs the decision function itself on people made of the
//!   derived inputs, so there is no second implementation that could disagree. Ages stand in for birth dates.
//! - **2026-11-24, a version that cannot be archived does not take effect**: a policy is refused like a faulty one, decrees like an outage.
//! - **2026-11-24, dates of Cedar rules are annotations** (`@from`, `@until`, Jalali days): officials read them, and every boundary is known at load,
//!   so that the tables can be cut there. Rules cannot ask for the time in any other way. A grant ends where the last rule that permits it ends.
//! - **2026-11-24, disclosure classes are data**: a reason that has a coarser form names its class in `reasons.toml`, and an agency is told exactly
//!   the reasons whose classes its file lists. Reasons that stand for others are open.
//! - **2026-11-24, a service of which every grant has ended is `service-not-allowed`**; `purpose-not-allowed` only while another purpose holds.
//! - **2026-11-24, an explanation asks the decision function**: a document's verdict is the one it would have alone, a decree decides if the answer
//!   is another without it.
//! - **2026-11-24, replay counts queries, not people, and shows small counts too**: it is the operator's own tool and names no person; published
//!   statistics suppress counts below 10.
//! - **2026-11-23, eligibility stays in TOML tables; Cedar decides who may ask.** A table of kinds, ages, provinces and days with source and
//!   confidence is what an official can read and own. It is checked whole at load and looked up per request, so that no rule can
//!   error at run time and be skipped (Cedar skips a policy that errors); a day without a rule is `rule-missing` and a counted alarm.
//! - **2026-11-23, lists of areas name open provinces only.** Published lists conflict, so that one on no list is `area-unknown`, never barred. A
//!   query may name a `province`; elsewhere than in the registered one travel takes a laissez-passer.
//! - **2026-11-23, provinces are numbered as the register does**: ISO 3166-2:IR before November 2020 (its records use IR-32, which only that numbering has). The renumbering gave
//!   the same codes to other provinces; an importer of a newer source must translate.
//! - **2026-11-23, a permit's time runs from its first recording**, not from later corrections of it, and any document that a school rule accepts
//!   may be one; without `recorded_at` nothing waits. `pupil-card` and `education-support-slip` carry schooling: inferred.
//! - **2026-11-23, two reasons more**: `facet-suspended`, `laissez-passer-needed` (both `not-entitled`), beside the general ones; a facet's own state
//!   replaces the card's only while the card is handed out and has not ended.
//! - **2026-11-23, an open renewal window keeps any document renewable that it admits**, also a smart card; an ended one ends the wait of round
//!   documents alone; one replaced before it began has not ended.
//! - **2026-11-28, a decree replaced before it began, or on its first day, never was**: it replaces nothing either, so that what it would have replaced stays. Until the
//!   other begins it stands as announced. Of decrees of one day that replace each other in a circle, the one recorded last prevails.
//! - **2026-11-28, every valid document is asked, and the best outcome is the answer** (before: the one of the best standing alone, so that a document from which a decree
//!   withholds the service turned away whom another one carried). Documents of one rank are told apart by their kind and dates, never by their order in the register.
//! - **2026-11-23, a grant or restriction is named as the decree of the answer** where the document itself rests on none.
//! - **2026-11-23, the second official signs the instant.** Approval and rescission cover `recorded_at` and `rescinded_at`; a row moved in time
//!   stops the whole list. Registries made by an earlier build are made anew.
//! - **2026-11-23, the gateway trusts no list of decrees by itself**: it computes the version again, and refuses a list that lost or changed a
//!   decree that it had (until restart); then nothing is decided. Decrees that nobody confirmed for longer than the policy's
//!   bound on facts (at least ten seconds) are `too-stale`, measured by a clock that nobody sets and that goes on in a machine's sleep.
//! - **2026-11-23, the registry's certificate is judged like an agency's**: lists required and in date, a pinned URI name, and looked at again around every
//!   call: once any that passed a handshake is no longer good, the pooled connections to every address are given up, and what came over them does not count.
//! - **2026-11-23, the highest CRL numbers lie beside the log**, by the authority's key: whoever can put an old list into the folder cannot undo a
//!   revocation by a restart. A broken file refuses the start; it is never made anew by itself.
//! - **2026-11-24, a guess counts when its outcome is known, not when it is asked**: whoever guesses with a hundred queries at once is told no
//!   more than whoever guesses one by one, and honest queries in parallel are never mistaken for guesses.
//! - **2026-11-24, what is withheld is facts with nobody in them**, so that it takes the path of a number that is nobody's, look-ups included.
//! - **2026-11-24, a closed value is closed to checked queries.** Where policy wants no second factor and none is given, its answer says what it
//!   always said; the second factor can no longer be tried there either.
//! - **2026-11-24, "nobody" is remembered as long as anybody**, though it never answers: a second ask took another path by whether somebody is there.
//!   For the same reason stale facts that come to nobody are not asked a second time while the registry fails, and `registry-unavailable`
//!   leaves on the grid.
//! - **2026-11-24, guesses count during an outage too**: on stale facts a match is told, so a mismatch must be counted.
//! - **2026-11-24, a run is a thousand numbers** (a hundred where the last digit is a check digit). What counts in it is order: numbers at most 20 apart
//!   from the one before, or in equal strides; a leap forgets half, so that families who come one by one add up to nothing. Or that most of them are
//!   nobody's. What is held back is that run from that clerk; a branch as a whole has half as much again, since clerks are what the caller says.
//!   Counting any twenty numbers of a run and stopping the certificate cut off honest batches and let steps of 48 find 38 people in a day; now
//!   those are 40 of 90 asked, one after another 9 (before: 9), scattered within a town 9 (9), another clerk each time 7 (4).
//! - **2026-11-24, batches are a right of one branch, not a word in the request**: `priority: background` is anybody's to write, a branch stands in the
//!   certificate. They have a budget, and no exemption from wrong second factors, honeypots or lists that are mostly nobody's.
//! - **2026-11-24, a replay does not try rates anew**: what was asked in the same minute is no part of an entry, and must not become one. A refusal for
//!   a rate stands where policy lets the query come so far.
//! - **2026-11-24, what a decree asks of the holder is a second step** (`next.then`), never instead of the first: the agency must know what to do itself.
//!   It is told with the decree or not at all.
//! - **2026-11-24, a real number beats a honeypot**: an import never rejects a person for a number that we took for free; the honeypot goes. For the same
//!   reason a number that a visible person shares with a blocked record counts as no honeypot.
//! - **2026-11-24, one entry for each refusal, also in a flood**: bundled refusals would have to leave no reply at all, only a closed connection, since
//!   no reply may leave without a record. Until the flow can do that, refusals before the permit are bounded by the connections of a certificate alone.
//! - **2026-11-24, 429 only for what the caller did**: every rule that throttles knows nothing of whether anybody was found but what the caller was
//!   told. Honeypots and failed second factors make answers `not-established` instead.
//! - **2026-11-24, the gateway cannot tell a honeypot from a protected record**; either raises the alert, and only the third of a day has an effect.
//! - **2026-11-24, alerts enter the access log once their day is over**: an entry made at once would stand beside the call that it is about. For
//!   the same reason their line of the log has no instant.
//! - **2026-11-24, counts of protection live in memory**: keyed by SipHash under a key of the process. A restart forgets them, as it
//!   does the day's tag keys; nodes count apart. The log cannot give them back: its agency tags are under a secret of the epoch that is never
//!   stored, and a restart begins another epoch, so that a value asked for now cannot be found among those before. A secret that
//!   survives would lie on the disk beside the log, and whoever has both could try numbers against the tags of a day. A guesser would need a
//!   restart for every few guesses; restarts are rare, and not the guesser's to make.
//! - **2026-11-24, daily quotas outlive a restart**: the counts of agencies and units lie in `ledger/quota.json`, a few seconds old at most, and what came after is
//!   counted in the log at the start. Without a usable file the whole day is counted, entry by entry; only where an agency has
//!   a quota. What is counted is what was answered.
//! - **2026-11-23, a line (`mrz`) that contradicts refuses a query** with `malformed-identifier` and only warns in an import: a clerk can read it again,
//!   an export cannot. All five check digits count. Its dates are compared with nothing: passports often print 1 January for a year-only birth.
//! - **2026-11-23, `series` and `country` that contradict lead to nobody.** The reason is `not-established`, as for any fact that does not fit, so that
//!   nothing tells whether the number exists. Only papers of that number count, and what the registry does not know contradicts nothing.
//! - **2026-11-23, the name hint stays in the access log.** A caller who learnt match or different could try names on a number; so it is no field of any
//!   answer, and the log keeps one word of it (`name_hint`). The gateway gets fingerprints and consonants of names, never names.
//! - **2026-11-23, names are compared by own rules** of some 250 lines: phonetic crates know Latin alone, and transliterators lose which vowels
//!   Persian wrote, which is what tells حسن from حسین.
//! - **2026-11-23, records are merged by a dated table, never by moving rows**; a split ends a row. What an import corrects is kept as known until then,
//!   stamped by this system's clock, whatever `recorded_at` claims. People who come with an installation are known since ever.
//! - **2026-11-23, agency numbers for schemes are strings** in any digits; a JSON integer is `malformed-request`, since schemes are string codes.
//! - **2026-11-23, months may be named in queries, not in files**: contract §5.1 lists the forms that an import takes.
//! - **2026-11-24, a journal of fixed length in front of the database**: a database transaction for each batch synced index pages and
//!   lengths besides the entries and held up every reply behind it. The frames are ours, since the log is what the product is for; their
//!   checksum is `crc32fast` (MIT or Apache-2.0, no dependencies beyond `cfg-if`). The tree's root in each frame ties it to the log.
//! - **2026-11-24, the writer gives way while entries keep coming** (`yield`, never a timer): where callers share its processor a batch then
//!   holds all of them, and where they do not it costs nothing. A sync costs the same for one entry and for thirty.
//! - **2026-11-24, a call runs where it is awaited, in no task of its own**: making, moving and waking one cost some 4 % of a call. A client who hangs
//!   up drops the call, and only then it goes on alone, so that it still cannot be cut in half.
//! - **2026-11-24, an answer's facts are written as JSON once**, for the body and for the statement: what is told is what is signed, byte by byte. The
//!   words of reasons are JSON when they are loaded.
//! - **2026-11-24, salts, nonces and ids are cut from one draw of 4 KiB** of the cryptographic library's generator, and wiped as they are given: each
//!   call of it asks the kernel. Keys draw their own.
//! - **2026-11-24, pages of 32 KiB in the log's database, and a checkpoint every 2 MiB**: it is only appended to, so that large pages save system calls;
//!   small steps (under load of 2 to 5 MB, as one transaction fills) keep the disk free for the journal, whose sync a reply waits for.
//! - **2026-11-24, a header field that comes twice is `malformed-request`**, `Authorization` too: RFC 6750 §3.1 calls a token given in more than
//!   one way `invalid_request` and gives it 400, which the challenge says. A body under a content coding is 415, after the token, like any body
//!   that is not JSON as it lies there; at the token endpoint it is RFC 6749's `invalid_request`.
//! - **2026-11-24, nothing is made in a folder that is not there**, but by the first `registry import` or `generate`, which say that a new registry
//!   begins: people imported under a mistyped name would be found by nobody. The demo makes its folder, and refuses one with a configuration
//!   that it has not written.
//! - **2026-11-24, `agency suspend` says so once it is in force**: the service reads a changed folder a tenth of a second later, so the command waits
//!   until its health names the version of the folder.
//! - **2026-11-24, deletion needs a record, not only an age.** `log verify` accepts a missing content only under a key that a recorded purge names and
//!   that was due at the purge's own instant; before, any content past its time could vanish unseen.
//! - **2026-11-24, silence counts two days.** Without a witness's time a jump of the host's clock looks like a long silence in the log; so the age of
//!   a content leaves out what the log did not live through. The price: an installation that stood still deletes later, or with a witness.
//! - **2026-11-24, `secure_delete` always, not only while purging.** SQLite splits pages as they fill and leaves copies of rows in the old ones.
//! - **2026-11-24, a running gateway is asked to purge by a file in the log's folder**, which only its owner can write: no listener, no credential more.
//! - **2026-11-24, a hold with one signature holds nothing, an unreadable one stops every deletion.** One person alone neither keeps nor frees.
//! - **2026-11-24, back-ups by `VACUUM INTO`**: one moment, no deleted bytes, and no further feature of the SQLite crate than is there.
//! - **2026-11-24, an assertion comes on top of the certificate**, never instead of it: every token stays bound, and a stolen client key alone opens
//!   nothing. Which way counts is the agency's file's to say; a bad assertion is refused even where none would be needed.
//! - **2026-11-24, clocks: the stricter of contract and FAPI.** `iat` and `nbf` 10 s ahead pass, 11 s do not; `exp` has no leeway and is at most five
//!   minutes (and 10 s) ahead, so that what must be remembered of assertions stays small.
//! - **2026-11-24, the name `Ed25519` is taken for `EdDSA`** in others' headers (RFC 9864): newer libraries write it, and with our keys both
//!   say the same. Our own tokens say `EdDSA`.
//! - **2026-11-24, spent assertions lie in a small file of their own**, not in the log's database: its frames are of one size, one thread syncs
//!   whatever waits, and a damaged file refuses the start. Agencies' replies wait for it; the request path never does.
//! - **2026-11-24, `jku`, `x5u`, `jwk`, `x5c`, `crit`, `b64`, `zip`, `enc` refuse a token** instead of being ignored, and are counted by name.
//! - **2026-11-24, an outside issuer is configured key by key**: its JWKS URL is not discovered, its roots are given, and a name that leads to an
//!   address of our own network is refused unless that is meant. A token is given to an issuer by its `iss` only to choose keys.
//! - **2026-11-24, tokens of unknown keys are refused at once and the keys fetched behind them.** The verifier stays synchronous, so that the path
//!   of a remembered token costs nothing more; a client that comes right after a rotation is told to try again.
//! - **2026-11-24, a withdrawn key empties the memory of verified tokens**: that is rare, and looking the key up on each use would not be.
//! - **2026-11-24, roles are told by the kind of agency**: `security-auditor`, `data-protection-officer` and `operator` have their scopes, all other
//!   kinds `verify`. Who audits patterns can so never open a person's trail.
//! - **2026-11-24, a suspension is a line of the operator's own list**, not of the agency's policy file: it must work while somebody else's draft of a
//!   policy is broken, takes effect without a policy being loaded, changes no policy version, and needs nobody's signature. Lifting it gives back only
//!   what the policy grants. A suspension kills the tokens from before it, or a stolen one would come back with the agency.
//! - **2026-11-24, the age of revocation lists is judged per call, not in the handshake**: only a call says which service it is for. rustls still refuses what a
//!   list revokes; our own check adds the dates. The route names that stay open while lists are overdue are a closed list; a new route is closed.
//! - **2026-11-24, lists that are past their date do not keep a node from starting**: a restart during an outage of the authority must not close what the
//!   policy keeps open. Missing lists, and older ones than were in force, still do.
//! - **2026-11-24, the gateway does not pin enrolled certificates.** Names, authorities and lists judge a call; a register that had to agree as well would turn
//!   every renewal of twenty thousand branches into a policy change. The register is for people: what ends when, what to revoke.
//! - **2026-11-24, the record of a revoked token is a file of lines**, synced before the reply, written anew at 4 MiB; on the request path it is one load of
//!   one of 64 maps. Another client's token is 400 `unauthorized_client`, a token that is none 200 (RFC 7009 §2.2).
//! - **2026-11-24, `pkcs8` and `cryptoki`** (Apache-2.0 or MIT; Apache-2.0): key files in the form that OpenSSL reads, and PKCS#11 by the binding that is
//!   kept up; the module is loaded at run time, so that nobody without an HSM needs one. `rustix` forbids core dumps.
//! - **2026-11-24, a demo has room for its token requests** (`tokens_per_address`): everybody in it has one address.
//! - **2026-11-24, officials sign the whole policy folder, not single files**: rules work together, and an agency file is one of them. The approval names what
//!   it follows, so that an old version is not put back with its old signatures. Suspension needs one operator: it only closes.
//! - **2026-11-24, an official's term is judged at the proposal and again when it takes effect**, restarts included: a key of a former official could
//!   otherwise date a proposal back. The price is to sign anew before terms end.
//! - **2026-11-24, `demo = true` is the only way without signatures**; it is off unless written, so that a configuration that says nothing is closed.
//! - **2026-11-28, the log's index says where to look, never what is there.** Rows come from the entries, checked against their leaves; so the index needs no trust, and
//!   counts rest on files that only the content keys could have made, under a list that only the key-encryption key could have.
//! - **2026-11-28, the index is ours, not a database's.** An index in SQLite would have fields and tags in the open, or an encrypted database would have one key for all days: here
//!   each part dies with its day and class. Columns with dictionaries are some 400 lines, and a count over ten million entries is a scan of bytes.
//! - **2026-11-28, trail keys come to the gateway, not tags.** Tags would keep past keys from a gateway that was taken over; but then nothing binds them to the number in the request, and an officer
//!   could open anybody's trail under another's name and case. A gateway that is taken over sees every number from then on anyway; past keys it sees only for the period of a case,
//!   and only if the officer searches while it is. Who wants neither searches a restored copy offline. The person's other numbers never leave the gateway.
//! - **2026-11-28, the officer's key on the gateway is refused outside a demo**, where it would undo what sealing the trail keys is for.
//! - **2026-11-28, an officer's look carries the person's tags**: so the trail shows who opened it, refused attempts too, and to nobody but the officer.
//! - **2026-11-28, quotas and samples have no store of their own**: the log is durable already and cannot be edited; a second count could only differ from it.
//! - **2026-11-28, counts in whole tens instead of exact ones above ten.** With exact counts two looks at one day, or one before and one after a deletion, differ by few people; noise
//!   would need a budget per auditor. Exact numbers are for those who read entries, each of which names its reason and is on record.
//! - **2026-11-28, exports fold instead of carrying an audit path per row**: a path is 24 hashes a row, a gap at most twice the logarithm of its length, and the fold also proves that
//!   no row is left out between two.
//! - **2026-11-28, an export's rows are not opened whole**: the content behind a commitment holds subject tags, which would let the receiver join people.
//! - **2026-11-28, one search at a time, and the index waits while the log is busy**: a search takes a core for tens of milliseconds, and replies need it more.
//! - **2026-11-28, Go's `x/mod/sumdb` is the independent reader of the log** (Debian's source package, built in a second): it trusts no tile that does not
//!   lead to the checkpoint's root, and reads the tree at every size, so that a wrong partial tile of any width is found.
//! - **2026-11-28, `log verify` gives whole pieces of 4,096 entries to its threads in turn** and joins them in order: the first bad entry is the first, and a
//!   short channel per thread bounds memory. The index by id is compared by a keyed sum, for an entry that nobody can find is as good as left out.
//! - **2026-11-28, a log that is behind its witness ends by itself; a fork does not.** A restored back-up is routine and a node that stays down helps no
//!   holder; other entries than those that were seen mean that somebody wrote them, and a person must look first.
//! - **2026-11-28, new origins are dated and random** instead of counted: a counter restored from a back-up would give the same origin to two logs.
//! - **2026-11-28, no file of a sealed log is moved**: the list of origins is replaced in one step, which is the only instant at which one ends.
//! - **2026-11-28, fencing by a file that is read back after each sync** (well below a microsecond a batch), and by a row that each transaction of the database
//!   reads. New journal files after an unclean end, because a paused writer has the old ones open.
//! - **2026-11-28, a copy is told by inode and instant of birth of the database**: both outlive a restart, device numbers do not.
//! - **2026-11-28, the number of entries answered for is written behind each sync and not synced itself**: a killed process leaves it, and a last frame that was
//!   damaged is then told from one that was cut off.
//! - **2026-11-28, a signed request is a JWS over the body's digest, not HTTP message signatures** (RFC 9421): every agency has a JOSE library, few have the other.
//!   Claims in the manner of DPoP (RFC 9449): `htm`, `path` instead of `htu` because a gateway behind a relay has more than one origin; `aud` names us.
//! - **2026-11-28, the log keeps a commitment to a signature keyed by its own `jti`**, not the signature and not its digest: the signature names the body's digest,
//!   which contract §6 keeps out. The price: an agency that denies a request must be asked for what it signed; that it keeps it is its duty.
//! - **2026-11-28, what wants a signature is decided where the scope is looked at**, and routes over people or the gateway take a `SignedCall`: two locks, so
//!   that a new route can forget neither. `demo_optional` is a fault that only a demo overlooks, not a switch of the program.
//! - **2026-11-28, a signature is looked at before the body is read, `signature-required` among the duties**: a query without one costs no look-up more than before.
//! - **2026-11-28, signatures are spent in the file of client assertions**: the same rule, time and fault; the kind before the `jti` keeps them apart.
//! - **2026-11-28, opening acts are recorded before, closing acts at once and recorded after**: a full disk must neither let anybody in nor keep a thief in.
//! - **2026-11-28, outside a demo purges need an order of two officials** (replaces an entry of the same day): that a content is due says that it may go, not that somebody
//!   answers for its going, and one operator chose the moment. The order stands for a year at most: signing every purge would become a habit, and an order for ever outlives
//!   those who signed it. It must cover the day up to which due dates are counted (the witness's, where there is one) and the day of the log's last entry, so that no clock
//!   that is set back and no old checkpoint uses one that is over. The price: without an order contents stay longer than they should, so that it is an alarm.
//! - **2026-11-28, one form for what two people sign**: holds, deferrals and purge orders. One difference is meant: signatures of people who left office before they took
//!   effect are an error of a hold, since what it would keep would be deleted; an order or a deferral then does not begin.
//! - **2026-11-28, officials sign holds outside a demo**: keys enrolled beside the holds were the operator's to add, and so was the end of a hold. What they began outlives
//!   their term; to end it they must be in office.
//! - **2026-11-29, decrees are checked by the gateway's own officials** (before: by the registry's, whose names the log took): the registry's are its operator's to add.
//! - **2026-11-28, a printed receipt tells a day and nothing else.** A paper can be found, or demanded. It has no agency, since that tells the service; no
//!   outcome, since a good one becomes a pass that people are asked for and a bad one a mark; no instant, since that finds the entry in a log.
//! - **2026-11-28, its code is 60 bits of its own SHA-256** instead of a secret beside a hash: nothing is to be kept secret, the QR code is shorter, anybody
//!   can compare it, and it opens nothing without the agency's records. A short secret could be found by trying anyway.
//! - **2026-11-28, the statement commits to the receipt, not the receipt to the statement.** So the entry's header, which commits to the statement, covers
//!   both, and the paper cannot be linked to an entry with the log alone. The entry says only that a receipt was wished.
//! - **2026-11-28, the QR code holds the receipt, not an address.** A forged paper could otherwise lead to a page that calls it genuine.
//! - **2026-11-28, a key that others may have leaves genuine what is in the log below its checkpoint**, whichever good key signs the proof: whoever has the
//!   statement key cannot put an entry where the log has another. Without a proof it is «cannot be told», never «genuine» and never «false».
//! - **2026-11-28, the page is three files of our own, without a library**: WebCrypto knows both algorithms, and what is to be trusted can be read in one go.
//!   `qrcode` (MIT or Apache-2.0), without its writers, draws the code on paper.
//! - **2026-11-28, the watch is fed by the path itself, after the record is durable**: a few keyed hashes and a push. Reading every entry back to count it
//!   would cost a decryption and a parse each; that is done after a restart alone. Numbers in order can be seen only there: the log has no numbers.
//! - **2026-11-28, no tag of a run of numbers in the log.** Families have numbers one after another, and such a tag would join them on the disk.
//! - **2026-11-28, rules are one small form, not a language**: whose calls, what of them, over which time, how many. All seven kinds of abuse fit it, an
//!   official can read it, and its memory is bounded whatever it says.
//! - **2026-11-28, each rule promises precision and recall on a made-up week** (`least`), and fails below: a rule that nobody measured is a rule that accuses.
//! - **2026-11-28, an alert leaves by the webhook when its day is over**, like its entry: sent at once, the moment of sending would be the instant.
//! - **2026-11-28, the webhook speaks RFC 8935**, under the statements' key and a `typ` of its own, so that receivers need no library of ours and no shared secret.
//! - **2026-11-28, the name of a certificate is a matter of access (`access_denied`), its kind a matter of support (`unsupported_certificate`)**: the first the
//!   agency's administrator must settle with us, the second with the authority that made it.
//! - **2026-11-28, one PKCS#11 library per process, one signature at a time**: initialising and finalising are the process's, so every key with a library of its
//!   own ended the sessions of the others. An HSM that signs in parallel is worth another session only once one is seen to be the limit.
//! - **2026-11-28, TLS keys may be read by their group, our own keys by nobody**: services are commonly given TLS keys that way; who has ours can forge answers.
//! - **2026-11-28, the content key changes only while no service runs**: it wraps a few keys per day, so this takes a moment, and no entry is ever under two.
//! - **2026-11-28, floods of refusals are counted after all** (replaces the entry of 2026-11-24): one of a flood takes no further stage, so that nothing is
//!   signed, recorded or told of it by itself, and its connection closes. The bound is per certificate and generous, since a client that meets 429 has to be told.
//!   Counts wait in memory until their second is over; a crash loses them, but nothing that anybody was told.
//! - **2026-11-28, a date in a year that no paper has is `bad-date`** in an import (Jalali 1200–1600, Gregorian 1800–2300): 1402 under `gregorian` is a slip of
//!   the calendar, and taken at its word it would end a card six centuries ago. The calendar is still never guessed.
//! - **2026-11-28, commands that change the registry wait until a gateway that runs there has heard of it**: the feed takes some 50 ms, and whoever asks
//!   right after the command would still get the old answer. A gateway that does not hear in time is told of, and holds nobody up.
//! - **2026-11-28, a case of a rule that is gone refuses the policy**: a `forbid` lost with its file would be missed by nobody else.
//! - **2026-11-28, a demo rescinds a decree with both officials' keys** where none is named: contract §5 names none, and the demo holds both. An installation
//!   never does, and two people are needed there.
//! - **2026-11-28, refusals keep their words in English on the wire** (`detail` is for integrators); the command line has Persian ones of its own.
//! - **2026-11-28, stale facts help and never deny.** What an outage lets pass (`max_stale`) may entitle; a "no" on it is `too-stale`. `must_be_live_for_denial`
//!   of a policy wants a look-up of its own for each "no"; the gateway makes it in the same call.
//! - **2026-11-28, one limit for all addresses of the register, set by its pace**: one more look-up at once while it keeps up, a tenth fewer when it does not.
//!   Lanes stand in front of it, agencies take turns in them, and half of the slots are the counter's alone. A lane that is full is 503 `overloaded`,
//!   since a query that was not begun must not look like one that came to nothing. Breakers, and what is known of slowness, are per address.
//! - **2026-11-28, retries at most a tenth, second look-ups at most a twentieth of first ones**, both earned by first ones: a failing registry is not asked
//!   more than a healthy one. A second look-up that loses says nothing about its address; one that is cut off, or is beaten by another address, does after half of its time.
//! - **2026-11-28, hot entries are refreshed before they are too old**, each at its own point of the last third of its age, in the batches' lane.
//! - **2026-11-28, no snapshot of the cache is written.** It would lie on the node's disk, and its key would have to come from elsewhere at each start;
//!   the lanes keep a cold start from being a stampede.
//! - **2026-11-28, the cache knows people by a keyed hash** (128 bits of SipHash under keys of the process); a number is in memory only while it is asked for.
//! - **2026-11-28, every 503 carries `advice`**, the static word of the agency's policy for outages; also the bare one, which says nothing else of the call.
//! - **2026-11-28, the registry checks the holder's code, not the gateway, and opens the trail keys**: they are sealed to it too, and it answers with the tags of
//!   that one person's numbers. So neither side alone, nor a stolen copy of either, opens a holder's view; a gateway that is taken over learns one trail
//!   per code. The officer's key plays no part, and the gateway holds no key to the past.
//! - **2026-11-28, codes live in the registry's memory alone.** A restart makes them void, which is safe; the offices' daily counts are on the disk, which is not.
//! - **2026-11-28, a contested line has a reason from a closed list**: free text of a holder or a clerk would put names into cases.
//! - **2026-11-28, a deferral ends within 60 days of the first day it covers**: contents are deleted after 90, and deferred must not come to mean never.
//! - **2026-11-28, a deferral that cannot be trusted closes the view** instead of showing or hiding: neither may depend on a damaged file.
//! - **2026-11-28, a copy is brought up to date instead of made anew**: fifty million entries are fifty gigabytes, a day's are two; and only so do old copies lose
//!   what was deleted lawfully.
//! - **2026-11-28, deletion in a sealed log is recorded by the log that goes on**: the sealed tree takes no entry, and the law does not wait for one.
//! - **2026-11-29, jemalloc with its own threads, no longer mimalloc**: what a peak leaves behind goes back to the system, whichever thread freed it and whether or not that one has more to do. After the
//!   faults of `make chaos` and ten minutes of asking mimalloc 3 kept 263 MiB (2: 191, giving back at once: 125, for a twelfth of the answers), jemalloc under 80; a query costs the same.
//! - **2026-11-28, a clock that jumps is held against the time since boot**, which goes on while a machine sleeps and which nobody sets. Time goes on by it
//!   meanwhile, so that the log's time is not dragged an hour ahead; what is small is taken over once an hour. The wall clock is read anew after a millisecond: two clocks each time cost a hundredth of a query.
//! - **2026-11-29, each write of the journal is its own sync** (`O_DIRECT | O_DSYNC`): 31 µs of processor time instead of 36 with `fdatasync`, which writes the inode too.
//! - **2026-11-29, of a crowd of callers one in six is left out of a batch**, and whoever brings the last one wanted gives way to the writer: so the processor has
//!   calls to work on while the disk syncs. Half of them (before) gave 6 % fewer answers, nobody 12 %. So few as eight are all waited for.
//! - **2026-11-28, the JSON of statements, answers and log contents is written member by member** by sixty lines of ours: `serde_json` looks at every
//!   byte of every text for escapes and copied 158 pieces a call (a tenth of all instructions outside cryptography). A property test holds both alike.
//! - **2026-11-28, looked at and left** (`callgrind`, `perf`): SHA-512 (6 % of a call) is aws-lc's scalar code, which it takes on all processors but Intel's; the 4.6 KiB that aws-lc-rs clears for
//!   each signature and the 16 KiB that actix clears for each head (1 %) have no other way in; ids that stand in a statement twice (`jti`, `answer_id`: contract §4).
//! - **2026-11-28, a lost card that could be renewed, with a stand-in, is `lapsed-renewable`** and no longer `service-not-covered`: the stand-in carries the
//!   card's status (domain §3), and that status is not resolved. A card that had ended gives its stand-in nothing, as before.
//! - **2026-11-28, one table of entries instead of one a day**: processor time of an append is the same at one million entries and at five (17 and 16 µs), for
//!   entries and their ids come in order, and a purge reads only the stretch of its day. What auditors ask goes to an index by day and class beside it.
//! - **2026-11-28, a pushed event invalidates by the registry's own cursor and moves nothing else**: the feed's cursor and contact stay the poll's, so that no
//!   push can make facts look fresher or hide a gap. What must be durable before 202 is the spent `jti` and the entry; the cache dies with the process.
//! - **2026-11-28, too many pushed flushes are 429 and not put off**: nothing is half heeded, an honest sender comes again with all of it, and the poll tells it at once.
//! - **2026-11-28, every attempt to push is a new token**: a retry of the same one would be a replay, and one that waited out an outage would be too old.
//! - **2026-11-28, each accepted event is an entry**, which two a second make cheap: it shows when a node knew that something had changed.
//! - **2026-11-28, people may come from an SPDCI registry, decrees never do**: the search has no decrees and no feed, so `[registry.people]` stands beside
//!   `[registry]` and has a pool of its own above the same trait. Its facts carry no cursor; `max_age` alone bounds them, and status and readiness say so.
//! - **2026-11-28, the SPDCI signature is a compact JWS with the payload in it** (`{"header","message"}`). The descriptions leave the form open; a detached one
//!   or a digest would need an agreed serialisation, and a public implementation does it this way. It doubles the bytes and leaves nothing to guess.
//! - **2026-11-28, an SPDCI answer's `message_id` is its own**, as in the descriptions' examples: `transaction_id` and `reference_id`, random and signed, tie
//!   it to the search. `rjct` never means nobody, whatever its code: the only "nobody" is a signed, successful, empty list.
//! - **2026-11-28, in our attribute of an SPDCI record every member is required and none more is taken**: a missing nationality would escape a decree that
//!   restricts it, a missing expiry would never lapse. The import may leave them out because an office's clerk sees the rejects; a registry's answer nobody sees.
//! - **2026-11-28, RS256 is not taken from SPDCI registries** though one public implementation signs so: one algorithm per key, and RSA's is PS256 everywhere.
//! - **2026-11-28, Prism's own examples do not fit the descriptions that it takes them from** (empty times, a number for an id), so that `--errors` on a mock
//!   refuses every answer: the mock judges our search, Prism as a proxy with `--errors` judges search and answer.
//! - **2026-11-29, retries across a crash are tied by key and body.** A body without a `nonce` is guessable: all but the number stands in the entry, so a digest whose key the disk
//!   has too gives the number away in a billion tries. The epoch's keys are in memory alone and gone with a crash; so the secret is one of its own on the disk, and written
//!   over within half an hour (`ledger/retry-secrets`). An index of marks on the disk would cost each keyed answer a random write; the log is read once after a start instead.
//! - **2026-11-28, a full disk stops reads of the log first, then refusals, and answers last**, and what stops is a bare 503 and no 401 or 403 without a record:
//!   contract §4 lets that one reply alone leave unrecorded. Withheld refusals are counted in memory and the counts recorded later, so that a guesser is seen.
//! - **2026-11-28, the reserve is a file with blocks of its own**, given back in eighths. Room inside the database (`PRAGMA`, chunk sizes) would not help its
//!   write-ahead log, and a quota needs root. A transaction that finds the disk full is tried again after a piece was given: it left nothing behind.
//! - **2026-11-28, tokens go on to the last byte and proofs do not**: without a token nobody can ask, and a proof can be had a day later.
//! - **2026-11-28, the witness's clock is compared by the file that the operator brings anyway.** Asking the witness for the time would make it a part of each
//!   answer. A cosignature lies between publishing and reading, so that both directions are found; an old one shows nothing and stops nothing.
//! - **2026-11-28, a clock that is contradicted at a start does not keep the gateway from starting**: health, log and the entry about it are there, answers are not.
//! - **2026-11-28, still no snapshot of the cache** (looked at again): a cold start is bounded by the lanes and asks for each person once, as a test holds;
//!   facts of people on the disk of each node, even encrypted, would be a second register.
//! - **2026-11-28, the cache is bounded by bytes**, each entry weighed when it comes in, rather too heavy than too light; people alone said nothing of memory.
//! - **2026-11-28, a batch's queries take turns after their look-up**, not before: those who wait for the registry are in nobody's way. What a counter waits for is the
//!   one processor, so (2026-11-29) none begins while a counter's query is worked on; handshakes have nice threads that yield after a step, as niceness alone keeps its slice.
//! - **2026-11-29, threads that answer have a shorter slice instead of a higher priority**: a priority wants privileges, and neither it nor niceness takes the processor from
//!   whoever has it before a tick (4 ms and more were seen behind an indexing thread). The call has no safe wrapper: it is the one place with `unsafe`, `src/threads.rs`.
//! - **2026-11-29, a flood has a line of its own** with a quarter of the batches' turns, and is not over while it waits there: by refusals alone it would be forgotten once it is slow.
//! - **2026-11-28, a hanging disk is watched by batch, not by request**: a timer for each call would cost each of them; the batch's waiters lie where a watchdog finds
//!   them. Three seconds: longer than any sync that was seen, shorter than anybody at a counter waits.
//! - **2026-11-28, our own parts bear `/service/NAME`, not `/agency/NAME`,** and are written `service/NAME` wherever an agency's name is kept: no agency's name
//!   has a slash, so whatever looks one up finds none. A demo's certificates are issued anew by themselves; anything else is refused with what to do, not taken.
//! - **2026-11-28, a token may be revoked by the certificate alone,** whatever the policy wants at the token endpoint: a token is bound to that certificate, and
//!   giving one up must never be the harder part. An assertion that is sent must be good all the same.
//! - **2026-11-28, an outside token counts as issued 10 s before its `iat`,** not at the instant it was first seen: that instant is forgotten with the cache.
//! - **2026-11-28, which memories there were stands in `memories.json`,** not in the log: a first start that fails for want of signatures has written its entry and
//!   has no `authority.json` yet. Where that list is gone too, a log beside it is reason enough to want every one that each start makes.
//! - **2026-11-28, revoked tokens and spent assertions are in no back-up:** they count for five minutes, and a copy older than that would only seem to know them.
//! - **2026-11-28, certificates of officers are issued by the operator and recorded, not signed for by officials.** A certificate alone opens no trail: outside a demo
//!   `log:person`, `log:holder` and `ops` want a signature by a key that stands in the signed policies. Its entry says which of these scopes the agency has.
//! - **2026-11-28, signatures are spent before the rate is tested, but out of a share**: spending them after the permit would let the same signature be tried again
//!   after each refusal. An agency has 4,096 of its own whatever others do, 262,144 at most; all beyond their own hold a million together.
//! - **2026-11-28, an export outlives its token but not a suspension**: a long file takes longer than a token lives; revoking the token or suspending the agency ends it.
//! - **2026-11-28, a wrong guess against what is remembered counts though nobody confirmed it**: else an overload or outage would be the time to guess.
//! - **2026-11-28, a restored log goes on under its origin only on its own disk's word.** A witness's checkpoint proves a lower bound of what was answered; only the old
//!   folder's fence, released in order, proves the end. So a planned move costs an origin; a second tree under one origin would cost every answer's proof.
//! - **2026-11-28, what is left of a key that is to be destroyed is said, not failed.** A rotation is done when the list says so; a token that is away is asked again.
//! - **2026-11-28, a registry never begins with nobody**: one that is empty answers every question with nobody, so a first import without an accepted row makes
//!   none. It is filled in a folder of its own and linked into its place at the end. There or not, such a file is one with rejects (contract §5.1): exit 0, and a
//!   line that says so.
//! - **2026-11-28, a rule that fails is a fault of the rule**, at its line and once, and an alarm: Cedar would pass over it, and a `forbid` would be gone. Since
//!   every grant is put to Cedar when a folder is loaded, no rule can fail on the path of a request.
//! - **2026-11-28, a filter's value that no entry has is not recorded**: it may be anything, a name too. The field is, so that a look stays a look; a closed list of
//!   everything (agencies that left, old decrees) would refuse questions about the past.
//! - **2026-11-28, a justification is a ground from a closed list and a file number of the agency's own**: names in free text cannot be screened for. Who wants the story
//!   asks the agency for the file.
//! - **2026-11-28, a request's signature is over the query string too**, in the claim `path`: what an officer asked for (the period of the epochs) is what was signed.
//! - **2026-11-28, a search over several logs goes log by log** (`Gather`, pure, held against a model page by page): an index is of one log, so cursors name the log. Exports go
//!   log by log, each under its own checkpoints; a sample stays within one, since its ranks are of indices.
//! - **2026-11-28, a purge's record says how many contents its key had, and `log verify` counts them.** Without that a held content could be taken away under the name of a
//!   key that was destroyed lawfully; with it also a deletion before its time is still found after the lawful one.
//! - **2026-11-28, `log verify` takes a content in the form that we write in one pass** (members in order, known names, no copy) and reads through JSON only what is not in that
//!   form; a property test holds that the quick look never takes what a full reading refuses. The auditors' index takes its fields from the same pass.
//! - **2026-11-28, the auditors' index stays at most 400,000 entries behind a busy log** (before: four million): a search looks at all of them first. It costs the gateway nothing
//!   while fewer wait, and some microseconds an entry above that.
//! - **2026-11-28, one list that serves several trusts is one act**, recorded before whoever brought it goes on and after live connections were judged by it.
//! - **2026-11-28, what is gone from the log without a recorded purge is damage**, named or refused wherever it was sought. A search holds this log's own records against the entries
//!   that commit to them; whether a later log's entry commits to what it put into a sealed one only `log verify` looks at.
//! - **2026-11-29, the name of an epoch commits to its trail key**: HPKE's base mode tells the officer nothing of who sealed, and contents, which the tree commits to, carry the name.
//! - **2026-11-29, a gateway that its witness contradicts gives up its own fencing token**: every write and signature looks at it already, and nothing comes back by itself.
