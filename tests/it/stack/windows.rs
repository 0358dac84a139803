//! What an answer tells beside its reason: when a lapsed document may be renewed, and what is to be kept to in a service that is given.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use estelam::app::review::{self, Against};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::decree_table::{decree, put_in_force};
use super::fixtures::query;
use super::harness::{System, TODAY};
use super::people::{Holder, Paper};
use super::tools::{configured, estelam, json as printed};
use super::workshop::edit_policy;
use crate::openapi::assert_described;

fn claims(answer: &Value) -> Value {
    let payload = answer["statement"].as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// Asks for treatment; the answer, after both forms of it were held against the API description.
async fn ask(system: &System, agency: &str, number: &str, service: &str, expected: &str) -> Value {
    let reply = system.ask(agency, &query(agency, "amayesh-no", number, service)).await;
    assert_eq!((reply.status, reply.outcome().as_str()), (200, expected), "{number}: {}", reply.json);
    assert_described("Answer", &reply.json);
    assert_described("AnswerClaims", &claims(&reply.json));
    reply.json
}

/// The window told at a clinic, the same in answer and statement.
async fn window(system: &System, number: &str) -> Option<Value> {
    let answer = ask(system, "clinic", number, "treatment", RENEWABLE).await;
    let told = answer["reason"]["next"].get("window").cloned();
    let signed = claims(&answer).get("renewal_window").cloned();
    let bare = told.clone().map(|mut told| {
        assert!(told["message"]["fa"].is_string() && told["message"]["en"].is_string(), "{told}");
        told.as_object_mut().unwrap().remove("message");
        told
    });
    assert_eq!(signed, bare);
    told
}

const RENEWABLE: &str = "indeterminate lapsed-renewable";
const LAPSED: &str = "not-entitled document-lapsed";
const A16: &str = "WINDOW0001";
const A18: &str = "WINDOW7002";

fn people() -> String {
    let amayesh = |number, series, expires| Paper::numbered("amayesh", number, expires).series(series);
    let pass = Paper::numbered("laissez-passer", "WINDOW9503", "1405/12/29");
    let people = [
        Holder::new("a16", [amayesh(A16, 16, "1401/03/31")]),
        Holder::new("a18", [amayesh(A18, 18, "1403/03/31")]),
        Holder::new("lost", [amayesh("WINDOW9003", 16, "1401/03/31").state("lost"), pass]),
        Holder::new("lost-alone", [amayesh("WINDOWB004", 16, "1401/03/31").state("lost")]),
    ];
    people.iter().map(Holder::line).collect()
}

fn days(from: &str, to: &str, decree: &str, fa: &str, en: &str) -> Value {
    json!({"from": from, "to": to, "decree": decree, "message": {"fa": fa, "en": en}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_still_renew_is_told_when() {
    let system = System::at("2024-12-01T10:00:00+03:30", &people()).await; // 1403/09/11: D3 comes to be known tomorrow
    assert_eq!(window(&system, A16).await, None);
    system.set("2024-12-02T10:00:00+03:30");
    let fa = "مهلت تمدید از ۱۴۰۳/۰۹/۱۲ تا پایان ۱۴۰۳/۱۱/۱۲ است.";
    let en = "The renewal window is from 1403/09/12 to the end of 1403/11/12 (2024-12-02 to 2025-01-31).";
    let d3 = days("2024-12-02", "2025-01-31", "d3-1403-09-12", fa, en);
    assert_eq!(window(&system, A16).await.as_ref(), Some(&d3));
    // A lost card that could be renewed: its stand-in's holder is told too, and whose card is merely lost is not.
    let stand_in = ask(&system, "clinic", "WINDOW9003", "insurance-health", RENEWABLE).await;
    assert_eq!(stand_in["reason"]["next"]["window"], d3);
    let lost = ask(&system, "clinic", "WINDOWB004", "treatment", "indeterminate document-lost").await;
    assert_eq!((lost["reason"]["next"].get("window"), claims(&lost).get("renewal_window")), (None, None));
    // A second window is announced, of another series.
    assert_eq!(window(&system, A18).await, None);
    put_in_force(&system, &decree("next-round", "renewal-window", "kind = \"amayesh\", series = 18", "1403/12/01-", "")).await;
    let announced = window(&system, A18).await.unwrap();
    assert_eq!((&announced["from"], announced.get("to"), &announced["decree"]), (&json!("2025-02-19"), None, &json!("next-round")));
    assert_eq!(announced["message"]["fa"], "مهلت تمدید از ۱۴۰۳/۱۲/۰۱ تا اطلاع بعدی است.");
    assert_eq!(window(&system, A16).await, Some(d3));
    let review = review::review(&system.config, Timestamp::MIN, Timestamp::MAX, &Against::Recorded, &mut |_, _| ()).unwrap();
    assert!(review.different.is_empty() && review.queries >= 7, "{review:#?}");
    system.stop().await;
}

/// Amayesh 16 on 1403/10/01, asked, explained, and asked by agencies that may see less; then the day after the window.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_is_explained_and_told_no_further_than_the_policy_lets_it() {
    let system = System::at("2024-12-21T10:00:00+03:30", &people()).await;
    let answer = ask(&system, "clinic", A16, "treatment", RENEWABLE).await;
    assert_eq!(answer["reason"]["next"]["window"]["decree"], "d3-1403-09-12");
    let (dir, id) = (configured(&system), answer["answer_id"].as_str().unwrap());
    let explained = printed(&estelam(&["explain", "--dir", &dir, "--answer", id, "--json"], ""));
    assert_eq!(explained["window"], answer["reason"]["next"]["window"]);
    let d3 = explained["decrees"].as_array().unwrap().iter().find(|decree| decree["id"] == "d3-1403-09-12").unwrap();
    assert_eq!(d3["decisive"], true, "without it the answer names no window");
    let words = estelam(&["explain", "--dir", &dir, "--answer", id], "");
    let words = String::from_utf8(words.stdout).unwrap();
    assert!(words.contains("تا پایان ۱۴۰۳/۱۱/۱۲ است. (d3-1403-09-12)") && words.contains("to the end of 1403/11/12"), "{words}");
    let rewritten = |from: &str, to: &str| {
        edit_policy(system.dir.path(), "clinic", |text| {
            assert!(text.contains(from));
            text.replace(from, to)
        });
        system.running.parts().policies.reload().unwrap();
    };
    rewritten("decree = true", "decree = false");
    let told = window(&system, A16).await.unwrap();
    assert_eq!((told.get("decree"), &told["from"], &told["to"]), (None, &json!("2024-12-02"), &json!("2025-01-31")));
    // Where lost cards are told by the same coarse reason, a window would tell one from the other.
    rewritten(r#""card", "#, "");
    assert_eq!(window(&system, A16).await, None);
    let lost = ask(&system, "clinic", "WINDOWB004", "treatment", RENEWABLE).await;
    assert_eq!(lost["reason"]["next"].get("window"), None);
    system.stop().await;
    let system = System::at("2025-01-31T23:59:59+03:30", &people()).await; // 1403/11/12, the last second
    ask(&system, "school", A16, "education-school", RENEWABLE).await;
    system.set("2025-02-01T00:00:00+03:30");
    let over = ask(&system, "school", A16, "education-school", LAPSED).await;
    assert_eq!(over["reason"]["next"].get("window"), None);
    system.stop().await;
}

/// One bank card, three SIMs, twelve months of insurance (domain §6): the agency keeps count, and is told to what.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terms_of_a_service_are_told_with_entitled_alone() {
    let amayesh = |number, expires| Paper::numbered("amayesh", number, expires).series(17);
    let people = [
        Holder::new("by-date", [amayesh("TERMS00001", "1408/01/01")]),
        Holder::new("by-decree", [amayesh("TERMS70002", "1402/03/31")]),
        Holder::new("young", [amayesh("TERMS90003", "1408/01/01")]).born("1395/01/01"),
        Holder::new("pass", [Paper::numbered("passport-residence", "TERMSB0004", "1408/01/01")]),
    ];
    let system = System::at(TODAY, &people.iter().map(Holder::line).collect::<String>()).await;
    let told = async |agency, number, service, expected| {
        let answer = ask(&system, agency, number, service, expected).await;
        assert_eq!(answer.get("terms"), claims(&answer).get("terms"));
        answer.get("terms").cloned()
    };
    let card = json!({"at_most": 1, "ends_with_document": true});
    let dated = json!({"at_most": 1, "ends_with_document": true, "last_day": "2029-03-20"});
    // D1 holds until further notice, and so does a printed end that it outlasts.
    assert_eq!(told("bank", "TERMS70002", "bank-card", "entitled valid-by-decree").await.as_ref(), Some(&card));
    assert_eq!(told("bank", "TERMS00001", "bank-card", "entitled valid").await.as_ref(), Some(&card));
    assert_eq!(told("bank", "TERMSB0004", "bank-card", "entitled valid").await, Some(dated));
    assert_eq!(told("bank", "TERMS00001", "bank-account", "entitled valid").await, None);
    assert_eq!(told("telecom", "TERMS00001", "sim", "entitled valid").await, Some(json!({"at_most": 3})));
    assert_eq!(told("clinic", "TERMS00001", "insurance-health", "entitled valid").await, Some(json!({"cycle_months": 12})));
    assert_eq!(told("clinic", "TERMSB0004", "insurance-health", "not-entitled service-not-covered").await, None);
    let mut young = query("bank", "amayesh-no", "TERMS90003", "bank-card");
    young["check"] = json!({"birth_year": 1395, "calendar": "jalali"});
    let young = system.ask("bank", &young).await;
    assert_eq!((young.outcome().as_str(), young.json.get("terms")), ("not-entitled under-age", None));
    // The end of a document is the holder's, and is told where the policy lists it.
    edit_policy(system.dir.path(), "bank", |text| text.replace("end = true", "end = false"));
    system.running.parts().policies.reload().unwrap();
    assert_eq!(told("bank", "TERMSB0004", "bank-card", "entitled valid").await, Some(card));
    system.stop().await;
}
