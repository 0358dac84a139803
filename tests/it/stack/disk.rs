//! A disk that runs full under the access log: reads of it stop first, then refusals, and answers go on until nothing is left.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use estelam::core::ledger::room::{Disk, Room};
use serde_json::{Value, json};

use super::agency_life::today;
use super::fixtures::query;
use super::harness::{Reply, System, TODAY, send};
use super::record;
use super::tools::configured;

const MIB: u64 = 1 << 20;

/// What others leave to the log and its reserve.
struct Left {
    bytes: Arc<AtomicU64>,
    reserve: PathBuf,
}

impl Disk for Left {
    fn free(&self) -> Option<u64> {
        let reserve = std::fs::metadata(&self.reserve).map_or(0, |file| file.len());
        Some(self.bytes.load(Ordering::SeqCst).saturating_sub(reserve))
    }
}

/// A system whose disk has as much room as a test says; the configuration of a demo keeps 8 MiB and has its floor at 64.
struct OnSmallDisk {
    system: System,
    left: Arc<AtomicU64>,
}

impl OnSmallDisk {
    async fn new() -> Self {
        Self::at(TODAY).await
    }

    async fn at(now: &str) -> Self {
        let system = System::at(now, "").await;
        let left = Arc::new(AtomicU64::new(1000 * MIB));
        let disk = Left { bytes: left.clone(), reserve: system.config.ledger.dir.join("reserve") };
        system.running.parts().ledger.reserve().unwrap().ask(Arc::new(disk));
        system.token("clinic").await;
        Self { system, left }
    }

    /// Leaves so many MiB, and waits until that is noticed and on record.
    async fn leave(&self, mib: u64, room: Room) {
        self.left.store(mib * MIB, Ordering::SeqCst);
        let code = format!("disk-{}", room.code());
        // On a disk without any room nothing is recorded.
        let noted = || room == Room::Gone || told(&self.system).last().is_some_and(|last| *last == code);
        self.system.until("the change on record", |_| self.status()["room"] == room.code() && noted()).await;
    }

    fn status(&self) -> Value {
        let state = self.system.running.parts().ledger.reserve().unwrap().state();
        json!({ "room": state.room.code(), "reserve_mib": state.reserve / MIB })
    }

    async fn answer(&self) -> Reply {
        self.system.ask("clinic", &query("clinic", "yekta", "9990000018", "treatment")).await
    }

    async fn refusal(&self) -> Reply {
        send(self.system.request("clinic", "GET", "/nothing")).await
    }

    async fn read(&self) -> Reply {
        let token = self.system.token("security-auditor").await;
        send(self.system.request("security-auditor", "GET", "/v1/log/entries").bearer_auth(token)).await
    }
}

/// What the log says of its disk, in order.
fn told(system: &System) -> Vec<String> {
    let entries = record::all(system).into_iter().filter(|entry| entry["route"] == "disk");
    entries.map(|entry| entry["code"].as_str().unwrap().to_owned()).collect()
}

