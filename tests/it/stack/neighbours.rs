//! Neighbours of the published fixtures: the same kinds of case with other papers, days, ages and provinces, through the whole stack.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::decree_table::{decree, put_in_force};
use super::fixtures::query;
use super::harness::{System, TODAY};
use super::people::{Holder, Paper};
use super::workshop::edit_policy;

/// One neighbour: who asks about which number for which service, when (Tehran), and what must come: outcome, and the decree named.
struct Case<'a> {
    at: &'a str,
    agency: &'a str,
    number: &'a str,
    service: &'a str,
    expected: &'a str,
    decree: Option<&'a str>,
}

fn case<'a>(at: &'a str, agency: &'a str, number: &'a str, service: &'a str, expected: &'a str) -> Case<'a> {
    Case { at, agency, number, service, expected, decree: None }
}

impl<'a> Case<'a> {
    fn by(self, decree: &'a str) -> Self {
        Self { decree: Some(decree), ..self }
    }
}

/// Certificates are good for some weeks: a longer leap in time takes another system.
const STRETCH: SignedDuration = SignedDuration::from_hours(10 * 24);

/// Runs cases in the order of time, each stretch of days in a system of its own; `decrees` are put in force in each. No answer is said to be
/// good for longer than until the same question has another.
async fn run(people: &str, decrees: &str, cases: &[Case<'_>], change: impl Fn(&mut Value)) {
    let instant = |case: &Case<'_>| format!("{}+03:30", case.at).parse::<Timestamp>().unwrap();
    let mut wrong = Vec::new();
    let mut running: Option<(System, Timestamp)> = None;
    let mut said: HashMap<[&str; 3], (String, Timestamp)> = HashMap::new();
    for (row, case) in cases.iter().enumerate() {
        let at = instant(case);
        if let Some((system, _)) = running.take_if(|(_, begun)| at.duration_since(*begun) > STRETCH || at < *begun) {
            system.stop().await;
        }
        if running.is_none() {
            let system = System::at(&at.to_string(), people).await;
            if !decrees.is_empty() {
                put_in_force(&system, decrees).await;
            }
            running = Some((system, at));
        }
        let Some((system, _)) = &running else { continue };
        system.set(&at.to_string());
        let mut question = query(case.agency, "amayesh-no", case.number, case.service);
        change(&mut question);
        let reply = system.ask(case.agency, &question).await;
        let named = reply.json["document"].get("decree").and_then(Value::as_str);
        if (reply.status, reply.outcome().as_str(), named) != (200, case.expected, case.decree) {
            wrong.push(format!("{row}: {} of {} at {}: {} {named:?}", case.service, case.number, case.at, reply.outcome()));
        }
        let until: Timestamp = reply.json["valid_until"].as_str().unwrap().parse().unwrap();
        let question = [case.agency, case.number, case.service];
        if let Some((before, good_until)) = said.insert(question, (reply.outcome(), until))
            && before != reply.outcome()
            && good_until > at
        {
            wrong.push(format!("{row}: {before} was said to be good until {good_until}"));
        }
    }
    if let Some((system, _)) = running {
        system.stop().await;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn people(holders: &[Holder]) -> String {
    holders.iter().map(Holder::line).collect()
}

const D1: &str = "d1-1402-04-07";
const RENEWABLE: &str = "indeterminate lapsed-renewable";
const BY_DECREE: &str = "entitled valid-by-decree";
const LAPSED: &str = "not-entitled document-lapsed";

/// F1, F2, F3: other series and papers around the decree's first days, and the renewal window that followed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decrees_and_windows_around_their_days() {
    let amayesh = |number, series| Paper::numbered("amayesh", number, "1402/03/31").series(series);
    let hoviat = |number, series| Paper::numbered("hoviat", number, "1402/03/31").series(series);
    let people = people(&[
        Holder::new("h16", [hoviat("NEIGH10001", 16)]).of("IQ", "IR-17"),
        Holder::new("h15", [hoviat("NEIGH20001", 15)]),
        Holder::new("a17", [amayesh("NEIGH30001", 17)]),
        Holder::new("a15", [amayesh("NEIGH40001", 15)]),
        Holder::new("later", [Paper::numbered("amayesh", "NEIGH50001", "1402/06/31").series(17)]),
        Holder::new("both", [amayesh("NEIGH60001", 16), hoviat("NEIGH60502", 16)]),
    ]);
    let cases = [
        case("2023-06-21T23:59:59", "bank", "NEIGH10001", "bank-card", "entitled valid"),
        case("2023-06-22T00:00:00", "bank", "NEIGH10001", "bank-card", RENEWABLE), // 1402/04/01
        case("2023-06-27T23:59:59", "bank", "NEIGH10001", "bank-account", RENEWABLE), // 1402/04/06, the last second before
        case("2023-06-28T00:00:00", "bank", "NEIGH10001", "bank-account", BY_DECREE).by(D1),
        case("2023-06-28T00:00:00", "kefalat", "NEIGH10001", "residence-renewal", BY_DECREE).by(D1),
        case("2023-06-28T00:00:00", "insurer", "NEIGH20001", "insurance-health", RENEWABLE),
        case("2023-06-28T00:00:00", "telecom", "NEIGH50001", "sim", "entitled valid"), // printed later: the decree is not needed
        case("2023-09-23T00:00:00", "telecom", "NEIGH50001", "sim", BY_DECREE).by(D1), // 1402/07/01
        case("2023-06-28T00:00:00", "school", "NEIGH60001", "education-school", BY_DECREE).by(D1), // carried by the other card
        // D3: 12 Azar to 12 Bahman 1403. Before, within and after; Amayesh 17 stays valid by D1 throughout.
        case("2024-12-01T12:00:00", "clinic", "NEIGH40001", "treatment", RENEWABLE),
        case("2025-01-31T23:59:59", "clinic", "NEIGH40001", "treatment", RENEWABLE),
        case("2025-02-01T00:00:00", "clinic", "NEIGH40001", "treatment", LAPSED), // 1403/11/13
        case("2025-02-01T00:00:00", "clinic", "NEIGH20001", "treatment", LAPSED),
        case("2025-02-01T00:00:00", "clinic", "NEIGH30001", "treatment", BY_DECREE).by(D1),
    ];
    run(&people, "", &cases, |_| ()).await;
}

/// F5, F6, F7, F8, F9: last days of other papers, the school years, and leap days.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn last_days_and_school_years() {
    let people = people(&[
        Holder::new("slip", [Paper::numbered("census-slip", "NEIGH10002", "1404/12/29")]),
        Holder::new("manual", [Paper::numbered("household-visa-manual", "NEIGH20002", "1404/12/29")]),
        Holder::new("leap", [Paper::numbered("passport-residence", "NEIGH30002", "1408/12/30")]),
        Holder::new("no-leap", [Paper::numbered("passport-residence", "NEIGH40002", "1404/12/29")]),
        Holder::new("type-4", [Paper::numbered("temporary-card", "NEIGH50002", "1404/03/31").series(4)]),
        Holder::new("type-5", [Paper::numbered("temporary-card", "NEIGH60002", "1404/03/31").series(5)]),
        Holder::new("month", [Paper::numbered("residence-booklet", "NEIGH70002", "1404/06")]),
        Holder::new(
            "slip-and-pupil",
            [Paper::numbered("census-slip", "NEIGH80002", "1404/12/29"), Paper::numbered("pupil-card", "NEIGH80502", "1404/12/29")],
        ),
    ]);
    let cases = [
        // The census slip: valid at school to the end of 1403, ended by D2 from 1 Farvardin 1404, never asked for in primary care.
        case("2025-03-20T23:59:59", "school", "NEIGH10002", "education-school", "entitled valid"),
        case("2025-03-21T00:00:00", "school", "NEIGH10002", "education-school", "not-entitled ended-by-decree").by("d2-1404-01-01"),
        case("2025-03-21T00:00:00", "clinic", "NEIGH10002", "health-primary", "no-document-required no-document-required"),
        case("2025-03-21T00:00:00", "school", "NEIGH80002", "education-school", "entitled valid"), // the pupil card carries it
        // A manual visa served at school until the rule of 1404, and still serves elsewhere.
        case("2025-03-20T23:59:59", "school", "NEIGH20002", "education-school", "entitled valid"),
        case("2025-03-21T00:00:00", "school", "NEIGH20002", "education-school", "not-entitled service-not-covered"),
        case("2025-03-21T00:00:00", "clinic", "NEIGH20002", "treatment", "entitled valid"),
        // A month printed is good to its last day; Shahrivar has 31.
        case("2025-09-22T23:59:59", "clinic", "NEIGH70002", "treatment", "entitled valid"),
        case("2025-09-23T00:00:00", "clinic", "NEIGH70002", "treatment", LAPSED), // 1404/07/01
        // D4 names types 1 to 4 and begins on 1 Mehr 1404.
        case("2025-09-22T23:59:59", "clinic", "NEIGH50002", "treatment", RENEWABLE),
        case("2025-09-23T00:00:00", "clinic", "NEIGH50002", "treatment", BY_DECREE).by("d4-temporary-cards"),
        case("2025-09-23T00:00:00", "clinic", "NEIGH60002", "treatment", RENEWABLE),
        // 1404 is no leap year, 1408 is one.
        case("2026-03-20T23:59:59", "clinic", "NEIGH40002", "treatment", "entitled valid"),
        case("2026-03-21T00:00:00", "clinic", "NEIGH40002", "treatment", LAPSED),
        case("2030-03-20T23:59:59", "clinic", "NEIGH30002", "treatment", "entitled valid"),
        case("2030-03-21T00:00:00", "clinic", "NEIGH30002", "treatment", LAPSED),
    ];
    run(&people, "", &cases, |_| ()).await;
}

/// F10, F11, F12, F15: ages with other precisions and calendars, other stand-ins, cards on their way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ages_stand_ins_and_cards_on_their_way() {
    let card = |number: &str| Paper::numbered("amayesh", number, "1408/01/01").series(19);
    let people = people(&[
        Holder::new("eve", [card("NEIGH10003")]).born("1387/09/03"),
        Holder::new("day", [card("NEIGH20003")]).born("1387/09/02"),
        Holder::new("month", [card("NEIGH30003")]).born("1387/09"),
        Holder::new("year", [card("NEIGH40003")]).born("1387"),
        Holder::new("year-before", [card("NEIGH50003")]).born("1386"),
        Holder::new("leap", [card("NEIGH60003")]).born("1387/12/30"),
        Holder::new("unborn", [card("NEIGH70003")]).born(""),
        Holder::new("esfand-29", [card("NEIGHC0003")]).born("1387/12/29"),
        Holder::new(
            "student",
            [
                Paper::numbered("student-pass", "NEIGH80003", "1408/01/01").state("stolen"),
                Paper::numbered("laissez-passer", "NEIGH80503", "1405/12/29"),
            ],
        ),
        Holder::new(
            "damaged",
            [
                Paper::numbered("hoviat", "NEIGH90003", "1402/03/31").series(16).state("damaged"),
                Paper::numbered("laissez-passer", "NEIGH90503", "1405/12/29").state("lost"),
            ],
        ),
        Holder::new(
            "waiting",
            [
                Paper::numbered("smart-card", "NEIGHA0003", "1410/01/01").state("at-office"),
                Paper::numbered("hoviat", "NEIGHA0503", "1402/03/31").series(16),
            ],
        ),
        Holder::new(
            "waiting-lapsed",
            [
                Paper::numbered("smart-card", "NEIGHB0003", "1410/01/01").state("produced"),
                Paper::numbered("amayesh", "NEIGHB0503", "1402/03/31").series(16),
            ],
        ),
    ]);
    let today = "2026-11-23T10:00:00"; // 1405/09/02
    let cases = [
        case(today, "bank", "NEIGH10003", "bank-card", "not-entitled under-age"),
        case(today, "bank", "NEIGH20003", "bank-card", "entitled valid"),
        case(today, "bank", "NEIGH10003", "bank-account", "entitled valid"), // the rule of the card asks for an age, that of the account not
        case(today, "bank", "NEIGH30003", "bank-card", "indeterminate age-unknown"),
        case(today, "bank", "NEIGH40003", "bank-card", "indeterminate age-unknown"),
        case(today, "bank", "NEIGH50003", "bank-card", "entitled valid"),
        case(today, "clinic", "NEIGH80003", "treatment", "entitled valid"),
        case(today, "clinic", "NEIGH90003", "treatment", "indeterminate document-lost"),
        case(today, "clinic", "NEIGHA0003", "treatment", BY_DECREE).by(D1), // whichever of the two numbers is read
        case(today, "clinic", "NEIGHA0503", "treatment", BY_DECREE).by(D1),
        case(today, "clinic", "NEIGHB0003", "treatment", LAPSED),
        // Born on the leap day: of age on its last day of the year, which 1405 does not have, so on the day after.
        case("2027-03-19T23:59:59", "bank", "NEIGHC0003", "bank-card", "not-entitled under-age"), // 1405/12/28
        case("2027-03-20T00:00:00", "bank", "NEIGHC0003", "bank-card", "entitled valid"),
        case("2027-03-20T23:59:59", "bank", "NEIGH60003", "bank-card", "not-entitled under-age"), // 1405/12/29
        case("2027-03-21T00:00:00", "bank", "NEIGH60003", "bank-card", "entitled valid"),
    ];
    run(&people, "", &cases, |question| match question["identifier"]["value"].as_str().unwrap() {
        "NEIGH10003" | "NEIGH20003" | "NEIGH30003" | "NEIGH40003" | "NEIGH60003" | "NEIGHC0003" if question["check"] != Value::Null => {
            question["check"] = json!({"birth_year": 1387, "calendar": "jalali"});
        }
        "NEIGH50003" => question["check"] = json!({"birth_year": 1386, "calendar": "jalali"}),
        _ => {}
    })
    .await;
}

