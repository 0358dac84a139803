//! The whole system in one process: an agency's certificate at one end, the registry's store at the other, and a clock in hand.

mod changes;
mod fixtures;
mod harness;
mod holder;
mod identifiers;
mod outage;
mod refusals;
mod replies;
mod routes;
mod workshop;
mod wrapped;
