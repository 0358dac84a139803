//! Only the right registry is believed: a certificate that is revoked, of another name or of nobody makes it unavailable.

use std::fs;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use estelam::adapters::pki::{Credential, DevPki};
use estelam::adapters::registry::{CachedRegistry, RegistryClientConfig, ServerCheck, connect};
use estelam::adapters::tls::material;
use estelam::adapters::tls::server_trust::{ServerTrust, ServerTrustSettings};
use estelam::core::domain::assurance::Assurance;
use estelam::core::domain::clock::Clock;
use estelam::core::registry::Registry;
use rcgen::{CertificateParams, KeyPair};
use rustls::client::danger::ServerCertVerifier;
use rustls_pki_types::UnixTime;
use serde_json::json;

use super::fixtures::query;
use super::harness::System;
use crate::tls_support::write_private;

/// Puts another server certificate in the registry's place and starts it again.
async fn restart_with(system: &System, credential: &Credential) {
    system.stop_registry().await;
    let own = system.dir.path().join("pki/registry");
    fs::copy(&credential.cert, own.join("cert.pem")).unwrap();
    fs::copy(&credential.key, own.join("key.pem")).unwrap();
    system.start_registry();
}

/// Nobody is looked up, nobody is denied, and the node says that it is not ready.
async fn check_unavailable(system: &System, what: &str) {
    system.until(what, |system| !system.running.parts().registry.ready()).await;
    let asked = system.look_ups();
    let reply = system.ask("bank", &query("bank", "yekta", "9990000026", "bank-card")).await;
    assert_eq!((reply.status, reply.outcome().as_str()), (200, "indeterminate registry-unavailable"), "{what}: {}", reply.json);
    assert_eq!(reply.json["may_deny"], json!(false), "{what}");
    assert_eq!(system.look_ups(), asked, "{what}");
}

