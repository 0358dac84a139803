//! An agency's life with the tools that an operator and an agency have: the real binary, `openssl` and `curl`.

use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use estelam::core::domain::clock::Clock;
use serde_json::Value;

use super::fixtures::query;
use super::harness::{FORM, System, send};
use super::raw::connected;
use super::tools::configured;

/// The tools read the system's clock, so these systems live by it too.
pub fn today() -> String {
    estelam::adapters::clock::SystemClock.now().to_string()
}

pub fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub fn agency(dir: &str, arguments: &[&str]) -> Output {
    run(Command::new(env!("CARGO_BIN_EXE_estelam")).arg("agency").args(arguments).args(["--dir", dir]))
}

pub fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

pub fn failed(output: &Output) -> String {
    assert!(!output.status.success(), "{}", text(&output.stdout));
    text(&output.stderr)
}

/// A key and a request as an agency makes them.
pub fn request(folder: &Path, name: &str, extensions: &[&str]) -> String {
    let (key, csr) = (folder.join(format!("{name}.key.pem")), folder.join(format!("{name}.csr")));
    let mut command = Command::new("openssl");
    command.args(["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/O=Example"]);
    command.arg("-keyout").arg(key).arg("-out").arg(&csr);
    for extension in extensions {
        command.args(["-addext", extension]);
    }
    done(&run(&mut command));
    csr.to_str().unwrap().to_owned()
}

pub fn san(rest: &str) -> String {
    format!("subjectAltName=URI:spiffe://estelam.test/agency/{rest}")
}

/// Asks with the script of the kit; the number goes in by standard input.
pub fn ask(kit: &Path, key: &Path) -> Value {
    serde_json::from_slice(&ask_with(kit, key, |_| ()).stdout).unwrap_or(Value::Null)
}

/// The same with an environment of its own.
pub fn ask_with(kit: &Path, key: &Path, environment: impl FnOnce(&mut Command)) -> Output {
    use std::io::Write;
    let mut command = Command::new("sh");
    environment(&mut command);
    let mut child = command
        .arg(kit.join("ask.sh"))
        .env("KEY", key)
        .env("BIRTH_YEAR", "1370")
        .env("SCHEME", "amayesh-no")
        .env_remove("https_proxy")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // A script that ends before it asks reads no number.
    let _ = child.stdin.take().unwrap().write_all(b"A170000001\n");
    child.wait_with_output().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::too_many_lines, reason = "one life, told in order")]
