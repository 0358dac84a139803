//! `estelam config`: the configuration that a new installation begins with.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{CliError, Failure};
use crate::config::{Config, Names, installation};

/// Port of the gateway and of the registry where none is named.
const GATEWAY_PORT: u16 = 8443;
const REGISTRY_PORT: u16 = 8446;
/// The port of `https://` URLs that name none.
const HTTPS: u16 = 443;
/// Longest trust domain (SPIFFE-ID, section 2.1) and longest host name (RFC 1035).
const LONGEST: usize = 253;

/// The configuration.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigVerb {
    /// Print a commented `estelam.toml` of a new installation
    New(New),
}

impl ConfigVerb {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        match self {
            Self::New(new) => print!("{}", new.text()?),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The names of a new installation.
#[derive(Debug, Args)]
pub(super) struct New {
    /// Trust domain of every certificate's name (`spiffe://TRUST-DOMAIN/…`); it stays for good
    #[arg(long, value_parser = trust_domain)]
    trust_domain: String,
    /// Where agencies reach the gateway: `HOST`, or `HOST:PORT` (8443 if left out); the public listener has the next port
    #[arg(long, value_name = "HOST[:PORT]", value_parser = gateway_at)]
    gateway: Endpoint,
    /// Where the gateway reaches the registry: `HOST`, or `HOST:PORT` (8446 if left out)
    #[arg(long, value_name = "HOST[:PORT]", value_parser = registry_at)]
    registry: Endpoint,
    /// Address on which agencies and the public are listened for
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    listen: IpAddr,
}

/// A host and a port.
#[derive(Clone, Debug)]
struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    fn url(&self) -> String {
        if self.port == HTTPS { format!("https://{}", self.host) } else { format!("https://{}:{}", self.host, self.port) }
    }
}

impl New {
    fn text(&self) -> Result<String, CliError> {
        let Endpoint { host, port } = &self.gateway;
        let next = |by: u16| port.checked_add(by).ok_or_else(|| CliError::usage(format_args!("port {port} has no two ports after it")));
        let names = Names {
            issuer: self.gateway.url(),
            trust_domain: self.trust_domain.clone(),
            origin: format!("{host}/estelam"),
            registry: self.registry.url(),
            gateway: SocketAddr::new(self.listen, *port),
            public: SocketAddr::new(self.listen, next(1)?),
            ops: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), next(2)?),
        };
        let text = installation(&names);
        Config::parse(&text, Path::new("estelam.toml")).doing("these names make no configuration")?;
        Ok(text)
    }
}

/// Whether a text is made of labels of letters, digits, hyphens and underscores with dots between them.
fn is_name(text: &str) -> bool {
    let label = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    text.len() <= LONGEST && text.split('.').all(label)
}

pub(super) fn trust_domain(text: &str) -> Result<String, &'static str> {
    let lower_case = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    if is_name(text) && lower_case { Ok(text.to_owned()) } else { Err("write the trust domain alone, in lower case: `gov.example`") }
}

fn gateway_at(text: &str) -> Result<Endpoint, &'static str> {
    endpoint(text, GATEWAY_PORT)
}

fn registry_at(text: &str) -> Result<Endpoint, &'static str> {
    endpoint(text, REGISTRY_PORT)
}

fn endpoint(text: &str, usual: u16) -> Result<Endpoint, &'static str> {
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, port.parse().ok().filter(|port| *port != 0)),
        None => (text, Some(usual)),
    };
    match port {
        Some(port) if is_name(host) => Ok(Endpoint { host: host.to_owned(), port }),
        _ => Err("write a host, or a host and a port: `gate.gov.example:8443`"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn new(gateway: &str, registry: &str) -> New {
        let listen = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let (gateway, registry) = (gateway_at(gateway).unwrap(), registry_at(registry).unwrap());
        New { trust_domain: "gov.example".to_owned(), gateway, registry, listen }
    }

    #[test]
    fn what_it_prints_is_a_configuration_of_these_names_and_no_demos() {
        let text = new("gate.gov.example", "registry.gov.example:443").text().unwrap();
        let config = Config::parse(&text, Path::new("/etc/estelam/estelam.toml")).unwrap();
        assert!(!config.demo && config.audit.officer_key.is_none());
        assert_eq!(
            (config.issuer.as_str(), config.registry.url.as_str()),
            ("https://gate.gov.example:8443", "https://registry.gov.example")
        );
        assert_eq!(config.listen.public.to_string(), "0.0.0.0:8444");
        assert_eq!(config.listen.ops.to_string(), "127.0.0.1:8445");
        assert_eq!(config.registry.identity.as_deref(), Some("spiffe://gov.example/server/registry"));
        assert_eq!(config.events.unwrap().sender_name("gov.example"), Some("registry"));
        assert!(!text.contains("estelam.test") && !text.contains("localhost"), "a name of the demo is left");
    }

    #[test]
    fn names_that_could_stand_in_no_certificate_are_refused() {
        for wrong in ["", "Gov.example", "gov..example", "spiffe://gov.example", "gov.example/", "a b", "gov\".example"] {
            assert!(trust_domain(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", ":8443", "gate.example:0", "gate.example:99999", "https://gate.example", "gate.example/x", "a:b:c"] {
            assert!(gateway_at(wrong).is_err(), "{wrong}");
        }
        assert!(new("gate.example:65534", "registry.example").text().is_err(), "no room for the other two ports");
    }
}
