//! A number that hundreds of people bear: ambiguous, and no trouble of anybody else's.

use super::fixtures::query;
use super::harness::{System, TODAY};
use super::workshop::{document, person};

const SHARED: &str = "123456789012";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_that_hundreds_share_is_ambiguous_and_takes_the_registry_from_nobody() {
    let slip = document("census-tracking", SHARED, "census-slip", None, "1401/07/30");
    let crowd: String = (0..1500).map(|number| person(&format!("crowd-{number}"), &slip)).collect();
    let system = System::at(TODAY, &crowd).await;
    for _ in 0..8 {
        let reply = system.ask("clinic", &query("clinic", "census-tracking", SHARED, "treatment")).await;
        assert_eq!(
            (reply.outcome().as_str(), &reply.json["may_deny"]),
            ("indeterminate ambiguous-identifier", &false.into()),
            "{}",
            reply.json
        );
    }
    // Not remembered, of another agency, right after it.
    let other = system.ask("bank", &query("bank", "yekta", "9990000018", "bank-card")).await;
    assert_eq!((other.status, &other.json["freshness"]), (200, &"live".into()), "{}", other.json);
    assert_ne!(other.code(), "registry-unavailable");
    assert_eq!(system.look_ups(), 2, "each was asked for once");
    system.stop().await;
}
