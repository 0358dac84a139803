//! The system under test: a demo installation, its real registry, the scripted one in between, and a gateway process with faults at hand.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit, setrlimit};

use crate::registry::Scripted;
use crate::support::{Installation, Process};

/// A bound on what takes a moment, so that a failure is a failure and not a hang. A disk that somebody found full counts as such for a minute.
const PATIENCE: Duration = Duration::from_secs(90);

/// Everything, running.
pub struct Site {
    pub installation: Installation,
    pub registry: Scripted,
    /// An operator's client.
    ops: reqwest::Client,
    gateway: Option<Process>,
    made: Instant,
}

impl Site {
    pub async fn build() -> Self {
        let mut site = Self::prepare().await;
        site.start().await;
        site
    }

    /// The same with the access log on a file system of its own, of so many MiB, that only the gateway sees.
    pub async fn build_on_disk(mib: u64) -> Self {
        let mut site = Self::prepare().await;
        // A log that begins there: one that was copied there would go on under another origin.
        let ledger = site.at("ledger");
        std::fs::remove_dir_all(&ledger).unwrap();
        std::fs::create_dir(&ledger).unwrap();
        std::fs::remove_file(site.at("keys/logs-begun.json")).unwrap();
        let script = format!("mount -t tmpfs -o size={mib}m,mode=700 none \"$1\" && shift && exec \"$@\"");
        let mut wrapped = Command::new("unshare");
        wrapped.args(["-rm", "sh", "-c", &script, "sh"]).arg(&ledger);
        site.gateway = Some(site.installation.start_wrapped(wrapped).await);
        site
    }

