//! Messages as files, for a demo: `messages/` in the registry's folder, the only place of an installation that may hold a telephone number.

use std::fs::{DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use uuid::Uuid;

use crate::core::registry::holder::{CodeSender, NotSent};

/// Writes each message into a file of its own.
pub struct FileSender {
    dir: PathBuf,
}

#[derive(Serialize)]
struct Written<'a> {
    to: &'a str,
    text: &'a str,
}

impl FileSender {
    /// The sender of a registry's folder.
    pub fn new(registry_dir: &Path) -> Self {
        Self { dir: registry_dir.join("messages") }
    }

    fn write(&self, message: &Written<'_>) -> std::io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        // Names sort by time, and say nothing else.
        let path = self.dir.join(format!("{}.json", Uuid::now_v7()));
        let draft = path.with_extension("new");
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(&serde_json::to_vec(message)?)?;
        std::fs::rename(draft, path)
    }
}

impl CodeSender for FileSender {
    fn send(&self, msisdn: &str, text: &str) -> Result<(), NotSent> {
        self.write(&Written { to: msisdn, text }).map_err(|_| NotSent)
    }
}
