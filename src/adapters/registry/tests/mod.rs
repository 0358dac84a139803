//! Tests of the gateway side of the registry.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod caching;
mod company;
mod doubtful;
mod failover;
mod fake;
mod feeds;
mod memory;
#[path = "../../../../tests/it/mini_pki.rs"]
mod mini_pki;
mod over_tls;
mod pushed;
mod signed;
mod spdci;
#[path = "../../../../tests/it/spdci_mock.rs"]
mod spdci_mock;

/// A judge for clients that never connect.
pub(super) fn fake_check() -> super::ServerCheck {
    fake::check(&mini_pki::MiniPki::new())
}
