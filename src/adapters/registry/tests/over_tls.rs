//! The client against servers that answer oddly, over real mutual TLS.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};

use super::super::config::{RegistryClientConfig, ServerCheck};
use super::super::http::HttpRegistry;
use super::super::upstream::{Key, Upstream};
use super::fake::{check, start};
use super::mini_pki::{MiniPki, Pem};
use crate::adapters::clock::ManualClock;
use crate::core::registry::wire::QUESTION;
use crate::core::registry::{NoAnswer, RegistryUnavailable};

const GOOD: &str = r#"{"version":1,"as_of":"2026-11-23T10:00:00Z","subject":"s","persons":[]}"#;

/// A server that gives one reply to every look-up.
fn serve(pki: &MiniPki, reply: fn() -> HttpResponse) -> u16 {
    serve_counted(pki, reply).0
}

/// The same, which counts its connections.
fn serve_counted(pki: &MiniPki, reply: fn() -> HttpResponse) -> (u16, Arc<AtomicUsize>) {
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // The body is read, so that the connection can be used again.
    let app = move || App::new().default_service(web::to(move |_: web::Bytes| async move { reply() }));
    let count = move |_: &dyn std::any::Any, _: &mut _| {
        counted.fetch_add(1, Ordering::SeqCst);
    };
    let server = HttpServer::new(app).on_connect(count).workers(1).disable_signals();
    actix_web::rt::spawn(server.listen_rustls_0_23(listener, pki.server_config()).unwrap().run());
    (port, connections)
}

fn client(trusted: &MiniPki, own: &Pem, port: u16) -> HttpRegistry {
    client_judged(check(trusted), own, port)
}

fn client_judged(judge: ServerCheck, own: &Pem, port: u16) -> HttpRegistry {
    let config = client_config(judge, own, port);
    HttpRegistry::new(&config, &config.base_urls[0], Arc::new(ManualClock::new(start()))).unwrap()
}

fn client_config(judge: ServerCheck, own: &Pem, port: u16) -> RegistryClientConfig {
    let mut config = RegistryClientConfig::new(format!("https://localhost:{port}/"), judge, own.cert.clone(), own.key.clone());
    // Long enough for a slow machine: nothing here waits for a deadline to pass.
    config.timeout = Duration::from_secs(20);
    config.connect_timeout = Duration::from_secs(20);
    config
}

async fn looked_up(reply: fn() -> HttpResponse) -> Result<u64, NoAnswer> {
    let pki = MiniPki::new();
    let port = serve(&pki, reply);
    client(&pki, &pki.client, port).look_up(&Key::new("yekta", "1")).await.map(|fetched| fetched.version)
}

async fn asked(reply: fn() -> HttpResponse) -> Result<u64, RegistryUnavailable> {
    looked_up(reply).await.map_err(NoAnswer::why)
}

fn json(body: impl Into<String>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(body.into())
}

#[actix_web::test]
async fn good_answer_passes() {
    assert_eq!(asked(|| json(GOOD)).await, Ok(1));
}

#[actix_web::test]
async fn a_certificate_that_falls_at_one_address_ends_the_connections_to_every_address() {
    let pki = MiniPki::new();
    let generation = Arc::new(AtomicU64::new(0));
    let judged = generation.clone();
    let judge = ServerCheck { generation: Arc::new(move || judged.load(Ordering::SeqCst)), ..check(&pki) };
    let addresses = [(); 2].map(|()| serve_counted(&pki, || json(GOOD)));
    let clients = addresses.each_ref().map(|(port, _)| client_judged(judge.clone(), &pki.client, *port));
    let connections_after_calls = async || {
        for client in clients.iter().chain(&clients) {
            client.look_up(&Key::new("yekta", "1")).await.unwrap();
        }
        addresses.each_ref().map(|(_, connections)| connections.load(Ordering::SeqCst))
    };
    assert_eq!(connections_after_calls().await, [1, 1]);
    generation.fetch_add(1, Ordering::SeqCst);
    assert_eq!(connections_after_calls().await, [2, 2]);
}

