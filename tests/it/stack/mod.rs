//! The whole system in one process: an agency's certificate at one end, the registry's store at the other, and a clock in hand.

mod fixtures;
mod harness;
mod workshop;
