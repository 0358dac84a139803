//! The `public` listener: what anyone may read, and problems without a record for the rest.

use std::sync::Arc;

use estelam::adapters::tls::config::anonymous_client_config;
use reqwest::{Method, RequestBuilder};
use rustls_pki_types::ServerName;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::harness::{System, client_with, send};
use crate::tls_support::patiently;

fn tls(system: &System) -> rustls::ClientConfig {
    anonymous_client_config(&system.pki.ca(), system.clock.clone()).unwrap()
}

fn request(system: &System, method: Method, path: &str) -> RequestBuilder {
    client_with(tls(system)).request(method, format!("https://localhost:{}{path}", system.config.listen.public.port()))
}

async fn said_to(system: &System, bytes: &[u8]) -> String {
    let tcp = TcpStream::connect(system.config.listen.public).await.unwrap();
    let mut connection = TlsConnector::from(Arc::new(tls(system))).connect(ServerName::try_from("localhost").unwrap(), tcp).await.unwrap();
    connection.write_all(bytes).await.unwrap();
    let mut said = Vec::new();
    patiently(connection.read_to_end(&mut said)).await.unwrap();
    String::from_utf8(said).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_gets_problems_and_leaves_no_record() {
    let system = System::today().await;
    let before = system.entries();
    for (method, path, status, code) in [
        (Method::GET, "/v1/verify", 404, "not-found"),
        (Method::POST, "/no/such", 404, "not-found"),
        (Method::POST, "/checkpoint", 405, "method-not-allowed"),
        (Method::DELETE, "/.well-known/jwks.json", 405, "method-not-allowed"),
    ] {
        let reply = send(request(&system, method, path)).await;
        assert_eq!((reply.status, reply.code(), reply.header("content-type")), (status, code, "application/problem+json"), "{path}");
        assert_eq!(reply.header("allow"), if status == 405 { "GET, HEAD" } else { "" });
        check_problem(&reply.json);
    }
    let long = format!("GET /checkpoint HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "y".repeat(20_000));
    for (bytes, status, code) in [
        ("GET / HTTP/1.1\r\n\r\n", 400, "malformed-request"),
        ("nonsense\r\n\r\n", 400, "malformed-request"),
        (&long, 431, "head-too-large"),
    ] {
        let reply = said_to(&system, bytes.as_bytes()).await;
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let (head, body): (_, Value) = (head.to_lowercase(), serde_json::from_str(body).unwrap());
        assert!(head.starts_with(&format!("http/1.1 {status} ")) && head.contains("\r\nconnection: close"), "{head}");
        assert!(head.contains("\r\ncontent-type: application/problem+json") && head.contains("\r\ncache-control: no-store"), "{head}");
        assert_eq!((&body["code"], &body["status"]), (&json!(code), &json!(status)));
        check_problem(&body);
    }
    assert_eq!(system.entries(), before);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_number_of_a_sealed_log_is_not_repeated() {
    let system = System::today().await;
    for number in ["9990000018x", "1", "0", "-1", "99900000180000000000000000"] {
        for rest in ["checkpoint", "checkpoint.key", "tile/0/000"] {
            let reply = send(request(&system, Method::GET, &format!("/log/{number}/{rest}"))).await;
            let fields = ["content-type", "cache-control"].map(|name| reply.header(name));
            assert_eq!((reply.status, fields), (404, ["text/plain; charset=utf-8", "no-store"]), "{number} {rest}");
            assert_eq!(String::from_utf8_lossy(&reply.body), "there is no sealed log of this number\n");
        }
    }
    system.stop().await;
}

/// Whole as RFC 9457 has it, and without what only a record gives.
fn check_problem(problem: &Value) {
    for member in ["type", "title", "request_id", "detail"] {
        assert!(problem[member].is_string(), "{member}: {problem}");
    }
    assert!(problem.get("ledger").is_none() && problem.get("statement").is_none(), "{problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_of_server_and_resource_is_whole_and_the_same_on_both_listeners() {
    let system = System::today().await;
    let issuer = &system.config.issuer;
    let before = system.entries();
    let read = async |name: &str| {
        let path = format!("/.well-known/{name}");
        let (inside, outside) = (send(system.request("bank", "GET", &path)).await, send(request(&system, Method::GET, &path)).await);
        assert_eq!((inside.status, outside.status, inside.header("content-type")), (200, 200, "application/json"), "{name}");
        assert_eq!(inside.json, outside.json, "{name}");
        let head = send(request(&system, Method::HEAD, &path)).await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{name}");
        inside.json
    };
    let server = read("oauth-authorization-server").await;
    assert_eq!(server["issuer"], json!(issuer));
    assert_eq!(server["token_endpoint"], json!(format!("{issuer}/oauth2/token")));
    assert_eq!(server["mtls_endpoint_aliases"]["token_endpoint"], server["token_endpoint"]);
    // RFC 8414 §2 wants this member even where there is no authorization endpoint.
    assert_eq!((&server["response_types_supported"], &server["grant_types_supported"]), (&json!([]), &json!(["client_credentials"])));
    assert!(server["token_endpoint_auth_methods_supported"].as_array().unwrap().contains(&json!("tls_client_auth")));
    let resource = read("oauth-protected-resource").await;
    assert_eq!((&resource["resource"], &resource["authorization_servers"]), (&json!(issuer), &json!([issuer])));
    assert_eq!(resource["bearer_methods_supported"], json!(["header"]));
    for member in ["scopes_supported", "jwks_uri", "tls_client_certificate_bound_access_tokens"] {
        assert_eq!(server[member], resource[member], "{member}");
    }
    assert_eq!(server["tls_client_certificate_bound_access_tokens"], json!(true));
    let keys = read("jwks.json").await;
    let algorithms: Vec<_> = keys["keys"].as_array().unwrap().iter().map(|key| &key["alg"]).collect();
    assert!(algorithms.contains(&&resource["resource_signing_alg_values_supported"][0]), "{keys}");
    assert_eq!(system.entries(), before);
    system.stop().await;
}
