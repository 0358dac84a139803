//! What an answer must be to count, and what is made of a record.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod one_number;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::core::domain::document::{DocumentKind, DocumentState};
use crate::core::domain::name::{NameKey, NameMatch};
use crate::core::domain::person::Person;
use crate::core::registry::NoAnswer;

const NOW: &str = "2026-11-23T10:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn terms() -> Terms {
    let identifiers = [("yekta", "UIN"), ("fida", "FIDA")].map(|(scheme, kind)| (scheme.to_owned(), kind.to_owned()));
    Terms {
        sender_id: "gateway".into(),
        receiver_id: "register".into(),
        reg_type: None,
        reg_event_type: None,
        reg_record_type: None,
        response_entity: None,
        authorize: None,
        identifiers: identifiers.into(),
    }
}

fn ids() -> Ids {
    Ids { message: "m1".into(), transaction: "t1".into(), reference: "r1".into() }
}

fn attribute() -> Value {
    let amayesh = json!({"kind": "amayesh", "series": 17, "state": "active", "issued": {"date": "1400/01/01", "calendar": "jalali"},
        "expires": {"date": "1402/03/31", "calendar": "jalali"}, "legal_status": null, "facets": {}, "recorded_at": null});
    json!({"name": "estelam", "value": {"blocked": false, "birth": {"date": "1370", "calendar": "jalali"}, "nationality": "AF", "province": "IR-25",
        "household_role": "member", "documents": [amayesh], "papers": [{"series": 17}]}})
}

/// A member of a group, as `spdci-social.yaml` shows one.
fn member() -> Value {
    json!({"@type": "spdci:Member", "member_identifier": [{"@type": "Identifier", "identifier_type": "UIN", "identifier_value": "9990000018"}],
        "demographic_info": {"identifier": [{"identifier_type": "FIDA", "identifier_value": "199900000001"}],
            "name": {"given_name": "Ali", "surname": "Hosseini"}, "birth_date": "1991-05-20T00:00:00Z", "sex": "male"},
        "additional_attributes": [{"services": "receives_subsidy"}, attribute()]})
}

fn answer_of(records: Value) -> Value {
    json!({"header": {"version": "1.0.0", "message_id": "a1", "message_ts": NOW, "action": "on-search", "status": "succ", "total_count": 1,
            "sender_id": "register", "receiver_id": "gateway", "is_msg_encrypted": false},
        "message": {"transaction_id": "t1", "correlation_id": "c1", "search_response": [{"reference_id": "r1", "timestamp": NOW, "status": "succ",
            "data": {"version": "1.0.0", "reg_records": records}, "locale": "eng"}]}})
}

fn good() -> Value {
    answer_of(json!([member()]))
}

fn envelope_of(answer: &Value) -> Vec<u8> {
    envelope(answer.to_string().as_bytes(), "a.b.c")
}

fn read_with(terms: &Terms, answer: &Value) -> Result<Vec<Person>, &'static str> {
    let ids = ids();
    let asked = Asked { terms, ids: &ids, id_type: "UIN", value: "9990000018", at: now() };
    let opened = Envelope::parse(&envelope_of(answer)).and_then(|envelope| envelope.signed_over(answer.to_string().as_bytes()));
    let read = opened.map_err(NoAnswer::from).and_then(|answer| answer.persons(&asked, now()));
    read.map(|(_, persons)| persons).map_err(|no_answer| no_answer.why().0)
}

fn read(answer: &Value) -> Result<Vec<Person>, &'static str> {
    read_with(&terms(), answer)
}

/// The good answer with one value put in place of another; `null` where the place does not exist yet.
fn with(pointer: &str, value: Value) -> Value {
    let mut answer = good();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match answer.pointer_mut(parent).unwrap() {
        Value::Object(object) => drop(object.insert(name.to_owned(), value)),
        Value::Array(list) => list[name.parse::<usize>().unwrap()] = value,
        other => panic!("{other}"),
    }
    answer
}

