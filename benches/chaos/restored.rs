//! A register that is put back from an older copy, goes on from there, and is replaced again by the one before.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::card::line;
use crate::scene::{Case, FRESH, Row, Scene};
use crate::support::Process;

const COPY: &str = "an-older-copy";

/// A registry process on a copy of the installation's registry, and its URL.
fn serve(copy: &Path) -> (Process, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_estelam"))
        .args(["registry", "serve", "--until-stdin-closes", "--port", "0", "--dir"])
        .arg(copy)
        .env("ESTELAM_LOG", "error")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let port = said.trim().strip_prefix("listening on 127.0.0.1:").expect("a port").to_owned();
    (Process::of(child), format!("https://localhost:{port}"))
}

/// Everything but the access log.
fn copied(dir: &Path) -> std::path::PathBuf {
    let copy = dir.join(COPY);
    std::fs::create_dir(&copy).unwrap();
    for name in ["estelam.toml", "pki", "policies", "registry"] {
        let done = Command::new("cp").arg("-a").arg(dir.join(name)).arg(&copy).status().unwrap();
        assert!(done.success(), "{name} cannot be copied");
    }
    copy
}

/// The card is valid in the copy and cancelled after it; the copy goes on with changes of its own under the same cursors.
pub async fn row(scene: &Scene) -> Row {
    const CASE: Case =
        Case::new("register put back from an older copy", "nothing of the later one is remembered, nor the other way", FRESH);
    let card = scene.card().await;
    let copy = copied(scene.site.installation.dir());
    card.becomes("revoked").await;
    let mut told = vec![format!("known after {} ms", card.until("not-entitled").await.as_millis())];
    let mut outcomes = scene.asked(3, None).await;
    let (_older, url) = serve(&copy);
    // It goes on before anybody asks it: a change under the cursor that the other one used for the card.
    scene.import_into(&copy, "others.csv", &line("chaos-other", "A170000779", "active")).await;
    let later = scene.site.registry.stand_before(url);
    scene.site.registry.hang_up();
    told.push(format!("put back: after {} ms", card.until("entitled").await.as_millis()));
    outcomes.extend(scene.asked(6, None).await);
    scene.site.registry.stand_before(later);
    scene.site.registry.hang_up();
    let ended = Instant::now();
    told.push(format!("and forth: after {} ms", card.until("not-entitled").await.as_millis()));
    card.becomes("active").await;
    card.until("entitled").await;
    std::fs::remove_dir_all(copy).unwrap();
    let mut row = scene.row(CASE, &outcomes, ended).await;
    row.happened = format!("{}; {}", told.join(", "), row.happened);
    row
}
