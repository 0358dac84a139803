//! Where an installation is: `--dir DIR`, and what its `demo.json` says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::{CliError, Failure};

/// `--dir DIR`.
#[derive(Debug, Clone, Args)]
pub(super) struct Place {
    /// Folder of a demo or an installation
    #[arg(long, default_value = "var/demo")]
    pub(super) dir: PathBuf,
}

/// `DIR/demo.json` (contract §1): where the listeners are and which files an agency uses. Paths are relative to DIR.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct DemoFile {
    pub(super) gateway: String,
    pub(super) public: String,
    pub(super) ops: String,
    pub(super) registry: String,
    pub(super) ca: PathBuf,
    pub(super) agencies: BTreeMap<String, AgencyFiles>,
}

/// The files of one agency.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AgencyFiles {
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
}

impl DemoFile {
    pub(super) fn read(dir: &Path) -> Result<Self, CliError> {
        let path = dir.join("demo.json");
        let text = std::fs::read_to_string(&path).doing(format_args!(
            "cannot read `{}`; start `estelam demo --dir {}` first",
            path.display(),
            dir.display()
        ))?;
        serde_json::from_str(&text).doing(format_args!("`{}` is not a demo file", path.display()))
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(self).doing("cannot describe the demo")?;
        write_atomically(&dir.join("demo.json"), text.as_bytes())
    }

    pub(super) fn agency(&self, name: &str) -> Result<&AgencyFiles, CliError> {
        self.agencies.get(name).ok_or_else(|| {
            let names: Vec<_> = self.agencies.keys().map(String::as_str).collect();
            CliError::usage(format_args!("no agency `{name}` here; there are {}", names.join(", ")))
        })
    }
}

/// Writes a file so that a reader sees the old one or the new one, never a half.
pub(super) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let draft = path.with_extension("tmp");
    std::fs::write(&draft, bytes).doing(format_args!("cannot write `{}`", draft.display()))?;
    std::fs::rename(&draft, path).doing(format_args!("cannot put `{}` in place", path.display()))
}

/// Writes a new file that only its owner can read.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .doing(format_args!("cannot make `{}`", path.display()))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).doing(format_args!("cannot write `{}`", path.display()))
}
