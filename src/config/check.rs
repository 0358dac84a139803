//! What no type says about a configuration: bounds, URLs, and what belongs together. Each fault names its key first.

use std::ops::RangeInclusive;

use super::{Config, Protocol};

/// Milliseconds below which nothing could ever be in time, and beyond which whoever waits has gone.
const WAIT_MS: RangeInclusive<u64> = 10..=10 * 60 * 1000;
const DAY_S: u64 = 24 * 60 * 60;
/// Bytes of a query with all its fields.
const SMALLEST_BODY: u64 = 1024;
/// Bytes beyond which a body would be no query.
const LARGEST_BODY: u64 = 1 << 20;
/// Beyond it a bound on what is there at once (connections, waiting look-ups, turns, calls) bounds nothing.
const MOST_AT_ONCE: u64 = 1_000_000;
/// Threads beyond which no machine has processors.
const MOST_WORKERS: u64 = 1024;
/// People beyond which a cache would be a register of the world.
const MOST_PEOPLE: u64 = 1_000_000_000;
/// MiB beyond which a reserve would be a disk of its own, and a cache a register.
const MOST_MIB: u64 = 1 << 20;
/// Milliseconds between two looks at a list that would be no rest for its server.
const SHORTEST_POLL_MS: u64 = 100;

impl Config {
    pub(super) fn check(&self) -> Result<(), String> {
        if !self.listen.ops.ip().is_loopback() {
            return Err("`listen.ops` must be a loopback address: it has no TLS".to_owned());
        }
        if self.trust_domain.is_empty()
            || self.trust_domain.bytes().any(|b| !(b.is_ascii_lowercase() || b.is_ascii_digit() || b".-_".contains(&b)))
        {
            return Err("`trust_domain` must be a name of a-z, 0-9, dot, hyphen, underscore, as in `spiffe://<trust-domain>/…`".to_owned());
        }
        self.check_urls()?;
        self.check_bounds()?;
        if self.ledger.witness_checkpoint.is_some() && self.ledger.witness_key.is_none() {
            return Err("`ledger.witness_checkpoint` needs `ledger.witness_key` beside it".to_owned());
        }
        self.audit.check(self.demo)?;
        self.signing.check()?;
        if let Some(events) = &self.events {
            events.check()?;
        }
        if self.registry.protocol != Protocol::Estelam {
            let what = "must be `estelam`: decrees come from there; name a social-protection registry in `[registry.people]`";
            return Err(format!("`registry.protocol` {what}"));
        }
        if let Some(people) = &self.registry.people {
            people.check()?;
        }
        if let Some(alerts) = &self.alerts {
            alerts.check()?;
        }
        self.issuers.iter().try_for_each(|issuer| issuer.check(&self.issuer, &self.issuers))?;
        Ok(())
    }

    fn check_urls(&self) -> Result<(), String> {
        let further = self.registry.further_urls.iter().map(|url| ("registry.further_urls", url));
        let people = self.registry.people.iter().flat_map(|people| {
            let further = people.further_urls.iter().map(|url| ("registry.people.further_urls", url));
            further.chain([("registry.people.url", &people.url)])
        });
        for (key, url) in [("issuer", &self.issuer), ("registry.url", &self.registry.url)].into_iter().chain(further).chain(people) {
            if !url.starts_with("https://") || url.ends_with('/') {
                return Err(format!("`{key}` must be an `https://` URL without a slash at its end"));
            }
            if !names_a_host(url) {
                return Err(format!("`{key}` must be a URL of the form `https://host` or `https://host:port`"));
            }
        }
        if self.registry.identity.as_ref().is_some_and(|identity| !identity.starts_with("spiffe://")) {
            return Err("`registry.identity` must be a `spiffe://` URI, or left out".to_owned());
        }
        if self.tls.crl_urls.iter().any(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
            return Err("`tls.crl_urls` must be `http://` or `https://` URLs".to_owned());
        }
        Ok(())
    }

