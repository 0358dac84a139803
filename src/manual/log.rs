//! The access log: what it holds, and how anyone checks it.
//!
//! Every answer and every refusal after the TLS handshake is one entry, durable before the reply leaves. An entry has a header that
//! is kept for ever and a content that can be deleted without breaking the tree (the verb that deletes what is due is not there yet).
//!
//! ```text
//! leaf      = H( H(salt₁ ‖ header) ‖ H(salt₂ ‖ content) )          H = SHA-256
//! tree leaf = H( 0x00 ‖ leaf )                                     RFC 6962
//! ```
//!
//! The header's bytes are described in [`crate::core::ledger::leaf`], the content in [`crate::core::ledger::EntryContent`].
//! Neither holds a number, a name or a birth date; the content holds no unkeyed digest at all, and the header only the statement's. Whom an entry is about stands there
//! only as two keyed tags: the agency tag joins one agency's entries about one person within one epoch (at most a day); the trail
//! tag joins all agencies' entries within one epoch, and its key is sealed to the data-protection officer before the first use.
//! Both keys live in memory and are gone with the epoch.
//!
//! # On the disk
//!
//! An entry is durable once it is in the journal (`ledger/journal.0` and `.1`, two files of fixed length written in turn, one frame
//! and one sync for all entries that wait). A second thread carries it into the database (`ledger/ledger.sqlite`) a moment later;
//! a journal file is written over only when the database has all its entries and was synced. At a start, and in `log verify`,
//! `policy replay` and `policy explain`, what only the journal has is read back; each frame must lead to the tree's root that was
//! written with it. A frame cut off at the end was never answered for; a gap before a whole frame refuses the start.
//!
//! # Derived inputs
//!
//! The content's `basis` is JSON with short names, enough to decide the query again and nothing that names anybody:
//!
//! | name | what | left out when |
//! |---|---|---|
//! | `q.t` | when policy judged it, seconds since 1970 | never |
//! | `q.g` | what was given: 1 actor, 2 check, 4 reference, 8 nonce, 16 identifier, 32 emergency, added up | nothing |
//! | `q.m` | `max_age` | not given |
//! | `b` | what the decision rested on | a refusal |
//! | `b.n` | people behind the identifier | none |
//! | `b.c` | whether the second factor matched | none was tested |
//! | `b.f` | age of the facts in nanoseconds; with `as_of` it gives the instant decided for | 0 |
//! | `b.a` | least and most full years of the holder on that day | not known |
//! | `b.w`, `b.p`, `b.h` | nationality, registered province, `head` or `member` of a household | not known |
//! | `b.x`, `b.v` | province that the query named; age of the decrees in seconds | not named; a minute or less |
//! | `b.d[]` | documents: `k` kind, `s` series, `z` state (active), `i` issued, `e` last day, `l` status carried, `f` facets, `h` whole hours since it was recorded | |
//! | `b.m` | how a name given as a hint agreed: match, close, different | no name was given |
//! | `b.r` | the service rule | none |
//!
//! Days are `YYYYMMDD` (Gregorian), or `[first,last]` where only a month or a year is printed. A new fact that decisions read must be added
//! here, or replay no longer agrees: [`crate::core::decision::Basis`] takes people and documents apart field by field, so that the compiler says so.
//!
//! Every policy version and decree set that was ever in force is in `archive/`, by its hash, written before it took effect. So
//! `estelam policy replay --from DAY --to DAY --dir DIR` decides every query again under its own versions and nothing may differ;
//! with `--against FOLDER` it counts who would be answered differently under a draft. `estelam policy explain --answer ID` says why one was
//! answered as it was, as long as its content is kept.
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
//! `estelam log verify --dir DIR` walks the whole log and names the first entry that does not hold; `--checkpoint FILE` also compares it
//! with a checkpoint that you kept from before.
