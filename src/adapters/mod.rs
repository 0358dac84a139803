//! The impure part: one module per outside thing, each behind a port of the core.

pub mod clock;
pub mod keys;
pub mod policy_files;
pub mod quota;
pub mod registry;
pub mod tokens;
