//! What a verification query must be and give, and in which order it is judged.

use std::sync::Arc;

use estelam::core::domain::agency::AgencyId;
use estelam::core::domain::refusal::{LimitNotice, Refusal, RefusalCode};
use estelam::core::limit::{Limiter, QUOTA_POLICY, Tier};
use estelam::core::policy::{BodyTooLarge, Permit, RequestInput, Snapshot, admit, permit};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::policy_support::{call, changed, load, shipped_snapshot};

fn ask_bytes(snapshot: &Arc<Snapshot>, agency: &str, body: &[u8]) -> Result<Permit, Box<Refusal>> {
    let input = RequestInput { content_type: Some("application/json"), body: Ok(body), statement_alone: false };
    permit(call(agency, None), input, Arc::clone(snapshot), Timestamp::UNIX_EPOCH)
}

fn ask(agency: &str, body: &Value) -> Result<Permit, Box<Refusal>> {
    ask_bytes(&shipped_snapshot(), agency, body.to_string().as_bytes())
}

/// A good query of the bank with some members replaced; `null` removes one.
fn bank(changes: &Value) -> Value {
    let mut body = json!({
        "identifier": {"scheme": "yekta", "value": "9990000018"}, "service": "bank-card", "purpose": "account-maintenance",
        "actor": "teller-17", "reference": "case-4711", "check": {"birth_year": 1370, "calendar": "jalali"}, "max_age": 60,
    });
    for (key, value) in changes.as_object().unwrap() {
        body.as_object_mut().unwrap().remove(key);
        if !value.is_null() {
            body[key] = value.clone();
        }
    }
    body
}

fn refused(result: Result<Permit, Box<Refusal>>) -> String {
    result.err().map_or("permit", |refusal| refusal.code.code()).to_owned()
}

fn bank_gets(changes: &Value, expected: &str) {
    assert_eq!(refused(ask("bank", &bank(changes))), expected, "{changes}");
}

#[test]
fn good_query_is_permitted_and_known() {
    let permit = ask("bank", &bank(&json!({"nonce": "AAAAAAAAAAAAAAAAAAAAAA"}))).unwrap();
    let context = permit.call().agency().context();
    assert_eq!((context.actor.as_deref(), context.reference.as_deref()), (Some("teller-17"), Some("case-4711")));
    assert_eq!((context.service.as_deref(), context.purpose.as_deref()), (Some("bank-card"), Some("account-maintenance")));
    assert_eq!(context.policy_version.as_deref(), Some(&*permit.snapshot().version));
    assert_eq!(context.subject.as_ref(), permit.identifier());
    assert_eq!(permit.identifier().map(|identifier| identifier.scheme()), Some("yekta"));
    assert!(permit.body_digest().is_some() && permit.check().is_some() && !permit.emergency() && permit.service().code == "bank-card");
}

#[test]
fn body_is_committed_to_only_with_a_nonce() {
    assert!(ask("bank", &bank(&json!({}))).unwrap().body_digest().is_none());
}

/// Each row breaks one thing more than the row below it, so each refusal wins over all that follow.
#[test]
fn refusals_come_in_the_contracts_order() {
    let wanting = changed("agencies/bank.toml", "[\"actor\", \"check\"]", "[\"actor\", \"check\", \"reference\", \"nonce\"]");
    let snapshot = load(&wanting);
    let bad = json!({"identifier": {"scheme": "nonsense", "value": "x"}, "actor": null, "reference": null, "check": {"name": "n"},
        "service": "nonsense", "purpose": "nonsense"});
    let steps = [
        ("unknown-service", json!({"service": "sim"})),
        ("service-not-allowed", json!({"service": "bank-card"})),
        ("purpose-not-allowed", json!({"purpose": "account-opening"})),
        ("actor-required", json!({"actor": "teller-1"})),
        ("check-required", json!({"check": {"birth_year": 1370, "calendar": "jalali"}})),
        ("reference-required", json!({"reference": "case-1"})),
        ("nonce-required", json!({"nonce": "AAAAAAAAAAAAAAAAAAAAAA"})),
        ("unknown-scheme", json!({"identifier": {"scheme": "yekta", "value": "x"}})),
        ("malformed-identifier", json!({"identifier": {"scheme": "yekta", "value": "9990000018"}})),
        ("permit", json!({})),
    ];
    let mut body = bank(&bad);
    for (expected, repair) in steps {
        assert_eq!(refused(ask_bytes(&snapshot, "bank", body.to_string().as_bytes())), expected);
        for (key, value) in repair.as_object().unwrap() {
            body[key] = value.clone();
        }
    }
}

