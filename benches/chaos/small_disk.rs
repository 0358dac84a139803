//! A disk of its own for the access log, real and small, that others fill while answers are asked for.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::scene::{Case, FRESH, Row, Scene};
use crate::site::Site;

/// MiB of the disk: the floor of a demo is 64, its reserve 8, its journal 16.
const DISK_MIB: u64 = 160;
const MIB: u64 = 1 << 20;

const CASE: Case = Case::new("others fill the log's disk", "reads stop, then refusals; answers go on", FRESH).within(90);

/// Whether this user may mount something in a name space of its own.
fn can_mount() -> bool {
    let tried = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

/// The file by which others take room, seen through the gateway's own name space.
struct Others(PathBuf);

impl Others {
    /// Leaves so many MiB free, or nothing at all.
    fn leave(&self, mib: u64) {
        let disk = self.0.parent().unwrap();
        let free = |disk: &Path| rustix::fs::statvfs(disk).map(|told| told.f_bavail * told.f_frsize).unwrap();
        let mut file = std::fs::File::options().create(true).append(true).open(&self.0).unwrap();
        let piece = vec![7; 64 << 10];
        while free(disk) > mib * MIB {
            let take = usize::try_from((free(disk) - mib * MIB).min(64 << 10)).unwrap();
            if file.write_all(&piece[..take]).is_err() {
                return;
            }
        }
    }

    fn go(&self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

/// All stages, one after another; none where nothing can be mounted.
pub async fn row() -> Option<Row> {
    if !can_mount() {
        eprintln!("chaos: skip a small disk that others fill: no file system can be mounted here");
        return None;
    }
    let site = Site::build_on_disk(DISK_MIB).await;
    let scene = Scene::of(site).await;
    let others = Others(scene.site.inside("ledger/others"));
    let mut told = Vec::new();
    let mut outcomes = scene.asked(5, None).await;
    for (left, room) in [(40, "low"), (12, "scarce"), (0, "scarce")] {
        others.leave(left);
        scene.site.until("the stage", async || scene.site.disk_room().await == room).await;
        let (read, refused) = (scene.status_of("security-auditor", "/v1/log/entries").await, scene.status_of("clinic", "/nothing").await);
        let wanted = if room == "low" { (503, 404) } else { (503, 503) };
        if (read, refused) != wanted {
            scene.broken(format!("{room}: a read got {read}, a refusal {refused}"));
        }
        outcomes.extend(scene.asked(30, None).await);
        told.push(format!("{left} MiB left: {room}"));
    }
    // The reserve too, piece by piece, until nothing can be recorded.
    while scene.site.disk_room().await != "gone" {
        others.leave(0);
        scene.clinic.ask(None).await;
    }
    let last = scene.asked(5, None).await;
    if last.iter().any(|outcome| outcome.said != "ledger-unavailable") {
        scene.broken("an answer without room for its record");
    }
    others.go();
    let ended = Instant::now();
    let mut row = scene.row(CASE, &outcomes, ended).await;
    scene.site.until("room again", async || scene.site.disk_room().await == "ample").await;
    told.push("all taken: 503 with advice; freed".to_owned());
    let entries = scene.site.verify_inside();
    let highest = scene.clinic.highest();
    if highest >= entries {
        row.kept = false;
        row.happened += &format!("; BROKEN: entry {highest} was told of and is not among {entries}");
    }
    row.happened = format!("{}; {}", told.join(", "), row.happened);
    Some(row)
}

impl Scene {
    /// What a request without a body gets.
    async fn status_of(&self, agency: &str, path: &str) -> u16 {
        let installation = &self.site.installation;
        let url = installation.gateway();
        let http = installation.http(agency);
        let form = format!("grant_type=client_credentials&client_id={agency}");
        let issue = http.post(format!("{url}/oauth2/token")).header("content-type", "application/x-www-form-urlencoded").body(form);
        let token: Value = issue.send().await.unwrap().json().await.unwrap();
        let asked = http.get(format!("{url}{path}")).bearer_auth(token["access_token"].as_str().unwrap_or("none"));
        asked.send().await.map_or(0, |reply| reply.status().as_u16())
    }
}
