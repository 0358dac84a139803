//! How long entries about minors are kept: an answer's time is everything's that is known to be about one, and no class tells who is one.

use estelam::core::ledger::RetentionClass;
use serde_json::json;

use super::audit_person::{open_case, trail};
use super::fixtures::query;
use super::harness::System;
use super::holder_view::{CHILD, NUMBER, code, open, step, system};
use super::record;
use super::workshop::{document, person};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_opened_and_contested_for_a_minor_is_kept_for_a_minors_time() {
    let system = system().await;
    for (value, class) in [(NUMBER, RetentionClass::Detail), (CHILD, RetentionClass::Minor)] {
        assert_eq!(system.ask("clinic", &query("clinic", "amayesh-no", value, "treatment")).await.status, 200);
        assert_eq!(record::latest_class(&system), class, "the answer");
        let (handle, code) = code(&system, "kefalat", value).await;
        assert_eq!(record::latest_class(&system), RetentionClass::Detail, "asking for a code tells nothing of whoever bears the number");
        assert_eq!(open(&system, "kefalat", &handle, "00000000").await.code(), "code-not-accepted");
        assert_eq!(record::latest_class(&system), RetentionClass::Detail, "nor does a wrong one");
        assert_eq!(open(&system, "kefalat", &handle, &code).await.status, 200);
        assert_eq!(record::latest_class(&system), class, "the view");
        let contest = json!({"handle": handle, "contest": {"line": 1, "why": "not-me"}});
        assert_eq!(step(&system, "kefalat", contest).await.status, 200);
        assert_eq!(record::latest_class(&system), class, "contesting");
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_at_a_minors_trail_is_kept_for_a_minors_time_whether_anybody_asked_or_not() {
    let child = person("child", &document("amayesh-no", CHILD, "amayesh", Some(17), "1402/03/31"));
    let system = System::at(super::harness::TODAY, &child.replace("1370/01/01", "1395/01/01")).await;
    open_case(&system, "case-1");
    for (number, class) in [(NUMBER, RetentionClass::Detail), (CHILD, RetentionClass::Minor)] {
        trail(&system, "amayesh-no", number).await;
        assert_eq!(record::latest_class(&system), class, "{number}");
    }
    // Whether a number is a minor's does not show in an answer that says nothing.
    let mut question = query("bank", "amayesh-no", CHILD, "bank-card");
    question["check"] = json!({"birth_year": 1371, "calendar": "jalali"});
    assert_eq!(system.ask("bank", &question).await.outcome(), "indeterminate not-established");
    assert_eq!(record::latest_class(&system), RetentionClass::Detail);
    system.stop().await;
}
