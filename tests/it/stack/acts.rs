//! Administrative acts are entries: one each, in order, before what they open; and where the log takes none, nothing opens.

use estelam::adapters::cutoff::{self, CutOffList};
use estelam::adapters::keys::{Compromise, KeyKeeper, KeyRing, KeyState, KeyUse};
use estelam::adapters::store::{ContentKek, LogEntries, StoredContent, StoredEntry};
use estelam::app::holds::Holds;
use estelam::app::{key_place, key_rules, ledger_config};
use estelam::core::domain::clock::Clock;
use estelam::core::ledger::retention::{Hold, Step};
use estelam::core::ledger::{EntryContent, EntryKind};
use estelam::registry::decrees;
use jiff::Timestamp;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::changes::DECREE;
use super::fixtures::query;
use super::harness::{FORM, System, send};
use super::purging::purge;
use super::workshop::{edit_policy, enrol, officials, services};

/// The key of the log's contents; unlocking takes its time.
pub fn kek(system: &System) -> ContentKek {
    let ring = KeyRing::open(&system.config.keys).unwrap();
    ledger_config(&system.config, &ring).unwrap().content_kek
}

/// Every administrative entry so far.
pub fn acts(system: &System, kek: &ContentKek) -> Vec<EntryContent> {
    let mut found = Vec::new();
    let mut each = |entry: StoredEntry| match entry.content {
        StoredContent::Kept(content) if entry.kind == EntryKind::Admin => found.push(*content),
        _ => {}
    };
    LogEntries::open(&system.config.ledger.dir, kek).unwrap().between(Timestamp::MIN, Timestamp::MAX, &mut |_, _| (), &mut each).unwrap();
    found
}

pub fn details(act: &EntryContent) -> Value {
    serde_json::from_str(act.basis.as_deref().unwrap()).unwrap()
}

/// What the acts since the last look were: exactly these, in this order.
struct Look<'a> {
    system: &'a System,
    kek: ContentKek,
    seen: usize,
}

impl Look<'_> {
    fn at(&mut self, expected: &[&str]) -> Vec<EntryContent> {
        let new = acts(self.system, &self.kek).split_off(self.seen);
        assert_eq!(new.iter().map(|act| act.code.as_deref().unwrap()).collect::<Vec<_>>(), expected);
        self.seen += new.len();
        new
    }

    /// The same for what the gateway does by itself within a moment.
    async fn until(&mut self, expected: &[&str]) -> Vec<EntryContent> {
        let wanted = self.seen + expected.len();
        self.system.until(expected.last().unwrap(), |system| acts(system, &self.kek).len() >= wanted).await;
        self.at(expected)
    }
}

