//! One row of an export (one document), as written, and the columns that it has (contract §5.1).

use crate::core::domain::document::coded_enum;

coded_enum! {
    /// A column of the CSV form; the NDJSON form is laid out into the same columns.
    Column {
        /// The source's own key of the person.
        Person = "person",
        /// Scheme of the number on this document.
        Scheme = "scheme",
        /// The number on this document.
        Value = "value",
        /// Document kind.
        Kind = "kind",
        /// Round or type.
        Series = "series",
        /// Printed issue date.
        Issued = "issued",
        /// Printed expiry date.
        Expires = "expires",
        /// Calendar of both printed dates.
        Calendar = "calendar",
        /// State; empty is `active`.
        State = "state",
        /// Date of birth of whatever precision.
        Birth = "birth",
        /// Calendar of the date of birth.
        BirthCalendar = "birth_calendar",
        /// ISO 3166 alpha-2.
        Nationality = "nationality",
        /// ISO 3166-2:IR or empty.
        Province = "province",
        /// Document kind that a smart card carries.
        LegalStatus = "legal_status",
        /// Name.
        Name = "name",
        /// Father's name.
        FatherName = "father_name",
        /// Number of the household.
        Household = "household",
        /// `head`, `member` or empty.
        HouseholdRole = "household_role",
        /// Issuing country of a passport.
        Country = "country",
        /// Machine-readable line of a passport.
        Mrz = "mrz",
        /// RFC 3339 instant at which the source wrote the row.
        RecordedAt = "recorded_at",
        /// State of the card's bank account, where it has its own.
        BankState = "bank_state",
        /// State of the card's SIM, where it has its own.
        SimState = "sim_state",
    }
}

impl Column {
    /// Whether a header may lack the column.
    pub const fn is_optional(self) -> bool {
        matches!(self, Self::Country | Self::Mrz | Self::RecordedAt | Self::BankState | Self::SimState)
    }

    /// Whether a row may lack the field: exporters leave out what is empty at the end of a row. A row that lacks what a card's worth hangs
    /// on may as well have lost it, and without its expiry and state it would be good for ever.
    pub const fn may_be_left_out(self) -> bool {
        matches!(self, Self::Name | Self::FatherName | Self::Household | Self::HouseholdRole | Self::Country | Self::Mrz | Self::RecordedAt)
    }
}

/// Characters of the longest field.
const LONGEST_FIELD: usize = 500;

/// One row as written.
#[derive(Clone, Default)]
pub(super) struct Row {
    /// Where it begins, counted from 1.
    pub line: u64,
    /// Whether it has more fields than the header, or lacks some that are more than empty fields at its end.
    pub ragged: bool,
    /// A column whose content is of a kind that no text is: a fraction, a truth, a list.
    pub odd: Option<Column>,
    fields: Vec<String>,
}

impl Row {
    /// An empty row that begins at a line.
    pub(super) fn at(line: u64) -> Self {
        Self { line, ragged: false, odd: None, fields: vec![String::new(); Column::ALL.len()] }
    }

    /// The text of one column; empty where the file has none.
    pub(super) fn get(&self, column: Column) -> &str {
        self.fields.get(column as usize).map_or("", String::as_str)
    }

    /// The first column whose text is longer than any that a paper bears.
    pub(super) fn too_long(&self) -> Option<Column> {
        Column::ALL.iter().copied().find(|column| self.get(*column).chars().nth(LONGEST_FIELD).is_some())
    }

    /// Fills one column in.
    pub(super) fn set(&mut self, column: Column, text: impl Into<String>) {
        if let Some(field) = self.fields.get_mut(column as usize) {
            *field = text.into();
        }
    }
}
