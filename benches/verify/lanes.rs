//! `--lanes`: what somebody at a counter notices of other agencies. A clinic asks at a calm pace, alone, beside a bank's batch that goes as
//! fast as it is let, beside an insurer that floods far beyond its limits, and beside both for as long as a whole batch takes. Each has a load
//! generator of its own.

use std::time::Duration;

use serde::Serialize;

use crate::cli::Plan;
use crate::cpu::{self, Places};
use crate::fault::{Doing, Fault};
use crate::gateway::Gateway;
use crate::load::{CONNECTIONS, Outcome};
use crate::report::{median, print_head, print_places, print_row};
use crate::target::{Round, Target};

/// Queries of the counter a second, and its connections.
const COUNTER: (f64, usize) = (200.0, 8);
/// Connections of a flood.
const FLOOD: usize = 64;
/// For how long the others have begun before the counter is measured.
const AHEAD: Duration = Duration::from_secs(1);
/// Queries of a whole batch.
const BATCH: u64 = 100_000;
/// By how much a batch and a flood may change the counter's p99, in percent.
const BOUNDS: (f64, f64) = (25.0, 10.0);
/// The longest time that a whole batch is given.
const LONGEST: Duration = Duration::from_secs(120);

const CLINIC: &str =
    r#""identifier":{"scheme":"yekta","value":"9990000034"},"service":"insurance-health","purpose":"treatment","actor":"probe-1""#;
const BANK: &str = r#""identifier":{"scheme":"amayesh-no","value":"A170000001"},"service":"bank-card","purpose":"account-maintenance","actor":"probe-1","check":{"birth_year":1370,"calendar":"jalali"},"priority":"background""#;
const INSURER: &str = r#""identifier":{"scheme":"amayesh-no","value":"A170000001"},"service":"insurance-health","purpose":"claim","actor":"probe-1","check":{"birth_year":1370,"calendar":"jalali"}"#;

/// The last line.
#[derive(Serialize)]
struct Summary {
    bench: &'static str,
    alone_p99_ms: f64,
    batch_p99_ms: f64,
    flood_p99_ms: f64,
    both_p99_ms: f64,
    batch_change_percent: f64,
    flood_change_percent: f64,
    both_change_percent: f64,
    batch_rps: f64,
    batch_beside_flood: u64,
}

/// Measures and reports.
pub fn run(plan: &Plan) -> Result<(), Fault> {
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).doing("making a folder for the bench")?;
    let places = cpu::places();
    let gateway = Gateway::start(&plan.estelam, home.path(), plan.start_limit(), places, &["insurer"])?;
    let (mut alone, mut beside_batch, mut beside_flood, mut batches, mut floods) = (vec![], vec![], vec![], vec![], vec![]);
    for round in 0..plan.rounds() {
        let counter = gateway.queries("counter", ("clinic", CLINIC))?;
        let batch = gateway.queries("batch", ("bank", BANK))?;
        let flood = gateway.queries("flood", ("insurer", INSURER))?;
        alone.push(calm(&counter, plan, places)?);
        let (calm_one, other) = beside(&counter, (&batch, CONNECTIONS), plan, places)?;
        beside_batch.push(calm_one);
        batches.push(other);
        let (calm_one, other) = beside(&counter, (&flood, FLOOD), plan, places)?;
        beside_flood.push(calm_one);
        floods.push(other);
        eprintln!("bench: round {} of {}", round + 1, plan.rounds());
    }
    print_places(places);
    print_head();
    for (name, outcomes) in [("counter alone", &alone), ("beside a batch", &beside_batch), ("beside a flood", &beside_flood)] {
        print_row(name, outcomes);
    }
    print_row("the batch", &batches);
    print_row("the flood", &floods);
    let batch_rps = median(&batches, |batch| batch.rps);
    let (both, whole) = beside_both(&gateway, plan, batch_rps, places)?;
    print_row("beside both", std::slice::from_ref(&both));
    let sent: u64 = batches.iter().map(|batch| batch.answers).sum();
    let turned_away: u64 = floods.iter().map(|flood| flood.errors).sum();
    println!(
        "{sent} queries of batches were answered ({BATCH} take {:.0} s), and {} beside batch and flood at once; {turned_away} of the flood were turned away",
        BATCH as f64 / batch_rps,
        whole.answers
    );
    let p99 = |outcomes: &[Outcome]| median(outcomes, |outcome| outcome.p99_ms);
    let change = |outcomes: &[Outcome]| (p99(outcomes) / p99(&alone) - 1.0) * 100.0;
    let both = [both];
    for (what, change, bound) in [("batch", change(&beside_batch), BOUNDS.0), ("flood", change(&beside_flood), BOUNDS.1)] {
        let verdict = if change <= bound { "kept" } else { "NOT kept" };
        println!("a {what} changes the counter's p99 by {change:.0} %, at most {bound:.0} % is the bound: {verdict}");
    }
    let summary = Summary {
        bench: "lanes",
        alone_p99_ms: p99(&alone),
        batch_p99_ms: p99(&beside_batch),
        flood_p99_ms: p99(&beside_flood),
        both_p99_ms: p99(&both),
        batch_change_percent: change(&beside_batch).round(),
        flood_change_percent: change(&beside_flood).round(),
        both_change_percent: change(&both).round(),
        batch_rps: batch_rps.round(),
        batch_beside_flood: whole.answers,
    };
    println!("{}", serde_json::to_string(&summary).unwrap_or_default());
    Ok(())
}

