//! Integration tests: each module drives one part through its public face.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

mod busy_start;
mod client_assertion;
mod commands;
mod counters;
mod decree_commands;
mod foreign_keys;
mod full_disk;
mod house;
mod installing;
mod jose_vectors;
mod killed_verbs;
mod ledger;
mod ledger_note;
mod ledger_vectors;
mod legal_cases;
mod manual;
mod mini_pki;
mod openapi;
mod outside_token;
mod packages;
mod policy_clients;
mod policy_dates;
mod policy_files;
mod policy_permit;
mod policy_reload;
mod policy_support;
mod policy_table;
mod registry_service;
mod request_desk;
mod rotated_content;
mod secrets;
mod sigkill;
mod sigkill_load;
#[allow(dead_code, reason = "shared with the fault bench, which needs more of it")]
mod sigkill_support;
#[allow(dead_code, reason = "shared with the unit tests of the client, which need more of it")]
mod spdci_mock;
mod stack;
mod succession;
mod tls_certificates;
mod tls_connections;
mod tls_hostile;
mod tls_listeners;
mod tls_refused_lists;
mod tls_resumption;
mod tls_revocation;
mod tls_support;
mod tls_weak;
mod token;
mod token_attacks;
mod token_issue;
mod token_kinds;
mod token_mutations;
mod wrong_edits;
mod x509_limbo;
