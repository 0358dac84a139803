//! A change feed that lies, stands still or never ends, and a list of decrees that is not what it was.

use std::time::{Duration, Instant};

use crate::client::Outcome;
use crate::registry::{Feed, List};
use crate::scene::{Case, FRESH, KNOWN, Row, Scene, UNDECIDED};

/// What the feed does not tell is noticed within this, by its silence or by look-ups.
const NOTICED: Duration = Duration::from_millis(11_500);
/// The feed is polled so often in a second at most, and a little that a slow machine counts twice.
const POLLS_A_SECOND: u64 = 60;

/// A look-up has so long; a list of decrees four times as long.
const LOOK_UP: Duration = Duration::from_millis(800);

const NOBODY_NOTICES: &str = "answers go on; nothing is wrong";
const AS_OLD_AS_ASKED: &str = "no older than who asks allows";
const ASKED_ANEW: &str = "beyond 10 s nothing remembered is current";

/// Feeds that fail or tell what is not so, for a second or two.
pub const CASES: [(Case, Feed); 8] = [
    (Case::new("feed goes back", NOBODY_NOTICES, FRESH), Feed::GoesBack),
    // It has claimed cursors that the register has not come to: until that is no lag any more, 20 s, what it told holds.
    (
        Case::new("feed says everything, without a pause", "undecided at worst; 50 polls a second at most", KNOWN).within(40),
        Feed::Everything,
    ),
    (Case::new("feed says the same again, without a pause", "answers go on; 50 polls a second at most", FRESH), Feed::Again),
    (Case::new("feed tells of kinds that nobody knows", NOBODY_NOTICES, FRESH), Feed::Kinds),
    (Case::new("feed names somebody by megabytes", "answers go on; it takes no memory", KNOWN), Feed::LongNames),
    (Case::new("feed never ends", NOBODY_NOTICES, FRESH), Feed::Endless),
    (Case::new("feed answers a page", NOBODY_NOTICES, FRESH), Feed::Page),
    (Case::new("feed answers 500", NOBODY_NOTICES, FRESH), Feed::Fail),
];

/// Whatever the feed does, the people at a counter are served, and the registry is asked no more than they are.
pub async fn row(scene: &Scene, case: Case, feed: Feed) -> Row {
    let registry = &scene.site.registry;
    registry.tell(feed, List::Pass);
    let (begun, polls, look_ups) = (Instant::now(), registry.polls(), registry.look_ups());
    let outcomes = scene.asked_for(Duration::from_millis(1500)).await;
    let (polls, look_ups, seconds) = (registry.polls() - polls, registry.look_ups() - look_ups, begun.elapsed().as_secs() + 1);
    scene.demand(polls <= POLLS_A_SECOND * seconds, || format!("{polls} polls in {seconds} s"));
    let asked = outcomes.len() as u64;
    // One that a change has overtaken is asked once more.
    scene.demand(look_ups <= 2 * asked + 6, || format!("{look_ups} look-ups for {asked} questions"));
    let ended = scene.registry_is_well();
    let mut row = scene.row(case, &outcomes, ended).await;
    row.happened = format!("{} ({polls} polls, {look_ups} look-ups)", row.happened);
    row
}

/// Feeds that hide a change for good: what somebody allows to be two seconds old knows of it after that.
pub const HIDING: [(Case, Feed); 3] = [
    (Case::new("feed goes back before a change", AS_OLD_AS_ASKED, FRESH), Feed::GoesBack),
    // The same as with the one that says everything.
    (Case::new("feed jumps ahead over a change", AS_OLD_AS_ASKED, FRESH).within(40), Feed::Jumps),
    (Case::new("feed leaves a change out", AS_OLD_AS_ASKED, FRESH), Feed::LeavesOut),
];

