//! One request, straight down.
//!
//! Start in [`crate::flow`]: one short file holds the whole order. `POST /v1/verify` comes in at [`crate::adapters::http`] (`verify.rs`), which reads the
//! request and calls [`verify`](crate::flow::verify). Read four functions there, in this order:
//!
//! 1. `verify`: the query is let in, answered, concluded. Whatever happens on the way, the reply was recorded before it exists.
//! 2. `admit`: certificate, token, scope. (`signature::admit_query` around it looks at a signed request's signature.)
//! 3. `decide`: permit, limits, look-up, decision, and a last look at what may have changed meanwhile.
//! 4. `conclude`: sign, record, reply; the same for answers and refusals.
//!
//! Each stage below *consumes* the value before it and *owns* it, and its fields are private; so what must not happen does not compile.
//!
//! | stage | takes → gives | called as | port |
//! |---|---|---|---|
//! | connection | socket → `PeerChain` | [`crate::adapters::tls`], before the flow | |
//! | identity | `PeerChain` → `VerifiedAgency` | [`identity::identify`](crate::core::identity::identify) | `Trust` |
//! | token | `VerifiedAgency` → `VerifiedCall` | [`token::verify`](crate::core::token::verify) | `TokenVerifier` |
//! | policy | `VerifiedCall` + body → `Permit` | [`policy::permit`](crate::core::policy::permit()) | a snapshot |
//! | limit | `Permit` → `Permit` | [`policy::admit`](crate::core::policy::admit()), [`policy::screen`](crate::core::policy::screen); the words are in [`crate::core::limit`] | `Limiter`, `Shield`; `Floods` for refusals |
//! | registry | `Permit` → `Facts` | [`registry::look_up`](crate::core::registry::look_up) | `Registry` |
//! | decision | `Facts` → `Decision` | [`decision::decide`](crate::core::decision::decide) | none: a pure function |
//! | signing | `Decision` or `Refusal` → `Signed` | [`signing::sign`](crate::core::signing::sign) | `Signer` |
//! | ledger | `Signed` → `Recorded` | [`ledger::record`](crate::core::ledger::record) | `Ledger` |
//! | reply | `Recorded` → `Reply` | [`reply::render`](crate::core::reply::render) | |
//! | beside them | [`Delivery`](crate::core::signing::Delivery) → `Signed` | [`flow::deliver`](crate::flow::deliver) | the last three stages for what is neither answer nor refusal: tokens and the errors of OAuth (`invalid_client` is a `Delivery` of status 401, no `Refusal`), reads of the log, pushed events |
//!
//! The ports are traits in those modules; [`crate::adapters`] implements them, and [`crate::app`] alone knows which implements which
//! (`parts.rs` builds the [`Gate`](crate::flow::Gate)).
//!
//! A refusal may come out of any stage. It carries what was known so far and takes the same last three stages as an answer.
//! The only reply without a record is the bare 503 (`Reply::bare`, beside `render`). One of a flood of refusals gets no reply at all (`Reply::silence`).
//!
//! Leave these for a second reading: retries under an `Idempotency-Key` (`flow/retry.rs`), turns between counters and batches (`flow/turns.rs`), what a 503
//! still says (`flow/advice.rs`), how long a long read stays allowed (`flow/tenure.rs`).
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
