//! A file that is written past the system's page cache, in whole blocks, each write synced.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
#[cfg(target_os = "linux")]
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::frame::BLOCK;

/// A file of fixed length, open for writing.
pub(super) struct DirectFile {
    file: File,
    /// Where a frame is copied to: such writes want memory that begins at a multiple of a block.
    buffer: Vec<u8>,
}

impl DirectFile {
    /// Opens a file that is there; one on a file system that has only cached writes is written through the cache.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = match open_direct(path) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => File::options().write(true).open(path)?,
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
        self.file.write_all_at(self.buffer.get(begins..).unwrap_or_default(), at)?;
        self.file.sync_data()
    }
}

#[cfg(target_os = "linux")]
fn open_direct(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(rustix::fs::OFlags::DIRECT.bits()).map_err(io::Error::other)?;
    File::options().write(true).custom_flags(flags).open(path)
}

#[cfg(not(target_os = "linux"))]
fn open_direct(path: &Path) -> io::Result<File> {
    File::options().write(true).open(path)
}
