//! Random work-lists: which entries an agency is asked to justify, and what it says.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::tree::{Hash, sha256};

/// Most entries of one sample.
pub const LARGEST_SAMPLE: usize = 100;

/// The place of an entry in the order of a seed: SHA-256("estelam sample v1" ‖ 0x00 ‖ seed ‖ 0x00 ‖ index, u64 BE). A sample of n is the n smallest.
pub fn rank(seed: &str, index: u64) -> Hash {
    sha256(&[b"estelam sample v1\0".as_slice(), seed.as_bytes(), &[0], &index.to_be_bytes()].concat())
}

/// A sample as its entry records it: all that is needed to draw it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The seed; no secret, whoever has it can draw again.
    #[serde(rename = "seed")]
    pub drawn_by: String,
    /// The size of the log that it was drawn from.
    pub tree_size: u64,
    /// How many entries fitted.
    pub drawn_from: u64,
    /// The entries.
    pub indices: Vec<u64>,
    /// Until when the agencies are asked to answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Date>,
}

/// What an agency says about one entry of a sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Justification {
    /// The sample.
    pub sample_id: Uuid,
    /// The entry.
    pub index: u64,
    /// In its own words, without number or name of the person.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rank_never_changes() {
        let hex = rank("2026-11", 7).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        assert_eq!(hex, "38719d220492e2020293ba68ee13ed9118c72bd944d32eabf42f189a2209e5d6");
        assert_ne!(rank("2026-11", 7), rank("2026-11", 8));
        assert_ne!(rank("2026-11", 7), rank("2026-12", 7));
    }
}
