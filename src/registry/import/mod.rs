//! Importing exports of other offices, CSV or NDJSON (contract §5.1): all of a file or nothing of it.

mod csv_rows;
mod judge;
mod last;
mod merge;
mod ndjson_rows;
mod records;
mod rejects;
mod row;
mod summary;

pub use judge::Reason;
pub use rejects::rejects_beside;
pub use summary::Summary;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::generate::{is_made_up, retire_met};
use super::store::{Store, StoreError};
use crate::core::domain::scheme::SchemeCatalogue;
use csv_rows::Header;
use judge::{Fault, judge};
use merge::Merge;
use records::{Records, refuse_mistaken};
use rejects::Rejects;
use row::Row;
use summary::Counter;

/// What to import.
pub struct ImportOptions<'a> {
    /// A file that ends in `.csv`, `.ndjson` or `.jsonl`.
    pub file: &'a Path,
    /// Whose person keys these are; `None` is the file's stem.
    pub source: Option<&'a str>,
    /// Where rejected rows go; `None` is [`rejects_beside`] the file.
    pub rejects: Option<&'a Path>,
    /// The private folder where they go if no place was named and nothing can be written beside the file.
    pub aside: Option<&'a Path>,
    /// The catalogue that judges identifiers.
    pub schemes: &'a SchemeCatalogue,
    /// When this is: what the file says is known from now on, whatever its `recorded_at` claims.
    pub now: Timestamp,
}

