//! Claims about areas, permits on their way, and the facets of a card.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use jiff::SignedDuration;
use rstest::rstest;

use super::Verdict;
use super::testing::{Ask, amayesh, decree, decrees, document, noon, person, shipped_decrees, today};
use crate::core::domain::decree::{Decree, Effect};
use crate::core::domain::document::{Document, DocumentKind, DocumentState, Facets};
use crate::core::domain::person::Person;
use crate::core::domain::reason::ReasonCode;

fn of(nationality: &str, province: &str, documents: Vec<Document>) -> Person {
    let code = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Person { nationality: code(nationality), province: code(province), ..person("1370", documents) }
}

fn travels(holder: Person, area: Option<&str>) -> ReasonCode {
    let decrees = shipped_decrees();
    Ask { area, ..Ask::new("travel", holder, &decrees, today()) }.reason()
}

fn hoviat() -> Document {
    document(DocumentKind::Hoviat, Some(16), DocumentState::Active, "1402/03/31")
}

fn pass() -> Document {
    document(DocumentKind::LaissezPasser, None, DocumentState::Active, "1406/05/31")
}

#[test]
fn f4_an_iraqi_may_travel_in_kermanshah_and_of_an_afghan_it_is_not_known() {
    assert_eq!(travels(of("IQ", "IR-17", vec![hoviat()]), None), ReasonCode::ValidByDecree);
    let afghan = || of("AF", "IR-17", vec![amayesh(17, "1402/03/31")]);
    assert_eq!(travels(afghan(), None), ReasonCode::AreaUnknown);
    let decrees = shipped_decrees();
    assert_eq!(Ask::new("treatment", afghan(), &decrees, today()).reason(), ReasonCode::ValidByDecree);
}

#[rstest]
#[case("AF", "IR-26", None, ReasonCode::ValidByDecree)]
#[case("AF", "IR-26", Some("IR-26"), ReasonCode::ValidByDecree)]
#[case("AF", "IR-26", Some("IR-07"), ReasonCode::LaissezPasserNeeded)]
#[case("AF", "IR-17", Some("IR-26"), ReasonCode::LaissezPasserNeeded)]
#[case("AF", "IR-99", None, ReasonCode::AreaUnknown)]
#[case("AF", "", None, ReasonCode::AreaUnknown)]
#[case("AF", "", Some("IR-26"), ReasonCode::AreaUnknown)]
#[case("IQ", "IR-26", None, ReasonCode::AreaUnknown)]
#[case("", "IR-26", None, ReasonCode::AreaUnknown)]
#[case("PK", "IR-26", None, ReasonCode::AreaUnknown)]
fn f22_a_province_on_no_list_is_unknown_and_never_barred(
    #[case] nationality: &str,
    #[case] home: &str,
    #[case] area: Option<&str>,
    #[case] reason: ReasonCode,
) {
    assert_eq!(travels(of(nationality, home, vec![amayesh(17, "1402/03/31")]), area), reason);
    let with_pass = of(nationality, home, vec![amayesh(17, "1402/03/31"), pass()]);
    assert_eq!(travels(with_pass, area), ReasonCode::Valid, "a laissez-passer is good everywhere");
}

#[test]
fn a_lapsed_card_has_no_area() {
    assert_eq!(travels(of("AF", "IR-26", vec![amayesh(15, "1400/03/31")]), None), ReasonCode::DocumentLapsed);
}

fn school(hours_ago: i64, minutes: i64, other: Option<Document>) -> Verdict {
    let mut permit = document(DocumentKind::EducationSupportSlip, None, DocumentState::Active, "1406/01/01");
    permit.recorded_at = Some(today() - SignedDuration::from_mins(60 * hours_ago + minutes));
    let set = decrees(Vec::new());
    Ask::new("education-school", person("1397", other.into_iter().chain([permit]).collect()), &set, today()).verdict()
}

#[test]
fn f17_a_permit_is_on_its_way_for_48_hours() {
    assert_eq!(school(47, 0, None).reason, ReasonCode::PendingPropagation);
    assert_eq!(school(47, 59, None).reason, ReasonCode::PendingPropagation);
    assert_eq!(school(48, 0, None).reason, ReasonCode::Valid);
    assert_eq!(school(49, 0, None).reason, ReasonCode::Valid);
    assert_eq!(school(-1, 0, None).reason, ReasonCode::PendingPropagation, "a clock that runs ahead");
    let ends = school(47, 59, None).valid_until;
    assert_eq!(ends, today() + SignedDuration::from_mins(1), "an answer does not outlive the wait");
}

