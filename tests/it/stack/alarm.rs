//! What nobody may overlook is counted: a service without a rule for today.

use super::fixtures::query;
use super::harness::System;
use crate::counters::counters;

/// How often a rule for `sim` was missed in this process.
fn alarms() -> u64 {
    let rendered = counters().render();
    let alarm =
        |line: &&str| line.starts_with("estelam_alarms_total{") && line.contains("rule-missing") && line.contains("service=\"sim\"");
    rendered.lines().find(alarm).map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_rule_is_indeterminate_and_an_alarm_and_history_stays_explainable() {
    let before = alarms();
    let system = System::today().await;
    let ask = || async { system.ask("telecom", &query("telecom", "amayesh-no", "A170000001", "sim")).await };
    assert_eq!(ask().await.outcome(), "entitled valid-by-decree");
    let file = system.dir.path().join("policies/services.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let ended = text.replace("id = \"sim-any-document\"\n", "id = \"sim-any-document\"\nuntil = \"1405/09/01\"\n");
    assert_ne!(ended, text);
    std::fs::write(&file, ended).unwrap();
    system.running.parts().policies.reload().unwrap();
    let missing = ask().await;
    assert_eq!((missing.outcome().as_str(), &missing.json["may_deny"]), ("indeterminate rule-missing", &false.into()));
    assert!(alarms() > before);
    system.stop().await;
}
