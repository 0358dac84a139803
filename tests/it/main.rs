//! Integration tests: each module drives one part through its public face.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

mod mini_pki;
mod registry_service;
