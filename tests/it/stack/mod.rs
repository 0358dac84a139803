//! The whole system in one process: an agency's certificate at one end, the registry's store at the other, and a clock in hand.

mod changes;
mod fixtures;
mod harness;
mod harvest;
mod holder;
mod outage;
mod protection;
mod record;
mod refusals;
mod replies;
mod routes;
mod workshop;
mod wrapped;
