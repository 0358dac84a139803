//! What the lanes promise to those who wait in them.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::super::company::{Company, Joining};
use super::*;

const TIMEOUT: Duration = Duration::from_millis(800);

fn by(agency: &str, lane: Lane) -> Caller {
    Caller { agency: AgencyId::parse(agency), lane }
}

async fn enter(lanes: &Arc<Lanes>, caller: Caller) -> Result<Slot, RegistryUnavailable> {
    Company::of(caller, TIMEOUT).enter(lanes).await
}

/// Takes every slot there is for a lane.
async fn fill(lanes: &Arc<Lanes>, lane: Lane) -> Vec<Slot> {
    let mut slots = Vec::new();
    while lanes.lock().has_room(lane) {
        slots.push(enter(lanes, by("bank", lane)).await.unwrap());
    }
    slots
}

/// Begins to wait, and says where it has come to.
fn wait(lanes: &Arc<Lanes>, caller: Caller) -> tokio::task::JoinHandle<Result<Slot, RegistryUnavailable>> {
    let lanes = Arc::clone(lanes);
    tokio::spawn(async move { enter(&lanes, caller).await })
}

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn batches_leave_half_of_the_slots_to_the_counter() {
    let lanes = Lanes::new(TIMEOUT, [4096, 16]);
    let batch = fill(&lanes, Lane::Background).await;
    assert_eq!(batch.len(), 32);
    assert_eq!(fill(&lanes, Lane::Counter).await.len(), 32);
}

