//! What people read, and the last line that programs read.

use serde::Serialize;

use crate::baseline::Baseline;
use crate::cpu::Places;
use crate::load::Outcome;

/// Everything measured.
#[derive(Default)]
pub struct Figures {
    /// The floor's rounds.
    pub floor: Vec<Outcome>,
    /// The verify path's rounds.
    pub verify: Vec<Outcome>,
    /// The verify path at a share of its own peak.
    pub paced: Vec<Outcome>,
    /// The floor at a calm rate.
    pub calm_floor: Vec<Outcome>,
    /// The verify path at the same rate.
    pub calm_verify: Vec<Outcome>,
    /// Tokens per second.
    pub token: f64,
}

/// Under which conditions.
pub struct Setting {
    /// Processors used.
    pub places: Places,
    /// Bytes of a request, head and body.
    pub request_bytes: usize,
    /// Bytes of a reply, head and body.
    pub reply_bytes: usize,
}

/// The last line; its names are fixed by the contract.
#[derive(Serialize)]
struct Summary {
    bench: &'static str,
    floor_rps: f64,
    verify_rps: f64,
    ratio: f64,
    floor_cpu_us: f64,
    verify_cpu_us: f64,
    p50_ms: f64,
    p99_ms: f64,
    token_rps: f64,
    durable: bool,
}

/// The middle value; of an even count, the upper of the two in the middle.
pub fn median(outcomes: &[Outcome], figure: fn(&Outcome) -> f64) -> f64 {
    let mut values: Vec<f64> = outcomes.iter().map(figure).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Prints the floor's figures.
pub fn floor_alone(floor: &[Outcome], places: Places) {
    print_places(places);
    print_head();
    print_row("floor", floor);
}

/// Prints the table, and the summary as the last line; the ratio in it. Only called when every answer was found in the ledger.
pub fn whole(figures: &Figures, setting: &Setting, baseline: Option<&Baseline>) -> f64 {
    let (floor_rps, verify_rps) = (median(&figures.floor, |o| o.rps), median(&figures.verify, |o| o.rps));
    let (floor_cpu, verify_cpu) = (median(&figures.floor, |o| o.server_cpu_us), median(&figures.verify, |o| o.server_cpu_us));
    let (p50, p99) = (median(&figures.paced, |o| o.p50_ms), median(&figures.paced, |o| o.p99_ms));
    print_places(setting.places);
    println!("request {} B, reply {} B, the same for both; the agencies' limits are raised", setting.request_bytes, setting.reply_bytes);
    print_head();
    print_row("floor", &figures.floor);
    print_row("verify", &figures.verify);
    print_row("verify at 70 %", &figures.paced);
    print_row("floor, calm", &figures.calm_floor);
    print_row("verify, calm", &figures.calm_verify);
    println!("verify/floor: {:.3} of the rate, {:.3} by processor time", verify_rps / floor_rps, floor_cpu / verify_cpu);
    println!("tokens: {:.0}/s; every answer was found in the ledger", figures.token);
    let summary = Summary {
        bench: "verify",
        floor_rps: rounded(floor_rps, 0),
        verify_rps: rounded(verify_rps, 0),
        ratio: rounded(verify_rps / floor_rps, 4),
        floor_cpu_us: rounded(floor_cpu, 2),
        verify_cpu_us: rounded(verify_cpu, 2),
        p50_ms: rounded(p50, 3),
        p99_ms: rounded(p99, 3),
        token_rps: rounded(figures.token, 0),
        durable: true,
    };
    if let Some(baseline) = baseline {
        baseline.tell(summary.ratio);
    }
    println!("{}", serde_json::to_string(&summary).unwrap_or_default());
    summary.ratio
}

pub fn print_places(places: Places) {
    match places {
        Places { server: Some(server), load: Some(load) } => println!("server on processor {server}, load generator on processor {load}"),
        _ => println!("NOT PINNED: a second processor is needed; server and load generator share what there is, so do not quote these"),
    }
}

pub fn print_head() {
    println!("{:<15} {:>10} {:>12} {:>8} {:>8} {:>9} {:>9}", "", "requests/s", "CPU µs/req", "server", "load", "p50 ms", "p99 ms");
}

pub fn print_row(name: &str, outcomes: &[Outcome]) {
    let middle = |figure| median(outcomes, figure);
    println!(
        "{name:<15} {:>10.0} {:>12.1} {:>6.0} % {:>6.0} % {:>9.3} {:>9.3}",
        middle(|o| o.rps),
        middle(|o| o.server_cpu_us),
        middle(|o| o.server_busy * 100.0),
        middle(|o| o.load_busy * 100.0),
        middle(|o| o.p50_ms),
        middle(|o| o.p99_ms)
    );
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}