#[test]
fn media_type_then_size_then_json() {
    let snapshot = shipped_snapshot();
    let good = bank(&json!({})).to_string();
    let gets = |content_type, body| {
        let input = RequestInput { content_type, body, statement_alone: false };
        refused(permit(call("bank", None), input, Arc::clone(&snapshot), Timestamp::UNIX_EPOCH))
    };
    for wrong in [None, Some(""), Some("text/plain"), Some("application/jsonp"), Some("application/json; charset=utf-16")] {
        assert_eq!(gets(wrong, Err(BodyTooLarge)), "unsupported-media-type", "{wrong:?}");
    }
    for right in ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""] {
        assert_eq!(gets(Some(right), Ok(good.as_bytes())), "permit", "{right}");
    }
    assert_eq!(gets(Some("application/json"), Err(BodyTooLarge)), "body-too-large");
    assert_eq!(gets(Some("application/json"), Ok(b"{")), "malformed-request");
}

#[test]
fn malformed_bodies_are_told_where_and_never_repeated() {
    let snapshot = shipped_snapshot();
    let secret = "9990000018";
    let good = bank(&json!({})).to_string();
    let long = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let bodies: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "the body ends before the JSON does"),
        (b"null".to_vec(), "the body is not a JSON object"),
        (b"[]".to_vec(), "the body is not a JSON object"),
        (b" [{\"service\":1}]".to_vec(), "the body is not a JSON object"),
        (b"1402".to_vec(), "the body is not a JSON object"),
        (format!("\"{secret}\"").into_bytes(), "the body is not a JSON object"),
        (b"{\"a\xff\":1}".to_vec(), "the body is not JSON: see line 1, column 4"),
        (format!("{good} {good}").into_bytes(), "the body is not JSON"),
        (format!("{{\"{secret}\":1}}").into_bytes(), "there is a field that the contract does not have: see line 1"),
        (good.replacen('{', "{\"actor\":\"a\",", 1).into_bytes(), "the field `actor` is given twice"),
        (good.replacen("\"value\":", "\"value\":\"1\",\"value\":", 1).into_bytes(), "the field `value` is given twice"),
        (bank(&json!({"service": null})).to_string().into_bytes(), "the field `service` is missing"),
        (bank(&json!({"max_age": secret})).to_string().into_bytes(), "a field has a value of another type"),
        (bank(&json!({"priority": secret})).to_string().into_bytes(), "a field has a value of another type"),
        (bank(&json!({"emergency": 1})).to_string().into_bytes(), "a field has a value of another type"),
        (bank(&json!({"identifier": ["yekta", secret]})).to_string().into_bytes(), "a field has a value of another type"),
        (bank(&json!({"identifier": {"scheme": "yekta", "value": 9_990_000_018_u64}})).to_string().into_bytes(), "a field has a value"),
        (format!("{{\"service\":{long}}}").into_bytes(), "a field has a value of another type"),
    ];
    for (body, detail) in bodies {
        let refusal = ask_bytes(&snapshot, "bank", &body).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::MalformedRequest, "{detail}");
        assert!(refusal.detail.starts_with(detail), "`{}` should begin with `{detail}`", refusal.detail);
        assert!(!refusal.detail.contains(secret) && refusal.context.subject.is_none());
    }
}

