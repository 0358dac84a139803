//! What the store holds of a person and of a document, and what one more row makes of it.

use jiff::civil;
use rusqlite::Row;

use crate::core::domain::date::{Calendar, PartialDate, WrittenDate, jalali};
use crate::core::domain::document::{DocumentKind, DocumentState};
use crate::registry::import::judge::Judged;

/// What a row says of its person: birth, its calendar, nationality, province, name, father's name, household, role.
pub(super) type PersonFields = [Option<String>; 8];

pub(super) fn person_fields(row: &Judged) -> PersonFields {
    [
        date(row.birth),
        calendar(row.birth),
        row.nationality.clone(),
        row.province.clone(),
        row.name.clone(),
        row.father_name.clone(),
        row.household.clone(),
        row.household_role.clone(),
    ]
}

/// The date of birth and its calendar come together; every other field alone. A row that was recorded `earlier` than what is known only fills gaps.
pub(super) fn merge_person(former: &PersonFields, new: &PersonFields, earlier: bool) -> PersonFields {
    let mut merged = former.clone();
    for (kept, new) in merged.iter_mut().zip(new) {
        if new.is_some() && !(earlier && kept.is_some()) {
            kept.clone_from(new);
        }
    }
    merged
}

/// What may be filled in and corrected about a document, as texts.
#[derive(Clone, PartialEq)]
pub(super) struct DocumentFields {
    pub series: Option<String>,
    pub issued: Option<String>,
    pub expires: Option<String>,
    /// Of both dates.
    pub calendar: Option<String>,
    pub state: String,
    pub legal_status: Option<String>,
    pub country: Option<String>,
    pub bank_state: Option<String>,
    pub sim_state: Option<String>,
    /// Of the newest row, where one says.
    pub recorded_at: Option<String>,
    /// Of the earliest row; none when the first that came did not say.
    pub first_recorded_at: Option<String>,
}

/// The columns of [`DocumentFields`], in its order.
pub(super) const DOCUMENT_COLUMNS: &str = "CAST(series AS TEXT), issued, expires, calendar, state, legal_status, country, bank_state, \
                                           sim_state, recorded_at, first_recorded_at";

impl DocumentFields {
    pub(super) fn of(row: &Judged) -> Self {
        // Always in UTC with the same number of digits, so that texts compare as instants do.
        let recorded_at = row.recorded_at.map(|at| format!("{at:.9}"));
        Self {
            series: row.series.map(|series| series.to_string()),
            issued: date(row.issued),
            expires: date(row.expires),
            calendar: calendar(row.issued.or(row.expires)),
            state: row.state.code().to_owned(),
            legal_status: row.legal_status.map(DocumentKind::code).map(str::to_owned),
            country: row.country.clone(),
            bank_state: row.facets.bank.map(DocumentState::code).map(str::to_owned),
            sim_state: row.facets.sim.map(DocumentState::code).map(str::to_owned),
            first_recorded_at: recorded_at.clone(),
            recorded_at,
        }
    }

