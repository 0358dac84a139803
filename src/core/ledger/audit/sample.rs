//! Random work-lists: which entries an agency is asked to justify, and what it says.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::tree::{Hash, sha256};
use super::DamagedEntry;
use crate::core::domain::document::coded_enum;

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
    /// The origin of the log that it was drawn from; none in samples of earlier builds, which are of the log that records them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The size of the log that it was drawn from.
    pub tree_size: u64,
    /// How many entries fitted.
    pub drawn_from: u64,
    /// The entries.
    pub indices: Vec<u64>,
    /// The entries by the agency that asked, so that nobody has to open them to know whose they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_agency: BTreeMap<String, Vec<u64>>,
    /// Entries that nobody could read when it was drawn. None that lies in them was drawn, so that whatever is put right since, it is the same when drawn again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<DamagedEntry>,
    /// Until when the agencies are asked to answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Date>,
}

impl Sample {
    /// Whether drawing anew bears out what was drawn: of `size` entries under the same seed, from the same ones. `again` are those that were drawn now, `gone` those of
    /// the sample that cannot be drawn any more: others may have come in their place, behind all of the sample in the order of its seed.
    pub fn agrees(&self, size: usize, again: &[u64], gone: &[u64]) -> bool {
        let left: Vec<u64> = self.indices.iter().copied().filter(|index| !gone.contains(index)).collect();
        let last = self.indices.iter().map(|index| rank(&self.drawn_by, *index)).max();
        // All that fitted were drawn: nothing can have come in the place of any.
        let none_left = self.indices.len() < size;
        let mut more = again.iter().filter(|index| !self.indices.contains(index));
        left.iter().all(|index| again.contains(index)) && more.all(|index| !none_left && Some(rank(&self.drawn_by, *index)) > last)
    }
}

coded_enum! {
    /// Why an agency asked. A closed list: free text would put numbers and names of people into the log. The rest is in the agency's own file.
    Ground {
        /// The holder was there and asked for the service.
        HolderPresent = "holder-present",
        /// The holder asked for the service from afar: by letter, telephone or a page.
        HolderApplied = "holder-applied",
        /// A service that the holder has came up for renewal or payment.
        ServiceRenewal = "service-renewal",
        /// A law, a court or a supervisor wanted it.
        LegalDuty = "legal-duty",
        /// Help that could not wait.
        Emergency = "emergency",
        /// A system asked again after a fault.
        TechnicalRepeat = "technical-repeat",
        /// The wrong person or the wrong file: it should not have been asked.
        Mistake = "mistake",
        /// The agency looked and found no ground.
        NoGroundFound = "no-ground-found",
        /// Something else, which the agency's file says.
        Other = "other",
    }
}

/// What an agency says about one entry of a sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Justification {
    /// The sample.
    pub sample_id: Uuid,
    /// The entry.
    pub index: u64,
    /// Why it was asked; none in entries of builds that took free text, which is not shown any more.
    #[serde(default)]
    pub ground: Option<Ground>,
    /// The agency's own file, where the papers are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The `size` smallest of some entries.
    fn drawn(size: usize, from: impl Iterator<Item = u64>) -> Vec<u64> {
        let mut all: Vec<u64> = from.collect();
        all.sort_by_key(|index| rank("seed", *index));
        all.truncate(size);
        all
    }

    #[test]
    fn a_sample_is_borne_out_after_deletions_and_another_one_is_not() {
        for size in [5, 100] {
            let indices = drawn(size, 0..40);
            let sample = Sample {
                drawn_by: "seed".into(),
                origin: None,
                tree_size: 40,
                drawn_from: 40,
                indices: indices.clone(),
                by_agency: BTreeMap::new(),
                left_out: Vec::new(),
                due: None,
            };
            assert!(sample.agrees(size, &indices, &[]));
            let gone = [indices.first().copied().unwrap_or_default(), 41];
            let left = drawn(size, (0..40).filter(|index| !gone.contains(index)));
            assert!(sample.agrees(size, &left, &gone) && left.len() == size.min(39));
            assert!(!sample.agrees(size, &left, &[]), "one is not there and nobody says why");
            let other = drawn(size, (0..40).filter(|index| Some(index) != indices.get(1)));
            assert!(!sample.agrees(size, &other, &[]));
            assert!(!sample.agrees(size, &drawn(size, 0..200), &[]), "{size}: of a longer log others come first");
        }
    }

    #[test]
    fn rank_never_changes() {
        let hex = rank("2026-11", 7).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        assert_eq!(hex, "38719d220492e2020293ba68ee13ed9118c72bd944d32eabf42f189a2209e5d6");
        assert_ne!(rank("2026-11", 7), rank("2026-11", 8));
        assert_ne!(rank("2026-11", 7), rank("2026-12", 7));
    }
}
