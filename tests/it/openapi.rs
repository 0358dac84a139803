//! The API description says what the code does: every route, every code, every status.

use std::collections::BTreeSet;

use estelam::adapters::http::{GATEWAY_ROUTES, OPENAPI};
use estelam::core::domain::agency::Scope;
use estelam::core::domain::document::DocumentKind;
use estelam::core::domain::reason::{NextWho, Outcome, ReasonCode};
use estelam::core::domain::refusal::RefusalCode;
use estelam::core::domain::scheme::{SHIPPED_SCHEMES, Scheme, SchemeCatalogue};
use estelam::core::domain::service::{SHIPPED_SERVICES, ServiceCatalogue};
use estelam::core::ledger::audit::Ground;
use serde_json::Value;

fn description() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

/// What stands at a path into the description; its absence fails the test by name.
fn at<'a>(description: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(description, |value, key| value.get(key).unwrap_or_else(|| panic!("`{key}` of {path:?} is not described")))
}

fn schema<'a>(description: &'a Value, path: &[&str]) -> &'a Value {
    at(at(description, &["components", "schemas"]), path)
}

fn texts(list: &Value) -> BTreeSet<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

/// The problem codes that an operation lists under one status.
fn problem_codes<'a>(responses: &'a Value, status: &str) -> BTreeSet<&'a str> {
    let narrowed = at(responses, &[status, "content", "application/problem+json", "schema", "allOf"]).as_array().unwrap();
    let fields = at(&narrowed[1], &["properties"]);
    assert_eq!(at(fields, &["status", "const"]).to_string(), status);
    texts(at(fields, &["code", "enum"]))
}

/// Every `$ref` in the description.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// Every member that a reply has is described under a schema's name, and every one is there that must be.
pub fn assert_described(name: &str, reply: &Value) {
    let description = description();
    described(&description, schema(&description, &[name]), reply, name);
}

fn described(description: &Value, schema: &Value, value: &Value, place: &str) {
    let parts = parts(description, schema);
    match value {
        Value::Object(members) => {
            let required = parts.iter().filter_map(|part| part["required"].as_array()).flat_map(|required| texts_of(required));
            let lacks: Vec<_> = required.filter(|name| !members.contains_key(*name)).collect();
            assert!(lacks.is_empty(), "`{place}` lacks {lacks:?}");
            for (name, member) in members {
                let of = parts.iter().find_map(|part| part["properties"].get(name));
                let of = of.unwrap_or_else(|| panic!("`{name}` of `{place}` is not described"));
                described(description, of, member, &format!("{place}.{name}"));
            }
        }
        Value::Array(items) => {
            let of = parts.iter().find_map(|part| part.get("items")).unwrap_or(&Value::Null);
            items.iter().for_each(|item| described(description, of, item, place));
        }
        _ => {}
    }
}

/// What a schema is put together of: itself, what it refers to, and all of `allOf`.
fn parts<'a>(description: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    let referred = schema["$ref"].as_str().map(|reference| description.pointer(&reference[1..]).unwrap());
    let further = referred.into_iter().chain(schema["allOf"].as_array().into_iter().flatten());
    std::iter::once(schema).chain(further.flat_map(|part| parts(description, part))).collect()
}

fn texts_of(list: &[Value]) -> Vec<&str> {
    list.iter().filter_map(Value::as_str).collect()
}

#[test]
fn forms_of_both_token_endpoints_describe_the_assertion_and_their_length() {
    let description = description();
    for (path, form) in [("/oauth2/token", "TokenRequest"), ("/oauth2/revoke", "RevocationRequest")] {
        for parameter in ["client_id", "client_assertion", "client_assertion_type"] {
            schema(&description, &[form, "properties", parameter]);
        }
        let too_long = at(&description, &["paths", path, "post", "responses", "413", "description"]);
        assert_eq!(too_long, "The form is longer than 8192 bytes.", "{path}");
    }
}

#[test]
fn description_is_openapi_3_1_and_every_reference_leads_somewhere() {
    let description = description();
    assert!(at(&description, &["openapi"]).as_str().unwrap().starts_with("3.1."));
    assert_eq!(at(&description, &["info", "version"]), env!("CARGO_PKG_VERSION"));
    let mut found = Vec::new();
    references(&description, &mut found);
    for reference in found {
        assert!(reference.strip_prefix('#').and_then(|pointer| description.pointer(pointer)).is_some(), "`{reference}` leads nowhere");
    }
}

#[test]
fn every_gateway_route_is_described_with_what_it_needs() {
    let description = description();
    for (method, path, needs_token) in GATEWAY_ROUTES {
        let operation = at(&description, &["paths", path, &method.to_lowercase()]);
        let security = at(operation, &["security"]).as_array().unwrap();
        assert!(security.iter().any(|way| way.get("mutualTLS").is_some()), "{method} {path} is behind mutual TLS");
        let with_token = security.iter().all(|way| way.get("clientCredentials").is_some());
        assert_eq!(with_token, *needs_token, "{method} {path}");
    }
}

