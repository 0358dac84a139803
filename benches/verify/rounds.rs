//! The order of the measurement: start both, alternate, then the paced rounds, then the token endpoint.

use std::path::Path;

use crate::cli::{FloorOptions, Plan};
use crate::cpu::{self, Places};
use crate::fault::{Doing, Fault};
use crate::floor::HEAD_BYTES;
use crate::gateway::{self, Gateway};
use crate::load::Outcome;
use crate::pki;
use crate::report::{self, Figures, Setting};
use crate::target::{Floor, Round, start_floor};

/// Share of its own peak at which the verify path's latency is measured.
const PACE: f64 = 0.7;
/// Requests per second at which the gateway's latency is compared with the floor's.
const CALM: f64 = 3000.0;

/// Measures and reports.
pub fn run(plan: &Plan) -> Result<(), Fault> {
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).doing("making a folder for the bench")?;
    let places = cpu::places();
    pki::make(home.path())?;
    if plan.floor_only { floor_alone(plan, home.path(), places) } else { beside_the_gateway(plan, home.path(), places) }
}

fn floor_alone(plan: &Plan, home: &Path, places: Places) -> Result<(), Fault> {
    let options = FloorOptions { pki: home.to_owned(), reply_bytes: plan.reply_bytes };
    let floor = start_floor(&options, gateway::stand_in_requests(), places)?;
    let outcomes = (0..plan.rounds()).map(|_| floor.target.load(full_speed(plan), places)).collect::<Result<Vec<_>, _>>()?;
    report::floor_alone(&outcomes, places);
    Ok(())
}

fn beside_the_gateway(plan: &Plan, home: &Path, places: Places) -> Result<(), Fault> {
    // Before minutes are spent.
    let baseline = plan.baseline()?;
    let dir = home.join("gateway");
    std::fs::create_dir(&dir).doing("making the gateway's folder")?;
    require_a_real_disk(&dir)?;
    let gateway = Gateway::start(&plan.estelam, &dir, plan.start_limit(), places, &[])?;
    let (verify, answer) = gateway.verify()?;
    let requests = verify.callers.iter().flat_map(|caller| caller.requests.clone()).collect::<Vec<_>>();
    let request_bytes = requests.first().map_or(0, String::len);
    let options = FloorOptions { pki: home.to_owned(), reply_bytes: answer.size.saturating_sub(HEAD_BYTES) };
    let floor = start_floor(&options, requests, places)?;
    let mut figures = alternate(plan, &floor, &gateway, places)?;
    let peak = report::median(&figures.verify, |outcome| outcome.rps);
    for _ in 0..plan.rounds().min(3) {
        figures.paced.push(recorded(&gateway, at(peak * PACE, plan), places)?);
        figures.calm_floor.push(floor.target.load(at(CALM, plan), places)?);
        figures.calm_verify.push(recorded(&gateway, at(CALM, plan), places)?);
    }
    figures.token = gateway.tokens()?.load(full_speed(plan), places)?.rps;
    let ratio = report::whole(&figures, &Setting { places, request_bytes, reply_bytes: answer.size }, baseline.as_ref());
    baseline.map_or(Ok(()), |baseline| baseline.demand(ratio))
}

/// Floor and gateway in turn; every other pair the other way round, so that a drifting machine favours neither.
fn alternate(plan: &Plan, floor: &Floor, gateway: &Gateway, places: Places) -> Result<Figures, Fault> {
    let mut figures = Figures::default();
    for round in 0..plan.rounds() {
        for floor_now in [round % 2 == 0, round % 2 != 0] {
            if floor_now {
                figures.floor.push(floor.target.load(full_speed(plan), places)?);
            } else {
                figures.verify.push(recorded(gateway, full_speed(plan), places)?);
            }
        }
        eprintln!("bench: round {} of {}", round + 1, plan.rounds());
    }
    Ok(figures)
}

/// One round of the gateway with fresh tokens. Every answer must have its entry in the ledger, as anybody can see from outside.
fn recorded(gateway: &Gateway, round: Round, places: Places) -> Result<Outcome, Fault> {
    let (target, _) = gateway.verify()?;
    let before = gateway.ledger_size()?;
    let outcome = target.load(round, places)?;
    let grown = gateway.ledger_size()?.saturating_sub(before);
    if grown < outcome.answers {
        return Err(Fault::new(format!("not durable: {} answers, but the ledger grew by {grown} entries", outcome.answers)));
    }
    Ok(outcome)
}

fn full_speed(plan: &Plan) -> Round {
    Round { rate: None, warm_up: plan.warm_up(), window: plan.window() }
}

fn at(rate: f64, plan: &Plan) -> Round {
    Round { rate: Some(rate), ..full_speed(plan) }
}

/// What lies in memory alone is not durable, however often it is synced.
#[cfg(target_os = "linux")]
fn require_a_real_disk(dir: &Path) -> Result<(), Fault> {
    /// `TMPFS_MAGIC` and `RAMFS_MAGIC` of statfs(2).
    const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];
    let kind = rustix::fs::statfs(dir).doing("looking at the file system")?.f_type;
    if IN_MEMORY.contains(&(kind as u64)) {
        return Err(Fault::new(format!("`{}` is in memory; set CARGO_TARGET_DIR to a folder on a disk", dir.display())));
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
const fn require_a_real_disk(_dir: &Path) -> Result<(), Fault> {
    Ok(())
}