pub async fn hides(scene: &Scene, case: Case, feed: Feed) -> Row {
    let card = scene.card().await;
    scene.site.registry.tell(feed, List::Pass);
    let mut outcomes = scene.asked(3, Some(0)).await;
    card.becomes("revoked").await;
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let told = card.asked(Some(2)).await;
    scene.demand(told.decides("not-entitled"), || format!("a cancelled card is {} for who allows 2 s", told.said));
    outcomes.extend(scene.asked(6, None).await);
    let ended = scene.registry_is_well();
    let mut row = scene.row(case, &outcomes, ended).await;
    let known = card.until("not-entitled").await;
    card.becomes("active").await;
    card.until("entitled").await;
    row.happened = format!("{}; a cancelled card was known {} ms after it told again", row.happened, known.as_millis());
    row
}

/// Feeds that stand still: beyond ten seconds nothing that is remembered counts as current.
pub const STANDING: [(Case, Feed); 2] = [
    (Case::new("feed is stuck open", ASKED_ANEW, KNOWN), Feed::Stuck),
    (Case::new("feed answers and does not move", ASKED_ANEW, KNOWN), Feed::Repeats),
];

pub async fn stands_still(scene: &Scene, case: Case, feed: Feed) -> Row {
    let card = scene.card().await;
    scene.site.registry.tell(feed, List::Pass);
    let watching = async || {
        let (changed, mut outcomes) = (Instant::now(), scene.asked(3, Some(0)).await);
        let (mut wrong, mut asked): (Option<Outcome>, usize) = (None, 0);
        while changed.elapsed() < NOTICED + Duration::from_secs(1) {
            let told = card.asked(None).await;
            asked += 1;
            wrong = if told.decides("entitled") { Some(told) } else { wrong };
            outcomes.push(scene.clinic.ask(None).await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        (changed, outcomes, wrong, asked)
    };
    let (changed, outcomes, wrong, asked) = card.becomes_while("revoked", watching).await;
    let until = wrong.as_ref().map_or(Duration::ZERO, |last| last.begun.saturating_duration_since(changed));
    scene.demand(until < NOTICED, || format!("a cancelled card was entitled {} ms later", until.as_millis()));
    scene.demand(!scene.site.nothing_amiss().await, || "nothing says that the registry is not in order".to_owned());
    let ended = scene.registry_is_well();
    let mut row = scene.row(case, &outcomes, ended).await;
    card.becomes("active").await;
    card.until("entitled").await;
    row.happened = format!("{}; a cancelled card was entitled for {} ms ({asked} asked)", row.happened, until.as_millis());
    row
}

/// Lists of decrees that are not what they were: none of them is used, and none of before.
pub const LISTS: [(Case, List, Option<&str>); 6] = [
    (Case::new("decrees: one is gone", "undecided, and an alarm", UNDECIDED), List::Shrunk, Some("decrees-rewritten")),
    (Case::new("decrees: one has other words", "undecided, and an alarm", UNDECIDED), List::Altered, Some("decrees-not-signed")),
    (Case::new("decrees: signatures of one official", "undecided, and an alarm", UNDECIDED), List::Forged, Some("decrees-not-signed")),
    (
        Case::new("decrees: not of their version", "undecided, and an alarm", UNDECIDED),
        List::NotOfItsVersion,
        Some("decrees-not-of-their-version"),
    ),
    (Case::new("decrees: the list has 50 MB", "undecided, and no more is read than fits", UNDECIDED), List::Huge, None),
    (Case::new("decrees: the list never comes", "undecided once it took too long", UNDECIDED), List::Hang, None),
];

pub async fn list(scene: &Scene, case: Case, list: List, alarm: Option<&str>) -> Row {
    let (lists, alarms) = (scene.site.registry.lists(), scene.site.alarms().await);
    scene.site.registry.tell(Feed::Decrees, list);
    scene.site.until("a list is asked for", async || scene.site.registry.lists() > lists).await;
    let given_up = if list == List::Hang { 4 * LOOK_UP } else { Duration::ZERO };
    tokio::time::sleep(Duration::from_millis(400) + given_up).await;
    let mut outcomes = scene.asked(6, Some(0)).await;
    outcomes.extend(scene.asked(6, None).await);
    if let Some(alarm) = alarm {
        let now = scene.site.alarms().await;
        scene.demand(now.get(alarm) > alarms.get(alarm), || format!("no alarm `{alarm}`"));
    }
    let ended = scene.registry_is_well();
    scene.row(case, &outcomes, ended).await
}
