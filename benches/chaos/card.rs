//! A card that changes: the register cancels it and makes it valid again, as an office does by an import.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::client::Outcome;
use crate::scene::Scene;

const VALUE: &str = "A170000888";
/// The columns of an import (contract §5.1).
pub const COLUMNS: &str = "person,scheme,value,kind,series,issued,expires,calendar,state,birth,birth_calendar,nationality,province,legal_status,name,father_name,household,household_role";
/// What an import takes at most until answers know of it, feed and all.
const KNOWN_WITHIN: Duration = Duration::from_secs(20);

/// The card, in the register.
pub struct Card<'a> {
    scene: &'a Scene,
}

/// One row of an import.
pub fn line(person: &str, value: &str, state: &str) -> String {
    format!("{COLUMNS}\n{person},amayesh-no,{value},amayesh,17,,1406/01/01,jalali,{state},1370,jalali,AF,,,,,,\n")
}

impl Scene {
    /// The card, valid and known.
    pub async fn card(&self) -> Card<'_> {
        let card = Card { scene: self };
        card.becomes("active").await;
        card.until("entitled").await;
        card
    }

    /// Imports a file's text. The verb returns once the gateway has heard of it, or after ten seconds.
    pub async fn import(&self, name: &str, text: &str) {
        let dir = self.site.installation.dir();
        self.import_into(dir, name, text).await;
    }

    /// The same in another folder.
    pub async fn import_into(&self, dir: &Path, name: &str, text: &str) {
        let file = dir.join(name);
        std::fs::write(&file, text).unwrap();
        let mut import = tokio::process::Command::new(env!("CARGO_BIN_EXE_estelam"));
        let imported = import.args(["registry", "import"]).arg(&file).arg("--dir").arg(dir).output().await.unwrap();
        self.demand(imported.status.success(), || format!("no import: {}", String::from_utf8_lossy(&imported.stderr)));
    }
}

impl Card<'_> {
    /// From now on in the register.
    pub async fn becomes(&self, state: &str) {
        self.scene.import("card.csv", &line("chaos-card", VALUE, state)).await;
    }

    /// The same, while something else is done from when the register has it.
    pub async fn becomes_while<T>(&self, state: &str, then: impl AsyncFnOnce() -> T) -> T {
        let before = self.scene.site.cursor().await;
        let watching = async {
            self.scene.site.until("the register changes", async || self.scene.site.cursor().await > before).await;
            then().await
        };
        tokio::join!(self.becomes(state), watching).1
    }

    /// What is answered about it.
    pub async fn asked(&self, max_age: Option<u32>) -> Outcome {
        self.scene.clinic.ask_about("amayesh-no", VALUE, max_age, "counter").await
    }

    /// Waits until what is remembered says so; how long it took.
    pub async fn until(&self, decision: &str) -> Duration {
        let begun = Instant::now();
        while begun.elapsed() < KNOWN_WITHIN {
            if self.asked(None).await.decides(decision) {
                return begun.elapsed();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.scene.broken(format!("the card was never {decision}"));
        begun.elapsed()
    }
}
