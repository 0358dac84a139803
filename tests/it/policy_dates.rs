//! Grants and rules begin and end by themselves: the tables made at load say at every instant what Cedar and the calendar say.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use estelam::core::domain::date::{Calendar, PartialDate, end_of_tehran_day, start_of_tehran_day};
use estelam::core::domain::refusal::RefusalCode;
use estelam::core::policy::{Loaded, RequestInput, Snapshot, permit};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestCaseResult, TestRng, TestRunner};
use serde_json::json;

use crate::policy_support::{call, changed, files, lines};

fn first(day: &str) -> Timestamp {
    start_of_tehran_day(PartialDate::parse(day, Calendar::Jalali).unwrap().first_day())
}

fn end(day: &str) -> Timestamp {
    end_of_tehran_day(PartialDate::parse(day, Calendar::Jalali).unwrap().first_day())
}

/// The instants right before, at and right after a boundary.
fn around(boundary: Timestamp) -> [Timestamp; 3] {
    let nano = SignedDuration::from_nanos(1);
    [boundary - nano, boundary, boundary + nano]
}

/// The bank's answer to a query for the account, at an instant: allowed, or the refusal's code.
fn said(snapshot: &Arc<Snapshot>, service: &str, purpose: &str, at: Timestamp) -> String {
    let body = json!({
        "identifier": {"scheme": "amayesh-no", "value": "A170000001"}, "service": service, "purpose": purpose, "actor": "teller-1",
        "check": {"birth_year": 1370, "calendar": "jalali"},
    });
    let body = body.to_string();
    let input = RequestInput { content_type: Some("application/json"), body: Ok(body.as_bytes()), statement_alone: false };
    match permit(call("bank", None), input, Arc::clone(snapshot), at) {
        Ok(_) => "allowed".to_owned(),
        Err(refusal) => refusal.code.code().to_owned(),
    }
}

#[test]
fn a_grant_ends_by_itself_with_the_first_request_after_its_last_day() {
    let files = changed("agencies/bank.toml", "[[grant]]\n", "[[grant]]\nfrom = \"1405/01/01\"\nuntil = \"1405/06/31\"\n");
    let snapshot = Arc::new(Snapshot::load(&files).unwrap());
    let expected = [
        (first("1405/01/01"), ["service-not-allowed", "allowed", "allowed"]),
        (end("1405/06/31"), ["allowed", "service-not-allowed", "service-not-allowed"]),
    ];
    for (boundary, expected) in expected {
        let got = around(boundary).map(|at| said(&snapshot, "bank-account", "account-opening", at));
        assert_eq!(got, expected, "{boundary}");
    }
}

#[test]
fn another_purpose_that_is_still_granted_makes_it_the_purpose_that_is_refused() {
    let second =
        "[[grant]]\nservices = [\"bank-account\"]\npurposes = [\"account-opening\"]\nmust_give = []\nuntil = \"1405/06/31\"\n\n[[grant]]\n";
    let mut files = changed("agencies/bank.toml", "[[grant]]\n", second);
    let text = files.get_mut("agencies/bank.toml").unwrap();
    *text = text.replace("purposes = [\"account-opening\", \"account-maintenance\"]", "purposes = [\"account-maintenance\"]");
    let snapshot = Arc::new(Snapshot::load(&files).unwrap());
    let got = around(end("1405/06/31")).map(|at| said(&snapshot, "bank-account", "account-opening", at));
    assert_eq!(got, ["allowed", "purpose-not-allowed", "purpose-not-allowed"]);
}

#[test]
fn one_grant_follows_another_with_terms_of_its_own() {
    let text = "[[grant]]\nservices = [\"bank-account\"]\npurposes = [\"account-opening\"]\nmust_give = []\noutage = \"proceed\"\nuntil = \"1405/06/31\"\n\n[[grant]]\nservices = [\"bank-account\"]\npurposes = [\"account-opening\"]\nmust_give = []\nfrom = \"1405/07/01\"\n\n[[grant]]\n";
    let mut files = changed("agencies/bank.toml", "[[grant]]\n", text);
    let bank = files.get_mut("agencies/bank.toml").unwrap();
    *bank = bank.replace("services = [\"bank-account\", \"bank-card\"]", "services = [\"bank-card\"]");
    let snapshot = Snapshot::load(&files).unwrap_or_else(|errors| panic!("{}", lines(&errors)));
    let bank = snapshot.agencies.values().find(|agency| agency.id.as_str() == "bank").unwrap();
    let outage = |at| format!("{:?}", snapshot.grant(bank, "bank-account", "account-opening", at).unwrap().grant.outage);
    assert_eq!(around(first("1405/07/01")).map(outage), ["Proceed", "TryLater", "TryLater"]);
}

