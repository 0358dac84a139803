//! The holder's own view: who asked about me, and why.
//!
//! A holder goes to a Kefalat office. The office asks for a code (`POST /v1/log/holder`, or `estelam log holder --as kefalat --scheme …`); the code goes
//! to the SIM that the registry has on record for the holder; the holder tells it to the office, and reads the view with the clerk. No office
//! opens a view by its own word.
//!
//! # What it shows
//!
//! Kinds of agency, purposes and days, back to 90 days, in Persian, Dari and English (`policies/holder.toml` has the words):
//!
//! ```text
//!   1  1405/09/04: یک مدرسه برای «ثبت‌نام» دربارهٔ شما پرسید و پاسخ گرفت.
//!   2  2026-11-23: a bank asked about you for keeping an account or card, and got an answer.
//! ```
//!
//! Queries of one day, kind, purpose and outcome are one line. No agency's name, no branch, no clerk, no time of day, and nothing about anybody
//! else: other members of the household have numbers of their own, and a number that several people share is nobody's. Whoever opens a view, or
//! tries to, is a line of it the next time; so is the data-protection officer's look at the trail.
//!
//! # Who knows what
//!
//! ```text
//! office ── number ──▶ gateway ── number ──▶ registry ── code ──▶ the holder's SIM
//! office ◀─ the holder says the code
//! office ── code ────▶ gateway ── code, sealed trail keys ──▶ registry
//!                      gateway ◀── trail roots of this person's numbers ──
//! office ◀── view ──── gateway
//! ```
//!
//! Each epoch's trail key is sealed to the data-protection officer, and once more to the registry's desk for holders (`[holder] public_key`; its private
//! half is `holder.key` in the registry's folder). The gateway cannot open it, the registry has no log, and the registry opens it only for a code
//! that it sent itself. So neither an office nor the gateway, nor a copy of its disk, can follow anybody without that person's telephone. A trail root gives every agency's tag of one
//! number in one epoch; the gateway wipes it after the search. It never learns the telephone number. The sealed keys go when the epoch's last content goes.
//!
//! # What keeps it from being abused
//!
//! | | |
//! |---|---|
//! | a code | eight digits; counts once, ten minutes, five tries, for the agency, branch and certificate that asked |
//! | a wrong, used, late or foreign code, or an unknown handle | one refusal: `code-not-accepted` |
//! | a number of nobody, of several, of a protected record, or without a SIM | the same 202 on the same grid; the message, if there is one, goes out behind it |
//! | an office | `codes_per_office` a day (100), counted durably before the code is asked for; then `quota-exhausted` |
//! | a holder | three messages a day at most, whoever asks |
//! | a request | scope `log:holder` (kind `kefalat`), signed (`Estelam-Signature`), with the clerk in `actor`; each step is an entry |
//!
//! Codes are in the registry's memory alone: a restart makes them void. Where the registry has several addresses, a code counts at the one that sent it.
//!
//! # Contesting
//!
//! `{"handle","contest":{"line":2,"why":"not-me"},"actor"}` within half an hour opens a case (`estelam log case`) for the data-protection officer: the ids of the entries
//! behind the line, and why (`not-me`, `other-purpose`, `too-often`, `other`). There is no free text: it would hold names. The holder gets the number of the
//! case. The ids stand in `cases/NUMBER.json` alone: the log has how many they are, why, and once the officer uses the case a hash of its reason with a random
//! mark in it, so that who audits patterns cannot join them. Each line can be contested once in a view; what could not be kept or recorded is contested by the same request again, under the same number.
//!
//! # Setting it up
//!
//! ```toml
//! [holder]                             # left out: no view, and nothing is sealed to the registry
//! public_key = "pki/holder/trail.pub"  # X25519, base64 on one line
//! codes_per_office = 100
//! ```
//!
//! The demo does all this: its messages are files in `var/demo/registry/messages/`, the first fixture (`A170000001`) has a made-up SIM. What sends messages is
//! a port ([`CodeSender`](crate::core::registry::holder::CodeSender)) on the registry's side; files are the only sender so far. Entries from before `[holder]` was set,
//! or from before its key was replaced, stay closed to this view; as long as its 90 days reach back to them it says that it is not complete (`complete: false`, with
//! words in three languages), and so it does of more than 1,000 epochs, of which the newest are opened, of an entry
//! that nobody can read, an epoch that the log lost, or a sealed log that is not there. A view without a line does not say that nobody asked: what is
//! deferred is not shown either.
//!
//! # Deferred entries
//!
//! An authority may keep entries from being shown for a while: `estelam log defer add ID --by "WHO, ON WHAT GROUND" --from … --to … --until … --agency … --key A`,
//! `defer approve ID --key B`. Two officials in office sign it (in a demo whoever is enrolled with `defer enrol NAME --key KEY`); it hides nothing before the
//! access log has `deferral-begun`, which the gateway records within seconds, with who signed. It names days, an agency or answers, never a person, and
//! has a last day at most 60 days after the first, so that the holder sees the entries before they are deleted; an entry about a minor, which is kept for 30 days, it
//! hides for 20 at most. After that day they show by themselves,
//! with who deferred them and until when, in the line itself (fa, prs, en) and as `deferred`. `defer show ID` by two officials shows them before (`deferral-ended`). While a deferral cannot be read or recorded, a signature does
//! not fit, it lasts longer than it may, or one that was recorded is gone or changed, no view is opened at all.
