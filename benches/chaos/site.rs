//! The system under test: a demo installation, its real registry, the scripted one in between, and a gateway process with faults at hand.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};

use crate::registry::Scripted;
use crate::support::{Installation, Process};

/// A bound on what takes a moment, so that a failure is a failure and not a hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// Everything, running.
pub struct Site {
    pub installation: Installation,
    pub registry: Scripted,
    gateway: Option<Process>,
}

impl Site {
    pub async fn build() -> Self {
        let installation = Installation::make();
        let file = installation.dir().join("estelam.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let real = text.lines().find_map(|line| line.strip_prefix("url = \"")?.strip_suffix('"')).unwrap().to_owned();
        let registry = Scripted::start(installation.dir(), installation.http("gateway-client"), real.clone()).await;
        std::fs::write(&file, text.replacen(&real, &format!("https://localhost:{}", registry.port), 1)).unwrap();
        compile(&installation.dir().join("faults.so"));
        let mut site = Self { installation, registry, gateway: None };
        site.start().await;
        site
    }

    /// Starts the gateway and waits until it is ready.
    pub async fn start(&mut self) {
        let (preload, full, clock) = (self.at("faults.so"), self.at("full"), self.at("clock"));
        let faults = [("LD_PRELOAD", preload), ("CHAOS_FULL", full), ("CHAOS_CLOCK", clock)];
        self.gateway = Some(self.installation.start_with(&faults).await);
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(gateway) = self.gateway.take() {
            gateway.kill();
        }
    }

    /// Holds the gateway as it is, or lets it go on.
    pub fn pause(&self, paused: bool) {
        kill_process(self.pid(), if paused { Signal::STOP } else { Signal::CONT }).unwrap();
    }

    /// Fills the disk under the access log, or empties it.
    pub fn fill_disk(&self, full: bool) {
        if full { std::fs::write(self.at("full"), "").unwrap() } else { std::fs::remove_file(self.at("full")).unwrap() }
    }

    /// Sets the wall clock of the gateway wrong by so many seconds; 0 sets it right.
    pub fn set_clock(&self, wrong_by: i64) {
        let draft = self.at("clock.draft");
        std::fs::write(&draft, wrong_by.to_string()).unwrap();
        std::fs::rename(draft, self.at("clock")).unwrap();
    }

    /// Leaves the gateway so many more file descriptors than it has open, or as many as it had at first.
    pub fn limit_descriptors(&self, more: Option<u64>) {
        let open = self.descriptors() as u64;
        // The hard limit is inherited from this process, and only lowered by those who may not raise it again.
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let current = more.map_or(current, |more| Some(open + more));
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
