//! Who begins when: batches beside a counter and alone, floods beside batches, and those who leave while they wait.
#![allow(clippy::unwrap_used, reason = "tests")]
use std::pin::Pin;

use futures_util::FutureExt;

use super::*;

#[test]
fn an_agency_with_one_query_waits_for_one_of_anothers_batch_not_for_all() {
    let (turns, bank, clinic) = (BatchTurns::new(1), AgencyId::parse("bank").unwrap(), AgencyId::parse("clinic").unwrap());
    let (first, wait) = turns.take(&bank).now_or_never().unwrap();
    assert_eq!(wait, Wait::Not);
    let mut of_bank: Vec<_> = (0..3).map(|_| Box::pin(turns.take(&bank))).collect();
    assert!(of_bank.iter_mut().all(|waiting| waiting.as_mut().now_or_never().is_none()));
    let mut of_clinic = Box::pin(turns.take(&clinic));
    assert!(of_clinic.as_mut().now_or_never().is_none());
    drop(first);
    let (second, _) = of_bank.remove(0).now_or_never().unwrap();
    assert!(of_clinic.as_mut().now_or_never().is_none(), "one at a time");
    drop(second);
    let (third, wait) = of_clinic.now_or_never().unwrap();
    assert!(wait == Wait::InLine && third.is_some());
    assert!(of_bank.iter_mut().all(|waiting| waiting.as_mut().now_or_never().is_none()));
}

/// The turns that those who wait have now, one after the other: each begins and then waits for the disk. They end when the value is dropped.
fn begun(waiting: &mut Vec<Waiting<'_>>) -> Vec<BatchTurn> {
    let mut turns: Vec<BatchTurn> = Vec::new();
    loop {
        let before = turns.len();
        waiting.retain_mut(|one| match one.as_mut().now_or_never() {
            None => true,
            Some((turn, _)) => {
                turns.extend(turn);
                false
            }
        });
        if turns.len() == before {
            return turns;
        }
        turns.iter().for_each(BatchTurn::rests);
    }
}

type Waiting<'t> = Pin<Box<dyn Future<Output = (Option<BatchTurn>, Wait)> + 't>>;

