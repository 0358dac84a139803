//! The check of an export: every row's leaf, what lies between the rows, and the checkpoint at the end of each stretch.

use std::io::{BufRead, BufReader};
use std::path::Path;

use aws_lc_rs::digest::{Context as Digest, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;

use crate::core::ledger::audit::Fold;
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::leaf::{Header, header_commitment, leaf};
use crate::core::ledger::note::NoteKey;
use crate::core::ledger::retention::kept_until;
use crate::core::ledger::succession::{is_of_one_chain, renamed, sealed_by};
use crate::core::ledger::tree::{Hash, leaf_hash};

/// Keys that checkpoints may be signed with, and the logs that they are of, the oldest first, as far as they are known.
pub(super) struct Trusted {
    pub(super) keys: Vec<NoteKey>,
    pub(super) origins: Vec<String>,
}

/// A file that holds.
pub(super) struct Checked {
    pub(super) stretches: Vec<Stretch>,
    pub(super) rows: u64,
    /// Rows that were counted and are not there: their contents went while the export was written.
    pub(super) gone: u64,
    pub(super) first: Line,
    pub(super) last: Line,
    /// Entries and logs that it lacks, and logs that it was not to have.
    pub(super) damaged: Vec<Value>,
    pub(super) missing_logs: Vec<Value>,
    pub(super) not_covered: Vec<Value>,
    /// The first and the last instant by which a row is to be destroyed; none of a file of an earlier build.
    pub(super) due: Option<(Timestamp, Timestamp)>,
}

impl Checked {
    /// Rows that nothing leads from to a checkpoint.
    pub(super) fn unproved(&self) -> u64 {
        self.stretches.iter().map(|stretch| stretch.unproved).sum()
    }

    /// Whether every stretch leads to its checkpoint with all of its rows.
    pub(super) fn is_proved(&self) -> bool {
        self.stretches.iter().all(|stretch| stretch.met && stretch.unproved == 0)
    }
}

/// Rows under one checkpoint.
pub(super) struct Stretch {
    /// Its log.
    pub(super) origin: String,
    pub(super) checkpoint: Checkpoint,
    pub(super) rows: u64,
    unproved: u64,
    /// Whether they fold up to the checkpoint's root.
    met: bool,
}

/// A line that is the statement of an entry.
pub(super) struct Line {
    /// The entry's id.
    pub(super) id: String,
    pub(super) json: String,
    pub(super) what: &'static str,
}

impl Line {
    fn new(part: &Value, (name, json, what): (&str, &str, &'static str)) -> Result<Self, String> {
        let id = part.get(name).and_then(Value::as_str).filter(|id| id.parse::<uuid::Uuid>().is_ok());
        Ok(Self { id: id.ok_or(format!("`{name}` is missing"))?.to_owned(), json: json.to_owned(), what })
    }
}

/// Checks a whole file, line by line.
pub(super) fn check(file: &Path, trusted: &Trusted) -> Result<Checked, String> {
    let reader = BufReader::new(std::fs::File::open(file).map_err(|error| error.to_string())?);
    let mut reading: Option<Reading> = None;
    for (number, line) in (1_u64..).zip(reader.lines()) {
        let line = line.map_err(|error| error.to_string())?;
        let at = |what: String| format!("line {number}: {what}");
        match &mut reading {
            Some(reading) => reading.take(&line).map_err(at)?,
            None => reading = Some(Reading::begin(&line, trusted).map_err(at)?),
        }
    }
    reading.ok_or("it is empty")?.done()
}

/// A file that is read.
struct Reading {
    stretches: Vec<Stretch>,
    /// The stretch that the next row is of.
    number: usize,
    fold: Fold,
    /// No row of the log comes before this index.
    from: u64,
    digest: Digest,
    rows: u64,
    count: u64,
    gone: u64,
    columns: Option<Vec<String>>,
    due: Option<(Timestamp, Timestamp)>,
    manifest: Value,
    first: Line,
    last: Option<Line>,
    late: Vec<Value>,
}

impl Reading {
    fn begin(line: &str, trusted: &Trusted) -> Result<Self, String> {
        let remark = line.strip_prefix("# ").unwrap_or(line);
        let json: Option<Value> = serde_json::from_str(remark).ok();
        let manifest = json.as_ref().and_then(|json| json.get("manifest")).ok_or("it does not begin with a manifest")?.clone();
        let first = Line::new(&manifest, ("export_id", remark, "first"))?;
        let count = manifest.get("count").and_then(Value::as_u64).ok_or("`count` is missing")?;
        let earlier = list(&manifest, "earlier");
        let stretches = earlier.iter().chain([&manifest]).map(|under| stretch(under, trusted)).collect::<Result<_, _>>()?;
        let mut digest = Digest::new(&SHA256);
        digest.update(line.as_bytes());
        digest.update(b"\n");
        let (fold, columns, due, last, late) = (Fold::default(), None, None, None, Vec::new());
        Ok(Self { stretches, number: 0, fold, from: 0, digest, rows: 0, count, gone: 0, columns, due, manifest, first, last, late })
    }

    fn take(&mut self, line: &str) -> Result<(), String> {
        if self.last.is_some() {
            return Err("there is more after the last line".to_owned());
        }
        let remark = line.strip_prefix("# ").unwrap_or(line);
        let json: Option<Value> = serde_json::from_str(remark).ok();
        let named = |name: &str| json.as_ref().and_then(|json| json.get(name)).filter(|part| part.is_object());
        if let Some(part) = named("part") {
            self.close(part, part.get("rows").and_then(Value::as_u64))?;
            self.next()?;
        } else if let Some(end) = named("end") {
            self.end(end, remark)?;
        } else if line.starts_with("index,") && self.columns.is_none() {
            self.columns = Some(line.split(',').map(str::to_owned).collect());
        } else {
            let row = json.or_else(|| from_csv(self.columns.as_deref()?, line)).ok_or("it is no row")?;
            self.row(&row)?;
        }
        self.digest.update(line.as_bytes());
        self.digest.update(b"\n");
        Ok(())
    }

    /// Takes one row: header and leaf must fit what the row says.
    fn row(&mut self, row: &Value) -> Result<(), String> {
        let proof = row.get("proof").ok_or("it has no proof")?;
        let bytes = |name: &str| proof.get(name).and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok());
        let salt: Hash = bytes("salt").and_then(|bytes| bytes.try_into().ok()).ok_or("`salt` is malformed")?;
        let header: [u8; 43] = bytes("header").and_then(|bytes| bytes.try_into().ok()).ok_or("`header` is malformed")?;
        let content: Hash =
            bytes("content_commitment").and_then(|bytes| bytes.try_into().ok()).ok_or("`content_commitment` is malformed")?;
        let decoded = Header::decode(&header).map_err(|error| error.to_string())?;
        let index = row.get("index").and_then(Value::as_u64).ok_or("`index` is missing")?;
        let text = |name: &str| row.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let instant = |text: &str| text.parse::<Timestamp>().ok();
        if text("time").and_then(instant) != Some(decoded.time) || text("kind") != Some(decoded.kind.code()) {
            return Err("its time or kind is not that of its header".to_owned());
        }
        let due = kept_until(decoded.time, decoded.class);
        if let Some(said) = text("destroy_by") {
            if instant(said) != Some(due) || text("class") != Some(decoded.class.code()) {
                return Err("it is to be destroyed by another instant than its header says".to_owned());
            }
            self.due = Some(self.due.map_or((due, due), |(first, last)| (first.min(due), last.max(due))));
        }
        let stretch = self.stretches.get_mut(self.number).ok_or("it is of no log that the first line names")?;
        if text("origin").is_some_and(|origin| origin != stretch.origin) {
            return Err(format!("it is not of `{}`, whose rows come here", stretch.origin));
        }
        if index < self.from || index >= stretch.checkpoint.size {
            return Err("its index is not beyond that of the row before, or not under the checkpoint".to_owned());
        }
        match proof.get("gap") {
            Some(Value::Null) => stretch.unproved += 1,
            gap => {
                self.fold.gap(index, &hashes(gap).ok_or("a hash is malformed")?).map_err(|error| error.to_string())?;
                self.fold.leaf(leaf_hash(&leaf(&header_commitment(&salt, &header), &content)));
            }
        }
        stretch.rows += 1;
        (self.from, self.rows) = (index + 1, self.rows + 1);
        Ok(())
    }

    /// Takes the gap to the end of a stretch: all before must fold up to the checkpoint.
    fn close(&mut self, part: &Value, rows: Option<u64>) -> Result<(), String> {
        let stretch = self.stretches.get_mut(self.number).ok_or("it ends a stretch that the first line does not name")?;
        if rows != Some(stretch.rows) {
            return Err("its rows are not those that it counts".to_owned());
        }
        if part.get("gap") == Some(&Value::Null) {
            return Ok(());
        }
        let gap = hashes(part.get("gap")).ok_or("a hash is malformed")?;
        self.fold.gap(stretch.checkpoint.size, &gap).map_err(|error| error.to_string())?;
        if self.fold.root() != stretch.checkpoint.root {
            return Err("its rows do not fold up to the checkpoint's root: one was altered, left out or put in".to_owned());
        }
        stretch.met = true;
        Ok(())
    }

    /// Goes on to the next stretch.
    fn next(&mut self) -> Result<(), String> {
        let before = self.stretches.get(self.number).map(|stretch| stretch.origin.clone());
        self.number += 1;
        let next = self.stretches.get(self.number).ok_or("another stretch comes after it that the first line does not name")?;
        if before.as_ref() != Some(&next.origin) {
            (self.fold, self.from) = (Fold::default(), 0);
        }
        Ok(())
    }

    fn end(&mut self, end: &Value, remark: &str) -> Result<(), String> {
        if self.number + 1 != self.stretches.len() {
            return Err("the end of a stretch that the first line names is missing".to_owned());
        }
        let hex = self.digest.clone().finish().as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        self.gone = end.get("gone").and_then(Value::as_u64).unwrap_or(0);
        if end.get("sha256").and_then(Value::as_str) != Some(&hex)
            || end.get("rows").and_then(Value::as_u64) != Some(self.rows)
            || Some(self.count) != self.rows.checked_add(self.gone)
        {
            return Err("its rows are not those that the first and the last line count".to_owned());
        }
        self.close(end, self.stretches.last().map(|stretch| stretch.rows))?;
        self.late = list(end, "damaged");
        self.last = Some(Line::new(end, ("recorded_as", remark, "last"))?);
        Ok(())
    }

    fn done(self) -> Result<Checked, String> {
        let last = self.last.ok_or("it breaks off: the last line is missing")?;
        let mut damaged = list(&self.manifest, "damaged");
        damaged.extend(self.late);
        Ok(Checked {
            stretches: self.stretches,
            rows: self.rows,
            gone: self.gone,
            first: self.first,
            last,
            damaged,
            missing_logs: list(&self.manifest, "missing_logs"),
            not_covered: list(&self.manifest, "not_covered"),
            due: self.due,
        })
    }
}

/// A stretch as the first line names it, once its checkpoint is signed for its log.
fn stretch(under: &Value, trusted: &Trusted) -> Result<Stretch, String> {
    let text = |name: &str| under.get(name).and_then(Value::as_str).unwrap_or_default();
    let (origin, note) = (text("origin"), text("checkpoint"));
    let claimed = Checkpoint::claimed_origin(note).ok_or("a checkpoint is malformed")?;
    let is_of_log = match sealed_by(claimed) {
        _ if claimed == origin => true,
        Some(next) => goes_on_from(next, origin, &trusted.origins),
        None => false,
    };
    if !is_of_log {
        return Err(format!("the checkpoint of `{claimed}` is not one of `{origin}`"));
    }
    // A log's key is its successor's too, and signs the seal under its name.
    let of_chain: Vec<NoteKey> = trusted.keys.iter().filter(|key| is_of_one_chain(key.name(), origin)).cloned().collect();
    let checkpoint =
        Checkpoint::open(note, &renamed(&of_chain, claimed)).map_err(|error| format!("the checkpoint of `{claimed}`: {error}"))?;
    if under.get("tree_size").and_then(Value::as_u64) != Some(checkpoint.size) {
        return Err(format!("`tree_size` is not that of the checkpoint of `{claimed}`"));
    }
    Ok(Stretch { origin: origin.to_owned(), checkpoint, rows: 0, unproved: 0, met: false })
}

/// Whether the log `next` began where that of `origin` ended.
fn goes_on_from(next: &str, origin: &str, origins: &[String]) -> bool {
    let place = |wanted: &str| origins.iter().position(|known| known == wanted);
    match (place(origin), place(next)) {
        (Some(old), Some(new)) => old + 1 == new,
        // Without the list of logs the file's own word is taken, as far as names go.
        _ => next != origin && is_of_one_chain(next, origin),
    }
}

fn list(value: &Value, name: &str) -> Vec<Value> {
    value.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn hashes(list: Option<&Value>) -> Option<Vec<Hash>> {
    let list = list?.as_array()?;
    list.iter().map(|hash| STANDARD.decode(hash.as_str()?).ok()?.try_into().ok()).collect()
}

/// A row of the CSV form as the NDJSON form has it.
fn from_csv(columns: &[String], line: &str) -> Option<Value> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
    let record = reader.records().next()?.ok()?;
    let cell = |name: &str| columns.iter().position(|column| column == name).and_then(|place| record.get(place)).map(bare);
    let gap = cell("gap").map(|gap| (gap != "-").then(|| gap.split_whitespace().collect::<Vec<_>>()))?;
    Some(serde_json::json!({
        "index": cell("index")?.parse::<u64>().ok()?, "time": cell("time")?, "kind": cell("kind")?,
        "origin": cell("origin"), "class": cell("class"), "destroy_by": cell("destroy_by"),
        "proof": { "salt": cell("salt")?, "header": cell("header")?, "content_commitment": cell("content_commitment")?, "gap": gap },
    }))
}

/// A cell without the mark that keeps spreadsheets from taking it for a formula: base64 may begin with a plus sign.
fn bare(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| text.starts_with(['=', '+', '-', '@'])).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn cells_that_would_be_formulas_are_read_as_they_were() {
        let columns = ["index", "time", "kind", "salt", "header", "content_commitment", "gap"].map(str::to_owned);
        let row = from_csv(&columns, "7,2026-11-23T10:00:00Z,answer,\"'+uiw\",\"'/A\",U8U5,\"'+aa= bb=\"").unwrap();
        assert_eq!((&row["proof"]["salt"], &row["proof"]["header"]), (&Value::from("+uiw"), &Value::from("'/A")));
        assert_eq!(row["proof"]["gap"], serde_json::json!(["+aa=", "bb="]));
        let unproved = from_csv(&columns, "7,2026-11-23T10:00:00Z,answer,a,b,c,\"'-\"").unwrap();
        let first = from_csv(&columns, "7,2026-11-23T10:00:00Z,answer,a,b,c,").unwrap();
        assert_eq!((&unproved["proof"]["gap"], &first["proof"]["gap"]), (&Value::Null, &serde_json::json!([])));
    }

    #[test]
    fn a_seal_counts_for_the_log_that_ended_there_alone() {
        let origins = ["log.example", "log.example/2026-01-01.00000001", "log.example/2026-01-02.00000002"].map(str::to_owned);
        assert!(goes_on_from(&origins[1], &origins[0], &origins) && goes_on_from(&origins[2], &origins[1], &origins));
        assert!(!goes_on_from(&origins[2], &origins[0], &origins) && !goes_on_from(&origins[0], &origins[1], &origins));
        assert!(goes_on_from(&origins[2], &origins[0], &[]), "without the list names must do");
        assert!(!goes_on_from("other.example/2026-01-01.00000001", &origins[0], &[]));
    }
}
