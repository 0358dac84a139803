//! A trail: the entries with certain trail tags. Each part is asked for the first bytes of a tag, the entry then for the whole.

use std::collections::HashMap;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::Connection;

use super::columns::{Part, prefix};
use super::damage::Damage;
use super::index::Index;
use super::{SegmentError, rows};
use crate::adapters::store::contents::Contents;
use crate::core::ledger::audit::AuditRow;
use crate::core::ledger::tree::Hash;

/// A tag to look for.
pub(in crate::adapters::store) struct Sought {
    /// UTC day of its epoch, days since 1970.
    pub(in crate::adapters::store) day: i64,
    /// The tag.
    pub(in crate::adapters::store) tag: Hash,
    /// The place of its identifier in the search.
    pub(in crate::adapters::store) trace: usize,
}

/// The place of an identifier in the search, and an entry about it.
type OneOf = (usize, AuditRow);

/// What a trail search finds.
pub(in crate::adapters::store) struct Trail {
    /// The entries, by index.
    pub(in crate::adapters::store) rows: Vec<OneOf>,
    /// Those of which nobody knows whether they have one of the tags.
    pub(in crate::adapters::store) damaged: Vec<Damage>,
    /// Epochs that entries name and the log lost: under their keys nothing can be looked for.
    pub(in crate::adapters::store) lost: Vec<String>,
}

/// Finds the entries with these tags among the first `size`.
pub(in crate::adapters::store) fn trail(
    index: &mut Index,
    conn: &Connection,
    contents: &Mutex<Contents>,
    sought: &[Sought],
    size: u64,
) -> Result<Trail, SegmentError> {
    index.follow(conn, contents, size, u64::MAX)?;
    let mut by_day: HashMap<i64, Vec<&Sought>> = HashMap::new();
    sought.iter().for_each(|one| by_day.entry(one.day).or_default().push(one));
    let mut places = places(index, conn, contents, &by_day)?;
    places.retain(|(index, _, _)| *index < size);
    places.sort_unstable();
    places.dedup();
    let (mut found, mut damaged) = (Vec::new(), Vec::new());
    for (place, trace, tag) in places {
        match rows::one(conn, contents, place) {
            Ok(Some(full)) if full.content.trail_tag.as_deref() == Some(URL_SAFE_NO_PAD.encode(tag).as_str()) => {
                found.push((trace, full.into_row()));
            }
            Ok(_) => {}
            Err(SegmentError::Damaged(one)) => damaged.push(one),
            Err(error) => return Err(error),
        }
    }
    if index.note_all(conn, contents, damaged)? {
        // What was forgotten with them is looked at again, so that all of it is named.
        index.follow(conn, contents, size, u64::MAX)?;
    }
    Ok(Trail { rows: found, damaged: index.damaged(conn, contents, size)?, lost: index.lost_epochs(conn)? })
}

/// Index of an entry that may have a tag, place of the identifier, tag.
type Candidate = (u64, usize, Hash);

/// The entries that parts point to.
fn places(
    index: &mut Index,
    conn: &Connection,
    contents: &Mutex<Contents>,
    by_day: &HashMap<i64, Vec<&Sought>>,
) -> Result<Vec<Candidate>, SegmentError> {
    let mut found = Vec::new();
    let keys: Vec<i64> = index.in_memory().map(|(key, _)| key).collect();
    let days = keys.into_iter().map(|key| index.day_of(conn, key)).collect::<Result<Vec<_>, _>>()?;
    for (day, (_, columns)) in days.into_iter().zip(index.in_memory()) {
        // Where a key is gone its entries may be of any day.
        for wanted in by_day.iter().filter(|(wanted, _)| day.is_none_or(|day| day == **wanted)).map(|(_, wanted)| wanted) {
            found.extend(in_part(columns, wanted)?);
        }
    }
    for listed in index.list.parts.clone() {
        let Some(wanted) = by_day.get(&listed.day) else { continue };
        match index.with_part(conn, contents, &listed, |part| in_part(part, wanted))? {
            None => {}
            Some(Ok(of_part)) => found.extend(of_part),
            Some(Err(_)) => {
                index.mend(conn, contents, &listed)?;
                return places(index, conn, contents, by_day);
            }
        }
    }
    Ok(found)
}

fn in_part<P: Part>(part: &P, wanted: &[&Sought]) -> Result<Vec<Candidate>, P::Error> {
    let mut found = Vec::new();
    let mut indices = None;
    for sought in wanted {
        let places = part.tagged(&prefix(&sought.tag))?;
        if places.is_empty() {
            continue;
        }
        let indices = match &mut indices {
            Some(indices) => indices,
            none => none.insert(part.indices()?),
        };
        let of = |place: &u32| usize::try_from(*place).ok().and_then(|place| indices.get(place)).copied();
        found.extend(places.iter().filter_map(of).map(|index| (index, sought.trace, sought.tag)));
    }
    Ok(found)
}
