//! A file that is written past the system's page cache, in whole blocks, each write synced.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

use super::frame::BLOCK;

/// Past the page cache, where the system knows that.
#[cfg(target_os = "linux")]
const DIRECT: OFlags = OFlags::DIRECT;
#[cfg(not(target_os = "linux"))]
const DIRECT: OFlags = OFlags::empty();

/// A file of fixed length, open for writing.
pub(super) struct DirectFile {
    file: File,
    /// Where a frame is copied to: such writes want memory that begins at a multiple of a block.
    buffer: Vec<u8>,
}

impl DirectFile {
    /// Opens a file that is there; one on a file system that has only cached writes is written through the cache.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = match open_with(path, DIRECT) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => open_with(path, OFlags::empty())?,
            opened => opened?,
        };
        Ok(Self { file, buffer: Vec::new() })
    }

    /// Writes whole blocks at a multiple of a block; they are durable when this returns.
    pub(super) fn write(&mut self, blocks: &[u8], at: u64) -> io::Result<()> {
        self.buffer.clear();
        self.buffer.reserve(blocks.len() + BLOCK);
        let begins = self.buffer.as_ptr().align_offset(BLOCK).min(BLOCK);
        self.buffer.resize(begins, 0);
        self.buffer.extend_from_slice(blocks);
        self.file.write_all_at(self.buffer.get(begins..).unwrap_or_default(), at)
    }
}

/// With `O_DSYNC` every write returns when its data are durable, as if `fdatasync` came after it. A sync of its own costs more: on a file system
/// without a journal it writes the file's inode too, whose times have changed.
fn open_with(path: &Path, more: OFlags) -> io::Result<File> {
    let flags = i32::try_from((OFlags::DSYNC | more).bits()).map_err(io::Error::other)?;
    File::options().write(true).custom_flags(flags).open(path)
}