#[test]
fn second_factor_must_be_one() {
    bank_gets(&json!({"check": null}), "check-required");
    bank_gets(&json!({"check": {}}), "check-required");
    bank_gets(&json!({"check": {"name": "حسینی"}}), "check-required");
    bank_gets(&json!({"check": {"calendar": "jalali"}}), "check-required");
    bank_gets(&json!({"check": {"document_expires": "1402/03/31", "calendar": "jalali"}}), "permit");
    for coarse in ["1402/03", "1402"] {
        bank_gets(&json!({"check": {"document_expires": coarse, "calendar": "jalali"}}), "check-required");
        bank_gets(&json!({"check": {"document_expires": coarse, "birth_year": 1370, "calendar": "jalali"}}), "permit");
    }
    bank_gets(&json!({"check": {"birth_date": "۱۳۷۰/۱/۱", "calendar": "jalali"}}), "permit");
    for bad in [
        json!({"birth_year": 1370}),
        json!({"birth_year": 1370, "calendar": "gregorian"}),
        json!({"birth_year": 1990, "calendar": "jalali"}),
        json!({"birth_date": "1402/07/31", "calendar": "jalali"}),
        json!({"birth_date": "31.3.1402", "calendar": "jalali"}),
        json!({"birth_date": "0001/01/01", "calendar": "gregorian"}),
        json!({"document_expires": "soon", "calendar": "jalali"}),
        json!({"birth_year": 1370, "calendar": "islamic"}),
        json!({"birth_year": 1370, "calendar": "jalali", "name": "n".repeat(201)}),
    ] {
        bank_gets(&json!({"check": bad}), "malformed-request");
    }
}

#[test]
fn actor_and_reference_say_nothing_of_the_holder() {
    for field in ["actor", "reference"] {
        for bad in ["", "a b", "a/b", "کاربر", "9990000018", "case-9990000018", "9990000026", "199900000001", &"a".repeat(65)] {
            let refusal = ask("bank", &bank(&json!({field: bad}))).unwrap_err();
            assert_eq!(refusal.code, RefusalCode::MalformedRequest, "{field} `{bad}`");
            assert!(bad.len() < 3 || !refusal.detail.contains(bad));
            let kept = if field == "actor" { refusal.context.actor } else { refusal.context.reference };
            assert_eq!(kept, None);
        }
        for good in ["t", "Teller_17.a-b", &"a".repeat(64)] {
            bank_gets(&json!({field: good}), "permit");
        }
    }
    // Whatever stands between the digits; an id that agencies' systems make is welcome.
    for (reference, outcome) in [
        ("x9990000018", "malformed-request"),
        ("99a90b000c018fff", "malformed-request"),
        ("loan.9.9.9.0.0.0.x.0018", "malformed-request"),
        ("4bf92f3577b34d06a3ce929d0e0e4736", "permit"),
        ("83475610927a4651b90c738261094857", "permit"),
    ] {
        let written = json!({"identifier": {"scheme": "yekta", "value": "۹۹۹۰۰۰۰۰۱۸"}, "reference": reference});
        bank_gets(&written, outcome);
    }
}

#[test]
fn no_separator_takes_a_number_with_letters_or_few_digits_past_the_log() {
    for (scheme, value, label) in [
        ("passport", "AB12345", "AB-12345"),
        ("passport", "AB1234", "AB.1234"),
        ("amayesh-no", "A12345", "A-12345"),
        ("smart-card-serial", "SC12AB34", "SC-12-AB-34"),
        ("paper-tazkira", "1/2/345", "1.2.345"),
        ("pupil-code", "ab-cd", "abcd"),
    ] {
        for field in ["actor", "reference"] {
            let refusal = ask("bank", &bank(&json!({"identifier": {"scheme": scheme, "value": value}, field: label}))).unwrap_err();
            assert_eq!(refusal.code, RefusalCode::MalformedRequest, "{field} `{label}`");
            assert!(refusal.detail.contains(field) && !refusal.detail.contains(label), "{}", refusal.detail);
            let kept = if field == "actor" { refusal.context.actor } else { refusal.context.reference };
            assert_eq!(kept, None, "{field} `{label}`");
        }
    }
}

