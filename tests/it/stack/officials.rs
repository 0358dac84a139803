//! An installation that is no demo: what an operator changes in the policies waits for officials, and nobody waits at the terminal.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use estelam::adapters::clock::ManualClock;
use estelam::adapters::keys::FileSigner;
use estelam::core::signing::Algorithm;
use estelam::registry::decrees::OfficialKey;
use serde_json::{Value, json};

use super::agency_life::{agency, ask, done, request, run, san, today};
use super::fixtures::query;
use super::harness::System;
use super::tools::configured;
use super::workshop::{edit_policy, listed, listed_of_the_registry};
use crate::tls_support::write_private;

/// Agencies that may not be without a key for requests outside a demo.
const SIGN: [&str; 3] = ["dpo", "operator", "kefalat"];

/// The office: two officials with their keys.
pub struct Office {
    lab: tempfile::TempDir,
    keys: [PathBuf; 2],
}

impl Office {
    /// Makes the policies of a demo those of an installation, and puts the first officials in place, who sign them.
    pub fn open(system: &System) -> Self {
        for name in SIGN {
            edit_policy(system.dir.path(), name, |text| {
                text.lines().filter(|line| !line.starts_with("demo_optional")).flat_map(|line| [line, "\n"]).collect()
            });
            let signer = FileSigner::from_pkcs8(&FileSigner::generate(Algorithm::Es256).unwrap()).unwrap();
            let keys = json!({ "keys": [signer.public_key().as_jwk()] }).to_string();
            std::fs::write(system.config.policies.join(format!("agencies/{name}.request-jwks.json")), keys).unwrap();
        }
        let lab = tempfile::tempdir().unwrap();
        let keys = ["one", "two"].map(|name| lab.path().join(format!("{name}.pem")));
        let office = Self { lab, keys };
        let dir = outside_a_demo(system);
        done(&officials(&dir, &["init", &office.file(system.dir.path())]));
        office.approve(system.dir.path(), &system.clock);
        office
    }

