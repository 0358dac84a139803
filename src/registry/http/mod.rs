//! The registry's HTTP service (contract §5): look-ups, decrees, changes, for callers whose certificate is allowed.

mod guard;
mod holder;
mod problem;
mod routes;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::web;
use tokio::sync::watch::{Receiver, Sender};

use crate::core::domain::agency::AgencyId;
use crate::core::domain::clock::Clock;
use crate::registry::feed::{SubjectKey, SubjectKeyError, watch};
use crate::registry::holder::HolderDesk;
use crate::registry::store::{Store, StoreError};

/// Largest request body in bytes.
const BODY_CAP: usize = 4096;
/// The same where the epochs of three months come along.
const OPEN_CAP: usize = 512 << 10;

/// What the handlers share.
pub struct RegistryState {
    store: Store,
    dir: PathBuf,
    subjects: SubjectKey,
    cursor: Receiver<u64>,
    /// True once the service is stopping: a poll that is held then would only delay the stop.
    ending: Sender<bool>,
    clock: Arc<dyn Clock>,
    allow: Vec<AgencyId>,
    look_ups: AtomicU64,
    /// The desk for holders, where there is one.
    holders: Option<HolderDesk>,
}

/// The service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum RegistryStateError {
    /// Its store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its key.
    #[error(transparent)]
    Key(#[from] SubjectKeyError),
}

impl RegistryState {
    /// Opens the registry in a folder (an installation's `registry/`) for callers whose certificates bear one of these names.
    ///
    /// # Errors
    /// [`RegistryStateError`] when the store or the key cannot be opened.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>, allow: Vec<AgencyId>) -> Result<Self, RegistryStateError> {
        let store = Store::open(dir)?;
        let cursor = watch(&store)?;
        let subjects = SubjectKey::open(dir)?;
        let ending = Sender::new(false);
        Ok(Self { subjects, dir: dir.to_owned(), store, cursor, ending, clock, allow, look_ups: AtomicU64::new(0), holders: None })
    }

    /// With a desk for holders.
    pub fn with_holders(mut self, desk: HolderDesk) -> Self {
        self.holders = Some(desk);
        self
    }

    /// Answers every held poll of the change feed now, and holds no further one.
    pub fn end_polls(&self) {
        self.ending.send_replace(true);
    }

    /// The store, for tools in the same process.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The newest cursor, as it grows.
    pub(in crate::registry) fn news(&self) -> Receiver<u64> {
        self.cursor.clone()
    }

    /// The key that names subjects.
    pub(in crate::registry) const fn subjects(&self) -> &SubjectKey {
        &self.subjects
    }

    /// How many look-ups were asked of this process.
    pub fn look_ups(&self) -> u64 {
        self.look_ups.load(Ordering::Relaxed)
    }
}

/// Mounts the service. The TLS layer must put an `Arc<PeerChain>` into the connection's data; without one every call is 403.
pub fn configure(state: web::Data<RegistryState>) -> impl Fn(&mut web::ServiceConfig) + Clone {
    move |config| {
        config
            .app_data(state.clone())
            .app_data(web::PayloadConfig::new(BODY_CAP))
            .service(
                web::scope("/registry/v1")
                    .wrap(actix_web::middleware::from_fn(guard::allowed_only))
                    .wrap(actix_web::middleware::from_fn(guard::question_again))
                    .route("/lookup", web::post().to(routes::look_up))
                    .route("/identifiers", web::post().to(routes::identifiers))
                    .route("/holder-code", web::post().to(holder::code))
                    .service(web::resource("/holder-open").app_data(web::PayloadConfig::new(OPEN_CAP)).route(web::post().to(holder::open)))
                    .route("/decrees", web::get().to(routes::decrees))
                    .route("/changes", web::get().to(routes::changes)),
            )
            .route("/health/live", web::get().to(routes::live));
    }
}
