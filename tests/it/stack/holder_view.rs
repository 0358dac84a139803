//! The holder's own view through the whole stack: what opens it, what it shows, and everything that must not.

use std::ops::Deref;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use estelam::adapters::store::generate_officer_key;
use estelam::app::deferrals::Deferrals;
use estelam::config::Config;
use estelam::core::ledger::retention::{Hold, Step};
use estelam::registry::decrees::{OfficialKey, Officials};
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::audit::{patterns, token};
use super::fixtures::query;
use super::harness::{FORM, Reply, System, send};
use super::record;
use super::signed::{register as register_key, signature};
use super::workshop::{document, person};
use crate::foreign_keys::ForeignKey;
use crate::openapi::assert_described;

pub(super) const NUMBER: &str = "A170000001";
const SISTER: &str = "A170000071";
const NO_SIM: &str = "A170000072";
pub(super) const CHILD: &str = "A170000073";
const UNKNOWN: &str = "A170009999";
const SIM: &str = "+989120000001";

/// A system, and the key of the offices' requests.
pub(super) struct Place {
    system: System,
    key: ForeignKey,
}

impl Deref for Place {
    type Target = System;

    fn deref(&self) -> &System {
        &self.system
    }
}

impl Place {
    async fn restarted(self) -> Self {
        Self { system: self.system.restarted(|_| ()).await, key: self.key }
    }

    pub(super) async fn stop(self) {
        self.system.stop().await;
    }
}

pub(super) async fn system() -> Place {
    let people = [("sister", SISTER), ("nosim", NO_SIM), ("child", CHILD)];
    let people = people.map(|(key, value)| {
        let born = if value == CHILD { "1395/01/01" } else { "1370/01/01" };
        person(key, &document("amayesh-no", value, "amayesh", Some(17), "1402/03/31")).replace("1370/01/01", born)
    });
    let people = people.concat();
    let system = System::at(super::harness::TODAY, &people).await;
    let now = estelam::core::domain::clock::Clock::now(&*system.clock);
    for (value, sim) in [(NUMBER, SIM), (SISTER, "+989120000002"), (CHILD, "+989120000003")] {
        system.registry_store(|store| estelam::registry::holder::register(store, "amayesh-no", value, sim, now).unwrap());
    }
    let key = ForeignKey::es256();
    register_key(&system, "kefalat", &[(&key, "request-1")]);
    system.running.parts().policies.reload().unwrap();
    Place { system, key }
}

/// One step at an office (`kefalat`, `kefalat.BRANCH`), signed as it must be.
pub(super) async fn step(system: &Place, office: &str, mut body: Value) -> Reply {
    const PATH: &str = "/v1/log/holder";
    body["actor"] = json!("clerk-3");
    let token = send(
        system.request(office, "POST", "/oauth2/token").header(CONTENT_TYPE, FORM).body("grant_type=client_credentials&scope=log%3Aholder"),
    )
    .await;
    let token = token.json["access_token"].as_str().unwrap().to_owned();
    let body = body.to_string();
    let signature = signature(system, &system.key, "kefalat", ("POST", PATH), &body);
    let request = system.request(office, "POST", PATH).bearer_auth(token).header(CONTENT_TYPE, "application/json");
    send(request.header("estelam-signature", signature).body(body)).await
}

async fn ask_code(system: &Place, office: &str, value: &str) -> Reply {
    step(system, office, json!({"identifier": {"scheme": "amayesh-no", "value": value}})).await
}

/// Messages that went out: telephone number and code.
fn messages(system: &System) -> Vec<(String, String)> {
    let Ok(files) = std::fs::read_dir(system.dir.path().join("registry/messages")) else { return Vec::new() };
    let mut paths: Vec<_> =
        files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let message: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let text = message["text"].as_str().unwrap();
        (message["to"].as_str().unwrap().to_owned(), text.split_once(": ").unwrap().1[..8].to_owned())
    };
    paths.iter().map(read).collect()
}