const FOUND: &str = "/message/search_response/0";
const RECORD: &str = "/message/search_response/0/data/reg_records/0";

#[test]
fn a_search_is_signed_as_it_is_sent_and_names_nobody_but_the_gateway() {
    let (terms, ids) = (Terms { reg_event_type: Some("REGISTER".into()), ..terms() }, ids());
    let signed = payload(&Asked { terms: &terms, ids: &ids, id_type: "UIN", value: "9990000018", at: now() }).unwrap();
    let body = String::from_utf8(envelope(&signed, "a.b.c")).unwrap();
    assert_eq!(body.replacen(r#""signature":"a.b.c","#, "", 1).into_bytes(), signed);
    let said: Value = serde_json::from_slice(&signed).unwrap();
    let criteria = json!({"version": "1.0.0", "reg_event_type": "REGISTER", "query_type": "idtype-value",
        "query": {"type": "UIN", "value": "9990000018"}, "pagination": {"page_size": 10, "page_number": 1}});
    let wanted = json!({"header": {"version": "1.0.0", "message_id": "m1", "message_ts": NOW, "action": "search", "sender_id": "gateway",
            "receiver_id": "register", "total_count": 1, "is_msg_encrypted": false},
        "message": {"transaction_id": "t1", "search_request": [{"reference_id": "r1", "timestamp": NOW, "search_criteria": criteria}]}});
    assert_eq!(said, wanted);
}

#[test]
fn every_search_has_names_of_its_own() {
    let (one, other) = (Ids::draw().unwrap(), Ids::draw().unwrap());
    let names: std::collections::HashSet<_> =
        [&one, &other].into_iter().flat_map(|ids| [&ids.message, &ids.transaction, &ids.reference]).collect();
    assert!(names.len() == 6 && names.iter().all(|name| name.len() == 32));
}

#[test]
fn a_member_is_a_person_with_the_documents_of_the_attribute() {
    let [person] = <[Person; 1]>::try_from(read(&good()).unwrap()).unwrap();
    let [document] = person.documents.as_slice() else { panic!() };
    assert_eq!((document.kind, document.series, document.state), (DocumentKind::Amayesh, Some(17), DocumentState::Active));
    assert!(document.printed.until().is_some_and(|until| until < now()));
    assert_eq!((person.nationality.as_deref(), person.province.as_deref(), person.blocked), (Some("AF"), Some("IR-25"), false));
    assert_eq!(
        person.birth,
        Some(crate::core::domain::date::PartialDate::parse("1370", crate::core::domain::date::Calendar::Jalali).unwrap())
    );
    assert_eq!(person.marks.papers[0].series, Some(17));
    let name = person.marks.name.unwrap();
    assert_eq!(name.compare(&NameKey::of("hosseini").unwrap()), NameMatch::Match);
}

#[test]
fn the_records_of_the_other_descriptions_are_persons_too() {
    let flat =
        json!({"identifier_type": "UIN", "identifier": "9990000018", "birthdate": "1991-05-20", "additional_attributes": [attribute()]});
    let person = json!({"identifier_type": "UIN", "identifier_value": "9990000018", "birth_date": "", "death_date": ""});
    let beneficiary = json!({"assistance_unit": "1", "member": {"member_identifier": "HS1", "demographic_info": {"person": person},
        "additional_attributes": [attribute()]}});
    let known = read(&good()).unwrap()[0].documents.clone();
    for record in [json!([flat]), flat.clone(), json!([beneficiary])] {
        assert_eq!(read(&answer_of(record.clone())).map(|persons| persons[0].documents.clone()), Ok(known.clone()), "{record}");
    }
}

#[test]
fn nobody_and_several_are_said_by_the_number_of_records_alone() {
    assert_eq!(read(&answer_of(json!([]))).unwrap().len(), 0);
    assert_eq!(read(&answer_of(json!([member(), member()]))).unwrap().len(), 2);
    assert_eq!(read(&answer_of(json!(vec![member(); 11]))), Err("its answer has too many records"));
    for odd in [json!(null), json!({}), json!(""), json!([null]), json!([[]]), json!([{}])] {
        assert!(read(&answer_of(odd.clone())).is_err(), "{odd}");
    }
}

#[test]
fn whatever_else_a_header_or_a_message_says_is_no_answer() {
    for (pointer, value, why) in [
        ("/header/action", json!("search"), "its answer is of another version or kind"),
        ("/header/version", json!("2.0.0"), "its answer is of another version or kind"),
        ("/header/message_id", json!(""), "its answer is of another version or kind"),
        ("/header/receiver_id", json!("somebody"), "its answer is from somebody else or for somebody else"),
        ("/header/sender_id", json!("gateway"), "its answer is from somebody else or for somebody else"),
        ("/header/is_msg_encrypted", json!(true), "its answer is encrypted, and no key for that is agreed on"),
        ("/message/ciphertext", json!("x"), "its answer is encrypted, and no key for that is agreed on"),
        ("/header/message_ts", json!("2026-11-23T09:58:59Z"), "its clock and ours are more than a minute apart"),
        ("/header/message_ts", json!("yesterday"), "its answer is not what the description says"),
        ("/message/transaction_id", json!("t2"), "its answer is to another search"),
        ("/message/transaction_id", json!(1), "its answer is not what the description says"),
        ("/message/correlation_id", json!(""), "its answer is to another search"),
        ("/message/search_response", json!([]), "its answer is not about one search"),
        ("/message/search_response", json!([good().pointer(FOUND), good().pointer(FOUND)]), "its answer is not about one search"),
        ("/message/search_response/0/reference_id", json!("r2"), "its answer is to another search"),
        ("/message/search_response/0/timestamp", json!("2026-11-23T09:58:59Z"), "its clock and ours are more than a minute apart"),
        ("/message/search_response/0/timestamp", json!("2026-11-23T10:01:01Z"), "its clock and ours are more than a minute apart"),
        ("/header/message_ts", json!("2026-11-23T10:01:01Z"), "its clock and ours are more than a minute apart"),
        ("/message/search_response/0/data", json!(null), "its answer has no data"),
        ("/message/search_response/0/pagination", json!({"page_size": 1, "page_number": 1, "total_count": 2}), "its answer is not whole"),
        ("/message/search_response/0/pagination", json!({"page_size": 1, "page_number": 2, "total_count": 1}), "its answer is not whole"),
    ] {
        assert_eq!(read(&with(pointer, value.clone())), Err(why), "{pointer} {value}");
    }
}

#[test]
fn facts_are_as_old_as_the_older_of_the_two_instants_and_never_of_later_than_now() {
    let (terms, ids) = (terms(), ids());
    let asked = Asked { terms: &terms, ids: &ids, id_type: "UIN", value: "9990000018", at: now() };
    for (search, as_of) in [("2026-11-23T13:29:30+03:30", "2026-11-23T09:59:30Z"), ("2026-11-23T10:00:30Z", NOW)] {
        let answer = with("/message/search_response/0/timestamp", json!(search));
        let opened = Envelope::parse(&envelope_of(&answer)).unwrap().signed_over(answer.to_string().as_bytes()).unwrap();
        assert_eq!(opened.persons(&asked, now()).unwrap().0.to_string(), as_of);
    }
}

#[test]
fn no_status_and_no_code_says_that_there_is_nobody() {
    const CODES: [&str; 17] = [
        "rjct.version.invalid",
        "rjct.message_id.duplicate",
        "rjct.message_ts.invalid",
        "rjct.action.invalid",
        "rjct.action.not_supported",
        "rjct.total_count.invalid",
        "rjct.total_count.limit_exceeded",
        "rjct.errors.too_many",
        "rjct.reference_id.invalid",
        "rjct.reference_id.duplicate",
        "rjct.timestamp.invalid",
        "rjct.search_criteria.invalid",
        "rjct.filter.invalid",
        "rjct.sort.invalid",
        "rjct.pagination.invalid",
        "rjct.search.too_many_records_found",
        "rjct.not.known",
    ];
    for place in ["/header", FOUND] {
        for status in ["rjct", "pdng", "rcvd", "SUCC", ""] {
            for code in CODES.map(Some).into_iter().chain([None]) {
                let mut answer = answer_of(json!([]));
                let at = answer.pointer_mut(place).unwrap();
                at["status"] = json!(status);
                at["status_reason_code"] = json!(code);
                assert!(read(&answer).is_err(), "{place} {status} {code:?}");
            }
        }
        let mut both = answer_of(json!([]));
        both.pointer_mut(place).unwrap()["status_reason_code"] = json!("rjct.search_criteria.invalid");
        assert_eq!(read(&both), Err("its answer is both a success and a refusal"));
    }
}

#[test]
fn what_was_agreed_on_is_insisted_on() {
    let wanting = Terms { reg_record_type: Some("Person".into()), reg_type: Some("Social".into()), ..terms() };
    let other = "its answer is of another register or kind of record";
    let data = |name: &str| format!("{FOUND}/data/{name}");
    assert_eq!(read_with(&wanting, &good()), Err(other));
    assert_eq!(read_with(&wanting, &with(&data("reg_record_type"), json!("Group"))), Err(other));
    let mut right = with(&data("reg_record_type"), json!("Person"));
    assert!(read_with(&wanting, &right).is_ok());
    right.pointer_mut(FOUND).unwrap()["data"]["reg_type"] = json!("Civil");
    assert_eq!(read_with(&wanting, &right), Err(other));
}

#[test]
fn a_record_that_is_odd_is_no_answer() {
    let value = format!("{RECORD}/additional_attributes/1/value");
    let paper = format!("{value}/documents/0");
    for (pointer, put) in [
        (format!("{RECORD}/member_identifier"), json!([])),
        (format!("{RECORD}/member_identifier/0/identifier_value"), json!("9990000026")),
        (format!("{RECORD}/member_identifier/0/identifier_type"), json!("FIDA")),
        (format!("{RECORD}/member_list"), json!([])),
        (format!("{RECORD}/group_identifier"), json!([])),
        (format!("{RECORD}/demographic_info"), json!("")),
        (format!("{RECORD}/demographic_info/birth_date"), json!("20.05.1991")),
        (format!("{RECORD}/demographic_info/birth_date"), json!("1991-05-20T20:30:00Z")),
        (format!("{RECORD}/demographic_info/birth_date"), json!("1985-05-20")),
        (format!("{RECORD}/demographic_info/birth_date"), json!(1991)),
        (format!("{RECORD}/demographic_info/death_date"), json!("2026-01-01")),
        (format!("{RECORD}/demographic_info/death_date"), json!(true)),
        (format!("{RECORD}/additional_attributes"), json!("")),
        (format!("{RECORD}/additional_attributes"), json!([])),
        (format!("{RECORD}/additional_attributes"), json!([attribute(), attribute()])),
        (format!("{RECORD}/additional_attributes/1/name"), json!("else")),
        (value.clone(), json!("")),
        (format!("{value}/nationality"), json!("AFG")),
        (format!("{value}/province"), json!("Qom")),
        (format!("{value}/household_role"), json!("cousin")),
        (format!("{value}/blocked"), json!("false")),
        (format!("{value}/revoked"), json!(true)),
        (format!("{value}/documents"), json!(null)),
        (format!("{paper}/state"), json!("valid")),
        (format!("{paper}/kind"), json!("green-card")),
        (format!("{paper}/expires"), json!({"date": "1402/07/31", "calendar": "jalali"})),
        (format!("{paper}/facets"), json!({"bank": "frozen"})),
        (format!("{paper}/revoked"), json!(true)),
    ] {
        assert!(read(&with(&pointer, put.clone())).is_err(), "{pointer} {put}");
    }
    // The dead have no documents in use.
    let mut buried = with(&format!("{RECORD}/demographic_info/death_date"), json!("2026-01-01"));
    *buried.pointer_mut(&format!("{paper}/state")).unwrap() = json!("holder-deceased");
    assert!(read(&buried).is_ok());
}

#[test]
fn only_what_was_signed_counts() {
    let signed = good().to_string();
    let open = |body: &[u8], payload: &str| Envelope::parse(body).and_then(|envelope| envelope.signed_over(payload.as_bytes())).map(drop);
    assert!(open(&envelope_of(&good()), &signed).is_ok());
    let altered = Err(RegistryUnavailable("its answer is not what it signed"));
    assert_eq!(open(&envelope_of(&answer_of(json!([]))), &signed), altered);
    assert_eq!(open(&envelope_of(&good()), "{}"), altered);
    assert!(open(signed.as_bytes(), &signed).is_err(), "no signature");
    assert!(open(&envelope_of(&good()), &signed.replacen('{', r#"{"header":{},"#, 1)).is_err(), "a member twice");
    assert!(open(&envelope(signed.replacen('{', r#"{"header":{},"#, 1).as_bytes(), "a.b.c"), &signed).is_err(), "a member twice");
    assert!(open(b"[]", &signed).is_err() && open(b"", &signed).is_err() && open(b"<html>", &signed).is_err());
}

#[test]
fn the_numbers_of_a_person_are_those_of_schemes_of_ours() {
    let (terms, ids, answer) = (terms(), ids(), good());
    let asked = Asked { terms: &terms, ids: &ids, id_type: "UIN", value: "9990000018", at: now() };
    let opened = Envelope::parse(&envelope_of(&answer)).unwrap().signed_over(answer.to_string().as_bytes()).unwrap();
    let people = opened.identities(&asked, now()).unwrap();
    let known: Vec<_> = people[0].identifiers.iter().map(|one| (one.scheme.as_str(), one.value.as_str(), one.shared)).collect();
    assert_eq!(known, [("yekta", "9990000018", false), ("fida", "199900000001", true)]);
}

/// Every place of a value.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(place, value)| (place.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (name, value) in inner {
        let place = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        pointers(value, &place, all);
        all.push(place);
    }
}

fn all_pointers() -> Vec<String> {
    let mut all = Vec::new();
    pointers(&good(), "", &mut all);
    all
}

#[test]
fn whatever_is_left_out_nobody_becomes_more_valid_or_nobody() {
    let known = read(&good()).unwrap();
    for pointer in all_pointers() {
        let mut answer = good();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        match answer.pointer_mut(parent).unwrap() {
            Value::Object(object) => drop(object.remove(name)),
            Value::Array(list) => drop(list.remove(name.parse().unwrap())),
            _ => {}
        }
        // Two lists may be empty, and say so: nobody, and nobody's documents.
        let told = [RECORD.to_owned(), format!("{RECORD}/additional_attributes/1/value/documents/0")].contains(&pointer);
        if let Ok(persons) = read(&answer)
            && !told
        {
            assert_eq!((persons.len(), &persons[0].documents), (1, &known[0].documents), "{pointer}");
            assert_eq!((&persons[0].nationality, persons[0].blocked), (&known[0].nationality, false), "{pointer}");
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_put_in_its_place_nobody_is_nobody_by_mistake(
        pointer in prop::sample::select(all_pointers()),
        value in prop::sample::select(vec![json!(null), json!(""), json!("x"), json!(0), json!(-1), json!(1e300), json!(true), json!([]), json!({}), json!([[]]),
            json!([{}]), json!({"name": "estelam"})]),
    ) {
        let emptied = pointer == RECORD.trim_end_matches("/0") && value == json!([]);
        let mut answer = good();
        *answer.pointer_mut(&pointer).unwrap() = value;
        if let Ok(persons) = read(&answer) {
            prop_assert_eq!(persons.is_empty(), emptied, "{}", pointer);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(body: Vec<u8>, text in "\\PC*") {
        let _ = Envelope::parse(&body).and_then(|envelope| envelope.signed_over(text.as_bytes()));
    }
}
