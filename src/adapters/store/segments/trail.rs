//! A trail: the entries about certain numbers. Each agency has trail tags of its own, so that a part first says of which agencies it has entries.
//! It is then asked for the first bytes of those agencies' tags, the entry for the whole.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::Connection;

use super::columns::{Part, TagPrefix, prefix};
use super::damage::Damage;
use super::index::Index;
use super::{SegmentError, rows};
use crate::adapters::store::contents::Contents;
use crate::core::ledger::EntryContent;
use crate::core::ledger::audit::{AuditRow, Field};
use crate::core::ledger::subject::TrailRoot;

/// A number to look for in one epoch.
pub(in crate::adapters::store) struct Sought {
    /// UTC day of its epoch, days since 1970.
    pub(in crate::adapters::store) day: i64,
    /// What every agency's tag of it comes from.
    pub(in crate::adapters::store) root: TrailRoot,
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

/// Finds the entries about these numbers among the first `size`.
pub(in crate::adapters::store) fn trail(
    index: &mut Index,
    conn: &Connection,
    contents: &Mutex<Contents>,
    sought: &[Sought],
    size: u64,
) -> Result<Trail, SegmentError> {
    index.follow(conn, contents, size, u64::MAX)?;
    let mut by_day: HashMap<i64, OfDay<'_>> = HashMap::new();
    for (number, one) in (0..).zip(sought) {
        by_day.entry(one.day).or_default().sought.push((number, one));
    }
    let mut places = places(index, conn, contents, &mut by_day)?;
    places.retain(|(index, _)| *index < size);
    places.sort_unstable();
    places.dedup();
    let (mut found, mut damaged) = (Vec::new(), Vec::new());
    for (place, number) in places {
        let Some(one) = sought.get(number) else { continue };
        match rows::one(conn, contents, place) {
            Ok(Some(full)) if one.is_of(&full.content) => found.push((one.trace, full.into_row())),
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

impl Sought {
    /// Whether an entry has the tag of its agency, or the one that earlier builds wrote for all agencies.
    fn is_of(&self, content: &EntryContent) -> bool {
        let Some(found) = &content.trail_tag else { return false };
        let tag = self.root.tag(content.agency.as_deref().unwrap_or_default());
        [&tag, self.root.earlier_tag()].iter().any(|tag| URL_SAFE_NO_PAD.encode(tag) == *found)
    }
}

/// Index of an entry that may be about a number, and the place of that number among those that are looked for.
type Candidate = (u64, usize);

/// What is looked for in the entries of one day.
#[derive(Default)]
struct OfDay<'s> {
    sought: Vec<(usize, &'s Sought)>,
    /// Agencies that some part of the day has entries of.
    met: HashSet<String>,
    /// First bytes of the tags that their entries can have, and of which number each is; in order.
    tags: Vec<(TagPrefix, usize)>,
}

impl OfDay<'_> {
    /// First bytes of the tags that entries of these agencies can have, in order; those of agencies that were met before are among them.
    fn tags(&mut self, agencies: &[String]) -> &[(TagPrefix, usize)] {
        let known = self.tags.len();
        if self.met.is_empty() {
            self.tags.extend(self.sought.iter().map(|(number, one)| (prefix(one.root.earlier_tag()), *number)));
        }
        // An entry without an agency has no value in that column.
        for agency in agencies.iter().map(String::as_str).chain([""]) {
            if !self.met.contains(agency) {
                self.tags.extend(self.sought.iter().map(|(number, one)| (prefix(&one.root.tag(agency)), *number)));
                self.met.insert(agency.to_owned());
            }
        }
        if self.tags.len() > known {
            self.tags.sort_unstable();
        }
        &self.tags
    }
}

/// The entries that parts point to.
fn places(
    index: &mut Index,
    conn: &Connection,
    contents: &Mutex<Contents>,
    by_day: &mut HashMap<i64, OfDay<'_>>,
) -> Result<Vec<Candidate>, SegmentError> {
    let mut found = Vec::new();
    let keys: Vec<i64> = index.in_memory().map(|(key, _)| key).collect();
    let days = keys.into_iter().map(|key| index.day_of(conn, key)).collect::<Result<Vec<_>, _>>()?;
    for (day, (_, columns)) in days.into_iter().zip(index.in_memory()) {
        // Where a key is gone its entries may be of any day.
        for (_, wanted) in by_day.iter_mut().filter(|(wanted, _)| day.is_none_or(|day| day == **wanted)) {
            found.extend(in_part(columns, wanted)?);
        }
    }
    for listed in index.list.parts.clone() {
        let Some(wanted) = by_day.get_mut(&listed.day) else { continue };
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

fn in_part<P: Part>(part: &P, wanted: &mut OfDay<'_>) -> Result<Vec<Candidate>, P::Error> {
    let places = part.tagged(wanted.tags(&part.values(Field::Agency)?))?;
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let indices = part.indices()?;
    let of = |place: u32| usize::try_from(place).ok().and_then(|place| indices.get(place)).copied();
    Ok(places.into_iter().filter_map(|(place, number)| Some((of(place)?, number))).collect())
}
