//! What the cache takes of memory, and what a cold start asks of the registry.

use std::sync::Arc;

use super::super::lanes::{Caller, Lane};
use super::fake::{Bench, bench, bench_with, start};
use crate::core::domain::agency::AgencyId;
use crate::core::domain::date::Validity;
use crate::core::domain::document::{Document, DocumentKind, DocumentState, Facets};
use crate::core::domain::name::NameKey;
use crate::core::domain::person::{Marks, PaperMark, Person};
use crate::core::registry::OVERLOADED;

const MIB: u64 = 1 << 20;

/// Somebody with two cards, a name and everything that the registry may say.
fn somebody() -> Person {
    let card = |kind, series| Document {
        kind,
        series,
        state: DocumentState::Active,
        printed: Validity::default(),
        legal_status: Some(DocumentKind::Amayesh),
        facets: Facets::default(),
        recorded_at: Some(start()),
    };
    Person {
        birth: None,
        nationality: Some("AF".to_owned()),
        province: Some("IR-09".to_owned()),
        household_role: Some("member".to_owned()),
        blocked: false,
        documents: vec![card(DocumentKind::SmartCard, None), card(DocumentKind::Amayesh, Some(17))],
        marks: Marks {
            papers: vec![PaperMark { series: Some(17), country: Some("AF".to_owned()), ..PaperMark::default() }],
            name: NameKey::of("محمد حسینی"),
            key: None,
        },
    }
}

async fn remember(bench: &Bench, people: std::ops::Range<u32>) {
    let caller = || Caller { agency: None, lane: Lane::Counter };
    for number in people {
        bench.fake.gate.add_permits(1);
        bench.cached.inner().answer(("yekta", &number.to_string()), bench.cached.inner().need(60), caller).await.unwrap();
    }
    bench.cached.inner().settle_cache().await;
}

#[tokio::test(start_paused = true)]
async fn cache_is_bounded_by_bytes_and_by_people_whichever_comes_first() {
    let by_bytes = bench_with(|config| (config.capacity, config.capacity_bytes) = (1_000_000, MIB));
    let by_people = bench_with(|config| (config.capacity, config.capacity_bytes) = (100, 1 << 30));
    for bench in [&by_bytes, &by_people] {
        *bench.fake.people.lock().unwrap() = Some([somebody()].into());
        bench.step().await.unwrap();
        remember(bench, 0..3000).await;
        assert!(bench.cached.remembered() >= 90, "{}", bench.cached.remembered());
    }
    assert!(by_bytes.cached.remembered_bytes() <= MIB && by_bytes.cached.remembered() < 2000);
    assert!(by_people.cached.remembered() <= 100, "{}", by_people.cached.remembered());
}

/// After a start nothing is remembered, and everybody asks at once: the lanes let through what the registry can do, people who are asked for
/// by many are asked for once, and the rest waits or is turned away.
#[tokio::test(start_paused = true)]
async fn cold_start_asks_the_registry_no_faster_than_a_warm_one() {
    let bench = Arc::new(bench());
    bench.step().await.unwrap();
    bench.fake.gate.forget_permits(1000);
    let asking: Vec<_> = (0..20_000_u32)
        .map(|turn| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move {
                let agency = AgencyId::parse(["bank", "clinic"][turn as usize % 2]).unwrap();
                let caller = move || Caller { agency: Some(agency), lane: Lane::Counter };
                // Each of 5,000 people is asked for by four.
                let value = (turn % 5_000).to_string();
                bench.cached.inner().answer(("yekta", &value), bench.cached.inner().need(60), caller).await.map(|_| ())
            })
        })
        .collect();
    // The runtime comes back here after each few dozen of them.
    for _ in 0..3_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.calls(), 64, "as many at once as a gateway begins with");
    bench.fake.gate.add_permits(100_000);
    let (mut answered, mut turned_away) = (0, 0);
    for asked in asking {
        match asked.await.unwrap() {
            Ok(()) => answered += 1,
            Err(why) if why == OVERLOADED => turned_away += 1,
            Err(why) => panic!("{why:?}"),
        }
    }
    assert_eq!((answered, turned_away), (4 * (4096 + 64), 4 * (5_000 - 4096 - 64)));
    assert_eq!(bench.calls(), 4096 + 64, "each person once");
}

/// The stated limit (`registry.cache_mib`) against what the system says. Run it alone:
/// `cargo test --release --locked --lib a_million_facts -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "takes minutes and two gigabytes"]
async fn a_million_facts_stay_within_the_stated_limit() {
    const LIMIT: u64 = 2048 * MIB;
    // So many people that their shares weigh nothing: what they take alone counts.
    let bench = bench_with(|config| (config.capacity, config.capacity_bytes) = (1_000_000_000, LIMIT));
    *bench.fake.people.lock().unwrap() = Some([somebody()].into());
    bench.step().await.unwrap();
    let before = resident();
    let mut most = 0;
    for round in 0..7_u32 {
        remember(&bench, round * 250_000..(round + 1) * 250_000).await;
        let (people, resident, weighed) = (bench.cached.remembered(), resident() - before, bench.cached.remembered_bytes());
        println!("{people} people: {} MiB resident, {} MiB by weight, limit {} MiB", resident / MIB, weighed / MIB, LIMIT / MIB);
        assert!(resident <= LIMIT && weighed <= LIMIT && resident <= weighed + weighed / 20, "{people} people take {resident} bytes");
        most = most.max(people);
    }
    assert!(most >= 1_000_000, "{most}");
}

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}
