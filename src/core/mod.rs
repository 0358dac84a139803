//! The pure part: one module per stage of the request path, and the vocabulary under them all.

pub mod decision;
pub mod domain;
pub mod identity;
pub mod ledger;
pub mod limit;
pub mod policy;
pub mod registry;
pub mod reply;
pub mod signing;
pub mod token;
pub mod watch;
