//! The token endpoint with `private_key_jwt`, an outside issuer's tokens, and the limit by address, through the whole stack.

use estelam::config::OutsideIssuer;
use estelam::core::signing::{Algorithm, Signer as _};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use super::fixtures::query;
use super::harness::{FORM, Reply, System, send};
use crate::foreign_keys::ForeignKey;

async fn ask_for_token(system: &System, agency: &str, more: &str) -> Reply {
    let form = format!("grant_type=client_credentials{more}");
    send(system.request(agency, "POST", "/oauth2/token").header(CONTENT_TYPE, FORM).body(form)).await
}

fn assertion(system: &System, key: &ForeignKey, agency: &str, jti: &str) -> String {
    use estelam::core::domain::clock::Clock;
    let now = system.clock.now().as_second();
    let claims = json!({"iss": agency, "sub": agency, "aud": system.config.issuer, "exp": now + 60, "iat": now, "jti": jti});
    let compact = key.signed(&json!({"alg": key.alg(), "kid": "a", "typ": "client-authentication+jwt"}), &claims);
    format!("&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion={compact}")
}

/// Registers a key beside the agency's file, as an operator does, and waits until the gateway has taken it up.
async fn register(system: &System, agency: &str, key: &ForeignKey) {
    let folder = system.config.policies.join("agencies");
    let before = system.running.parts().policies.current().version.clone();
    std::fs::write(folder.join(format!("{agency}.jwks.json")), json!({"keys": [key.jwk("a")]}).to_string()).unwrap();
    let file = folder.join(format!("{agency}.toml"));
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\n[client_auth]\nmethods = [\"private_key_jwt\"]\n")).unwrap();
    system.until("the registered key", |system| system.running.parts().policies.current().version != before).await;
}

