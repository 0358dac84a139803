//! The policy folder on disk: reading it, writing the shipped one out, and keeping the snapshot in force up to date.

mod agency;
mod archive;
mod folder;
mod store;
mod suspend;
mod watch;

pub use agency::{is_retired, put_agency, put_request_keys, retire_agency};
pub use archive::Archive;
pub use folder::{begin, install, read};
pub use store::PolicyStore;
pub use suspend::set_suspended;
pub use watch::PolicyWatch;
