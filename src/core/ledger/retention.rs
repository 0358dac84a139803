//! When contents may be deleted, what keeps them longer, and the statement that a deletion is recorded under.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::RetentionClass;

/// Until when the content of an entry of this ledger time is kept: whole days of 24 hours.
pub fn kept_until(time: Timestamp, class: RetentionClass) -> Timestamp {
    time.checked_add(SignedDuration::from_hours(i64::from(class.days()) * 24)).unwrap_or(Timestamp::MAX)
}

/// A legal hold in force: what it covers is not deleted, however old. It names entries by day, agency or id, never a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Its name; shown in every purge that it holds up.
    pub id: String,
    /// Why: an order of a court, a case. No number and no name of a person.
    pub reason: String,
    /// First day (UTC) of ledger time that it covers.
    pub from: Date,
    /// Last day that it covers.
    pub to: Date,
    /// Only entries of this agency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agency: Option<String>,
    /// Only these entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Uuid>,
    /// Last day (UTC) of the hold itself: no hold is for ever.
    pub until: Date,
}

impl Hold {
    /// Whether it is still in force at an instant.
    pub fn in_force(&self, at: Timestamp) -> bool {
        day_of(at) <= self.until
    }

    /// Whether it may cover an entry of this time, before its content is looked at.
    pub fn covers_day(&self, time: Timestamp) -> bool {
        (self.from..=self.to).contains(&day_of(time))
    }

    /// Whether it covers an entry. An agency that cannot be told is covered: what is held must not be lost for want of reading.
    pub fn covers(&self, time: Timestamp, id: Uuid, agency: Option<&str>) -> bool {
        let meant = self.answers.is_empty() || self.answers.contains(&id);
        let asked = self.agency.as_deref().is_none_or(|held| agency.is_none_or(|agency| agency == held));
        self.covers_day(time) && meant && asked
    }

    /// The bytes that two people sign.
    pub fn signed_bytes(&self, step: Step) -> Vec<u8> {
        signed_bytes("estelam legal hold v1", step.word("hold", "release"), self)
    }
}

/// What people sign about something that two of them begin, and that two of them may end before its last day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// That it begins.
    Begin,
    /// That it ends before its last day.
    End,
}

impl Step {
    /// The word for it in what is signed.
    pub const fn word(self, begin: &'static str, end: &'static str) -> &'static str {
        match self {
            Self::Begin => begin,
            Self::End => end,
        }
    }
}

/// What people sign about a thing: canonical JSON under a name of its kind and a word for the step, so that no other signature fits.
pub fn signed_bytes(kind: &str, word: &str, thing: &impl Serialize) -> Vec<u8> {
    // Serialising these plain fields cannot fail; without them no signature would fit.
    let json = serde_json_canonicalizer::to_vec(thing).unwrap_or_default();
    [kind.as_bytes(), b"\n", word.as_bytes(), b"\n", &json].concat()
}

/// A content key that a purge destroys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurgedKey {
    /// UTC day of the entries.
    pub day: Date,
    /// Their retention class.
    pub class: RetentionClass,
    /// Number of the key in the store.
    pub key: i64,
    /// Entries that lose their content.
    pub entries: u64,
    /// Entries that keep it, under a new key, for a legal hold.
    pub held: u64,
    /// The order of two officials under which it is destroyed, one of [`PurgeStatement::orders`]; none in a demo, and none before orders were needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
}

/// An order of two officials, as a statement names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedOrder {
    /// Its name.
    pub id: String,
    /// The hash under which its beginning is on record, `sha256:HEX` of what was signed.
    pub hash: String,
}

/// What the entry of a purge commits to. It is kept for ever, so that an auditor can check each deletion's due date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurgeStatement {
    /// Always `purge`.
    pub act: PurgeAct,
    /// The instant that due dates were counted up to; never after the entry's ledger time.
    pub as_of: Timestamp,
    /// A checkpoint with a witness's cosignature that shows this instant, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witnessed: Option<String>,
    /// The sealed log that it is about, where it is not the log that records it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Holds in force.
    pub holds: Vec<String>,
    /// Orders of officials under which keys are destroyed; none in a demo, and none before orders were needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<NamedOrder>,
    /// Keys destroyed.
    pub keys: Vec<PurgedKey>,
}

/// The only act of a [`PurgeStatement`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PurgeAct {
    /// Contents are deleted.
    Purge,
}

/// The UTC day of an instant.
pub fn day_of(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn hold() -> Hold {
        Hold {
            id: "court-17".into(),
            reason: "order 17".into(),
            from: "2026-08-01".parse().unwrap(),
            to: "2026-08-02".parse().unwrap(),
            agency: Some("bank".into()),
            answers: Vec::new(),
            until: "2027-01-01".parse().unwrap(),
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn contents_are_kept_for_whole_days() {
        let time = at("2026-01-01T12:00:00Z");
        assert_eq!(kept_until(time, RetentionClass::Minor), at("2026-01-31T12:00:00Z"));
        assert_eq!(kept_until(time, RetentionClass::Detail), at("2026-04-01T12:00:00Z"));
        assert_eq!(kept_until(time, RetentionClass::Admin), at("2027-01-01T12:00:00Z"));
    }

    #[test]
    fn hold_covers_its_days_and_agency_and_what_cannot_be_told() {
        let (id, inside) = (Uuid::from_u128(1), at("2026-08-02T23:59:59Z"));
        assert!(hold().covers(inside, id, Some("bank")));
        assert!(hold().covers(inside, id, None));
        assert!(!hold().covers(inside, id, Some("school")));
        assert!(!hold().covers(at("2026-08-03T00:00:00Z"), id, Some("bank")));
        let one = Hold { answers: vec![Uuid::from_u128(2)], ..hold() };
        assert!(!one.covers(inside, id, Some("bank")));
        assert!(one.covers(inside, Uuid::from_u128(2), Some("bank")));
    }

    #[test]
    fn hold_ends_by_itself_and_a_release_is_signed_apart() {
        assert!(hold().in_force(at("2027-01-01T23:00:00Z")));
        assert!(!hold().in_force(at("2027-01-02T00:00:00Z")));
        assert_ne!(hold().signed_bytes(Step::Begin), hold().signed_bytes(Step::End));
        let text = String::from_utf8(hold().signed_bytes(Step::Begin)).unwrap();
        assert!(text.starts_with("estelam legal hold v1\nhold\n{\"agency\":\"bank\",\"from\":\"2026-08-01\""), "{text}");
    }

    #[test]
    fn statement_of_a_purge_under_no_order_is_written_and_read_as_before_orders() {
        let text = r#"{"act":"purge","as_of":"2026-02-09T15:00:00Z","holds":[],"keys":[{"day":"2026-01-01","class":"minor","key":2,"entries":2,"held":0}]}"#;
        let statement: PurgeStatement = serde_json::from_str(text).unwrap();
        assert!(statement.orders.is_empty());
        assert_eq!(serde_json::to_string(&statement).unwrap(), text);
    }
}
