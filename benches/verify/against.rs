//! `--against`: two builds of the gateway and the floor in turn, in many short windows. A machine that others share changes its pace from minute to
//! minute by more than most changes to the program; what is asked within the same seconds, and the best of many windows, shows them.

use std::fmt;
use std::path::Path;

use crate::cli::{FloorOptions, Plan};
use crate::cpu;
use crate::fault::{Doing, Fault};
use crate::floor::HEAD_BYTES;
use crate::gateway::Gateway;
use crate::load::Outcome;
use crate::pki;
use crate::report::{median, print_places};
use crate::target::{Round, Target, start_floor};

/// Measures and reports.
pub fn run(plan: &Plan, other: &Path) -> Result<(), Fault> {
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).doing("making a folder for the bench")?;
    let places = cpu::places();
    pki::make(home.path())?;
    let start = |name: &str, estelam: &Path| {
        let dir = home.path().join(name);
        std::fs::create_dir(&dir).doing("making a gateway's folder")?;
        Gateway::start(estelam, &dir, plan.start_limit(), places, &[])
    };
    let (this, other) = (start("this", &plan.estelam)?, start("other", other)?);
    let ((this_target, answer), (other_target, _)) = (this.verify()?, other.verify()?);
    let requests = this_target.callers.iter().flat_map(|caller| caller.requests.clone()).collect();
    let options = FloorOptions { pki: home.path().to_owned(), reply_bytes: answer.size.saturating_sub(HEAD_BYTES) };
    let floor = start_floor(&options, requests, places)?;
    let targets: [(&str, &Target); 3] = [("floor", &floor.target), ("this", &this_target), ("other", &other_target)];
    let mut outcomes: [Vec<Outcome>; 3] = Default::default();
    let round = Round { rate: None, warm_up: plan.warm_up() / 4, window: plan.window() };
    for number in 0..plan.rounds() as usize {
        for turn in 0..targets.len() {
            // Nobody always comes after the same one.
            let turn = if number % 2 == 0 { turn } else { targets.len() - 1 - turn };
            if let (Some((_, target)), Some(all)) = (targets.get(turn), outcomes.get_mut(turn)) {
                all.push(target.load(round, places)?);
            }
        }
    }
    print_places(places);
    println!("{:<8} {:>12} {:>12} {:>12} {:>12}", "", "rate", "best rate", "CPU µs/req", "least CPU");
    for ((name, _), all) in targets.iter().zip(&outcomes) {
        let best = all.iter().map(|one| one.rps).fold(0.0, f64::max);
        let least = all.iter().map(|one| one.server_cpu_us).fold(f64::INFINITY, f64::min);
        println!(
            "{name:<8} {:>12.0} {best:>12.0} {:>12.1} {least:>12.1}",
            median(all, |one| one.rps),
            median(all, |one| one.server_cpu_us)
        );
    }
    let [_, this, other] = &outcomes;
    println!("this/other, round by round (median, middle half):");
    println!("{:<16} {}", "rate", Shares::of(this, other, |one| one.rps));
    println!("{:<16} {}", "processor time", Shares::of(this, other, |one| one.server_cpu_us));
    Ok(())
}

/// One build's figure as a share of the other's in the same round: both had the same seconds, so that this tells changes of some hundredths where
/// medians of all rounds do not.
struct Shares {
    quarter: f64,
    median: f64,
    three_quarters: f64,
}

impl Shares {
    fn of(this: &[Outcome], other: &[Outcome], figure: fn(&Outcome) -> f64) -> Self {
        let mut shares: Vec<f64> = this.iter().zip(other).map(|(this, other)| figure(this) / figure(other)).collect();
        shares.sort_by(f64::total_cmp);
        let at = |quarters: usize| shares.get(shares.len() * quarters / 4).copied().unwrap_or(f64::NAN);
        Self { quarter: at(1), median: at(2), three_quarters: at(3) }
    }
}

impl fmt::Display for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} ({:.3} to {:.3})", self.median, self.quarter, self.three_quarters)
    }
}
