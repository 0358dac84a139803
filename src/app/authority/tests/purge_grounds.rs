//! What an auditor finds who knows the witness's key and the officials: each purge whose time no witness saw, or that two officials did not order.

use super::purge_orders::{Archive, archive, at, order};
use super::*;
use crate::adapters::store::{PurgeGrounds, PurgeJob, VerifyError, Witnessed};
use crate::app::purge_orders::OrderBook;
use crate::core::ledger::LogReader as _;
use crate::core::ledger::cosignature::WitnessKey;
use crate::core::ledger::purge_order::{Ordered, PurgeOrder, SignedOrders};

/// A witness with its key.
struct Watcher {
    key: WitnessKey,
    signer: FileSigner,
}

fn watcher() -> Watcher {
    let signer = FileSigner::from_pkcs8(&FileSigner::generate(Algorithm::EdDsa).unwrap()).unwrap();
    Watcher { key: WitnessKey::new("witness.example", signer.public_key_bytes().try_into().unwrap()).unwrap(), signer }
}

impl Watcher {
    /// What it has seen of the log at an instant.
    fn saw(&self, archive: &Archive, time: Timestamp) -> Witnessed {
        Witnessed { time, note: self.key.cosign(&archive.log.ledger.checkpoint(), &self.signer, time).unwrap() }
    }

    fn grounds(&self) -> PurgeGrounds {
        PurgeGrounds { witnesses: vec![self.key.clone()], orders: None }
    }
}

/// The officials of the installation, by the list that the auditor got from them.
fn book(archive: &Archive) -> PurgeGrounds {
    let list = archive.home.dir.path().join("from-the-officials.toml");
    std::fs::write(&list, first_officials(&archive.home.keys)).unwrap();
    let book = OrderBook::open(&archive.home.config, &[list]).unwrap().unwrap();
    PurgeGrounds { witnesses: Vec::new(), orders: Some(Arc::new(book) as Arc<dyn SignedOrders>) }
}

/// Whoever owns the machine deletes what is due, past the checks of the program.
async fn delete(archive: &Archive, witnessed: Option<Witnessed>, order: Option<&PurgeOrder>) -> u64 {
    let named = |order: &PurgeOrder| (order.clone(), version_of(&order.signed_bytes(Step::Begin)));
    let ordered = Ordered::new(order.is_some(), order.map(named).into_iter().collect());
    let (now, holds, only) = (archive.clock.now(), Vec::new(), Vec::new());
    let job = PurgeJob { now, witnessed, holds, ordered, only, dry_run: false, by: OPERATOR };
    let report = archive.log.ledger.purge(job).await.unwrap();
    assert_eq!(report.keys.len(), 3);
    report.entry.unwrap()
}

fn named(found: Result<crate::adapters::store::VerifyReport, VerifyError>, purge: u64, why: &str) {
    match found {
        Err(VerifyError::PurgeGround { index, what }) => assert!(index == purge && what.contains(why), "{index}: {what}"),
        other => panic!("{why}: {other:?}"),
    }
}

fn sign(archive: &Archive, by: &[usize]) {
    let now = archive.clock.now();
    for (place, official) in by.iter().enumerate() {
        match place {
            0 => archive.orders().add(order(), archive.key(*official), now).unwrap(),
            _ => archive.orders().approve("year-1", Step::Begin, archive.key(*official), now).unwrap(),
        }
    }
}

