//! `estelam registry serve`: the reference registry on its own mutual-TLS listener, for the gateway alone.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use tokio::io::AsyncReadExt;

use super::store_dir;
use crate::adapters::clock::SystemClock;
use crate::app::{Observability, StopSignal, registry};
use crate::cli::config::trust_domain;
use crate::cli::place::{Place, no_installation};
use crate::cli::{CliError, Failure, block_on};
use crate::core::domain::clock::Clock;
use crate::registry::store::Store;

/// Serve the registry.
#[derive(Debug, Args)]
pub(in crate::cli) struct Serve {
    #[command(flatten)]
    place: Place,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,
    /// Port; 0 takes a free one
    #[arg(long, default_value_t = 8446)]
    port: u16,
    /// Trust domain of the gateways' certificates and of its own; that of the folder's `estelam.toml`, where there is one, if left out
    #[arg(long, value_parser = trust_domain)]
    trust_domain: Option<String>,
    /// Push what changes to a gateway too, by its issuer URL (`[events]` in its configuration); may be given several times
    #[arg(long, value_name = "URL")]
    push: Vec<String>,
    /// End when standard input closes, so that the process never outlives the one that started it
    #[arg(long)]
    until_stdin_closes: bool,
}

impl Serve {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let dir = self.place.dir();
        if !dir.join("pki").is_dir() {
            return Err(no_installation(dir));
        }
        let trust_domain = self.trust_domain()?;
        there_is_one(dir)?;
        let _observability = Observability::install().doing("cannot set up logging")?;
        let address = SocketAddr::new(self.listen, self.port);
        let listener =
            TcpListener::bind(address).doing(format_args!("cannot listen on {address}; choose another with `--listen` and `--port`"))?;
        let address = listener.local_addr().doing("the listener has no address")?;
        block_on(async {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let mut running =
                registry::serve(self.place.dir(), &trust_domain, listener, clock.clone()).doing("the registry does not start")?;
            running.push_to(self.place.dir(), &self.push, &clock).doing("the registry cannot push")?;
            let told_to_stop = if self.until_stdin_closes { None } else { Some(StopSignal::listen().doing("cannot wait for a signal")?) };
            println!("listening on {address}");
            match told_to_stop {
                None => until_stdin_closes().await,
                Some(mut signal) => signal.came().await,
            }
            running.stop().await.doing("the registry broke off")?;
            Ok(ExitCode::SUCCESS)
        })
    }

    /// The trust domain that was named, or that of the folder's configuration. A registry under another one would refuse every gateway.
    fn trust_domain(&self) -> Result<String, CliError> {
        match &self.trust_domain {
            Some(named) => match self.place.config() {
                Ok(config) if config.trust_domain != *named => Err(CliError::usage(format_args!(
                    "`--trust-domain {named}`, but the folder's configuration says `{}`; all are of one trust domain, so leave the option out",
                    config.trust_domain
                ))),
                _ => Ok(named.clone()),
            },
            None if self.place.is_configured() => Ok(self.place.config()?.trust_domain),
            None => Err(CliError::usage(
                "there is no `estelam.toml` here that says the trust domain of the certificates: name it with `--trust-domain`",
            )),
        }
    }
}

/// A registry begins with what is filled into it: one that is gone must not come back empty, and find nobody.
fn there_is_one(dir: &Path) -> Result<(), CliError> {
    if Store::exists(&store_dir(dir)) {
        return Ok(());
    }
    Err(CliError::failed(format_args!(
        "there is no registry in `{}`; put its `registry/` back from a copy, name another folder with `--dir`, or begin a new one with \
         `estelam registry import`",
        dir.display()
    )))
}

async fn until_stdin_closes() {
    let mut byte = [0; 64];
    while matches!(tokio::io::stdin().read(&mut byte).await, Ok(read) if read > 0) {}
}
