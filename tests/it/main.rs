//! Integration tests, in one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod policy_files;
mod policy_permit;
mod policy_reload;
mod policy_support;
mod policy_table;
