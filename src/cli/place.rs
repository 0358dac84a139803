//! Where an installation is: `--dir DIR` or `--config FILE`, and what its `demo.json` says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::{CliError, Failure};
use crate::config::Config;
use crate::core::domain::agency::RESERVED;
use crate::files;

/// The folder that is taken when none is named.
const USUAL: &str = "var/demo";

/// `--dir DIR` or `--config FILE`.
#[derive(Debug, Clone, Args)]
pub(super) struct Place {
    /// Folder of a demo or an installation
    #[arg(long, default_value = USUAL, conflicts_with = "config")]
    dir: PathBuf,
    /// Configuration file of an installation; its folder is the installation's
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    /// The folder.
    pub(super) fn dir(&self) -> &Path {
        let of_config = self.config.as_deref().map(|file| file.parent().filter(|dir| !dir.as_os_str().is_empty()));
        of_config.map_or(&*self.dir, |parent| parent.unwrap_or(Path::new(".")))
    }

    /// The configuration.
    ///
    /// # Errors
    /// There is none, or it is not usable.
    pub(super) fn config(&self) -> Result<Config, CliError> {
        let path = self.config.clone().unwrap_or_else(|| self.dir.join("estelam.toml"));
        Config::read(&path).doing("the configuration is not usable")
    }

    /// Whether a configuration was named, or lies in the folder.
    pub(super) fn is_configured(&self) -> bool {
        self.config.is_some() || self.dir.join("estelam.toml").exists()
    }

    /// The policy folder: where the configuration says, or the usual one of a folder that is not configured yet.
    ///
    /// # Errors
    /// The configuration is not usable, or there is neither.
    pub(super) fn policies(&self) -> Result<PathBuf, CliError> {
        self.policies_if_any()?.ok_or_else(|| no_installation(&self.dir))
    }

    /// The same; none where there is neither a configuration nor such a folder, as with a registry on a machine of its own.
    ///
    /// # Errors
    /// The configuration is not usable.
    pub(super) fn policies_if_any(&self) -> Result<Option<PathBuf>, CliError> {
        if self.is_configured() {
            return self.config().map(|config| Some(config.policies));
        }
        Ok(Some(self.dir.join("policies")).filter(|folder| folder.is_dir()))
    }

    /// The folder, of which a named configuration must be there.
    ///
    /// # Errors
    /// The configuration that was named is not there.
    pub(super) fn existing_dir(&self) -> Result<&Path, CliError> {
        match self.config.as_deref().filter(|file| !file.is_file()) {
            Some(file) => Err(CliError::failed(format_args!("there is no configuration `{}`; name one with `--config`", file.display()))),
            None => Ok(self.dir()),
        }
    }

    /// Where the listeners are and which certificates there are: as the configuration that was named says, or the folder.
    ///
    /// # Errors
    /// The configuration that was named is not there or not usable, or the folder holds neither.
    pub(super) fn endpoints(&self) -> Result<DemoFile, CliError> {
        match &self.config {
            Some(file) => self.existing_dir().and_then(|dir| DemoFile::of_configuration(file, dir)),
            None => DemoFile::read(&self.dir),
        }
    }

    /// The place as it is typed behind a verb, with a space before it; nothing for the one that is taken when none is named.
    pub(super) fn typed(&self) -> String {
        match &self.config {
            Some(file) => format!(" --config {}", word(file)),
            None if self.dir == Path::new(USUAL) => String::new(),
            None => format!(" --dir {}", word(&self.dir)),
        }
    }

    /// A place in a folder.
    pub(super) const fn of(dir: PathBuf) -> Self {
        Self { dir, config: None }
    }
}

/// The folder is not what it was taken for.
pub(super) fn no_installation(dir: &Path) -> CliError {
    let dir = dir.display();
    CliError::failed(format_args!("there is no installation in `{dir}`; name the folder of a demo or an installation with `--dir`"))
}

/// What an agency's folder has instead of `demo.json`: the kit brings it, the agency puts its keys beside it.
pub(super) const CLIENT_FILE: &str = "client.json";

/// `DIR/demo.json` (contract §1) or `DIR/client.json`: where the listeners are and which files an agency uses. Paths are relative to DIR.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct DemoFile {
    pub(super) gateway: String,
    pub(super) public: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) ops: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) registry: String,
    pub(super) ca: PathBuf,
    pub(super) agencies: BTreeMap<String, AgencyFiles>,
}

/// The files of one agency.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AgencyFiles {
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
    /// The key that signs its requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) request_key: Option<PathBuf>,
}

