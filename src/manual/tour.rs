//! One request, straight down.
//!
//! Start in [`crate::flow`]: two short functions hold the whole order. Each stage below *consumes* the value before it and
//! *owns* it, and its fields are private; so what must not happen does not compile.
//!
//! | stage | takes → gives | where | port |
//! |---|---|---|---|
//! | connection | socket → `PeerChain` | [`crate::adapters::tls`] | |
//! | identity | `PeerChain` → `VerifiedAgency` | [`crate::core::identity`] | `Trust` |
//! | token | `VerifiedAgency` → `VerifiedCall` | [`crate::core::token`] | `TokenVerifier` |
//! | policy | `VerifiedCall` + body → `Permit` | [`crate::core::policy`] | a snapshot |
//! | limit | `Permit` → `Permit` | [`crate::core::limit`]; tokens never seen before have a tier of their own | `Limiter`, `Shield`; `Floods` for refusals |
//! | registry | `Permit` → `Facts` | [`crate::core::registry`] | `Registry` |
//! | decision | `Facts` → `Decision` | [`crate::core::decision`] | none: a pure function |
//! | signing | `Decision` or `Refusal` → `Signed` | [`crate::core::signing`] | `Signer` |
//! | ledger | `Signed` → `Recorded` | [`crate::core::ledger`] | `Ledger` |
//! | reply | `Recorded` → `Reply` | [`crate::core::reply`] | |
//!
//! A refusal may come out of any stage. It carries what was known so far and takes the same last three stages as an answer.
//! The only reply without a record is the bare 503. One of a flood of refusals gets no reply at all.
//!
//! # The four misuses that do not compile
//!
//! A look-up without a permit: facts come only from a look-up, and a look-up consumes a permit.
//!
//! ```compile_fail,E0308
//! use estelam::core::{domain::{clock::Deadline, identifier::Identifier}, registry::{Registry, look_up}};
//! async fn snoop(registry: &dyn Registry, identifier: Identifier, by: Deadline) {
//!     look_up(identifier, registry, by).await; // wants a `Permit`, which only `policy::permit` makes
//! }
//! ```
//!
//! A reply that was never recorded: rendering consumes a `Recorded`, which only the ledger stage makes.
//!
//! ```compile_fail,E0308
//! use estelam::core::{reply, signing::Signed};
//! fn leak(signed: Signed) -> reply::Reply {
//!     reply::render(signed, "origin", reply::Format::Json)
//! }
//! ```
//!
//! A receipt paired with another answer: the fields of `Recorded` are private, so a receipt cannot be put beside another conclusion.
//!
//! ```compile_fail,E0451
//! use estelam::core::{ledger::{Receipt, Recorded}, signing::Signed};
//! fn pair(signed: Signed, receipt: Receipt) -> Recorded {
//!     Recorded { signed, receipt }
//! }
//! ```
//!
//! A permit used twice: it is moved into the facts of its one look-up.
//!
//! ```compile_fail,E0382
//! use estelam::core::{domain::clock::Deadline, policy::Permit, registry::{Registry, look_up}};
//! async fn twice(permit: Permit, registry: &dyn Registry, by: Deadline) {
//!     let first = look_up(permit, registry, by).await;
//!     let second = look_up(permit, registry, by).await;
//! }
//! ```
//!
//! The same calls with the right values do compile:
//!
//! ```
//! use estelam::core::{domain::clock::Deadline, ledger::Recorded, policy::Permit, registry::{Facts, Registry, look_up}, reply};
//! async fn ask(permit: Permit, registry: &dyn Registry, by: Deadline) -> Facts {
//!     look_up(permit, registry, by).await
//! }
//! fn answer(recorded: Recorded) -> reply::Reply {
//!     reply::render(recorded, "origin", reply::Format::Json)
//! }
//! ```