/// The 401 of RFC 6749 §5.2, with a challenge.
fn check_not_authenticated(reply: &Reply, what: &str) {
    assert_eq!((reply.status, reply.json["error"].as_str()), (401, Some("invalid_client")), "{what}: {}", reply.json);
    let fields = ["www-authenticate", "content-type", "cache-control"].map(|name| reply.header(name));
    assert_eq!(fields, [r#"Basic realm="estelam""#, "application/json", "no-store"], "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_with_a_secret_hears_what_oauth_says_and_gets_and_revokes_nothing() {
    let system = System::today().await;
    let token = system.token("bank").await;
    for (path, form) in [("/oauth2/token", "grant_type=client_credentials".to_owned()), ("/oauth2/revoke", format!("token={token}"))] {
        let ask = async |field: &str, more: &str| {
            let entries = system.entries();
            let request = system.request("bank", "POST", path).header(CONTENT_TYPE, FORM).body(format!("{form}{more}"));
            let reply = send(if field.is_empty() { request } else { request.header(AUTHORIZATION, field) }).await;
            assert_eq!(system.entries(), entries + 1, "{path} {field}: on record");
            reply
        };
        for (field, more) in [("Basic YmFuazpzM2NyZXQ=", ""), ("basic", ""), ("", "&client_secret=s3cret"), ("", "&client_id=school")] {
            check_not_authenticated(&ask(field, more).await, &format!("{path} {field}{more}"));
        }
        let elsewhere = ask(&format!("Bearer {token}"), "").await;
        assert_eq!((elsewhere.status, elsewhere.code(), elsewhere.header("www-authenticate")), (400, "malformed-request", ""), "{path}");
    }
    assert_eq!(system.ask("bank", &query("bank", "amayesh-no", "A170000001", "bank-card")).await.status, 200, "its token works");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registered_key_is_wanted_beside_the_certificate_and_each_assertion_counts_once() {
    let (system, key) = (System::today().await, ForeignKey::ps256());
    assert_eq!(ask_for_token(&system, "bank", &assertion(&system, &key, "bank", "early")).await.json["error"], "invalid_client");
    register(&system, "bank", &key).await;
    let entries = system.entries();
    let refused = ask_for_token(&system, "bank", "").await;
    check_not_authenticated(&refused, "without an assertion");
    let one = assertion(&system, &key, "bank", "one");
    let granted = ask_for_token(&system, "bank", &one).await;
    assert_eq!(granted.status, 200, "{}", granted.json);
    let again = ask_for_token(&system, "bank", &one).await;
    check_not_authenticated(&again, "one that was spent");
    let foreign = ask_for_token(&system, "school", &assertion(&system, &key, "bank", "two")).await;
    check_not_authenticated(&foreign, "on another agency's connection");
    assert_eq!(system.entries(), entries + 4, "each is on record");
    let bearer = granted.json["access_token"].as_str().unwrap();
    let question = query("bank", "amayesh-no", "A170000001", "bank-card");
    let request = system.request("bank", "POST", "/v1/verify").bearer_auth(bearer).header(CONTENT_TYPE, "application/json");
    assert_eq!(send(request.body(question.to_string())).await.status, 200);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_authenticates_by_assertions_revokes_its_token_by_one() {
    let (system, key) = (System::today().await, ForeignKey::es256());
    register(&system, "bank", &key).await;
    let token =
        ask_for_token(&system, "bank", &assertion(&system, &key, "bank", "one")).await.json["access_token"].as_str().unwrap().to_owned();
    let question = query("bank", "amayesh-no", "A170000001", "bank-card");
    let ask = async || {
        let request = system.request("bank", "POST", "/v1/verify").bearer_auth(&token).header(CONTENT_TYPE, "application/json");
        send(request.body(question.to_string())).await.status
    };
    let revoke = async |more: &str| {
        send(system.request("bank", "POST", "/oauth2/revoke").header(CONTENT_TYPE, FORM).body(format!("token={token}{more}"))).await
    };
    for (what, bad) in [
        ("one that was spent", assertion(&system, &key, "bank", "one")),
        ("another key's", assertion(&system, &ForeignKey::es256(), "bank", "two")),
        ("another client", "&client_id=school".to_owned()),
    ] {
        let reply = revoke(&bad).await;
        check_not_authenticated(&reply, what);
        assert_eq!(ask().await, 200, "{what}");
    }
    assert_eq!(revoke(&assertion(&system, &key, "bank", "three")).await.status, 200);
    assert_eq!(ask().await, 401);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_whose_outside_key_is_not_known_yet_is_not_called_dead() {
    let system = System::configured(|config| {
        let issuer = OutsideIssuer {
            issuer: crate::outside_token::OUTSIDE.to_owned(),
            jwks_url: "https://127.0.0.1:1/jwks".to_owned(),
            ca: config.tls.client_ca.clone(),
            crls: None,
            algorithms: vec!["ES256".to_owned()],
            audience: None,
            agency_claim: "client_id".to_owned(),
            agencies: vec!["bank".to_owned()],
            scopes: vec!["verify".to_owned()],
            private_addresses: true,
            refresh_s: 300,
            cooldown_s: 30,
            good_for_s: 3600,
        };
        config.issuers.push(issuer);
    })
    .await;
    let key = ForeignKey::es256();
    let token = key.signed(&json!({"alg": "ES256", "kid": "new", "typ": "at+jwt"}), &crate::outside_token::claims());
    let entries = system.entries();
    let reply = send(system.request("bank", "POST", "/oauth2/revoke").header(CONTENT_TYPE, FORM).body(format!("token={token}"))).await;
    assert_eq!((reply.status, reply.json["error"].as_str()), (503, Some("temporarily_unavailable")), "{}", reply.json);
    assert!(reply.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(system.entries(), entries + 1, "and that is on record");
    let kept = std::fs::read_to_string(system.config.cutoff.with_file_name("revoked-tokens")).unwrap();
    assert!(kept.is_empty(), "nothing was revoked");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scope_that_policy_takes_away_is_of_no_use_in_a_token_from_before() {
    let system = System::today().await;
    let reply = ask_for_token(&system, "kefalat", "&scope=verify+log%3Aholder").await;
    let token = reply.json["access_token"].as_str().unwrap().to_owned();
    let look = async || {
        let request = system.request("kefalat", "POST", "/v1/log/holder").bearer_auth(&token).header(CONTENT_TYPE, "application/json");
        send(request.body("{}")).await
    };
    let before = look().await;
    assert!(before.status >= 400 && before.code() != "scope-missing", "{}", before.json);
    super::workshop::edit_policy(system.dir.path(), "kefalat", |text| {
        let from = text.lines().find(|line| line.starts_with("scopes = ")).unwrap().to_owned();
        text.replace(&from, "scopes = [\"verify\"]")
    });
    system.running.parts().policies.reload().unwrap();
    let (entries, refused) = (system.entries(), look().await);
    assert_eq!((refused.status, refused.code()), (403, "scope-missing"), "{}", refused.json);
    assert_eq!(system.entries(), entries + 1);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_names_what_the_endpoint_does() {
    let system = System::today().await;
    let metadata = send(system.request("bank", "GET", "/.well-known/oauth-authorization-server")).await.json;
    assert_eq!(metadata["token_endpoint_auth_methods_supported"], json!(["tls_client_auth", "private_key_jwt"]));
    assert_eq!(metadata["token_endpoint_auth_signing_alg_values_supported"], json!(["PS256", "ES256", "EdDSA"]));
    assert_eq!(metadata["revocation_endpoint_auth_methods_supported"], json!(["tls_client_auth", "private_key_jwt"]));
    assert_eq!(metadata["revocation_endpoint_auth_signing_alg_values_supported"], json!(["PS256", "ES256", "EdDSA"]));
    assert_eq!(metadata["mtls_endpoint_aliases"]["revocation_endpoint"], metadata["revocation_endpoint"]);
    assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], Value::Bool(true));
    system.stop().await;
}

fn keys(dir: &str, arguments: &[&str]) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_estelam"));
    let output = command.arg("keys").args(arguments).args(["--dir", dir]).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_name_the_algorithm_of_the_key_that_signs_statements_now() {
    let system = System::at(&super::agency_life::today(), "").await;
    let dir = super::tools::configured(&system);
    let named = async || {
        let metadata = send(system.request("bank", "GET", "/.well-known/oauth-protected-resource")).await.json;
        metadata["resource_signing_alg_values_supported"].clone()
    };
    assert_eq!(named().await, json!(["EdDSA"]));
    let file = system.dir.path().join("estelam.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (eddsa, es256) = ("\nalgorithm = \"EdDSA\"\n", "\nalgorithm = \"ES256\"\n");
    assert!(text.contains(eddsa));
    std::fs::write(&file, text.replace(eddsa, es256)).unwrap();
    // The key that stands by was made before; its successor is of the other algorithm.
    for _ in 0..2 {
        keys(&dir, &["standby", "statements"]);
        keys(&dir, &["rotate", "statements", "--now"]);
    }
    let signs = |system: &System| system.running.parts().keys.current().statements().algorithm();
    system.until("the new key", |system| signs(system) == Algorithm::Es256).await;
    assert_eq!(named().await, json!(["ES256"]));
    system.stop().await;
}

/// Sends one request after the other until one is not let through.
async fn limited(system: &System, folder: &str, path: &str, form: &str) -> Reply {
    for _ in 0..200 {
        let reply = send(system.request(folder, "POST", path).header(CONTENT_TYPE, FORM).body(form.to_owned())).await;
        if reply.status != 200 {
            return reply;
        }
    }
    panic!("200 calls of `{path}` by {folder} and no limit");
}

const ROUTES: [(&str, &str); 2] = [("/oauth2/token", "grant_type=client_credentials"), ("/oauth2/revoke", "token=no.such.token")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agency_and_a_unit_get_and_revoke_so_many_tokens_and_hear_when_to_come_again() {
    let system = System::today().await;
    let slow = "token = { per_second = 1, burst = 1 }";
    super::workshop::edit_policy(system.dir.path(), "clinic", |text| {
        let from = text.lines().find(|line| line.starts_with("token = ")).unwrap().to_owned();
        text.replace(&from, slow)
    });
    super::workshop::edit_policy(system.dir.path(), "bank", |text| format!("{text}\n[[unit]]\nname = \"north\"\n{slow}\n"));
    system.running.parts().policies.reload().unwrap();
    for (path, form) in ROUTES {
        for folder in ["clinic", "clinic.ward", "bank.north"] {
            let reply = limited(&system, folder, path, form).await;
            assert_eq!((reply.status, reply.code()), (429, "rate-limited"), "{path} {folder}: {}", reply.json);
            assert!(reply.header("retry-after").parse::<u64>().unwrap() >= 1, "{path} {folder}");
            assert!(reply.header("ratelimit-policy").contains("\"token\""), "{path} {folder}: {}", reply.header("ratelimit-policy"));
        }
        for free in ["bank.south", "bank", "school"] {
            let reply = send(system.request(free, "POST", path).header(CONTENT_TYPE, FORM).body(form)).await;
            assert_eq!(reply.status, 200, "{path} {free}: {}", reply.json);
        }
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_a_unit_that_were_never_seen_before_do_not_spend_what_its_agency_has() {
    let system = System::today().await;
    let slow = "token_miss = { per_second = 1, burst = 1 }";
    super::workshop::edit_policy(system.dir.path(), "bank", |text| format!("{text}\n[[unit]]\nname = \"north\"\n{slow}\n"));
    system.running.parts().policies.reload().unwrap();
    // A good token of another certificate is looked at anew each time.
    let of_another = system.token("bank").await;
    let mut last = (0, String::new());
    for _ in 0..200 {
        let request = system.request("bank.north", "POST", "/v1/verify").bearer_auth(&of_another).header(CONTENT_TYPE, "application/json");
        let reply = send(request.body("{}")).await;
        last = (reply.status, reply.code().to_owned());
        if reply.status == 429 {
            assert!(reply.header("ratelimit-policy").contains("\"token_miss\""), "{}", reply.header("ratelimit-policy"));
            break;
        }
        assert_eq!(last, (401, "token-not-bound".to_owned()));
    }
    assert_eq!(last, (429, "rate-limited".to_owned()));
    let question = query("bank", "amayesh-no", "A170000001", "bank-card");
    assert_eq!(system.ask("bank.south", &question).await.status, 200, "another branch's fresh token");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_gets_so_many_tokens_whichever_agencies_ask() {
    let system = System::configured(|config| config.limits.tokens_per_address = 2).await;
    let mut limited = None;
    for turn in 0..200 {
        let agency = ["bank", "school", "clinic"][turn % 3];
        let reply = ask_for_token(&system, agency, "").await;
        if reply.status != 200 {
            limited = Some(reply);
            break;
        }
    }
    let limited = limited.expect("a limit");
    assert_eq!((limited.status, limited.code()), (429, "rate-limited"));
    assert!(limited.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert!(limited.header("ratelimit-policy").contains("token_address"), "{}", limited.header("ratelimit-policy"));
    system.stop().await;
}
