//! A register at two addresses: the first fails, lags or lies, and is well again.

use std::time::Duration;

use crate::registry::Doing;
use crate::scene::{Case, FRESH, KNOWN, Row, Scene};

/// Looked up elsewhere at once, but for one in ten beyond what retries are for, until the first address is given a pause.
const ELSEWHERE: &str = "looked up at the other, and here again once it is back";
/// One look-up finds out now and then whether the first address is back, and retries are for one in ten.
const FAIL_OF_TWELVE: usize = 3;
/// Look-ups go to the first address again within this.
const BACK_WITHIN: Duration = Duration::from_secs(10);

/// What the first address does.
pub const CASES: [(Case, Doing); 8] = [
    (Case::new("1st address refuses connections", ELSEWHERE, KNOWN), Doing::Refused),
    (Case::new("1st address is a black hole", ELSEWHERE, KNOWN), Doing::BlackHole),
    (Case::new("1st address hangs", ELSEWHERE, KNOWN), Doing::Hang),
    (Case::new("1st address stalls in the handshake", ELSEWHERE, KNOWN), Doing::HalfHandshake),
    (Case::new("1st address has another's certificate", ELSEWHERE, KNOWN), Doing::WrongCertificate),
    (Case::new("1st address answers a page", ELSEWHERE, KNOWN), Doing::NotJson),
    (Case::new("1st address lags behind the other", ELSEWHERE, FRESH), Doing::Old),
    (Case::new("1st address has another clock", ELSEWHERE, KNOWN), Doing::Clock(3600)),
];

impl Scene {
    /// The gateway, started again with two addresses of the register, or with one.
    pub async fn restarted_with(&mut self, both: bool) {
        let (first, second) = (self.site.registry.url(0), self.site.registry.url(1));
        let line = format!("url = \"{first}\"\nfurther_urls = [\"{second}\"]");
        let one = format!("url = \"{first}\"");
        self.site.kill();
        self.site.configure(|text| if both { text.replacen(&one, &line, 1) } else { text.replacen(&line, &one, 1) });
        self.site.start().await;
        self.greet().await;
    }
}

/// The first address fails.
pub async fn row(scene: &Scene, case: Case, doing: Doing) -> Row {
    let registry = &scene.site.registry;
    // What retries are for comes of look-ups that went well.
    scene.asked(40, Some(0)).await;
    registry.set_at(0, doing);
    let mut outcomes = scene.asked(12, Some(0)).await;
    outcomes.extend(scene.asked(4, None).await);
    let last = scene.asked(12, Some(0)).await;
    let live = last.iter().filter(|outcome| outcome.said == "entitled live").count();
    scene.demand(live + FAIL_OF_TWELVE >= last.len(), || format!("{live} of the last {} were live", last.len()));
    outcomes.extend(last);
    let ended = scene.registry_is_well();
    let (before, mut back) = (registry.look_ups_at(0), None);
    while back.is_none() && ended.elapsed() < BACK_WITHIN {
        scene.clinic.ask(Some(0)).await;
        back = (registry.look_ups_at(0) > before + 2).then(|| ended.elapsed());
    }
    scene.demand(back.is_some(), || "the first address is not asked again".to_owned());
    let mut row = scene.row(case, &outcomes, ended).await;
    row.happened = format!("{}; back after {} ms", row.happened, back.unwrap_or(BACK_WITHIN).as_millis());
    row
}

/// Each address takes more than half of the time that a look-up has.
pub async fn both_slow(scene: &Scene) -> Row {
    const CASE: Case = Case::new("both addresses take 0.6 s", "answers, late", FRESH);
    scene.site.registry.set(Doing::Slow(Duration::from_millis(600)));
    let mut outcomes = Vec::new();
    for _ in 0..4 {
        outcomes.extend(scene.asked_at_once(20, Some(0)).await);
    }
    let ended = scene.registry_is_well();
    scene.row(CASE, &outcomes, ended).await
}

/// Neither address answers.
pub async fn both(scene: &Scene) -> Row {
    const CASE: Case = Case::new("both addresses are gone", "in time: what is remembered, else undecided", KNOWN);
    scene.site.registry.set(Doing::Refused);
    let mut outcomes = scene.asked(6, Some(0)).await;
    outcomes.extend(scene.asked(6, None).await);
    let ended = scene.registry_is_well();
    scene.row(CASE, &outcomes, ended).await
}
