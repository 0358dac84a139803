//! The ratio of an earlier sitting, and whether this one's is as good.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::fault::{Doing, Fault};

/// What was measured before, on a machine of the same kind.
pub struct Baseline {
    file: PathBuf,
    ratio: f64,
    /// Share of it by which sittings differ anyway.
    tolerance: f64,
}

impl Baseline {
    /// Reads what an earlier sitting printed: its last summary counts.
    ///
    /// # Errors
    /// The file cannot be read, or has no summary of this bench.
    pub fn read(file: &Path, tolerance: f64) -> Result<Self, Fault> {
        let text = std::fs::read_to_string(file).doing(&format!("reading `{}`", file.display()))?;
        let summaries = text.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut own = summaries.filter(|summary| summary.get("bench").is_some_and(|bench| bench == "verify"));
        let ratio = own.next().and_then(|summary| summary.get("ratio")?.as_f64()).filter(|ratio| *ratio > 0.0);
        let ratio = ratio.ok_or_else(|| Fault::new(format!("`{}` has no summary of this bench", file.display())))?;
        Ok(Self { file: file.to_owned(), ratio, tolerance })
    }

    /// Says how this sitting's ratio compares.
    pub fn tell(&self, ratio: f64) {
        let (before, change) = (self.ratio, (ratio / self.ratio - 1.0) * 100.0);
        println!("beside `{}`: ratio {before:.4} then, {ratio:.4} now ({change:+.1} %)", self.file.display());
    }

    /// Demands that nothing became slower.
    ///
    /// # Errors
    /// The ratio is lower than before by more than the tolerance.
    pub fn demand(&self, ratio: f64) -> Result<(), Fault> {
        if ratio >= self.ratio * (1.0 - self.tolerance) {
            return Ok(());
        }
        Err(Fault::new(format!("slower than before: ratio {ratio:.4}, {:.4} in `{}`", self.ratio, self.file.display())))
    }
}
