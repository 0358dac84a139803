//! Transport security: who may connect, what the certificate must look like, and for how long a connection may dawdle.
//!
//! Read in this order: [`profile`] (what a client certificate must be), [`verifier`] (the same inside the handshake),
//! [`config`] (the TLS settings), [`crl`], [`offer`] and [`trust`] (revocation and reload), [`server_trust`] (the same for a server that we ask), then [`serve`] (the accept loop) with
//! [`handshake`], `handshake_pool`, `handshake_pace`, [`stream`], [`unreadable`], [`connection`], [`table`] and [`body`].

pub mod body;
pub mod config;
pub mod connection;
pub mod crl;
mod crl_memory;
pub mod handshake;
mod handshake_pace;
mod handshake_pool;
pub mod material;
pub mod offer;
pub mod profile;
pub mod serve;
pub mod server_trust;
pub mod spiffe;
pub mod stream;
pub mod table;
pub mod trust;
pub mod unreadable;
pub mod verifier;
