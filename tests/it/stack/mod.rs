//! The whole system in one process: an agency's certificate at one end, the registry's store at the other, and a clock in hand.

mod alarm;
mod changes;
mod decree_table;
mod fixtures;
mod harness;
mod holder;
mod legal;
mod legal_table;
mod outage;
mod people;
mod refusals;
mod replay;
mod replies;
mod routes;
mod tools;
mod registry_trust;
mod stopping;
mod unreadable;
mod workshop;
mod wrapped;
