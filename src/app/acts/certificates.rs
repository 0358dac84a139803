//! Acts upon certificates, told by the agencies' registers and policies before and after. A certificate is handed out once its entry is made.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::known::KnownCertificate;
use super::{Act, Acts, GATEWAY, OPERATOR};
use crate::core::ledger::LedgerUnavailable;

/// What the acts are upon.
const ROUTE: &str = "certificates";
/// The code of an act that begins a certificate.
const ISSUED: &str = "certificate-issued";

/// Certificates by SHA-256, hexadecimal.
type Certificates = BTreeMap<String, KnownCertificate>;

/// What the policies in force say of agencies.
pub struct PoliciesNow<O> {
    /// Their version.
    pub version: String,
    /// Which scopes an agency's tokens may carry that open a person's trail or the gateway itself; `None` of one that is not in force.
    pub opens: O,
}

impl Acts {
    /// Records which certificates were issued and ended since it was last known, and which agencies that have one may open more than was recorded.
    ///
    /// # Errors
    /// The log does not take them.
    pub async fn certificates_changed<O>(&self, now: Certificates, policies: PoliciesNow<O>) -> Result<(), LedgerUnavailable>
    where
        O: Fn(&str) -> Option<BTreeSet<String>>,
    {
        let _reading = self.reading().await;
        let known = self.known();
        let opens = opens(&now, &policies.opens);
        if known.certificates == now && known.opens == opens {
            return Ok(());
        }
        let mut told = known.opens;
        for (act, sha256, one) in between(&known.certificates, &now, &policies.opens) {
            // That a certificate was issued tells what its agency may open.
            let tells = (act.code == ISSUED).then(|| (one.agency.clone(), opens.get(&one.agency).cloned().unwrap_or_default()));
            told.extend(tells.clone());
            let mark = move |known: &mut super::Known| {
                known.opens.extend(tells.clone());
                known.certificates.insert(sha256.clone(), one.clone());
            };
            self.record(act, mark).await?;
        }
        for (agency, scopes) in gained(&told, &opens) {
            let details = json!({ "opens": scopes, "on_record": told.get(&agency).cloned().unwrap_or_default() });
            let act = Act::new(ROUTE, "scopes-gained", GATEWAY).of_agency(&agency, None).policies(&*policies.version).details(&details);
            self.record(act, move |known| drop(known.opens.insert(agency.clone(), scopes.clone()))).await?;
        }
        let mark = move |known: &mut super::Known| {
            known.certificates.clone_from(&now);
            known.opens.clone_from(&opens);
        };
        self.record(None, mark).await
    }
}

/// What agencies with a certificate may open; those that may open nothing are left out.
fn opens(now: &Certificates, of: impl Fn(&str) -> Option<BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    let agencies: BTreeSet<&String> = now.values().filter(|one| !one.ended).map(|one| &one.agency).collect();
    let scopes = agencies.into_iter().filter_map(|agency| Some((agency.clone(), of(agency)?)));
    scopes.filter(|(_, scopes)| !scopes.is_empty()).collect()
}

/// Agencies that may open something that was not told of them, with all that they may open.
fn gained(told: &BTreeMap<String, BTreeSet<String>>, now: &BTreeMap<String, BTreeSet<String>>) -> Vec<(String, BTreeSet<String>)> {
    let is_new = |(agency, scopes): &(&String, &BTreeSet<String>)| told.get(*agency).is_none_or(|told| !scopes.is_subset(told));
    now.iter().filter(is_new).map(|(agency, scopes)| (agency.clone(), scopes.clone())).collect()
}

/// The acts that lead from one register to another, each with the certificate as it is known after it.
fn between(
    old: &Certificates,
    new: &Certificates,
    opens: impl Fn(&str) -> Option<BTreeSet<String>>,
) -> Vec<(Act, String, KnownCertificate)> {
    let mut acts = Vec::new();
    for (sha256, one) in new {
        let before = old.get(sha256);
        let act = |code, details: serde_json::Value| {
            let about: String = sha256.chars().take(16).collect();
            Act::new(ROUTE, code, OPERATOR).of_agency(&one.agency, one.unit.as_deref()).about(about).details(&details)
        };
        if before.is_none() {
            let details = match opens(&one.agency) {
                Some(opens) => json!({ "sha256": sha256, "not_after": one.not_after, "opens": opens }),
                // Nobody knows yet what it will open; that is an entry once its policies are in force.
                None => json!({ "sha256": sha256, "not_after": one.not_after, "opens": null, "in_force": false }),
            };
            acts.push((act(ISSUED, details), sha256.clone(), KnownCertificate { ended: false, ..one.clone() }));
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

    fn scopes(codes: &[&str]) -> BTreeSet<String> {
        codes.iter().map(|code| (*code).to_owned()).collect()
    }

    #[test]
    fn each_certificate_begins_and_ends_once() {
        let one = |ended| KnownCertificate { agency: "dpo".to_owned(), unit: None, not_after: jiff::Timestamp::UNIX_EPOCH, ended };
        let with = |ended| BTreeMap::from([("ab".repeat(32), one(ended))]);
        let codes = |old: &BTreeMap<_, _>, new: &BTreeMap<_, _>| -> Vec<&str> {
            between(old, new, |_| Some(scopes(&["log:person"]))).iter().map(|(act, ..)| act.code).collect()
        };
        assert_eq!(codes(&BTreeMap::new(), &with(false)), ["certificate-issued"]);
        assert_eq!(codes(&BTreeMap::new(), &with(true)), ["certificate-issued", "certificate-ended"]);
        assert_eq!(codes(&with(false), &with(true)), ["certificate-ended"]);
        assert!(codes(&with(true), &with(true)).is_empty() && codes(&with(true), &BTreeMap::new()).is_empty());
        let issued = between(&BTreeMap::new(), &with(false), |_| Some(scopes(&["log:person"]))).remove(0).0;
        assert!(issued.details.contains("log:person") && issued.details.contains(&"ab".repeat(32)), "{}", issued.details);
        let early = between(&BTreeMap::new(), &with(false), |_| None).remove(0).0;
        assert!(early.details.contains(r#""opens":null"#) && early.details.contains(r#""in_force":false"#), "{}", early.details);
    }

    #[test]
    fn more_than_was_told_of_an_agency_is_gained_and_less_is_not() {
        let of = |codes: &[&str]| BTreeMap::from([("dpo".to_owned(), scopes(codes))]);
        let gains = |told: &BTreeMap<_, _>, now: &BTreeMap<_, _>| !gained(told, now).is_empty();
        assert!(gains(&BTreeMap::new(), &of(&["log:person"])) && gains(&of(&["ops"]), &of(&["log:person"])));
        assert!(!gains(&of(&["log:person", "ops"]), &of(&["ops"])) && !gains(&of(&["ops"]), &BTreeMap::new()));
    }
}
