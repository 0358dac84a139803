//! Deferrals: entries that two officials keep from being shown to their holders until a last day. Files that they sign ([`super::signed_files`]);
//! each hides nothing before the access log has that it began.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::StartError;
use super::acts::{Known, KnownSigned};
use super::signed_files::{Kind, OutOfOffice, SignedFiles, Words};
use crate::config::Config;
use crate::core::ledger::retention::{self, Hold, Step};

/// Days after the first that a deferral covers within which it ends: contents are kept for 90.
const LONGEST_DAYS: i32 = 60;

/// The folder of deferrals.
pub type Deferrals = SignedFiles<Deferral>;

/// The kind. A deferral covers entries as a hold does; its reason says who defers, on what ground.
pub struct Deferral;

impl Kind for Deferral {
    type Subject = Hold;

    const WORDS: Words = Words {
        one: "deferral",
        may: "defer",
        verb: "estelam log defer",
        lasts: "it defers",
        closed: "no view is opened",
        route: "deferrals",
        begun: "deferral-begun",
        ended: "deferral-ended",
    };

    const OUT_OF_OFFICE: OutOfOffice = OutOfOffice::DoesNotBegin;

    fn folder(config: &Config) -> Result<PathBuf, StartError> {
        let none = || StartError("this installation offers no holder's view; see `[holder]` in estelam.toml".to_owned());
        Ok(config.holder.as_ref().ok_or_else(none)?.deferrals.clone())
    }

    fn signed_bytes(deferral: &Hold, step: Step) -> Vec<u8> {
        retention::signed_bytes("estelam deferral v1", step.word("defer", "show"), deferral)
    }

    /// Contents are kept for 90 days, and deferred must not come to mean never.
    fn check(deferral: &Hold) -> Result<(), String> {
        let days = (deferral.until - deferral.from).get_days();
        if deferral.from > deferral.to || !(0..=LONGEST_DAYS).contains(&days) {
            return Err(format!(
                "a deferral begins before it ends, and ends within {LONGEST_DAYS} days of the first day that it covers: contents are kept for \
                 90, and the holder must see them"
            ));
        }
        Ok(())
    }

    fn known(known: &mut Known) -> &mut BTreeMap<String, KnownSigned> {
        &mut known.deferrals
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::adapters::keys::FileSigner;
    use crate::core::signing::Algorithm;
    use crate::registry::decrees::{OfficialKey, Officials};

    #[test]
    fn a_deferral_that_was_signed_elsewhere_is_bound_to_its_days_too() {
        let dir = tempfile::tempdir().unwrap();
        let text = r#"{"id":"order-1","reason":"order 1","from":"2026-11-01","to":"2026-11-30","until":"2099-01-01"}"#;
        let deferral: Hold = serde_json::from_str(text).unwrap();
        let message = Deferral::signed_bytes(&deferral, Step::Begin);
        assert!(message.starts_with(b"estelam deferral v1\ndefer\n{\"from\""));
        let signatures = ["one", "two"].map(|name| {
            let pem = pem::encode(&pem::Pem::new("PRIVATE KEY", FileSigner::generate(Algorithm::EdDsa).unwrap().to_vec()));
            let key = OfficialKey::from_pem(pem.as_bytes()).unwrap();
            Officials::enrol(dir.path(), name, &key).unwrap();
            json!({"by": name, "signature": STANDARD.encode(key.sign(&message))})
        });
        let file = json!({"deferral": deferral, "deferred_by": signatures, "shown_by": []});
        std::fs::write(dir.path().join("order-1.json"), file.to_string()).unwrap();
        let deferrals = Deferrals::open(dir.path()).unwrap();
        assert!(deferrals.list(Timestamp::UNIX_EPOCH).unwrap_err().0.contains("within 60 days"));
    }
}
