//! The manual's page on installing, followed word for word in a fresh folder: `openssl`, the real binary, another trust domain, no demo.

use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PAGE: &str = include_str!("../../src/manual/installing.rs");
/// A bound on what takes seconds at most, so that a failure is a failure and not a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a reader types: the text of a block, and whether it is a service, which goes on.
struct Block {
    service: bool,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let (mut blocks, mut open): (Vec<Block>, Option<Block>) = (Vec::new(), None);
    for line in page.lines().filter_map(|line| line.strip_prefix("//!")).map(|line| line.strip_prefix(' ').unwrap_or(line)) {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(kind), None) => open = Some(Block { service: kind == "sh,service", text: kind.to_owned() + "\n" }),
            (None, Some(block)) => block.text = format!("{}{line}\n", block.text),
            (None, None) => {}
        }
    }
    let typed = |block: Block| block.text.strip_prefix("sh").map(|text| text.split_once('\n').unwrap().1.to_owned());
    blocks.into_iter().filter_map(|block| Some(Block { service: block.service, text: typed(block)? })).collect()
}

/// Four ports in a row, below those that the system hands out by itself.
fn free_ports() -> u16 {
    let first = 15_000 + u16::try_from(std::process::id() % 1_000).unwrap() * 4;
    let free = |port: &u16| (0..4).all(|next| TcpListener::bind(("127.0.0.1", port + next)).is_ok());
    (first..20_000).step_by(4).find(free).expect("four free ports in a row")
}

/// A service that ends with the test.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Somebody with a shell in an empty folder.
struct Reader {
    folder: tempfile::TempDir,
    port: u16,
    services: Vec<Service>,
}

impl Reader {
    fn new() -> Self {
        Self { folder: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(), port: free_ports(), services: Vec::new() }
    }

    fn path(&self, of: &str) -> std::path::PathBuf {
        self.folder.path().join(of)
    }

    fn shell(&self, text: &str) -> Command {
        let binary = Path::new(env!("CARGO_BIN_EXE_estelam")).parent().unwrap();
        let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", text]).current_dir(self.folder.path()).stdin(Stdio::null());
        shell.env("PATH", path).env("ESTELAM", env!("CARGO_MANIFEST_DIR")).env("ESTELAM_LOG", "warn").env("LISTEN", "127.0.0.1");
        shell.env("DOMAIN", "gov.example").env("GATEWAY", format!("localhost:{}", self.port));
        shell.env("REGISTRY", format!("localhost:{}", self.port + 3));
        shell
    }

    /// Runs a block to its end: what it printed, or everything that it said where it failed.
    fn types(&self, text: &str) -> Result<String, String> {
        let output = self.shell(text).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        if output.status.success() { Ok(said) } else { Err(said + &String::from_utf8(output.stderr).unwrap()) }
    }

    fn starts(&mut self, text: &str) {
        let log = File::create(self.path(&format!("service-{}.log", self.services.len()))).unwrap();
        let service = self.shell(&format!("exec {text}")).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        self.services.push(Service(service));
    }

    /// Asks until the answer is as it should be; each time a process starts, so that nobody is asked in a tight loop.
    fn until(&self, what: &str, holds: impl Fn() -> Result<bool, String>) {
        let begun = Instant::now();
        loop {
            let seen = holds();
            if seen == Ok(true) {
                return;
            }
            let logs: String =
                (0..self.services.len()).map(|n| std::fs::read_to_string(self.path(&format!("service-{n}.log"))).unwrap()).collect();
            assert!(begun.elapsed() < PATIENCE, "never {what}: {seen:?}\n{logs}");
        }
    }
}

#[test]
fn a_stranger_installs_gateway_registry_and_client_by_the_manual_alone() {
    let mut reader = Reader::new();
    let (mut printed, mut started) = (Vec::new(), false);
    let blocks = blocks(PAGE);
    assert!(blocks.iter().filter(|block| block.service).count() == 2 && blocks.len() > 8, "the page has lost its blocks");
    for block in blocks {
        if block.service {
            reader.starts(&block.text);
            started = true;
            continue;
        }
        if std::mem::take(&mut started) {
            reader.until("ready", || reader.types("estelam status --dir gateway").map(|_| true));
        }
        if block.text.contains("officials init") {
            let early = reader.types("estelam serve --dir gateway").unwrap_err();
            assert!(early.contains("there are no officials"), "unsigned policies keep the gateway from starting: {early}");
        }
        printed.push(reader.types(&block.text).unwrap_or_else(|said| panic!("{}\n{said}", block.text)));
    }
    let configuration = std::fs::read_to_string(reader.path("gateway/estelam.toml")).unwrap();
    assert!(configuration.contains("demo = false") && configuration.contains("trust_domain = \"gov.example\""), "{configuration}");
    let [.., answer, trail] = printed.as_slice() else { panic!("{printed:?}") };
    assert!(answer.contains("entitled") && answer.contains("d1-1402-04-07"), "{answer}");
    assert!(trail.contains("\n1 entries; ") && trail.contains("bank"), "{trail}");
    // What the registry pushes is taken in this trust domain too.
    reader.types("estelam registry decree approve d2-1404-01-01 --key officials/counsel.pem --dir registry").unwrap();
    let metrics = format!("curl -sS http://127.0.0.1:{}/metrics", reader.port + 2);
    let heeded = |text: &str| text.lines().any(|line| line.starts_with("estelam_registry_events_total{outcome=\"heeded\"} "));
    reader.until("heeded", || reader.types(&metrics).map(|text| heeded(&text)));
    // The kit's own script gets the same with curl.
    let asked = reader.types("echo A170000001 | SCHEME=amayesh-no BIRTH_YEAR=1370 sh bank/kit/ask.sh").unwrap();
    assert!(asked.contains("\"decision\":"), "{asked}");
}
