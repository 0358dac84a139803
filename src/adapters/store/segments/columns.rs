//! The columns of one part: what the entries of one content key hold, field by field.

use std::borrow::Cow;
use std::collections::HashMap;

use super::rows::Glimpse;
use crate::core::ledger::audit::{Field, in_column};
use crate::core::ledger::tree::Hash;

/// A field of every entry: codes into a dictionary, 0 for no value, n for the dictionary's entry n − 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) dictionary: Vec<String>,
    pub(super) codes: Vec<u32>,
}

impl Column {
    /// The code of a value; none when no entry has it.
    pub(super) fn code_of(&self, value: &str) -> Option<u32> {
        let place = self.dictionary.iter().position(|known| known == value)?;
        u32::try_from(place).ok().map(|place| place + 1)
    }
}

/// The first bytes of a trail tag: enough to look an entry up, which is then compared whole.
pub(super) type TagPrefix = [u8; 8];

/// The first bytes of a tag.
pub(super) fn prefix(tag: &Hash) -> TagPrefix {
    let mut first = [0; 8];
    first.copy_from_slice(tag.split_at(8).0);
    first
}

/// What is known of a part without opening a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Extent {
    /// Entries.
    pub(super) entries: u64,
    /// Lowest index.
    pub(super) first: u64,
    /// Highest index.
    pub(super) last: u64,
    /// Earliest and latest ledger time, microseconds.
    pub(super) earliest: i64,
    pub(super) latest: i64,
}

/// A part in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    pub(super) extent: Extent,
    pub(super) indices: Vec<u64>,
    pub(super) times: Vec<i64>,
    /// Microseconds from arrival to conclusion.
    pub(super) latencies: Vec<u32>,
    pub(super) fields: Vec<Column>,
    /// Trail tag prefix and place of the entry, in the order of entries.
    pub(super) tags: Vec<(TagPrefix, u32)>,
    /// Values already in the dictionaries.
    known: Vec<HashMap<String, u32>>,
}

impl Columns {
    /// Takes an entry up.
    pub(super) fn add(&mut self, entry: &Glimpse<'_>) {
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let place = u32::try_from(self.indices.len()).unwrap_or(u32::MAX);
        let (index, time) = (entry.index, entry.time.as_microsecond());
        if place == 0 {
            self.extent = Extent { entries: 0, first: index, last: index, earliest: time, latest: time };
            self.fields = vec![Column::default(); Field::ALL.len()];
            self.known = vec![HashMap::new(); Field::ALL.len()];
        }
        self.extent.entries += 1;
        self.extent.last = index;
        self.extent.earliest = self.extent.earliest.min(time);
        self.extent.latest = self.extent.latest.max(time);
        self.indices.push(index);
        self.times.push(time);
        self.latencies.push(in_column(entry.latency_us));
        for ((value, column), known) in entry.fields.values().zip(&mut self.fields).zip(&mut self.known) {
            let code = match value {
                None => 0,
                Some(value) => match known.get(value) {
                    Some(code) => *code,
                    None => {
                        column.dictionary.push(value.to_owned());
                        let code = u32::try_from(column.dictionary.len()).unwrap_or(u32::MAX);
                        known.insert(value.to_owned(), code);
                        code
                    }
                },
            };
            column.codes.push(code);
        }
        let mut tag = Hash::default();
        if entry.trail_tag.is_some_and(|text| URL_SAFE_NO_PAD.decode_slice(text, &mut tag) == Ok(tag.len())) {
            self.tags.push((prefix(&tag), place));
        }
    }
}

/// A part, wherever it lies: what a search needs of it.
pub(super) trait Part {
    /// Why a column cannot be had.
    type Error;

    /// See [`Extent`].
    fn extent(&self) -> Extent;

    /// A field's column.
    fn column(&self, field: Field) -> Result<Cow<'_, Column>, Self::Error>;

    /// The values in a field's column, each once.
    fn values(&self, field: Field) -> Result<Cow<'_, [String]>, Self::Error>;

    /// The code of a value in a field's column; none when no entry has it.
    fn code(&self, field: Field, value: &str) -> Result<Option<u32>, Self::Error>;

    /// Keeps of `fits` the entries with this code.
    fn keep(&self, field: Field, code: u32, fits: &mut [bool]) -> Result<(), Self::Error>;

    /// Indices of the entries.
    fn indices(&self) -> Result<Cow<'_, [u64]>, Self::Error>;

    /// Ledger times of the entries, microseconds.
    fn times(&self) -> Result<Cow<'_, [i64]>, Self::Error>;

    /// Microseconds from arrival to conclusion.
    fn latencies(&self) -> Result<Cow<'_, [u32]>, Self::Error>;

    /// Places of the entries whose trail tag begins in one of these ways, given in order, each with what stands beside it there.
    fn tagged(&self, wanted: &[(TagPrefix, usize)]) -> Result<Vec<(u32, usize)>, Self::Error>;
}

/// Columns in memory are always there.
impl Part for Columns {
    type Error = super::SegmentError;

    fn extent(&self) -> Extent {
        self.extent
    }

    fn column(&self, field: Field) -> Result<Cow<'_, Column>, Self::Error> {
        let place = Field::ALL.iter().position(|known| *known == field).unwrap_or(usize::MAX);
        Ok(self.fields.get(place).map_or_else(|| Cow::Owned(Column::default()), Cow::Borrowed))
    }

    fn values(&self, field: Field) -> Result<Cow<'_, [String]>, Self::Error> {
        Ok(match self.column(field)? {
            Cow::Borrowed(column) => Cow::Borrowed(&column.dictionary),
            Cow::Owned(column) => Cow::Owned(column.dictionary),
        })
    }

    fn code(&self, field: Field, value: &str) -> Result<Option<u32>, Self::Error> {
        Ok(self.column(field)?.code_of(value))
    }

    fn keep(&self, field: Field, code: u32, fits: &mut [bool]) -> Result<(), Self::Error> {
        fits.iter_mut().zip(&self.column(field)?.codes).for_each(|(fits, other)| *fits &= *other == code);
        Ok(())
    }

    fn indices(&self) -> Result<Cow<'_, [u64]>, Self::Error> {
        Ok(Cow::Borrowed(&self.indices))
    }

    fn times(&self) -> Result<Cow<'_, [i64]>, Self::Error> {
        Ok(Cow::Borrowed(&self.times))
    }

    fn latencies(&self) -> Result<Cow<'_, [u32]>, Self::Error> {
        Ok(Cow::Borrowed(&self.latencies))
    }

    fn tagged(&self, wanted: &[(TagPrefix, usize)]) -> Result<Vec<(u32, usize)>, Self::Error> {
        let fitting = |(prefix, place): &(TagPrefix, u32)| {
            let first = wanted.partition_point(|(other, _)| other < prefix);
            let same = wanted.iter().skip(first).take_while(|(other, _)| other == prefix);
            same.map(|(_, with)| (*place, *with)).collect::<Vec<_>>()
        };
        Ok(self.tags.iter().flat_map(fitting).collect())
    }
}
