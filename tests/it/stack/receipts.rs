//! Receipts on a running gateway: what a printed one tells, and what stays genuine while keys rotate and are lost to others.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use estelam::adapters::tls::config::anonymous_client_config;
use estelam::core::domain::clock::Clock;
use estelam::core::domain::date::{start_of_tehran_day, tehran_day};
use reqwest::header::ACCEPT;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::agency_life::today;
use super::fixtures::query;
use super::harness::{Reply, System, client_with, send};
use super::tools::configured;

fn wishing() -> Value {
    let mut question = query("bank", "amayesh-no", "A170000001", "bank-card");
    question["receipt"] = json!(true);
    question
}

fn claims(jws: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(jws.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

fn digest(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_printed_receipt_tells_its_day_and_nothing_else() {
    let system = System::today().await;
    system.token("bank").await;
    let before = system.entries();
    let wished = system.ask("bank", &wishing()).await;
    assert_eq!((wished.status, system.entries()), (200, before + 1), "{}", wished.json);
    let receipt = wished.json["receipt"]["jwt"].as_str().unwrap().to_owned();
    let told = claims(&receipt);
    let mut names: Vec<_> = told.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["iat", "iss", "jti"]);
    let day = start_of_tehran_day(tehran_day(system.clock.now())).as_second();
    assert_eq!((&told["iss"], &told["iat"]), (&json!(system.config.issuer), &json!(day)));
    assert_eq!(claims(wished.json["statement"].as_str().unwrap())["receipt"], json!(digest(&receipt)));
    assert!(wished.json["receipt"]["code"].as_str().is_some_and(|code| code.len() == 14));
    for hidden in ["bank", "card", "entitled", "valid", "amayesh", "A170000001", wished.json["answer_id"].as_str().unwrap()] {
        assert!(!told.to_string().contains(hidden), "the receipt tells `{hidden}`");
    }

    // The same paper for every outcome, and for every answer another.
    let mut unknown = wishing();
    unknown["identifier"]["value"] = json!("A170009999");
    let other = system.ask("bank", &unknown).await;
    let paper = other.json["receipt"]["jwt"].as_str().unwrap();
    assert_eq!((other.outcome().as_str(), paper.len()), ("indeterminate not-established", receipt.len()));
    assert_ne!(paper, receipt);

    let unwished = system.ask("bank", &query("bank", "amayesh-no", "A170000001", "bank-card")).await;
    assert_eq!((unwished.json.get("receipt"), claims(unwished.json["statement"].as_str().unwrap()).get("receipt")), (None, None));
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wish_that_cannot_be_kept_is_refused_and_a_retry_gets_the_same_receipt() {
    let system = System::today().await;
    let entries = system.entries();
    let alone = send(system.query("bank", &wishing()).await.header(ACCEPT, "application/jwt")).await;
    assert_eq!((alone.status, alone.code()), (400, "malformed-request"));
    let kefalat = json!({"identifier": {"scheme": "yekta", "value": "9990000018"}, "service": "identity", "purpose": "renewal",
        "actor": "clerk-1", "check": {"birth_year": 1370, "calendar": "jalali"}, "receipt": true});
    let refused = system.ask("kefalat", &kefalat).await;
    assert_eq!((refused.status, refused.code()), (403, "receipt-not-allowed"));
    assert_eq!((refused.json.get("receipt"), system.look_ups()), (None, 0));
    let [first, again] = [
        send(system.query("bank", &wishing()).await.header("idempotency-key", "k")).await,
        send(system.query("bank", &wishing()).await.header("idempotency-key", "k")).await,
    ];
    assert_eq!((&first.json["receipt"], &again.json["redelivered"]), (&again.json["receipt"], &json!(true)));
    // Two tokens, two refusals, one answer.
    assert_eq!(system.entries(), entries + 5);
    system.stop().await;
}

/// Papers of one answer, as its agency keeps them in files.
pub struct Kept {
    pub answer: String,
    pub receipt: String,
    pub proof: String,
    pub checkpoint: String,
}

pub async fn keep(system: &System, name: &str) -> Kept {
    system.set(&today());
    let Reply { json: answer, status, .. } = system.ask("bank", &wishing()).await;
    assert_eq!(status, 200, "{answer}");
    let proof = format!("/v1/log/proof/{}", answer["answer_id"].as_str().unwrap());
    let proof = send(system.request("bank", "GET", &proof).bearer_auth(system.token("bank").await)).await.json;
    let file = |what: &str, text: &str| {
        let path = system.dir.path().join(format!("{name}.{what}"));
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    Kept {
        answer: file("answer", &answer.to_string()),
        receipt: file("receipt", answer["receipt"]["jwt"].as_str().unwrap()),
        proof: file("proof", &proof.to_string()),
        checkpoint: file("checkpoint", proof["checkpoint"].as_str().unwrap()),
    }
}

/// Fetches a public document into a file.
pub async fn public(system: &System, path: &str) -> String {
    let client = client_with(anonymous_client_config(&system.pki.ca(), system.clock.clone()).unwrap());
    let reply = send(client.get(format!("https://localhost:{}{path}", system.config.listen.public.port()))).await;
    assert_eq!(reply.status, 200, "{path}");
    let file = system.dir.path().join(format!("public-{}", Path::new(path).file_name().unwrap().to_str().unwrap()));
    std::fs::write(&file, &reply.body).unwrap();
    file.to_str().unwrap().to_owned()
}

pub fn estelam(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_estelam")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Verdict and code of a check, which always says of what time it speaks.
pub fn verdict(arguments: &[&str]) -> String {
    let output = estelam(&[&["receipt", "check", "--json"], arguments].concat());
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(said["notice"]["en"], "genuine when issued; says nothing about today or about the bearer");
    assert_eq!(output.status.code(), Some(i32::from(said["verdict"] != "genuine")), "{said}");
    [said["verdict"].as_str(), said["code"].as_str()].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn signer(system: &System) -> String {
    estelam::core::signing::Signer::key_id(&**system.running.parts().keys.current().statements()).to_owned()
}

/// Runs a verb of `estelam keys` and waits until the running gateway has the change.
pub async fn keys(system: &System, dir: &str, arguments: &[&str]) -> String {
    let version = system.running.parts().keys.current();
    let done = estelam(&[&["keys"], arguments, &["--dir", dir]].concat());
    assert!(done.status.success(), "{done:?}");
    system.until("the new keys", |system| system.running.parts().keys.current().records() != version.records()).await;
    signer(system)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_outlive_rotation_and_only_proven_ones_a_compromise() {
    let system = System::at(&today(), "").await;
    let dir = configured(&system);
    let (first_key, first) = (signer(&system), keep(&system, "first").await);
    let second_key = keys(&system, &dir, &["rotate", "statements", "--now"]).await;
    assert_ne!(first_key, second_key);
    let second = keep(&system, "second").await;
    let lives = public(&system, "/.well-known/estelam-keys.json").await;
    for kept in [&first, &second] {
        assert_eq!(verdict(&[&kept.answer, "--keys", &lives]), "genuine");
        assert_eq!(verdict(&[&kept.answer, "--keys", &lives, "--proof", &kept.proof, "--checkpoint", &kept.checkpoint]), "genuine");
        assert_eq!(verdict(&[&kept.receipt, "--keys", &lives, "--statement", &kept.answer, "--proof", &kept.proof]), "genuine");
    }
    assert_eq!(verdict(&[&first.receipt, "--keys", &lives, "--statement", &second.answer]), "cannot-be-checked statement-of-other");
    assert_eq!(verdict(&[&first.answer, "--keys", &lives, "--proof", &second.proof]), "cannot-be-checked proof-of-other");
    by_jwks(&system, &first).await;

    // The key that signs is in others' hands; what was proved by then is known.
    let third_key = keys(&system, &dir, &["compromised", &second_key, "--checkpoint", &first.checkpoint]).await;
    assert_ne!(second_key, third_key);
    let third = keep(&system, "third").await;
    let lives = public(&system, "/.well-known/estelam-keys.json").await;
    for genuine in [&first, &third] {
        assert_eq!(verdict(&[&genuine.answer, "--keys", &lives]), "genuine");
    }
    assert_eq!(verdict(&[&second.answer, "--keys", &lives]), "cannot-be-checked key-compromised");
    assert_eq!(verdict(&[&second.answer, "--keys", &lives, "--proof", &second.proof]), "not-genuine after-compromise");

    // And the one before it, as it comes out: the checkpoint of the second answer covers the first.
    keys(&system, &dir, &["compromised", &first_key, "--checkpoint", &second.checkpoint]).await;
    let lives = public(&system, "/.well-known/estelam-keys.json").await;
    assert_eq!(verdict(&[&first.answer, "--keys", &lives]), "cannot-be-checked key-compromised");
    assert_eq!(verdict(&[&first.answer, "--keys", &lives, "--proof", &first.proof]), "genuine");
    assert_eq!(verdict(&[&first.receipt, "--keys", &lives]), "cannot-be-checked statement-needed");
    assert_eq!(verdict(&[&first.receipt, "--keys", &lives, "--statement", &first.answer, "--proof", &first.proof]), "genuine");
    let jwks = public(&system, "/.well-known/jwks.json").await;
    assert_eq!(verdict(&[&first.answer, "--keys", &jwks, "--issuer", &system.config.issuer]), "cannot-be-checked unknown-key");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proofs_of_a_log_that_was_sealed_hold_by_the_keys_of_today() {
    let system = System::at(&today(), "").await;
    let (issuer, old) = (system.config.issuer.clone(), keep(&system, "old").await);
    let old_id = answer_id(&old);
    let dir = system.dir.path().to_str().unwrap().to_owned();
    configured(&system);
    let system = system.restarted(|_| assert!(estelam(&["log", "succeed", "--dir", &dir]).status.success())).await;
    let system = system.restarted_as(issuer).await;
    let new = keep(&system, "new").await;
    let lives = public(&system, "/.well-known/estelam-keys.json").await;
    let again = send(system.request("bank", "GET", &format!("/v1/log/proof/{old_id}")).bearer_auth(system.token("bank").await)).await;
    let under_seal = system.dir.path().join("again.proof");
    std::fs::write(&under_seal, &again.body).unwrap();
    for (kept, proof) in [(&old, old.proof.as_str()), (&old, under_seal.to_str().unwrap()), (&new, &new.proof)] {
        assert_eq!(verdict(&[&kept.answer, "--keys", &lives, "--proof", proof]), "genuine");
    }
    assert_eq!(verdict(&[&new.answer, "--keys", &lives, "--proof", &old.proof]), "cannot-be-checked proof-of-other");
    // The list as an earlier build gave it names the present log alone: nothing of it counts for another.
    let mut today: Value = serde_json::from_str(&std::fs::read_to_string(&lives).unwrap()).unwrap();
    assert_eq!(today["origins"].as_array().unwrap().len(), 2);
    today.as_object_mut().unwrap().remove("origins");
    std::fs::write(&lives, today.to_string()).unwrap();
    assert_eq!(verdict(&[&old.answer, "--keys", &lives, "--proof", &old.proof]), "cannot-be-checked checkpoint-unsigned");
    assert_eq!(verdict(&[&new.answer, "--keys", &lives, "--proof", &new.proof]), "genuine");
    system.stop().await;
}

pub fn answer_id(kept: &Kept) -> String {
    let answer: Value = serde_json::from_str(&std::fs::read_to_string(&kept.answer).unwrap()).unwrap();
    answer["answer_id"].as_str().unwrap().to_owned()
}

/// The same with a JWK set, which knows neither issuer nor log.
async fn by_jwks(system: &System, kept: &Kept) {
    let (jwks, log) = (public(system, "/.well-known/jwks.json").await, public(system, "/checkpoint.key").await);
    let issuer = &*system.config.issuer;
    let with = |more: &[&str]| verdict(&[&[&*kept.answer, "--keys", &jwks, "--issuer", issuer], more].concat());
    assert_eq!(with(&[]), "genuine");
    assert_eq!(with(&["--proof", &kept.proof]), "cannot-be-checked no-log-key");
    assert_eq!(with(&["--proof", &kept.proof, "--checkpoint-key", &log]), "genuine");
    assert_eq!(verdict(&[&kept.answer, "--keys", &jwks, "--issuer", "https://other.example"]), "not-genuine other-issuer");
    let unnamed = estelam(&["receipt", "check", &kept.answer, "--keys", &jwks]);
    assert_eq!((unnamed.status.code(), unnamed.stdout.len()), (Some(2), 0), "{unnamed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_printed_receipt_goes_on_paper_and_hostile_files_are_refused() {
    let system = System::at(&today(), "").await;
    let kept = keep(&system, "one").await;
    let lives = public(&system, "/.well-known/estelam-keys.json").await;
    let answer: Value = serde_json::from_str(&std::fs::read_to_string(&kept.answer).unwrap()).unwrap();
    let code = answer["receipt"]["code"].as_str().unwrap();
    for file in [&kept.answer, &kept.receipt] {
        for lang in ["fa", "en"] {
            let svg = estelam(&["receipt", "print", file, "--format", "svg", "--lang", lang]);
            let svg = String::from_utf8(svg.stdout).unwrap();
            assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && svg.contains(code), "{svg}");
            let terminal = String::from_utf8(estelam(&["receipt", "print", file, "--lang", lang]).stdout).unwrap();
            assert!(terminal.contains('█') && terminal.contains(code));
            for hidden in ["bank", "entitled", "amayesh"] {
                assert!(!svg.contains(hidden) && !terminal.contains(hidden), "the paper tells `{hidden}`");
            }
        }
    }
    let file = |name: &str, text: &str| {
        let path = system.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let statement = file("statement", answer["statement"].as_str().unwrap());
    let large = file("large", &"a".repeat(70_000));
    let twice = file("twice", &format!(r#"{{"statement":"x",{}"#, &answer.to_string()[1..]));
    let bare = file("bare", r#"{"statement":"x"}"#);
    let two_proofs = std::fs::read_to_string(&kept.proof).unwrap().replacen('{', r#"{"index":0,"#, 1);
    let two_proofs = file("two-proofs", &two_proofs);
    for (arguments, says) in [
        (&["print", &statement][..], "only a printed receipt goes on paper"),
        (&["print", &bare], "has no `receipt`"),
        (&["print", &large], "larger than"),
        (&["check", &statement, "--keys", &lives, "--proof", &two_proofs], "no proof from the log"),
        (&["check", &statement, "--keys", &statement], "holds no keys of a gateway"),
        (&["check", "/no/such/file", "--keys", &lives], "cannot read `/no/such/file`"),
    ] {
        let output = estelam(&[&["receipt"], arguments].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len(), said.lines().count()), (Some(1), 0, 1), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
    // What is no receipt at all is not called false.
    let [empty, image] = [file("empty", " \n"), file("image", "\u{0}JFIF")];
    for (given, code) in
        [(&large, "too-large"), (&twice, "unreadable"), (&bare, "unreadable"), (&empty, "nothing-given"), (&image, "unreadable")]
    {
        assert_eq!(verdict(&[given, "--keys", &lives]), format!("cannot-be-checked {code}"));
    }
    for (lang, says) in [("en", "says nothing about today or about the bearer"), ("fa", "درباره امروز و درباره آورنده چیزی نمی‌گوید")]
    {
        let output = estelam(&["receipt", "check", &kept.receipt, "--keys", &lives, "--lang", lang]);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && said.contains(says) && said.contains(code), "{said}");
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_was_edited_around_its_statement_is_not_genuine() {
    let system = System::at(&today(), "").await;
    let kept = keep(&system, "one").await;
    let lives = public(&system, "/.well-known/estelam-keys.json").await;
    let answer: Value = serde_json::from_str(&std::fs::read_to_string(&kept.answer).unwrap()).unwrap();
    let edited = system.dir.path().join("edited").to_str().unwrap().to_owned();
    let decisions = [("entitled", "not-entitled"), ("not-entitled", "entitled")];
    let other = decisions.into_iter().find(|(one, _)| answer["decision"] == *one).unwrap().1;
    for (pointer, value, member) in [
        ("/decision", json!(other), "decision"),
        ("/reason/code", json!("card-expired"), "reason.code"),
        ("/valid_until", json!("2031-01-01T00:00:00Z"), "valid_until"),
        ("/answer_id", json!("0190f0aa-0000-7000-8000-000000000000"), "answer_id"),
        ("/may_deny", json!("no"), "may_deny"),
        ("/receipt/jwt", answer["statement"].clone(), "receipt"),
    ] {
        let mut of_other = answer.clone();
        *of_other.pointer_mut(pointer).unwrap() = value;
        std::fs::write(&edited, of_other.to_string()).unwrap();
        assert_eq!(verdict(&[&edited, "--keys", &lives]), "not-genuine answer-differs", "{member}");
        for lang in ["fa", "en"] {
            let output = estelam(&["receipt", "check", &edited, "--keys", &lives, "--lang", lang]);
            let said = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.code() == Some(1) && said.contains(&format!("`{member}`")), "{said}");
        }
        // As the statement of a printed receipt it says what was not said too.
        assert_eq!(verdict(&[&kept.receipt, "--keys", &lives, "--statement", &edited]), "not-genuine answer-differs", "{member}");
    }
    // A problem is an answer too: of the same kind of file, with another statement in it.
    let mut unwished = wishing();
    unwished["service"] = json!("no-such-service");
    let mut problem = system.ask("bank", &unwished).await.json;
    std::fs::write(&edited, problem.to_string()).unwrap();
    assert_eq!(verdict(&[&edited, "--keys", &lives]), "genuine", "{problem}");
    problem["code"] = json!("rate-limited");
    std::fs::write(&edited, problem.to_string()).unwrap();
    assert_eq!(verdict(&[&edited, "--keys", &lives]), "not-genuine answer-differs");
    system.stop().await;
}