#[actix_web::test]
async fn what_is_connected_anew_leaves_every_connection_from_before() {
    let pki = MiniPki::new();
    let (port, connections) = serve_counted(&pki, || json(GOOD));
    let client = client(&pki, &pki.client, port);
    for made in 1..=2 {
        for _ in 0..2 {
            client.look_up(&Key::new("yekta", "1")).await.unwrap();
        }
        assert_eq!(connections.load(Ordering::SeqCst), made);
        client.connect_anew();
    }
}

#[actix_web::test]
async fn an_address_has_the_whole_time_of_a_look_up_also_where_there_is_another() {
    let pki = MiniPki::new();
    let more_than_half = || {
        std::thread::sleep(Duration::from_millis(1600));
        json(GOOD)
    };
    let ports = [(); 2].map(|()| serve(&pki, more_than_half));
    let mut config = RegistryClientConfig::new(String::new(), check(&pki), pki.client.cert.clone(), pki.client.key.clone());
    config.base_urls = ports.map(|port| format!("https://localhost:{port}/")).into();
    config.timeout = Duration::from_secs(3);
    for address in &config.base_urls {
        let client = HttpRegistry::new(&config, address, Arc::new(ManualClock::new(start()))).unwrap();
        client.look_up(&Key::new("yekta", "1")).await.unwrap();
    }
}

#[actix_web::test]
async fn an_answer_to_another_question_is_none_and_its_connection_is_not_used_again() {
    let pki = MiniPki::new();
    let another = || HttpResponse::Ok().insert_header((QUESTION, "0123")).content_type("application/json").body(GOOD);
    let (port, connections) = serve_counted(&pki, another);
    let client = client(&pki, &pki.client, port);
    for calls in 1..=2 {
        let asked = client.look_up(&Key::new("yekta", "1")).await;
        assert_eq!(asked.unwrap_err(), NoAnswer::Registry(RegistryUnavailable("its answer is to another question")));
        assert_eq!(connections.load(Ordering::SeqCst), calls);
    }
}

#[actix_web::test]
async fn redirect_is_not_followed() {
    let reply = || HttpResponse::TemporaryRedirect().insert_header(("location", "https://localhost:1/")).finish();
    assert_eq!(asked(reply).await, Err(RegistryUnavailable("it answered with another status than 200")));
}

#[actix_web::test]
async fn oversized_body_is_refused() {
    let reply = || json(format!("{GOOD}{}", " ".repeat(300 << 10)));
    assert_eq!(asked(reply).await, Err(RegistryUnavailable("its answer is too large")));
}