impl DemoFile {
    pub(super) fn read(dir: &Path) -> Result<Self, CliError> {
        for path in ["demo.json", CLIENT_FILE].map(|name| dir.join(name)) {
            match std::fs::read_to_string(&path) {
                Ok(text) => return serde_json::from_str(&text).doing(format_args!("`{}` does not say where a gateway is", path.display())),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).doing(format_args!("cannot read `{}`", path.display())),
            }
        }
        Self::of_folder(dir)
    }

    /// What a folder's configuration says of the same.
    fn of_folder(dir: &Path) -> Result<Self, CliError> {
        let file = dir.join("estelam.toml");
        if !file.exists() {
            let dir = dir.display();
            return Err(CliError::failed(format_args!(
                "there is no installation in `{dir}`, nor the kit of an agency with its `{CLIENT_FILE}`; name the folder of one with `--dir`, \
                 or start `estelam demo --dir {dir}` first"
            )));
        }
        Self::of_configuration(&file, dir)
    }

    /// What a configuration says of the same, and the certificates in `pki/NAME/` of its folder.
    fn of_configuration(file: &Path, dir: &Path) -> Result<Self, CliError> {
        let config = Config::read(file).doing("the configuration is not usable")?;
        let server_ca = config.tls.server_ca();
        Ok(Self {
            public: public_url(&config),
            ops: format!("http://{}", config.listen.ops),
            registry: config.registry.url,
            ca: std::path::absolute(server_ca).unwrap_or_else(|_| server_ca.to_owned()),
            agencies: certificates_in(&dir.join("pki")),
            gateway: config.issuer,
        })
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(self).doing("cannot describe the demo")?;
        write_atomically(&dir.join("demo.json"), text.as_bytes())
    }

    pub(super) fn agency(&self, name: &str) -> Result<&AgencyFiles, CliError> {
        self.agencies.get(name).ok_or_else(|| {
            let names: Vec<_> = self.agencies.keys().map(String::as_str).collect();
            let there = if names.is_empty() { "there are none of any agency".to_owned() } else { format!("there are those of {}", names.join(", ")) };
            CliError::usage(format_args!(
                "the certificate and key of an agency `{name}` are not here; {there}. Wanted are `pki/{name}/cert.pem` and `pki/{name}/key.pem` in the \
                 installation's folder, or the folder of the agency's kit with `--dir KIT`"
            ))
        })
    }
}

/// A path as one word of a shell.
fn word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Where the public listener is: on the gateway's host, with a port of its own.
pub(super) fn public_url(config: &Config) -> String {
    let host = config.issuer.trim_start_matches("https://").split([':', '/']).next().unwrap_or_default();
    format!("https://{host}:{}", config.listen.public.port())
}

/// Largest file of somebody else that is read, in bytes: requests, certificates and policies have some thousand.
const LARGEST: u64 = 256 * 1024;

/// Reads a file that somebody else gave us: one that never ends is refused, not read.
pub(super) fn read_given(path: &Path) -> Result<Vec<u8>, CliError> {
    use std::io::Read;
    let what = || format!("cannot read `{}`", path.display());
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).doing(what())?.take(LARGEST + 1).read_to_end(&mut bytes).doing(what())?;
    if read as u64 > LARGEST {
        return Err(CliError::failed(format_args!("`{}` is longer than {LARGEST} bytes; is it the right file?", path.display())));
    }
    Ok(bytes)
}

/// The same as text.
pub(super) fn read_given_text(path: &Path) -> Result<String, CliError> {
    String::from_utf8(read_given(path)?).map_err(|_| CliError::failed(format_args!("`{}` is not text in UTF-8", path.display())))
}

/// Folders with a certificate and its key, by name; absolute or as `pki` was given.
fn certificates_in(pki: &Path) -> BTreeMap<String, AgencyFiles> {
    let folders = std::fs::read_dir(pki).into_iter().flatten().flatten();
    let named = folders.filter_map(|folder| Some((folder.file_name().into_string().ok()?, folder.path())));
    let files = named.map(|(name, folder)| {
        let request_key = Some(folder.join("request-key.pem")).filter(|key| key.is_file());
        (name, AgencyFiles { cert: folder.join("cert.pem"), key: folder.join("key.pem"), request_key })
    });
    let complete = files.filter(|(name, files)| !RESERVED.contains(&name.as_str()) && files.cert.is_file() && files.key.is_file());
    complete.map(|(name, files)| (name, absolute(files))).collect()
}

fn absolute(files: AgencyFiles) -> AgencyFiles {
    let whole = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    AgencyFiles { cert: whole(files.cert), key: whole(files.key), request_key: files.request_key.map(whole) }
}

/// Writes a file so that a reader sees the old one or the new one, never a half, also after the power was lost.
pub(super) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    files::write_durably(path, bytes).doing(format_args!("cannot write `{}`", path.display()))
}

/// Writes a new file that only its owner can read.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    files::write_new_secret(path, bytes).doing(format_args!("cannot make `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn agency_without_keys_here_is_told_what_is_wanted() {
        let mut places: DemoFile =
            serde_json::from_str(r#"{"gateway": "https://g", "public": "https://p", "ca": "ca.pem", "agencies": {}}"#).unwrap();
        let said = places.agency("security-auditor").unwrap_err().to_string();
        assert!(
            said.contains("there are none of any agency. Wanted are `pki/security-auditor/cert.pem`") && said.contains("--dir KIT"),
            "{said}"
        );
        let files = AgencyFiles { cert: "cert.pem".into(), key: "key.pem".into(), request_key: None };
        places.agencies.insert("bank".to_owned(), files);
        assert!(places.agency("dpo").unwrap_err().to_string().contains("there are those of bank. Wanted"));
        assert!(places.agency("bank").is_ok());
    }

    #[test]
    fn place_is_told_as_a_shell_reads_it_again() {
        let typed = |dir: &str| Place::of(dir.into()).typed();
        assert_eq!((typed("var/demo"), typed("/srv/estelam")), (String::new(), " --dir /srv/estelam".to_owned()));
        assert_eq!(typed("it's here; $x"), r" --dir 'it'\''s here; $x'");
        let of_config = Place { dir: USUAL.into(), config: Some("/etc/estelam/north.toml".into()) };
        assert_eq!(of_config.typed(), " --config /etc/estelam/north.toml");
    }
}
