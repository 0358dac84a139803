//! A file that grows by whole pieces. What a full disk let in by halves is cut off again, so that nothing ever follows half a piece.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What of a file is needed to add to it and to take that back.
pub(super) trait Storage: Write + Send {
    /// Makes what was written durable.
    ///
    /// # Errors
    /// The disk refuses.
    fn sync(&self) -> io::Result<()>;

    /// Leaves so many bytes of it.
    ///
    /// # Errors
    /// The disk refuses.
    fn cut(&self, bytes: u64) -> io::Result<()>;
}

impl Storage for File {
    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }
}

/// The file.
pub(super) struct Pieces {
    path: PathBuf,
    /// None where nobody can say what the file ends with: it must be written anew before more is added.
    file: Option<Box<dyn Storage>>,
    /// Bytes of it, all of them of whole pieces.
    bytes: u64,
    /// That when it was last written anew.
    anew: u64,
}

impl Pieces {
    /// Puts a file with this content in the place of the one at the path, if there is one, durably.
    ///
    /// # Errors
    /// The folder or the file cannot be made or written.
    pub(super) fn begin(path: &Path, content: &[u8]) -> io::Result<Self> {
        let mut pieces = Self { path: path.to_owned(), file: None, bytes: 0, anew: 0 };
        pieces.write_anew(content)?;
        Ok(pieces)
    }

    /// The same for a file that is in use; it takes nothing more until this has succeeded.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub(super) fn write_anew(&mut self, content: &[u8]) -> io::Result<()> {
        // Until it is done nobody knows which of the two files a crash would leave.
        self.file = None;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let draft = self.path.with_extension("new");
        written(&draft, content).inspect_err(|_| drop(fs::remove_file(&draft)))?;
        fs::rename(&draft, &self.path)?;
        File::open(folder)?.sync_all()?;
        self.file = Some(Box::new(OpenOptions::new().append(true).open(&self.path)?));
        self.bytes = content.len() as u64;
        self.anew = self.bytes;
        Ok(())
    }

    /// Whether more can be added; else it must be written anew first.
    pub(super) const fn takes_more(&self) -> bool {
        self.file.is_some()
    }

    /// Whether it is longer than so many bytes, and more than twice as long as it has to be: one that has to be long is not written anew each time.
    pub(super) const fn is_overlong(&self, bytes: u64) -> bool {
        self.bytes > bytes && self.bytes / 2 > self.anew
    }

    /// Adds a piece; it is durable when this returns.
    ///
    /// # Errors
    /// The disk refuses: then nothing of the piece is left in the file, or the file takes nothing more.
    pub(super) fn add(&mut self, piece: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Err(io::Error::other("nobody can say what the file ends with; it must be written anew first"));
        };
        let added = file.write_all(piece).and_then(|()| file.sync());
        match &added {
            Ok(()) => self.bytes += piece.len() as u64,
            // That takes no room, so it works on a full disk too.
            Err(_) if file.cut(self.bytes).is_ok() => {}
            Err(_) => self.file = None,
        }
        added
    }
}

fn written(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
#[allow(missing_docs, clippy::unwrap_used, reason = "tests")]
pub(super) mod testing {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    /// What the disk under a file does.
    #[derive(Default)]
    pub struct SmallDisk {
        pub room: AtomicUsize,
        pub stuck: AtomicBool,
    }

    struct OnSmallDisk(File, Arc<SmallDisk>);

    impl Write for OnSmallDisk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let some = bytes.len().min(self.1.room.load(Ordering::SeqCst));
            if some == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let written = self.0.write(bytes.get(..some).unwrap())?;
            self.1.room.fetch_sub(written, Ordering::SeqCst);
            Ok(written)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.0.flush()
        }
    }

    impl Storage for OnSmallDisk {
        fn sync(&self) -> io::Result<()> {
            self.0.sync_data()
        }

        fn cut(&self, bytes: u64) -> io::Result<()> {
            if self.1.stuck.load(Ordering::SeqCst) { Err(io::ErrorKind::Other.into()) } else { self.0.set_len(bytes) }
        }
    }

    impl Pieces {
        /// From now on the file lies on a disk with as much room as the test says.
        pub(in crate::adapters::tokens) fn onto_small_disk(&mut self) -> Arc<SmallDisk> {
            let disk = Arc::new(SmallDisk::default());
            let file = OpenOptions::new().append(true).open(&self.path).unwrap();
            self.file = Some(Box::new(OnSmallDisk(file, disk.clone())));
            disk
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn a_file_that_has_to_be_long_is_overlong_only_once_it_is_twice_as_long() {
        let dir = tempfile::tempdir().unwrap();
        let mut pieces = Pieces::begin(&dir.path().join("pieces"), b"0123456789").unwrap();
        pieces.add(b"0123456789").unwrap();
        assert!(!pieces.is_overlong(4), "twenty bytes, and ten of them have to be there");
        pieces.add(b"01").unwrap();
        assert!(pieces.is_overlong(21) && !pieces.is_overlong(22));
        pieces.write_anew(b"0123456789012345").unwrap();
        assert!(!pieces.is_overlong(4));
    }

    #[test]
    fn half_a_piece_is_taken_back_and_what_comes_later_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("folder").join("pieces");
        let mut pieces = Pieces::begin(&path, b"one;").unwrap();
        let disk = pieces.onto_small_disk();
        disk.room.store(2, Ordering::SeqCst);
        assert_eq!(pieces.add(b"two;").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!((fs::read(&path).unwrap(), pieces.bytes), (b"one;".to_vec(), 4));
        disk.room.store(100, Ordering::SeqCst);
        pieces.add(b"three;").unwrap();
        assert_eq!((fs::read(&path).unwrap(), pieces.bytes), (b"one;three;".to_vec(), 10));
    }

    #[test]
    fn what_cannot_be_taken_back_is_followed_by_nothing_until_the_file_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pieces");
        let mut pieces = Pieces::begin(&path, b"one;").unwrap();
        let disk = pieces.onto_small_disk();
        disk.room.store(2, Ordering::SeqCst);
        disk.stuck.store(true, Ordering::SeqCst);
        assert!(pieces.add(b"two;").is_err() && !pieces.takes_more());
        disk.room.store(100, Ordering::SeqCst);
        assert!(pieces.add(b"three;").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"one;tw");
        pieces.write_anew(b"one;two;").unwrap();
        pieces.add(b"three;").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one;two;three;");
    }

    #[test]
    fn a_draft_that_could_not_be_written_leaves_nothing_and_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pieces");
        let mut pieces = Pieces::begin(&path, b"one;").unwrap();
        fs::create_dir(path.with_extension("new")).unwrap();
        assert!(pieces.write_anew(b"two;").is_err());
        assert!(pieces.add(b"three;").is_err(), "nobody knows which file it would be in");
        assert_eq!(fs::read(&path).unwrap(), b"one;");
    }
}
