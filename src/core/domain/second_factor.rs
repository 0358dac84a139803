//! What an agency's policy takes as a second factor (domain §5). What is not taken must still not contradict, but proves nobody.

use super::date::{Calendar, PartialDate};
use super::document::{DocumentKind, coded_enum};
use super::request::Check;

coded_enum! {
    /// A fact that may prove whom a query is about.
    SecondFactor {
        /// The year or the day of birth.
        Birth = "birth",
        /// The whole day on which the document of that number was printed to expire, where it is that document's own.
        DocumentExpires = "document-expires",
        /// The same where a whole series has it in common: one look at one card then tells it of every other.
        SharedExpires = "shared-expires",
    }
}

/// The second factors that a policy takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecondFactors {
    birth: bool,
    expires: bool,
    shared: bool,
}

impl Default for SecondFactors {
    /// All that a query can give (contract §4).
    fn default() -> Self {
        Self::of(SecondFactor::ALL)
    }
}

impl SecondFactors {
    /// These and no others.
    pub fn of(taken: &[SecondFactor]) -> Self {
        let has = |factor| taken.contains(&factor);
        Self { birth: has(SecondFactor::Birth), expires: has(SecondFactor::DocumentExpires), shared: has(SecondFactor::SharedExpires) }
    }

    /// Whether dates and years of birth are taken.
    pub const fn take_births(self) -> bool {
        self.birth
    }

    /// Whether an expiry date printed on a document of this kind is taken; a document of a kind that the registry does not tell could
    /// be one of a series.
    pub fn take_expiry_of(self, kind: Option<DocumentKind>) -> bool {
        self.expires && (self.shared || kind.is_some_and(|kind| !kind.shares_its_expiry()))
    }

    /// Whether a check holds anything that could prove somebody, whoever it is about.
    pub fn take(self, check: &Check) -> bool {
        let born = self.birth && (check.birth_year.is_some() || check.birth_date.is_some());
        born || (self.expires && check.calendar.zip(check.document_expires.as_deref()).is_some_and(is_whole_day))
    }
}

fn is_whole_day((calendar, text): (Calendar, &str)) -> bool {
    PartialDate::parse_spoken(text, calendar).is_ok_and(|date| date.is_whole_day())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expires(text: &str) -> Check {
        let (document_expires, calendar) = (Some(text.to_owned()), Some(Calendar::Jalali));
        Check { birth_year: None, birth_date: None, document_expires, name: None, calendar }
    }

    #[test]
    fn a_month_or_a_year_is_no_printed_expiry_date() {
        let all = SecondFactors::default();
        assert_eq!(["1402/03/31", "1402/03", "1402", "1402/03/32"].map(|text| all.take(&expires(text))), [true, false, false, false]);
        assert!(!SecondFactors::of(&[SecondFactor::Birth]).take(&expires("1402/03/31")));
        assert!(all.take(&Check { birth_year: Some(1370), ..expires("1402") }), "the birth year proves, the year of expiry need not");
    }

    #[test]
    fn a_date_that_a_series_shares_is_taken_where_policy_says_so() {
        let own = SecondFactors::of(&[SecondFactor::Birth, SecondFactor::DocumentExpires]);
        for kind in [DocumentKind::Amayesh, DocumentKind::Hoviat, DocumentKind::TemporaryCard, DocumentKind::CensusSlip] {
            assert!(!own.take_expiry_of(Some(kind)) && SecondFactors::default().take_expiry_of(Some(kind)), "{kind:?}");
        }
        assert!(own.take_expiry_of(Some(DocumentKind::SmartCard)) && own.take_expiry_of(Some(DocumentKind::PassportResidence)));
        assert!(!own.take_expiry_of(None), "of a kind that nobody tells");
    }
}
