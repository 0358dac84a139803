//! The real binary as processes that end with the test, in a folder as the demo makes it.

use std::fs::File;
use std::io::{BufRead, BufReader, Lines, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use estelam::adapters::clock::SystemClock;
use estelam::adapters::tls::config::client_config;
use estelam::config::template;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

/// A bound on what takes seconds at most, so that a failure is a failure and not a hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// The late disk, compiled.
const LATE_DISK: &str = "late-disk.so";

/// A child process that is killed at the latest when it is dropped.
pub struct Process(Child);

impl Process {
    /// A child that a test started by itself.
    pub const fn of(child: Child) -> Self {
        Self(child)
    }

    /// What it writes, line by line: standard output, standard error.
    pub fn lines(&mut self) -> [Lines<BufReader<Box<dyn Read>>>; 2] {
        let (out, err) = (self.0.stdout.take().unwrap(), self.0.stderr.take().unwrap());
        [Box::new(out) as Box<dyn Read>, Box::new(err)].map(|pipe| BufReader::new(pipe).lines())
    }

    /// SIGSTOP or SIGCONT.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// How it ended, if it has.
    #[allow(dead_code, reason = "for the fault bench")]
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.0.try_wait().unwrap()
    }

    /// SIGKILL: no handler, no destructor, no flush.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The disk under the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    /// As it is: what was written is there after a kill.
    Plain,
    /// Loses with the process what was not synced (`late_disk.c`), and can be held up.
    Late,
}

/// A disk that is held up.
pub struct Held<'a>(&'a Installation);

