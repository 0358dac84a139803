//! The fields of one entry, taken from its content one by one.

use super::Field;
use crate::core::ledger::{EntryContent, EntryKind, RetentionClass};

/// The fields of one entry, without a copy.
#[derive(Clone, Copy, Debug, Default)]
pub struct FieldValues<'e>([Option<&'e str>; Field::ALL.len()]);

impl<'e> FieldValues<'e> {
    /// Those of a content.
    pub fn of(header: (EntryKind, RetentionClass), content: &'e EntryContent) -> Self {
        let mut values = Self::default();
        values.0.iter_mut().zip(Field::ALL).for_each(|(value, field)| *value = field.of(header, content));
        values
    }

    /// Takes a member of a content, if it is a field.
    pub fn take(&mut self, name: &[u8], text: &'e str) {
        let field = match name {
            b"agency" => Field::Agency,
            b"branch" => Field::Branch,
            b"certificate" => Field::Certificate,
            b"actor" => Field::Actor,
            b"service" => Field::Service,
            b"purpose" => Field::Purpose,
            b"reference" => Field::Reference,
            b"decision" => Field::Decision,
            b"reason" => Field::Reason,
            b"code" => Field::Code,
            b"policy_version" => Field::PolicyVersion,
            b"decree" => Field::Decree,
            b"freshness" => Field::Freshness,
            b"route" => Field::Route,
            b"retry_of" => Field::RetryOf,
            b"signed_by" => Field::SignedBy,
            b"decrees_version" => Field::DecreesVersion,
            _ => return,
        };
        self.set(field, text);
    }

    /// Sets one that is no member of the content.
    pub fn set(&mut self, field: Field, text: &'e str) {
        self.0.iter_mut().zip(Field::ALL).filter(|(_, known)| **known == field).for_each(|(value, _)| *value = Some(text));
    }

    /// The values in the order of [`Field::ALL`].
    pub fn values(&self) -> impl Iterator<Item = Option<&'e str>> {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use uuid::Uuid;

    use super::*;

    #[test]
    fn fields_taken_one_by_one_are_those_of_the_content() {
        let text = |value: &str| Some(value.to_owned());
        let content = EntryContent {
            agency: text("1"),
            branch: text("2"),
            certificate: text("3"),
            actor: text("4"),
            service: text("5"),
            purpose: text("6"),
            reference: text("7"),
            decision: Some("8".into()),
            reason: Some("9".into()),
            code: Some("10".into()),
            policy_version: text("11"),
            decree: text("12"),
            freshness: Some("13".into()),
            route: "14".into(),
            retry_of: text("15"),
            signed_by: text("16"),
            decrees_version: text("17"),
            ..EntryContent::default()
        };
        let mut bytes = Vec::new();
        crate::core::ledger::content::encode(&mut bytes, Uuid::nil(), &content, None);
        let mut taken = FieldValues::default();
        crate::core::ledger::content::glance(&bytes, |name, text| taken.take(name, text)).unwrap();
        taken.set(Field::Kind, EntryKind::Answer.code());
        taken.set(Field::Class, RetentionClass::Minor.code());
        assert!(taken.values().all(|value| value.is_some()));
        assert!(taken.values().eq(FieldValues::of((EntryKind::Answer, RetentionClass::Minor), &content).values()));
    }
}