#[tokio::test(start_paused = true)]
async fn a_free_slot_goes_to_the_counter_before_a_batch_that_came_first() {
    let lanes = Lanes::new(TIMEOUT, [4096, 16]);
    let mut slots = fill(&lanes, Lane::Counter).await;
    let (batch, counter) = (wait(&lanes, by("bank", Lane::Background)), wait(&lanes, by("clinic", Lane::Counter)));
    settle().await;
    slots.pop().unwrap().ended(true);
    assert!(counter.await.unwrap().is_ok());
    assert!(!batch.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_batch_gets_a_turn_while_the_counter_never_empties() {
    let lanes = Lanes::new(TIMEOUT, [4096, 16]);
    let mut slots = fill(&lanes, Lane::Counter).await;
    let batch = wait(&lanes, by("bank", Lane::Background));
    let _counter: Vec<_> = (0..100).map(|_| wait(&lanes, by("clinic", Lane::Counter))).collect();
    settle().await;
    for _ in 0..=BACKGROUND_TURN {
        slots.pop().unwrap().ended(true);
    }
    settle().await;
    assert!(batch.is_finished());
}

#[tokio::test(start_paused = true)]
async fn one_look_up_beside_a_flood_waits_for_one_of_it() {
    let lanes = Lanes::new(TIMEOUT, [4096, 16]);
    let mut slots = fill(&lanes, Lane::Counter).await;
    let flood: Vec<_> = (0..1000).map(|_| wait(&lanes, by("bank", Lane::Counter))).collect();
    settle().await;
    let other = wait(&lanes, by("clinic", Lane::Counter));
    settle().await;
    slots.pop().unwrap().ended(true);
    slots.pop().unwrap().ended(true);
    settle().await;
    assert!(other.is_finished());
    assert_eq!(flood.iter().filter(|task| task.is_finished()).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_full_lane_turns_away_at_once_and_the_other_lane_does_not() {
    let lanes = Lanes::new(TIMEOUT, [4096, 16]);
    let _slots = fill(&lanes, Lane::Counter).await;
    let _waiting: Vec<_> = (0..16).map(|_| wait(&lanes, by("bank", Lane::Background))).collect();
    settle().await;
    assert_eq!(enter(&lanes, by("bank", Lane::Background)).await.err(), Some(OVERLOADED));
    let counter = wait(&lanes, by("clinic", Lane::Counter));
    settle().await;
    assert!(!counter.is_finished(), "it waits");
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_the_queue_costs_nobody_a_slot() {
    let lanes = Lanes::new(TIMEOUT, [4096, 16]);
    let mut slots = fill(&lanes, Lane::Counter).await;
    let left = wait(&lanes, by("bank", Lane::Counter));
    settle().await;
    left.abort();
    let stays = wait(&lanes, by("bank", Lane::Counter));
    settle().await;
    slots.pop().unwrap().ended(true);
    assert!(stays.await.unwrap().is_ok());
    drop(slots);
    settle().await;
    assert_eq!(lanes.states().0.map(|lane| (lane.in_flight, lane.waiting)), [(0, 0), (0, 0)]);
}

#[tokio::test(start_paused = true)]
async fn a_flood_that_fills_the_lane_turns_away_its_own_and_nobody_elses() {
    let lanes = Lanes::new(TIMEOUT, [100, 16]);
    let mut slots = fill(&lanes, Lane::Counter).await;
    let flood: Vec<_> = (0..100).map(|_| wait(&lanes, by("bank", Lane::Counter))).collect();
    settle_all().await;
    assert_eq!(enter(&lanes, by("bank", Lane::Counter)).await.err(), Some(OVERLOADED), "it is full");
    let others: Vec<_> = (0..50).map(|_| wait(&lanes, by("clinic", Lane::Counter))).collect();
    settle_all().await;
    assert_eq!(others.iter().filter(|task| task.is_finished()).count(), 0, "they wait");
    let turned_away: Vec<_> = flood.iter().map(tokio::task::JoinHandle::is_finished).collect();
    assert_eq!(turned_away, [[false; 50], [true; 50]].concat(), "the last ones of the longest line");
    assert_eq!(enter(&lanes, by("clinic", Lane::Counter)).await.err(), Some(OVERLOADED), "half and half is fair");
    slots.pop().unwrap().ended(true);
    slots.pop().unwrap().ended(true);
    settle_all().await;
    assert_eq!(others.iter().filter(|task| task.is_finished()).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_look_up_goes_with_the_first_turn_of_anybody_who_waits_for_it_and_counts_once() {
    let lanes = Lanes::new(TIMEOUT, [4096, 16]);
    let mut slots = fill(&lanes, Lane::Counter).await;
    let _flood: Vec<_> = (0..100).map(|_| wait(&lanes, by("bank", Lane::Counter))).collect();
    settle_all().await;
    let company = Arc::new(Company::of(by("bank", Lane::Background), TIMEOUT));
    let entering = {
        let (lanes, company) = (Arc::clone(&lanes), Arc::clone(&company));
        tokio::spawn(async move { company.enter(&lanes).await })
    };
    settle_all().await;
    for agency in ["bank", "clinic", "clinic"] {
        assert_eq!(company.join(&by(agency, Lane::Counter), Instant::now() + TIMEOUT), Joining::Joined);
    }
    assert_eq!(lanes.states().0.map(|lane| lane.waiting), [102, 1], "once for each agency and lane");
    slots.pop().unwrap().ended(true);
    slots.pop().unwrap().ended(true);
    let slot = entering.await.unwrap().unwrap();
    assert_eq!((slot.lane(), slot.waited()), (Lane::Counter, true));
    assert_eq!(lanes.states().0.map(|lane| (lane.in_flight, lane.waiting)), [(64, 99), (0, 0)], "nobody waits for it any more");
    // The turns that it did not need go to others.
    let clinic = wait(&lanes, by("clinic", Lane::Counter));
    settle_all().await;
    slots.pop().unwrap().ended(true);
    slots.pop().unwrap().ended(true);
    settle_all().await;
    assert!(clinic.is_finished());
}

#[tokio::test(start_paused = true)]
async fn whoever_could_not_wait_at_the_counter_does_not_wait_in_a_batchs_place() {
    let lanes = Lanes::new(TIMEOUT, [10, 16]);
    let _slots = fill(&lanes, Lane::Counter).await;
    let _full: Vec<_> = (0..10).map(|_| wait(&lanes, by("clinic", Lane::Counter))).collect();
    settle_all().await;
    let company = Arc::new(Company::of(by("bank", Lane::Background), TIMEOUT));
    let entering = {
        let (lanes, company) = (Arc::clone(&lanes), Arc::clone(&company));
        tokio::spawn(async move { company.enter(&lanes).await })
    };
    settle_all().await;
    assert_eq!(company.join(&by("clinic", Lane::Counter), Instant::now() + TIMEOUT), Joining::TurnedAway);
    assert_eq!(company.join(&by("clinic", Lane::Background), Instant::now() + TIMEOUT), Joining::Joined);
    assert!(!entering.is_finished());
}

async fn settle_all() {
    for _ in 0..10 {
        settle().await;
    }
}
