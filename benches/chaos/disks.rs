//! The disk under the access log: full, read-only, broken, hanging, failing to sync.

use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::scene::{Case, KNOWN, NOT_TAKEN, Row, Scene};

/// Syncs that fail, one after another.
const FAILING: usize = 5;
/// A sync comes within this while somebody asks.
const SYNCED_WITHIN: Duration = Duration::from_secs(10);

/// Why the disk takes nothing.
pub const CASES: [(Case, Errno); 3] = [
    (Case::new("disk full", "503 with advice, no answer", NOT_TAKEN), Errno::NOSPC),
    (Case::new("disk read-only", "503 with advice, no answer", NOT_TAKEN), Errno::ROFS),
    (Case::new("disk breaks on writing", "503 with advice, no answer", NOT_TAKEN), Errno::IO),
];

/// The disk takes nothing.
pub async fn row(scene: &Scene, case: Case, why: Errno) -> Row {
    scene.site.break_disk(why);
    let outcomes = scene.asked(8, None).await;
    let ready = scene.site.ready().await;
    scene.site.fill_disk(false);
    let ended = Instant::now();
    scene.demand(!ready, || "it calls itself ready".to_owned());
    scene.row(case, &outcomes, ended).await
}

/// Syncs that fail once: what was not synced is told to nobody, and the log is opened and checked again.
pub async fn failing_sync(scene: &Scene) -> Row {
    const CASE: Case = Case::new("a sync fails, five times", "503 with advice, then answers; nothing unrecorded", KNOWN).or(NOT_TAKEN);
    let mut outcomes = Vec::new();
    for _ in 0..FAILING {
        scene.site.fail_sync();
        let begun = Instant::now();
        while scene.site.sync_is_to_fail() && begun.elapsed() < SYNCED_WITHIN {
            outcomes.extend(scene.asked_at_once(4, None).await);
        }
        scene.demand(!scene.site.sync_is_to_fail(), || "nothing was synced".to_owned());
        outcomes.extend(scene.asked_at_once(4, None).await);
        scene.site.until("a log that takes entries", async || scene.site.ready().await).await;
        let after = scene.asked(3, None).await;
        scene.demand(after.iter().all(|outcome| outcome.decides("entitled")), || "no answers afterwards".to_owned());
        outcomes.extend(after);
    }
    let ended = Instant::now();
    scene.row(CASE, &outcomes, ended).await
}

/// A disk that takes writes and never syncs.
pub async fn hanging(scene: &Scene) -> Row {
    const CASE: Case = Case::new("disk hangs", "503 with advice within seconds", NOT_TAKEN);
    scene.site.hang_disk(true);
    let mut outcomes = scene.asked_at_once(8, None).await;
    outcomes.extend(scene.asked(8, None).await);
    scene.site.hang_disk(false);
    let ended = Instant::now();
    scene.row(CASE, &outcomes, ended).await
}
