//! Verbs that are killed in the middle of their work: before each sync, change of a name or end of a file that they come to, one after the other. Whatever
//! they leave behind, the log holds, the gateway starts, and the verb comes to its end when it is run again.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use estelam::adapters::store::open_offline;

use crate::sigkill_support::{Disk, Installation};
use crate::succession::answers;

/// No verb has as many steps.
const MOST: usize = 200;
const SIGKILL: i32 = 9;

struct Killed {
    installation: Installation,
    kills: PathBuf,
}

impl Killed {
    fn make() -> Self {
        let installation = Installation::make();
        let kills = installation.dir().join("kill-at.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/kill_at.c");
        let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&kills).args([source, "-ldl"]).status();
        assert!(compiled.unwrap().success(), "`{source}` does not compile");
        Self { installation, kills }
    }

    fn dir(&self) -> &Path {
        self.installation.dir()
    }

    fn run(&self, args: &[&str], step: Option<usize>) -> Output {
        let mut verb = Command::new(env!("CARGO_BIN_EXE_estelam"));
        verb.args(args).arg("--dir").arg(self.dir()).stdin(Stdio::null());
        if let Some(step) = step {
            verb.env("LD_PRELOAD", &self.kills).env("KILL_AT", step.to_string());
        }
        verb.output().unwrap()
    }

    /// Runs a verb that is killed before its step of this number; false where it came to its end first.
    fn is_killed(&self, args: &[&str], step: usize) -> bool {
        let output = self.run(args, Some(step));
        let killed = output.status.signal() == Some(SIGKILL);
        assert!(killed || output.status.success(), "{args:?}, step {step}: {output:?}");
        assert!(step < MOST, "{args:?} comes to its end");
        killed
    }

    fn comes_to_its_end(&self, args: &[&str]) {
        let output = self.run(args, None);
        assert!(output.status.success(), "{args:?}: {output:?}");
    }

    /// The gateway starts and answers.
    async fn starts(&self) {
        let gateway = self.installation.start(Disk::Plain).await;
        answers(&self.installation, 1).await;
        gateway.kill();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backup_that_is_killed_at_any_step_leaves_the_log_whole_and_a_copy_that_the_next_one_completes() {
    let killed = Killed::make();
    killed.starts().await;
    let copy = killed.dir().join("copy");
    let verb = ["log", "backup", copy.to_str().unwrap()];
    // A new copy, then one that is brought up to date.
    for round in ["new", "brought up to date"] {
        let mut steps = 0;
        while killed.is_killed(&verb, steps + 1) {
            steps += 1;
            killed.installation.verify_log(None);
            killed.comes_to_its_end(&verb);
            if round == "new" {
                std::fs::remove_dir_all(&copy).unwrap();
            }
        }
        assert!(steps > 1, "{round}: {steps} kills");
        killed.starts().await;
    }
    killed.comes_to_its_end(&verb);
    let entries = killed.installation.verify_log(None);
    let copied: u64 = open_offline(&copy).unwrap().query_row("SELECT count(*) FROM entry", [], |row| row.get(0)).unwrap();
    assert_eq!(copied, entries, "the copy has all of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn export_that_is_killed_at_any_step_leaves_the_log_whole_and_no_half_of_a_file() {
    let killed = Killed::make();
    let gateway = killed.installation.start(Disk::Plain).await;
    answers(&killed.installation, 3).await;
    let file = killed.dir().join("export.ndjson");
    let verb = ["log", "export", "--out", file.to_str().unwrap()];
    let check = ["log", "export", "--check", file.to_str().unwrap(), "--prove"];
    let mut steps = 0;
    while killed.is_killed(&verb, steps + 1) {
        steps += 1;
        if file.exists() {
            killed.comes_to_its_end(&check);
            std::fs::remove_file(&file).unwrap();
        }
        killed.installation.verify_log(None);
    }
    assert!(steps >= 2, "{steps} kills");
    killed.comes_to_its_end(&check);
    // The gateway too, in the middle of whatever it does for the next one.
    let mut next = Command::new(env!("CARGO_BIN_EXE_estelam"));
    next.args(["log", "export", "--out"]).arg(killed.dir().join("next.ndjson")).arg("--dir").arg(killed.dir());
    let mut next = next.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    gateway.kill();
    next.wait().unwrap();
    killed.installation.verify_log(None);
    killed.starts().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_that_is_killed_at_any_step_leaves_keys_with_which_the_log_holds_and_the_gateway_starts() {
    let killed = Killed::make();
    killed.starts().await;
    let standby = ["keys", "standby", "checkpoints"];
    for verb in [&["keys", "rotate", "statements", "--now"][..], &standby, &["keys", "rotate", "checkpoints", "--now"]] {
        let mut steps = 0;
        while killed.is_killed(verb, steps + 1) {
            steps += 1;
            killed.installation.verify_log(None);
            killed.starts().await;
            if verb.contains(&"checkpoints") && verb != standby {
                // One that was killed after it had begun has used it up.
                killed.comes_to_its_end(&standby);
            }
        }
        assert!(steps > 3, "{verb:?}: {steps} kills");
        killed.starts().await;
        killed.installation.verify_log(None);
    }
}

/// Between the keys of the log and the file of the key that opens them no gateway starts, and it says what to run again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_of_the_content_key_that_is_killed_at_any_step_is_finished_by_the_next_one_and_loses_no_content() {
    let killed = Killed::make();
    killed.starts().await;
    let verb = ["keys", "rotate", "content"];
    let (mut steps, mut between) = (0, 0);
    while killed.is_killed(&verb, steps + 1) {
        steps += 1;
        if killed.installation.check_log(None).is_err() {
            between += 1;
            assert!(killed.installation.refuses_to_start().await.is_some(), "step {steps}");
            let refused = killed.run(&["serve"], None);
            let said = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert!(!refused.status.success() && said.contains("`estelam keys rotate content` again"), "step {steps}: {said}");
            killed.comes_to_its_end(&verb);
        }
        killed.installation.verify_log(None);
        killed.starts().await;
    }
    assert!(steps > 3 && between > 0, "{steps} kills, {between} between log and file");
    killed.installation.verify_log(None);
}
