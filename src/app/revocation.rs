//! Revocation lists from URLs, the alarm when they grow old, and the radar of certificates that are about to expire.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinHandle;

use super::StartError;
use super::acts::ListsNow;
use super::parts::Parts;
use super::upstream::{ServerTrusts, Shown};
use crate::adapters::crl_source::{CrlSource, Offer, Told};
use crate::adapters::cutoff::CutOffList;
use crate::adapters::enrolment::{self, Register};
use crate::adapters::tls::config::anonymous_client_config;
use crate::adapters::tls::trust::CertificateTrust;
use crate::config::Config;
use crate::core::domain::assurance::Assurance;
use crate::core::domain::clock::Clock;

/// How often it is looked whether other lists are in force or their age has changed: that is told, and recorded.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After so many such looks the ends of certificates are looked at too.
const LOOKS_AT_LISTS: u32 = 10;
/// An unchanged alarm is repeated after so many looks: an hour.
const REPEAT_AFTER: u32 = 3600;

/// Starts to fetch from every configured source.
pub(super) fn fetch(parts: &Parts, config: &Config) -> Result<Vec<JoinHandle<()>>, StartError> {
    let (agencies, registry, acts) = (parts.trust.clone(), parts.registry_trusts.clone(), parts.acts.clone());
    let told: Told = Arc::new(move |source, lost| acts.list_source(source, lost));
    let offer: Offer = Arc::new(move |source, bytes| offered(&agencies, &registry, source, bytes));
    let every = Duration::from_millis(config.tls.crl_poll_ms);
    let start = |url: &String| {
        let tls =
            anonymous_client_config(&config.tls.client_ca, parts.gate.clock.clone()).map_err(|error| StartError(error.to_string()))?;
        let source = CrlSource::new(url, every, tls, (offer.clone(), told.clone())).map_err(StartError)?;
        Ok(tokio::spawn(source.run()))
    };
    config.tls.crl_urls.iter().map(start).collect()
}

/// A list is of use if the agencies' authorities or the registries' issued it.
fn offered(agencies: &CertificateTrust, registry: &ServerTrusts, source: &str, bytes: &[u8]) -> Result<(), String> {
    match (agencies.offer(source, bytes), registry.offer(source, bytes)) {
        (Err(one), false) => Err(one.to_string()),
        _ => Ok(()),
    }
}

/// Looks at the age of lists and of certificates until the task is dropped.
pub(super) fn radar(parts: &Parts, config: &Config) -> impl Future<Output = ()> + use<> {
    let (trust, registry, clock) = (parts.trust.clone(), parts.registry_trusts.clone(), parts.gate.clock.clone());
    let (acts, cutoff) = (parts.acts.clone(), parts.cutoff.clone());
    let (own, enrolled) = (own_certificates(config), config.enrolment.clone());
    async move {
        let mut alarm = Alarm::default();
        loop {
            certificates((&own, registry.shown().collect()), &enrolled, &cutoff.current(), &*clock);
            for _ in 0..LOOKS_AT_LISTS {
                alarm.look(&trust, &registry);
                acts.lists_changed(&in_force(&trust, &registry));
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }
}

/// The revocation lists of all trusts.
pub(super) fn in_force(trust: &CertificateTrust, registry: &ServerTrusts) -> Vec<ListsNow> {
    let agencies = ListsNow { of: "agencies", lists: trust.lists_in_force(), assurance: trust.assurance() };
    let others = registry.named().map(|(of, trust)| ListsNow { of, lists: trust.lists_in_force(), assurance: trust.assurance() });
    std::iter::once(agencies).chain(others).collect()
}

/// What was said last, so that a state is told when it begins and once an hour.
#[derive(Default)]
struct Alarm {
    said: Option<&'static str>,
    looks: u32,
}

impl Alarm {
    fn look(&mut self, trust: &CertificateTrust, registry: &ServerTrusts) {
        let (late, next_update) = trust.lists_due();
        metrics::gauge!("estelam_revocation_lists_next_update_seconds").set(seconds(next_update));
        self.tell(trust.assurance().max(registry.assurance()), late);
    }

    fn tell(&mut self, assurance: Assurance, late: bool) {
        let state = match assurance {
            Assurance::Current if late => Some("revocation-lists-late"),
            Assurance::Current => None,
            Assurance::Grace => Some("revocation-lists-grace"),
            Assurance::Overdue => Some("revocation-lists-overdue"),
        };
        self.looks = self.looks.saturating_add(1);
        if state == self.said && self.looks < REPEAT_AFTER {
            return;
        }
        (self.said, self.looks) = (state, 0);
        match state {
            None => {}
            // Late is a notice: the lists are good for as long again.
            Some("revocation-lists-late") => tracing::warn!("a revocation list is past half of its life and no newer one has come"),
            Some(alarm) => {
                metrics::counter!("estelam_alarms_total", "alarm" => alarm).increment(1);
                tracing::error!(alarm, "revocation lists are past their date: bring newer ones; see the manual, `trust`, Revocation lists");
            }
        }
    }
}

/// Files of our own certificates and authorities, by the names under which the metric tells them. Those that we show to registries are not among
/// them: what counts is which are shown.
fn own_certificates(config: &Config) -> Vec<(&'static str, PathBuf)> {
    let mut own = vec![
        ("gateway", config.tls.certificate.clone()),
        ("client-ca", config.tls.client_ca.clone()),
        ("client-intermediates", config.tls.client_intermediates.clone()),
        ("registry-ca", config.registry.ca.clone()),
        ("registry-intermediates", config.registry.intermediates.clone()),
    ];
    own.extend(config.tls.server_ca.clone().map(|file| ("server-ca", file)));
    own
}

/// Tells the ends of our own certificates and of the newest one of every agency, and how many are near.
fn certificates((own, shown): (&[(&'static str, PathBuf)], Vec<Shown>), enrolled: &Path, cut: &CutOffList, clock: &dyn Clock) {
    let mut ends: Vec<Timestamp> = Vec::new();
    let lie = own.iter().map(|(name, file)| (*name, std::fs::read(file).map(|pem| enrolment::all_of_pem(&pem)).unwrap_or_default()));
    let are_shown = shown.iter().map(|(name, chain)| (*name, chain.iter().filter_map(|der| enrolment::of_der(der)).collect::<Vec<_>>()));
    for (name, facts) in lie.chain(are_shown) {
        if let Some(end) = facts.iter().map(|one| one.not_after).min() {
            metrics::gauge!("estelam_certificate_not_after_seconds", "kind" => "own", "name" => name).set(seconds(end));
            ends.push(end);
        }
    }
    for agency in enrolment::agencies(enrolled) {
        let Ok(mut register) = Register::open(enrolled, &agency) else { continue };
        // One that is refused here is renewed by nobody, and must not hide the end of the one in use.
        register.certificates.retain(|one| !cut.bars_named(&one.sha256));
        let of_agency = register.expiries(clock.now());
        if let Some(end) = of_agency.iter().map(|(_, end)| *end).min() {
            metrics::gauge!("estelam_certificate_not_after_seconds", "kind" => "agency", "name" => agency).set(seconds(end));
        }
        ends.extend(of_agency.into_iter().map(|(_, end)| end));
    }
    for (label, days) in [("7d", 7), ("30d", 30)] {
        let near = ends.iter().filter(|end| end.duration_since(clock.now()).as_hours() < days * 24).count();
        metrics::gauge!("estelam_certificates_expiring", "within" => label).set(u32::try_from(near).map_or(f64::INFINITY, f64::from));
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.as_second() as f64
}

#[cfg(test)]
#[path = "revocation_tests.rs"]
mod tests;
