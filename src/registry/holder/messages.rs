//! Messages as files, for a demo: `messages/` in the registry's folder, the only place of an installation that may hold a telephone number.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use uuid::Uuid;

use crate::core::registry::holder::{CodeSender, NotSent};
use crate::files;

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
    /// The sender of a registry's folder. Drafts that a crash left there go: they hold a number and a code, and nobody will send them.
    pub fn new(registry_dir: &Path) -> Self {
        let dir = registry_dir.join("messages");
        files::remove_drafts(&dir);
        Self { dir }
    }

    fn write(&self, message: &Written<'_>) -> std::io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        // Names sort by time, and say nothing else.
        let path = self.dir.join(format!("{}.json", Uuid::now_v7()));
        files::write_privately(&path, &serde_json::to_vec(message)?)
    }
}

impl CodeSender for FileSender {
    fn send(&self, msisdn: &str, text: &str) -> Result<(), NotSent> {
        self.write(&Written { to: msisdn, text }).map_err(|_| NotSent)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn message_is_whole_and_what_a_crash_left_of_one_does_not_stay() {
        let dir = tempfile::tempdir().unwrap();
        FileSender::new(dir.path()).send("+989120000001", "12345678").unwrap();
        let messages = dir.path().join("messages");
        let names =
            || std::fs::read_dir(&messages).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>();
        let sent = names();
        assert_eq!(sent.len(), 1);
        std::fs::write(messages.join("half.json.tmp"), b"+98912").unwrap();
        FileSender::new(dir.path());
        assert_eq!(names(), sent);
    }
}
