//! The registry as a process of its own: it says where it listens, and ends when its standard input closes.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::adapters::pki::TRUST_DOMAIN;
use crate::cli::{CliError, Failure};

/// A running `estelam registry serve`.
pub(super) struct RegistryChild {
    process: Child,
    port: u16,
}

impl RegistryChild {
    /// Starts it on `port` (0 takes a free one), to push what changes to a gateway, and waits until it listens.
    pub(super) fn start(dir: &Path, port: u16, gateway: &str) -> Result<Self, CliError> {
        let own = std::env::current_exe().doing("cannot find the running program")?;
        let mut process = Command::new(own)
            .args(["registry", "serve", "--until-stdin-closes", "--trust-domain", TRUST_DOMAIN])
            .args(["--port", &port.to_string(), "--push", gateway, "--dir"])
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .doing("cannot start the registry process")?;
        let stdout = process.stdout.take().ok_or_else(|| CliError::failed("the registry process has no output"))?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).doing("the registry process broke off")?;
        let port = line.trim().strip_prefix("listening on 127.0.0.1:").and_then(|port| port.parse().ok());
        match port {
            Some(port) => Ok(Self { process, port }),
            None => {
                let _ = process.kill();
                let _ = process.wait();
                Err(CliError::failed("the registry process did not start; its own message stands above"))
            }
        }
    }

    /// The port on which it listens.
    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// Closes its input and waits for its end.
    pub(super) fn stop(mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
