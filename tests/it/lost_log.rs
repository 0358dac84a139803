//! A log that is not where it was, with the real commands: nothing is begun in its place, written over or left behind.

use std::path::Path;
use std::process::Output;

use crate::sigkill_support::{Disk, Installation};
use crate::succession::answers;

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn files(dir: &Path) -> usize {
    std::fs::read_dir(dir).unwrap().count()
}

/// The gateway does not start, and says that a log was begun there.
async fn is_missed(installation: &Installation) {
    assert_eq!(installation.refuses_to_start().await, Some(1));
    let refused = said(&installation.run(&["serve"]));
    assert!(refused.contains("there is no log in") && refused.contains("mount its disk"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_whose_disk_is_not_mounted_is_not_begun_a_second_time() {
    let installation = Installation::make();
    let mark = installation.dir().join("keys/logs-begun.json");
    // An installation of an earlier version has a log and no mark.
    std::fs::remove_file(&mark).unwrap();
    let gateway = installation.start(Disk::Plain).await;
    assert!(mark.exists(), "it gets one at its next start");
    let before = answers(&installation, 2).await["ledger"].clone();
    gateway.kill();

    let (ledger, away) = (installation.dir().join("ledger"), installation.dir().join("away"));
    std::fs::rename(&ledger, &away).unwrap();
    is_missed(&installation).await;
    assert!(!ledger.exists(), "nothing was made");
    std::fs::create_dir(&ledger).unwrap();
    is_missed(&installation).await;
    let purged = installation.run(&["log", "purge", "--dry-run"]);
    assert!(!purged.status.success() && said(&purged).contains("there is no log in"), "{}", said(&purged));
    assert_eq!(files(&ledger), 0, "nothing was made");
    std::fs::remove_dir(&ledger).unwrap();
    std::fs::rename(&away, &ledger).unwrap();
    let gateway = installation.start(Disk::Plain).await;
    let after = answers(&installation, 1).await["ledger"].clone();
    assert_eq!(after["origin"], before["origin"]);
    assert!(after["index"].as_u64() > before["index"].as_u64());
    gateway.kill();

    // What is lost for good is ended on purpose.
    for file in ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "journal.0", "journal.1"] {
        let _ = std::fs::remove_file(ledger.join(file));
    }
    is_missed(&installation).await;
    let ended = installation.run(&["log", "succeed"]);
    assert!(ended.status.success(), "{}", said(&ended));
    let gateway = installation.start(Disk::Plain).await;
    let next = answers(&installation, 1).await["ledger"]["origin"].clone();
    assert!(next.as_str().unwrap().starts_with(&format!("{}/", before["origin"].as_str().unwrap())), "{next}");
    gateway.kill();
}
