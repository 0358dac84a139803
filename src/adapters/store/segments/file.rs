//! A part as a file: every block encrypted by itself under the content key, so that a search opens only what it needs.
//!
//! ```text
//! "estelam segment 3\n" ‖ length of the sealed directory (u32 BE) ‖ sealed directory (JSON) ‖ sealed blocks
//! sealed        nonce (12) ‖ AES-256-GCM ciphertext ‖ tag
//! bound to      "estelam segment v1" ‖ content key (i64 BE) ‖ first, last index (u64 BE) ‖ block number (u32 BE; the directory's is the largest)
//! blocks        for each field its dictionary and its codes; indices; times; latencies; the tag pages' first prefixes; the tag pages
//! ```

use std::borrow::Cow;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::LessSafeKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::SegmentError;
use super::codec;
use super::columns::{Column, Columns, Extent, Part, TagPrefix};
use crate::adapters::store::keys;
use crate::core::ledger::audit::Field;

const MAGIC: &[u8; 18] = b"estelam segment 3\n";
/// Block number of the directory.
const DIRECTORY: u32 = u32::MAX;
/// Largest directory that is read.
const DIRECTORY_CAP: u32 = 1 << 20;

/// Which part a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listed {
    /// The content key: its number, negative for held contents.
    pub(super) key: i64,
    /// UTC day of the key, days since 1970.
    pub(super) day: i64,
    /// What it holds.
    pub(super) extent: Extent,
}

impl Listed {
    /// Its file.
    pub(super) fn path(&self, dir: &Path) -> PathBuf {
        let mark = if self.key < 0 { 'h' } else { 'k' };
        dir.join(format!("{mark}{}.{}-{}.seg", self.key.unsigned_abs(), self.extent.first, self.extent.last))
    }

    /// Whether it is of entries that another is of.
    pub(super) const fn is_within(&self, other: &Self) -> bool {
        self.key == other.key && self.extent.first >= other.extent.first && self.extent.last <= other.extent.last
    }

    fn bound_to(&self, block: u32) -> Vec<u8> {
        let (first, last) = (self.extent.first.to_be_bytes(), self.extent.last.to_be_bytes());
        [b"estelam segment v1".as_slice(), &self.key.to_be_bytes(), &first, &last, &block.to_be_bytes()].concat()
    }

    fn seal(&self, key: &LessSafeKey, block: u32, plain: Vec<u8>) -> Option<Vec<u8>> {
        keys::seal(key, &self.bound_to(block), plain)
    }
}

#[derive(Serialize, Deserialize)]
struct Directory {
    extent: Extent,
    /// Offset after the directory, and length.
    blocks: Vec<(u64, u32)>,
}

/// Places of the blocks that come after the fields'.
const fn after_fields(more: usize) -> usize {
    Field::ALL.len() * 2 + more
}

/// Writes a part; the file is there whole or not at all.
pub(super) fn write(dir: &Path, listed: &Listed, key: &LessSafeKey, columns: &Columns) -> Result<(), SegmentError> {
    let (firsts, pages) = codec::tags(&columns.tags);
    let of_fields = columns.fields.iter().flat_map(|column| [codec::dictionary(&column.dictionary), codec::codes(&column.codes)]);
    let fixed = [codec::indices(&columns.indices), codec::times(&columns.times), codec::latencies(&columns.latencies), firsts];
    let (mut directory, mut body) = (Directory { extent: columns.extent, blocks: Vec::new() }, Vec::new());
    for (number, plain) in (0..).zip(of_fields.chain(fixed).chain(pages)) {
        let sealed = listed.seal(key, number, plain).ok_or(SegmentError::Crypto)?;
        directory.blocks.push((body.len() as u64, u32::try_from(sealed.len()).map_err(|_| SegmentError::Crypto)?));
        body.extend_from_slice(&sealed);
    }
    let plain = serde_json::to_vec(&directory).map_err(|_| SegmentError::Crypto)?;
    let sealed = listed.seal(key, DIRECTORY, plain).ok_or(SegmentError::Crypto)?;
    let length = u32::try_from(sealed.len()).map_err(|_| SegmentError::Crypto)?;
    let (path, draft) = (listed.path(dir), listed.path(dir).with_extension("tmp"));
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    for bytes in [MAGIC.as_slice(), &length.to_be_bytes(), &sealed, &body] {
        file.write_all(bytes)?;
    }
    file.sync_data()?;
    std::fs::rename(draft, path)?;
    Ok(())
}

/// A part's file is missing, damaged or another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unusable;

/// A part in a file.
pub(super) struct FilePart<'k> {
    file: File,
    key: &'k LessSafeKey,
    listed: Listed,
    directory: Directory,
    body: u64,
}