fn cut(system: &System, edit: impl FnOnce(&mut CutOffList)) {
    cutoff::change(&system.config.cutoff, edit).unwrap();
    system.running.parts().cutoff.reload().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_an_entry_before_it_is_handed_out_and_one_that_was_made_meanwhile_at_the_next_start() {
    use estelam::adapters::enrolment::{self, Enrolled, Register};
    let system = System::today().await;
    let enrol = |folder: &std::path::Path, pem: &std::path::Path| {
        let facts = enrolment::of_pem(&std::fs::read(pem).unwrap()).unwrap();
        let mut register = Register::open(folder, "dpo").unwrap();
        assert!(register.add(Enrolled::new(&facts, None, system.clock.now())));
        register.save(folder, "dpo").unwrap();
        facts
    };
    let mut look = Look { kek: kek(&system), seen: 0, system: &system };
    look.seen = acts(&system, &look.kek).len();
    let folder = system.config.enrolment.clone();
    let facts = enrol(&folder, &system.credential("dpo").cert);
    system.running.parts().enrolments.look().await.unwrap();
    let issued = look.at(&["certificate-issued"]).remove(0);
    assert_eq!(issued.agency.as_deref(), Some("dpo"));
    assert_eq!(details(&issued)["sha256"], json!(enrolment::hex(&facts.sha256)));
    assert!(details(&issued)["opens"].as_array().unwrap().contains(&json!("log:person")), "{}", details(&issued));
    let (version, _) = enrolment::all(&folder).unwrap();
    assert_eq!(system.running.parts().enrolments.version(), version, "whoever waits for it is told");
    let seen = look.seen;
    let clock = system.clock.clone();
    let system = system
        .restarted(|ledger| {
            let folder = ledger.parent().unwrap().join("enrolment");
            let mut register = Register::open(&folder, "dpo").unwrap();
            register.certificates[0].ended_at = Some(clock.now());
            register.save(&folder, "dpo").unwrap();
        })
        .await;
    let codes: Vec<_> = acts(&system, &kek(&system)).split_off(seen).into_iter().filter_map(|act| act.code).collect();
    assert!(codes.iter().any(|code| code == "certificate-ended") && !codes.iter().any(|code| code == "certificate-issued"), "{codes:?}");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_new_officer_may_open_is_on_record_once_its_policy_is_in_force() {
    use estelam::adapters::enrolment::{self, Enrolled, Register};
    let system = System::today().await;
    let mut look = Look { kek: kek(&system), seen: 0, system: &system };
    look.seen = acts(&system, &look.kek).len();
    let facts = enrolment::of_pem(&std::fs::read(&system.credential("dpo").cert).unwrap()).unwrap();
    let mut register = Register::default();
    assert!(register.add(Enrolled::new(&facts, None, system.clock.now())));
    register.save(&system.config.enrolment, "dpo-two").unwrap();
    let enrolments = system.running.parts().enrolments.clone();
    enrolments.look().await.unwrap();
    let issued = details(&look.at(&["certificate-issued"])[0]);
    assert_eq!((&issued["opens"], &issued["in_force"]), (&Value::Null, &json!(false)), "nobody knows yet what it will open");
    let policy = |scopes: &str| {
        let folder = system.config.policies.join("agencies");
        let text =
            std::fs::read_to_string(folder.join("dpo.toml")).unwrap().replace("\"dpo\"", "\"dpo-two\"").replace("/dpo\"", "/dpo-two\"");
        let scopes = text.lines().map(|line| if line.starts_with("scopes = ") { scopes } else { line }).collect::<Vec<_>>().join("\n");
        std::fs::write(system.dir.path().join("draft"), scopes).unwrap();
        std::fs::rename(system.dir.path().join("draft"), folder.join("dpo-two.toml")).unwrap();
        system.running.parts().policies.reload().unwrap().version.to_string()
    };
    let version = policy("scopes = [\"log:person\"]");
    enrolments.look().await.unwrap();
    let gained = look.at(&["policies-activated", "scopes-gained"]).remove(1);
    assert_eq!((gained.agency.as_deref(), gained.policy_version.as_deref()), (Some("dpo-two"), Some(&*version)));
    assert_eq!(details(&gained), json!({"opens": ["log:person"], "on_record": []}));
    edit_policy(system.dir.path(), "bank", |text| format!("{text}\n# a note\n"));
    system.running.parts().policies.reload().unwrap();
    enrolments.look().await.unwrap();
    look.at(&["policies-activated"]);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_administrative_act_is_exactly_one_entry_in_order() {
    let system = System::today().await;
    let mut look = Look { system: &system, kek: kek(&system), seen: 0 };
    let start = look.at(&["service-started", "policies-activated", "decrees-activated"]);
    assert_eq!(start[0].actor.as_deref(), Some("gateway"));
    assert_eq!(details(&start[0])["version"], env!("CARGO_PKG_VERSION"));
    check_policies(&system, &mut look).await;
    check_cut_off(&system, &mut look).await;
    check_decrees(&system, &mut look).await;
    check_holds(&system, &mut look).await;
    check_keys(&system, &mut look).await;
    let (kek, seen) = (look.kek, look.seen);
    // What is done while no gateway runs is recorded by the next start; what is as it was, is not recorded again.
    let file = system.config.cutoff.clone();
    let now = system.clock.now();
    let system = system.restarted(|_| cutoff::change(&file, |list| list.suspend("clinic", None, now)).unwrap()).await;
    let mut look = Look { system: &system, kek, seen };
    look.at(&["service-stopped", "service-started", "agency-suspended"]);
    for act in acts(&system, &look.kek) {
        assert!(act.actor.is_some() && act.trail_tag.is_none() && act.agency_tag.is_none(), "{act:?}");
    }
    system.stop().await;
}

/// A change, a mistake (told once), and the way back to what is in force.
async fn check_policies(system: &System, look: &mut Look<'_>) {
    let (dir, policies) = (system.dir.path(), &system.running.parts().policies);
    edit_policy(dir, "bank", |text| format!("{text}\n# a note\n"));
    let version = policies.reload().unwrap().version.clone();
    assert_eq!(look.at(&["policies-activated"])[0].policy_version.as_deref(), Some(&*version));
    edit_policy(dir, "bank", |text| text.replace("[limits]", "[limit]"));
    assert!(policies.reload().is_err() && policies.reload().is_err());
    let refused = details(&look.until(&["policies-refused"]).await[0]);
    assert_eq!((&refused["faults"], refused["first"].as_str().map(|at| at.starts_with("agencies/bank.toml:"))), (&json!(1), Some(true)));
    edit_policy(dir, "bank", |text| text.replace("[limit]", "[limits]"));
    policies.reload().unwrap();
    look.at(&[]);
}

async fn check_cut_off(system: &System, look: &mut Look<'_>) {
    let now = system.clock.now();
    cut(system, |list| list.suspend("bank", None, now));
    cut(system, |list| list.suspend("school", Some("north"), now));
    cut(system, |list| list.revoke_tokens("telecom", now));
    cut(system, |list| list.cut_certificate([0xab; 32], now));
    let closed = look.until(&["agency-suspended", "branch-suspended", "tokens-killed", "certificate-cut"]).await;
    let named: Vec<_> = closed.iter().map(|act| (act.actor.as_deref(), act.agency.as_deref(), act.branch.as_deref())).collect();
    let operator = Some("operator");
    assert_eq!(
        named,
        [
            (operator, Some("bank"), None),
            (operator, Some("school"), Some("north")),
            (operator, Some("telecom"), None),
            (operator, None, None)
        ]
    );
    assert_eq!(closed[3].reference.as_deref(), Some("abababababababab"));
    cut(system, |list| assert!(list.resume("bank", None) && list.resume("school", Some("north"))));
    look.at(&["agency-resumed", "branch-resumed"]);
}

async fn check_decrees(system: &System, look: &mut Look<'_>) {
    let dir = system.dir.path();
    let (first, second, known) = (enrol(dir, "first"), enrol(dir, "second"), officials(dir));
    let file = dir.join("decree.toml");
    std::fs::write(&file, DECREE).unwrap();
    let ids = system.registry_store(|store| decrees::add(store, &known, &services(), &file, &first)).unwrap();
    system.registry_store(|store| decrees::approve(store, &known, &ids[0], &second, &*system.clock)).unwrap();
    let version =
        |system: &System| estelam::core::registry::Registry::decrees(&*system.running.parts().registry).map(|set| set.version.clone());
    let act = look.until(&["decrees-activated"]).await.remove(0);
    system.until("the decree", |system| version(system) == act.decrees_version).await;
    let set = estelam::core::registry::Registry::decrees(&*system.running.parts().registry).unwrap();
    assert!(set.decrees.iter().any(|decree| decree.id == ids[0]));
    let hash = &details(&act)["added"][0]["hash"];
    assert!(hash.as_str().unwrap().starts_with("sha256:"), "{hash}");
    assert_eq!(details(&act)["added"], json!([{"id": ids[0], "hash": hash, "signers": ["first", "second"]}]));
    assert_eq!(details(&act)["demo"], json!(true), "they are no officials of the gateway");
}

async fn check_holds(system: &System, look: &mut Look<'_>) {
    let dir = &system.config.ledger.holds;
    let keys = ["one", "two"].map(|name| {
        let key = enrol(system.dir.path(), name);
        estelam::registry::decrees::Officials::enrol(dir, name, &key).unwrap();
        key
    });
    let now = system.clock.now();
    let hold: Hold = serde_json::from_value(
        json!({"id": "court-1", "reason": "order 1", "from": "2026-01-01", "to": "2026-01-31", "until": "2027-01-01"}),
    )
    .unwrap();
    let holds = Holds::open(dir).unwrap();
    holds.add(hold, &keys[0], now).unwrap();
    purge(system, "one signature", Vec::new()).await;
    look.at(&[]);
    holds.approve("court-1", Step::Begin, &keys[1], now).unwrap();
    purge(system, "two signatures", Vec::new()).await;
    let begun = look.at(&["hold-begun"]).remove(0);
    assert_eq!((begun.reference.as_deref(), &details(&begun)["signers"]), (Some("court-1"), &json!(["one", "two"])));
    assert!(!begun.basis.unwrap().contains("order 1"), "people's words stay out of the log");
    let (file, aside) = (dir.join("court-1.json"), dir.join("aside"));
    std::fs::rename(&file, &aside).unwrap();
    assert!(purge(system, "it is gone", Vec::new()).await.error.unwrap().contains("the hold is gone, but it holds until 2027-01-01"));
    std::fs::rename(&aside, &file).unwrap();
    for key in &keys {
        holds.approve("court-1", Step::End, key, now).unwrap();
    }
    purge(system, "released", Vec::new()).await;
    look.at(&["hold-released"]);
}

async fn check_keys(system: &System, look: &mut Look<'_>) {
    let (rules, now) = (key_rules(&system.config), system.clock.now());
    let keeper = || KeyKeeper::open(key_place(&system.config)).unwrap();
    keeper().standby(KeyUse::Tokens, false, now).unwrap();
    look.until(&["key-standby"]).await;
    keeper().rotate(KeyUse::Tokens, rules, true, now).unwrap();
    let rotated = look.until(&["key-rotated"]).await.remove(0);
    assert_eq!(details(&rotated)["keys"].as_array().unwrap().len(), 2, "the one that signs now, and the one before");
    keeper().lost(KeyUse::Statements, rules, now).unwrap();
    look.until(&["key-lost"]).await;
    let retired = |usage| {
        let keeper = keeper();
        let found = keeper.records().iter().find(|record| record.usage == usage && record.state == KeyState::Retired);
        found.unwrap().kid.clone()
    };
    let under = Compromise { declared: now, tree_size: 1, checkpoint: "kept".to_owned() };
    // One keeper at a time has the folder.
    let statements = retired(KeyUse::Statements);
    keeper().compromised(&statements, under, rules, now).unwrap();
    look.until(&["key-compromised"]).await;
    let tokens = retired(KeyUse::Tokens);
    keeper().retire(&tokens).unwrap();
    look.until(&["key-retired"]).await;
}

/// Breaks the log's database until it takes nothing more.
async fn broken(system: &System) -> Connection {
    // Its token is an entry too, so it is fetched while the log still takes them.
    let last = system.query("school", &query("school", "yekta", "9990000026", "education-school")).await;
    // And that entry must have come from the journal into the database before the database breaks.
    system.running.parts().ledger.settled().await.unwrap();
    let database = Connection::open(system.config.ledger.dir.join("ledger.sqlite")).unwrap();
    database.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    database.execute_batch("CREATE TRIGGER broken BEFORE INSERT ON entry BEGIN SELECT RAISE(ABORT, 'broken'); END").unwrap();
    // The journal still has this one; the database behind it fails on it.
    assert_eq!(send(last).await.status, 200);
    system.until("the broken ledger", |system| !system.running.parts().ledger.ready()).await;
    database
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_recorded_opens_nothing_and_closes_at_once() {
    let system = System::today().await;
    let now = system.clock.now();
    cut(&system, |list| list.suspend("bank", None, now));
    let kek = kek(&system);
    let cut_off_acts = |system: &System| -> Vec<(String, String)> {
        let acts = acts(system, &kek).into_iter().filter(|act| act.route == "cut-off");
        acts.map(|act| (act.code.unwrap().into_owned(), act.agency.unwrap())).collect()
    };
    let database = broken(&system).await;
    let (cut_off, policies) = (system.running.parts().cutoff.clone(), system.running.parts().policies.clone());
    let before = policies.current().version.clone();
    edit_policy(system.dir.path(), "bank", |text| format!("{text}\n# a note\n"));
    assert!(policies.reload().unwrap_err()[0].to_string().contains("the log does not take the entry"));
    cut(&system, |list| list.suspend("school", None, now));
    cut(&system, |list| assert!(list.resume("bank", None)));
    let is_cut = |agency: &str| cut_off.current().agencies[agency].suspended;
    assert!(is_cut("school") && is_cut("bank"), "the one closes at once, the other does not open");
    assert_eq!(policies.current().version, before);
    database.execute_batch("DROP TRIGGER broken").unwrap();
    system.until("the ledger", |system| system.running.parts().ledger.ready()).await;
    system.until("the resumption", |_| !is_cut("bank")).await;
    let expected = [("agency-suspended", "bank"), ("agency-suspended", "school"), ("agency-resumed", "bank")];
    assert_eq!(cut_off_acts(&system), expected.map(|(code, agency)| (code.to_owned(), agency.to_owned())));
    let version = policies.reload().unwrap().version.clone();
    assert_ne!(version, before, "what was refused for want of a record takes effect once there is one");
    let of_policies: Vec<_> = acts(&system, &kek).into_iter().filter(|act| act.route == "policies").collect();
    assert!(of_policies.iter().any(|act| act.code.as_deref() == Some("policies-refused")));
    assert_eq!(of_policies.last().unwrap().policy_version.as_deref(), Some(&*version));
    let token = system.request("bank", "POST", "/oauth2/token").header("content-type", FORM).body("grant_type=client_credentials");
    assert_eq!(send(token).await.status, 200);
    system.stop().await;
}
