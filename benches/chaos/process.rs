//! The gateway itself: paused, killed, told to stop, out of descriptors, with a clock that is wrong.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::Outcome;
use crate::registry::Doing;
use crate::scene::{Case, FRESH, KNOWN, NOT_TAKEN, Row, Scene, UNDECIDED};

/// Who asks without a pause while the gateway ends.
const ASKING: usize = 8;
/// A stop takes no longer than this: what is under way has its deadline.
const STOPPED_WITHIN: Duration = Duration::from_secs(10);

/// A gateway that stands still for a while.
pub async fn paused(scene: &Scene) -> Row {
    const CASE: Case = Case::new("gateway paused for 2 s", "answers once it goes on", KNOWN);
    scene.site.pause(true);
    let asker = Arc::clone(&scene.clinic);
    let asked = tokio::spawn(async move { asker.ask(None).await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    scene.site.pause(false);
    let ended = Instant::now();
    let outcomes = [asked.await.unwrap(), scene.clinic.ask(None).await];
    scene.row(CASE, &outcomes, ended).await
}

/// A gateway that stands still with answers of the registry in its sockets, while a card is cancelled.
pub async fn stands_still(scene: &Scene) -> Row {
    const CASE: Case =
        Case::new("gateway stands still for 12 s, replies waiting", "what lay there is not live, nor what was remembered", KNOWN);
    let card = scene.card().await;
    scene.site.registry.hold_next();
    let live = card.asked(Some(0));
    let standing = async {
        scene.site.registry.holds().await;
        scene.site.pause(true);
        let paused = Instant::now();
        scene.site.registry.let_go();
        // The reply is on its way into the socket before the card changes.
        tokio::time::sleep(Duration::from_millis(500)).await;
        card.becomes_while("revoked", async || tokio::time::sleep(Duration::from_secs(11)).await).await;
        paused
    };
    let remembered = async {
        tokio::time::sleep(Duration::from_secs(11)).await;
        card.asked(None).await
    };
    let going_on = async {
        let paused = standing.await;
        scene.site.pause(false);
        (paused, Instant::now())
    };
    let (live, remembered, (paused, ended)) = tokio::join!(live, remembered, going_on);
    for (what, outcome) in [("live", &live), ("remembered", &remembered)] {
        // The look-up that was held may have been asked again elsewhere, and answered before the pause: then the card was valid.
        let before = outcome.ended < paused + Duration::from_secs(1);
        scene.demand(before || outcome.said != format!("entitled {}", if what == "live" { "live" } else { "cached" }), || {
            format!("a card that was cancelled 11 s ago is {}", outcome.said)
        });
    }
    let outcomes = scene.asked(6, None).await;
    card.until("not-entitled").await;
    card.becomes("active").await;
    card.until("entitled").await;
    let mut row = scene.row(CASE, &outcomes, ended).await;
    let when = if live.ended < paused + Duration::from_secs(1) { " before the pause" } else { "" };
    row.happened = format!("{}; the cancelled card was {}{when}, then {}", row.happened, live.said, remembered.said);
    row
}

/// Everybody asks until there is no reply, or a stop is told of.
fn asking(scene: &Scene, max_age: Option<u32>) -> Vec<tokio::task::JoinHandle<Vec<Outcome>>> {
    let one = |_| {
        let asker = Arc::clone(&scene.clinic);
        tokio::spawn(async move {
            let mut outcomes = Vec::new();
            loop {
                outcomes.push(asker.ask(max_age).await);
                if outcomes.last().is_some_and(|last| last.said == "nothing") {
                    return outcomes;
                }
            }
        })
    };
    (0..ASKING).map(one).collect()
}

async fn all_of(asking: Vec<tokio::task::JoinHandle<Vec<Outcome>>>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for task in asking {
        outcomes.extend(task.await.unwrap());
    }
    outcomes
}

impl Scene {
    /// The log of a gateway that has ended holds, and has whatever was told of.
    fn check_log(&self) {
        let highest = self.clinic.highest().max(self.bank.highest());
        match self.site.installation.check_log(None) {
            Ok(entries) => self.demand(highest < entries, || format!("entry {highest} was told of and is not among {entries}")),
            Err(why) => self.broken(why),
        }
    }
}

/// A gateway that is killed under load and started again.
pub async fn killed(scene: &mut Scene) -> Row {
    // Who asks without a pause may come to the rate of the agency, and is told so on record too; for a minute after the row in which the disk
    // was full no refusal is recorded, and each is a 503.
    const CASE: Case =
        Case::new("gateway killed under load", "every answer is in the log", KNOWN).or(&["nothing", "rate-limited", "ledger-unavailable"]);
    let asking = asking(scene, None);
    tokio::time::sleep(Duration::from_millis(700)).await;
    scene.site.kill();
    let outcomes = all_of(asking).await;
    scene.check_log();
    let ended = Instant::now();
    scene.site.start().await;
    scene.greet().await;
    scene.row(CASE, &outcomes, ended).await
}

/// A gateway that is told to stop under load, with look-ups under way.
pub async fn stopped(scene: &mut Scene) -> Row {
    const CASE: Case = Case::new("gateway told to stop under load", "what is under way is answered and recorded; exit 0", KNOWN).or(&[
        "nothing",
        "rate-limited",
        "ledger-unavailable",
        "shutting-down",
    ]);
    scene.site.registry.set(Doing::Slow(Duration::from_millis(300)));
    let asking = asking(scene, Some(0));
    tokio::time::sleep(Duration::from_millis(700)).await;
    let told = Instant::now();
    scene.site.terminate();
    let code = scene.site.ended().await;
    let took = told.elapsed();
    scene.demand(code == Some(0), || format!("it ended with {code:?}"));
    scene.demand(took < STOPPED_WITHIN, || format!("it took {} ms to stop", took.as_millis()));
    let outcomes = all_of(asking).await;
    let lost = outcomes.iter().filter(|outcome| outcome.said == "nothing" && outcome.begun + Duration::from_millis(100) < told).count();
    scene.demand(lost == 0, || format!("{lost} questions from before got no answer"));
    scene.check_log();
    let ended = scene.registry_is_well();
    scene.site.start().await;
    scene.greet().await;
    let mut row = scene.row(CASE, &outcomes, ended).await;
    row.happened = format!("stopped within {} ms; {}", took.as_millis(), row.happened);
    row
}

/// No file descriptors left.
pub async fn no_descriptors(scene: &Scene) -> Row {
    const CASE: Case =
        Case::new("no file descriptors", "open connections are served; nothing unrecorded", KNOWN).or(&["nothing", "ledger-unavailable"]);
    scene.site.limit_descriptors(Some(0));
    let mut outcomes = scene.asked(6, None).await;
    let strangers: Vec<_> =
        (0..20).map(|_| tokio::spawn(tokio::net::TcpStream::connect(scene.site.installation.gateway_address()))).collect();
    outcomes.extend(scene.asked(6, Some(0)).await);
    scene.site.limit_descriptors(None);
    let ended = Instant::now();
    drop(strangers);
    scene.row(CASE, &outcomes, ended).await
}

/// A wall clock that jumps while the gateway runs.
pub async fn clock(scene: &Scene, name: &'static str, wrong_by: i64) -> Row {
    let case = Case::new(name, "nothing is signed, and it is not ready", NOT_TAKEN);
    scene.site.set_clock(wrong_by);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let outcomes = scene.asked(6, None).await;
    let ready = scene.site.ready().await;
    scene.site.set_clock(0);
    let ended = Instant::now();
    tokio::time::sleep(Duration::from_millis(100)).await;
    scene.demand(!ready, || "it calls itself ready".to_owned());
    scene.row(case, &outcomes, ended).await
}

/// A wall clock that is put right by so few seconds that it counts as right before and after: answers go on, and tell true ages. A token that was
/// given by the clock before may seem to lie ahead (contract §3); whoever is told so takes a new one.
pub async fn small_step(scene: &Scene, name: &'static str, by: i64) -> Row {
    let case = Case::new(name, "answers go on, no older or newer than they say", FRESH);
    let mut outcomes = scene.asked(3, None).await;
    // The certificates of this installation are not to lie ahead of such a clock.
    scene.site.is_older_than(Duration::from_secs(by.unsigned_abs() + 2)).await;
    scene.site.set_clock(by);
    tokio::time::sleep(Duration::from_millis(100)).await;
    scene.greet().await;
    outcomes.extend(scene.asked(6, None).await);
    outcomes.extend(scene.asked(3, Some(0)).await);
    scene.demand(scene.site.ready().await, || "it is not ready".to_owned());
    // Changes are followed by this clock as well as by the one before.
    let card = scene.card().await;
    card.becomes("revoked").await;
    card.until("not-entitled").await;
    card.becomes("active").await;
    card.until("entitled").await;
    scene.site.set_clock(0);
    let ended = Instant::now();
    tokio::time::sleep(Duration::from_millis(100)).await;
    scene.greet().await;
    outcomes.extend(scene.asked(6, None).await);
    scene.row(case, &outcomes, ended).await
}

/// A gateway that starts with a wrong clock: nothing tells it so but the registry, whose answers are of another time.
pub async fn wrong_start(scene: &mut Scene, name: &'static str, wrong_by: i64) -> Row {
    let case = Case::new(name, "not ready; nobody is told yes or no", UNDECIDED).or(&["nothing", "ledger-unavailable", "shutting-down"]);
    scene.site.kill();
    scene.site.set_clock(wrong_by);
    scene.site.begin();
    // It may end by itself, too.
    let (begun, mut outcomes) = (Instant::now(), Vec::new());
    while begun.elapsed() < Duration::from_secs(3) {
        if scene.clinic.has_token().await {
            // Instants that it tells are wrong, and no answer says that somebody is entitled.
            let kept = scene.clinic.broken.lock().unwrap().clone();
            outcomes.push(scene.clinic.ask(None).await);
            *scene.clinic.broken.lock().unwrap() = kept;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (ready, runs) = (scene.site.ready().await, scene.site.alive());
    scene.demand(!ready, || "it calls itself ready".to_owned());
    scene.site.kill();
    scene.check_log();
    scene.site.set_clock(0);
    let ended = Instant::now();
    scene.site.start().await;
    scene.greet().await;
    let mut row = scene.row(case, &outcomes, ended).await;
    let what = match (runs, outcomes.is_empty()) {
        (false, _) => "it did not start",
        (true, true) => "nobody was let in",
        (true, false) => "it started",
    };
    row.happened = format!("{what}; {}", row.happened);
    row
}
