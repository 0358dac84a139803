//! Files that the gateway reads while it runs: damaged, or gone.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::scene::{Case, FRESH, Row, Scene};

/// A damaged file is noticed within this; somebody looks every half second.
const NOTICED_WITHIN: Duration = Duration::from_secs(15);
const GOES_ON: &str = "what was in force goes on, and an alarm";

/// What is promised, which file of an installation, and the alarm that says so.
type Damage = (Case, fn(&Path) -> PathBuf, &'static str);

/// Files that are damaged.
pub const DAMAGED: [Damage; 3] = [
    (Case::new("a policy file is cut off", GOES_ON, FRESH), |dir| dir.join("policies/agencies/clinic.toml"), "policy-refused"),
    (Case::new("a revocation list is cut off", GOES_ON, FRESH), a_list, "revocation-lists-refused"),
    (Case::new("the list of what is cut off is cut off", GOES_ON, FRESH), |dir| dir.join("cutoff/list.json"), "cut-off-list-unreadable"),
];

fn a_list(dir: &Path) -> PathBuf {
    let mut lists: Vec<_> = std::fs::read_dir(dir.join("pki/crl")).unwrap().map(|file| file.unwrap().path()).collect();
    lists.sort();
    lists.remove(0)
}

/// Half of the file is gone for a while.
pub async fn damaged(scene: &Scene, (case, file, alarm): Damage) -> Row {
    let file = file(scene.site.installation.dir());
    // One that is not there yet says that nothing is.
    let whole = std::fs::read(&file).ok();
    let half = whole.as_deref().map_or(&b"{\"cut"[..], |whole| &whole[..whole.len() / 2]);
    let (before, begun) = (scene.site.alarms().await, Instant::now());
    std::fs::write(&file, half).unwrap();
    while scene.site.alarms().await.get(alarm) <= before.get(alarm) && begun.elapsed() < NOTICED_WITHIN {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    scene.demand(begun.elapsed() < NOTICED_WITHIN, || format!("no alarm `{alarm}`"));
    let mut outcomes = scene.asked(6, Some(0)).await;
    outcomes.extend(scene.asked(6, None).await);
    match whole {
        Some(whole) => std::fs::write(&file, whole).unwrap(),
        None => std::fs::remove_file(&file).unwrap(),
    }
    let ended = Instant::now();
    scene.row(case, &outcomes, ended).await
}

/// The folder of the signing keys is away for a while: that is told, and what is in memory signs on until the next start.
pub async fn keys_gone(scene: &Scene) -> Row {
    const CASE: Case = Case::new("the signing keys are gone", "told; ready, and signed by the keys in memory", FRESH);
    const ALARM: &str = "key-file-missing";
    let dir = scene.site.installation.dir();
    let (keys, away) = (dir.join("keys"), dir.join("keys-away"));
    let (before, begun) = (scene.site.alarms().await, Instant::now());
    std::fs::rename(&keys, &away).unwrap();
    while scene.site.alarms().await.get(ALARM) <= before.get(ALARM) && begun.elapsed() < NOTICED_WITHIN {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    scene.demand(begun.elapsed() < NOTICED_WITHIN, || format!("no alarm `{ALARM}`"));
    scene.demand(scene.site.ready().await, || "it is taken from those who ask".to_owned());
    scene.demand(!scene.site.nothing_amiss().await, || "nothing says that the keys are not in order".to_owned());
    let mut outcomes = scene.asked(6, Some(0)).await;
    outcomes.extend(scene.asked(6, None).await);
    let _ = std::fs::remove_dir_all(&keys);
    std::fs::rename(away, keys).unwrap();
    let ended = Instant::now();
    scene.row(CASE, &outcomes, ended).await
}