impl<'k> FilePart<'k> {
    pub(super) fn open(dir: &Path, listed: &Listed, key: &'k LessSafeKey) -> Result<Self, Unusable> {
        let file = File::open(listed.path(dir)).map_err(|_| Unusable)?;
        let mut head = [0; MAGIC.len() + 4];
        file.read_exact_at(&mut head, 0).map_err(|_| Unusable)?;
        let (magic, length) = head.split_last_chunk::<4>().ok_or(Unusable)?;
        let length = u32::from_be_bytes(*length);
        if magic != MAGIC || length > DIRECTORY_CAP {
            return Err(Unusable);
        }
        let sealed = read(&file, head.len() as u64, length)?;
        let plain = keys::open(key, &listed.bound_to(DIRECTORY), &sealed).ok_or(Unusable)?;
        let directory: Directory = serde_json::from_slice(&plain).map_err(|_| Unusable)?;
        if directory.extent != listed.extent {
            return Err(Unusable);
        }
        let body = head.len() as u64 + u64::from(length);
        Ok(Self { file, key, listed: *listed, directory, body })
    }

    /// Some tag pages that lie together, as they are in the file.
    fn pages(&self, first: usize, count: usize) -> Result<Vec<u8>, Unusable> {
        let blocks = self.directory.blocks.iter().skip(after_fields(4) + first).take(count);
        let length = blocks.clone().map(|(_, length)| *length).try_fold(0, u32::checked_add).ok_or(Unusable)?;
        let (offset, _) = blocks.clone().next().ok_or(Unusable)?;
        read(&self.file, self.body + offset, length)
    }

    fn block(&self, place: usize) -> Result<Zeroizing<Vec<u8>>, Unusable> {
        let (offset, length) = self.directory.blocks.get(place).ok_or(Unusable)?;
        let number = u32::try_from(place).map_err(|_| Unusable)?;
        let sealed = read(&self.file, self.body + offset, *length)?;
        keys::open(self.key, &self.listed.bound_to(number), &sealed).ok_or(Unusable)
    }
}

fn place_of(field: Field) -> Result<usize, Unusable> {
    Field::ALL.iter().position(|known| *known == field).ok_or(Unusable)
}

fn read(file: &File, offset: u64, length: u32) -> Result<Vec<u8>, Unusable> {
    let mut bytes = vec![0; usize::try_from(length).map_err(|_| Unusable)?];
    file.read_exact_at(&mut bytes, offset).map_err(|_| Unusable)?;
    Ok(bytes)
}

impl Part for FilePart<'_> {
    type Error = Unusable;

    fn extent(&self) -> Extent {
        self.directory.extent
    }

    fn column(&self, field: Field) -> Result<Cow<'_, Column>, Unusable> {
        let place = place_of(field)?;
        let dictionary = codec::read_dictionary(&self.block(place * 2)?).ok_or(Unusable)?;
        let codes = codec::read_codes(&self.block(place * 2 + 1)?).ok_or(Unusable)?;
        Ok(Cow::Owned(Column { dictionary, codes }))
    }

    fn values(&self, field: Field) -> Result<Cow<'_, [String]>, Unusable> {
        codec::read_dictionary(&self.block(place_of(field)? * 2)?).map(Cow::Owned).ok_or(Unusable)
    }

    fn code(&self, field: Field, value: &str) -> Result<Option<u32>, Unusable> {
        let code = codec::code_in(&self.block(place_of(field)? * 2)?, value.as_bytes()).ok_or(Unusable)?;
        Ok((code > 0).then_some(code))
    }

    fn keep(&self, field: Field, code: u32, fits: &mut [bool]) -> Result<(), Unusable> {
        codec::keep_code(&self.block(place_of(field)? * 2 + 1)?, code, fits).ok_or(Unusable)
    }

    fn indices(&self) -> Result<Cow<'_, [u64]>, Unusable> {
        Ok(Cow::Owned(codec::read_indices(&self.block(after_fields(0))?)))
    }

    fn times(&self) -> Result<Cow<'_, [i64]>, Unusable> {
        Ok(Cow::Owned(codec::read_times(&self.block(after_fields(1))?)))
    }

    fn latencies(&self) -> Result<Cow<'_, [u32]>, Unusable> {
        Ok(Cow::Owned(codec::read_latencies(&self.block(after_fields(2))?)))
    }

    fn tagged(&self, wanted: &[(TagPrefix, usize)]) -> Result<Vec<(u32, usize)>, Unusable> {
        let firsts = self.block(after_fields(3))?;
        let (mut places, mut page) = (Vec::new(), Zeroizing::new(Vec::new()));
        // Pages that lie together are read in one go: where many tags are looked for, that is all of them.
        for run in codec::pages_with(&firsts, wanted).chunk_by(|(one, _), (next, _)| one + 1 == *next) {
            let sealed = self.pages(run.first().map_or(0, |(page, _)| *page), run.len())?;
            let mut rest = sealed.as_slice();
            for (number, of_page) in run {
                let block = after_fields(4) + number;
                let (_, length) = self.directory.blocks.get(block).ok_or(Unusable)?;
                let (one, more) = rest.split_at_checked(usize::try_from(*length).map_err(|_| Unusable)?).ok_or(Unusable)?;
                rest = more;
                let block = u32::try_from(block).map_err(|_| Unusable)?;
                if !keys::open_into(self.key, &self.listed.bound_to(block), one, &mut page) {
                    return Err(Unusable);
                }
                let found = of_page.iter().flat_map(|(prefix, with)| codec::places(&page, prefix).into_iter().map(|place| (place, *with)));
                places.extend(found);
            }
        }
        Ok(places)
    }
}
