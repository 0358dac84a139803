//! What nobody may overlook is counted: a service without a rule for today, a rule that fails.

use super::fixtures::query;
use super::harness::System;
use crate::counters::counters;

/// How often an alarm with these labels was raised in this process.
pub fn alarms(labels: &[&str]) -> u64 {
    let rendered = counters().render();
    let alarm = |line: &&str| line.starts_with("estelam_alarms_total{") && labels.iter().all(|label| line.contains(label));
    rendered.lines().find(alarm).map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_rule_is_indeterminate_and_an_alarm_and_history_stays_explainable() {
    let missed = ["rule-missing", "service=\"sim\""];
    let before = alarms(&missed);
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
    assert!(alarms(&missed) > before);
    system.stop().await;
}

/// Cedar passes over a rule that fails, a `forbid` among them. Here the whole folder is refused, nobody is answered by it, and it is an alarm.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_fails_never_takes_effect_and_is_an_alarm() {
    let refused = ["policy-refused"];
    let system = System::today().await;
    let question = query("clinic", "amayesh-no", "A170000001", "treatment");
    let before = (alarms(&refused), system.ask("clinic", &question).await);
    let file = system.dir.path().join("policies/guardrails.cedar");
    let rule = "@id(\"fails\")\nforbid (principal, action, resource == Service::\"treatment\")\nwhen { 9223372036854775807 + 1 == 2 };\n";
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + "\n" + rule).unwrap();
    let errors = system.running.parts().policies.reload().unwrap_err();
    assert!(errors.len() == 1 && errors[0].file == "guardrails.cedar" && errors[0].message.contains("`fails`"), "{errors:?}");
    assert!(alarms(&refused) > before.0);
    let after = system.ask("clinic", &question).await;
    assert_eq!((after.outcome(), &after.json["policy_version"]), (before.1.outcome(), &before.1.json["policy_version"]));
    system.stop().await;
}