#[test]
fn actor_and_reference_are_not_what_the_second_factor_says() {
    let check = json!({"birth_date": "1370/5/12", "document_expires": "1405/12/3", "name": "Ali Rezai", "calendar": "jalali"});
    for field in ["actor", "reference"] {
        for label in ["ali-rezai", "1370-5-12", "1405.12.3"] {
            bank_gets(&json!({"check": check, field: label}), "malformed-request");
        }
        for label in ["1370", "case-1370", "ali"] {
            bank_gets(&json!({"check": check, field: label}), "permit");
        }
    }
}

#[test]
fn nonce_is_sixteen_bytes() {
    for bad in ["", "AAAA", "AAAAAAAAAAAAAAAAAAAAAA==", "AAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAAAAAAAAAAAA+A", "AAAAAAAAAAAAAAAAAAAAAAA"] {
        bank_gets(&json!({"nonce": bad}), "malformed-request");
    }
    bank_gets(&json!({"nonce": "_-AAAAAAAAAAAAAAAAAAAA"}), "permit");
}

#[test]
fn identifiers_are_judged_last() {
    bank_gets(&json!({"identifier": null}), "malformed-request");
    let refusal = ask("bank", &bank(&json!({"identifier": {"scheme": "pan", "value": "5892101234567895"}}))).unwrap_err();
    assert!(refusal.code == RefusalCode::WrongScheme && refusal.hint.is_some());
    let refusal = ask("bank", &bank(&json!({"identifier": {"scheme": "national-code", "value": "199900000001"}}))).unwrap_err();
    assert_eq!((refusal.code, refusal.hint.as_deref()), (RefusalCode::WrongScheme, Some("fida")));
    bank_gets(&json!({"identifier": {"scheme": "national-code", "value": "0013542419"}}), "wrong-population");
    bank_gets(&json!({"identifier": {"scheme": "yekta", "value": "abc"}}), "malformed-identifier");
}

#[test]
fn own_numbers_of_an_agency_stand_for_schemes() {
    let body = bank(&json!({"identifier": {"scheme": "3", "value": "9990000018"}})).to_string();
    let mapped = load(&changed("agencies/bank.toml", "[limits]", "[scheme_numbers]\n3 = \"yekta\"\n\n[limits]"));
    assert_eq!(refused(ask_bytes(&mapped, "bank", body.as_bytes())), "permit");
    let persian = body.replace("\"3\"", "\"۳\"");
    assert_eq!(refused(ask_bytes(&mapped, "bank", persian.as_bytes())), "permit");
    let unmapped = body.replace("\"3\"", "\"4\"");
    assert_eq!(refused(ask_bytes(&mapped, "bank", unmapped.as_bytes())), "unknown-scheme");
    let integer = body.replace("\"3\"", "3");
    assert_eq!(refused(ask_bytes(&mapped, "bank", integer.as_bytes())), "malformed-request");
    assert_eq!(refused(ask_bytes(&shipped_snapshot(), "bank", body.as_bytes())), "unknown-scheme");
}

#[test]
fn nothing_is_kept_of_anybody_where_no_document_is_needed() {
    let sent = json!({"identifier": {"scheme": "nonsense", "value": "!"}, "check": {"birth_date": "?"}, "service": "health-primary",
        "purpose": "treatment"});
    let mut emergency = sent.clone();
    emergency["service"] = json!("treatment");
    assert_eq!(refused(ask("clinic", &emergency)), "malformed-request", "without an emergency the treatment needs a document");
    emergency["emergency"] = json!(true);
    for body in [sent, emergency] {
        let permit = ask("clinic", &body).unwrap();
        assert!(permit.identifier().is_none() && permit.check().is_none());
        assert!(permit.call().agency().context().subject.is_none());
    }
}

