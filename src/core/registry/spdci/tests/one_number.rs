//! What an answer says against one number, and what against the registry.

use super::*;

/// Why the good answer with one change is none.
fn no_answer(pointer: &str, value: Value) -> NoAnswer {
    let (terms, ids, answer) = (terms(), ids(), with(pointer, value));
    let asked = Asked { terms: &terms, ids: &ids, id_type: "UIN", value: "9990000018", at: now() };
    let opened = Envelope::parse(&envelope_of(&answer)).unwrap().signed_over(answer.to_string().as_bytes()).unwrap();
    opened.persons(&asked, now()).unwrap_err()
}

#[test]
fn what_is_wrong_with_one_number_is_told_from_what_is_wrong_with_the_registry() {
    for (pointer, value) in [
        (format!("{RECORD}/additional_attributes"), json!([])),
        (format!("{RECORD}/member_list"), json!([])),
        (format!("{FOUND}/data/reg_records"), json!(vec![member(); 11])),
        (format!("{FOUND}/pagination"), json!({"page_size": 1, "page_number": 1, "total_count": 2})),
    ] {
        assert!(matches!(no_answer(&pointer, value), NoAnswer::Number(_)), "{pointer}");
    }
    let refused = |code: &str| {
        let mut found = good().pointer(FOUND).unwrap().clone();
        found["status"] = json!("rjct");
        found["status_reason_code"] = json!(code);
        no_answer(FOUND, found)
    };
    assert!(matches!(refused("rjct.search.too_many_records_found"), NoAnswer::Number(_)));
    assert!(matches!(refused("rjct.timestamp.invalid"), NoAnswer::Registry(_)));
    assert!(matches!(no_answer("/header/sender_id", json!("gateway")), NoAnswer::Registry(_)));
    assert!(matches!(no_answer(&format!("{FOUND}/data"), json!(null)), NoAnswer::Registry(_)));
}

#[test]
fn a_list_that_goes_on_is_enough_once_it_shows_that_there_are_several() {
    let cut = |records: Vec<Value>| {
        let mut answer = answer_of(json!(records));
        answer.pointer_mut(FOUND).unwrap()["pagination"] = json!({"page_size": 10, "page_number": 1, "total_count": 600});
        read(&answer)
    };
    assert_eq!(cut(vec![member(); 10]).unwrap().len(), 10, "there are several, however many more");
    let mut blocked = member();
    blocked["additional_attributes"][1]["value"]["blocked"] = json!(true);
    assert_eq!(cut(vec![member()]), Err("its answer is not whole"));
    assert_eq!(cut(vec![member(), blocked]), Err("its answer is not whole"), "the one who is told may be one of several");
}
