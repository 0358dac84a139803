//! Where an export goes as it comes: into a draft that takes the file's place only once its last line is here and fits all before it.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context as Digest, SHA256};
use serde_json::Value;

use crate::cli::{CliError, Failure};

const BROKE_OFF: &str = "the export broke off and is not whole";

/// An export on its way.
pub(super) struct Receiver {
    to: To,
    tail: Tail,
}

enum To {
    /// Standard output, or something else that is no file.
    Stream(Box<dyn Write>),
    File {
        draft: Draft,
        path: PathBuf,
    },
}

/// A file beside the one that is meant; gone unless it takes its place.
struct Draft {
    file: File,
    path: PathBuf,
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Receiver {
    /// An export into a file, or to standard output.
    pub(super) fn open(out: Option<&Path>) -> Result<Self, CliError> {
        let to = match out {
            None => To::Stream(Box::new(std::io::stdout().lock())),
            Some(path) if path.exists() && !path.is_file() => {
                To::Stream(Box::new(File::create(path).doing(format_args!("cannot write `{}`", path.display()))?))
            }
            Some(path) => {
                let mut name = path.file_name().unwrap_or_default().to_owned();
                name.push(".part");
                let beside = path.with_file_name(name);
                let file = File::create(&beside).doing(format_args!("cannot write `{}`", beside.display()))?;
                To::File { draft: Draft { file, path: beside }, path: path.to_owned() }
            }
        };
        Ok(Self { to, tail: Tail::default() })
    }

    /// Some more bytes.
    pub(super) fn take(&mut self, chunk: &[u8]) -> Result<(), CliError> {
        self.tail.take(chunk);
        match &mut self.to {
            To::Stream(out) => out.write_all(chunk),
            To::File { draft, .. } => draft.file.write_all(chunk),
        }
        .doing("cannot write the export")
    }

    /// The end: an export that is not whole takes nobody's place.
    pub(super) fn finish(mut self) -> Result<(), CliError> {
        if let To::Stream(out) = &mut self.to {
            out.flush().doing("cannot write the export")?;
        }
        if !self.tail.is_whole() {
            return Err(CliError::failed(BROKE_OFF));
        }
        if let To::File { draft, path } = &self.to {
            draft.file.sync_all().doing("cannot write the export")?;
            std::fs::rename(&draft.path, path).doing(format_args!("cannot put `{}` in place", path.display()))?;
        }
        Ok(())
    }
}

/// The last line so far, and the digest of all before it.
struct Tail {
    line: Vec<u8>,
    ended: bool,
    before: Digest,
}

impl Default for Tail {
    fn default() -> Self {
        Self { line: Vec::new(), ended: false, before: Digest::new(&SHA256) }
    }
}

impl Tail {
    fn take(&mut self, chunk: &[u8]) {
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            if self.ended {
                self.before.update(&self.line);
                self.line.clear();
            }
            self.line.extend_from_slice(part);
            self.ended = part.ends_with(b"\n");
        }
    }

    /// Whether the last line is an end that names the digest of everything before it.
    fn is_whole(&self) -> bool {
        let line = self.line.strip_prefix(b"# ").unwrap_or(&self.line);
        let end: Option<Value> = serde_json::from_slice(line).ok().filter(|_| self.ended);
        let digest = self.before.clone().finish();
        let hex = digest.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        end.is_some_and(|end| end.pointer("/end/sha256").and_then(Value::as_str) == Some(&hex))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn export(mark: &str) -> Vec<u8> {
        // A row whose actor is called `end` is no end.
        let rows = format!("{mark}{{\"manifest\":{{}}}}\n{{\"index\":7,\"actor\":\"end\"}}\n");
        let digest = aws_lc_rs::digest::digest(&SHA256, rows.as_bytes());
        let hex = digest.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        format!("{rows}{mark}{{\"end\":{{\"rows\":1,\"sha256\":\"{hex}\"}}}}\n").into_bytes()
    }

    #[test]
    fn whole_export_is_whole_however_it_is_cut_and_a_shorter_one_is_not() {
        for whole in [export(""), export("# ")] {
            for cut in 0..whole.len() {
                let mut tail = Tail::default();
                tail.take(&whole[..cut]);
                assert!(!tail.is_whole(), "{cut}");
                tail.take(&whole[cut..]);
                assert!(tail.is_whole(), "{cut}");
            }
            let mut without_row = Tail::default();
            let rows: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
            without_row.take(&[rows[0], rows[2]].concat());
            assert!(!without_row.is_whole());
        }
    }

    #[test]
    fn an_earlier_file_stays_until_the_new_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bank.ndjson");
        std::fs::write(&path, "earlier").unwrap();
        let whole = export("");
        let mut broken = Receiver::open(Some(&path)).unwrap();
        broken.take(&whole[..whole.len() - 30]).unwrap();
        assert!(broken.finish().is_err());
        drop(Receiver::open(Some(&path)).unwrap());
        assert_eq!((std::fs::read(&path).unwrap(), std::fs::read_dir(folder.path()).unwrap().count()), (b"earlier".to_vec(), 1));
        let mut good = Receiver::open(Some(&path)).unwrap();
        good.take(&whole).unwrap();
        good.finish().unwrap();
        assert_eq!((std::fs::read(&path).unwrap(), std::fs::read_dir(folder.path()).unwrap().count()), (whole, 1));
    }
}
