//! The fixtures of the domain through the whole stack: from an agency's request to the registry's store and back.

use serde_json::{Value, json};

use super::harness::{System, send};
use super::workshop::{document, person};

/// The query of the agency that asks for this service in the fixtures.
pub fn query(agency: &str, scheme: &str, value: &str, service: &str) -> Value {
    let purpose = match agency {
        "bank" => "account-maintenance",
        "school" | "insurer" => "enrolment",
        "telecom" => "sim-registration",
        "kefalat" => "renewal",
        _ => "treatment",
    };
    let mut query = json!({"identifier": {"scheme": scheme, "value": value}, "service": service, "purpose": purpose, "actor": "clerk-1"});
    if matches!(agency, "bank" | "telecom" | "insurer" | "kefalat") {
        query["check"] = json!({"birth_year": 1370, "calendar": "jalali"});
    }
    query
}

/// Asks and compares decision and reason.
async fn check(system: &System, agency: &str, subject: (&str, &str), service: &str, expected: &str) -> Value {
    let reply = system.ask(agency, &query(agency, subject.0, subject.1, service)).await;
    assert_eq!((reply.status, reply.outcome().as_str()), (200, expected), "{agency} asks for {service}: {}", reply.json);
    assert_eq!(reply.json["may_deny"], json!(reply.json["decision"] != "indeterminate"));
    reply.json
}