    /// The officials' file, with keys made for it, and those who signed the decrees that are there.
    fn file(&self, registry: &Path) -> String {
        let mut text = format!("quorum = 2\n{}", listed_of_the_registry(registry));
        for (id, file) in ["one", "two"].iter().zip(&self.keys) {
            let pem = pem::encode(&pem::Pem::new("PRIVATE KEY", FileSigner::generate(Algorithm::EdDsa).unwrap().to_vec()));
            write_private(file, &pem);
            text += &listed(id, &OfficialKey::read(file).unwrap());
        }
        let path = self.lab.path().join("officials.toml");
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Proposes, signs twice and applies, as the commands say.
    fn approve(&self, dir: &Path, clock: &ManualClock) {
        let dir = dir.to_str().unwrap();
        done(&officials(dir, &["propose", "policies"]));
        for key in &self.keys {
            done(&officials(dir, &["sign", "policies", "--key", key.to_str().unwrap()]));
        }
        // The gateway's clock stands still; nothing that was proposed may lie ahead of it.
        clock.set(today().parse().unwrap());
        done(&officials(dir, &["apply", "policies"]));
    }
}

fn officials(dir: &str, arguments: &[&str]) -> Output {
    run(Command::new(env!("CARGO_BIN_EXE_estelam")).arg("officials").args(arguments).args(["--dir", dir]))
}

/// The same configuration without what only a demo has.
fn outside_a_demo(system: &System) -> String {
    let dir = configured(system);
    let file = Path::new(&dir).join("estelam.toml");
    let text = std::fs::read_to_string(&file).unwrap().replacen("demo = true", "demo = false", 1);
    std::fs::write(&file, text.replacen("officer_key = ", "# officer_key = ", 1)).unwrap();
    dir
}

/// Gives the gateway of a configuration another name.
fn rename(folder: &Path, issuer: &str) {
    let file = folder.join("estelam.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let named =
        text.lines().map(|line| if line.starts_with("issuer = \"https") { format!("issuer = \"{issuer}\"") } else { line.to_owned() });
    std::fs::write(&file, named.collect::<Vec<_>>().join("\n")).unwrap();
}

fn in_force(system: &System) -> std::sync::Arc<str> {
    system.running.parts().policies.current().version.clone()
}

/// The system as an installation that is no demo, and its office.
pub async fn installed(system: System) -> (System, Office) {
    let office = Office::open(&system);
    let (folder, clock) = (system.dir.path().to_owned(), system.clock.clone());
    let system = system
        .restarted_with(|config| {
            config.demo = false;
            config.audit.officer_key = None;
            // It listens elsewhere now and so has another name, for which nobody has signed yet.
            rename(&folder, &config.issuer);
            office.approve(&folder, &clock);
        })
        .await;
    (system, office)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outside_a_demo_an_agency_joins_signs_and_leaves_without_a_wait_for_officials() {
    let (system, office) = installed(System::at(&today(), "").await).await;
    let dir = outside_a_demo(&system);
    let before = in_force(&system);
    let to_do = format!("\n  estelam officials propose policies --dir {dir}\n");

    let csr = request(office.lab.path(), "one", &[&san("bank-two")]);
    let joins = done(&agency(&dir, &["enrol", "bank-two", "--csr", &csr, "--like", "bank", "--fa", "بانک دوم", "--en", "Second bank"]));
    let kit = system.config.enrolment.join("bank-two/agency/kit");
    assert!(joins.contains(&kit.display().to_string()) && joins.contains("a second factor (`check`)"), "{joins}");
    assert!(joins.contains("not in force yet") && joins.contains(&to_do), "{joins}");
    let key = office.lab.path().join("one.key.pem");
    assert_eq!((in_force(&system), ask(&kit, &key)["decision"].is_null()), (before.clone(), true), "nobody has signed that");
    let public = office.lab.path().join("request.pub.pem");
    request(office.lab.path(), "signing", &[&san("school")]);
    let signing = office.lab.path().join("signing.key.pem");
    done(&run(Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(signing).arg("-out").arg(&public)));
    let signs = done(&agency(&dir, &["enrol", "school", "--request-key", public.to_str().unwrap()]));
    assert!(signs.contains("not in force yet") && signs.contains(&to_do), "{signs}");
    office.approve(system.dir.path(), &system.clock);
    system.until("what was signed", |system| in_force(system) != before).await;
    assert_eq!(ask(&kit, &key)["decision"], "entitled");
    let branch = request(office.lab.path(), "north", &[&san("bank/branch/north")]);
    let unchanged = done(&agency(&dir, &["enrol", "bank", "--branch", "north", "--csr", &branch]));
    assert!(unchanged.contains("bank (north) is enrolled; its kit lies in") && !unchanged.contains("officials"), "{unchanged}");

    let question = query("telecom", "amayesh-no", "A170000001", "sim");
    assert_eq!(system.ask("telecom", &question).await.status, 200);
    let (before, leaves) = (in_force(&system), done(&agency(&dir, &["retire", "telecom"])));
    assert!(leaves.starts_with("telecom has left; ") && leaves.contains(&to_do), "{leaves}");
    assert_eq!(system.ask("telecom", &question).await.code(), "agency-suspended", "that needs nobody's signature");
    assert_eq!(in_force(&system), before);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn officials_are_listed_for_machines_too() {
    let system = System::at(&today(), "").await;
    let _office = Office::open(&system);
    let dir = system.dir.path().to_str().unwrap();
    let listed: Value = serde_json::from_str(&done(&officials(dir, &["list", "--json"]))).unwrap();
    assert_eq!((&listed["version"], &listed["quorum"]), (&json!(1), &json!(2)));
    let two = json!({"id": "two", "role": "director", "from": "2020-01-01", "to": "2099-12-31", "in_office": true});
    assert_eq!((listed["officials"].as_array().unwrap().len(), &listed["officials"][3]), (4, &two));
    assert!(listed["hash"].as_str().unwrap().starts_with("sha256:"), "{listed}");
    system.stop().await;
}