#[test]
fn another_document_that_arrived_carries_the_pupil_meanwhile() {
    assert_eq!(school(1, 0, Some(amayesh(18, "1406/01/01"))).reason, ReasonCode::Valid);
    assert_eq!(school(1, 0, Some(amayesh(15, "1400/01/01"))).reason, ReasonCode::PendingPropagation);
    let visa = document(DocumentKind::HouseholdVisaManual, None, DocumentState::Active, "1408/01/01");
    assert_eq!(school(1, 0, Some(visa)).reason, ReasonCode::PendingPropagation, "a permit on its way before a paper that is not accepted");
}

#[test]
fn only_the_schools_wait() {
    let mut permit = amayesh(18, "1406/01/01");
    permit.recorded_at = Some(today());
    let set = decrees(Vec::new());
    assert_eq!(Ask::new("bank-account", person("1370", vec![permit]), &set, today()).reason(), ReasonCode::Valid);
}

#[test]
fn the_basis_tells_hours_and_no_instant() {
    let basis = school(47, 59, None).basis;
    assert_eq!(basis.documents[0].recorded_hours_ago, Some(47));
    assert!(!serde_json::to_string(&basis).unwrap().contains("recorded_at"));
    assert_eq!(school(24 * 900, 0, None).basis.documents[0].recorded_hours_ago, Some(24 * 365));
}

fn smart(state: DocumentState, bank: Option<DocumentState>, sim: Option<DocumentState>) -> Document {
    Document { facets: Facets { bank, sim }, ..document(DocumentKind::SmartCard, None, state, "1406/12/29") }
}

fn three(card: &Document, list: Vec<Decree>) -> [ReasonCode; 3] {
    let set = decrees(list);
    ["identity", "bank-account", "sim"].map(|service| Ask::new(service, person("1370", vec![card.clone()]), &set, today()).reason())
}

#[test]
fn blocking_one_facet_never_blocks_another() {
    use DocumentState::{Active, Lost, Suspended};
    use ReasonCode::{DocumentLost, DocumentSuspended, FacetSuspended, Valid};
    let says = |state, bank, sim| three(&smart(state, bank, sim), Vec::new());
    assert_eq!(says(Active, None, None), [Valid; 3]);
    assert_eq!(says(Active, Some(Suspended), None), [Valid, FacetSuspended, Valid]);
    assert_eq!(says(Active, None, Some(Suspended)), [Valid, Valid, FacetSuspended]);
    assert_eq!(says(Suspended, Some(Active), Some(Active)), [DocumentSuspended, Valid, Valid]);
    assert_eq!(says(Suspended, None, Some(Active)), [DocumentSuspended, DocumentSuspended, Valid]);
    assert_eq!(says(Lost, Some(Active), None), [DocumentLost, Valid, DocumentLost]);
    assert_eq!(says(Active, Some(Lost), None), [Valid, DocumentLost, Valid]);
    assert_eq!(says(Active, Some(DocumentState::Produced), None), [Valid, ReasonCode::CardNotDelivered, Valid]);
}

#[test]
fn no_facet_outlives_a_card_that_has_ended_or_precedes_one_not_handed_out() {
    let active = Some(DocumentState::Active);
    for state in
        ["revoked", "replaced", "superseded", "expired", "holder-deceased", "holder-departed", "requested", "produced", "at-office"]
    {
        let card = smart(DocumentState::parse(state).unwrap(), active, active);
        let [identity, bank, sim] = three(&card, Vec::new());
        assert!(identity != ReasonCode::Valid && bank == identity && sim == identity, "{state}");
    }
}

#[test]
fn a_working_facet_keeps_to_the_dates_and_decrees_of_its_card() {
    let mut card = smart(DocumentState::Suspended, Some(DocumentState::Active), None);
    let end = decree("end", Effect::Terminate, DocumentKind::SmartCard, "1405/01/01", "");
    assert_eq!(three(&card, vec![end])[1], ReasonCode::EndedByDecree);
    card.printed = crate::core::domain::date::Validity::new(None, Some(super::testing::date("1404/01/01")));
    assert_eq!(three(&card, Vec::new())[1], ReasonCode::DocumentLapsed);
}

#[test]
fn another_valid_document_carries_the_bank_where_the_cards_account_is_blocked() {
    let card = smart(DocumentState::Active, Some(DocumentState::Suspended), None);
    let set = decrees(Vec::new());
    let holder = person("1370", vec![card, amayesh(18, "1406/01/01")]);
    assert_eq!(Ask::new("bank-card", holder, &set, noon("1405/09/02")).reason(), ReasonCode::Valid);
}
