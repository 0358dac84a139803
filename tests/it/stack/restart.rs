//! What a restart must not forget: an agency's count of the day.

use super::fixtures::query;
use super::harness::System;
use super::workshop::edit_policy;

/// Where the counts are kept, in the log's folder.
const FILE: &str = "quota.json";

async fn ask(system: &System) -> (u16, String) {
    // The kept counts are told from the log's by the instant.
    system.advance(1);
    let reply = system.ask("telecom", &query("telecom", "amayesh-no", "A170000001", "sim")).await;
    (reply.status, reply.code().to_owned())
}

async fn answered(system: &System, times: usize) {
    for _ in 0..times {
        assert_eq!(ask(system).await.0, 200);
    }
    system.advance(1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_days_quota_outlives_restarts_whatever_became_of_its_file() {
    let system = System::today().await;
    let telecom = |quota: &str| {
        let line = format!("[limits]\n{quota}");
        edit_policy(system.dir.path(), "telecom", |text| text.replace("[limits]\n", &line));
    };
    telecom("daily_quota = 5\n");
    system.running.parts().policies.reload().unwrap();
    answered(&system, 1).await;
    let mut old = Vec::new();
    let system = system.restarted(|log| old = std::fs::read(log.join(FILE)).unwrap()).await;
    assert!(!String::from_utf8_lossy(&old).contains("A170000001"));
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&system.config.ledger.dir).unwrap());
    assert_eq!(mode & 0o777, 0o700, "the log's folder is its owner's alone");
    answered(&system, 1).await;
    // A process that was killed leaves an older file: what came after it is counted in the log.
    let system = system.restarted(|log| std::fs::write(log.join(FILE), &old).unwrap()).await;
    answered(&system, 1).await;
    // None, or half of one: the whole day is counted there.
    let system = system.restarted(|log| std::fs::remove_file(log.join(FILE)).unwrap()).await;
    answered(&system, 1).await;
    let system = system.restarted(|log| std::fs::write(log.join(FILE), &old[..20]).unwrap()).await;
    answered(&system, 1).await;
    let system = system.restarted(|_| ()).await;
    assert_eq!(ask(&system).await, (429, "quota-exhausted".to_owned()));
    // Noon of the next day.
    system.advance(24 * 3600);
    system.pki.refresh_crls().unwrap();
    system.running.parts().trust.reload().unwrap();
    let system = system.restarted(|_| ()).await;
    assert_eq!(ask(&system).await.0, 200);
    system.stop().await;
}
