//! Integration tests: each module drives one part through its public face.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

mod commands;
mod counters;
mod house;
mod ledger;
mod ledger_note;
mod ledger_vectors;
mod mini_pki;
mod openapi;
mod policy_dates;
mod policy_files;
mod policy_permit;
mod policy_reload;
mod policy_support;
mod policy_table;
mod registry_service;
mod sigkill;
mod sigkill_load;
mod sigkill_support;
mod stack;
mod tls_certificates;
mod tls_connections;
mod tls_hostile;
mod tls_listeners;
mod tls_revocation;
mod tls_support;
mod token;
mod token_attacks;
mod token_issue;