#[actix_web::test]
async fn what_is_wrong_with_one_number_is_told_from_what_is_wrong_with_the_registry() {
    const SOMEBODY: &str = r#"{"documents":[]}"#;
    let of_the_number: [fn() -> HttpResponse; 4] = [
        || json(format!("{GOOD}{}", " ".repeat(300 << 10))),
        || json(GOOD.replace("[]", r#"[{"documents":[{"kind":"green-card","state":"active"}]}]"#)),
        || json(GOOD.replace("[]", r#"[{"documents":[],"birth":{"date":"1370/13","calendar":"jalali"}}]"#)),
        || json(GOOD.replace("[]}", &format!(r#"[{SOMEBODY}],"more":true}}"#))),
    ];
    for reply in of_the_number {
        assert!(matches!(looked_up(reply).await, Err(NoAnswer::Number(_))));
    }
    let of_the_registry: [fn() -> HttpResponse; 4] = [
        || HttpResponse::InternalServerError().finish(),
        || json("{}"),
        || json(GOOD.replace("\"s\"", "\"\"")),
        || json(GOOD.replace("10:00:00", "10:01:01")),
    ];
    for reply in of_the_registry {
        assert!(matches!(looked_up(reply).await, Err(NoAnswer::Registry(_))));
    }
    assert_eq!(looked_up(|| json(GOOD.replace("[]}", &format!(r#"[{SOMEBODY},{SOMEBODY}],"more":true}}"#)))).await, Ok(1));
}

#[actix_web::test]
async fn wrong_content_type_is_refused() {
    let reply = || HttpResponse::Ok().content_type("text/html").body(GOOD);
    assert_eq!(asked(reply).await, Err(RegistryUnavailable("its answer is not JSON")));
}

#[actix_web::test]
async fn trailing_text_is_refused() {
    assert_eq!(asked(|| json(format!("{GOOD}x"))).await, Err(RegistryUnavailable("its answer is not what the contract says")));
}

#[actix_web::test]
async fn answer_from_the_future_is_refused() {
    let reply = || json(GOOD.replace("10:00:00", "10:01:01"));
    assert_eq!(asked(reply).await, Err(RegistryUnavailable("its clock and ours are more than a minute apart")));
}

#[actix_web::test]
async fn server_of_another_root_is_refused() {
    let (pki, other) = (MiniPki::new(), MiniPki::new());
    let port = serve(&pki, || json(GOOD));
    let answer = client(&other, &pki.client, port).look_up(&Key::new("yekta", "1")).await;
    assert_eq!(answer.unwrap_err().why(), RegistryUnavailable("its certificate comes from an unknown authority"));
}

#[actix_web::test]
async fn client_of_another_root_gets_nothing() {
    let (pki, other) = (MiniPki::new(), MiniPki::new());
    let port = serve(&pki, || json(GOOD));
    assert!(client(&pki, &other.client, port).look_up(&Key::new("yekta", "1")).await.is_err());
}

#[actix_web::test]
async fn a_certificate_of_ours_that_is_renewed_is_shown_at_once_and_no_connection_from_before_is_used() {
    let (pki, other) = (MiniPki::new(), MiniPki::new());
    let (port, connections) = serve_counted(&pki, || json(GOOD));
    let config = client_config(check(&pki), &other.client, port);
    let client = HttpRegistry::new(&config, &config.base_urls[0], Arc::new(ManualClock::new(start()))).unwrap();
    let asked = async || client.look_up(&Key::new("yekta", "1")).await.is_ok();
    assert!(!asked().await);
    assert!(config.own.renew(&pki.client.cert, &other.client.key).is_err(), "no pair");
    assert!(!asked().await, "the one before stays in use");
    assert_eq!(config.own.renew(&pki.client.cert, &pki.client.key).ok(), Some(true));
    assert!(asked().await && asked().await);
    assert_eq!(config.own.renew(&pki.client.cert, &pki.client.key).ok(), Some(false), "it is in use");
    assert!(asked().await);
    let made = connections.load(Ordering::SeqCst);
    let with_its_root = [pki.client.cert.clone(), pki.ca.clone()].concat();
    assert_eq!(config.own.renew(&with_its_root, &pki.client.key).ok(), Some(true));
    assert!(asked().await && asked().await);
    assert_eq!(connections.load(Ordering::SeqCst), made + 1);
}

#[actix_web::test]
async fn nobody_listening_is_unavailable() {
    let pki = MiniPki::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let answer = client(&pki, &pki.client, port).look_up(&Key::new("yekta", "1")).await;
    assert_eq!(answer.unwrap_err().why(), RegistryUnavailable("it cannot be reached"));
}

#[test]
fn plain_http_is_no_address() {
    let pki = MiniPki::new();
    let config = RegistryClientConfig::new("http://localhost/", check(&pki), pki.client.cert, pki.client.key);
    assert!(HttpRegistry::new(&config, &config.base_urls[0], Arc::new(ManualClock::new(start()))).is_err());
}

const NO_DECREES: &str = r#"{"version":"VERSION","cursor":1,"as_of":"2026-11-23T10:00:00Z","decrees":[]}"#;

/// SHA-256 of nothing, in the form of a version.
const VERSION_OF_NONE: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[actix_web::test]
async fn decrees_that_their_version_does_not_name_are_refused() {
    let fetched = |reply: fn() -> HttpResponse| async move {
        let pki = MiniPki::new();
        let port = serve(&pki, reply);
        client(&pki, &pki.client, port).decrees().await.map(|fetched| fetched.set.version)
    };
    assert_eq!(fetched(|| json(NO_DECREES.replace("VERSION", VERSION_OF_NONE))).await, Ok(VERSION_OF_NONE.to_owned()));
    let lie = RegistryUnavailable("its decrees are not those that their version names");
    assert_eq!(fetched(|| json(NO_DECREES.replace("VERSION", &VERSION_OF_NONE.replace("e3b0", "e3b1")))).await, Err(lie));
    assert_eq!(fetched(|| json(NO_DECREES.replace("VERSION", ""))).await, Err(lie));
}
