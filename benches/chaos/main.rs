//! `make chaos`: everything around the gateway breaks, one thing after another, and every promise is looked at while it does.
//!
//! A real gateway and a real registry, with a scripted one in between. For each fault: what is promised, what happened, how soon the first good
//! answer came once nothing was broken. Held against every reply, whatever is broken: a record of its own, no "no" about people who are
//! entitled, nothing older than policy and question allow, nothing newer than what the registry has said, nothing remembered that no feed
//! vouches for, advice in every 503. After every fault: the same process, all parts in order, every answer under a checkpoint that has no
//! less than the one before, the last one proved. At the end minutes of asking (ten; `--minutes N`), and memory and descriptors must be where
//! they were before the first fault; then the log must hold.
//!
//! `--smoke` is a short round without those minutes; `--only GROUP` takes one group of faults ([`GROUPS`]).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "a bench")]

mod card;
mod client;
mod crowds;
mod disks;
mod feeds;
mod files;
mod leaks;
mod lookups;
mod places;
mod plan;
mod process;
mod pushes;
mod registry;
mod restored;
mod scene;
mod site;
mod small_disk;
mod strangers;
#[path = "../../tests/it/sigkill_support.rs"]
#[allow(dead_code, reason = "shared with the tests, which need more of it")]
mod support;
mod wild;

use std::process::ExitCode;

use leaks::Leaks;
use plan::{Plan, Rows};
use scene::Scene;
use serde_json::json;
use site::Site;

fn main() -> ExitCode {
    let plan = match Plan::told(std::env::args().skip(1)) {
        Ok(plan) => plan,
        Err(why) => {
            eprintln!("chaos: {why}");
            return ExitCode::from(2);
        }
    };
    // The gateway begins with what this process has, and this process is ten thousand clients.
    site::take_all_descriptors();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut rows = Rows::of(&plan);
    runtime.block_on(run(&plan, &mut rows));
    rows.print();
    println!("{}", json!({"bench": "chaos", "cases": rows.count(), "failed": rows.failed(), "minutes": plan.minutes}));
    if rows.failed().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(plan: &Plan, rows: &mut Rows) {
    let mut scene = Scene::of(Site::build().await).await;
    let leaks = Leaks::before(&scene).await;
    registry(plan, rows, &scene).await;
    clients(plan, rows, &scene).await;
    if plan.wants("process", false) {
        rows.add(process::paused(&scene).await);
        rows.add(process::stands_still(&scene).await);
        rows.add(process::no_descriptors(&scene).await);
    }
    disks(plan, rows, &scene).await;
    if plan.wants("files", false) {
        for file in files::DAMAGED {
            rows.add(files::damaged(&scene, file).await);
        }
        rows.add(files::keys_gone(&scene).await);
    }
    if plan.wants("clock", false) {
        rows.add(process::small_step(&scene, "clock 29 s ahead", 29).await);
        rows.add(process::small_step(&scene, "clock 29 s behind", -29).await);
    }
    if plan.wants("clock", true) {
        rows.add(process::clock(&scene, "clock an hour ahead", 3600).await);
        rows.add(process::clock(&scene, "clock an hour behind", -3600).await);
    }
    rows.add(leaks.after(&scene, plan.minutes).await);
    // From here on it is not the same process any more.
    if plan.wants("addresses", false) {
        scene.restarted_with(true).await;
        for (case, doing) in places::CASES {
            rows.add(places::row(&scene, case, doing).await);
        }
        rows.add(places::both_slow(&scene).await);
        rows.add(places::both(&scene).await);
        scene.restarted_with(false).await;
    }
    if plan.wants("process", true) {
        rows.add(process::stopped(&mut scene).await);
        rows.add(process::killed(&mut scene).await);
    }
    if plan.wants("clock", false) {
        rows.add(process::wrong_start(&mut scene, "started with a clock an hour behind", -3600).await);
        rows.add(process::wrong_start(&mut scene, "started with a clock an hour ahead", 3600).await);
        // Whatever the time, a midnight lies between.
        rows.add(process::wrong_start(&mut scene, "started with a clock a day ahead", 86_400).await);
    }
    rows.add(leaks::log_holds(&mut scene));
}

/// Look-ups, feed, decrees, pushes, and the register itself.
async fn registry(plan: &Plan, rows: &mut Rows, scene: &Scene) {
    if plan.wants("registry", true) {
        let few = if plan.smoke { lookups::FEW } else { lookups::CASES.len() };
        for (case, doing) in lookups::CASES.into_iter().take(few) {
            rows.add(lookups::row(scene, case, doing).await);
        }
        rows.add(lookups::lie(scene).await);
    }
    if plan.wants("registry", false) {
        rows.add(lookups::ahead(scene).await);
        rows.add(restored::row(scene).await);
    }
    if plan.wants("feed", true) {
        let few = if plan.smoke { 2 } else { feeds::CASES.len() };
        for (case, feed) in feeds::CASES.into_iter().take(few) {
            rows.add(feeds::row(scene, case, feed).await);
        }
    }
    if plan.wants("feed", false) {
        for (case, feed) in feeds::HIDING {
            rows.add(feeds::hides(scene, case, feed).await);
        }
        for (case, feed) in feeds::STANDING {
            rows.add(feeds::stands_still(scene, case, feed).await);
        }
        let pusher = pushes::Pusher::new(scene);
        rows.add(pushes::forged_late_repeated(scene, &pusher).await);
        rows.add(pushes::flood(scene, &pusher).await);
        rows.add(pushes::lost(scene).await);
    }
    if plan.wants("decrees", true) {
        let few = if plan.smoke { 1 } else { feeds::LISTS.len() };
        for (case, list, alarm) in feeds::LISTS.into_iter().take(few) {
            rows.add(feeds::list(scene, case, list, alarm).await);
        }
    }
}

async fn clients(plan: &Plan, rows: &mut Rows, scene: &Scene) {
    if plan.wants("clients", true) {
        rows.add(strangers::half_closed(scene).await);
    }
    if plan.wants("clients", false) {
        rows.add(strangers::trickle(scene).await);
        rows.add(strangers::vanish(scene).await);
        rows.add(strangers::pipeline(scene).await);
        rows.add(strangers::garbage(scene).await);
        rows.add(strangers::huge_headers(scene).await);
        rows.add(strangers::unread(scene).await);
        rows.add(crowds::flood(scene).await);
        rows.add(crowds::tokens(scene).await);
        rows.add(crowds::idle(scene).await);
    }
}

async fn disks(plan: &Plan, rows: &mut Rows, scene: &Scene) {
    if plan.wants("disk", false)
        && let Some(row) = small_disk::row().await
    {
        rows.add(row);
    }
    if plan.wants("disk", true) {
        let few = if plan.smoke { 1 } else { disks::CASES.len() };
        rows.add(disks::failing_sync(scene).await);
        for (case, why) in disks::CASES.into_iter().take(few) {
            rows.add(disks::row(scene, case, why).await);
        }
        rows.add(disks::hanging(scene).await);
    }
}
