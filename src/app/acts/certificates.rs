//! Acts upon certificates, told by the agencies' registers before and after. A certificate is handed out once its entry is made.

use std::collections::BTreeMap;

use serde_json::json;

use super::known::KnownCertificate;
use super::{Act, Acts, OPERATOR};
use crate::core::ledger::LedgerUnavailable;

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
        let _reading = self.reading().await;
        let known = self.known().certificates;
        if known == now {
            return Ok(());
        }
        for (act, sha256, one) in between(&known, &now, opens) {
            self.record(act, move |known| drop(known.certificates.insert(sha256.clone(), one.clone()))).await?;
        }
        self.record(None, move |known| known.certificates.clone_from(&now)).await
    }
}

/// The acts that lead from one register to another, each with the certificate as it is known after it.
fn between(
    old: &BTreeMap<String, KnownCertificate>,
    new: &BTreeMap<String, KnownCertificate>,
    opens: impl Fn(&str) -> Vec<&'static str>,
) -> Vec<(Act, String, KnownCertificate)> {
    let mut acts = Vec::new();
    for (sha256, one) in new {
        let before = old.get(sha256);
        let act = |code, details: serde_json::Value| {
            let about: String = sha256.chars().take(16).collect();
            Act::new("certificates", code, OPERATOR).of_agency(&one.agency, one.unit.as_deref()).about(about).details(&details)
        };
        if before.is_none() {
            let details = json!({ "sha256": sha256, "not_after": one.not_after, "opens": opens(&one.agency) });
            acts.push((act("certificate-issued", details), sha256.clone(), KnownCertificate { ended: false, ..one.clone() }));
        }
        if one.ended && before.is_none_or(|before| !before.ended) {
            acts.push((act("certificate-ended", json!({ "sha256": sha256 })), sha256.clone(), one.clone()));
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
            between(old, new, |_| vec!["log:person"]).iter().map(|(act, ..)| act.code).collect()
        };
        assert_eq!(codes(&BTreeMap::new(), &with(false)), ["certificate-issued"]);
        assert_eq!(codes(&BTreeMap::new(), &with(true)), ["certificate-issued", "certificate-ended"]);
        assert_eq!(codes(&with(false), &with(true)), ["certificate-ended"]);
        assert!(codes(&with(true), &with(true)).is_empty() && codes(&with(true), &BTreeMap::new()).is_empty());
        let issued = between(&BTreeMap::new(), &with(false), |_| vec!["log:person"]).remove(0).0;
        assert!(issued.details.contains("log:person") && issued.details.contains(&"ab".repeat(32)), "{}", issued.details);
    }
}
