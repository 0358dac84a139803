//! The rejects file: the rows that were not imported, as written, each with its line and reason.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::judge::Fault;
use super::row::{Column, Row};

/// Where the rejects of a file go unless another place is chosen: beside it, `x.csv.rejects.csv` for `x.csv`.
pub fn rejects_beside(file: &Path) -> PathBuf {
    with_suffix(file, ".rejects.csv")
}

/// Where a place that was named leads, through links whose end need not be there yet.
///
/// # Errors
/// It leads in a circle, or to something that is no file.
pub(super) fn replaceable(place: &Path) -> io::Result<PathBuf> {
    let mut end = place.to_owned();
    for _ in 0..MOST_LINKS {
        match std::fs::read_link(&end) {
            Ok(next) => end = folder_of(&end).join(next),
            // No link, or nothing there.
            Err(_) => return refuse_what_is_no_file(&end).map(|()| end),
        }
    }
    Err(rustix::io::Errno::LOOP.into())
}

/// As many links as Linux follows.
const MOST_LINKS: usize = 40;

/// Only a file is ever replaced.
fn refuse_what_is_no_file(target: &Path) -> io::Result<()> {
    let Ok(there) = std::fs::symlink_metadata(target) else { return Ok(()) };
    let what = match there.file_type() {
        folder if folder.is_dir() => "it is a folder",
        file if file.is_file() || file.is_symlink() => return Ok(()),
        _ => "it is a pipe, a socket or a device, and not a file that could be replaced",
    };
    Err(io::Error::new(io::ErrorKind::AlreadyExists, what))
}

/// Writes a rejects file, first under a name of its own beside it, so that it appears whole or not at all.
pub(super) struct Rejects {
    target: PathBuf,
    draft: PathBuf,
    writer: csv::Writer<BufWriter<File>>,
    any: bool,
}

impl Rejects {
    /// Starts a rejects file. Only its owner may read it: it holds what the imported file holds.
    pub(super) fn at(target: &Path) -> io::Result<Self> {
        use std::os::unix::fs::OpenOptionsExt;
        refuse_what_is_no_file(target)?;
        let target = target.to_owned();
        remove_drafts_of_the_dead(&target);
        let draft = with_suffix(&target, &format!(".{}.part", Uuid::now_v7()));
        let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        // Says to whoever looks, also from another container, that this import lives.
        open.lock()?;
        let mut writer = csv::Writer::from_writer(BufWriter::new(open));
        writer.write_record(["line", "reason", "column", "do"].into_iter().chain(Column::ALL.iter().map(|column| column.code())))?;
        Ok(Self { target, draft, writer, any: false })
    }

    /// Where they will be.
    pub(super) fn place(&self) -> &Path {
        &self.target
    }

    /// Adds a row.
    pub(super) fn add(&mut self, row: &Row, fault: Fault) -> io::Result<()> {
        self.any = true;
        let (line, column) = (row.line.to_string(), fault.column.map_or("", Column::code));
        let fields = Column::ALL.iter().map(|column| row.get(*column));
        Ok(self.writer.write_record([line.as_str(), fault.reason.code(), column, fault.what_to_do()].into_iter().chain(fields))?)
    }

    /// Makes the draft durable; it is not yet in its place.
    pub(super) fn seal(&mut self) -> io::Result<()> {
        self.writer.flush()?;
        File::open(&self.draft)?.sync_all()
    }

    /// Puts the draft in its place. A file without rejects leaves none, unless an older one has to go.
    pub(super) fn publish(self) -> io::Result<Option<PathBuf>> {
        if self.any || self.target.exists() {
            std::fs::rename(&self.draft, &self.target)?;
            File::open(folder_of(&self.target))?.sync_all()?;
        }
        Ok(self.any.then(|| self.target.clone()))
    }
}

/// A draft that was not published is not left behind.
impl Drop for Rejects {
    fn drop(&mut self) {
        let _gone_after_publishing = std::fs::remove_file(&self.draft);
    }
}

/// Removes the drafts of imports that were killed: they hold rows, and nobody will finish them.
fn remove_drafts_of_the_dead(target: &Path) {
    let (folder, Some(name)) = (folder_of(target), target.file_name().and_then(|name| name.to_str())) else { return };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let of = entry.file_name();
        let import = of.to_str().and_then(|of| of.strip_prefix(name)?.strip_prefix('.')?.strip_suffix(".part"));
        let is_import = import.is_some_and(|import| Uuid::parse_str(import).is_ok());
        // Whoever writes one holds its lock, and the kernel lets go of it with the process.
        if is_import && File::open(entry.path()).is_ok_and(|draft| draft.try_lock().is_ok()) {
            // One that cannot be removed is in nobody's way.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