    /// Reads [`DOCUMENT_COLUMNS`], the first columns of a row of the store.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            series: row.get(0)?,
            issued: row.get(1)?,
            expires: row.get(2)?,
            calendar: row.get(3)?,
            state: row.get(4)?,
            legal_status: row.get(5)?,
            country: row.get(6)?,
            bank_state: row.get(7)?,
            sim_state: row.get(8)?,
            recorded_at: row.get(9)?,
            first_recorded_at: row.get(10)?,
        })
    }

    /// What is known after one more row. The row recorded later has the word (the later row, unless both say when); what it leaves empty
    /// stays as the other has it: an office that does not know the expiry does not make a card endless.
    pub(super) fn merged(&self, new: &Self) -> Self {
        let earlier = matches!((&new.recorded_at, &self.recorded_at), (Some(new), Some(known)) if new < known);
        let (word, other) = if earlier { (self, new) } else { (new, self) };
        let (issued, expires, calendar) = word.dates_filled_from(other);
        let filled = |field: fn(&Self) -> &Option<String>| field(word).clone().or_else(|| field(other).clone());
        Self {
            series: filled(|one| &one.series),
            issued,
            expires,
            calendar,
            state: word.state.clone(),
            legal_status: filled(|one| &one.legal_status),
            country: filled(|one| &one.country),
            bank_state: filled(|one| &one.bank_state),
            sim_state: filled(|one| &one.sim_state),
            recorded_at: filled(|one| &one.recorded_at),
            first_recorded_at: match (&self.first_recorded_at, &new.recorded_at) {
                (Some(known), Some(new)) => Some(known.min(new).clone()),
                (known, _) => known.clone(),
            },
        }
    }

    /// Whether a row would tell nothing new.
    pub(super) fn says_all_of(&self, row: &Self) -> bool {
        self.merged(row) == *self
    }

    /// Both dates stand in one calendar, so that what comes from the other side may have to change its own.
    fn dates_filled_from(&self, other: &Self) -> (Option<String>, Option<String>, Option<String>) {
        let calendar = self.calendar.clone().or_else(|| other.calendar.clone());
        let taken = |text: Option<&str>, day: fn(&PartialDate) -> civil::Date| {
            let same = other.calendar == calendar;
            if same { text.map(str::to_owned) } else { day_in(calendar.as_deref()?, day(&known_date(text, other.calendar.as_deref())?)) }
        };
        let issued = self.issued.clone().or_else(|| taken(other.issued.as_deref(), PartialDate::first_day));
        let expires = self.expires.clone().or_else(|| taken(other.expires.as_deref(), PartialDate::last_day));
        (issued, expires, calendar)
    }
}

/// Whether two rows speak of one paper, when they name one person, number and kind.
impl DocumentFields {
    /// Same series and date of issue, letter by letter.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.series == other.series && self.issued == other.issued
    }

    /// One paper, of which `row` says more, or less, than is known: its series or its date of issue, or the day in a year.
    pub(super) fn is_filled_in_by(&self, row: &Self) -> bool {
        let issued = self.issue_date().zip(row.issue_date());
        let series = self.series.as_ref().zip(row.series.as_ref());
        issued.is_none_or(|(known, new)| known.overlaps(&new)) && series.is_none_or(|(known, new)| known == new) && !self.precedes(row)
    }

    /// One paper, whose date of issue was put right: within its round a person has one card (of round documents only).
    pub(super) fn is_redated_by(&self, row: &Self) -> bool {
        self.series.is_some() && self.series == row.series && !self.precedes(row)
    }

    fn issue_date(&self) -> Option<PartialDate> {
        known_date(self.issued.as_deref(), self.calendar.as_deref())
    }

    /// A card that was handed out is not made again: `row` is the next one, and until that is handed out this one holds.
    fn precedes(&self, row: &Self) -> bool {
        let in_making = |state: &str| {
            [DocumentState::Requested, DocumentState::Produced, DocumentState::AtOffice].iter().any(|making| making.code() == state)
        };
        in_making(&row.state) && !in_making(&self.state)
    }
}

fn known_date(text: Option<&str>, calendar: Option<&str>) -> Option<PartialDate> {
    PartialDate::parse(text?, Calendar::parse(calendar?)?).ok()
}

/// A day as the store writes it in a calendar.
fn day_in(calendar: &str, day: civil::Date) -> Option<String> {
    Some(match Calendar::parse(calendar)? {
        Calendar::Jalali => jalali(day).replace('/', "-"),
        Calendar::Gregorian => day.to_string(),
    })
}

fn date(date: Option<WrittenDate>) -> Option<String> {
    date.map(|date| date.to_string())
}

fn calendar(date: Option<WrittenDate>) -> Option<String> {
    date.map(|date| date.calendar().code().to_owned())
}