#[test]
fn days_that_make_no_sense_and_grants_that_overlap_are_faults() {
    let check = |with: &str, expected: &str| {
        let errors = Snapshot::load(&changed("agencies/bank.toml", "[[grant]]\n", with)).map(drop).unwrap_err();
        let said = lines(&errors);
        assert!(said.starts_with(expected), "{said}");
    };
    check("[[grant]]\nuntil = \"1405/07/31\"\n", "agencies/bank.toml:38: `1405/07/31` is no Jalali day: there is no such day");
    check("[[grant]]\nfrom = \"1405\"\n", "agencies/bank.toml:38: `1405` is not a whole day; write YYYY/MM/DD");
    check("[[grant]]\nfrom = \"1405/02/01\"\nuntil = \"1405/01/31\"\n", "agencies/bank.toml:39: it ends before it begins; swap");
    let again =
        "[[grant]]\nservices = [\"bank-card\"]\npurposes = [\"account-opening\"]\nmust_give = []\nuntil = \"1405/01/31\"\n\n[[grant]]\n";
    check(again, "agencies/bank.toml:44: `bank-card` for `account-opening` is granted twice; remove one");
}

#[test]
fn a_misspelt_word_before_a_rule_is_refused_since_it_would_never_end() {
    let rule =
        "@id(\"late\")\n@untill(\"1405/01/01\")\nforbid (principal in Kind::\"bank\", action, resource == Service::\"bank-card\");\n";
    let with = |rule: String| {
        let mut files = files();
        files.insert("local.cedar".to_owned(), rule);
        Snapshot::load(&files).map(drop).map_err(|errors| lines(&errors))
    };
    assert!(with(rule.to_owned()).unwrap_err().starts_with("local.cedar:1: `@untill` means nothing here; use @id, @from, @until"));
    assert!(
        with(rule.replace("untill", "until").replace("1405/01/01", "1405/01/40")).unwrap_err().contains("the rule `late`: `1405/01/40`")
    );
    with(rule.replace("untill", "until")).unwrap();
}

/// A day of the years 1404 to 1406, as the files write it.
fn day() -> impl Strategy<Value = String> {
    (1404u16..=1406, 1u8..=12, 1u8..=29).prop_map(|(year, month, day)| format!("{year}/{month:02}/{day:02}"))
}

fn term() -> impl Strategy<Value = (Option<String>, Option<String>)> {
    (proptest::option::of(day()), proptest::option::of(day())).prop_map(|(one, other)| match (one, other) {
        (Some(one), Some(other)) if other < one => (Some(other), Some(one)),
        days => days,
    })
}

type Days = (Option<String>, Option<String>);

/// The calendar's own word on a term, apart from the product's tables.
fn holds(days: &Days, at: Timestamp) -> bool {
    days.0.as_ref().is_none_or(|day| first(day) <= at) && days.1.as_ref().is_none_or(|day| at < end(day))
}

const SERVICES: [&str; 2] = ["bank-account", "bank-card"];
const PURPOSES: [&str; 2] = ["account-opening", "account-maintenance"];

/// A rule of the folder's own: whether it permits, which service, and when.
type OwnRule = (bool, usize, Days);

/// The shipped permit for banks, which has no dates: as long as it is there, no other permit ever decides.
const UNDATED: &str = "banks-open-and-keep-accounts";

/// The shipped folder without that permit and its cases.
fn without_undated() -> BTreeMap<String, String> {
    let mut files = files();
    for (path, before) in [("permits.cedar", "@id("), ("cases/permits.toml", "[[case]]\n")] {
        let text = files.get_mut(path).unwrap();
        let parts = text.split(before).filter(|part| !part.contains(&format!("\"{UNDATED}\"")));
        *text = parts.collect::<Vec<_>>().join(before);
        assert!(!text.contains(UNDATED));
    }
    files
}

/// A bank with one dated grant for each service × purpose, and dated rules of its own, which alone permit it anything.
fn folder(grants: &[Days], rules: &[OwnRule]) -> BTreeMap<String, String> {
    let mut files = without_undated();
    let keys = |days: &Days| {
        let key = |name: &str, day: &Option<String>| day.as_ref().map(|day| format!("{name} = \"{day}\"\n")).unwrap_or_default();
        key("from", &days.0) + &key("until", &days.1)
    };
    let grant = |index: usize, days: &Days| {
        let (service, purpose) = (SERVICES[index / 2], PURPOSES[index % 2]);
        format!("[[grant]]\nservices = [\"{service}\"]\npurposes = [\"{purpose}\"]\nmust_give = []\n{}\n", keys(days))
    };
    let bank = files.get_mut("agencies/bank.toml").unwrap();
    let (head, rest) = bank.split_once("[[grant]]").unwrap();
    let tail = &rest[rest.find("# Calls per second").unwrap()..];
    let grants: String = grants.iter().enumerate().map(|(index, days)| grant(index, days)).collect();
    *bank = format!("{head}{grants}{tail}");
    let annotation = |name: &str, day: &Option<String>| day.as_ref().map(|day| format!("@{name}(\"{day}\")\n")).unwrap_or_default();
    let rule = |(index, (permits, service, days)): (usize, &(bool, usize, Days))| {
        let (effect, service) = (if *permits { "permit" } else { "forbid" }, SERVICES[*service]);
        let dates = annotation("from", &days.0) + &annotation("until", &days.1);
        format!("@id(\"own-{index}\")\n{dates}{effect} (principal in Kind::\"bank\", action, resource == Service::\"{service}\");\n")
    };
    files.insert("local.cedar".to_owned(), rules.iter().enumerate().map(rule).collect());
    files
}

