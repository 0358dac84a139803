//! `estelam registry serve`: the reference registry on its own mutual-TLS listener, for the gateway alone.

use std::net::{Ipv4Addr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use tokio::io::AsyncReadExt;

use crate::adapters::clock::SystemClock;
use crate::app::{Observability, registry, stop_signal};
use crate::cli::place::{Place, no_installation};
use crate::cli::{CliError, Failure, block_on};
use crate::core::domain::clock::Clock;

/// Serve the registry.
#[derive(Debug, Args)]
pub(in crate::cli) struct Serve {
    #[command(flatten)]
    place: Place,
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8446)]
    port: u16,
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
        let _observability = Observability::install().doing("cannot set up logging")?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).doing(format_args!("cannot listen on port {}", self.port))?;
        let port = listener.local_addr().doing("the listener has no address")?.port();
        block_on(async {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let mut running = registry::serve(self.place.dir(), listener, clock.clone()).doing("the registry does not start")?;
            running.push_to(self.place.dir(), &self.push, &clock).doing("the registry cannot push")?;
            println!("listening on 127.0.0.1:{port}");
            if self.until_stdin_closes {
                until_stdin_closes().await;
            } else {
                stop_signal().await.doing("cannot wait for a signal")?;
            }
            running.stop().await.doing("the registry broke off")?;
            Ok(ExitCode::SUCCESS)
        })
    }
}

async fn until_stdin_closes() {
    let mut byte = [0; 64];
    while matches!(tokio::io::stdin().read(&mut byte).await, Ok(read) if read > 0) {}
}
