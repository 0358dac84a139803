//! The fixtures of the domain page and of the demo, at the level of the pure function.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::HashMap;

use super::testing::{Ask, amayesh, date, decrees, document, last_instant, noon, person, shipped_decrees, today};
use crate::core::domain::date::Calendar;
use crate::core::domain::document::{Document, DocumentKind, DocumentState, Facets};
use crate::core::domain::person::Person;
use crate::core::domain::reason::ReasonCode;
use crate::core::domain::request::Check;
use crate::core::registry::convert::persons_from;
use crate::core::registry::wire::{LookupAnswer, WireDate, WireDocument, WirePerson};

const D1: &str = "d1-1402-04-07";

fn says(service: &str, person: Person, day: &str, known: &str) -> (ReasonCode, Option<String>) {
    let decrees = shipped_decrees();
    let verdict = Ask { known_at: noon(known), ..Ask::new(service, person, &decrees, noon(day)) }.verdict();
    (verdict.reason, verdict.decree)
}

fn at(service: &str, documents: Vec<Document>, day: &str) -> ReasonCode {
    says(service, person("1370", documents), day, day).0
}

#[test]
fn f1_amayesh_17_is_renewable_as_known_then_and_valid_by_decree_as_known_later() {
    let holder = person("1370/05/12", vec![amayesh(17, "1402/03/31")]);
    assert_eq!(says("bank-card", holder.clone(), "1402/04/03", "1402/04/03"), (ReasonCode::LapsedRenewable, None));
    assert_eq!(says("bank-card", holder, "1402/04/03", "1402/04/07"), (ReasonCode::ValidByDecree, Some(D1.into())));
}

#[test]
fn f2_the_decree_covers_every_service() {
    for service in ["insurance-health", "education-school", "sim"] {
        assert_eq!(at(service, vec![amayesh(17, "1402/03/31")], "1402/04/07"), ReasonCode::ValidByDecree, "{service}");
    }
}

#[test]
fn f3_amayesh_16_is_not_covered_by_the_decree() {
    assert_eq!(at("bank-account", vec![amayesh(16, "1401/03/31")], "1402/04/07"), ReasonCode::LapsedRenewable);
}

#[test]
fn f5_a_census_slip_ends_with_the_last_instant_of_its_day_in_tehran() {
    let slip = document(DocumentKind::CensusSlip, None, DocumentState::Active, "1401/07/30");
    let decrees = shipped_decrees();
    let at = |now| Ask::new("bank-account", person("1370", vec![slip.clone()]), &decrees, now).reason();
    assert_eq!(at(last_instant("1401/07/30")), ReasonCode::Valid);
    assert_eq!(at(last_instant("1401/07/30") + jiff::SignedDuration::from_nanos(1)), ReasonCode::DocumentLapsed);
}

#[test]
fn f6_census_slips_ended_for_school_while_primary_health_needs_no_document() {
    let slip = vec![document(DocumentKind::CensusSlip, None, DocumentState::Active, "1401/07/30")];
    assert_eq!(at("education-school", slip.clone(), "1404/01/02"), ReasonCode::EndedByDecree);
    assert_eq!(at("health-primary", slip, "1404/01/02"), ReasonCode::NoDocumentRequired);
}

#[test]
fn f7_a_date_on_the_leap_day_is_valid_through_that_day() {
    let card = document(DocumentKind::SmartCard, None, DocumentState::Active, "1403/12/30");
    let decrees = decrees(Vec::new());
    let at = |now| Ask::new("identity", person("1370", vec![card.clone()]), &decrees, now).reason();
    assert_eq!(at(last_instant("1403/12/30")), ReasonCode::Valid);
    assert_eq!(at(noon("1404/01/01")), ReasonCode::DocumentLapsed);
}

#[test]
fn f8_a_temporary_card_3_is_valid_to_the_end_of_khordad_1405() {
    let card = || vec![document(DocumentKind::TemporaryCard, Some(3), DocumentState::Active, "1405/03/31")];
    assert_eq!(at("treatment", card(), "1405/03/31"), ReasonCode::Valid);
    let printed_earlier = || vec![document(DocumentKind::TemporaryCard, Some(3), DocumentState::Active, "1404/03/31")];
    assert_eq!(at("treatment", printed_earlier(), "1405/03/31"), ReasonCode::ValidByDecree);
    assert_eq!(at("treatment", printed_earlier(), "1405/04/01"), ReasonCode::LapsedRenewable);
}

