//! The whole system in one process: an agency's certificate at one end, the registry's store at the other, and a clock in hand.

mod agency_life;
mod alarm;
mod changes;
mod cutoff;
mod decree_table;
mod fixtures;
mod harness;
mod harvest;
mod holder;
mod identifiers;
mod legal;
mod legal_table;
mod outage;
mod people;
mod protection;
mod record;
mod refusals;
mod registry_trust;
mod replay;
mod replies;
mod routes;
mod stopping;
mod tools;
mod unreadable;
mod workshop;
mod wrapped;