impl Held<'_> {
    /// Waits until a sync of the gateway waits for the disk.
    pub async fn felt(&self) {
        let begun = Instant::now();
        while !self.told().exists() {
            let patient = begun.elapsed() < PATIENCE;
            assert!(patient, "nothing was held up: is the gateway linked in another way than by the system's loader?");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Lets the disk go on.
    pub fn release(self) {
        std::fs::remove_file(self.0.hold()).unwrap();
        std::fs::remove_file(self.told()).unwrap();
    }

    fn told(&self) -> PathBuf {
        self.0.hold().with_extension("held")
    }
}

/// A folder as `estelam demo` makes it, with a registry process that stays up.
pub struct Installation {
    folder: tempfile::TempDir,
    ports: [u16; 3],
    _registry: Process,
}

impl Installation {
    pub fn make() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let made = estelam(&["demo", "--once", "--port", "0", "--dir"], folder.path());
        assert!(made.status.success(), "the demo does not run: {made:?}");
        let mut registry = command(&["registry", "serve", "--until-stdin-closes", "--port", "0", "--dir"], folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(registry.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let registry_port = line.trim().strip_prefix("listening on 127.0.0.1:").unwrap().parse().unwrap();
        let ports = free_ports();
        let [gateway, public, ops] = ports.map(|port| ([127, 0, 0, 1], port).into());
        std::fs::write(folder.path().join("estelam.toml"), template(gateway, public, ops, registry_port, 1)).unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/late_disk.c");
        let compiled =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(folder.path().join(LATE_DISK)).args([source, "-ldl"]).status();
        assert!(compiled.unwrap().success(), "`{source}` does not compile");
        Self { folder, ports, _registry: Process(registry) }
    }

    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// The log's database, to look into beside the product.
    pub fn database(&self, flags: OpenFlags) -> Connection {
        Connection::open_with_flags(self.dir().join("ledger/ledger.sqlite"), flags).unwrap()
    }

    /// Keeps the log's database from being written until the connection is dropped: what is answered meanwhile is in the journal alone.
    pub fn stall_log(&self) -> Connection {
        let conn = self.database(OpenFlags::SQLITE_OPEN_READ_WRITE);
        // What the killed process leaves behind is left to the next one.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        conn.execute_batch("BEGIN IMMEDIATE").unwrap();
        conn
    }

    /// Holds up every sync of the journal of a gateway on a late disk.
    pub fn hold_disk(&self) -> Held<'_> {
        File::create(self.hold()).unwrap();
        Held(self)
    }

    /// While this file is there, a late disk has no room for the log.
    pub fn full(&self) -> PathBuf {
        self.dir().join("full")
    }

    /// Tries to start the gateway on a late disk; how it ended, none when it was ready instead.
    pub async fn refuses_to_start(&self) -> Option<i32> {
        let mut serve = command(&["serve", "--dir"], self.dir());
        serve.env("LD_PRELOAD", self.dir().join(LATE_DISK)).env("LATE_DISK_HOLD", self.hold()).env("LATE_DISK_FULL", self.full());
        let child = serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let (mut process, http) = (Process(child), self.http("operator"));
        let url = format!("http://127.0.0.1:{}/health/ready", self.ports[2]);
        loop {
            if let Some(status) = process.0.try_wait().unwrap() {
                return status.code();
            }
            if http.get(&url).send().await.is_ok_and(|response| response.status() == 200) {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn hold(&self) -> PathBuf {
        self.dir().join("disk")
    }

    pub fn gateway(&self) -> String {
        format!("https://localhost:{}", self.ports[0])
    }

    pub fn public(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.ports[1])
    }

    /// Starts the gateway and waits until it says by itself that it can answer and record.
    pub async fn start(&self, disk: Disk) -> Process {
        let late = [("LD_PRELOAD", self.dir().join(LATE_DISK)), ("LATE_DISK_HOLD", self.hold()), ("LATE_DISK_FULL", self.full())];
        self.start_with(if disk == Disk::Late { &late } else { &[] }).await
    }

    /// The same with an environment of its own.
    pub async fn start_with(&self, environment: &[(&str, PathBuf)]) -> Process {
        let mut serve = command(&["serve", "--dir"], self.dir());
        serve.envs(environment.iter().map(|(name, value)| (name, value)));
        self.ready(serve, self.ports[2]).await
    }

    /// The same without waiting for anything.
    #[allow(dead_code, reason = "for the fault bench")]
    pub fn begin_with(&self, environment: &[(&str, PathBuf)]) -> Process {
        let mut serve = command(&["serve", "--dir"], self.dir());
        serve.envs(environment.iter().map(|(name, value)| (name, value)));
        self.begin(serve)
    }

    /// The same by another command, which is given the gateway's own to become it.
    pub async fn start_wrapped(&self, mut wrapper: Command) -> Process {
        wrapper.arg(env!("CARGO_BIN_EXE_estelam")).args(["serve", "--dir"]).arg(self.dir()).env("ESTELAM_LOG", "warn");
        self.ready(wrapper, self.ports[2]).await
    }

    /// Starts a second gateway on the same folder, on ports of its own: gateway and ops.
    pub async fn start_second(&self) -> (Process, [u16; 2]) {
        let ports = free_ports();
        let (mut text, second) = (std::fs::read_to_string(self.dir().join("estelam.toml")).unwrap(), self.dir().join("second.toml"));
        for (old, new) in self.ports.iter().zip(ports) {
            text = text.replace(&format!("\"127.0.0.1:{old}\""), &format!("\"127.0.0.1:{new}\""));
        }
        std::fs::write(&second, text).unwrap();
        let mut serve = Command::new(env!("CARGO_BIN_EXE_estelam"));
        serve.args(["serve", "--config"]).arg(second).env("ESTELAM_LOG", "warn");
        (self.ready(serve, ports[2]).await, [ports[0], ports[2]])
    }

    fn begin(&self, mut serve: Command) -> Process {
        let log = File::options().create(true).append(true).open(self.dir().join("serve.log")).unwrap();
        Process(serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    async fn ready(&self, serve: Command, ops: u16) -> Process {
        let http = self.http("operator");
        let mut process = self.begin(serve);
        let begun = Instant::now();
        let url = format!("http://127.0.0.1:{ops}/health/ready");
        while !http.get(&url).send().await.is_ok_and(|response| response.status() == 200) {
            let ended = process.0.try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "no ready gateway ({ended:?}):\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        process
    }

    /// The port of the `ops` listener.
    pub const fn ops(&self) -> u16 {
        self.ports[2]
    }

    /// Runs a verb on the installation.
    pub fn run(&self, args: &[&str]) -> Output {
        let mut all = args.to_vec();
        all.push("--dir");
        estelam(&all, self.dir())
    }

    /// Whether the gateway says that it can answer and record.
    pub async fn is_ready(&self) -> bool {
        let url = format!("http://127.0.0.1:{}/health/ready", self.ports[2]);
        self.http("operator").get(&url).send().await.is_ok_and(|response| response.status() == 200)
    }

    /// Where the gateway listens.
    pub fn gateway_address(&self) -> std::net::SocketAddr {
        ([127, 0, 0, 1], self.ports[0]).into()
    }

    /// `estelam log verify` against a checkpoint from before; gives the number of entries.
    pub fn verify_log(&self, seen: Option<&str>) -> u64 {
        self.check_log(seen).unwrap_or_else(|why| panic!("{why}\n{}", self.log()))
    }

    /// How many entries the log has, or why it does not hold.
    pub fn check_log(&self, seen: Option<&str>) -> Result<u64, String> {
        let kept = self.dir().join("seen-checkpoint");
        let mut verify = command(&["log", "verify", "--json", "--dir"], self.dir());
        if let Some(note) = seen {
            std::fs::write(&kept, note).unwrap();
            verify.arg("--checkpoint").arg(&kept);
        }
        let output = verify.output().unwrap();
        if !output.status.success() {
            return Err(format!("the log does not hold: {output:?}"));
        }
        Ok(serde_json::from_slice::<Value>(&output.stdout).unwrap()["entries"].as_u64().unwrap())
    }

    /// What the gateways have written so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir().join("serve.log")).unwrap_or_default()
    }

    /// An HTTP client with an agency's certificate and connections of its own.
    pub fn http(&self, agency: &str) -> reqwest::Client {
        let pki = self.dir().join("pki");
        let (cert, key) = (pki.join(agency).join("cert.pem"), pki.join(agency).join("key.pem"));
        let tls = client_config(&pki.join("ca.pem"), &cert, &key, Arc::new(SystemClock)).unwrap();
        reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().timeout(PATIENCE).build().unwrap()
    }
}

fn command(args: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_estelam"));
    command.args(args).arg(dir).env("ESTELAM_LOG", "warn");
    command
}

fn estelam(args: &[&str], dir: &Path) -> Output {
    command(args, dir).stdin(Stdio::null()).output().unwrap()
}

/// Three ports below those that the system hands out by itself: nothing takes them while the gateway is down between two rounds. No two
/// calls in one process get the same.
fn free_ports() -> [u16; 3] {
    static CALLS: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 240).unwrap() * 50 + CALLS.fetch_add(1, Ordering::Relaxed) * 3;
    let mut free = (first..32_768).step_by(600).flat_map(|port| port..port + 3);
    let mut free = std::iter::from_fn(|| free.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()));
    std::array::from_fn(|_| free.next().expect("free ports"))
}
