//! What the bench is told to do, and the table that it makes.

use std::time::{Duration, Instant};

use crate::scene::Row;

/// The faults, by what breaks.
pub const GROUPS: [&str; 9] = ["registry", "feed", "decrees", "addresses", "clients", "process", "disk", "files", "clock"];
/// For so many minutes somebody asks at the end, so that what leaks shows.
const MINUTES: u64 = 10;

/// What to do.
pub struct Plan {
    pub smoke: bool,
    pub minutes: u64,
    only: Option<String>,
}

impl Plan {
    /// As it is told on the command line.
    pub fn told(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut plan, mut minutes) = (Self { smoke: false, minutes: 0, only: None }, None);
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--smoke" => plan.smoke = true,
                "--minutes" => minutes = Some(arguments.next().and_then(|number| number.parse().ok()).ok_or("say how many minutes")?),
                "--only" => plan.only = Some(arguments.next().filter(|group| GROUPS.contains(&group.as_str())).ok_or_else(which)?),
                // What `cargo bench` says to every bench.
                "--bench" => {}
                _ => return Err(format!("`{argument}` is not known; there are --minutes N, --only GROUP and --smoke")),
            }
        }
        plan.minutes = minutes.unwrap_or(if plan.smoke || plan.only.is_some() { 0 } else { MINUTES });
        Ok(plan)
    }

    /// Whether a group is to be tried; `quick` if it is one of those of a short round.
    pub fn wants(&self, group: &str, quick: bool) -> bool {
        self.only.as_ref().is_none_or(|only| only == group) && (quick || !self.smoke)
    }
}

fn which() -> String {
    format!("say which group: {}", GROUPS.join(", "))
}

/// The table.
pub struct Rows {
    rows: Vec<Row>,
    begun: Instant,
    minutes: u64,
}

impl Rows {
    pub fn of(plan: &Plan) -> Self {
        let length = match (plan.smoke, plan.minutes) {
            (true, _) => "a short round".to_owned(),
            (false, 0) => format!("without the {MINUTES} minutes of asking in which leaks show"),
            (false, minutes) => format!("about five minutes of faults, {minutes} of asking in which leaks show"),
        };
        eprintln!("chaos: {length}");
        Self { rows: Vec::new(), begun: Instant::now(), minutes: plan.minutes }
    }

    /// One more row, told at once.
    pub fn add(&mut self, row: Row) {
        eprintln!("chaos: {:>4} s {} {}", self.begun.elapsed().as_secs(), mark(&row), row.name);
        if !row.kept {
            eprintln!("chaos:        {}", row.happened);
        }
        self.rows.push(row);
    }

    pub fn count(&self) -> usize {
        self.rows.len()
    }

    pub fn failed(&self) -> Vec<&str> {
        self.rows.iter().filter(|row| !row.kept).map(|row| row.name).collect()
    }

    pub fn print(&self) {
        println!("     {:<46} {:>10} {:>7}  promised", "fault", "good again", "within");
        for row in &self.rows {
            let [after, within] = match row.recovered {
                Some((after, within)) => [format!("{} ms", after.as_millis()), format!("{} s", within.as_secs())],
                None => ["".to_owned(), "".to_owned()],
            };
            println!("{} {:<46} {after:>10} {within:>7}  {}\n       {}", mark(row), row.name, row.promised, row.happened);
        }
        let recovered = || self.rows.iter().filter_map(|row| Some((row.recovered?.0, row.name)));
        let slowest = recovered().max().unwrap_or((Duration::ZERO, "none"));
        println!("slowest to be good again: {} ms ({}); {} minutes of asking at the end", slowest.0.as_millis(), slowest.1, self.minutes);
    }
}

fn mark(row: &Row) -> &'static str {
    if row.kept { "ok  " } else { "FAIL" }
}
