//! Cutting off: an agency, a branch, a certificate, a token, on connections that are open; and where revocation lists come from.

use estelam::adapters::cutoff::{self, CutOffList};
use estelam::adapters::tls::material;
use estelam::adapters::tokens::Revocations;
use estelam::core::domain::clock::Clock;
use estelam::core::identity::Trust as _;
use estelam::core::token::TokenVerifier as _;
use rustls::{AlertDescription, Error};
use serde_json::Value;

use super::agency_life::{agency, done, today};
use super::fixtures::query;
use super::harness::{FORM, Reply, System, TODAY, send, try_send};
use super::list_source::ListSource;
use super::tools::configured;
use super::{acts, raw};
use crate::counters::counters;

pub async fn ask_with(system: &System, folder: &str, token: &str, body: &Value) -> Reply {
    let request = system.request(folder, "POST", "/v1/verify").bearer_auth(token).header("content-type", "application/json");
    send(request.body(body.to_string())).await
}

pub fn bank() -> Value {
    query("bank", "yekta", "9990000026", "bank-account")
}

pub fn change(system: &System, edit: impl FnOnce(&mut CutOffList)) {
    cutoff::change(&system.config.cutoff, edit).unwrap();
    // What the watch does by itself, without waiting for it.
    system.running.parts().cutoff.reload().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_agency_is_refused_and_its_old_tokens_stay_dead_afterwards() {
    let system = System::today().await;
    let stolen = system.new_token("bank").await;
    assert_eq!(ask_with(&system, "bank", &stolen, &bank()).await.status, 200);
    let now = system.clock.now();
    change(&system, |list| list.suspend("bank", None, now));
    let reply = ask_with(&system, "bank", &stolen, &bank()).await;
    assert_eq!((reply.status, reply.code()), (403, "agency-suspended"));
    let token = system.request("bank", "POST", "/oauth2/token").header("content-type", FORM).body("grant_type=client_credentials");
    assert_eq!(send(token).await.status, 403);
    assert_eq!(system.ask("school", &query("school", "yekta", "9990000026", "education-school")).await.status, 200);

    system.advance(2);
    change(&system, |list| assert!(list.resume("bank", None)));
    let reply = ask_with(&system, "bank", &stolen, &bank()).await;
    assert_eq!((reply.status, reply.code()), (401, "token-invalid"));
    let fresh = system.new_token("bank").await;
    assert_eq!(ask_with(&system, "bank", &fresh, &bank()).await.status, 200);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_is_cut_off_alone_and_comes_back_alone() {
    let system = System::at(&today(), "").await;
    let dir = configured(&system);
    let (north, south) = (system.new_token("bank.north").await, system.new_token("bank.south").await);
    let whole = system.new_token("bank").await;
    for (verb, of_north) in [("suspend", (403, "agency-suspended")), ("resume", (401, "token-invalid"))] {
        done(&agency(&dir, &[verb, "bank", "--branch", "north"]));
        let reply = ask_with(&system, "bank.north", &north, &bank()).await;
        assert_eq!((reply.status, reply.code()), of_north, "{verb}");
        // The others go on by the tokens that they have.
        assert_eq!(ask_with(&system, "bank.south", &south, &bank()).await.status, 200, "{verb}");
        assert_eq!(ask_with(&system, "bank", &whole, &bank()).await.status, 200, "{verb}");
    }
    // The command's clock is the machine's, which went on while the harness's stood still.
    system.set(&today());
    system.advance(2);
    let fresh = system.new_token("bank.north").await;
    assert_eq!(ask_with(&system, "bank.north", &fresh, &bank()).await.status, 200);
    system.stop().await;
}

/// Handshakes that ended for a revoked certificate, in this process.
fn refused_as_revoked() -> u64 {
    let rendered = counters().render();
    let counted =
        |line: &&str| line.starts_with("estelam_tls_refusals_total{") && line.contains("\"gateway\"") && line.contains("\"revoked\"");
    rendered.lines().find(counted).map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_cut_off_with_its_connections_and_told_so_when_it_comes_again() {
    let system = System::today().await;
    let (south, before) = (system.new_token("bank.south").await, refused_as_revoked());
    assert_eq!(ask_with(&system, "bank.south", &south, &bank()).await.status, 200);
    let mut held = raw::connected(&system, "bank.south").await.unwrap();
    let leaf = material::certificates(&system.credential("bank.south").cert).unwrap().remove(0);
    let peer = system.running.parts().trust.identify(&leaf).unwrap();
    let now = system.clock.now();
    change(&system, |list| list.cut_certificate(peer.thumbprint, now));
    assert_eq!(held.closed().await, "");
    assert_eq!(raw::refused(&system, "bank.south").await, Error::AlertReceived(AlertDescription::CertificateRevoked));
    // Counted once the socket is closed, which waits for a client that is still sending.
    system.until("the refusal counted by its reason", |_| refused_as_revoked() > before).await;
    let request = system.request("bank.south", "POST", "/v1/verify").bearer_auth(&south).body(bank().to_string());
    assert!(try_send(request).await.is_err(), "a certificate that is cut off got an answer");
    assert_eq!(system.ask("bank", &bank()).await.status, 200);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_or_lost_list_keeps_cut_off_what_was() {
    let system = System::today().await;
    let now = system.clock.now();
    change(&system, |list| list.suspend("bank", None, now));
    let list = &system.running.parts().cutoff;
    std::fs::write(&system.config.cutoff, "{").unwrap();
    assert!(list.reload().is_err());
    std::fs::remove_file(&system.config.cutoff).unwrap();
    assert!(list.reload().unwrap_err().to_string().contains("stays cut off"));
    assert_eq!(system.ask("school", &query("school", "yekta", "9990000026", "education-school")).await.status, 200);
    let token = system.request("bank", "POST", "/oauth2/token").header("content-type", FORM).body("grant_type=client_credentials");
    assert_eq!(send(token).await.code(), "agency-suspended");
    system.stop().await;
}

pub async fn revoke(system: &System, folder: &str, token: &str) -> Reply {
    let form = form_urlencoded::Serializer::new(String::new()).append_pair("token", token).append_pair("token_type_hint", "x").finish();
    send(system.request(folder, "POST", "/oauth2/revoke").header("content-type", FORM).body(form)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_token_is_dead_at_once_and_after_a_restart() {
    let system = System::today().await;
    let (dead, alive) = (system.new_token("bank").await, system.new_token("bank").await);
    // Remembered by the verifier: revocation must be seen all the same.
    assert_eq!(ask_with(&system, "bank", &dead, &bank()).await.status, 200);
    let others = revoke(&system, "school", &dead).await;
    assert_eq!((others.status, others.json["error"].as_str()), (400, Some("unauthorized_client")));
    assert_eq!(ask_with(&system, "bank", &dead, &bank()).await.status, 200);

    let entries = system.entries();
    assert_eq!(revoke(&system, "bank", &dead).await.status, 200);
    assert_eq!(system.entries(), entries + 1);
    let reply = ask_with(&system, "bank", &dead, &bank()).await;
    assert_eq!((reply.status, reply.code()), (401, "token-invalid"));
    assert_eq!(ask_with(&system, "bank", &alive, &bank()).await.status, 200);
    assert_eq!(revoke(&system, "bank", &dead).await.status, 200);
    assert_eq!(revoke(&system, "bank", "no.such.token").await.status, 200);

    let peer = system.running.parts().trust.identify(&material::certificates(&system.credential("bank").cert).unwrap()[0]).unwrap();
    let claims = system.running.parts().tokens.verify(&dead, &peer, system.clock.now()).unwrap();
    let file = system.config.cutoff.with_file_name("revoked-tokens");
    let again = Revocations::open(&file, Box::new(|_, _| false), system.clock.now()).unwrap();
    assert!(again.contains(&claims));
    system.stop().await;
}

/// A folder of lists apart from the authority's own, which goes on publishing in its own place.
fn apart(config: &mut estelam::config::Config, urls: Vec<String>) {
    let lists = config.tls.crls.with_file_name("lists");
    std::fs::create_dir_all(&lists).unwrap();
    for file in ["root.crl.pem", "intermediate.crl.pem"] {
        std::fs::copy(config.tls.crls.join(file), lists.join(file)).unwrap();
    }
    config.tls.crls = lists.clone();
    config.registry.crls = lists;
    config.tls.crl_urls = urls;
    config.tls.crl_poll_ms = 100;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_come_from_several_sources_and_one_that_is_blocked_or_lies_is_no_loss() {
    let lab = tempfile::tempdir().unwrap();
    let published = lab.path().join("published.crl");
    let old = lab.path().join("old.crl");
    let rubbish = lab.path().join("rubbish.crl");
    std::fs::write(&published, "").unwrap();
    std::fs::write(&old, "").unwrap();
    std::fs::write(&rubbish, "<html>").unwrap();
    let sources = [ListSource::of(published.clone()).await, ListSource::of(old.clone()).await, ListSource::of(rubbish).await];
    let blocked = "http://127.0.0.1:1/list.crl".to_owned();
    let urls: Vec<String> = sources.iter().map(|source| source.url.clone()).chain([blocked]).collect();
    let system = System::with(TODAY, "", |config| apart(config, urls)).await;
    let mut list = system.dir.path().join("pki/crl/intermediate.crl.pem");
    std::fs::copy(&list, &old).unwrap();
    let north = system.credential("bank.north");
    let jwks = || system.request("bank.north", "GET", "/.well-known/jwks.json");
    assert_eq!(send(jwks()).await.status, 200);

    system.pki.revoke(&system.pki.serial_of(&north).unwrap()).unwrap();
    let draft = lab.path().join("draft");
    std::fs::copy(&list, &draft).unwrap();
    std::fs::rename(&draft, &published).unwrap();
    let peer = system.running.parts().trust.identify(&material::certificates(&north.cert).unwrap()[0]).unwrap();
    let refused = |system: &System| system.running.parts().trust.certificate_accepted(&peer, system.clock.now()).is_err();
    system.until("the revocation", refused).await;
    // An open connection gets refusals alone until it is closed, a moment later; a new one is not made.
    let told = try_send(system.request("bank.north", "POST", "/v1/verify")).await;
    assert!(
        told.is_err() || told.is_ok_and(|reply| reply.json["code"] == "certificate-not-accepted"),
        "a revoked certificate got an answer"
    );
    let keys = format!("{}/.well-known/jwks.json", system.config.issuer);
    assert!(try_send(system.client_of(&north).get(keys)).await.is_err(), "a revoked certificate made a connection");

    // The older list of the other source comes again and again, and never wins.
    let asked = sources[1].asked.load(std::sync::atomic::Ordering::SeqCst);
    system.until("two more looks", |_| sources[1].asked.load(std::sync::atomic::Ordering::SeqCst) >= asked + 2).await;
    assert!(refused(&system));
    let kek = acts::kek(&system);
    let recorded = |system: &System, code: &str| {
        let found = acts::acts(system, &kek).into_iter().filter(|act| act.code.as_deref() == Some(code)).collect::<Vec<_>>();
        found.iter().map(acts::details).collect::<Vec<_>>()
    };
    system.until("the list on record", |system| recorded(system, "list-in-force").len() == 1).await;
    let newer = recorded(&system, "list-in-force");
    assert!(newer[0]["revoked"] == 1 && newer[0]["before"].is_string(), "{newer:?}");
    system
        .until("the lost source on record", |system| {
            recorded(system, "list-source-lost").iter().any(|act| act["source"] == "http://127.0.0.1:1/list.crl")
        })
        .await;
    list = system.config.tls.crls.clone();
    let kept = std::fs::read_dir(&list).unwrap().flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("fetched-"));
    assert!(kept, "the list from the source is kept for the next start");
    assert_eq!(send(system.request("bank", "GET", "/.well-known/jwks.json")).await.status, 200);
    system.stop().await;
}
