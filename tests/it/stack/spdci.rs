//! People of a social-protection registry, decrees of our own: one agency's question from end to end.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::{App, HttpResponse, HttpServer, web};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use estelam::adapters::pki::Credential;
use estelam::config::{Config, People};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;

use super::fixtures::query;
use super::harness::{Reply, System};
use crate::openapi::assert_described;
use crate::spdci_mock::{self, AnswerKey, GATEWAY, REGISTER};
use crate::tls_support::write_private;

/// Known to the social registry alone.
const KNOWN: &str = "9990000050";
/// Known to the registry of the decrees alone.
const FIXTURE: &str = "9990000018";

/// What the mock needs, made before the gateway starts.
struct Register {
    listener: TcpListener,
    key: AnswerKey,
    public: Vec<u8>,
    calls: Arc<AtomicU64>,
}

impl Register {
    fn people(&self, config: &Config, pkcs8: &[u8]) -> People {
        let folder = config.keys.parent().unwrap().join("pki/spdci");
        std::fs::create_dir_all(&folder).unwrap();
        write_private(&folder.join("sign.key"), &pem::encode(&pem::Pem::new("PRIVATE KEY", pkcs8)));
        std::fs::write(folder.join("register.jwks.json"), self.key.jwks()).unwrap();
        let (port, folder) = (self.listener.local_addr().unwrap().port(), folder.display());
        let text = format!(
            r#"protocol = "spdci"
            url = "https://localhost:{port}"
            identity = "spiffe://estelam.test/server/social"
            sender_id = "{GATEWAY}"
            receiver_id = "{REGISTER}"
            signing_key = "{folder}/sign.key"
            registry_keys = "{folder}/register.jwks.json"
            identifiers = {{ yekta = "UIN" }}"#
        );
        toml::from_str(&text).unwrap()
    }

    /// Answers that it knows one person, and nobody else.
    fn serve(self, credential: &Credential, root: &std::path::Path) {
        let Self { listener, key, public, calls } = self;
        let key = Arc::new(key);
        let search = move |body: web::Bytes| {
            calls.fetch_add(1, Ordering::SeqCst);
            let asked = spdci_mock::asked(&body, &public);
            let said = format!("{}{}", asked["header"], asked["message"]);
            assert!(["bank", "clinic", "clerk-1"].iter().all(|word| !said.contains(word)), "a search tells who asks");
            let (kind, value) = spdci_mock::number(&asked);
            let known = (value == KNOWN).then(|| spdci_mock::record(kind, value, "1402/03/31"));
            let body = key.body(&spdci_mock::answer(&asked, known.as_slice()));
            async move { HttpResponse::Ok().content_type("application/json").body(body) }
        };
        let tls = mutual_tls(credential, root);
        let _ = std::thread::spawn(move || {
            let app = move || App::new().route("/registry/sync/search", web::post().to(search.clone()));
            let server = HttpServer::new(app).workers(1).disable_signals().listen_rustls_0_23(listener, tls).unwrap().run();
            actix_web::rt::System::new().block_on(server).unwrap();
        });
    }
}

fn mutual_tls(credential: &Credential, root: &std::path::Path) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root).unwrap()).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
    let chain = CertificateDer::pem_file_iter(&credential.cert).unwrap().collect::<Result<_, _>>().unwrap();
    let tls = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    tls.with_client_cert_verifier(clients).with_single_cert(chain, PrivateKeyDer::from_pem_file(&credential.key).unwrap()).unwrap()
}

/// The system on the usual day, with its people elsewhere, where a certificate of this name is shown.
async fn system(name: &str) -> (System, Arc<AtomicU64>) {
    let own = Ed25519KeyPair::generate().unwrap();
    let (key, public, calls) = (AnswerKey::new(), own.public_key().as_ref().to_vec(), Arc::<AtomicU64>::default());
    let register = Register { listener: TcpListener::bind("127.0.0.1:0").unwrap(), key, public, calls: calls.clone() };
    let pkcs8 = own.to_pkcs8v1().unwrap();
    let system = System::configured(|config| config.registry.people = Some(register.people(config, pkcs8.as_ref()))).await;
    register.serve(&system.pki.issue_server(name).unwrap(), &system.pki.ca());
    (system, calls)
}