    async fn prepare() -> Self {
        let (installation, made) = (Installation::make(), Instant::now());
        let file = installation.dir().join("estelam.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let real = text.lines().find_map(|line| line.strip_prefix("url = \"")?.strip_suffix('"')).unwrap().to_owned();
        let registry = Scripted::start(installation.dir(), installation.http("gateway-client"), real.clone());
        std::fs::write(&file, text.replacen(&real, &registry.url(0), 1)).unwrap();
        compile(&installation.dir().join("faults.so"));
        let ops = installation.http("operator");
        Self { installation, registry, ops, gateway: None, made }
    }

    /// Starts the gateway and waits until it is ready.
    pub async fn start(&mut self) {
        self.gateway = Some(self.installation.start_with(&self.faults()).await);
    }

    /// The same without waiting.
    pub fn begin(&mut self) {
        self.gateway = Some(self.installation.begin_with(&self.faults()));
    }

    fn faults(&self) -> [(&'static str, PathBuf); 5] {
        let files =
            [("LD_PRELOAD", "faults.so"), ("CHAOS_FULL", "full"), ("CHAOS_HANG", "hang"), ("CHAOS_EIO", "eio"), ("CHAOS_CLOCK", "clock")];
        files.map(|(variable, name)| (variable, self.at(name)))
    }

    /// Returns once the installation is so old.
    pub async fn is_older_than(&self, age: Duration) {
        tokio::time::sleep(age.saturating_sub(self.made.elapsed())).await;
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(gateway) = self.gateway.take() {
            gateway.kill();
        }
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
    }

    /// The exit code of a gateway that ends by itself; none where it does not.
    pub async fn ended(&mut self) -> Option<i32> {
        let (mut gateway, begun) = (self.gateway.take()?, Instant::now());
        while begun.elapsed() < PATIENCE {
            if let Some(status) = gateway.ended() {
                return status.code();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        None
    }

    /// Changes the configuration, which counts from the next start on.
    pub fn configure(&self, change: impl FnOnce(String) -> String) {
        let file = self.at("estelam.toml");
        let text = change(std::fs::read_to_string(&file).unwrap());
        std::fs::write(file, text).unwrap();
    }

    /// Holds the gateway as it is, or lets it go on.
    pub fn pause(&self, paused: bool) {
        kill_process(self.pid(), if paused { Signal::STOP } else { Signal::CONT }).unwrap();
    }

    /// Fills the disk under the access log, or empties it.
    pub fn fill_disk(&self, full: bool) {
        self.fault("full", full);
    }

    /// Lets the disk under the access log take nothing, and say this error.
    pub fn break_disk(&self, errno: rustix::io::Errno) {
        std::fs::write(self.at("full"), errno.raw_os_error().to_string()).unwrap();
    }

    /// Lets the next sync of the access log fail.
    pub fn fail_sync(&self) {
        self.fault("eio", true);
    }

    /// Whether that sync is still to come.
    pub fn sync_is_to_fail(&self) -> bool {
        self.at("eio").exists()
    }

    /// Lets every sync of the access log hang, or go on.
    pub fn hang_disk(&self, hangs: bool) {
        self.fault("hang", hangs);
    }

    fn fault(&self, name: &str, begins: bool) {
        if begins { std::fs::write(self.at(name), "").unwrap() } else { std::fs::remove_file(self.at(name)).unwrap() }
    }

    /// Sets the wall clock of the gateway wrong by so many seconds; 0 sets it right.
    pub fn set_clock(&self, wrong_by: i64) {
        let draft = self.at("clock.draft");
        std::fs::write(&draft, wrong_by.to_string()).unwrap();
        std::fs::rename(draft, self.at("clock")).unwrap();
    }

    /// Leaves the gateway so many more file descriptors than it has open, or as many as it took at first.
    pub fn limit_descriptors(&self, more: Option<u64>) {
        let open = self.descriptors() as u64;
        // The hard limit is inherited from this process, and only lowered by those who may not raise it again.
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        let current = more.map_or(maximum, |more| Some(open + more));
        prlimit(Some(self.pid()), Resource::Nofile, Rlimit { current, maximum }).unwrap();
    }

    /// Open file descriptors of the gateway.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid().as_raw_nonzero())).unwrap().count()
    }

    /// Resident memory of the gateway in MiB.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid().as_raw_nonzero())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
    }

    /// Whether the gateway is still the process that was started.
    pub fn alive(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid().as_raw_nonzero()));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    }

    /// Waits for what should be soon.
    pub async fn until(&self, what: &str, reached: impl AsyncFn() -> bool) -> Duration {
        let begun = Instant::now();
        while !reached().await {
            assert!(begun.elapsed() < PATIENCE, "never came: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        begun.elapsed()
    }

    /// What `/health/ready` says.
    pub async fn ready(&self) -> bool {
        self.installation.is_ready().await
    }

    /// A file of the installation as the gateway sees it.
    pub fn inside(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.pid().as_raw_nonzero()));
        root.join(self.at(name).strip_prefix("/").unwrap())
    }

    /// Verifies the log as the gateway sees it, while it stands still; the number of entries.
    pub fn verify_inside(&self) -> u64 {
        self.pause(true);
        for file in std::fs::read_dir(self.inside("ledger")).unwrap() {
            let file = file.unwrap();
            if file.file_type().unwrap().is_file() {
                std::fs::copy(file.path(), self.at("ledger").join(file.file_name())).unwrap();
            }
        }
        self.pause(false);
        self.installation.verify_log(None)
    }

    /// What the gateway says of the log's disk.
    pub async fn disk_room(&self) -> String {
        self.status().await["ledger"]["disk"]["room"].as_str().unwrap_or_default().to_owned()
    }

    /// How far the gateway has followed the changes.
    pub async fn known_cursor(&self) -> u64 {
        self.status().await["registry"]["cursor"].as_u64().unwrap_or(0)
    }

    /// The cursor of the registry's last change.
    pub async fn cursor(&self) -> u64 {
        self.registry.cursor().await
    }

    /// Whether the gateway is ready, and no part of it worse than it should be.
    pub async fn nothing_amiss(&self) -> bool {
        let url = format!("http://127.0.0.1:{}/health/ready", self.installation.ops());
        let Ok(reply) = self.ops.get(url).send().await else { return false };
        let ready = reply.status() == 200;
        let said: serde_json::Value = reply.json().await.unwrap_or_default();
        ready && said["degraded"].as_array().is_some_and(Vec::is_empty)
    }

    /// How many entries the last checkpoint has.
    pub async fn checkpoint(&self) -> u64 {
        let Ok(reply) = self.ops.get(self.installation.public("/checkpoint")).send().await else { return 0 };
        let note = reply.text().await.unwrap_or_default();
        note.lines().nth(1).and_then(|size| size.parse().ok()).unwrap_or(0)
    }

    /// Shows the last that the gateway said.
    pub fn show_log(&self) {
        let log = self.installation.log();
        let lines: Vec<_> = log.lines().rev().take(8).collect();
        lines.iter().rev().for_each(|line| eprintln!("chaos:        {line}"));
    }

    /// The alarms that went up so far, by name.
    pub async fn alarms(&self) -> std::collections::BTreeMap<String, u64> {
        let url = format!("http://127.0.0.1:{}/metrics", self.installation.ops());
        let text = self.ops.get(url).send().await.unwrap().text().await.unwrap();
        let alarm = |line: &str| {
            let (name, count) = line.strip_prefix("estelam_alarms_total{alarm=\"")?.split_once("\"")?;
            Some((name.to_owned(), count.rsplit(' ').next()?.parse().ok()?))
        };
        text.lines().filter_map(alarm).collect()
    }

    async fn status(&self) -> serde_json::Value {
        let url = format!("http://127.0.0.1:{}/status", self.installation.ops());
        self.ops.get(url).send().await.unwrap().json().await.unwrap()
    }

    fn pid(&self) -> Pid {
        self.gateway.as_ref().and_then(|gateway| Pid::from_raw(i32::try_from(gateway.id()).ok()?)).expect("a running gateway")
    }

    fn at(&self, name: &str) -> PathBuf {
        self.installation.dir().join(name)
    }
}

fn compile(library: &Path) {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/chaos/faults.c");
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(library).args([source, "-ldl"]).status();
    assert!(compiled.unwrap().success(), "`{source}` does not compile");
}

/// As many file descriptors as the system grants, for this process and those that it starts.
pub fn take_all_descriptors() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _as_before = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
