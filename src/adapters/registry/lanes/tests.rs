//! What the lanes promise to those who wait in them.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

const TIMEOUT: Duration = Duration::from_millis(800);

fn by(agency: &str, lane: Lane) -> Caller {
    Caller { agency: AgencyId::parse(agency), lane }
}

/// Takes every slot there is for a lane.
async fn fill(lanes: &Arc<Lanes>, lane: Lane) -> Vec<Slot> {
    let mut slots = Vec::new();
    while lanes.lock().has_room(lane) {
        slots.push(lanes.enter(&by("bank", lane)).await.unwrap());
    }
    slots
}

/// Begins to wait, and says where it has come to.
fn wait(lanes: &Arc<Lanes>, caller: Caller) -> tokio::task::JoinHandle<Result<Slot, RegistryUnavailable>> {
    let lanes = Arc::clone(lanes);
    tokio::spawn(async move { lanes.enter(&caller).await })
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
    slots.pop().unwrap().answered();
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
        slots.pop().unwrap().answered();
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
    slots.pop().unwrap().answered();
    slots.pop().unwrap().answered();
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
    assert_eq!(lanes.enter(&by("bank", Lane::Background)).await.err(), Some(OVERLOADED));
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
    slots.pop().unwrap().answered();
    assert!(stays.await.unwrap().is_ok());
    drop(slots);
    settle().await;
    assert_eq!(lanes.states().0.map(|lane| (lane.in_flight, lane.waiting)), [(0, 0), (0, 0)]);
}
