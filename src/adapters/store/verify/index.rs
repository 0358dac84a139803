//! The index by which answers are found. An entry that is there and cannot be found by its id is as good as left out.
//!
//! The index is in the order of ids, the log is not. So both are summed up, each pair of id and index hashed under a key that is drawn
//! for the occasion: whoever altered the index could not make the sums agree.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};

use super::VerifyOptions;
use super::fault::VerifyError;

/// Rows between two looks whether anybody still waits.
const LOOK_EVERY: u64 = 4096;

/// The sum over the index, of entries below `total`.
pub(super) fn sum(options: &VerifyOptions, total: u64, hasher: &RandomState, ended: &AtomicBool) -> Result<u64, VerifyError> {
    let conn = super::open(options)?;
    let mut select = conn.prepare("SELECT id, idx FROM entry INDEXED BY entry_by_id ORDER BY id")?;
    let mut rows = select.query([])?;
    let (mut sum, mut read) = (0_u64, 0_u64);
    while let Some(row) = rows.next()? {
        read += 1;
        if read.is_multiple_of(LOOK_EVERY) && ended.load(Ordering::Relaxed) {
            break;
        }
        let index: u64 = row.get(1)?;
        if index < total {
            let id = row.get_ref(0)?.as_blob().map_err(|_| VerifyError::Index)?;
            sum = sum.wrapping_add(hasher.hash_one((id, index)));
        }
    }
    Ok(sum)
}