/// F15: second factors of other precisions and calendars.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_factors_of_every_precision() {
    let card = |number: &str| Paper::numbered("amayesh", number, "1408/01/01").series(19);
    let people = people(&[Holder::new("year", [card("NEIGH40003")]).born("1387"), Holder::new("unborn", [card("NEIGH70003")]).born("")]);
    let system = System::at(TODAY, &people).await;
    // Nobody's birth date is registered: a check of it matches nobody.
    let unborn = system.ask("bank", &query("bank", "amayesh-no", "NEIGH70003", "bank-card")).await;
    assert_eq!(unborn.outcome(), "indeterminate not-established");
    // F15: the same year in the Gregorian calendar overlaps 1387; another does not, and a calendar is never guessed.
    for (check, expected) in [
        (json!({"birth_year": 2009, "calendar": "gregorian"}), "indeterminate age-unknown"),
        (json!({"birth_year": 2010, "calendar": "gregorian"}), "indeterminate not-established"),
        (json!({"birth_year": 1388, "calendar": "jalali"}), "indeterminate not-established"),
        (json!({"birth_year": 2009, "calendar": "jalali"}), "refused malformed-request"),
        (json!({"birth_date": "1387/05", "calendar": "jalali", "name": "نام دیگر"}), "indeterminate age-unknown"),
        (json!({"birth_date": "۱۳۸۷", "calendar": "jalali", "document_expires": "1408/01/01"}), "indeterminate age-unknown"),
        (json!({"birth_date": "1387", "calendar": "jalali", "document_expires": "1408/01/02"}), "indeterminate not-established"),
    ] {
        system.advance(60);
        let mut question = query("bank", "amayesh-no", "NEIGH40003", "bank-card");
        question["check"] = check;
        let reply = system.ask("bank", &question).await;
        assert_eq!(reply.outcome(), expected, "{}", question["check"]);
    }
    system.stop().await;
}

