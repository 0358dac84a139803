//! The impure part: one module per outside thing, each behind a port of the core.

pub mod cases;
pub mod clock;
pub mod crl_source;
pub mod cutoff;
pub mod enrolment;
pub mod http;
pub mod issuers;
pub mod keys;
pub mod pki;
pub mod policy_files;
pub mod quota;
pub mod registry;
pub mod shield;
pub mod store;
pub mod tls;
pub mod tokens;
pub mod watch;
pub mod webhook;
