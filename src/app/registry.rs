//! The reference registry of an installation's folder on its own mutual-TLS listener, for the gateway alone.

use std::fmt::Display;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_server::ServerHandle;
use actix_web::web::Data;
use jiff::SignedDuration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::StartError;
use super::memories::{AGENCY_LISTS, Memories};
use super::pushing::receivers;
use super::watch::ListWatch;
use crate::adapters::tls::config::ServerIdentity;
use crate::adapters::tls::handshake::TlsMode;
use crate::adapters::tls::material::MaterialError;
use crate::adapters::tls::serve::{ListenerSpec, serve as listen};
use crate::adapters::tls::table::{ConnectionLimits, ConnectionTable};
use crate::adapters::tls::trust::{CertificateTrust, Standing, TrustSettings};
use crate::core::domain::agency::AgencyId;
use crate::core::domain::clock::Clock;
use crate::core::identity::PeerChain;
use crate::registry::http::{RegistryState, configure};
use crate::registry::push;

/// Who may ask the registry: `spiffe://TRUST-DOMAIN/service/gateway`, whole, and nobody else. No agency can be given such a name.
const CALLER: &str = "gateway";

/// How long the gateways' own certificates are taken on overdue lists.
pub(super) const CRL_GRACE: SignedDuration = SignedDuration::from_hours(24);

/// How long a stop waits for the replies to held polls before it goes on.
const ANSWERED_WITHIN: Duration = Duration::from_millis(300);

/// A running registry.
pub struct RunningRegistry {
    state: Data<RegistryState>,
    table: Arc<ConnectionTable>,
    handle: ServerHandle,
    task: JoinHandle<std::io::Result<()>>,
    lists: ListWatch,
    pushing: Vec<JoinHandle<()>>,
    trust_domain: Arc<str>,
}

impl RunningRegistry {
    /// The state, for tools and tests in the same process.
    pub const fn state(&self) -> &Data<RegistryState> {
        &self.state
    }

    /// How often the revocation lists were read again since the start, and whenever they are.
    pub fn list_reads(&self) -> watch::Receiver<u64> {
        self.lists.reads()
    }

    /// Tells gateways (by their issuer URLs) what changes, from now on, and no others.
    ///
    /// # Errors
    /// The key of the events, a certificate or the store cannot be used.
    pub fn push_to(&mut self, dir: &Path, gateways: &[String], clock: &Arc<dyn Clock>) -> Result<(), StartError> {
        let receivers = receivers(dir, gateways, &self.trust_domain, clock)?;
        Memories::of_registry(dir).note()?;
        push::begin(self.state.store(), gateways).map_err(|error| fault("store", &error))?;
        self.stop_pushing();
        self.pushing = receivers.into_iter().map(|receiver| tokio::spawn(receiver.keep(self.state.clone()))).collect();
        Ok(())
    }

    fn stop_pushing(&mut self) {
        for task in std::mem::take(&mut self.pushing) {
            task.abort();
        }
    }

    /// Answers held polls and what else is under way, then stops.
    ///
    /// # Errors
    /// The listener broke off.
    pub async fn stop(mut self) -> Result<(), StartError> {
        self.stop_pushing();
        self.state.end_polls();
        self.table.drain(ANSWERED_WITHIN).await;
        self.handle.stop(true).await;
        let ended = self.task.await.map_err(|error| fault("listener", &error))?;
        ended.map_err(|error| fault("listener", &error))
    }

    /// Stops in the middle of everything, as a machine does that fails.
    pub async fn break_off(mut self) {
        self.stop_pushing();
        self.handle.stop(false).await;
        let _ = self.task.await;
    }
}

/// Runs the registry of a folder on a bound socket, for the gateway of a trust domain. Wants a runtime.
///
/// # Errors
/// A certificate, a revocation list or the store cannot be used.
pub fn serve(dir: &Path, trust_domain: &str, listener: TcpListener, clock: Arc<dyn Clock>) -> Result<RunningRegistry, StartError> {
    let trust_domain: Arc<str> = trust_domain.into();
    let memories = Memories::of_registry(dir);
    memories.demand()?;
    let trust = settings(dir, trust_domain.clone())
        .and_then(|settings| CertificateTrust::open(settings, clock.clone(), Arc::new(Callers)))
        .map_err(|error| fault("certificates", &error))?;
    let state = RegistryState::open(&dir.join("registry"), clock, callers()).map_err(|error| fault("store", &error))?;
    memories.note()?;
    let desk = super::holder::desk(&dir.join("registry")).map_err(|error| fault("holder.key", &error))?;
    let state = Data::new(state.with_holders(desk));
    let limits = ConnectionLimits::default();
    let spec =
        ListenerSpec { name: "registry", listener, tls: TlsMode::Mutual(trust.clone()), limits, workers: 1, refuse_unreadable: None };
    let lists = ListWatch::start(trust, &dir.join("pki/crl"));
    let table = ConnectionTable::new();
    let server = listen(spec, table.clone(), configure(state.clone())).map_err(|error| fault("listener", &error))?;
    Ok(RunningRegistry { state, table, handle: server.handle(), task: tokio::spawn(server), pushing: Vec::new(), lists, trust_domain })
}

fn callers() -> Vec<AgencyId> {
    AgencyId::service(CALLER).into_iter().collect()
}

/// Those who may ask the registry.
struct Callers;

impl Standing for Callers {
    fn agency_active(&self, peer: &PeerChain) -> bool {
        peer.branch.is_none() && callers().contains(&peer.agency)
    }
}

fn settings(dir: &Path, trust_domain: Arc<str>) -> Result<TrustSettings, MaterialError> {
    let pki = dir.join("pki");
    Ok(TrustSettings {
        trust_domain,
        roots: pki.join("ca.pem"),
        intermediates: pki.join("intermediate.pem"),
        crl_dir: pki.join("crl"),
        crl_memory: dir.join("registry").join(AGENCY_LISTS),
        crl_grace: CRL_GRACE,
        identity: ServerIdentity::read(&pki.join("registry/cert.pem"), &pki.join("registry/key.pem"))?,
        allow_tls12: false,
    })
}

fn fault(what: &str, error: &impl Display) -> StartError {
    StartError(format!("the registry's {what}: {error}"))
}