/// The one problem that may leave unrecorded, with what to do meanwhile.
fn assert_bare(reply: &Reply, why: &str) {
    assert_eq!((reply.status, reply.code()), (503, "ledger-unavailable"), "{reply:?}");
    assert!((30..=45).contains(&reply.header("retry-after").parse::<u32>().unwrap()), "{reply:?}");
    assert!(reply.json["detail"].as_str().is_some_and(|detail| detail.contains(why)), "{reply:?}");
    assert!(reply.json["ledger"].is_null() && reply.json["statement"].is_null() && reply.json["decision"].is_null(), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_of_the_log_stop_before_refusals_and_refusals_before_answers() {
    let disk = OnSmallDisk::new().await;
    assert_eq!((disk.read().await.status, disk.refusal().await.status), (200, 404));

    disk.leave(50, Room::Low).await;
    let entries = disk.system.entries();
    for path in ["/v1/log/entries", "/v1/log/export", "/v1/log/summary"] {
        let token = disk.system.token("security-auditor").await;
        let reply = send(disk.system.request("security-auditor", "GET", path).bearer_auth(token)).await;
        assert_bare(&reply, "reads of the log wait");
    }
    assert_eq!(disk.system.entries(), entries, "nothing of it was begun");
    assert_eq!(disk.refusal().await.status, 404);
    assert_eq!(disk.answer().await.outcome(), "entitled valid");
    assert_eq!(disk.system.entries(), entries + 2);

    disk.leave(10, Room::Scarce).await;
    let entries = disk.system.entries();
    for _ in 0..3 {
        assert_bare(&disk.refusal().await, "answers alone go on");
    }
    assert_eq!(disk.system.entries(), entries, "what is not recorded is not told");
    assert_eq!(disk.answer().await.outcome(), "entitled valid");
    let form = "grant_type=client_credentials&client_id=insurer";
    let token = disk.system.request("insurer", "POST", "/oauth2/token").header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(send(token.body(form)).await.status, 200, "without tokens nobody could ask");
    assert_eq!(disk.system.entries(), entries + 2);
    disk.system.running.parts().record_floods(true).await;
    assert_eq!(disk.system.entries(), entries + 2, "counts wait too");

    // With room again the refusals that were withheld are at least counted.
    disk.leave(1000, Room::Ample).await;
    disk.system.running.parts().record_floods(true).await;
    let counted = record::all(&disk.system).into_iter().filter(|entry| entry["route"] == "flood");
    let counted: Vec<_> = counted.map(|entry| json!([entry["agency"], entry["code"], entry["count"]])).collect();
    assert_eq!(counted, [json!(["clinic", "not-found", 3])]);
    assert_eq!((disk.read().await.status, disk.refusal().await.status), (200, 404));
    disk.system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_go_on_into_the_reserve_until_it_is_gone_and_come_back_with_room() {
    let disk = OnSmallDisk::new().await;
    assert_eq!(disk.answer().await.outcome(), "entitled valid");
    assert_eq!(disk.status(), json!({"room": "ample", "reserve_mib": 8}));
    // Others leave 11 MiB, of which 8 are kept: a piece of them is given up, and answers go on there.
    disk.leave(11, Room::Scarce).await;
    disk.system.until("a piece", |_| disk.status()["reserve_mib"] == 4).await;
    assert_eq!(disk.answer().await.outcome(), "entitled valid");
    // Others take that too.
    disk.leave(0, Room::Gone).await;
    assert_eq!(disk.status(), json!({"room": "gone", "reserve_mib": 0}));
    let (entries, asked) = (disk.system.entries(), disk.system.look_ups());
    let turned_away = disk.system.ask("clinic", &query("clinic", "yekta", "9990000034", "treatment")).await;
    assert_bare(&turned_away, "nothing can be recorded");
    assert_eq!(turned_away.json["advice"], "proceed", "treatment does not wait for the log");
    assert_eq!(disk.system.look_ups(), asked, "nobody was looked up for it");
    assert_eq!((disk.system.entries(), disk.system.running.parts().ledger.ready()), (entries, false));
    disk.leave(1000, Room::Ample).await;
    disk.system.running.parts().record_floods(true).await;
    assert!(record::all(&disk.system).iter().all(|entry| entry["route"] != "flood"), "it was no refusal, so it is not counted as one");
    assert_eq!(disk.answer().await.outcome(), "entitled valid");
    disk.system.until("the reserve again", |_| disk.status()["reserve_mib"] == 8).await;
    assert_eq!(told(&disk.system), ["disk-scarce", "disk-ample"]);
    disk.system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clerk_at_a_terminal_is_told_what_the_policy_says_and_not_to_wait() {
    let disk = OnSmallDisk::at(&today()).await;
    let dir = configured(&disk.system);
    let ask = |lang: &str| {
        let mut verify = Command::new(env!("CARGO_BIN_EXE_estelam"));
        verify.args(["verify", "--as", "clinic", "--service", "treatment", "--purpose", "claim", "--lang", lang, "--dir", &dir]);
        let output = verify.stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let words = [("en", "serve the holder and ask again later"), ("fa", "خدمت را بدهید و بعداً دوباره بپرسید")];
    // There is room for the token, and none for the refusal of this purpose.
    disk.leave(10, Room::Scarce).await;
    for (lang, says) in words {
        let (told, _) = ask(lang);
        assert!(told.contains("ledger-unavailable") && told.contains(says), "{told}");
        assert_eq!(told.matches("بپرسید").count(), usize::from(lang == "fa"), "{told}");
    }
    // There is none for the token either.
    disk.leave(0, Room::Gone).await;
    let (told, failed) = ask("fa");
    assert!(told.is_empty() && failed.contains("no token for `clinic`") && words.iter().all(|(_, says)| failed.contains(says)), "{failed}");
    disk.leave(1000, Room::Ample).await;
    disk.system.stop().await;
}
