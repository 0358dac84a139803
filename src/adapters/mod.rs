//! The impure part: one module per outside thing, each behind a port of the core.

pub mod clock;
pub mod store;