const AMAYESH_17: (&str, &str) = ("amayesh-no", "A170000001");
const AMAYESH_16: (&str, &str) = ("amayesh-no", "A160000002");
const CENSUS_SLIP: (&str, &str) = ("census-tracking", "110000000008");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f1_f2_f3_a_decree_counts_from_the_day_it_was_known() {
    let system = System::at("2023-06-24T10:00:00+03:30", "").await; // 1402/04/03
    let before = check(&system, "bank", AMAYESH_17, "bank-card", "indeterminate lapsed-renewable").await;
    assert_eq!(before["document"].get("decree"), None);
    check(&system, "bank", AMAYESH_17, "bank-card", "indeterminate lapsed-renewable").await;
    system.set("2023-06-28T10:00:00+03:30"); // 1402/04/07
    let after = check(&system, "bank", AMAYESH_17, "bank-card", "entitled valid-by-decree").await;
    assert_eq!((&after["document"]["decree"], &after["document"]["series"]), (&json!("d1-1402-04-07"), &json!(17)));
    for (agency, service) in [("clinic", "insurance-health"), ("school", "education-school"), ("telecom", "sim")] {
        check(&system, agency, AMAYESH_17, service, "entitled valid-by-decree").await;
    }
    let series_16 = check(&system, "clinic", AMAYESH_16, "insurance-health", "indeterminate lapsed-renewable").await;
    assert_eq!(series_16["document"].get("decree"), None);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f5_census_slip_is_valid_to_the_last_second_of_its_day_in_tehran() {
    let system = System::at("2022-10-22T23:59:59+03:30", "").await; // 1401/07/30
    check(&system, "clinic", CENSUS_SLIP, "treatment", "entitled valid").await;
    system.set("2022-10-23T00:00:00+03:30"); // 1401/08/01
    check(&system, "clinic", CENSUS_SLIP, "treatment", "not-entitled document-lapsed").await;
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f7_expiry_on_the_leap_day_holds_through_that_day() {
    let people = person("leap", &document("passport", "P70000007", "passport-residence", None, "1403/12/30"));
    let system = System::at("2025-03-20T23:59:59+03:30", &people).await; // 1403/12/30
    check(&system, "clinic", ("passport", "P70000007"), "treatment", "entitled valid").await;
    system.set("2025-03-21T00:00:00+03:30"); // 1404/01/01
    check(&system, "clinic", ("passport", "P70000007"), "treatment", "not-entitled document-lapsed").await;
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f8_temporary_card_3_is_valid_to_the_end_of_khordad_1405() {
    let printed = person("printed", &document("temporary-card-no", "T300000081", "temporary-card", Some(3), "1405/03/31"));
    let decreed = person("decreed", &document("temporary-card-no", "T300000082", "temporary-card", Some(3), "1404/06/31"));
    let system = System::at("2026-06-21T23:59:59+03:30", &(printed + &decreed)).await; // 1405/03/31
    check(&system, "school", ("temporary-card-no", "T300000081"), "education-school", "entitled valid").await;
    let extended = check(&system, "school", ("temporary-card-no", "T300000082"), "education-school", "entitled valid-by-decree").await;
    assert_eq!(extended["document"]["decree"], "d4-temporary-cards");
    system.set("2026-06-22T00:00:00+03:30");
    for card in ["T300000081", "T300000082"] {
        check(&system, "school", ("temporary-card-no", card), "education-school", "indeterminate lapsed-renewable").await;
    }
    system.stop().await;
}

/// Every line of the fixtures that the contract publishes, F12, F16 and F18 among them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn published_fixtures_are_answered_as_expected() {
    let system = System::today().await;
    let lines: Vec<Value> = serde_json::from_str(include_str!("../../data/fixtures.expected.json")).unwrap();
    for line in &lines {
        check_line(&system, line).await;
    }
    check_spellings(&system).await;
    check_wrong_scheme_and_refusal_are_recorded(&system).await;
    system.stop().await;
}

async fn check_line(system: &System, line: &Value) {
    let agency = line["agency"].as_str().unwrap();
    let mut query = query(agency, line["identifier"][0].as_str().unwrap(), line["identifier"][1].as_str().unwrap(), "");
    query["service"] = line["service"].clone();
    query["purpose"] = line["purpose"].clone();
    if let Some(check) = line.get("check") {
        query["check"] = check.clone();
    }
    let reply = system.ask(agency, &query).await;
    assert_eq!(reply.status, line["status"].as_u64().unwrap_or(200) as u16, "{line}: {}", reply.json);
    match line.get("code") {
        Some(code) => assert_eq!(&reply.json["code"], code, "{line}"),
        None => assert_eq!((&reply.json["decision"], &reply.json["reason"]["code"]), (&line["decision"], &line["reason"]), "{line}"),
    }
    assert_eq!(reply.json["document"].get("decree"), line.get("decree"), "{line}");
}

/// F13: whatever the digits and invisible marks, it is one person, whom the registry is asked about once.
async fn check_spellings(system: &System) {
    system.advance(3600); // past what earlier answers are remembered for
    let before = system.look_ups();
    let spellings = [
        "9990000018",
        "۹۹۹۰۰۰۰۰۱۸",
        "٩٩٩٠٠٠٠٠١٨",
        "999\u{200c}0000018",
        "\u{200e}9990000018\u{200e}",
        " ۹۹۹0000\u{200f}٠١٨ ",
        "9990\u{640}000018",
    ];
    for spelling in spellings {
        let answer = check(system, "clinic", ("yekta", spelling), "treatment", "entitled valid").await;
        assert_eq!(answer["document"], json!({"kind": "smart-card", "status": "valid"}));
    }
    assert_eq!(system.look_ups() - before, 1);
}

/// F14 and F18: the hint names the better scheme; the refused school is on record under the id that it was told.
async fn check_wrong_scheme_and_refusal_are_recorded(system: &System) {
    let reply = system.ask("clinic", &query("clinic", "national-code", "199900000001", "treatment")).await;
    assert_eq!((reply.status, reply.code(), &reply.json["hint"]), (400, "wrong-scheme", &json!("fida")));
    let refused = system.ask("school", &query("school", "yekta", "9990000018", "bank-account")).await;
    assert_eq!((refused.status, refused.code()), (403, "service-not-allowed"));
    let path = format!("/v1/log/proof/{}", refused.json["request_id"].as_str().unwrap());
    for (agency, status) in [("school", 200), ("security-auditor", 200), ("bank", 404), ("operator", 403)] {
        let proof = send(system.request(agency, "GET", &path).bearer_auth(system.token(agency).await)).await;
        assert_eq!(proof.status, status, "{agency}: {}", proof.json);
        if status == 200 {
            assert_eq!(proof.json["index"], refused.json["ledger"]["index"]);
        }
    }
}
