//! Faults of what the registry pushes: events that are forged, repeated, late, lost, and far too many.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use estelam::adapters::keys::FileSigner;
use estelam::core::registry::event::REGISTRY_EVENT;
use estelam::core::signing::{Algorithm, Signer};
use serde_json::{Value, json};

use crate::card::line;
use crate::scene::{Case, FRESH, Row, Scene};

/// People are asked for again within this after a change that only the poll tells.
const TOLD_WITHIN: Duration = Duration::from_secs(5);
/// Pushes that are taken at once, and each second.
const AT_ONCE: u64 = 20;
const A_SECOND: u64 = 2;

const FORGED: Case = Case::new("pushes forged, late, repeated", "refused; what is remembered answers", &["entitled cached"]);
const FLOOD: Case = Case::new("300 pushes at once", "a few are taken, 429; the counter is served", FRESH);
const LOST: Case = Case::new("a push is lost", "the poll tells of the change", FRESH);

/// The sender of events, with its certificate and key as the registry has them.
pub struct Pusher {
    http: reqwest::Client,
    issuer: String,
    key: FileSigner,
    sent: AtomicU64,
}

impl Pusher {
    pub fn new(scene: &Scene) -> Self {
        let installation = &scene.site.installation;
        let pem = std::fs::read(installation.dir().join("pki/registry/events-key.pem")).unwrap();
        let key = FileSigner::from_pkcs8(pem::parse(pem).unwrap().contents()).unwrap();
        Self { http: installation.http("registry-client"), issuer: installation.gateway(), key, sent: AtomicU64::new(0) }
    }

    /// The claims of an event that makes everything remembered useless, as of `age_s` seconds ago.
    fn everything(&self, cursor: u64, age_s: u64) -> Value {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        json!({
            "iss": "spiffe://estelam.test/server/registry", "aud": self.issuer, "iat": now - age_s, "jti": format!("chaos-{now}-{number}"),
            "events": { REGISTRY_EVENT: { "cursor": cursor, "subjects": [], "decrees": false, "everything": true } },
        })
    }

    fn signed(&self, claims: &Value) -> String {
        signed(&self.key, claims)
    }

    /// The status of the reply; 0 where none came.
    async fn post(&self, event: String) -> u16 {
        let sent = self.http.post(format!("{}/v1/events", self.issuer)).header("content-type", "application/secevent+jwt").body(event);
        sent.send().await.map_or(0, |reply| reply.status().as_u16())
    }
}

fn signed(key: &FileSigner, claims: &Value) -> String {
    let header = json!({ "alg": key.algorithm().jose(), "typ": "secevent+jwt", "kid": key.key_id() });
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(key.sign(input.as_bytes()).unwrap()))
}

impl Scene {
    fn expect(&self, what: &str, found: impl PartialEq<u16> + std::fmt::Debug, wanted: u16) {
        if found != wanted {
            self.broken(format!("{what}: {found:?} instead of {wanted}"));
        }
    }
}

/// Somebody with the certificate alone, somebody with an old event, and one event twice: nothing is forgotten for them.
pub async fn forged_late_repeated(scene: &Scene, pusher: &Pusher) -> Row {
    scene.asked(3, None).await;
    let cursor = scene.site.cursor().await;
    let thief = FileSigner::from_pkcs8(&FileSigner::generate(Algorithm::EdDsa).unwrap()).unwrap();
    scene.expect("a forged event", pusher.post(signed(&thief, &pusher.everything(cursor, 0))).await, 400);
    scene.expect("a late event", pusher.post(pusher.signed(&pusher.everything(cursor, 400))).await, 400);
    let outcomes = scene.asked(6, None).await;
    let event = pusher.signed(&pusher.everything(cursor, 0));
    scene.expect("an event", pusher.post(event.clone()).await, 202);
    scene.expect("the same event again", pusher.post(event).await, 400);
    let ended = Instant::now();
    scene.row(FORGED, &outcomes, ended).await
}

/// A sender that pushes without a pause while a counter is served.
pub async fn flood(scene: &Scene, pusher: &Pusher) -> Row {
    let (cursor, begun, looked_up) = (scene.site.cursor().await, Instant::now(), scene.site.registry.look_ups());
    let (mut taken, mut refused, mut other) = (0_u64, 0_u64, 0_u64);
    let pushing = async {
        for _ in 0..300 {
            match pusher.post(pusher.signed(&pusher.everything(cursor, 0))).await {
                202 => taken += 1,
                // A flood of refusals gets no reply.
                429 | 0 => refused += 1,
                _ => other += 1,
            }
        }
    };
    let (outcomes, ()) = tokio::join!(scene.asked(60, None), pushing);
    let most = AT_ONCE + A_SECOND * (begun.elapsed().as_secs() + 1);
    let looked_up = scene.site.registry.look_ups() - looked_up;
    if taken > most || refused == 0 || other > 0 {
        scene.broken(format!("{taken} of at most {most} were taken, {other} strange replies"));
    }
    if looked_up > 60 {
        scene.broken("more look-ups than questions");
    }
    let ended = Instant::now();
    let mut row = scene.row(FLOOD, &outcomes, ended).await;
    row.happened = format!("{taken} taken, {refused} refused, {looked_up} look-ups; {}", row.happened);
    row
}

/// A change whose push is lost: the poll tells it.
pub async fn lost(scene: &Scene) -> Row {
    let mut outcomes = scene.asked(6, None).await;
    let before = scene.site.cursor().await;
    scene.import("somebody-new.csv", &line("chaos-1", "A170000777", "")).await;
    let begun = Instant::now();
    scene.demand(scene.site.cursor().await > before, || "nothing changed".to_owned());
    while scene.site.known_cursor().await <= before && begun.elapsed() < TOLD_WITHIN {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let told = begun.elapsed();
    scene.demand(told < TOLD_WITHIN, || "the poll did not tell of it".to_owned());
    let ended = Instant::now();
    outcomes.extend(scene.asked(6, None).await);
    let mut row = scene.row(LOST, &outcomes, ended).await;
    row.happened = format!("known after {} ms; {}", told.as_millis(), row.happened);
    row
}