/// The printed expiry date is a second factor by itself (domain §5): of a card of a round, whose whole series has one date, where the agency's
/// policy takes that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_expiry_date_alone_is_a_second_factor() {
    let people = people(&[Holder::new("card", [Paper::numbered("amayesh", "NEIGH10005", "1408/01/01").series(19)])]);
    let system = System::at(TODAY, &people).await;
    let ask = async |check: &Value| {
        let mut question = query("bank", "amayesh-no", "NEIGH10005", "bank-card");
        question["check"] = check.clone();
        let reply = system.ask("bank", &question).await;
        assert_eq!(reply.json.get("document").is_some(), reply.outcome() == "entitled valid", "{check}");
        (reply.status, reply.outcome())
    };
    let right = json!({"document_expires": "1408/01/01", "calendar": "jalali"});
    assert_eq!(ask(&right).await, (200, "indeterminate not-established".to_owned()), "as the bank's file ships");
    edit_policy(system.dir.path(), "bank", |text| text.replace(r#""document-expires"]"#, r#""document-expires", "shared-expires"]"#));
    system.running.parts().policies.reload().unwrap();
    for (check, expected) in [
        (right, "entitled valid"),
        (json!({"document_expires": "2029-03-20", "calendar": "gregorian"}), "entitled valid"),
        (json!({"document_expires": "1408/01/02", "calendar": "jalali"}), "indeterminate not-established"),
    ] {
        assert_eq!(ask(&check).await, (200, expected.to_owned()), "{check}");
    }
    system.stop().await;
}

/// F17: a permit's 48 hours run in the register's time; and a decree that ends takes its answers with it. (F20, a rescission: `changes`.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_valid_by_a_decree_ends_with_it() {
    let visa = |number| Paper::numbered("passport-visa", number, "1405/01/01");
    let people = people(&[
        Holder::new("named", [visa("NEIGH10004")]).of("PK", "IR-23"),
        Holder::new("other", [visa("NEIGH20004")]).of("AF", "IR-23"),
        Holder::new("new", [Paper::numbered("residence-booklet", "NEIGH30004", "1408/01/01").recorded("2026-11-22T08:30:00Z")]),
        Holder::new(
            "new-and-old",
            [
                Paper::numbered("residence-booklet", "NEIGH40004", "1408/01/01").recorded("2026-11-22T08:30:00Z"),
                Paper::numbered("amayesh", "NEIGH40504", "1402/03/31").series(17).recorded("2023-01-01T00:00:00Z"),
            ],
        ),
    ]);
    let select = "kind = \"passport-visa\", nationality = \"PK\"";
    let decrees = decree("visas", "extend", select, "1405/09/01-1405/09/05", "services = [\"treatment\"]");
    let cases = [
        case("2026-11-23T12:00:00", "clinic", "NEIGH10004", "treatment", BY_DECREE).by("visas"),
        case("2026-11-23T12:00:00", "clinic", "NEIGH20004", "treatment", LAPSED),
        case("2026-11-23T12:00:00", "insurer", "NEIGH10004", "insurance-social", LAPSED), // not the service of the decree
        case("2026-11-26T23:59:59", "clinic", "NEIGH10004", "treatment", BY_DECREE).by("visas"), // 1405/09/05
        case("2026-11-27T00:00:00", "clinic", "NEIGH10004", "treatment", LAPSED),
    ];
    run(&people, &decrees, &cases, |_| ()).await;
    let cases = [
        case("2026-11-24T11:59:59", "school", "NEIGH30004", "education-school", "indeterminate pending-propagation"),
        case("2026-11-24T11:59:59", "clinic", "NEIGH30004", "treatment", "entitled valid"), // only schools wait
        case("2026-11-24T11:59:59", "school", "NEIGH40004", "education-school", BY_DECREE).by(D1), // the old card is there already
        case("2026-11-24T12:00:00", "school", "NEIGH30004", "education-school", "entitled valid"),
        case("2026-11-24T12:00:00", "school", "NEIGH40004", "education-school", "entitled valid"),
    ];
    run(&people, &decrees, &cases, |_| ()).await;
}