/// Has a code sent and reads it from the holder's telephone.
pub(super) async fn code(system: &Place, office: &str, value: &str) -> (String, String) {
    let before = messages(system).len();
    let reply = ask_code(system, office, value).await;
    assert_eq!(reply.status, 202, "{}", reply.json);
    system.until("the message", |system| messages(system).len() > before).await;
    (reply.json["handle"].as_str().unwrap().to_owned(), messages(system).pop().unwrap().1)
}

pub(super) async fn open(system: &Place, office: &str, handle: &str, code: &str) -> Reply {
    step(system, office, json!({"handle": handle, "code": code})).await
}

/// Everything that the view says, as lines `what kind purpose day`.
fn lines(view: &Value) -> Vec<String> {
    let line = |line: &Value| {
        let text = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
        format!("{} {} {} {}", text("what"), text("kind"), text("purpose"), line["day"]["jalali"].as_str().unwrap())
    };
    view["entries"].as_array().unwrap().iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_holder_s_code_opens_kinds_purposes_and_days_of_past_epochs_and_nothing_else() {
    let system = system().await;
    for (folder, service, value) in
        [("bank.north", "bank-card", NUMBER), ("bank.south", "bank-card", NUMBER), ("bank", "bank-card", SISTER)]
    {
        let mut question = query("bank", "amayesh-no", value, service);
        question["reference"] = json!("case-77");
        assert_eq!(send(system.query(folder, &question).await).await.status, 200);
    }
    system.advance(2 * 86_400);
    system.forget_tokens();
    assert_eq!(system.ask("school", &query("school", "amayesh-no", NUMBER, "education-school")).await.status, 200);
    // A restart ends the epoch of today as well.
    let system = system.restarted().await;
    let (handle, code) = code(&system, "kefalat.azadi", NUMBER).await;
    let view = open(&system, "kefalat.azadi", &handle, &code).await;
    assert_eq!(view.status, 200, "{}", view.json);
    let wanted = ["opened kefalat - 1405/09/04", "asked school enrolment 1405/09/04", "asked bank account-maintenance 1405/09/02"];
    let mut found = lines(&view.json);
    found.sort();
    let mut wanted = wanted.map(str::to_owned).to_vec();
    wanted.sort();
    assert_eq!(found, wanted);
    let mut told = view.json.clone();
    told.as_object_mut().unwrap().remove("handle");
    let text = told.to_string();
    for secret in ["north", "south", "azadi", "teller", "clerk-3", "case-77", NUMBER, SISTER, SIM, "12:0", "T12", "index", "answer_id"] {
        assert!(!text.contains(secret), "`{secret}` is in {text}");
    }
    let bank = view.json["entries"].as_array().unwrap().iter().find(|line| line["kind"] == "bank").unwrap();
    assert_eq!(bank["en"], "2026-11-23: a bank asked about you for keeping an account or card, and got an answer.");
    assert!(bank["fa"].as_str().unwrap().starts_with("1405/09/02: یک بانک"), "{bank}");
    // What was opened shows the next time, with the officer's own kind.
    let content = record::latest(&system);
    assert_eq!((&content["code"], &content["actor"], &content["branch"]), (&json!("holder-view"), &json!("clerk-3"), &json!("azadi")));
    assert!(content["trail_tag"].is_string());
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_says_that_it_is_not_complete_once_keys_of_earlier_days_are_replaced() {
    let system = system().await;
    assert_eq!(system.ask("bank", &query("bank", "amayesh-no", NUMBER, "bank-card")).await.status, 200);
    let view = async |system: &Place| {
        let (handle, code) = code(system, "kefalat", NUMBER).await;
        let view = open(system, "kefalat", &handle, &code).await;
        assert_eq!(view.status, 200, "{}", view.json);
        view.json
    };
    let whole = view(&system).await;
    assert_eq!((&whole["complete"], whole.get("en"), whole.get("fa")), (&json!(true), None, None));
    assert!(whole["entries"].to_string().contains("a bank asked about you"));
    let (public, private) = generate_officer_key().unwrap();
    let key = system.dir.path().join("registry/holder.key");
    std::fs::write(system.dir.path().join("pki/holder/trail.pub"), STANDARD.encode(public)).unwrap();
    std::fs::remove_file(&key).unwrap();
    estelam::files::write_new_secret(&key, STANDARD.encode(&*private).as_bytes()).unwrap();
    system.stop_registry().await;
    system.start_registry();
    let system = system.restarted().await;
    assert_eq!(system.ask("school", &query("school", "amayesh-no", NUMBER, "education-school")).await.status, 200);
    let cut = view(&system).await;
    assert_eq!(cut["complete"], json!(false));
    assert_described("HolderView", &cut);
    assert!(!cut["entries"].to_string().contains("a bank asked") && cut["entries"].to_string().contains("a school asked"), "{cut}");
    assert!(cut["en"].as_str().unwrap().contains("not complete") && cut["fa"].is_string() && cut["prs"].is_string(), "{cut}");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_office_opens_a_view_by_its_own_word() {
    let system = system().await;
    let (handle, code) = code(&system, "kefalat.azadi", NUMBER).await;
    let refused =
        |reply: Reply| assert_eq!((reply.status, reply.code().to_owned()), (403, "code-not-accepted".to_owned()), "{}", reply.json);
    refused(open(&system, "kefalat.azadi", &handle, "00000000").await);
    refused(open(&system, "kefalat.karaj", &handle, &code).await); // another office
    refused(open(&system, "kefalat.azadi", "AAAAAAAAAAAAAAAAAAAAAA", &code).await);
    refused(step(&system, "kefalat.azadi", json!({"handle": handle, "contest": {"line": 1, "why": "not-me"}})).await);
    assert_eq!(open(&system, "kefalat.azadi", &handle, &code).await.status, 200);
    refused(open(&system, "kefalat.azadi", &handle, &code).await); // a second time
    let (handle, code) = self::code(&system, "kefalat.azadi", NUMBER).await;
    system.advance(601);
    refused(open(&system, "kefalat.azadi", &handle, &code).await);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_ends_a_code_after_five_tries() {
    let system = system().await;
    let (handle, code) = code(&system, "kefalat", NUMBER).await;
    for guess in 0..5 {
        let wrong = format!("{guess:08}");
        assert_ne!(wrong, code);
        assert_eq!(open(&system, "kefalat", &handle, &wrong).await.status, 403);
    }
    assert_eq!(open(&system, "kefalat", &handle, &code).await.status, 403);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_behind_a_number_the_first_reply_is_alike() {
    let system = system().await;
    let mut shapes = Vec::new();
    for value in [NUMBER, NO_SIM, UNKNOWN] {
        let reply = ask_code(&system, "kefalat", value).await;
        let mut json = reply.json.clone();
        let handle = json.as_object_mut().unwrap().remove("handle").unwrap();
        shapes.push((reply.status, handle.as_str().unwrap().len(), json, reply.body.len()));
        let refused = open(&system, "kefalat", handle.as_str().unwrap(), "12345678").await;
        let mut problem = refused.json.clone();
        for own in ["request_id", "ledger", "statement"] {
            problem.as_object_mut().unwrap().remove(own);
        }
        shapes.push((refused.status, 22, problem, 0));
    }
    assert!(shapes.chunks(2).all(|pair| *pair == shapes[..2]), "{shapes:#?}");
    system.until("the one message", |system| messages(system).len() == 1).await;
    assert_eq!(messages(&system)[0].0, SIM);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_office_has_its_codes_of_the_day_and_no_more_even_after_a_restart() {
    let few = |config: &mut Config| config.holder.as_mut().unwrap().codes_per_office = 3;
    let Place { system, key } = system().await;
    let system = Place { system: system.restarted_with(few).await, key };
    for _ in 0..2 {
        assert_eq!(ask_code(&system, "kefalat.azadi", UNKNOWN).await.status, 202);
    }
    let Place { system, key } = system;
    let system = Place { system: system.restarted_with(few).await, key };
    assert_eq!(ask_code(&system, "kefalat.azadi", UNKNOWN).await.status, 202);
    let refused = ask_code(&system, "kefalat.azadi", NUMBER).await;
    assert_eq!((refused.status, refused.code()), (429, "quota-exhausted"), "{}", refused.json);
    assert!(messages(&system).is_empty(), "nothing went out");
    assert_eq!(ask_code(&system, "kefalat.karaj", UNKNOWN).await.status, 202, "another office");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_contested_becomes_a_case_without_a_number_or_a_name_in_it() {
    let system = system().await;
    let asked = system.ask("bank", &query("bank", "amayesh-no", NUMBER, "bank-card")).await;
    let entry = asked.json["answer_id"].as_str().unwrap();
    let (handle, code) = code(&system, "kefalat", NUMBER).await;
    let view = open(&system, "kefalat", &handle, &code).await;
    let line = view.json["entries"].as_array().unwrap().iter().find(|line| line["kind"] == "bank").unwrap()["line"].clone();
    let contest = json!({"handle": handle, "contest": {"line": line, "why": "not-me"}});
    // A case that cannot be kept costs the holder nothing: the same line is contested once it can be.
    std::fs::write(&system.config.audit.cases, "no folder").unwrap();
    let refused = step(&system, "kefalat", contest.clone()).await;
    assert_eq!((refused.status, refused.code()), (503, "ledger-unavailable"));
    std::fs::remove_file(&system.config.audit.cases).unwrap();
    let reply = step(&system, "kefalat", contest.clone()).await;
    assert_eq!((reply.status, &reply.json["status"]), (200, &json!("contested")), "{}", reply.json);
    let case = reply.json["case"].as_str().unwrap();
    let register = std::fs::read_to_string(system.config.audit.cases.join(format!("{case}.json"))).unwrap();
    assert!(register.contains("not-me") && register.contains("\"dpo\"") && !register.contains(NUMBER), "{register}");
    assert!(register.contains(entry), "the officer finds what it is about");
    // Who audits patterns learns nowhere which entries are one person's, not even once the officer uses the case.
    let details = record::latest(&system)["details"].as_str().unwrap().to_owned();
    assert_eq!(serde_json::from_str::<Value>(&details).unwrap(), json!({"entries": 1, "why": "not-me"}));
    let trail = json!({"identifier": {"scheme": "amayesh-no", "value": NUMBER}, "case": case}).to_string();
    let request = system.request("dpo", "POST", "/v1/log/person").bearer_auth(token(&system, "dpo", "log:person").await);
    let opened = send(request.header(CONTENT_TYPE, "application/json").body(trail)).await;
    assert_eq!(opened.status, 200, "{}", opened.json);
    for route in ["log-holder", "log-case", "log-person"] {
        let seen = patterns(&system, &format!("/v1/log/entries?route={route}")).await;
        assert!(seen["count"].as_u64() > Some(0) && !seen.to_string().contains(entry), "{seen}");
    }
    let recorded = patterns(&system, "/v1/log/entries?route=log-case").await["entries"][0]["details"].as_str().unwrap().to_owned();
    assert!(recorded.contains("not-me; number of entries 1; reason sha256 "), "{recorded}");
    let again = step(&system, "kefalat", contest).await;
    assert_eq!((again.status, again.code()), (400, "malformed-request"), "once");
    assert!(again.json["detail"].as_str().unwrap().contains(case), "{}", again.json);
    let beyond = step(&system, "kefalat", json!({"handle": handle, "contest": {"line": 99, "why": "not-me"}})).await;
    assert!(beyond.json["detail"].as_str().unwrap().contains("line of the view"), "{}", beyond.json);
    assert_eq!(step(&system, "kefalat", json!({"handle": "x", "contest": {"line": 1, "why": "not-me"}})).await.code(), "code-not-accepted");
    let words = json!({"handle": handle, "contest": {"line": 1, "why": "my name is"}});
    assert_eq!(step(&system, "kefalat", words).await.code(), "malformed-request");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_file_outside_the_registry_holds_the_telephone_number_or_the_code() {
    let system = system().await;
    let (handle, code) = code(&system, "kefalat", NUMBER).await;
    assert_eq!(open(&system, "kefalat", &handle, &code).await.status, 200);
    let mut folders = vec![system.dir.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path.file_name().unwrap() != "registry" {
                    folders.push(path);
                }
                continue;
            }
            let bytes = std::fs::read(&path).unwrap_or_default();
            for secret in [SIM.trim_start_matches('+'), code.as_str(), NUMBER] {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(
                    !found || ["policies", "archive"].iter().any(|folder| path.starts_with(system.dir.path().join(folder))),
                    "`{secret}` is in {}",
                    path.display()
                );
            }
        }
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deferred_entry_shows_by_itself_once_its_last_day_is_over_with_who_deferred_it() {
    let system = system().await;
    let folder = system.config.holder.as_ref().unwrap().deferrals.clone();
    let [first, second] = ["first", "second"].map(|name| {
        let file = system.dir.path().join(format!("pki/{name}-official.pem"));
        let key = OfficialKey::read(&file).unwrap();
        Officials::enrol(&folder, name, &key).unwrap();
        key
    });
    assert_eq!(system.ask("bank", &query("bank", "amayesh-no", NUMBER, "bank-card")).await.status, 200);
    let deferral = |until: &str| -> Hold {
        let text = json!({"id": "order-17", "reason": "public prosecutor, order 17", "from": "2026-11-23", "to": "2026-11-23", "until": until, "agency": "bank"});
        serde_json::from_value(text).unwrap()
    };
    let (deferrals, now) = (Deferrals::open(&folder).unwrap(), estelam::core::domain::clock::Clock::now(&*system.clock));
    assert!(deferrals.add(deferral("2027-02-01"), &first, now).is_err(), "longer than it could be shown");
    deferrals.add(deferral("2026-11-25"), &first, now).unwrap();
    let bank = async |system: &Place| {
        let (handle, code) = code(system, "kefalat", NUMBER).await;
        let view = open(system, "kefalat", &handle, &code).await;
        assert_eq!(view.status, 200, "{}", view.json);
        assert_described("HolderView", &view.json);
        view.json["entries"].as_array().unwrap().iter().find(|line| line["kind"] == "bank").cloned()
    };
    assert!(bank(&system).await.is_some(), "one official alone defers nothing");
    deferrals.approve("order-17", Step::Begin, &second, now).unwrap();
    assert_eq!(bank(&system).await, None);
    let acts = patterns(&system, "/v1/log/entries?route=deferrals").await;
    let act = &acts["entries"][0];
    assert_eq!(
        (acts["count"].as_u64(), act["code"].as_str(), act["reference"].as_str()),
        (Some(1), Some("deferral-begun"), Some("order-17"))
    );
    assert!(act["details"].as_str().unwrap().contains(r#""signers":["first","second"]"#), "{act}");
    system.set("2026-11-26T00:00:01Z");
    let line = bank(&system).await.unwrap();
    assert_eq!(line["deferred"], json!({"by": "public prosecutor, order 17", "until": "2026-11-25"}));
    assert!(line["en"].as_str().unwrap().ends_with(" Not shown until 2026-11-25: public prosecutor, order 17"), "{line}");
    for language in ["fa", "prs"] {
        assert!(line[language].as_str().unwrap().ends_with("تا 1405/09/04 نشان داده نشد: public prosecutor, order 17"), "{line}");
    }
    // A file that cannot be trusted hides nothing and shows nothing.
    let path = folder.join("order-17.json");
    std::fs::write(&path, std::fs::read_to_string(&path).unwrap().replace("2026-11-25", "2026-12-25")).unwrap();
    let (handle, code) = code(&system, "kefalat", NUMBER).await;
    assert_eq!(open(&system, "kefalat", &handle, &code).await.code(), "ledger-unavailable");
    system.stop().await;
}
