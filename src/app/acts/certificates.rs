//! Acts upon certificates, told by the agencies' registers before and after. A certificate is handed out once its entry is made.

use std::collections::BTreeMap;

use serde_json::json;

use super::known::KnownCertificate;
use super::{Act, Acts, OPERATOR};
use crate::core::ledger::LedgerUnavailable;

const ENDED: &str = "certificate-ended";

impl Acts {
    /// Records which certificates were issued and ended since it was last known. `opens` says which scopes an agency's tokens may carry that open
    /// a person's trail or the gateway itself.
    ///
    /// # Errors
    /// The log does not take them.
    pub async fn certificates_changed(
        &self,
        now: BTreeMap<String, KnownCertificate>,
        opens: impl Fn(&str) -> Vec<&'static str>,
    ) -> Result<(), LedgerUnavailable> {
        let known = self.known().certificates;
        if known == now {
            return Ok(());
        }
        for (act, sha256, standing) in each(&known, &now, opens) {
            self.record(act, move |known| drop(known.certificates.insert(sha256.clone(), standing.clone()))).await?;
        }
        // What a register no longer lists is no act.
        self.record(None, move |known| known.certificates.clone_from(&now)).await
    }
}

/// The acts one by one, each with what is known once it alone is recorded.
fn each(
    old: &BTreeMap<String, KnownCertificate>,
    new: &BTreeMap<String, KnownCertificate>,
    opens: impl Fn(&str) -> Vec<&'static str>,
) -> Vec<(Act, String, KnownCertificate)> {
    let mut found = Vec::new();
    for (sha256, one) in new {
        let before = old.get_key_value(sha256).map(|(sha256, one)| (sha256.clone(), one.clone())).into_iter().collect();
        let after = BTreeMap::from([(sha256.clone(), one.clone())]);
        for act in between(&before, &after, &opens) {
            let ended = act.code == ENDED;
            found.push((act, sha256.clone(), KnownCertificate { ended, ..one.clone() }));
        }
    }
    found
}

fn between(
    old: &BTreeMap<String, KnownCertificate>,
    new: &BTreeMap<String, KnownCertificate>,
    opens: impl Fn(&str) -> Vec<&'static str>,
) -> Vec<Act> {
    let mut acts = Vec::new();
    for (sha256, one) in new {
        let before = old.get(sha256);
        let act = |code, details: serde_json::Value| {
            let about: String = sha256.chars().take(16).collect();
            Act::new("certificates", code, OPERATOR).of_agency(&one.agency, one.unit.as_deref()).about(about).details(&details)
        };
        if before.is_none() {
            acts.push(act("certificate-issued", json!({ "sha256": sha256, "not_after": one.not_after, "opens": opens(&one.agency) })));
        }
        if one.ended && before.is_none_or(|before| !before.ended) {
            acts.push(act(ENDED, json!({ "sha256": sha256 })));
        }
    }
    acts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn each_certificate_begins_and_ends_once() {
        let one = |ended| KnownCertificate { agency: "dpo".to_owned(), unit: None, not_after: jiff::Timestamp::UNIX_EPOCH, ended };
        let with = |ended| BTreeMap::from([("ab".repeat(32), one(ended))]);
        let codes = |old: &BTreeMap<_, _>, new: &BTreeMap<_, _>| -> Vec<&str> {
            between(old, new, |_| vec!["log:person"]).iter().map(|act| act.code).collect()
        };
        assert_eq!(codes(&BTreeMap::new(), &with(false)), ["certificate-issued"]);
        assert_eq!(codes(&BTreeMap::new(), &with(true)), ["certificate-issued", "certificate-ended"]);
        assert_eq!(codes(&with(false), &with(true)), ["certificate-ended"]);
        assert!(codes(&with(true), &with(true)).is_empty() && codes(&with(true), &BTreeMap::new()).is_empty());
        let issued = between(&BTreeMap::new(), &with(false), |_| vec!["log:person"]).remove(0);
        assert!(issued.details.contains("log:person") && issued.details.contains(&"ab".repeat(32)), "{}", issued.details);
    }
}
