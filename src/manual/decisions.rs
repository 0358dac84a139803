//! Decisions, dated, each with its reason.
//!
//! - **2026-11-23, one order in one place.** `flow` is the only module that knows the order of stages; stages own the one before.
//! - **2026-11-23, an own accept loop.** Stock actix never cuts a slow head on a later request nor any slow body, cannot cut a live
//!   connection and cannot swap TLS settings. HTTP/1.1 only: `h2` 0.3 has a public advisory without a fix.
//! - **2026-11-23, deadlines without timers.** One watchdog per process sweeps coarse deadlines; a timer per request would cost the
//!   hot path more than the whole table of connections does.
//! - **2026-11-23, facts are cached, decisions are not.** A decree or policy takes effect on the next request, and an old answer can be
//!   computed again.
//! - **2026-11-23, `not-established` is asked live.** A cached absence never answers; so unknown, blocked and unprovable take one path.
//! - **2026-11-23, a shared identifier stays indeterminate** even where the second factor fits one person: after a wrong merge the
//!   register itself does not know whose documents it holds under whose birth date (contract §5.1).
//! - **2026-11-23, a coarse reason keeps the exact one's next step** (contract §4): the holder must learn what to do. Whoever writes `reasons.toml`
//!   keeps the steps of one class so alike that they do not tell the reason.
//! - **2026-11-23, `may_deny` follows the outcome**: false on every `indeterminate`, and only there.
//! - **2026-11-23, content commitments are over plain content**, so that an entry can be opened to a third party without sharing the
//!   day's key; the stored bytes are encrypted.
//! - **2026-11-23, epochs start with the process.** Tag keys live in memory only, so a restart begins a new epoch on the same day.
//! - **2026-11-23, retries live in memory.** Idempotency keys are kept for ten minutes per process; after a restart a retry is a new query
//!   with an entry of its own.
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
//! - **2026-11-23, the accept loop cuts a head over 16 KiB without a reply**: it is not yet a request that could be recorded.
//! - **2026-11-23, a signing key that is missing beside others is never replaced**: what it protected would be lost without a word.
//! - **2026-11-23, `quick_cache`** for verified tokens (bounded, concurrent, cheaper per hit than moka); **`form_urlencoded`, `pem`, `miette`** were in
//!   the tree already; **jiff's `static`** compiles Tehran's rules in, so that an outdated machine cannot move a day.
//! - **2026-11-23, no link-time optimisation**: thin LTO with one codegen unit was tried; processor time per request did not change beyond the noise.
//! - **2026-11-23, `hdrhistogram`, `httparse`, `rustix`** serve the bench alone; rustix binds a process to its processor before it starts.
//! - **2026-11-23, the kill test holds the log's write lock in half its rounds**: a bare SIGKILL cannot tell an answer before the commit from one after,
//!   since the sync is faster than the reply's way to the client.
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
