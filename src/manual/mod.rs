//! The manual: prose for people who run, read or change estelam.
//!
//! - [`tour`]: follow one request through every stage, in ten minutes.
//! - [`installing`]: from nothing to the first answer, outside the demo.
//! - [`importing`]: what becomes of an office's rows, and of what it corrects later.
//! - [`operating`]: an installation's files, its health, what to do when something is red.
//! - [`metrics`]: every metric, its labels, what it says.
//! - [`figures`]: what was measured, how, and when.
//! - [`asking`]: the API from an integrator's chair.
//! - [`spdci`]: people looked up in a social-protection registry.
//! - [`identifiers`]: what is compared with what: numbers, dates, names; records of one person.
//! - [`log`]: what the access log holds, and how anyone checks it.
//! - [`holder`]: what a holder sees of the log, and what opens it.
//! - [`watching`]: rules that look for abuse behind the request path, how good they are, and where their alerts go.
//! - [`trust`]: agencies and their certificates: joining, renewing, cutting off; revocation lists that cannot be had; our own keys.
//! - [`receipts`]: what a signed answer or a printed receipt proves, and how anyone checks it.
//! - [`decisions`]: why things are as they are, dated, shortest first.

pub mod asking;
pub mod decisions;
pub mod figures;
pub mod holder;
pub mod identifiers;
pub mod importing;
pub mod installing;
pub mod log;
pub mod metrics;
pub mod operating;
pub mod receipts;
pub mod spdci;
pub mod tour;
pub mod trust;
pub mod watching;