async fn an_agency_joins_works_rotates_is_cut_off_and_leaves() {
    let system = System::at(&today(), "").await;
    let dir = configured(&system);
    let lab = tempfile::tempdir().unwrap();
    let csr = request(lab.path(), "one", &[&san("bank-two")]);
    let like = ["--like", "bank", "--fa", "بانک دوم", "--en", "Second \"bank\""];

    let wrong = request(lab.path(), "wrong", &[&san("bank")]);
    let said = failed(&agency(&dir, &[&["enrol", "bank-two", "--csr", &wrong], &like[..]].concat()));
    assert!(said.contains("must ask for `spiffe://estelam.test/agency/bank-two`"), "{said}");
    assert!(!system.config.policies.join("agencies/bank-two.toml").exists(), "a refused request left a policy");
    let authority = request(lab.path(), "ca", &[&san("bank-two"), "basicConstraints=critical,CA:TRUE"]);
    assert!(failed(&agency(&dir, &[&["enrol", "bank-two", "--csr", &authority], &like[..]].concat())).contains("asks to be an authority"));
    assert!(failed(&agency(&dir, &["enrol", "bank-two", "--csr", &csr])).contains("is new: give its policy"));

    for name in ["gateway", "gateway-client", "registry", "registry-client"] {
        let csr = request(lab.path(), name, &[&san(name)]);
        let said = failed(&agency(&dir, &[&["enrol", name, "--csr", &csr], &like[..]].concat()));
        assert!(said.contains("which no agency may bear"), "{said}");
        assert!(!system.config.policies.join(format!("agencies/{name}.toml")).exists());
    }

    let endless = failed(&agency(&dir, &[&["enrol", "bank-two", "--csr", "/dev/zero"], &like[..]].concat()));
    assert!(endless.contains("`/dev/zero` is longer than"), "{endless}");

    let said = done(&agency(&dir, &[&["enrol", "bank-two", "--csr", &csr], &like[..]].concat()));
    assert!(said.contains("is enrolled") && said.contains("a second factor (`check`)"), "{said}");
    let kit = system.config.enrolment.join("bank-two/agency/kit");
    let persian = std::fs::read_to_string(kit.join("policy.fa.txt")).unwrap();
    assert!(persian.contains("عامل دوم"), "{persian}");
    let settings: Value = serde_json::from_slice(&std::fs::read(kit.join("oauth.json")).unwrap()).unwrap();
    assert_eq!(settings["token_endpoint"], format!("{}/oauth2/token", system.config.issuer));
    system.running.parts().policies.reload().unwrap();
    let first = lab.path().join("one.key.pem");
    let answer = ask(&kit, &first);
    assert_eq!(answer["decision"], "entitled", "{answer}");
    let payload = URL_SAFE_NO_PAD.decode(answer["statement"].as_str().unwrap().split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    assert!(claims["req"].is_string(), "the kit's query has a nonce, so the statement says which query it answers: {claims}");

    // A second certificate beside the first, then the end of the first.
    let first_certificate = lab.path().join("one.pem");
    std::fs::copy(kit.join("cert.pem"), &first_certificate).unwrap();
    let next = request(lab.path(), "two", &[&san("bank-two")]);
    assert!(failed(&agency(&dir, &["enrol", "bank-two", "--csr", &next])).contains("agency rotate"));
    done(&agency(&dir, &["rotate", "bank-two", "--csr", &next]));
    let third = request(lab.path(), "three", &[&san("bank-two")]);
    assert!(failed(&agency(&dir, &["rotate", "bank-two", "--csr", &third])).contains("two certificates are good already"));
    let second = lab.path().join("two.key.pem");
    assert_eq!(ask(&kit, &second)["decision"], "entitled");
    let token = |cert: &Path, key: &Path| {
        let url = format!("{}/oauth2/token", system.config.issuer);
        run(Command::new("curl")
            .args(["-sS", "--noproxy", "*", "-d", "grant_type=client_credentials", "--cacert"])
            .arg(system.pki.ca())
            .arg("--cert")
            .arg(cert)
            .arg("--key")
            .arg(key)
            .arg(url))
    };
    assert!(text(&token(&first_certificate, &first).stdout).contains("access_token"));
    done(&agency(&dir, &["rotate", "bank-two", "--finish"]));
    system.running.parts().cutoff.reload().unwrap();
    assert!(!text(&token(&first_certificate, &first).stdout).contains("access_token"), "the old certificate still works");
    assert_eq!(ask(&kit, &second)["decision"], "entitled");

    done(&agency(&dir, &["suspend", "bank-two"]));
    system.until("the suspension", |system| system.running.parts().cutoff.current().agencies.contains_key("bank-two")).await;
    assert!(text(&token(&kit.join("cert.pem"), &second).stdout).contains("agency-suspended"));
    let listed = done(&agency(&dir, &["list"]));
    assert!(
        listed.lines().any(|line| line.starts_with("bank-two") && line.contains("suspended") && line.contains("days left")),
        "{listed}"
    );
    done(&agency(&dir, &["resume", "bank-two"]));
    system.running.parts().cutoff.reload().unwrap();
    assert!(text(&token(&kit.join("cert.pem"), &second).stdout).contains("access_token"));

    done(&agency(&dir, &["retire", "bank-two"]));
    assert!(failed(&agency(&dir, &[&["enrol", "bank-two", "--csr", &csr], &like[..]].concat())).contains("never given twice"));
    assert!(failed(&agency(&dir, &["show", "bank-two"])).contains("no agency `bank-two`"));
    system.running.parts().cutoff.reload().unwrap();
    assert!(!text(&token(&kit.join("cert.pem"), &second).stdout).contains("access_token"));
    let bank = system.request("bank", "POST", "/oauth2/token").header("content-type", FORM).body("grant_type=client_credentials");
    assert_eq!(send(bank).await.status, 200);
    system.stop().await;
}

/// A request for a key that is there already.
fn request_with(folder: &Path, key: &str, name: &str, rest: &str) -> String {
    let csr = folder.join(format!("{name}.csr"));
    let mut command = Command::new("openssl");
    command
        .args(["req", "-new", "-subj", "/O=Example", "-addext", &san(rest), "-key"])
        .arg(folder.join(format!("{key}.key.pem")))
        .arg("-out")
        .arg(&csr);
    done(&run(&mut command));
    csr.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_was_seen_before_gets_no_certificate_and_what_is_cut_off_is_not_called_good() {
    let system = System::at(&today(), "").await;
    let dir = configured(&system);
    let lab = tempfile::tempdir().unwrap();
    let north = request(lab.path(), "north", &[&san("bank/branch/north")]);
    done(&agency(&dir, &["enrol", "bank", "--branch", "north", "--csr", &north]));
    let certificate = system.config.enrolment.join("bank/branch-north/cert.pem");
    done(&agency(&dir, &["suspend", "bank", "--certificate", certificate.to_str().unwrap()]));
    let listed = done(&agency(&dir, &["list"]));
    assert!(listed.lines().any(|line| line.starts_with("bank ") && line.contains("CUT OFF")), "{listed}");
    assert!(done(&agency(&dir, &["show", "bank"])).contains("cut    north"));
    let seen = |output: &Output| assert!(failed(output).contains("this key is or was in a certificate of `bank`"));
    seen(&agency(&dir, &["rotate", "bank", "--branch", "north", "--csr", &north]));
    // Neither another branch's nor another agency's, nor through an outside authority.
    seen(&agency(&dir, &["enrol", "bank", "--branch", "south", "--csr", &request_with(lab.path(), "north", "south", "bank/branch/south")]));
    let other = request_with(lab.path(), "north", "school", "school/branch/x");
    seen(&agency(&dir, &["enrol", "school", "--branch", "x", "--csr", &other, "--outside-ca"]));
    assert!(!system.config.enrolment.join("school/branch-x/cert.pem").exists());
    // A key for requests is none for connections.
    let signing = request(lab.path(), "signing", &[&san("bank/branch/y")]);
    let public = lab.path().join("signing.pub.pem");
    done(&run(Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(lab.path().join("signing.key.pem")).arg("-out").arg(&public)));
    done(&agency(&dir, &["enrol", "school", "--request-key", public.to_str().unwrap()]));
    let said = failed(&agency(&dir, &["enrol", "bank", "--branch", "y", "--csr", &signing]));
    assert!(said.contains("signs requests or client assertions of `school`"), "{said}");
    let next = request(lab.path(), "next", &[&san("bank/branch/north")]);
    done(&agency(&dir, &["rotate", "bank", "--branch", "north", "--csr", &next]));
    done(&agency(&dir, &["retire", "telecom"]));
    assert!(failed(&agency(&dir, &["resume", "telecom"])).contains("does not come back"));
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_has_a_certificate_and_limits_of_its_own() {
    let system = System::at(&today(), "").await;
    let dir = configured(&system);
    let lab = tempfile::tempdir().unwrap();
    super::workshop::edit_policy(system.dir.path(), "bank", |text| {
        format!("{text}\n[[unit]]\nname = \"north\"\ndaily_quota = 1\n\n[[unit]]\nname = \"south\"\nsuspended = true\n")
    });
    system.running.parts().policies.reload().unwrap();
    for branch in ["north", "south"] {
        let csr = request(lab.path(), branch, &[&san(&format!("bank/branch/{branch}"))]);
        done(&agency(&dir, &["enrol", "bank", "--branch", branch, "--csr", &csr]));
    }
    let kit = |branch: &str| system.config.enrolment.join(format!("bank/branch-{branch}/kit"));
    let key = |branch: &str| lab.path().join(format!("{branch}.key.pem"));
    assert_eq!(ask(&kit("north"), &key("north"))["decision"], "entitled");
    assert_eq!(ask(&kit("north"), &key("north"))["code"], "quota-exhausted");
    assert_ne!(ask(&kit("south"), &key("south"))["decision"], "entitled");
    let shown = done(&agency(&dir, &["list", "--json"]));
    let bank: Value = shown.lines().map(|line| serde_json::from_str(line).unwrap()).find(|line: &Value| line["agency"] == "bank").unwrap();
    assert_eq!(bank["units"], serde_json::json!(["north", "south"]));
    assert_eq!(bank["certificates"].as_array().unwrap().len(), 2);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_has_no_more_connections_and_calls_than_its_unit_may_have() {
    let system = System::today().await;
    super::workshop::edit_policy(system.dir.path(), "bank", |text| {
        format!(
            "{text}\n[[unit]]\nname = \"north\"\nmax_connections = 1\n\n\
             [[unit]]\nname = \"east\"\ncounter = {{ per_second = 1, burst = 1 }}\n"
        )
    });
    system.running.parts().policies.reload().unwrap();
    let mut held = connected(&system, "bank.north").await.unwrap();
    assert!(connected(&system, "bank.north").await.is_err(), "north has its one connection");
    assert!(connected(&system, "bank.south").await.is_ok());
    assert!(held.get("/.well-known/jwks.json").await.unwrap().starts_with("200 "));

    let question = query("bank", "amayesh-no", "A170000001", "bank-card");
    let mut last = system.ask("bank.east", &question).await;
    for _ in 0..200 {
        if last.status != 200 {
            break;
        }
        last = system.ask("bank.east", &question).await;
    }
    assert_eq!((last.status, last.code()), (429, "rate-limited"), "{}", last.json);
    assert!(last.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(system.ask("bank.south", &question).await.status, 200, "another branch has calls left");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outside_authority_is_told_what_to_sign_and_only_that_is_taken_up() {
    let system = System::at(&today(), "").await;
    let dir = configured(&system);
    let lab = tempfile::tempdir().unwrap();
    let csr = request(lab.path(), "one", &[&san("bank/branch/west")]);
    let said = done(&agency(&dir, &["enrol", "bank", "--branch", "west", "--csr", &csr, "--outside-ca"]));
    assert!(said.contains("URI:spiffe://estelam.test/agency/bank/branch/west") && said.contains("clientAuth"), "{said}");
    // Another key under the same name, and the right key under another name.
    let other = system.credential("bank.west");
    let other = other.cert.to_str().unwrap();
    assert!(failed(&agency(&dir, &["enrol", "bank", "--branch", "west", "--certificate", other])).contains("another key"));
    assert!(failed(&agency(&dir, &["enrol", "bank", "--branch", "east", "--certificate", other])).contains("there is no request"));
    let key = estelam::adapters::enrolment::check(&std::fs::read(&csr).unwrap(), "spiffe://estelam.test/agency/bank/branch/west").unwrap();
    let good = lab.path().join("good.pem");
    std::fs::write(&good, system.pki.sign(&key.public_key, &key.uri).unwrap()).unwrap();
    done(&agency(&dir, &["enrol", "bank", "--branch", "west", "--certificate", good.to_str().unwrap()]));
    let shown = done(&agency(&dir, &["show", "bank"]));
    assert!(shown.contains("good   west"), "{shown}");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_that_a_rotation_prints_ends_the_older_certificate_of_that_branch_alone() {
    let system = System::at(&today(), "").await;
    let dir = configured(&system);
    let lab = tempfile::tempdir().unwrap();
    let csr = |name: &str, rest: &str| request(lab.path(), name, &[&san(rest)]);
    done(&agency(&dir, &["enrol", "bank", "--csr", &csr("whole", "bank")]));
    done(&agency(&dir, &["rotate", "bank", "--csr", &csr("whole-two", "bank")]));
    done(&agency(&dir, &["enrol", "bank", "--branch", "north", "--csr", &csr("north", "bank/branch/north")]));
    let again = failed(&agency(&dir, &["enrol", "bank", "--branch", "north", "--csr", &csr("again", "bank/branch/north")]));
    assert!(again.contains(&format!("`estelam agency rotate bank --branch north --csr FILE --dir {dir}`")), "{again}");
    let said = done(&agency(&dir, &["rotate", "bank", "--branch", "north", "--csr", &csr("north-two", "bank/branch/north")]));
    let printed = said.trim_end().rsplit(": ").next().unwrap();
    let words: Vec<&str> = printed.strip_prefix("estelam ").unwrap().split(' ').collect();
    let ended = done(&run(Command::new(env!("CARGO_BIN_EXE_estelam")).args(&words).current_dir(lab.path())));
    assert_eq!(ended, "1 other certificate of bank (north) ended\n");
    let shown: Value = serde_json::from_str(&done(&agency(&dir, &["show", "bank", "--json"]))).unwrap();
    let certificates = shown["register"]["certificates"].as_array().unwrap().iter();
    let state: Vec<_> = certificates.map(|one| (one["unit"].as_str(), one["ended_at"].is_null())).collect();
    assert_eq!(state, [(None, true), (None, true), (Some("north"), false), (Some("north"), true)]);
    system.stop().await;
}
