//! `estelam registry serve`: the reference registry on its own mutual-TLS listener, for the gateway alone.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use actix_web::web::Data;
use clap::Args;
use tokio::io::AsyncReadExt;

use super::store_dir;
use crate::adapters::clock::SystemClock;
use crate::adapters::tls::config::ServerIdentity;
use crate::adapters::tls::handshake::TlsMode;
use crate::adapters::tls::serve::{ListenerSpec, serve};
use crate::adapters::tls::table::{ConnectionLimits, ConnectionTable};
use crate::adapters::tls::trust::{CertificateTrust, TrustSettings};
use crate::app::{Observability, stop_signal};
use crate::cli::place::Place;
use crate::cli::{CliError, Failure, block_on};
use crate::core::domain::agency::AgencyId;
use crate::core::domain::clock::Clock;
use crate::registry::http::{RegistryState, configure};

/// Who may ask the registry.
pub(in crate::cli) const CALLERS: [&str; 1] = ["gateway-client"];

/// Serve the registry.
#[derive(Debug, Args)]
pub(in crate::cli) struct Serve {
    #[command(flatten)]
    place: Place,
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8446)]
    port: u16,
    /// End when standard input closes, so that the process never outlives the one that started it
    #[arg(long)]
    until_stdin_closes: bool,
}

impl Serve {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let _observability = Observability::install().doing("cannot set up logging")?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).doing(format_args!("cannot listen on port {}", self.port))?;
        let port = listener.local_addr().doing("the listener has no address")?.port();
        block_on(async {
            let server = start(&self.place.dir, listener, Arc::new(SystemClock))?;
            let handle = server.handle();
            let running = tokio::spawn(server);
            println!("listening on 127.0.0.1:{port}");
            if self.until_stdin_closes {
                until_stdin_closes().await;
            } else {
                stop_signal().await.doing("cannot wait for a signal")?;
            }
            handle.stop(true).await;
            running.await.doing("the listener broke off")?.doing("the listener broke off")?;
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// Runs the registry of a folder on a bound socket.
///
/// # Errors
/// A certificate, a revocation list or the store cannot be used.
pub(in crate::cli) fn start(dir: &Path, listener: TcpListener, clock: Arc<dyn Clock>) -> Result<actix_server::Server, CliError> {
    let pki = dir.join("pki");
    let settings = TrustSettings {
        trust_domain: "estelam.test".into(),
        roots: pki.join("ca.pem"),
        intermediates: pki.join("intermediate.pem"),
        crl_dir: pki.join("crl"),
        identity: ServerIdentity { certificate: pki.join("registry/cert.pem"), key: pki.join("registry/key.pem") },
        allow_tls12: false,
    };
    let caller = |agency: &AgencyId| CALLERS.contains(&agency.as_str());
    let trust = CertificateTrust::open(settings, clock.clone(), Arc::new(caller)).doing("the registry's certificates")?;
    let state = RegistryState::open(&store_dir(dir), clock, CALLERS.map(str::to_owned).to_vec()).doing("the registry's store")?;
    let limits = ConnectionLimits::default();
    let spec = ListenerSpec { name: "registry", listener, tls: TlsMode::Mutual(trust), limits, workers: 1 };
    serve(spec, ConnectionTable::new(), configure(Data::new(state))).doing("the registry's listener")
}

async fn until_stdin_closes() {
    let mut byte = [0; 64];
    while matches!(tokio::io::stdin().read(&mut byte).await, Ok(read) if read > 0) {}
}
