//! What an operator mistypes, does twice at once or does while something is broken: nothing is lost, and nobody is told what is not so.

use std::process::{Command, Stdio};

use estelam::adapters::cutoff::{self, CutOffList};
use estelam::adapters::enrolment::{self, Register};

use super::agency_life::{agency, done, failed, request, san, text, today};
use super::harness::System;
use super::tools::configured;
use super::workshop::edit_policy;

fn cut_off(system: &System) -> CutOffList {
    cutoff::read(&system.config.cutoff).unwrap().unwrap()
}

fn register(system: &System, agency: &str) -> Register {
    Register::open(&system.config.enrolment, agency).unwrap()
}

/// Admits one branch of the bank alone.
fn admit_north_alone(system: &System) {
    edit_policy(system.dir.path(), "bank", |text| text.replace("estelam.test/agency/bank\"", "estelam.test/agency/bank/branch/north\""));
    system.running.parts().policies.reload().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slip_of_the_pen_cuts_off_neither_another_agency_nor_a_branch_that_cannot_come() {
    let system = System::at(&today(), "").await;
    let dir = configured(&system);
    let lab = tempfile::tempdir().unwrap();
    admit_north_alone(&system);
    let csr = request(lab.path(), "north", &[&san("bank/branch/north")]);
    done(&agency(&dir, &["enrol", "bank", "--branch", "north", "--csr", &csr]));
    let known = register(&system, "bank").certificates[0].sha256.clone();
    let before = cut_off(&system);
    let clinic = system.credential("clinic").cert;
    let said = failed(&agency(&dir, &["suspend", "bank", "--certificate", clinic.to_str().unwrap()]));
    assert!(said.contains("spiffe://estelam.test/agency/clinic") && said.contains("nothing was cut off"), "{said}");
    let said = failed(&agency(&dir, &["suspend", "clinic", "--certificate", &known]));
    assert!(said.contains("of `bank`") && said.contains("nothing was cut off"), "{said}");
    let said = failed(&agency(&dir, &["suspend", "bank", "--branch", "nroth"]));
    assert!(said.contains("no branch `nroth`"), "{said}");
    assert_eq!(cut_off(&system), before);

    // An agency whose every branch may come can have a certificate of an outside authority that no register names.
    let output = agency(&dir, &["suspend", "clinic", "--branch", "west"]);
    assert!(done(&output).contains("clinic (west) is suspended") && text(&output.stderr).contains("nothing here names a branch `west`"));
    let output = agency(&dir, &["suspend", "bank", "--branch", "north"]);
    assert!(done(&output).contains("bank (north) is suspended") && output.stderr.is_empty(), "{}", text(&output.stderr));
    done(&agency(&dir, &["suspend", "bank", "--certificate", &known]));
    done(&agency(&dir, &["suspend", "clinic", "--certificate", clinic.to_str().unwrap()]));
    assert_eq!(cut_off(&system).certificates.len(), 2);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_issued_for_a_branch_that_the_policy_does_not_admit() {
    let system = System::at(&today(), "").await;
    let dir = configured(&system);
    let lab = tempfile::tempdir().unwrap();
    admit_north_alone(&system);
    let csr = request(lab.path(), "south", &[&san("bank/branch/south")]);
    let said = failed(&agency(&dir, &["enrol", "bank", "--branch", "south", "--csr", &csr]));
    assert!(said.contains("does not list `spiffe://estelam.test/agency/bank/branch/south`"), "{said}");
    assert_eq!(register(&system, "bank"), Register::default());
    assert!(!system.config.enrolment.join("bank/branch-south").exists());
    let kek = super::acts::kek(&system);
    assert!(super::acts::acts(&system, &kek).iter().all(|act| act.route != "certificates"));
    // Once it is admitted the same request is good.
    edit_policy(system.dir.path(), "bank", |text| text.replace("/branch/north\"", "/branch/south\""));
    system.running.parts().policies.reload().unwrap();
    done(&agency(&dir, &["enrol", "bank", "--branch", "south", "--csr", &csr]));
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_rotation_leaves_a_certificate_that_works() {
    let system = System::at(&today(), "").await;
    let dir = configured(&system);
    let lab = tempfile::tempdir().unwrap();
    let csr = |name: &str| request(lab.path(), name, &[&san("bank/branch/north")]);
    let north = |verb: &str, more: &[&str]| agency(&dir, &[&[verb, "bank", "--branch", "north"], more].concat());
    done(&north("enrol", &["--csr", &csr("one")]));
    done(&north("rotate", &["--csr", &csr("two")]));
    let cut = |at: usize| {
        let sha256 = register(&system, "bank").certificates[at].sha256.clone();
        done(&agency(&dir, &["suspend", "bank", "--certificate", &sha256]));
    };
    let ended = || register(&system, "bank").certificates.iter().map(|one| one.ended_at.is_some()).collect::<Vec<_>>();
    cut(1);
    done(&north("rotate", &["--finish"]));
    assert_eq!(ended(), [false, true], "the newest is cut off, so the one before stays");
    // With one that is cut off beside it there is room for the next.
    cut(0);
    done(&north("rotate", &["--csr", &csr("three")]));
    done(&north("rotate", &["--csr", &csr("four")]));
    cut(2);
    cut(3);
    let said = failed(&north("rotate", &["--finish"]));
    assert!(said.contains("none would be left"), "{said}");
    assert_eq!(ended(), [false, true, false, false]);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_enrolments_at_once_none_is_lost() {
    let system = System::at(&today(), "").await;
    let dir = configured(&system);
    let lab = tempfile::tempdir().unwrap();
    let branches = ["a", "b", "c", "d"];
    let requests = branches.map(|branch| request(lab.path(), branch, &[&san(&format!("bank/branch/{branch}"))]));
    let running = branches.into_iter().zip(&requests).map(|(branch, csr)| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_estelam"));
        command.args(["agency", "enrol", "bank", "--branch", branch, "--csr", csr, "--dir", &dir]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    for child in running.collect::<Vec<_>>() {
        done(&child.wait_with_output().unwrap());
    }
    let register = register(&system, "bank");
    let mut units: Vec<_> = register.certificates.iter().filter_map(|one| one.unit.as_deref()).collect();
    units.sort_unstable();
    assert_eq!((units, register.version), (branches.to_vec(), 4));
    for branch in branches {
        let handed_out = std::fs::read(system.config.enrolment.join(format!("bank/branch-{branch}/cert.pem"))).unwrap();
        let facts = enrolment::of_pem(&handed_out).unwrap();
        assert!(register.certificates.iter().any(|one| one.sha256 == enrolment::hex(&facts.sha256)), "{branch}");
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agency_that_leaves_while_the_policies_are_broken_is_out_and_that_is_said() {
    let system = System::at(&today(), "").await;
    let dir = configured(&system);
    edit_policy(system.dir.path(), "bank", |text| text.replace("[limits]", "[limit]"));
    let said = failed(&agency(&dir, &["retire", "telecom"]));
    assert!(
        said.contains("`telecom` is cut off") && said.contains("agencies/bank.toml:") && said.contains("agency retire telecom"),
        "{said}"
    );
    assert!(!said.contains("nothing was changed"), "{said}");
    let left = register(&system, "telecom").retired;
    assert!(left.is_some() && cut_off(&system).agencies["telecom"].suspended);
    assert!(system.config.policies.join("agencies/telecom.toml").exists());
    edit_policy(system.dir.path(), "bank", |text| text.replace("[limit]", "[limits]"));
    system.running.parts().policies.reload().unwrap();
    assert!(done(&agency(&dir, &["retire", "telecom"])).contains("telecom has left"));
    assert_eq!(register(&system, "telecom").retired, left, "it left when it was cut off");
    assert!(!system.config.policies.join("agencies/telecom.toml").exists());
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resumption_that_is_refused_leaves_the_suspension_and_a_broken_file_of_others_hinders_none() {
    let system = System::at(&today(), "").await;
    let dir = configured(&system);
    let north = ["bank", "--branch", "north"];
    done(&agency(&dir, &["suspend", "bank"]));
    done(&agency(&dir, &[&["suspend"][..], &north].concat()));
    let before = cut_off(&system);
    edit_policy(system.dir.path(), "bank", |text| text.replace("kind = \"bank\"", "suspended = true\nkind = \"bank\""));
    for verb in [&["resume", "bank"][..], &["resume", "bank", "--branch", "north"]] {
        let said = failed(&agency(&dir, verb));
        assert!(said.contains("says `suspended = true`") && said.contains("nothing was changed"), "{said}");
        assert_eq!(cut_off(&system), before, "{verb:?} was refused and lifted the suspension");
    }
    edit_policy(system.dir.path(), "bank", |text| text.replace("suspended = true\n", ""));
    edit_policy(system.dir.path(), "school", |text| text.replace("[limits]", "[limit]"));
    for (verb, says) in
        [(&["resume", "bank"][..], "bank may ask again"), (&["resume", "bank", "--branch", "north"], "bank (north) may ask")]
    {
        let output = agency(&dir, verb);
        assert!(done(&output).contains(says), "{}", text(&output.stderr));
        let warned = text(&output.stderr);
        assert!(warned.contains("agencies/school.toml:") && warned.contains("not looked at"), "{warned}");
        assert!(!warned.contains("nothing was changed"), "{warned}");
    }
    assert!(!cut_off(&system).agencies.get("bank").is_some_and(|bank| bank.suspended || !bank.branches.is_empty()));
    for verb in [&["list"][..], &["show", "bank"]] {
        let said = failed(&agency(&dir, verb));
        assert!(said.contains("the policies cannot be read: ") && said.contains("agencies/school.toml:"), "{said}");
        assert!(!said.contains("nothing was changed"), "{verb:?} never changes anything: {said}");
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kit_that_has_no_place_enrols_nobody_and_the_same_request_is_good_again() {
    let system = System::at(&today(), "").await;
    let dir = configured(&system);
    let lab = tempfile::tempdir().unwrap();
    let csr = request(lab.path(), "one", &[&san("bank-two")]);
    std::fs::write(lab.path().join("file"), "").unwrap();
    let like = ["enrol", "bank-two", "--csr", &csr, "--like", "bank", "--fa", "بانک دوم", "--en", "Second bank", "--kit"];
    let with = |kit: &str| agency(&dir, &[&like[..], &[kit]].concat());
    for place in [lab.path().join("file/kit").to_str().unwrap(), "/proc/self"] {
        let said = failed(&with(place));
        assert!(said.contains("nobody was enrolled") && said.contains(place), "{said}");
        assert_eq!(register(&system, "bank-two"), Register::default(), "{place}");
        assert!(!system.config.policies.join("agencies/bank-two.toml").exists(), "{place}");
    }
    let kit = lab.path().join("new/kit");
    let refused = ["enrol", "bank-two", "--csr", &csr, "--like", "nosuch", "--fa", "x", "--en", "x", "--kit", kit.to_str().unwrap()];
    assert!(failed(&agency(&dir, &refused)).contains("agencies/nosuch.toml") && !kit.exists(), "what was refused left a folder");
    assert!(done(&with(kit.to_str().unwrap())).contains("bank-two is enrolled"));
    assert!(kit.join("ask.sh").is_file() && !kit.join(".estelam-kit").exists());
    system.stop().await;
}
