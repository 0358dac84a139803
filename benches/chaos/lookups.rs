//! A registry that does something wrong with every look-up, or with everybody who connects.

use std::time::{Duration, Instant};

use crate::client::Outcome;
use crate::registry::Doing;
use crate::scene::{Case, FRESH, KNOWN, Row, Scene, UNDECIDED};

/// In an hour's time, and an hour ago.
const HOUR: i64 = 3600;
const REMEMBERED: &str = "in time: what is remembered, else undecided";

/// What may be said where nothing is taken from the answers.
const NOT_OF_IT: &[&str] = &["entitled cached", "entitled stale", "indeterminate stale"];

/// Each with what is promised of it; the first few are what a short round has.
pub const CASES: [(Case, Doing); 34] = [
    (Case::new("registry slow (0.3 s)", "answers, late", FRESH), Doing::Slow(Duration::from_millis(300))),
    (Case::new("registry slower than the deadline", REMEMBERED, KNOWN), Doing::Slow(Duration::from_secs(3))),
    (Case::new("registry hangs", REMEMBERED, KNOWN), Doing::Hang),
    (Case::new("registry refuses connections", REMEMBERED, KNOWN), Doing::Refused),
    (Case::new("registry is a black hole", REMEMBERED, KNOWN), Doing::BlackHole),
    (Case::new("registry says nothing in the handshake", REMEMBERED, KNOWN), Doing::Partitioned),
    (Case::new("registry stalls in the handshake", REMEMBERED, KNOWN), Doing::HalfHandshake),
    (Case::new("registry has another's certificate", REMEMBERED, KNOWN), Doing::WrongCertificate),
    (Case::new("registry closes connections", REMEMBERED, KNOWN), Doing::Close),
    (Case::new("registry flaps", REMEMBERED, KNOWN), Doing::Flapping),
    (Case::new("registry answers 500", REMEMBERED, KNOWN), Doing::Fail),
    (Case::new("registry redirects", REMEMBERED, KNOWN), Doing::Redirect),
    (Case::new("registry answers 304, unasked", REMEMBERED, KNOWN), Doing::NotModified),
    (Case::new("registry's answer is cut off", REMEMBERED, KNOWN), Doing::Truncated),
    (Case::new("registry's answer is huge", REMEMBERED, KNOWN), Doing::Huge),
    (Case::new("registry's answer has 10,000 headers", REMEMBERED, KNOWN), Doing::HeaderFlood),
    (Case::new("registry's answer comes in drops", REMEMBERED, KNOWN), Doing::Trickle),
    (Case::new("registry answers a page", REMEMBERED, KNOWN), Doing::NotJson),
    (Case::new("registry answers twice", "answers; what nobody asked for is none", FRESH), Doing::Twice),
    (Case::new("registry speaks HTTP/1.0", "answers", FRESH), Doing::Http10),
    (Case::new("registry closes its half after each answer", "answers", FRESH), Doing::HalfCloses),
    (Case::new("registry says 100 a thousand times first", REMEMBERED, KNOWN), Doing::Continues),
    (Case::new("registry floods with chunk extensions", REMEMBERED, KNOWN), Doing::ChunkExtensions),
    (Case::new("registry floods with trailers", REMEMBERED, KNOWN), Doing::Trailers),
    (Case::new("registry answers gzip, unasked", REMEMBERED, KNOWN), Doing::Gzip),
    (Case::new("registry answers by another contract", REMEMBERED, KNOWN), Doing::OtherSchema),
    (Case::new("registry says more than is known", "answers", FRESH), Doing::NewMembers),
    (Case::new("registry mixes two answers up", REMEMBERED, NOT_OF_IT), Doing::Swapped),
    (Case::new("registry answers from before", REMEMBERED, KNOWN), Doing::Old),
    (Case::new("registry's clock is an hour ahead", REMEMBERED, KNOWN), Doing::Clock(HOUR)),
    (Case::new("registry's clock is an hour behind", REMEMBERED, KNOWN), Doing::Clock(-HOUR)),
    (Case::new("registry's clock is 30 s ahead", "answers of now, none from the future", FRESH), Doing::Clock(30)),
    (Case::new("registry's clock is 30 s behind", "answers that say how old they are", FRESH), Doing::Clock(-30)),
    (
        Case::new(
            "registry says everybody twice",
            "undecided: two people have the number",
            &["indeterminate live", "indeterminate cached", "entitled cached"],
        ),
        Doing::Duplicate,
    ),
];

/// So many of them are in a short round.
pub const FEW: usize = 4;

/// So long a cursor that the feed does not come to is in doubt, and a little more.
const DOUBT: Duration = Duration::from_secs(23);

/// Live and remembered.
pub async fn row(scene: &Scene, case: Case, doing: Doing) -> Row {
    scene.site.registry.set(doing);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut outcomes = scene.asked(4, Some(0)).await;
    outcomes.extend(scene.asked(6, None).await);
    let ended = scene.registry_is_well();
    scene.row(case, &outcomes, ended).await
}

/// Somebody else's record under the right number, where a second factor is wanted.
pub async fn lie(scene: &Scene) -> Row {
    const CASE: Case = Case::new("registry says somebody else, right ETag", "undecided: the second factor does not match", UNDECIDED);
    scene.site.registry.set(Doing::WrongPerson);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut outcomes = Vec::new();
    for _ in 0..2 {
        outcomes.push(scene.bank.ask_about("amayesh-no", "A170000001", Some(0), "counter").await);
    }
    let ended = scene.registry_is_well();
    scene.row(CASE, &outcomes, ended).await
}

/// An answer from a change that never was. What changes later is still noticed.
pub async fn ahead(scene: &Scene) -> Row {
    // While the feed seems to hold back what look-ups show, nothing remembered counts as current: 20 s.
    const CASE: Case =
        Case::new("registry answers from beyond every change", "such an answer is not remembered for good", FRESH).within(40);
    scene.site.registry.set(Doing::Ahead);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut outcomes = scene.asked(3, Some(0)).await;
    let card = scene.card().await;
    outcomes.push(card.asked(Some(0)).await);
    let ended = scene.registry_is_well();
    // Asked for by what is remembered, as long as the doubt lasts and beyond it.
    let watching = async || {
        let (begun, mut wrong, mut last) = (Instant::now(), None, None);
        while ended.elapsed() < DOUBT {
            let told = card.asked(None).await;
            wrong = if told.decides("entitled") { Some(told.clone()) } else { wrong };
            last = Some(told);
            scene.clinic.ask(Some(0)).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        (wrong.map_or(Duration::ZERO, |wrong: Outcome| wrong.ended - begun), last)
    };
    let (known, last) = card.becomes_while("revoked", watching).await;
    scene.demand(last.is_some_and(|last| last.decides("not-entitled")), || "a card that was cancelled stays entitled".to_owned());
    card.becomes("active").await;
    let mut row = scene.row(CASE, &outcomes, ended).await;
    row.happened = format!("{}; a cancelled card was known after {} ms", row.happened, known.as_millis());
    row
}