    fn check_bounds(&self) -> Result<(), String> {
        if self.tls.crl_grace_h > 168 {
            return Err("`tls.crl_grace_h` must be at most 168: a week without revocation lists is enough".to_owned());
        }
        let (limits, ledger) = (&self.limits, &self.ledger);
        if self.registry.query_ms() < self.registry.timeout_ms {
            return Err("`registry.query_ms` must be at least `registry.timeout_ms`: a query has to wait for one look-up".to_owned());
        }
        for (key, value, allowed) in [
            ("ledger.reserve_mib", ledger.reserve_mib, 0..=MOST_MIB),
            ("ledger.floor_mib", ledger.floor_mib, 0..=MOST_MIB),
            ("ledger.queue", ledger.queue as u64, 1..=MOST_AT_ONCE),
            ("ledger.checkpoint_every_s", ledger.checkpoint_every_s, 1..=DAY_S),
            ("tls.crl_poll_ms", self.tls.crl_poll_ms, SHORTEST_POLL_MS..=DAY_S * 1000),
            ("registry.timeout_ms", self.registry.timeout_ms, WAIT_MS),
            ("registry.query_ms", self.registry.query_ms.unwrap_or(*WAIT_MS.end()), WAIT_MS),
            ("registry.cache", self.registry.cache, 1..=MOST_PEOPLE),
            ("registry.cache_mib", self.registry.cache_mib, 1..=MOST_MIB),
            ("registry.waiting", self.registry.waiting as u64, 1..=MOST_AT_ONCE),
            ("limits.workers", limits.workers as u64, 1..=MOST_WORKERS),
            ("limits.connections", limits.connections as u64, 1..=MOST_AT_ONCE),
            ("limits.connections_per_address", limits.connections_per_address as u64, 1..=MOST_AT_ONCE),
            ("limits.handshakes_per_address", limits.handshakes_per_address.into(), 1..=MOST_AT_ONCE),
            ("limits.handshake_ms", limits.handshake_ms, WAIT_MS),
            ("limits.head_ms", limits.head_ms, WAIT_MS),
            ("limits.body_ms", limits.body_ms, WAIT_MS),
            ("limits.keep_alive_s", limits.keep_alive_s, 1..=DAY_S),
            ("limits.body_bytes", limits.body_bytes as u64, SMALLEST_BODY..=LARGEST_BODY),
            ("limits.grid_ms", limits.grid_ms, 1..=*WAIT_MS.end()),
            ("limits.tokens_per_address", limits.tokens_per_address.into(), 1..=MOST_AT_ONCE),
            ("limits.refusals_per_second", limits.refusals_per_second.into(), 1..=MOST_AT_ONCE),
            ("limits.flood_hold_ms", limits.flood_hold_ms, 0..=*WAIT_MS.end()),
            ("limits.retry_mib", limits.retry_mib, 1..=MOST_MIB),
            ("limits.batch_calls", limits.batch_calls as u64, 1..=MOST_AT_ONCE),
        ] {
            if value < *allowed.start() {
                return Err(format!("`{key}` must be at least {}", allowed.start()));
            }
            if value > *allowed.end() {
                return Err(format!("`{key}` must be at most {}", allowed.end()));
            }
        }
        Ok(())
    }
}

/// Whether an `https://` URL is of printable ASCII, names a host and a port if any, and neither a user, a query nor a fragment.
pub(crate) fn names_a_host(url: &str) -> bool {
    let rest = url.trim_start_matches("https://");
    let authority = rest.split('/').next().unwrap_or_default();
    // The colons of an IPv6 address stand in brackets.
    let after = authority.rfind(']').map_or(0, |end| end + 1);
    let port = authority.get(after..).and_then(|rest| rest.split_once(':')).map(|(_, port)| port);
    let host = authority.len() - port.map_or(0, |port| port.len() + 1);
    rest.bytes().all(|b| b.is_ascii_graphic() && !b"@?#\\\"<>".contains(&b))
        && host > 0
        && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// The reader's words on one line; where they say only what was found, with what is wanted.
pub(super) fn said(message: &str) -> String {
    let said = message.replace('\n', " ");
    if said == "invalid socket address syntax" { format!("{said}; write an IP address and a port, as `0.0.0.0:8443`") } else { said }
}

/// `:LINE` of the key that a message names first in backticks, or of its section; empty where the file has neither.
pub(super) fn place_of(text: &str, message: &str) -> String {
    let named = message.split('`').nth(1).unwrap_or_default();
    let (section, key) = named.rsplit_once('.').unwrap_or(("", named));
    let mut current = "";
    let mut place = None;
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(header) = line.trim().strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            current = header.trim_start_matches('[');
            place = place.or((current == section).then_some(number));
        } else if current == section && line.split('=').next().is_some_and(|before| before.trim() == key) {
            return format!(":{number}");
        }
    }
    place.map_or_else(String::new, |line| format!(":{line}"))
}
