//! Whether the gateway holds what it held before the first fault, at once and after minutes of asking; and whether the log holds.

use std::time::{Duration, Instant};

use crate::registry::Doing;
use crate::scene::{Row, Scene};

/// Memory may grow by this over all cases: allocators keep what they had at the peak.
const MEMORY_MIB: u64 = 64;
/// By this in the second half of the minutes of asking that follow: in the first one the database fills its page caches.
const MINUTES_MIB: u64 = 16;
/// Descriptors may differ by this: idle connections of pools.
const DESCRIPTORS: usize = 24;
/// What is asked before anything breaks, so that pools and caches are filled.
const WARM_UP: Duration = Duration::from_secs(3);
/// Within what everything is back: idle connections are kept for a minute.
const SETTLED_WITHIN: Duration = Duration::from_secs(90);
/// Tokens expire after five minutes.
const RENEWED_EVERY: Duration = Duration::from_secs(200);
/// The registry goes away for a moment so often.
const AWAY_EVERY: Duration = Duration::from_secs(20);

/// What the gateway holds.
#[derive(Clone, Copy)]
struct Level {
    memory_mib: u64,
    descriptors: usize,
}

impl Level {
    fn of(scene: &Scene) -> Self {
        Self { memory_mib: scene.site.memory(), descriptors: scene.site.descriptors() }
    }

    fn is_back_at(self, before: Self, memory_mib: u64) -> bool {
        self.memory_mib <= before.memory_mib + memory_mib && self.descriptors <= before.descriptors + DESCRIPTORS
    }
}

/// What was held before the first fault.
pub struct Leaks {
    before: Level,
}

impl Leaks {
    /// Fills pools and caches first.
    pub async fn before(scene: &Scene) -> Self {
        scene.asked_for(WARM_UP).await;
        Self { before: Level::of(scene) }
    }

    /// Connections of the faults may take a while to end, and then all must be back; after minutes of asking it must be there still.
    pub async fn after(&self, scene: &Scene, minutes: u64) -> Row {
        let settling = Instant::now();
        let mut settled = Level::of(scene);
        while !settled.is_back_at(self.before, MEMORY_MIB) && settling.elapsed() < SETTLED_WITHIN {
            scene.asked_for(Duration::from_secs(1)).await;
            settled = Level::of(scene);
        }
        let mut kept = settled.is_back_at(self.before, MEMORY_MIB);
        let mut levels = vec![self.before, settled];
        for minute in 1..=minutes {
            let asked = minute_of_asking(scene).await;
            let level = Level::of(scene);
            eprintln!("chaos: minute {minute} of {minutes}: {asked} asked, {} MiB, {} descriptors", level.memory_mib, level.descriptors);
            levels.push(level);
        }
        let last = levels.last().copied().unwrap_or(settled);
        let half_way = levels.iter().rev().nth(usize::try_from(minutes / 2).unwrap_or(0)).copied().unwrap_or(settled);
        kept &= last.is_back_at(self.before, MEMORY_MIB) && last.is_back_at(half_way, MINUTES_MIB);
        let broken = scene.clinic.broken.lock().unwrap().split_off(0);
        kept &= broken.is_empty();
        let list = |told: &dyn Fn(&Level) -> String| levels.iter().map(told).collect::<Vec<_>>().join(" → ");
        let (memory, descriptors) = (list(&|level| level.memory_mib.to_string()), list(&|level| level.descriptors.to_string()));
        let broken = if broken.is_empty() { String::new() } else { format!("; BROKEN: {}", broken.join("; ")) };
        let happened = format!("{memory} MiB; {descriptors} descriptors; {minutes} minutes{broken}");
        Row { name: "after all of it", promised: "memory and descriptors level", happened, recovered: None, kept }
    }
}

/// Live, remembered and refused, over old connections and new ones, while the registry goes away now and then.
async fn minute_of_asking(scene: &Scene) -> usize {
    let (begun, mut renewed, mut away, mut asked) = (Instant::now(), None::<Instant>, Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(60) {
        asked += scene.asked_for(Duration::from_millis(500)).await.len();
        scene.bank.ask(None).await;
        if renewed.is_none_or(|renewed| renewed.elapsed() > RENEWED_EVERY) {
            scene.greet().await;
            renewed = Some(Instant::now());
        }
        if away.elapsed() > AWAY_EVERY {
            scene.site.registry.set(Doing::Close);
            asked += scene.asked_for(Duration::from_millis(500)).await.len();
            scene.registry_is_well();
            let another = crate::wild::connect(&scene.site, "clinic").await;
            drop(another);
            away = Instant::now();
        }
    }
    asked
}

/// The log of all of it.
pub fn log_holds(scene: &mut Scene) -> Row {
    scene.site.kill();
    let (happened, kept) = match scene.site.installation.check_log(None) {
        Ok(entries) => (format!("{entries} entries"), true),
        Err(why) => (why, false),
    };
    Row { name: "the log", promised: "holds, entry by entry", happened, recovered: None, kept }
}