#[test]
fn null_is_a_field_that_is_not_given() {
    for field in ["reference", "max_age", "nonce", "province", "receipt", "emergency", "priority"] {
        let mut body = bank(&json!({}));
        body[field] = Value::Null;
        let permit =
            ask_bytes(&shipped_snapshot(), "bank", body.to_string().as_bytes()).unwrap_or_else(|refusal| panic!("{field}: {refusal:?}"));
        assert_eq!(permit.tier(), Tier::Counter);
        assert!(permit.identifier().is_some() && !permit.receipt(), "{field}");
    }
}

#[test]
fn schools_may_not_ask_about_bank_accounts() {
    let refusal = ask("school", &bank(&json!({"service": "bank-account"}))).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::ServiceNotAllowed);
    assert_eq!(refusal.context.service.as_deref(), Some("bank-account"));
}

#[test]
fn overseers_get_no_permit() {
    for name in ["security-auditor", "dpo", "operator"] {
        assert_eq!(refused(ask(name, &bank(&json!({})))), "scope-missing");
    }
}

#[test]
fn suspended_agencies_and_foreign_branches_get_no_permit() {
    let body = bank(&json!({})).to_string();
    let suspended = load(&changed("agencies/bank.toml", "id = \"bank\"", "id = \"bank\"\nsuspended = true"));
    assert_eq!(refused(ask_bytes(&suspended, "bank", body.as_bytes())), "agency-suspended");
    assert_eq!(refused(ask_bytes(&suspended, "nobody", body.as_bytes())), "agency-suspended");
    let one_branch = load(&changed("agencies/bank.toml", "agency/bank\"", "agency/bank/branch/b1\""));
    let from = |snapshot: &Arc<Snapshot>, branch| {
        let input = RequestInput { content_type: Some("application/json"), body: Ok(body.as_bytes()), statement_alone: false };
        refused(permit(call("bank", branch), input, Arc::clone(snapshot), Timestamp::UNIX_EPOCH))
    };
    let got =
        [from(&one_branch, Some("b1")), from(&one_branch, Some("b2")), from(&one_branch, None), from(&shipped_snapshot(), Some("b2"))];
    assert_eq!(got, ["permit", "agency-suspended", "agency-suspended", "permit"]);
}

#[test]
fn max_age_stays_within_the_policy() {
    let age = |max_age: Value| ask("bank", &bank(&json!({"max_age": max_age}))).unwrap().max_age_s();
    assert_eq!([age(Value::Null), age(json!(0)), age(json!(30)), age(json!(9999))], [60, 0, 30, 60]);
}

struct Says(Option<LimitNotice>);

impl Limiter for Says {
    fn admit(&self, _: &AgencyId, tier: Tier) -> Result<(), LimitNotice> {
        assert_eq!(tier, Tier::Background);
        self.0.clone().map_or(Ok(()), Err)
    }

    fn admit_unit(&self, agency: &AgencyId, _: Option<&str>, tier: Tier) -> Result<(), LimitNotice> {
        self.admit(agency, tier)
    }

    fn admit_again(&self, agency: &AgencyId, _: Option<&str>, tier: Tier) -> Result<(), LimitNotice> {
        self.admit(agency, tier)
    }

    fn give_back(&self, _: &AgencyId, _: Option<&str>) {}
}

#[test]
fn limits_turn_permitted_calls_away_with_what_the_limiter_said() {
    let judged = |notice: Option<LimitNotice>| {
        let permit = ask("bank", &bank(&json!({"priority": "background"}))).unwrap();
        admit(permit, &Says(notice)).err().map(|refusal| (refusal.code, refusal.limit))
    };
    assert_eq!(judged(None), None);
    for (policy, code) in [("background", RefusalCode::RateLimited), (QUOTA_POLICY, RefusalCode::QuotaExhausted)] {
        let notice = Some(LimitNotice { policy, quota: 1, window_s: 1, retry_after_s: 7 });
        assert_eq!(judged(notice.clone()), Some((code, notice)));
    }
}