/// That an order began or was ended, as whoever owns the machine can put it into the log without the signatures.
async fn record(archive: &Archive, code: &'static str, order: &PurgeOrder) {
    let hash = version_of(&order.signed_bytes(Step::Begin));
    let act = Act::new("purge-orders", code, OFFICIALS).about("year-1").details(&serde_json::json!({ "hash": hash }));
    archive.acts().record(act, |_| ()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_by_a_witnesss_time_under_an_order_of_two_officials_holds() {
    let (archive, watcher) = (archive().await, watcher());
    sign(&archive, &[0, 1]);
    record(&archive, "purge-order-begun", &order()).await;
    delete(&archive, Some(watcher.saw(&archive, archive.clock.now())), Some(&order())).await;
    let counts = |grounds: PurgeGrounds| {
        let report = archive.verified(grounds).unwrap();
        (report.purges, report.purges_witnessed, report.purges_ordered)
    };
    assert_eq!(counts(PurgeGrounds::default()), (1, 0, 0), "what was not checked is not counted");
    assert_eq!(counts(watcher.grounds()), (1, 1, 0));
    assert_eq!(counts(book(&archive)), (1, 0, 1));
    let both = PurgeGrounds { witnesses: vec![self::watcher().key, watcher.key.clone()], ..book(&archive) };
    assert_eq!(counts(both), (1, 1, 1), "one of several keys of witnesses is enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_that_no_witness_vouches_for_is_named() {
    let (archive, watcher, now) = (archive().await, watcher(), at("2026-09-03T08:00:00Z"));
    let purge = delete(&archive, None, None).await;
    named(archive.verified(watcher.grounds()), purge, "rests on no witness's checkpoint");

    let archive = self::archive().await;
    let stranger = self::watcher();
    let purge = delete(&archive, Some(stranger.saw(&archive, now)), None).await;
    assert!(archive.verified(stranger.grounds()).is_ok());
    named(archive.verified(watcher.grounds()), purge, "no witness whose key was given cosigned");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_note_of_the_witness_is_named() {
    let (archive, watcher, now) = (archive().await, watcher(), at("2026-09-03T08:00:00Z"));
    // A true cosignature of another instant, with the instant put forward.
    let seen = watcher.saw(&archive, at("2026-08-20T08:00:00Z"));
    let (text, line) = seen.note.trim_end().rsplit_once(' ').unwrap();
    let mut bytes = STANDARD.decode(line).unwrap();
    bytes[4..12].copy_from_slice(&u64::try_from(now.as_second()).unwrap().to_be_bytes());
    let note = format!("{text} {}\n", STANDARD.encode(bytes));
    let purge = delete(&archive, Some(Witnessed { time: now, note }), None).await;
    named(archive.verified(watcher.grounds()), purge, "the cosignature on the checkpoint in it does not hold");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_that_ran_ahead_of_the_witness_is_named() {
    let (archive, watcher, now) = (archive().await, watcher(), at("2026-09-03T08:00:00Z"));
    let seen = watcher.saw(&archive, at("2026-08-20T08:00:00Z"));
    let purge = delete(&archive, Some(Witnessed { time: now, note: seen.note }), None).await;
    assert!(archive.verified(PurgeGrounds::default()).is_ok(), "by the clock of its machine it was due");
    named(archive.verified(watcher.grounds()), purge, "the witness had seen the log only at 2026-08-20T08:00:00Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_of_another_tree_vouches_for_nothing() {
    let (one, other, watcher) = (archive().await, archive().await, watcher());
    let now = one.clock.now();
    let purge = delete(&one, Some(watcher.saw(&other, now)), None).await;
    // The other log has another key and other salts.
    named(one.verified(watcher.grounds()), purge, "the witness's checkpoint in it does not hold");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_that_two_officials_did_not_order_is_named() {
    let archive = archive().await;
    let purge = delete(&archive, None, None).await;
    named(archive.verified(book(&archive)), purge, "under no order of officials");

    for (signers, why) in [
        (&[][..], "cannot be read"),
        (&[0][..], "is not signed by two officials"),
        (&[0, 0][..], "is not signed by two officials"),
        (&[2, 0][..], "no two of those who signed"),
    ] {
        let archive = self::archive().await;
        match signers {
            [] => {}
            [one] => sign(&archive, &[*one]),
            [one, other] if one == other => {
                sign(&archive, &[*one]);
                let mut file: serde_json::Value = serde_json::from_slice(&std::fs::read(archive.file()).unwrap()).unwrap();
                let signature = file["begun_by"][0].clone();
                file["begun_by"].as_array_mut().unwrap().push(signature);
                std::fs::write(archive.file(), file.to_string()).unwrap();
            }
            _ => {
                let (then, config) = (at("2026-01-15T00:00:00Z"), &archive.home.config);
                let orders = crate::app::purge_orders::PurgeOrders::of(config, then).unwrap();
                signers.iter().enumerate().for_each(|(place, official)| match place {
                    0 => orders.add(order(), archive.key(*official), then).unwrap(),
                    _ => orders.approve("year-1", Step::Begin, archive.key(*official), then).unwrap(),
                });
            }
        }
        record(&archive, "purge-order-begun", &order()).await;
        let purge = delete(&archive, None, Some(&order())).await;
        named(archive.verified(book(&archive)), purge, why);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_counts_from_its_beginning_to_its_end_on_record() {
    let archive = archive().await;
    sign(&archive, &[0, 1]);
    let purge = delete(&archive, None, Some(&order())).await;
    record(&archive, "purge-order-begun", &order()).await;
    named(archive.verified(book(&archive)), purge, "the log does not have that it began");

    let archive = self::archive().await;
    sign(&archive, &[0, 1]);
    record(&archive, "purge-order-begun", &order()).await;
    record(&archive, "purge-order-ended", &order()).await;
    let purge = delete(&archive, None, Some(&order())).await;
    named(archive.verified(book(&archive)), purge, "it was ended on 2026-09-03");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_good_for_its_own_hash_days_and_officials_alone() {
    let other = PurgeOrder { reason: "decision 5".into(), ..order() };
    let archive = archive().await;
    sign(&archive, &[0, 1]);
    record(&archive, "purge-order-begun", &other).await;
    let purge = delete(&archive, None, Some(&other)).await;
    named(archive.verified(book(&archive)), purge, "another one than the purge names by its hash");

    let archive = self::archive().await;
    sign(&archive, &[0, 1]);
    record(&archive, "purge-order-begun", &order()).await;
    delete(&archive, None, Some(&order())).await;
    assert_eq!(archive.verified(book(&archive)).unwrap().purges_ordered, 1);
    // An auditor who has another list of officials.
    let list = archive.home.dir.path().join("others.toml");
    std::fs::write(&list, first_officials(&[new_key(), new_key(), new_key(), new_key()])).unwrap();
    let others = OrderBook::open(&archive.home.config, &[list]).unwrap().unwrap();
    let grounds = PurgeGrounds { witnesses: Vec::new(), orders: Some(Arc::new(others)) };
    assert!(archive.verified(grounds).unwrap_err().to_string().contains("the signature of `one` does not hold"));
}
