//! Imports: what becomes of a row, and of what an office corrects later.
//!
//! An export is CSV or NDJSON in the form of contract §5.1 (`tests/data/registry-sample.csv` shows the columns); `bank_state` and `sim_state` may be added. All of
//! a file is imported or nothing of it, but for the rows that are rejected: each goes, with its line, its reason and what to do about it, into a file beside it
//! under its whole name and `.rejects.csv` (`x.csv.rejects.csv` for `x.csv`), under that name into `DIR/registry/` where nothing can be written beside it, or where
//! `--rejects` says. The command names the place. Nobody but its owner may read it; remove it once the office has it. A file that is there is replaced (that of a
//! link which `--rejects` names; the link stays), a folder, a pipe or a device never. The command ends with 0 when the file was judged, also if every row was rejected.
//!
//! The source is the export's name without its ending, or what `--source` says. `honeypot` and what begins with `generated-` are the registry's own.
//!
//! # Which paper a row speaks of
//!
//! Rows of one source with the same `person`, `scheme`, `value` and `kind` speak of the same paper if
//!
//! 1. `series` and `issued` are the same, filled in or not; or else
//! 2. neither contradicts what is known: one of them is empty, or the dates could be one day (a year and a day in it, the same day in the other calendar); or else
//! 3. it is a card of a round (`amayesh`, `hoviat`, `temporary-card`) of the same series, whatever the date: within its round a person has one card.
//!
//! 2 and 3 hold only if a single stored paper can be meant, if the file has no row of that paper's own, and not for a row whose state is `requested`, `produced` or
//! `at-office` where the stored card was handed out: that is the next card, and the old one holds until it is there. Of several that can be meant, one of which
//! the row tells nothing new is taken, and nothing changes. Otherwise the row is a paper of its own.
//!
//! So a passport's residence or a smart card that comes with another date of issue stands beside the earlier one, since one number bears several of them over
//! time. An office that puts such a date right lists the old row too, with the state that ends it (`replaced`, `revoked`); until then the old paper counts.
//!
//! # What a row changes
//!
//! The row with the later `recorded_at` has the word, of a document and of its person; without one the later row has it. What it leaves empty stays as it was
//! known: an expiry or a status cannot be taken away by leaving it out. A row recorded earlier fills gaps and overwrites nothing. Only an empty `state` says
//! something: `active`. A permit's time (`pending-propagation`) runs from the earliest `recorded_at` of its rows; if the first row to come had none, it is long past.
//! What was known before stays on record: `registry lookup --known-at`.
//!
//! A file imported again changes nothing: if the accepted rows are those of the last import of this source, in the same order, they are only counted. After another
//! import of the source an earlier file is merged like any other.
//!
//! # Where we depart from the contract
//!
//! - `nationality`, `province`, `legal_status`, `country` that cannot be understood are `bad-field` too. To keep the row without them would be unlawful either way:
//!   decrees and rules select by them, so that a restriction would miss its holder, or a renewal window a card that it admits; a passport of a
//!   country that we cannot read would answer for one of another. What is plain is taken: `AFG` as `AF`, `IR-7` as `IR-07`.
//! - `bank_state`, `sim_state` of an unknown word, a `birth` that is no date with its calendar, a field of more than 500 characters and a year that no paper has
//!   are rejected as well.
//! - A row that lacks fields at its end is taken if these are of `name`, `father_name`, `household`, `household_role`, `country`, `mrz`, `recorded_at`, which
//!   exporters leave out when they are empty; not in a last line without its end, which was cut off. A row that lacks more (its expiry, its state) may have lost it, and
//!   would be good for ever.