/// The feed's silence counts only after its bound; decrees that cannot be had count at once. So the clock moves on.
fn let_time_pass(system: &System) {
    system.advance(60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_registry_is_not_asked_on_live_connections_either() {
    let system = System::today().await;
    let known = query("bank", "yekta", "9990000018", "bank-card");
    assert_eq!(system.ask("bank", &known).await.status, 200);
    let own = system.dir.path().join("pki/registry");
    let credential = Credential { cert: own.join("cert.pem"), key: own.join("key.pem") };
    system.pki.revoke(&system.pki.serial_of(&credential).unwrap()).unwrap();
    system.running.parts().registry_trust.reload().unwrap();
    assert!(!system.running.parts().registry_trust.still_good());
    let_time_pass(&system);
    check_unavailable(&system, "a revoked certificate").await;
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_certificates_the_revoked_one_counts_whichever_came_last() {
    let system = System::today().await;
    let trust = ServerTrust::open(ServerTrustSettings { identity: None, ..settings(&system) }, system.clock.clone()).unwrap();
    let passes = |name: &str| {
        let chain = material::certificates(&system.dir.path().join("pki").join(name).join("cert.pem")).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(system.clock.now().as_second().try_into().unwrap()));
        trust.verify_server_cert(&chain[0], &chain[1..], &"localhost".try_into().unwrap(), &[], now).is_ok()
    };
    // Two addresses of one register, each with a certificate of its own; the second one connects last.
    assert!(passes("registry") && passes("gateway") && passes("gateway"));
    assert_eq!((trust.generation(), trust.still_good()), (0, true));
    let own = system.dir.path().join("pki/registry");
    let credential = Credential { cert: own.join("cert.pem"), key: own.join("key.pem") };
    system.pki.revoke(&system.pki.serial_of(&credential).unwrap()).unwrap();
    trust.reload().unwrap();
    assert_eq!((trust.generation(), trust.still_good()), (1, false), "every connection is made anew");
    assert!(!passes("registry") && passes("gateway"));
    assert_eq!(trust.generation(), 1, "once");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_of_another_name_or_of_nobody_is_not_believed_and_the_right_one_is_again() {
    let system = System::today().await;
    let right = system.dir.path().join("right");
    fs::create_dir_all(&right).unwrap();
    let kept = Credential { cert: right.join("cert.pem"), key: right.join("key.pem") };
    for (from, to) in [("cert.pem", &kept.cert), ("key.pem", &kept.key)] {
        fs::copy(system.dir.path().join("pki/registry").join(from), to).unwrap();
    }
    // The same host, the same authority; but the gateway's name.
    let gateway = system.dir.path().join("pki/gateway");
    restart_with(&system, &Credential { cert: gateway.join("cert.pem"), key: gateway.join("key.pem") }).await;
    let_time_pass(&system);
    check_unavailable(&system, "another identity").await;
    restart_with(&system, &self_signed(&system)).await;
    check_unavailable(&system, "a self-signed certificate").await;
    restart_with(&system, &kept).await;
    system.until("the right registry", |system| system.running.parts().registry.ready()).await;
    system.stop().await;
}

fn self_signed(system: &System) -> Credential {
    let folder = system.dir.path().join("nobody");
    fs::create_dir_all(&folder).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let name = "spiffe://estelam.test/server/registry".try_into().unwrap();
    params.subject_alt_names.push(rcgen::SanType::URI(name));
    let credential = Credential { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
    fs::write(&credential.cert, params.self_signed(&key).unwrap().pem()).unwrap();
    write_private(&credential.key, &key.serialize_pem());
    credential
}

fn settings(system: &System) -> ServerTrustSettings {
    let part = &system.config.registry;
    ServerTrustSettings {
        roots: part.ca.clone(),
        intermediates: part.intermediates.clone(),
        crl_dir: part.crls.clone(),
        crl_memory: system.dir.path().join("own-memory.json"),
        crl_grace: jiff::SignedDuration::from_hours(24),
        identity: part.identity.clone(),
    }
}

/// A client of the running registry with settings of its own.
async fn client(system: &System, change: impl FnOnce(&mut ServerTrustSettings)) -> Result<Arc<CachedRegistry>, String> {
    let part = &system.config.registry;
    let mut settings = settings(system);
    change(&mut settings);
    let trust = ServerTrust::open(settings, system.clock.clone()).map_err(|error| error.to_string())?;
    let judge = trust.clone();
    let server = ServerCheck { verifier: trust, generation: Arc::new(move || judge.generation()) };
    let own = [&part.certificate, &part.key].map(|file| fs::read(file).unwrap());
    let [cert, key] = own;
    Ok(connect(RegistryClientConfig::new(part.url.clone(), server, cert, key), None, system.clock.clone()).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_but_the_gateway_reads_the_registry_whatever_an_agency_is_called() {
    let system = System::today().await;
    let ask = async |client: reqwest::Client| {
        let asked = client.post(format!("{}/registry/v1/lookup", system.config.registry.url));
        let asked = asked.header("content-type", "application/json").body(r#"{"scheme":"yekta","value":"9990000018"}"#);
        asked.send().await.map(|reply| reply.status().as_u16()).ok()
    };
    assert_eq!(ask(system.client("gateway-client")).await, Some(200));
    let asked = system.look_ups();
    for name in [
        "agency/gateway",
        "agency/gateway-client",
        "agency/gateway-client/branch/x",
        "agency/gateway/branch/x",
        "agency/registry-client",
        "agency/bank",
        "service/gateway/branch/x",
        "service/gateway-client",
        "service/registry",
    ] {
        let key = KeyPair::generate().unwrap();
        let folder = system.dir.path().join("impostor").join(name.replace('/', "."));
        fs::create_dir_all(&folder).unwrap();
        let credential = Credential { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
        let pem = system.pki.sign(&rcgen::PublicKeyData::subject_public_key_info(&key), &format!("spiffe://estelam.test/{name}")).unwrap();
        fs::write(&credential.cert, pem).unwrap();
        write_private(&credential.key, &key.serialize_pem());
        let reply = ask(system.client_of(&credential)).await;
        assert!(reply.is_none_or(|status| status == 403), "{name}: {reply:?}");
        assert_eq!(system.look_ups(), asked, "{name}");
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_required_and_old_ones_close_the_gateway_service_by_service() {
    let system = System::today().await;
    assert!(system.config.registry.identity.is_some(), "the shipped configuration pins the registry");
    let good = client(&system, |_| ()).await.unwrap();
    system.until("the decrees", |_| good.ready() && good.decrees().is_some()).await;
    let unpinned = client(&system, |settings| settings.identity = None).await.unwrap();
    system.until("the decrees", |_| unpinned.ready()).await;
    let empty = system.dir.path().join("empty");
    fs::create_dir_all(&empty).unwrap();
    let error = client(&system, |settings| settings.crl_dir = empty).await.err().unwrap();
    assert!(error.contains("no revocation list of this authority"), "{error}");
    system.advance(8 * 24 * 3600);
    assert_eq!(system.running.parts().registry_trust.assurance(), Assurance::Overdue);
    assert!(client(&system, |_| ()).await.is_ok(), "a list that cannot be renewed must not keep a node from starting");
    let again = DevPki::create_or_open(&system.dir.path().join("pki"), system.clock.clone());
    assert!(again.is_ok());
    system.stop().await;
}

#[test]
fn a_configuration_without_lists_of_the_registry_is_refused_with_what_is_missing() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = estelam::config::template(address, address, address, 1, 1);
    let without: String = text.lines().filter(|line| !line.starts_with("crls = ")).map(|line| format!("{line}\n")).collect();
    let error = estelam::config::Config::parse(&without, std::path::Path::new("/x/estelam.toml")).unwrap_err().to_string();
    assert!(error.starts_with("/x/estelam.toml:") && error.contains("missing field `crls`"), "{error}");
    let unnamed = text.replace("identity = \"spiffe:", "identity = \"https:");
    let error = estelam::config::Config::parse(&unnamed, std::path::Path::new("/x/estelam.toml")).unwrap_err().to_string();
    assert!(error.contains("`registry.identity` must be"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_registry_takes_up_new_revocation_lists_by_itself() {
    let system = System::today().await;
    let mut known = query("bank", "amayesh-no", "A170000001", "bank-card");
    known["max_age"] = json!(0);
    assert_eq!(system.ask("bank", &known).await.outcome(), "entitled valid-by-decree");
    // Long after the lists of its start: only newer ones keep the gateway's certificate good.
    system.advance(9 * 24 * 3600);
    system.pki.refresh_crls().unwrap();
    system.running.parts().trust.reload().unwrap();
    system.running.parts().registry_trust.reload().unwrap();
    system.until("the feed on the new lists", |system| system.running.parts().registry.ready()).await;
    assert_eq!(system.ask("bank", &known).await.outcome(), "entitled valid-by-decree");
    // A revoked gateway is not told anything more, on the connections that it has either.
    let own = system.dir.path().join("pki/gateway-client");
    let credential = Credential { cert: own.join("cert.pem"), key: own.join("key.pem") };
    let mut reads = system.registry_list_reads();
    system.pki.revoke(&system.pki.serial_of(&credential).unwrap()).unwrap();
    // The folder may have told of the newer lists before it tells of this one.
    let cut_off = async {
        loop {
            reads.changed().await.unwrap();
            if system.ask("bank", &known).await.outcome() == "indeterminate registry-unavailable" {
                return;
            }
        }
    };
    tokio::time::timeout(super::harness::PATIENCE, cut_off).await.expect("the registry never took the list up");
    let asked = system.look_ups();
    assert_eq!(system.ask("bank", &known).await.outcome(), "indeterminate registry-unavailable");
    assert_eq!(system.look_ups(), asked);
    system.stop().await;
}
