//! `[limits]` of `estelam.toml`: bounds on connections and requests.

use serde::Deserialize;

/// Bounds on connections and requests.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Worker threads of the `gateway` listener.
    pub workers: usize,
    /// Connections at once, in total.
    pub connections: usize,
    /// Connections at once from one address.
    pub connections_per_address: usize,
    /// TLS handshakes that are begun a second for one address, and `connections_per_address` at once after a quiet time. Further ones wait.
    pub handshakes_per_address: u32,
    /// Milliseconds for the TLS handshake.
    pub handshake_ms: u64,
    /// Milliseconds for a request's head, on every request of a connection.
    pub head_ms: u64,
    /// Milliseconds for a request's body, on every request of a connection.
    pub body_ms: u64,
    /// Seconds that an idle connection is kept.
    pub keep_alive_s: u64,
    /// Largest body of a verification query in bytes.
    pub body_bytes: usize,
    /// Grid in milliseconds on which `not-established` leaves.
    pub grid_ms: u64,
    /// Calls of the token endpoint per second from one address, besides the agencies' own limits.
    pub tokens_per_address: u32,
    /// Refusals a second of one certificate that are told and recorded one by one, and twenty times as many at once. More are counted,
    /// and their connections closed.
    pub refusals_per_second: u32,
    /// Milliseconds for which such a connection is held before it closes, so that a flood cannot spend our time on handshakes; twice as long in
    /// each further second of the flood, up to sixteen times; and each for up to twice that time, so that not all come back at once.
    pub flood_hold_ms: u64,
    /// Queries of batches that are worked on at once, and that begin every six milliseconds beside a counter, one after the other. The others wait until it
    /// is their turn, so that a counter never waits for many.
    pub batch_calls: usize,
    /// MiB of memory that recorded answers take for retries under an `Idempotency-Key`. Where it is full, the agency that has most of it gives up its
    /// oldest: a retry is answered anew then, tied to its first answer and not counted again.
    pub retry_mib: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            connections: 10_000,
            connections_per_address: 256,
            handshakes_per_address: 100,
            handshake_ms: 5_000,
            head_ms: 5_000,
            body_ms: 5_000,
            keep_alive_s: 60,
            body_bytes: 8 * 1024,
            grid_ms: 50,
            tokens_per_address: 500,
            refusals_per_second: 200,
            flood_hold_ms: 500,
            batch_calls: 16,
            retry_mib: 256,
        }
    }
}