#[test]
fn f9_school_takes_the_electronic_household_visa_and_not_the_manual_one() {
    let visa = |kind| vec![document(kind, None, DocumentState::Active, "1408/12/29")];
    assert_eq!(at("education-school", visa(DocumentKind::HouseholdVisaManual), "1405/07/01"), ReasonCode::ServiceNotCovered);
    assert_eq!(at("education-school", visa(DocumentKind::HouseholdVisaElectronic), "1405/07/01"), ReasonCode::Valid);
}

#[test]
fn f10_a_bank_card_is_for_18_full_years() {
    let born = |birth| person(birth, vec![amayesh(17, "1402/03/31")]);
    assert_eq!(says("bank-card", born("1387/09/03"), "1405/09/02", "1405/09/02").0, ReasonCode::UnderAge);
    assert_eq!(says("bank-card", born("1387/09/02"), "1405/09/02", "1405/09/02").0, ReasonCode::ValidByDecree);
    assert_eq!(says("bank-card", born("1387"), "1405/09/02", "1405/09/02").0, ReasonCode::AgeUnknown);
    assert_eq!(says("bank-card", born(""), "1405/09/02", "1405/09/02").0, ReasonCode::AgeUnknown);
    assert_eq!(says("bank-card", born("1386"), "1405/09/02", "1405/09/02").0, ReasonCode::ValidByDecree);
    assert_eq!(says("bank-card", born("1388"), "1405/09/02", "1405/09/02").0, ReasonCode::UnderAge);
}

#[test]
fn f11_a_laissez_passer_stands_in_for_a_lost_card_and_carries_its_status() {
    let mut card = document(DocumentKind::SmartCard, None, DocumentState::Lost, "1406/12/29");
    card.legal_status = Some(DocumentKind::Amayesh);
    let pass = document(DocumentKind::LaissezPasser, None, DocumentState::Active, "1406/05/31");
    assert_eq!(at("insurance-health", vec![card.clone(), pass.clone()], "1405/09/02"), ReasonCode::Valid);
    assert_eq!(at("insurance-health", vec![card], "1405/09/02"), ReasonCode::DocumentLost);
    assert_eq!(at("insurance-health", vec![pass], "1405/09/02"), ReasonCode::ServiceNotCovered);
}

#[test]
fn f12_a_card_that_is_not_handed_out_leaves_the_old_one_in_force() {
    let produced = document(DocumentKind::SmartCard, None, DocumentState::Produced, "1407/02/01");
    assert_eq!(at("bank-account", vec![produced.clone(), amayesh(17, "1402/03/31")], "1405/09/02"), ReasonCode::ValidByDecree);
    assert_eq!(at("bank-account", vec![produced], "1405/09/02"), ReasonCode::CardNotDelivered);
}

#[test]
fn f16_a_shared_identifier_is_ambiguous_even_where_the_check_fits_one() {
    let decrees = shipped_decrees();
    let two = || vec![person("1350/01/01", vec![amayesh(17, "1402/03/31")]), person("1351/01/01", vec![amayesh(17, "1402/03/31")])];
    let ask = |check| Ask { persons: two(), check, ..Ask::new("insurance-health", person("", Vec::new()), &decrees, today()) }.reason();
    assert_eq!(ask(None), ReasonCode::AmbiguousIdentifier);
    assert_eq!(ask(Some(super::testing::check(1351))), ReasonCode::AmbiguousIdentifier);
    assert_eq!(ask(Some(super::testing::check(1349))), ReasonCode::NotEstablished);
}