/// An agency's policy may want every request signed, whatever the resource.
#[test]
fn every_resource_behind_a_token_describes_the_signature() {
    let description = description();
    for (method, path, _) in GATEWAY_ROUTES.iter().filter(|(_, _, needs_token)| *needs_token) {
        let operation = at(&description, &["paths", path, &method.to_lowercase()]);
        let parameters = at(operation, &["parameters"]).as_array().unwrap();
        assert!(parameters.iter().any(|one| one["$ref"] == "#/components/parameters/Signature"), "{method} {path}");
        let responses = at(operation, &["responses"]);
        for (status, code) in [("400", "signature-required"), ("401", "signature-invalid"), ("413", "body-too-large")] {
            assert!(problem_codes(responses, status).contains(code), "{method} {path}: {status} `{code}`");
        }
    }
}

#[test]
fn routes_of_the_other_listeners_are_described_and_no_others() {
    let log = ["/checkpoint", "/checkpoint.key", "/tile/{path}", "/log/origins"];
    let sealed = ["/log/{number}/checkpoint", "/log/{number}/checkpoint.key", "/log/{number}/tile/{path}"];
    let public = ["/openapi.json", "/.well-known/estelam-keys.json"];
    let rest = ["/receipt", "/receipt/check.js", "/receipt/style.css", "/health/live", "/health/ready", "/status", "/metrics"];
    let elsewhere = log.into_iter().chain(sealed).chain(public).chain(rest);
    let known: BTreeSet<&str> = GATEWAY_ROUTES.iter().map(|(_, path, _)| *path).chain(elsewhere).collect();
    let description = description();
    let described: BTreeSet<&str> = at(&description, &["paths"]).as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(described, known);
}

#[test]
fn codes_are_those_of_the_code() {
    let description = description();
    let check = |path: &[&str], codes: BTreeSet<&str>| assert_eq!(texts(schema(&description, path)), codes, "{path:?}");
    check(&["RefusalCode", "enum"], RefusalCode::ALL.iter().map(|code| code.code()).collect());
    check(&["ReasonCode", "enum"], ReasonCode::ALL.iter().map(|code| code.code()).collect());
    check(&["Decision", "enum"], Outcome::ALL.iter().map(|outcome| outcome.code()).collect());
    check(&["Justification", "properties", "ground", "enum"], Ground::ALL.iter().map(|ground| ground.code()).collect());
    check(&["Document", "properties", "kind", "enum"], DocumentKind::ALL.iter().map(|kind| kind.code()).collect());
    check(&["Reason", "properties", "next", "properties", "who", "enum"], NextWho::ALL.iter().map(|who| who.code()).collect());
    let scopes: BTreeSet<&str> = Scope::ALL.iter().map(|scope| scope.code()).collect();
    for metadata in ["AuthorizationServer", "ProtectedResource"] {
        check(&[metadata, "properties", "scopes_supported", "items", "enum"], scopes.clone());
    }
    let flow = at(&description, &["components", "securitySchemes", "clientCredentials", "flows", "clientCredentials", "scopes"]);
    assert_eq!(flow.as_object().unwrap().keys().map(String::as_str).collect::<BTreeSet<_>>(), scopes);
}

#[test]
fn shipped_schemes_and_services_are_listed() {
    let description = description();
    let schemes = SchemeCatalogue::parse(SHIPPED_SCHEMES).unwrap();
    let keys: BTreeSet<&str> = schemes.iter().filter(|scheme| scheme.is_key()).map(Scheme::code).collect();
    assert_eq!(texts(schema(&description, &["Identifier", "properties", "scheme", "examples"])), keys);
    let services = ServiceCatalogue::parse(SHIPPED_SERVICES).unwrap();
    let codes: BTreeSet<&str> = services.iter().map(|service| service.code.as_str()).collect();
    assert_eq!(texts(schema(&description, &["VerifyRequest", "properties", "service", "examples"])), codes);
}

#[test]
fn every_refusal_of_a_query_is_described_under_its_status() {
    let description = description();
    let responses = at(&description, &["paths", "/v1/verify", "post", "responses"]);
    // The resource exists and has this method, so these two are refusals of other requests.
    let elsewhere = [
        RefusalCode::NotFound,
        RefusalCode::MethodNotAllowed,
        RefusalCode::CaseUnknown,
        RefusalCode::CodeNotAccepted,
        RefusalCode::RegistryUnavailable,
    ];
    for code in RefusalCode::ALL.iter().filter(|code| !elsewhere.contains(code)) {
        assert!(problem_codes(responses, &code.status().to_string()).contains(code.code()), "{}", code.code());
    }
}

#[test]
fn no_operation_lists_a_refusal_under_another_status() {
    let description = description();
    for (path, item) in at(&description, &["paths"]).as_object().unwrap() {
        for operation in item.as_object().unwrap().values().filter(|member| member.get("responses").is_some()) {
            let responses = at(operation, &["responses"]);
            for (status, response) in responses.as_object().unwrap() {
                if response.pointer("/content/application~1problem+json").is_none() {
                    continue;
                }
                for code in problem_codes(responses, status) {
                    let known = RefusalCode::parse(code).unwrap_or_else(|| panic!("{path} {status} lists `{code}`, which is no code"));
                    assert_eq!(known.status().to_string(), *status, "{path}: `{code}`");
                }
            }
        }
    }
}
