//! Replacing the key of the log's contents: the new one lies beside the old until every stored key is wrapped under it, then takes its place.

use std::fs;

use super::ring::content_key_from;
use super::{ContentKey, KeyError, KeyKeeper, files};

/// The key that takes over. A run that broke off finds it here and goes on with it.
const NEXT: &str = "content.key.next";

impl KeyKeeper {
    /// The content key in force and the one that shall follow it, which is made first if there is none.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn next_content(&self) -> Result<(ContentKey, ContentKey), KeyError> {
        let (dir, next) = (&self.place.dir, self.place.dir.join(NEXT));
        let present = content_key_from(&dir.join(files::CONTENT), &self.unlock)?;
        if !next.exists() {
            let sealed = self.unlock.seal_content(&*files::new_content_key()?).ok_or(KeyError::Generation)?;
            let draft = dir.join(".content.key.new");
            let _ = fs::remove_file(&draft);
            files::write_new(&draft, sealed.as_bytes())?;
            files::at(&next, fs::rename(&draft, &next))?;
            files::sync_folder(dir)?;
        }
        Ok((present, content_key_from(&next, &self.unlock)?))
    }

    /// Puts the next content key in the place of the present one, which is gone then. Only when nothing is wrapped under that any more.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn promote_content(&self) -> Result<(), KeyError> {
        let (next, present) = (self.place.dir.join(NEXT), self.place.dir.join(files::CONTENT));
        files::at(&present, fs::rename(next, &present))?;
        files::sync_folder(&self.place.dir)
    }
}
