//! Samples: random work-lists that agencies answer, on grounds from a closed list, and pages of them that open no more than they show.

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::audit::{patterns, read, some_traffic, token};
use super::fixtures::query;
use super::harness::{Reply, System, send};
use super::record;
use super::workshop::edit_policy;

const AUDITOR: (&str, &str) = ("security-auditor", "log:patterns");

async fn post(system: &System, (agency, scope): (&str, &str), path: &str, body: &Value) -> Reply {
    let token = token(system, agency, scope).await;
    let request = system.request(agency, "POST", path).bearer_auth(token).header(CONTENT_TYPE, "application/json");
    send(request.body(body.to_string())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sample_is_drawn_again_by_its_seed_and_each_agency_answers_for_its_own() {
    let system = System::today().await;
    for _ in 0..4 {
        some_traffic(&system).await;
    }
    let auditor = ("security-auditor", "log:patterns");
    let draw = json!({"size": 6, "seed": "november", "filter": {"to": "2026-11-23", "kind": "answer"}});
    let first = post(&system, auditor, "/v1/log/samples", &draw).await;
    let second = post(&system, auditor, "/v1/log/samples", &draw).await;
    assert_eq!((first.status, &first.json["entries"], &first.json["drawn_from"]), (200, &second.json["entries"], &json!(16)));
    let other = post(&system, auditor, "/v1/log/samples", &json!({"size": 6, "seed": "december", "filter": {"kind": "answer"}})).await;
    assert_ne!(first.json["entries"], other.json["entries"]);
    let id = first.json["sample_id"].as_str().unwrap();
    // The bank sees its own entries of each sample and nobody else's.
    let banks = read(&system, ("bank", "verify"), "/v1/log/samples").await;
    let of_first = banks.json["samples"].as_array().unwrap().iter().find(|sample| sample["sample_id"] == json!(id)).unwrap().clone();
    assert!(!of_first.to_string().contains("clinic") && of_first["open"].as_u64().unwrap() > 0);
    let index = of_first["entries"][0]["index"].as_u64().unwrap();
    assert_eq!(read(&system, ("school", "verify"), "/v1/log/samples").await.json["samples"], json!([]));
    let path = format!("/v1/log/samples/{id}/justification");
    let said = json!({"index": index, "ground": "holder-present", "reference": "file-77"});
    // Another agency, another entry, words of its own, a number: nothing is taken.
    for (agency, body, status) in [
        ("clinic", &said, 404),
        ("bank", &json!({"index": 999_999, "ground": "other"}), 404),
        ("bank", &json!({"index": index, "text": "asked for 999 000 0018"}), 400),
        ("bank", &json!({"index": index, "ground": "asked for Reza"}), 400),
        ("bank", &json!({"index": index, "ground": "other", "reference": "9990000018"}), 400),
    ] {
        assert_eq!(post(&system, (agency, "verify"), &path, body).await.status, status);
        let recorded = record::latest(&system).to_string();
        assert!(!recorded.contains("Reza") && !recorded.contains("0018"), "{recorded}");
    }
    assert_eq!(post(&system, ("bank", "verify"), &path, &said).await.status, 200);
    let recorded = record::latest(&system);
    assert_eq!((recorded["code"].as_str(), recorded["reference"].as_str()), (Some("justified"), Some(id)));
    let seen = patterns(&system, "/v1/log/samples").await;
    let sample = seen["samples"].as_array().unwrap().iter().find(|sample| sample["sample_id"] == json!(id)).unwrap();
    let entry = sample["entries"].as_array().unwrap().iter().find(|entry| entry["index"] == json!(index)).unwrap();
    assert_eq!((&entry["justification"]["ground"], &entry["justification"]["reference"]), (&said["ground"], &said["reference"]));
    let denied = post(&system, ("bank", "verify"), "/v1/log/samples", &draw).await;
    assert_eq!((denied.status, denied.code()), (403, "scope-missing"));
    system.stop().await;
}

/// A census slip that a decree ended.
const SLIP: (&str, &str) = ("census-tracking", "110000000008");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agency_reads_nothing_of_its_own_entries_that_its_answers_did_not_tell() {
    let system = System::today().await;
    edit_policy(system.dir.path(), "school", |text| {
        text.replace("decree = true", "decree = false")
            .replace(r#"reasons = ["lapse", "decree", "measure", "age", "card", "area"]"#, "reasons = []")
    });
    system.running.parts().policies.reload().unwrap();
    for value in [SLIP.1, "119999999994"] {
        assert_eq!(system.ask("school", &query("school", SLIP.0, value, "education-school")).await.status, 200);
    }
    let draw = json!({"size": 9, "filter": {"agency": "school", "kind": "answer"}});
    let drawn = post(&system, AUDITOR, "/v1/log/samples", &draw).await;
    assert!(drawn.json.to_string().contains("ended-by-decree") && drawn.json.to_string().contains("latency_us"), "{}", drawn.json);
    let own = read(&system, ("school", "verify"), "/v1/log/samples").await.json["samples"][0]["entries"].clone();
    assert_eq!(own.as_array().unwrap().len(), 2);
    for entry in own.as_array().unwrap() {
        assert!(entry["reason"].is_null() && entry["decision"].is_string(), "{entry}");
        for hidden in ["decree", "decrees_version", "as_of", "latency_us", "details"] {
            assert_eq!(entry.get(hidden), None, "{entry}");
        }
    }
    let auditors = patterns(&system, "/v1/log/samples").await["samples"][0].to_string();
    assert!(auditors.contains("ended-by-decree") && auditors.contains("d2-1404-01-01"), "{auditors}");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn list_comes_in_pages_and_what_was_answered_stays_answered() {
    let system = System::today().await;
    some_traffic(&system).await;
    let mut ids = Vec::new();
    for seed in ["a", "b", "c"] {
        let draw = json!({"size": 9, "seed": seed, "filter": {"agency": "bank", "kind": "answer"}});
        ids.push(post(&system, AUDITOR, "/v1/log/samples", &draw).await.json["sample_id"].as_str().unwrap().to_owned());
    }
    let clinics = post(&system, AUDITOR, "/v1/log/samples", &json!({"size": 9, "filter": {"agency": "clinic"}})).await;
    assert_eq!(clinics.status, 200, "{}", clinics.json);
    let index = read(&system, ("bank", "verify"), "/v1/log/samples").await.json["samples"][2]["entries"][0]["index"].clone();
    let (path, bank) = (format!("/v1/log/samples/{}/justification", ids[0]), ("bank", "verify"));
    // The last of five counts, and there is no sixth.
    for ground in ["other", "other", "other", "other", "mistake"] {
        assert_eq!(post(&system, bank, &path, &json!({"index": index, "ground": ground})).await.status, 200);
    }
    let sixth = post(&system, bank, &path, &json!({"index": index, "ground": "other"})).await;
    assert_eq!((sixth.status, sixth.code()), (400, "malformed-request"));
    // Two samples a page, newest first: the bank's page has one of its own beside the clinic's.
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = read(&system, bank, &format!("/v1/log/samples?limit=2{cursor}")).await;
        assert_eq!(page.status, 200, "{}", page.json);
        pages.push(page.json["samples"].clone());
        let Some(next) = page.json["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let seen: Vec<Vec<&str>> =
        pages.iter().map(|page| page.as_array().unwrap().iter().map(|one| one["sample_id"].as_str().unwrap()).collect()).collect();
    assert_eq!(seen, [vec![ids[2].as_str()], vec![ids[1].as_str(), ids[0].as_str()]]);
    let (answered, open) = (&pages[1][1], &pages[1][0]);
    assert_eq!((&answered["open"], &open["open"]), (&json!(2), &json!(3)));
    assert_eq!(answered["entries"][0]["justification"]["ground"], json!("mistake"));
    // One sample by its id; nothing else is a parameter of the list.
    let one = patterns(&system, &format!("/v1/log/samples?sample_id={}", ids[1])).await;
    assert_eq!((one["samples"].as_array().unwrap().len(), &one["samples"][0]["sample_id"]), (1, &json!(ids[1])));
    for query in ["limit=51", "limit=0", "agency=bank", "order=oldest", "format=csv", "sample_id=x", "cursor=AAAA"] {
        let refused = read(&system, bank, &format!("/v1/log/samples?{query}")).await;
        assert_eq!((refused.status, refused.code()), (400, "malformed-request"), "{query}");
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seeds_and_filters_bring_no_number_into_the_log_and_nothing_is_read_past_the_body() {
    let system = System::today().await;
    some_traffic(&system).await;
    let number = "9990000018";
    for body in [
        json!({"size": 1, "seed": number}),
        json!({"size": 1, "filter": {"service": number}}),
        json!({"size": 1, "filter": {"limit": "1"}}),
    ] {
        let refused = post(&system, AUDITOR, "/v1/log/samples", &body).await;
        assert_eq!((refused.status, refused.code()), (400, "malformed-request"), "{body}");
        assert!(!record::latest(&system).to_string().contains(number), "{body}");
    }
    let queried = post(&system, AUDITOR, "/v1/log/samples?size=1", &json!({"size": 1})).await;
    assert_eq!((queried.status, queried.code()), (400, "malformed-request"));
    let path = "/v1/log/samples/01900000-0000-7000-8000-00000000000a/justification?index=1";
    let queried = post(&system, ("bank", "verify"), path, &json!({"index": 1, "ground": "other"})).await;
    assert_eq!((queried.status, queried.code()), (400, "malformed-request"));
    // A sample of nothing leaves no name.
    let nobody = post(&system, AUDITOR, "/v1/log/samples", &json!({"size": 1, "filter": {"actor": "Reza-Ahmadi"}})).await;
    assert_eq!((nobody.status, &nobody.json["drawn_from"]), (200, &json!(0)));
    let details = record::latest(&system)["details"].as_str().unwrap().to_owned();
    assert!(!details.contains("Reza") && details.contains(r#""of_no_entry":["actor"]"#), "{details}");
    system.stop().await;
}
