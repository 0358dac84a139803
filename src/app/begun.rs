//! Which logs were begun is remembered outside their folder too: one whose disk is not mounted must not look like a first start, or a second log would
//! go on under the origin of the first.
//!
//! `logs-begun.json` lies with the keys that sign the logs, and is copied with them. Where the keys themselves lie in the log's folder both are away
//! together, and without keys nothing starts.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::StartError;
use crate::adapters::store::{Origins, has_log};
use crate::config::Config;
use crate::files;

const FILE: &str = "logs-begun.json";

/// What to do where it cannot be read.
const UNREADABLE: &str =
    "restore it from the back-up of the keys, or, once you have seen that `ledger.dir` has its log, remove it: it is made anew";

/// Refuses to begin the present log a second time.
///
/// # Errors
/// It was begun and is not there, or nobody can tell.
pub(super) fn demand(config: &Config, origins: &Origins) -> Result<(), StartError> {
    let dir = origins.dir_of(origins.present());
    if !known(config)?.contains(origins.present()) || has_log(&dir).map_err(|error| StartError(error.to_string()))? {
        return Ok(());
    }
    Err(StartError(format!(
        "there is no log in `{}`, though one was begun there: mount its disk; or put its copy back (`estelam log restore`); or, if there is none, \
         let `estelam log succeed` go on under a new origin",
        dir.display()
    )))
}

/// Notes that these logs were begun; durable when this returns. Before the first entry of the present one, and after the log itself: a first start that
/// fails in between may be tried again. Those before it too: without the list of origins the first is the present one again.
///
/// # Errors
/// It cannot be written, though the folder is not merely closed to the service.
pub(super) fn note(config: &Config, origins: &Origins) -> Result<(), StartError> {
    let known = known(config)?;
    let now: BTreeSet<String> = known.iter().cloned().chain(origins.all().into_iter().map(|(origin, _)| origin)).collect();
    if now == known {
        return Ok(());
    }
    let path = file(config);
    let text = serde_json::to_vec(&now).map_err(|error| StartError(format!("`{}`: {error}", path.display())))?;
    written(&path, files::write_privately(&path, &text))
}

/// Keys may lie where the service only reads. Nobody shall go without answers for that; it is said at every start.
fn written(path: &Path, outcome: io::Result<()>) -> Result<(), StartError> {
    match outcome {
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
            tracing::warn!(
                path = %path.display(), %error,
                "nothing remembers that the log was begun, so that one whose disk is not mounted would begin anew: let the service write there once"
            );
            Ok(())
        }
        outcome => {
            outcome.map_err(|error| StartError(format!("cannot write `{}`: {error}; it says that the log was begun", path.display())))
        }
    }
}

fn known(config: &Config) -> Result<BTreeSet<String>, StartError> {
    let path = file(config);
    let fault = |error: &dyn std::fmt::Display| StartError(format!("`{}`: {error}; {UNREADABLE}", path.display()));
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| fault(&error)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(fault(&error)),
    }
}

fn file(config: &Config) -> PathBuf {
    config.keys.join(FILE)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use rusqlite::Connection;

    use super::*;
    use crate::app::origins::origins_of;
    use crate::config::template;

    /// An installation whose log is to lie in the folder of this name.
    fn config(dir: &Path, ledger: &str) -> Config {
        let any = "127.0.0.1:0".parse().unwrap();
        let text = template(any, any, any, 1, 1).replace("dir = \"ledger\"", &format!("dir = \"{ledger}\""));
        let config = Config::parse(&text, &dir.join("estelam.toml")).unwrap();
        assert!(config.ledger.dir.ends_with(ledger));
        fs::create_dir_all(&config.keys).unwrap();
        config
    }

    fn begin(dir: &Path) {
        fs::create_dir_all(dir).unwrap();
        Connection::open(dir.join("ledger.sqlite")).unwrap().execute_batch("CREATE TABLE entry (idx)").unwrap();
    }

    fn demanded(config: &Config) -> Result<(), String> {
        demand(config, &origins_of(config).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn log_that_was_begun_is_not_begun_again_wherever_its_folder_is() {
        for ledger in ["ledger", "mounted/disk/ledger"] {
            let dir = tempfile::tempdir().unwrap();
            let config = config(dir.path(), ledger);
            demanded(&config).unwrap();
            assert!(!config.ledger.dir.exists(), "looking makes nothing");
            begin(&config.ledger.dir);
            demanded(&config).unwrap();
            note(&config, &origins_of(&config).unwrap()).unwrap();
            demanded(&config).unwrap();
            let away = dir.path().join("away");
            fs::rename(&config.ledger.dir, &away).unwrap();
            let said = demanded(&config).unwrap_err();
            assert!(said.contains(ledger) && said.contains("mount its disk") && said.contains("`estelam log succeed`"), "{said}");
            assert!(!config.ledger.dir.exists());
            fs::create_dir(&config.ledger.dir).unwrap();
            demanded(&config).unwrap_err();
            // SQLite makes its file first.
            fs::write(config.ledger.dir.join("ledger.sqlite"), "").unwrap();
            demanded(&config).unwrap_err();
            fs::remove_dir_all(&config.ledger.dir).unwrap();
            fs::rename(&away, &config.ledger.dir).unwrap();
            demanded(&config).unwrap();
        }
    }

    #[test]
    fn first_log_is_not_begun_again_where_later_ones_are_gone_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), "ledger");
        let (first, root) = (&config.ledger.origin, &config.ledger.dir);
        fs::create_dir_all(root).unwrap();
        let list = serde_json::json!({ "origins": [first, format!("{first}/2026-11-28.0badcafe")] });
        fs::write(root.join("origins.json"), list.to_string()).unwrap();
        let origins = origins_of(&config).unwrap();
        demand(&config, &origins).unwrap();
        begin(&origins.dir_of(origins.present()));
        note(&config, &origins).unwrap();
        demanded(&config).unwrap();
        fs::remove_file(origins.dir_of(origins.present()).join("ledger.sqlite")).unwrap();
        let said = demanded(&config).unwrap_err();
        assert!(said.contains("origins/2026-11-28.0badcafe"), "{said}");
        fs::remove_dir_all(root).unwrap();
        demanded(&config).unwrap_err();
    }

    #[test]
    fn log_of_another_origin_may_be_begun_and_a_mark_that_cannot_be_read_says_how_to_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path(), "ledger");
        note(&config, &origins_of(&config).unwrap()).unwrap();
        demanded(&config).unwrap_err();
        // Two nodes may have the same keys; each has a log of its own.
        config.ledger.origin = "log.other.example".into();
        demanded(&config).unwrap();
        note(&config, &origins_of(&config).unwrap()).unwrap();
        assert_eq!(known(&config).unwrap().len(), 2, "neither is forgotten");
        fs::write(file(&config), "[").unwrap();
        assert!(demanded(&config).unwrap_err().contains("remove it: it is made anew"));
    }

    #[test]
    fn folder_that_is_only_read_keeps_no_gateway_from_starting_and_a_disk_that_fails_does() {
        let outcome = |kind: ErrorKind| written(Path::new("keys/logs-begun.json"), Err(kind.into()));
        outcome(ErrorKind::PermissionDenied).unwrap();
        outcome(ErrorKind::ReadOnlyFilesystem).unwrap();
        assert!(outcome(ErrorKind::StorageFull).unwrap_err().to_string().contains("`keys/logs-begun.json`"));
    }
}
