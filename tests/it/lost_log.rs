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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copy_into_the_running_log_is_refused_and_the_log_goes_on() {
    let installation = Installation::make();
    let gateway = installation.start(Disk::Plain).await;
    answers(&installation, 2).await;
    let ledger = installation.dir().join("ledger");
    let refused = installation.run(&["log", "backup", ledger.to_str().unwrap()]);
    assert!(!refused.status.success() && said(&refused).contains("of a log that is in use"), "{}", said(&refused));
    assert!(refused.stdout.is_empty() && !ledger.join("checkpoint").exists(), "{}", said(&refused));
    answers(&installation, 300).await;
    assert!(installation.is_ready().await);
    gateway.kill();
    assert!(installation.verify_log(None) > 300);
}

#[test]
fn restore_of_what_is_no_copy_is_refused_and_leaves_nothing() {
    let installation = Installation::make();
    let (dir, ledger) = (installation.dir(), installation.dir().join("ledger"));
    let copy = dir.join("copy");
    assert!(installation.run(&["log", "backup", copy.to_str().unwrap()]).status.success());
    std::fs::rename(&ledger, dir.join("away")).unwrap();
    std::fs::create_dir(dir.join("empty")).unwrap();
    let seen = copy.join("checkpoint");
    for (from, more) in [("typo", None), ("empty", None), ("typo", Some("--succeed"))] {
        let from = dir.join(from);
        let restore = ["log", "restore", from.to_str().unwrap(), "--checkpoint", seen.to_str().unwrap()];
        let refused = installation.run(&restore.into_iter().chain(more).collect::<Vec<_>>());
        assert_eq!(refused.status.code(), Some(1));
        assert!(said(&refused).contains(&format!("there is no copy of a log in `{}`", from.display())), "{}", said(&refused));
        assert!(!ledger.exists() && !dir.join("typo").exists() && files(&dir.join("empty")) == 0, "something was made");
    }
}