async fn ask(system: &System, scheme: &str, value: &str) -> Reply {
    system.token("clinic").await;
    let entries = system.entries();
    let reply = system.ask("clinic", &query("clinic", scheme, value, "insurance-health")).await;
    // A revocation list that comes meanwhile is an entry too.
    let index = reply.json["ledger"]["index"].as_u64().unwrap();
    assert!(reply.status == 200 && (entries..system.entries()).contains(&index), "{}", reply.json);
    assert_eq!(reply.json["statement"].as_str().unwrap().split('.').count(), 3);
    reply
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agency_gets_a_signed_answer_about_somebody_whom_only_the_social_registry_knows() {
    let (system, calls) = system("social").await;
    // Printed to 31 Khordad 1402: what makes it valid is a decree, and that came from the other registry.
    let live = ask(&system, "yekta", KNOWN).await;
    assert_eq!((live.outcome().as_str(), &live.json["freshness"]), ("entitled valid-by-decree", &json!("live")), "{}", live.json);
    assert_eq!(live.json["document"]["decree"], "d1-1402-04-07");
    let again = ask(&system, "yekta", KNOWN).await;
    assert_eq!((again.outcome().as_str(), &again.json["freshness"]), ("entitled valid-by-decree", &json!("cached")));
    assert_eq!(again.json["as_of"], live.json["as_of"]);
    let nobody = ask(&system, "yekta", FIXTURE).await;
    assert_eq!(nobody.outcome(), "indeterminate not-established");
    assert_eq!(system.look_ups(), 0, "the registry of the decrees is asked about nobody");
    let asked = calls.load(Ordering::SeqCst);
    let no_word = ask(&system, "amayesh-no", "A170000001").await;
    assert_eq!((no_word.outcome().as_str(), &no_word.json["may_deny"]), ("indeterminate registry-unavailable", &json!(false)));
    assert_eq!(calls.load(Ordering::SeqCst), asked, "a number that it has no word for is not sent");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_and_status_tell_the_two_registries_apart() {
    let (system, _) = system("social").await;
    let ops = format!("http://{}", system.config.listen.ops);
    let get = |path: &str| system.client("clinic").get(format!("{ops}{path}")).send();
    ask(&system, "yekta", KNOWN).await;
    let status: serde_json::Value = get("/status").await.unwrap().json().await.unwrap();
    assert_eq!(status["parts"]["people-registry"], json!(true), "{status}");
    assert_described("NodeStatus", &status);
    assert_described("Health", &get("/health/ready").await.unwrap().json().await.unwrap());
    assert_eq!((&status["registry"]["people"]["protocol"], &status["registry"]["people"]["change_feed"]), (&json!("spdci"), &json!(false)));
    assert_eq!(status["registry"]["people"]["addresses"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&status["registry"]["addresses"][0]["followed"], &status["registry"]["people"]["addresses"][0]["followed"]),
        (&json!(true), &json!(false))
    );
    // Without the decrees nothing can be answered, whoever is known.
    system.stop_registry().await;
    system.advance(60);
    system.until("the loss of the feed", |system| !system.running.parts().registry.ready()).await;
    assert_eq!(get("/health/ready").await.unwrap().status(), 503);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_revoked_certificate_is_noticed_by_itself_on_live_connections_too() {
    let (system, calls) = system("social").await;
    assert_eq!(ask(&system, "yekta", FIXTURE).await.outcome(), "indeterminate not-established");
    let own = system.dir.path().join("pki/social");
    let credential = Credential { cert: own.join("cert.pem"), key: own.join("key.pem") };
    system.pki.revoke(&system.pki.serial_of(&credential).unwrap()).unwrap();
    // Whoever is nobody is looked up live each time.
    let noticed = async { while ask(&system, "yekta", FIXTURE).await.code() != "registry-unavailable" {} };
    tokio::time::timeout(std::time::Duration::from_secs(20), noticed).await.expect("a revoked certificate goes on being believed");
    let asked = calls.load(Ordering::SeqCst);
    assert_eq!(ask(&system, "yekta", KNOWN).await.outcome(), "indeterminate registry-unavailable");
    assert_eq!(calls.load(Ordering::SeqCst), asked);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_another_name_is_not_believed() {
    let (system, calls) = system("registry").await;
    let reply = ask(&system, "yekta", KNOWN).await;
    assert_eq!((reply.outcome().as_str(), calls.load(Ordering::SeqCst)), ("indeterminate registry-unavailable", 0));
    system.stop().await;
}

/// The registry of people has no word for such a number, so that it tells no others; what was asked about this one is found all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trail_crosses_registries_and_a_number_that_neither_knows_is_searched_alone() {
    let (system, calls) = system("social").await;
    super::audit_person::open_case(&system, "case-1");
    ask(&system, "yekta", KNOWN).await;
    assert_eq!(ask(&system, "amayesh-no", "A170000001").await.outcome(), "indeterminate registry-unavailable");
    let known = super::audit_person::trail(&system, "yekta", KNOWN).await;
    assert_eq!((&known["count"], &known["persons"], &known["complete"]), (&json!(1), &json!(1), &json!(true)), "{known}");
    let before = calls.load(Ordering::SeqCst);
    let alone = super::audit_person::trail(&system, "amayesh-no", "A170000001").await;
    assert_eq!((&alone["count"], &alone["persons"], &alone["identifiers"]), (&json!(1), &json!(0), &json!(1)), "{alone}");
    assert_eq!((&alone["entries"][0]["agency"], &alone["complete"]), (&json!("clinic"), &json!(true)));
    assert_eq!(calls.load(Ordering::SeqCst), before, "a number that it has no word for is not sent");
    system.stop().await;
}
