//! Integration tests, in one binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    reason = "tests"
)]

mod tls_certificates;
mod tls_connections;
mod tls_hostile;
mod tls_listeners;
mod tls_revocation;
mod tls_support;