/// Whether the dated rules permit a service at an instant, by the calendar alone.
fn permitted(rules: &[OwnRule], service: &str, at: Timestamp) -> bool {
    let one = |permits: bool| rules.iter().any(|(it, on, days)| *it == permits && SERVICES[*on] == service && holds(days, at));
    one(true) && !one(false)
}

/// The first instant of all time that is looked at, and every instant at which a grant or a rule begins or has ended.
fn boundaries(grants: &[Days], rules: &[OwnRule]) -> Vec<Timestamp> {
    let days = grants.iter().chain(rules.iter().map(|(_, _, days)| days));
    let turns = days.flat_map(|days| [days.0.as_deref().map(first), days.1.as_deref().map(end)]).flatten();
    std::iter::once(Timestamp::MIN + SignedDuration::from_secs(1)).chain(turns).collect()
}

/// The service and purpose of a grant.
fn granted(index: usize) -> (&'static str, &'static str) {
    (SERVICES[index / 2], PURPOSES[index % 2])
}

fn agrees(loaded: &Loaded, grants: &[Days], rules: &[OwnRule]) -> TestCaseResult {
    let bank = loaded.snapshot.agencies.values().find(|agency| agency.id.as_str() == "bank").unwrap();
    for at in boundaries(grants, rules).into_iter().flat_map(around) {
        for (index, days) in grants.iter().enumerate() {
            let (service, purpose) = granted(index);
            let cedar = loaded.rules.judge("bank", "bank", service, purpose, at).unwrap();
            // The calendar's own word on the dated rules, not on the parts of time that were cut at load.
            prop_assert_eq!(cedar.permitted, permitted(rules, service, at), "{} {}", service, at);
            let table = loaded.snapshot.grant(bank, service, purpose, at).map(|_| ()).map_err(|(code, _)| code);
            let expected = cedar.permitted && holds(days, at);
            prop_assert_eq!(table.is_ok(), expected, "{} {} {}", service, purpose, at);
            let allowed_codes = [RefusalCode::ServiceNotAllowed, RefusalCode::PurposeNotAllowed];
            prop_assert!(table.err().is_none_or(|code| allowed_codes.contains(&code)));
        }
    }
    Ok(())
}

#[test]
fn the_tables_agree_with_cedar_at_every_boundary() {
    const FOLDERS: u32 = 60;
    // A permit for each service in any case, so that most folders load.
    let own = |permits: bool| (Just(permits), 0usize..2, term());
    let permit = |service: usize| (Just(true), Just(service), term());
    let rules = (permit(0), permit(1), proptest::collection::vec(own(true), 0..2), proptest::collection::vec(own(false), 0..3))
        .prop_map(|(one, other, permits, forbids)| [vec![one, other], permits, forbids].concat());
    let folders = (proptest::collection::vec(term(), 4), rules);
    let (loaded, turned) = (Cell::new(0), Cell::new(0));
    let config = ProptestConfig { cases: FOLDERS, failure_persistence: None, ..ProptestConfig::default() };
    // The same folders each time, since some of them must load.
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(&folders, |(grants, rules)| {
        let at = boundaries(&grants, &rules);
        // A grant that no rule ever permits is a fault of the folder; there is no table then.
        let sometime = |(index, days): (usize, &Days)| at.iter().any(|at| holds(days, *at) && permitted(&rules, granted(index).0, *at));
        let in_order = grants.iter().enumerate().all(sometime);
        match Loaded::from_files(&folder(&grants, &rules)) {
            Ok(folder) => {
                prop_assert!(in_order, "a grant that nothing permits was taken");
                loaded.set(loaded.get() + 1);
                let changes = SERVICES
                    .iter()
                    .any(|service| at.windows(2).any(|two| permitted(&rules, service, two[0]) != permitted(&rules, service, two[1])));
                turned.set(turned.get() + u32::from(changes));
                agrees(&folder, &grants, &rules)
            }
            Err(faults) => {
                prop_assert!(!in_order, "{}", lines(&faults));
                Ok(())
            }
        }
    });
    outcome.unwrap_or_else(|fault| panic!("{fault}"));
    assert!(loaded.get() >= FOLDERS / 3, "only {} of {FOLDERS} folders load", loaded.get());
    assert!(turned.get() >= FOLDERS / 4, "own permits begin or end in only {} of {FOLDERS} folders", turned.get());
}
