//! `estelam agency list` and `show`: who may ask what, and which certificates end when.

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::home::{self, Home};
use super::words;
use crate::adapters::cutoff::{self, CutOffList};
use crate::adapters::enrolment::Enrolled;
use crate::cli::place::Place;
use crate::cli::{CliError, Failure};
use crate::core::policy::AgencyPolicy;

/// Days before its end in which a certificate is marked.
const SOON_DAYS: i64 = 30;

/// List the agencies.
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    place: Place,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Everything about one agency.
#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// The agency's name
    agency: String,
    #[command(flatten)]
    place: Place,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(self) -> Result<(), CliError> {
        let home = Home::of(&self.place)?;
        let snapshot = home.snapshot()?;
        let cut = cut_off(&home)?;
        let mut agencies: Vec<_> = snapshot.agencies.values().collect();
        agencies.sort_by(|one, other| one.id.cmp(&other.id));
        for policy in agencies {
            let about = describe(&home, policy, &cut)?;
            if self.json { println!("{about}") } else { println!("{}", line(&about)) }
        }
        Ok(())
    }
}

impl Show {
    pub(super) fn run(self) -> Result<(), CliError> {
        let home = Home::of(&self.place)?;
        let agency = home::agency(&self.agency)?;
        let snapshot = home.snapshot()?;
        let policy = snapshot.agencies.get(&agency);
        let policy = policy.ok_or_else(|| CliError::usage(format_args!("no agency `{agency}` here; see `estelam agency list`")))?;
        let cut = cut_off(&home)?;
        let mut about = describe(&home, policy, &cut)?;
        let register = home.register(&agency)?;
        if self.json {
            let register = serde_json::to_value(&register).doing("the register")?;
            if let Some(members) = about.as_object_mut() {
                members.insert("register".to_owned(), register);
                members.insert("policy_version".to_owned(), json!(&*snapshot.version));
            }
            println!("{about}");
            return Ok(());
        }
        println!("{}\n\n{}\n{}", line(&about), words::english(&snapshot, policy), words::persian(&snapshot, policy));
        println!("Policy {}; register version {}.", snapshot.version, register.version);
        for one in &register.certificates {
            let state = if is_cut(&cut, one) {
                "cut"
            } else if one.is_good(home::now()) {
                "good"
            } else {
                "ended"
            };
            let unit = one.unit.as_deref().unwrap_or("-");
            println!("  {state:<6} {unit:<16} until {}  sha256 {}", one.not_after, one.sha256);
        }
        Ok(())
    }
}

fn cut_off(home: &Home) -> Result<CutOffList, CliError> {
    cutoff::read(&home.cutoff).doing("the list of what is cut off").map(Option::unwrap_or_default)
}

fn describe(home: &Home, policy: &AgencyPolicy, cut: &CutOffList) -> Result<Value, CliError> {
    let mut services: Vec<&str> = policy.grants.keys().map(|service| &**service).collect();
    services.sort_unstable();
    let scopes: Vec<&str> = policy.scopes.iter().map(|scope| scope.code()).collect();
    let mut register = home.register(&policy.id)?;
    let all = register.certificates.len();
    register.certificates.retain(|one| !is_cut(cut, one));
    let now = home::now();
    let own = cut.agencies.get(policy.id.as_str());
    let mut units: Vec<&str> = policy.units.keys().map(|unit| &**unit).collect();
    units.sort_unstable();
    Ok(json!({
        "agency": policy.id.as_str(),
        "suspended": policy.suspended || own.is_some_and(|own| own.suspended),
        "suspended_branches": own.map(|own| own.branches.iter().collect::<Vec<_>>()).unwrap_or_default(),
        "scopes": scopes,
        "services": services,
        "units": units,
        "certificates_cut_off": all - register.certificates.len(),
        "certificates": register.expiries(now).iter().map(|(unit, end)| expiry(*unit, *end, now)).collect::<Vec<_>>(),
    }))
}

/// Whether a certificate is refused here whatever its dates say.
pub(super) fn is_cut(cut: &CutOffList, one: &Enrolled) -> bool {
    cut.bars_named(&one.sha256)
}

fn expiry(unit: Option<&str>, end: Timestamp, now: Timestamp) -> Value {
    let days = end.duration_since(now).as_hours().div_euclid(24);
    json!({ "unit": unit, "not_after": end, "days_left": days, "soon": days < SOON_DAYS })
}

fn line(about: &Value) -> String {
    let words = |name: &str| {
        let list = about.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
    };
    let state = if about.get("suspended") == Some(&Value::Bool(true)) { "suspended" } else { "active" };
    let name = about.get("agency").and_then(Value::as_str).unwrap_or_default();
    let certificates = about.get("certificates").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let days = certificates.iter().filter_map(|one| one.get("days_left").and_then(Value::as_i64)).min();
    let end = match days {
        None if about.get("certificates_cut_off").and_then(Value::as_u64).unwrap_or(0) > 0 => "CUT OFF".to_owned(),
        None => "no certificate".to_owned(),
        Some(days) if days < 0 => "EXPIRED".to_owned(),
        Some(days) if days < SOON_DAYS => format!("{days} days left!"),
        Some(days) => format!("{days} days left"),
    };
    format!("{name:<18} {state:<10} {end:<15} {:<24} {}", words("scopes"), words("services"))
}
