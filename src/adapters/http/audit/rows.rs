//! Rows of an export as NDJSON and as CSV. Both begin and end with a line of JSON; in CSV these lines begin with `# `.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Serialize;

use crate::core::ledger::RetentionClass;
use crate::core::ledger::audit::{AuditRow, EntryView, ProofView};
use crate::core::ledger::retention::kept_until;
use crate::core::ledger::tree::Hash;

/// Columns of the CSV form, in their order.
const COLUMNS: [&str; 34] = [
    "index",
    "time",
    "agency",
    "branch",
    "actor",
    "service",
    "purpose",
    "decision",
    "reason",
    "code",
    "count",
    "policy_version",
    "kind",
    "route",
    "answer_id",
    "request_id",
    "certificate",
    "reference",
    "signed_by",
    "signature",
    "decree",
    "freshness",
    "latency_us",
    "decrees_version",
    "assurance",
    "retry_of",
    "details",
    "origin",
    "class",
    "destroy_by",
    "salt",
    "header",
    "content_commitment",
    "gap",
];

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// A JSON object a line.
    Ndjson,
    /// RFC 4180.
    Csv,
}

#[derive(Serialize)]
struct Row<'r> {
    #[serde(flatten)]
    entry: EntryView<'r>,
    class: RetentionClass,
    destroy_by: Timestamp,
    proof: Proof,
}

#[derive(Serialize)]
struct Proof {
    #[serde(flatten)]
    leaf: ProofView,
    /// None where the row lies with one whose leaf is lost: then nothing leads from it to the checkpoint.
    gap: Option<Vec<String>>,
}

/// Until when whoever gets a row may keep it: as long as its content is kept here.
pub(super) fn destroy_by(row: &AuditRow) -> Timestamp {
    kept_until(row.time, row.class)
}

/// Hashes in base64.
pub(super) fn base64(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(|hash| STANDARD.encode(hash)).collect()
}

impl Format {
    pub(super) fn parse(text: Option<&str>) -> Option<Self> {
        match text {
            None | Some("ndjson") => Some(Self::Ndjson),
            Some("csv") => Some(Self::Csv),
            Some(_) => None,
        }
    }

    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }

    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }

    /// A line that is no row.
    pub(super) fn remark(self, json: &str) -> String {
        match self {
            Self::Ndjson => format!("{json}\n"),
            Self::Csv => format!("# {json}\n"),
        }
    }

    /// What comes between the first line and the rows.
    pub(super) fn head(self) -> &'static str {
        match self {
            Self::Ndjson => "",
            Self::Csv => HEAD,
        }
    }

    /// A row of the log of `origin`.
    pub(super) fn row(self, out: &mut String, (row, origin): (&AuditRow, &str), gap: Option<&[Hash]>) {
        let entry = Row {
            entry: EntryView { origin: Some(origin), ..EntryView::from(row) },
            class: row.class,
            destroy_by: destroy_by(row),
            proof: Proof { leaf: ProofView::from(row), gap: gap.map(base64) },
        };
        match self {
            // Serialising strings and numbers into memory cannot fail.
            Self::Ndjson => out.push_str(&serde_json::to_string(&entry).unwrap_or_default()),
            Self::Csv => out.push_str(&csv(&entry)),
        }
        out.push('\n');
    }
}

/// The cell of a row without a proof; one without a hash between it and the row before is empty.
const NO_GAP: &str = "-";

/// The header line.
const HEAD: &str = "index,time,agency,branch,actor,service,purpose,decision,reason,code,count,policy_version,kind,route,answer_id,request_id,\
                    certificate,reference,signed_by,signature,decree,freshness,latency_us,decrees_version,assurance,retry_of,details,origin,class,\
                    destroy_by,salt,header,content_commitment,gap\n";

fn csv(row: &Row<'_>) -> String {
    let value = serde_json::to_value(row).unwrap_or_default();
    let cell = |name: &&str| {
        let found = value.get(*name).or_else(|| value.get("proof")?.get(*name));
        match found {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(serde_json::Value::Number(number)) => number.to_string(),
            Some(serde_json::Value::Null) if *name == "gap" => NO_GAP.to_owned(),
            Some(serde_json::Value::Array(hashes)) => hashes.iter().filter_map(|hash| hash.as_str()).collect::<Vec<_>>().join(" "),
            _ => String::new(),
        }
    };
    COLUMNS.iter().map(cell).map(|cell| quoted(&cell)).collect::<Vec<_>>().join(",")
}

/// A cell; a quote before what a spreadsheet would take for a formula.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if formula || cell.contains([',', '"', '\n', '\r']) {
        let mark = if formula { "'" } else { "" };
        return format!("\"{mark}{}\"", cell.replace('"', "\"\""));
    }
    cell.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_line_names_the_columns() {
        assert_eq!(HEAD, format!("{}\n", COLUMNS.join(",")));
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        assert_eq!([quoted("a"), quoted("a,b"), quoted("a\"b"), quoted("=1")], ["a", "\"a,b\"", "\"a\"\"b\"", "\"'=1\""]);
    }
}