fn waiting<'t>(turns: &'t BatchTurns, agency: &'t AgencyId, queries: usize) -> Vec<Waiting<'t>> {
    (0..queries).map(|_| Box::pin(turns.take(agency)) as Waiting<'_>).collect()
}

#[test]
fn no_query_of_a_batch_begins_while_one_of_a_counter_is_worked_on_and_one_does_when_it_ends() {
    let (turns, bank) = (BatchTurns::new(4), AgencyId::parse("bank").unwrap());
    let (first, second) = (turns.counter(), turns.counter());
    let mut waiting = waiting(&turns, &bank, 6);
    assert!(begun(&mut waiting).is_empty());
    drop(first);
    // One for the query that has ended, though the other is still worked on.
    let one = begun(&mut waiting);
    assert_eq!((one.len(), waiting.len()), (1, 5));
    drop(one);
    assert!(begun(&mut waiting).is_empty(), "and none in its place");
    drop(second);
    assert_eq!(begun(&mut waiting).len(), 3, "with the one before, four until the next beat");
}

#[test]
fn beside_a_counter_so_many_begin_with_each_beat_and_no_more_are_worked_on_at_once() {
    let (turns, bank) = (BatchTurns::new(4), AgencyId::parse("bank").unwrap());
    drop(turns.counter());
    let mut waiting = waiting(&turns, &bank, 20);
    drop(begun(&mut waiting));
    assert_eq!((begun(&mut waiting).len(), waiting.len()), (0, 16), "those that have ended make room only with the beat");
    turns.beat();
    let mut now = begun(&mut waiting);
    assert_eq!(now.len(), 4);
    now.truncate(3);
    turns.beat();
    now.extend(begun(&mut waiting));
    assert_eq!(now.len(), 4, "three of those before are still worked on");
    let counter = turns.counter();
    drop(now);
    turns.beat();
    assert_eq!(begun(&mut waiting).len(), 0, "a counter's query is worked on");
    drop(counter);
    assert_eq!(begun(&mut waiting).len(), 4);
}

#[test]
fn floods_have_a_quarter_of_the_turns_beside_a_counter_and_batches_the_rest() {
    let (turns, bank, insurer) = (BatchTurns::new(8), AgencyId::parse("bank").unwrap(), AgencyId::parse("insurer").unwrap());
    drop(turns.counter());
    let mut flood: Vec<_> = (0..20).map(|_| Box::pin(turns.take_flooding(&insurer)) as Waiting<'_>).collect();
    let mut batch = waiting(&turns, &bank, 20);
    let mut until_the_next_beat = || {
        let (mut floods, mut batches) = (0, 0);
        loop {
            let (flooding, of_batch) = (begun(&mut flood).len(), begun(&mut batch).len());
            if flooding + of_batch == 0 {
                return (floods, batches);
            }
            (floods, batches) = (floods + flooding, batches + of_batch);
        }
    };
    for _ in 0..2 {
        turns.beat();
        assert_eq!(until_the_next_beat(), (2, 6));
    }
    let counter = turns.counter();
    turns.beat();
    assert_eq!(until_the_next_beat(), (0, 0));
    drop(counter);
    assert_eq!(until_the_next_beat(), (2, 6), "those of that beat");
}

#[test]
fn a_flood_has_some_turn_of_few_and_all_of_them_where_nobody_else_asks() {
    let (turns, insurer) = (BatchTurns::new(1), AgencyId::parse("insurer").unwrap());
    let in_a_row = || (0..20).take_while(|_| turns.take_flooding(&insurer).now_or_never().is_some()).count();
    assert_eq!(in_a_row(), 20);
    drop(turns.counter());
    assert_eq!(in_a_row(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_batch_beside_a_counter_ends_at_the_stated_pace() {
    let (turns, bank) = (BatchTurns::new(16), AgencyId::parse("bank").unwrap());
    let begun = tokio::time::Instant::now();
    let batch = async {
        for query in 0..2000 {
            // As often as there are queries of a counter: twenty of them a second.
            if query % 100 == 0 {
                drop(turns.counter());
            }
            drop(turns.take(&bank).await);
        }
    };
    tokio::select! {
        () = turns.keep_pace() => {}
        () = batch => {}
    }
    assert!((700..=800).contains(&begun.elapsed().as_millis()), "2,600 a second, not 2,000 in {:?}", begun.elapsed());
}

#[test]
fn batches_have_the_node_for_themselves_until_somebody_comes_to_a_counter_and_long_after_the_last() {
    let (turns, bank) = (BatchTurns::new(8), AgencyId::parse("bank").unwrap());
    // One after the other, without a beat.
    let in_a_row = || (0..20).take_while(|_| turns.take(&bank).now_or_never().is_some()).count();
    assert_eq!(in_a_row(), 20);
    drop(turns.counter());
    assert_eq!(in_a_row(), 8);
    for _ in 2..ALONE_AFTER / 8 {
        turns.beat();
        assert_eq!(in_a_row(), 8);
    }
    turns.beat();
    assert_eq!(in_a_row(), 20, "the last eight that count, and then as many as come");
    assert_eq!((turns.free(), in_a_row()), (8, 20));
}

#[test]
fn turn_of_whoever_left_goes_to_the_next_and_none_is_lost() {
    let (turns, bank) = (BatchTurns::new(1), AgencyId::parse("bank").unwrap());
    let (first, _) = turns.take(&bank).now_or_never().unwrap();
    let (mut gone, mut left_late, mut stays) = (Box::pin(turns.take(&bank)), Box::pin(turns.take(&bank)), Box::pin(turns.take(&bank)));
    for waiting in [&mut gone, &mut left_late, &mut stays] {
        assert!(waiting.as_mut().now_or_never().is_none());
    }
    drop(gone);
    drop(first);
    assert!(stays.as_mut().now_or_never().is_none());
    // It has the turn and leaves before it looks.
    drop(left_late);
    let (last, _) = stays.now_or_never().unwrap();
    assert_eq!(turns.free(), 0);
    drop(last);
    assert_eq!(turns.free(), 1);
}

#[test]
fn beside_a_counter_the_next_one_begins_when_the_one_before_waits_for_the_disk_or_ends() {
    let (turns, bank) = (BatchTurns::new(8), AgencyId::parse("bank").unwrap());
    drop(turns.counter());
    let (first, wait) = turns.take(&bank).now_or_never().unwrap();
    assert_eq!(wait, Wait::Not);
    let first = first.unwrap();
    let mut waiting = waiting(&turns, &bank, 3);
    let next = |waiting: &mut Vec<Waiting<'_>>| waiting.first_mut().and_then(|one| one.as_mut().now_or_never());
    assert!(next(&mut waiting).is_none());
    // Its work, which waits for the disk.
    assert!(first.resting(std::future::pending::<()>()).now_or_never().is_none());
    let (second, wait) = next(&mut waiting).unwrap();
    assert_eq!(wait, Wait::ForProcessor);
    drop(waiting.remove(0));
    // One that rests already says nothing of the one that works.
    first.rests();
    assert!(next(&mut waiting).is_none());
    drop(second);
    let (third, _) = next(&mut waiting).unwrap();
    drop(waiting.remove(0));
    assert!(next(&mut waiting).is_none());
    // It waits for something that nobody foresaw; the next beat does not wait for it.
    turns.beat();
    assert!(next(&mut waiting).is_some());
    drop((first, third));
}

#[test]
fn a_flood_whose_turns_take_long_leaves_three_of_four_to_batches_that_wait() {
    let (bank, insurer) = (AgencyId::parse("bank").unwrap(), AgencyId::parse("insurer").unwrap());
    for beside_a_counter in [false, true] {
        let turns = BatchTurns::new(8);
        if beside_a_counter {
            drop(turns.counter());
        }
        let mut flood: Vec<_> = (0..40).map(|_| Box::pin(turns.take_flooding(&insurer)) as Waiting<'_>).collect();
        let mut batch = waiting(&turns, &bank, 80);
        let (mut held, mut floods, mut batches) = (std::collections::VecDeque::new(), 0, 0);
        for _ in 0..40 {
            turns.beat();
            for (line, count) in [(&mut flood, &mut floods), (&mut batch, &mut batches)] {
                let now = begun(line);
                *count += now.len();
                held.extend(now);
            }
            // Two of them end between two beats.
            drop(held.drain(..held.len().min(2)));
        }
        assert!(floods > 0 && batches >= 3 * (floods - 8), "beside a counter: {beside_a_counter}; {floods} and {batches}");
    }
}

#[test]
fn a_flood_that_waits_only_for_a_counter_to_be_served_is_told_so() {
    let (turns, insurer) = (BatchTurns::new(2), AgencyId::parse("insurer").unwrap());
    let counter = turns.counter();
    let mut first = Box::pin(turns.take_flooding(&insurer));
    assert!(first.as_mut().now_or_never().is_none());
    let mut second = Box::pin(turns.take_flooding(&insurer));
    assert!(second.as_mut().now_or_never().is_none());
    drop(counter);
    let (_turn, wait) = first.now_or_never().unwrap();
    assert_eq!(wait, Wait::ForProcessor);
    turns.beat();
    let (_turn, wait) = second.now_or_never().unwrap();
    assert_eq!(wait, Wait::InLine, "behind its own");
}
