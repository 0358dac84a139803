//! What is written is read back; what was cut off is passed over; what is lost is noticed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;

use tempfile::TempDir;

use super::frame::BLOCK;
use super::*;
use crate::core::ledger::tree::Hash;

const LEN: u64 = 16 * BLOCK as u64;

fn entry(number: u64, len: usize) -> Placed {
    let byte = u8::try_from(number % 251).unwrap();
    let (id, hash): ([u8; 16], Hash) = ([byte; 16], [byte; 32]);
    Placed { id, salt: hash, header: [byte; 43], content_commitment: hash, content_key: 7, sealed: vec![byte; len] }
}

fn frame(first: u64, count: u64, len: usize) -> Vec<u8> {
    let mut builder = FrameBuilder::default();
    builder.clear();
    (first..first + count).for_each(|number| builder.add(&entry(number, len)));
    builder.finish(first, &[9; 32]).to_vec()
}

/// A journal of frames with three entries each, from entry 0.
fn written(frames: u64) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    Journal::make(folder.path(), LEN).unwrap();
    let mut journal = Journal::open(folder.path(), LEN, Faults::none()).unwrap();
    for number in 0..frames {
        let bytes = frame(number * 3, 3, 500);
        if !journal.has_room(bytes.len() as u64) {
            journal.turn(number * 3);
        }
        journal.append(&bytes).unwrap();
    }
    folder
}

fn indexes(folder: &TempDir, stored: u64) -> Result<Vec<u64>, LedgerError> {
    let frames = pending(folder.path(), stored)?;
    Ok(frames.iter().flat_map(|frame| frame.first..frame.end()).collect())
}

/// Changes one byte of the journal's first file.
fn alter(folder: &TempDir, at: usize) {
    let path = folder.path().join(NAMES[0]);
    let mut bytes = fs::read(&path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn frames_read_back_as_they_were_written() {
    for len in [0, 1, 500, BLOCK, 3 * BLOCK] {
        let bytes = frame(40, 2, len);
        assert_eq!(bytes.len() % BLOCK, 0);
        let (read, filled) = Frame::read(&bytes).unwrap();
        assert_eq!((read.first, read.root, filled), (40, [9; 32], bytes.len()));
        assert_eq!(read.entries, [entry(40, len), entry(41, len)]);
    }
}

#[test]
fn no_single_altered_byte_of_a_frame_passes() {
    let bytes = frame(40, 1, 64);
    let covered = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    for at in 0..=covered {
        let mut altered = bytes.clone();
        altered[at] ^= 0x10;
        assert_eq!(Frame::read(&altered), None, "byte {at}");
    }
}

#[test]
fn only_what_the_database_lacks_is_read_back_from_both_files_in_order() {
    let folder = written(20);
    assert_eq!(indexes(&folder, 15).unwrap(), (15..60).collect::<Vec<_>>());
    assert_eq!(indexes(&folder, 57).unwrap(), [57, 58, 59]);
    assert_eq!(indexes(&folder, 60).unwrap(), [0; 0]);
}

#[test]
fn files_written_over_hold_the_latest_frames() {
    let folder = written(100);
    assert_eq!(indexes(&folder, 297).unwrap(), [297, 298, 299]);
    assert_eq!(fs::metadata(folder.path().join(NAMES[0])).unwrap().len(), LEN);
}

#[test]
fn frame_cut_off_at_the_end_is_passed_over() {
    let folder = written(2);
    alter(&folder, BLOCK + 100);
    assert_eq!(indexes(&folder, 0).unwrap(), [0, 1, 2]);
}

#[test]
fn damage_before_a_whole_frame_is_a_loss_and_refused() {
    let folder = written(3);
    alter(&folder, BLOCK + 100);
    let error = indexes(&folder, 0).unwrap_err().to_string();
    assert!(error.contains("entries 3 to 5 are neither in the database nor whole in the journal"), "{error}");
    assert_eq!(indexes(&folder, 6).unwrap(), [6, 7, 8], "what the database has is not missed");
}

#[test]
fn missing_files_hold_nothing() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!Journal::is_complete(folder.path()));
    assert_eq!(indexes(&folder, 5).unwrap(), [0; 0]);
}