const fn pace(plan: &Plan) -> Round {
    Round { rate: Some(COUNTER.0), warm_up: plan.warm_up(), window: plan.window() }
}

/// The counter while a whole batch and a flood run at once; and what became of the batch.
fn beside_both(gateway: &Gateway, plan: &Plan, batch_rps: f64, places: Places) -> Result<(Outcome, Outcome), Fault> {
    let counter = gateway.queries("counter", ("clinic", CLINIC))?;
    let (batch, flood) = (gateway.queries("batch", ("bank", BANK))?, gateway.queries("flood", ("insurer", INSURER))?);
    // Twice the time that it takes alone, since the flood takes its part.
    let needed = Duration::try_from_secs_f64(2.0 * BATCH as f64 / batch_rps).unwrap_or(LONGEST).min(LONGEST);
    let window = if plan.is_smoke() { plan.window() } else { needed };
    let whole = Round { rate: None, warm_up: plan.warm_up(), window: window + AHEAD + AHEAD };
    let measured = Round { window, ..pace(plan) };
    std::thread::scope(|scope| {
        let batch = scope.spawn(|| batch.loaded_by(whole, CONNECTIONS, true, places));
        let flood = scope.spawn(|| flood.loaded_by(whole, FLOOD, true, places));
        std::thread::sleep(AHEAD);
        let measured = answered(counter.loaded_by(measured, COUNTER.1, false, places)?);
        let ended = |crowd: std::thread::ScopedJoinHandle<'_, Result<Outcome, Fault>>| {
            crowd.join().map_err(|_| Fault::new("a load generator failed"))?
        };
        ended(flood)?;
        Ok((measured?, ended(batch)?))
    })
}

/// The counter for itself; every query must be answered.
fn calm(counter: &Target, plan: &Plan, places: Places) -> Result<Outcome, Fault> {
    answered(counter.loaded_by(pace(plan), COUNTER.1, false, places)?)
}

fn answered(outcome: Outcome) -> Result<Outcome, Fault> {
    match (&outcome.first_error, outcome.answers) {
        (None, 1..) => Ok(outcome),
        (first, _) => Err(Fault::new(format!("a query of the counter failed: {}", first.as_deref().unwrap_or("no answer at all")))),
    }
}

/// The counter while others ask as fast as they can.
fn beside(counter: &Target, (other, connections): (&Target, usize), plan: &Plan, places: Places) -> Result<(Outcome, Outcome), Fault> {
    let whole = Round { rate: None, warm_up: plan.warm_up(), window: plan.window() + AHEAD + AHEAD };
    std::thread::scope(|scope| {
        let crowd = scope.spawn(|| other.loaded_by(whole, connections, true, places));
        std::thread::sleep(AHEAD);
        let measured = calm(counter, plan, places);
        let crowd = crowd.join().map_err(|_| Fault::new("a load generator failed"))??;
        Ok((measured?, crowd))
    })
}
