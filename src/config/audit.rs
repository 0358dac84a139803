//! `[audit]`: the register of cases, the officers' quota, and the officer's key of a demo.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// What auditors' questions need.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Folder of the register of cases, written by `estelam log case`.
    pub cases: PathBuf,
    /// Trails that one officer of data protection may open in a day (Asia/Tehran).
    pub trails_per_day: u64,
    /// The officer's private key, so that trails of earlier epochs open without one in the request. Only a demo takes it: whoever took over a
    /// machine that has it could follow anybody.
    pub officer_key: Option<PathBuf>,
}

impl Default for Audit {
    fn default() -> Self {
        Self { cases: "cases".into(), trails_per_day: 50, officer_key: None }
    }
}

impl Audit {
    pub(super) const fn check(&self, demo: bool) -> Result<(), &'static str> {
        if self.officer_key.is_some() && !demo {
            return Err(
                "`audit.officer_key` is for a demo alone: the officer's key never lies on the gateway; `estelam log person --officer-key` \
                        opens trails with it from elsewhere",
            );
        }
        Ok(())
    }

    pub(super) fn resolve(&mut self, base: &Path) {
        self.cases = base.join(&self.cases);
        if let Some(key) = &mut self.officer_key {
            *key = base.join(&*key);
        }
    }
}