#[test]
fn f20_a_rescinded_decree_no_longer_keeps_anything_valid() {
    let mut decrees = shipped_decrees();
    decrees.decrees[0].rescinded_at = Some(noon("1405/09/01"));
    let ask = |now, known| {
        let holder = person("1370", vec![amayesh(17, "1402/03/31")]);
        Ask { known_at: noon(known), ..Ask::new("sim", holder, &decrees, noon(now)) }.reason()
    };
    assert_eq!(ask("1405/08/30", "1405/08/30"), ReasonCode::ValidByDecree, "before");
    assert_eq!(ask("1405/09/02", "1405/09/02"), ReasonCode::DocumentLapsed, "after");
    assert_eq!(ask("1405/08/30", "1405/09/02"), ReasonCode::ValidByDecree, "what was legally true before, asked after");
}

#[derive(serde::Deserialize)]
struct Expected {
    identifier: [String; 2],
    service: String,
    check: Option<Check>,
    reason: Option<String>,
    decision: Option<String>,
    decree: Option<String>,
}

#[test]
fn the_demo_answers_as_its_fixtures_expect() {
    let people = fixture_people();
    let expected: Vec<Expected> = serde_json::from_str(include_str!("../../../tests/data/fixtures.expected.json")).unwrap();
    let decrees = shipped_decrees();
    let mut decided = 0;
    for case in expected.into_iter().filter(|case| case.reason.is_some()) {
        let value = crate::core::domain::text::identifier_value(&case.identifier[1]);
        let persons = people.get(&(case.identifier[0].clone(), value)).cloned().unwrap_or_default();
        let nobody = person("", Vec::new());
        let check_required = case.check.is_some();
        let verdict = Ask { persons, check: case.check, check_required, ..Ask::new(&case.service, nobody, &decrees, today()) }.verdict();
        assert_eq!(Some(verdict.reason.code()), case.reason.as_deref(), "{:?}", case.identifier);
        assert_eq!(Some(verdict.reason.outcome().code()), case.decision.as_deref(), "{:?}", case.identifier);
        assert_eq!(verdict.decree, case.decree, "{:?}", case.identifier);
        decided += 1;
    }
    assert_eq!(decided, 12);
}

#[derive(serde::Deserialize)]
struct FixturePerson {
    birth: FixtureDate,
    nationality: String,
    province: String,
    documents: Vec<FixtureDocument>,
}

#[derive(serde::Deserialize)]
struct FixtureDate {
    date: String,
    calendar: Calendar,
}

#[derive(serde::Deserialize)]
struct FixtureDocument {
    scheme: String,
    value: String,
    kind: DocumentKind,
    series: Option<u16>,
    state: DocumentState,
    issued: String,
    expires: String,
    legal_status: String,
    calendar: Calendar,
}

fn fixture_people() -> HashMap<(String, String), Vec<Person>> {
    let mut people: HashMap<(String, String), Vec<Person>> = HashMap::new();
    for line in include_str!("../../../tests/data/fixtures.ndjson").lines() {
        let fixture: FixturePerson = serde_json::from_str(line).unwrap();
        let keys: Vec<_> = fixture.documents.iter().map(|document| (document.scheme.clone(), document.value.clone())).collect();
        let answer = LookupAnswer { version: 1, as_of: today(), subject: String::new(), persons: vec![wire(fixture)], more: false };
        for key in keys {
            people.entry(key).or_default().extend(persons_from(&answer).unwrap());
        }
    }
    people
}

fn wire(fixture: FixturePerson) -> WirePerson {
    let wire_document = |document: FixtureDocument| WireDocument {
        kind: document.kind,
        series: document.series,
        state: document.state,
        issued: Some(WireDate { date: document.issued, calendar: document.calendar }),
        expires: Some(WireDate { date: document.expires, calendar: document.calendar }),
        legal_status: DocumentKind::parse(&document.legal_status),
        facets: Facets::default(),
        recorded_at: None,
    };
    WirePerson {
        birth: Some(WireDate { date: fixture.birth.date, calendar: fixture.birth.calendar }),
        nationality: Some(fixture.nationality),
        province: Some(fixture.province),
        documents: fixture.documents.into_iter().map(wire_document).collect(),
        ..WirePerson::default()
    }
}

#[test]
fn the_day_of_the_fixtures_is_2_azar_1405() {
    assert_eq!(crate::core::domain::date::tehran_day(today()), date("1405/09/02").first_day());
}
