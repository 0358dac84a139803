//! More fixtures of the domain through the whole stack: areas, visas, ages, stand-ins, facets, spellings, permits on their way.

use serde_json::{Value, json};

use super::fixtures::query;
use super::harness::{Reply, System, TODAY};
use super::people::{Holder, Paper};

async fn ask(system: &System, agency: &str, number: &str, service: &str) -> Reply {
    system.ask(agency, &query(agency, "amayesh-no", number, service)).await
}

async fn check(system: &System, agency: &str, number: &str, service: &str, expected: &str) -> Value {
    let reply = ask(system, agency, number, service).await;
    assert_eq!((reply.status, reply.outcome().as_str()), (200, expected), "{agency} asks {service} of {number}: {}", reply.json);
    assert_eq!(reply.json["may_deny"], json!(reply.json["decision"] != "indeterminate"));
    reply.json
}

fn lines(holders: &[Holder]) -> String {
    holders.iter().map(Holder::line).collect()
}

/// Lets Kefalat offices ask about travel, as an installation may that wants it.
pub fn grant_travel(system: &System) {
    let edit = |file: &str, from: &str, to: &str| {
        let path = system.dir.path().join("policies").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has changed");
        std::fs::write(path, text.replace(from, to)).unwrap();
    };
    edit("guardrails.cedar", "Service::\"residence-renewal\"]", "Service::\"residence-renewal\", Service::\"travel\"]");
    edit("permits.cedar", "Service::\"residence-renewal\"]", "Service::\"residence-renewal\", Service::\"travel\"]");
    edit("agencies/kefalat.toml", "\"residence-renewal\"]", "\"residence-renewal\", \"travel\"]");
    system.running.parts().policies.reload().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f4_f22_an_area_on_no_list_is_unknown_and_treatment_is_given_all_the_same() {
    let hoviat = |number| Paper::numbered("hoviat", number, "1402/03/31").series(16);
    let amayesh = |number| Paper::numbered("amayesh", number, "1402/03/31").series(17);
    let pass = Paper::new("laissez-passer", "laissez-passer-no", "LPF40000001", "1406/01/01");
    let people = [
        Holder::new("iraqi", [hoviat("HF40000001")]).of("IQ", "IR-17"),
        Holder::new("afghan", [amayesh("AF40000001")]).of("AF", "IR-17"),
        Holder::new("nowhere", [amayesh("AF22000001")]).of("AF", "IR-99"),
        Holder::new("homeless", [amayesh("AF22000002")]).of("AF", ""),
        Holder::new("qom", [amayesh("AF40000002")]),
        Holder::new("pass", [amayesh("AF40000003"), pass]).of("AF", "IR-17"),
    ];
    let system = System::at(TODAY, &lines(&people)).await;
    grant_travel(&system);
    let unknown = "indeterminate area-unknown";
    check(&system, "kefalat", "HF40000001", "travel", "entitled valid-by-decree").await;
    for number in ["AF40000001", "AF22000001", "AF22000002"] {
        check(&system, "kefalat", number, "travel", unknown).await;
        check(&system, "clinic", number, "treatment", "entitled valid-by-decree").await;
    }
    check(&system, "kefalat", "AF40000002", "travel", "entitled valid-by-decree").await;
    check(&system, "kefalat", "AF40000003", "travel", "entitled valid").await;
    for (number, expected) in [("AF40000002", "not-entitled laissez-passer-needed"), ("AF40000003", "entitled valid")] {
        let mut elsewhere = query("kefalat", "amayesh-no", number, "travel");
        elsewhere["province"] = json!("IR-30");
        assert_eq!(system.ask("kefalat", &elsewhere).await.outcome(), expected);
        elsewhere["province"] = json!("Qom");
        assert_eq!(system.ask("kefalat", &elsewhere).await.code(), "malformed-request");
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f6_a_census_slip_ended_for_school_and_primary_health_asks_for_no_paper() {
    let system = System::at("2025-03-22T10:00:00+03:30", "").await; // 1404/01/02
    let slip = |agency, service| query(agency, "census-tracking", "110000000008", service);
    let school = system.ask("school", &slip("school", "education-school")).await;
    assert_eq!((school.outcome().as_str(), &school.json["document"]["decree"]), ("not-entitled ended-by-decree", &json!("d2-1404-01-01")));
    let health = system.ask("clinic", &slip("clinic", "health-primary")).await;
    assert_eq!(health.outcome(), "no-document-required no-document-required");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f9_f10_visas_at_school_and_ages_at_the_bank() {
    let visa = |kind, number| Paper::numbered(kind, number, "1408/01/01");
    let card = |number| [Paper::numbered("amayesh", number, "1406/01/01").series(19)];
    let people = [
        Holder::new("manual", [visa("household-visa-manual", "VF90000001")]),
        Holder::new("electronic", [visa("household-visa-electronic", "VF90000002")]),
        Holder::new("both", [visa("household-visa-manual", "VF90000003"), visa("passport-residence", "VF90000004")]),
        // TODAY is 1405/09/02.
        Holder::new("17y11m", card("AF10000001")).born("1387/10/02"),
        Holder::new("eve", card("AF10000002")).born("1387/09/03"),
        Holder::new("18", card("AF10000003")).born("1387/09/02"),
        Holder::new("year", card("AF10000004")).born("1387"),
        Holder::new("month", card("AF10000005")).born("1387/09"),
        Holder::new("month-before", card("AF10000006")).born("1387/08"),
        Holder::new("gregorian", card("AF10000007")).born("1386"),
    ];
    let system = System::at(TODAY, &lines(&people)).await;
    for (number, expected) in
        [("VF90000001", "not-entitled service-not-covered"), ("VF90000002", "entitled valid"), ("VF90000003", "entitled valid")]
    {
        check(&system, "school", number, "education-school", expected).await;
    }
    for (number, year, expected) in [
        ("AF10000001", 1387, "not-entitled under-age"),
        ("AF10000002", 1387, "not-entitled under-age"),
        ("AF10000003", 1387, "entitled valid"),
        ("AF10000004", 1387, "indeterminate age-unknown"),
        ("AF10000005", 1387, "indeterminate age-unknown"),
        ("AF10000006", 1387, "entitled valid"),
        ("AF10000007", 1386, "entitled valid"),
    ] {
        let mut bank = query("bank", "amayesh-no", number, "bank-card");
        bank["check"]["birth_year"] = json!(year);
        assert_eq!(system.ask("bank", &bank).await.outcome(), expected, "{number}");
        bank["service"] = json!("bank-account");
        assert_eq!(system.ask("bank", &bank).await.outcome(), "entitled valid", "an account has no age");
    }
    // The day after the eve is the birthday.
    system.set("2026-11-24T00:00:00+03:30");
    let mut bank = query("bank", "amayesh-no", "AF10000002", "bank-card");
    bank["check"]["birth_year"] = json!(1387);
    assert_eq!(system.ask("bank", &bank).await.outcome(), "entitled valid");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f11_a_stand_in_carries_the_status_of_the_lost_card() {
    let lost = |number, state, expires| Paper::numbered("smart-card", number, expires).carries("amayesh").state(state);
    let pass = |number, expires| Paper::new("laissez-passer", "laissez-passer-no", number, expires);
    let people = [
        Holder::new("lost", [lost("SF11000001", "lost", "1406/01/01"), pass("LPF11000001", "1406/01/01")]),
        Holder::new("stolen", [lost("SF11000002", "stolen", "1406/01/01"), pass("LPF11000002", "1406/01/01")]),
        Holder::new("damaged", [lost("SF11000003", "damaged", "1406/01/01"), pass("LPF11000003", "1406/01/01")]),
        Holder::new("alone", [lost("SF11000004", "lost", "1406/01/01")]),
        Holder::new("old-pass", [lost("SF11000005", "lost", "1406/01/01"), pass("LPF11000005", "1404/01/01")]),
        Holder::new("old-card", [lost("SF11000006", "lost", "1404/01/01"), pass("LPF11000006", "1406/01/01")]),
        Holder::new("pass-only", [pass("LPF11000007", "1406/01/01")]),
    ];
    let system = System::at(TODAY, &lines(&people)).await;
    let clinic = |number| check(&system, "clinic", number, "insurance-health", "entitled valid");
    for number in ["SF11000001", "SF11000002", "SF11000003"] {
        clinic(number).await;
    }
    // The same person by the number of the pass.
    let by_pass = query("clinic", "laissez-passer-no", "LPF11000001", "insurance-health");
    assert_eq!(system.ask("clinic", &by_pass).await.outcome(), "entitled valid");
    for number in ["SF11000004", "SF11000005"] {
        check(&system, "clinic", number, "insurance-health", "indeterminate document-lost").await;
    }
    // A card that had ended before it was lost gives its stand-in nothing; the pass itself is a valid paper.
    check(&system, "clinic", "SF11000006", "insurance-health", "not-entitled service-not-covered").await;
    check(&system, "clinic", "SF11000006", "treatment", "entitled valid").await;
    let alone = query("clinic", "laissez-passer-no", "LPF11000007", "insurance-health");
    assert_eq!(system.ask("clinic", &alone).await.outcome(), "not-entitled service-not-covered");
    system.stop().await;
}

/// F15: what is registered as a year alone matches the full date that lies in it, and no spelling of a name denies anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f15_a_year_matches_and_a_name_never_denies() {
    let people = [Holder::new("year", [Paper::numbered("amayesh", "AF15000001", "1406/01/01").series(19)]).born("1360")];
    let system = System::at(TODAY, &lines(&people)).await;
    for name in ["شکریه حسینی", "Shukria Hussaini", "Shokrieh Hosseini", "Somebody Else"] {
        for birth in [json!({"birth_year": 1360}), json!({"birth_date": "1360/07/30"}), json!({"birth_date": "1360-07"})] {
            let mut bank = query("bank", "amayesh-no", "AF15000001", "bank-card");
            bank["check"] = birth;
            bank["check"]["calendar"] = json!("jalali");
            bank["check"]["name"] = json!(name);
            assert_eq!(system.ask("bank", &bank).await.outcome(), "entitled valid", "{name}: {bank}");
        }
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f17_a_permit_is_on_its_way_for_48_hours() {
    // TODAY is 2026-11-23T12:00:00Z.
    let permit = |kind, number, at| Paper::numbered(kind, number, "1406/01/01").recorded(at);
    let people = [
        Holder::new("47h", [permit("education-support-slip", "PF17000047", "2026-11-21T13:00:00Z")]),
        Holder::new("49h", [permit("education-support-slip", "PF17000049", "2026-11-21T11:00:00Z")]),
        Holder::new("pupil", [permit("pupil-card", "PF17000001", "2026-11-21T16:30:00+03:30")]),
        Holder::new(
            "old",
            [permit("pupil-card", "PF17000002", "2026-11-21T13:00:00Z"), Paper::numbered("amayesh", "PF17000003", "1406/01/01")],
        ),
    ];
    let system = System::at(TODAY, &lines(&people)).await;
    let pending = check(&system, "school", "PF17000047", "education-school", "indeterminate pending-propagation").await;
    assert_eq!(pending["reason"]["next"]["action"], "try-later");
    check(&system, "school", "PF17000049", "education-school", "entitled valid").await;
    check(&system, "school", "PF17000001", "education-school", "indeterminate pending-propagation").await;
    check(&system, "school", "PF17000002", "education-school", "entitled valid").await;
    check(&system, "clinic", "PF17000047", "treatment", "entitled valid").await;
    // What was remembered meanwhile does not hold the pupil back when the time has passed.
    system.advance(3600);
    check(&system, "school", "PF17000047", "education-school", "entitled valid").await;
    // A correction of the same permit does not make it wait again.
    let corrected = Holder::new("49h", [permit("education-support-slip", "PF17000049", "2026-11-23T12:00:00Z").state("delivered")]);
    let before = system.registry_store(|store| store.cursor().unwrap());
    system.registry_store(|store| super::workshop::import_people(store, system.dir.path(), &corrected.line()));
    assert!(system.registry_store(|store| store.cursor().unwrap()) > before);
    let mut live = query("school", "amayesh-no", "PF17000049", "education-school");
    live["max_age"] = json!(0);
    assert_eq!(system.ask("school", &live).await.outcome(), "entitled valid");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocking_one_facet_of_a_card_never_blocks_another() {
    let card = |number, state, bank, sim| {
        Holder::new(number, [Paper::numbered("smart-card", number, "1406/01/01").carries("amayesh").state(state).facets(bank, sim)])
    };
    let rows = [
        ("CF00000001", "active", "suspended", "", ["entitled valid", "not-entitled facet-suspended", "entitled valid"]),
        ("CF00000002", "active", "", "suspended", ["entitled valid", "entitled valid", "not-entitled facet-suspended"]),
        ("CF00000003", "suspended", "active", "", ["not-entitled document-suspended", "entitled valid", "not-entitled document-suspended"]),
        ("CF00000004", "lost", "active", "active", ["indeterminate document-lost", "entitled valid", "entitled valid"]),
        ("CF00000005", "revoked", "active", "active", ["not-entitled document-revoked"; 3]),
    ];
    let people: Vec<Holder> = rows.iter().map(|(number, state, bank, sim, _)| card(number, state, bank, sim)).collect();
    let system = System::at(TODAY, &lines(&people)).await;
    for (number, _, _, _, expected) in rows {
        for ((agency, service), expected) in [("kefalat", "identity"), ("bank", "bank-card"), ("telecom", "sim")].into_iter().zip(expected)
        {
            check(&system, agency, number, service, expected).await;
        }
    }
    system.stop().await;
}