/// Why a file was not imported. None of these holds an identifier or a name.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be opened.
    #[error("cannot read `{}`: {why}", .file.display())]
    Open {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        #[source]
        why: io::Error,
    },
    /// Reading failed half-way.
    #[error("reading the file failed: {0}")]
    Read(#[source] io::Error),
    /// Neither form.
    #[error("`{}` is neither CSV nor NDJSON: name it `….csv` or `….ndjson`", .0.display())]
    Format(PathBuf),
    /// The source's name is empty.
    #[error("the source has no name: give one with `--source`")]
    Source,
    /// The source is one of ours.
    #[error(
        "the source `honeypot` and those that begin with `generated-` are kept for what this registry makes up itself; name the office with \
         `--source`"
    )]
    ReservedSource,
    /// Not UTF-8, or not text at all.
    #[error("line {line}: {what}")]
    Encoding {
        /// The first such line.
        line: u64,
        /// What it is and what to do.
        what: &'static str,
    },
    /// A line that no row could be.
    #[error("line {line}: longer than 64 MiB, so it is no row; see whether lines end in LF or CRLF")]
    LongLine {
        /// Which line.
        line: u64,
    },
    /// A quote is never closed.
    #[error("line {line}: a quoted field that begins in this row is never closed")]
    OpenQuote {
        /// First line of the row.
        line: u64,
    },
    /// A row that cannot be cut into fields.
    #[error("line {line}: cannot be read as CSV")]
    Unreadable {
        /// First line of the row.
        line: u64,
    },
    /// The header is not one of contract §5.1.
    #[error("line 1: the header is not accepted: {0}")]
    Header(String),
    /// The rejects file cannot be written; without it nobody could see which rows are missing.
    #[error("cannot write the rejects file `{}`: {why}; name a place that can be written with `--rejects FILE`", .place.display())]
    Rejects {
        /// Where it was to be.
        place: PathBuf,
        /// What the system said.
        #[source]
        why: io::Error,
    },
    /// The rejects would replace what is imported.
    #[error("`--rejects` names the file that is to be imported; name another")]
    RejectsOverFile,
    /// The one error after which the file *is* imported.
    #[error(
        "the file was imported, but its rejects file `{}` could not be put in place: {why}; import it again to get it, elsewhere with \
         `--rejects FILE`",
        .place.display()
    )]
    RejectsNotPlaced {
        /// Where it was to be.
        place: PathBuf,
        /// What the system said.
        #[source]
        why: io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for ImportError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Imports a file in one transaction; rejected rows go to the rejects file. `progress` hears bytes done and bytes in all.
///
/// # Errors
/// [`ImportError`]; then nothing was written, save for [`ImportError::RejectsNotPlaced`].
pub fn run(store: &Store, options: &ImportOptions<'_>, progress: &mut dyn FnMut(u64, u64)) -> Result<Summary, ImportError> {
    let form = Form::of(options.file)?;
    let stem = options.file.file_stem().unwrap_or_default().to_string_lossy();
    let source = options.source.unwrap_or(&stem).trim();
    if source.is_empty() {
        return Err(ImportError::Source);
    }
    if is_made_up(source) {
        return Err(ImportError::ReservedSource);
    }
    let rejects = place_of_rejects(options)?;
    let open = |why| ImportError::Open { file: options.file.to_owned(), why };
    let mut file = File::open(options.file).map_err(open)?;
    check(form, &mut file)?;
    let mut rejects = begin_rejects(options, rejects)?;
    let place = rejects.place().to_owned();
    let unwritten = |why| ImportError::Rejects { place: place.clone(), why };
    let mut summary = commit(store, source, Some(options.now), |merge| {
        let mut reject = |row: &Row, fault| rejects.add(row, fault).map_err(unwritten);
        let summary = merge_rows(form, &mut file, options.schemes, merge, &mut reject, progress)?;
        rejects.seal().map_err(unwritten)?;
        Ok(summary)
    })?;
    summary.rejects = rejects.publish().map_err(|why| ImportError::RejectsNotPlaced { place, why })?;
    Ok(summary)
}

/// Where rejects are to go. What was named is looked at before anything is read: a link is followed, and nothing but a file is replaced.
fn place_of_rejects(options: &ImportOptions<'_>) -> Result<PathBuf, ImportError> {
    let place = options.rejects.map_or_else(|| rejects_beside(options.file), Path::to_path_buf);
    if same_file(&place, options.file) {
        return Err(ImportError::RejectsOverFile);
    }
    // Beside the file a link may be anybody's; only one that was named is meant to lead elsewhere.
    let followed = if options.rejects.is_some() { rejects::replaceable(&place) } else { Ok(place.clone()) };
    followed.map_err(|why| ImportError::Rejects { place, why })
}

/// Begins the rejects where they were asked for, or else beside the file, or else aside: exports often lie in folders that are only read.
fn begin_rejects(options: &ImportOptions<'_>, place: PathBuf) -> Result<Rejects, ImportError> {
    let aside = options.aside.filter(|_| options.rejects.is_none()).zip(place.file_name()).map(|(folder, name)| folder.join(name));
    Rejects::at(&place)
        .or_else(|why| aside.and_then(|aside| Rejects::at(&aside).ok()).ok_or(why))
        .map_err(|why| ImportError::Rejects { place, why })
}

/// Whether two paths lead to one file that is there.
fn same_file(one: &Path, other: &Path) -> bool {
    std::fs::canonicalize(one).is_ok_and(|one| std::fs::canonicalize(other).is_ok_and(|other| one == other))
}

/// Imports NDJSON that ships inside the product: known since ever, as an installation's decrees are.
///
/// # Errors
/// [`ImportError`]; then nothing was written.
pub(in crate::registry) fn run_embedded(
    store: &Store,
    ndjson: &str,
    source: &str,
    schemes: &SchemeCatalogue,
) -> Result<Summary, ImportError> {
    let mut input = io::Cursor::new(ndjson);
    commit(store, source, None, |merge| merge_rows(Form::Ndjson, &mut input, schemes, merge, &mut |_, _| Ok(()), &mut |_, _| ()))
}

/// Why a transaction is rolled back.
enum Undone {
    /// The rows are those of the source's last import.
    Again(Box<Summary>),
    Failed(ImportError),
}

impl From<ImportError> for Undone {
    fn from(error: ImportError) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// Merges in one transaction what `merge_all` reads. Rows that the last import of this source had too, and no others, are only counted:
/// merged once more they could say something else, since what they are held against holds their own later rows by now.
fn commit(
    store: &Store,
    source: &str,
    now: Option<Timestamp>,
    merge_all: impl FnOnce(&mut Merge<'_>) -> Result<Summary, ImportError>,
) -> Result<Summary, ImportError> {
    let done = store.with_writer(|transaction| {
        let mut merge = Merge::new(transaction, source, now);
        let summary = merge_all(&mut merge)?;
        if merge.is_last_import_again()? {
            return Err(Undone::Again(Box::new(summary)));
        }
        merge.finish()?;
        retire_met(transaction)?;
        Ok(summary)
    });
    done.or_else(|undone| match undone {
        Undone::Again(summary) => Ok(*summary),
        Undone::Failed(error) => Err(error),
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Csv,
    Ndjson,
}

impl Form {
    fn of(file: &Path) -> Result<Self, ImportError> {
        let extension = file.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        match extension.as_deref() {
            Some("csv") => Ok(Self::Csv),
            Some("ndjson" | "jsonl") => Ok(Self::Ndjson),
            _ => Err(ImportError::Format(file.to_owned())),
        }
    }
}

/// The first pass: header, encoding and quotes of the whole file, before anything is written.
fn check(form: Form, input: &mut (impl Read + Seek)) -> Result<(), ImportError> {
    input.seek(SeekFrom::Start(0)).map_err(ImportError::Read)?;
    let mut input = BufReader::new(input);
    refuse_mistaken(&mut input)?;
    let mut records = Records::new(input, form == Form::Csv);
    let mut record = String::new();
    if form == Form::Csv {
        records.next(&mut record)?;
        Header::read(&record)?;
    }
    while records.next(&mut record)?.is_some() {}
    Ok(())
}

/// How many records pass between two reports of progress.
const PROGRESS_EVERY: u64 = 1_000;

/// The second pass: judges, counts and merges every row.
fn merge_rows(
    form: Form,
    input: &mut (impl Read + Seek),
    schemes: &SchemeCatalogue,
    merge: &mut Merge<'_>,
    reject: &mut dyn FnMut(&Row, Fault) -> Result<(), ImportError>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Summary, ImportError> {
    let total = input.seek(SeekFrom::End(0)).map_err(ImportError::Read)?;
    input.seek(SeekFrom::Start(0)).map_err(ImportError::Read)?;
    let mut records = Records::new(BufReader::new(input), form == Form::Csv);
    let mut record = String::new();
    let layout = match form {
        Form::Csv => records.next(&mut record).and_then(|_| Header::read(&record)).map(Some)?,
        Form::Ndjson => None,
    };
    let mut counter = Counter::default();
    let mut passed = 0_u64;
    while let Some(line) = records.next(&mut record)? {
        let rows = rows(layout.as_ref(), line, &record)?;
        if rows.is_empty() && !record.trim().is_empty() {
            counter.without_document(line);
        }
        for row in rows {
            match row.and_then(|row| judge(&row, schemes).map_err(|fault| (row, fault))) {
                Ok(judged) if counter.accept(&judged) => merge.row(&judged)?,
                Ok(_duplicate) => {}
                Err((row, fault)) => {
                    counter.reject(fault.reason);
                    reject(&row, fault)?;
                }
            }
        }
        passed += 1;
        if passed.is_multiple_of(PROGRESS_EVERY) {
            progress(records.bytes(), total);
        }
    }
    progress(total, total);
    Ok(counter.finish())
}

/// A row, or what was left of one that could not be laid out.
type Laid = Result<Row, (Row, Fault)>;

/// The rows of one record.
fn rows(header: Option<&Header>, line: u64, record: &str) -> Result<Vec<Laid>, ImportError> {
    match header {
        Some(header) => Ok(header.rows(line, record)?.into_iter().map(Ok).collect()),
        None => Ok(ndjson_rows::rows(line, record)),
    }
}

#[cfg(test)]
mod tests;
