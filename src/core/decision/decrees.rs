//! What the decrees say about one document, at an instant of legal time and an instant of knowledge.

use jiff::Timestamp;

use super::doubt::{Doubt, Perhaps};
use super::instants::earlier;
use super::replacing::{Fate, Replacing};
use super::window::Window;
use crate::core::domain::date::start_of_tehran_day;
use crate::core::domain::decree::{Decree, DecreeSet, Effect, Phase};
use crate::core::domain::document::Document;
use crate::core::domain::person::Person;

/// The decrees that are known and matter for one service.
pub(super) struct Relevant<'a> {
    set: &'a DecreeSet,
    service: &'a str,
    decrees: Vec<(&'a Decree, Phase)>,
    now: Timestamp,
    replacing: Replacing<'a>,
    known_at: Timestamp,
}

/// What the decrees say about one document and the service asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ruling<'a> {
    /// The EXTEND in force that runs longest; where one lifted a TERMINATE in force, of those that the TERMINATE did not end.
    pub extended_by: Option<&'a Decree>,
    /// The TERMINATE in force, unless a later decree lifted it.
    pub ended_by: Option<&'a Decree>,
    /// The GRANT or EXTEND in force that lifted a TERMINATE in force.
    pub lifted_by: Option<&'a Decree>,
    /// GRANT or RESTRICT, whichever took effect last.
    pub service: Option<Bearing>,
    /// The decree behind that.
    pub service_by: Option<&'a Decree>,
    /// The REQUIRE-ACTION in force that took effect last.
    pub required_by: Option<&'a Decree>,
    /// The renewal window that is open, else the next one announced.
    pub window: Option<Window<'a>>,
    /// Whether a renewal window is announced.
    pub window_ahead: bool,
    /// Whether a renewal window has ended.
    pub window_ended: bool,
    /// What the record leaves open.
    pub doubt: Doubt,
    /// The next instant at which any of this changes by itself.
    pub changes_at: Option<Timestamp>,
}

/// How decrees bear on the service asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bearing {
    /// The document carries the service whatever the service's rule says.
    Granted,
    /// The document does not carry the service.
    Restricted,
}

impl<'a> Relevant<'a> {
    /// The decrees of `set` that were known at `known_at` and cover `service`, each in the phase that its own dates and the decrees
    /// that replaced it leave it in (domain §4). A decree replaces others whatever services either covers.
    pub fn new(set: &'a DecreeSet, service: &'a str, now: Timestamp, known_at: Timestamp) -> Self {
        let replacing = Replacing::of(set, now, known_at);
        let decrees = set.decrees.iter().filter(|decree| decree.services.cover(service)).filter_map(|decree| {
            match (decree.phase(now, known_at), replacing.fate(decree)) {
                (Phase::Unknown | Phase::Withdrawn, _) | (_, Fate::NeverBegan(_)) => None,
                (phase, Fate::Stands) => Some((decree, phase)),
                (_, Fate::EndedBy(_)) => Some((decree, Phase::Over)),
            }
        });
        Self { set, service, decrees: decrees.collect(), now, replacing, known_at }
    }

    /// The same at another instant, by the same knowledge.
    pub fn at(&self, now: Timestamp) -> Self {
        Self::new(self.set, self.service, now, self.known_at)
    }

    /// What they say about one document.
    pub fn ruling(&self, document: &Document, person: &Person) -> Ruling<'a> {
        let mut ruling = Ruling::default();
        let mut terminated: Option<&Decree> = None;
        let mut revived: Option<&Decree> = None;
        let mut restricted: Option<&Decree> = None;
        let mut granted: Option<&Decree> = None;
        let mut perhaps = Perhaps::default();
        for (decree, phase) in &self.decrees {
            let selects = decree.selects(document, person);
            let open = Perhaps::is_open(decree, selects, document, person);
            if !selects && !open {
                continue;
            }
            if *phase != Phase::Over {
                ruling.changes_at = earlier(ruling.changes_at, self.next_change(decree));
            }
            match (decree.effect, phase) {
                (_, Phase::InForce) if open => perhaps.take(decree),
                (Effect::RenewalWindow, Phase::Over) => ruling.window_ended |= !was_over_before(decree, document),
                (Effect::RenewalWindow, phase) => {
                    ruling.window_ahead |= *phase == Phase::Ahead;
                    let window = Window::of(decree, self.ends_at(decree), *phase == Phase::InForce);
                    ruling.window = Window::better(ruling.window, window);
                }
                (_, Phase::Over | Phase::Ahead | Phase::Unknown | Phase::Withdrawn) => {}
                (Effect::RequireAction, _) => ruling.required_by = latest(ruling.required_by, decree),
                (Effect::Extend, _) => {
                    ruling.extended_by = longest(ruling.extended_by, decree);
                    revived = latest(revived, decree);
                }
                (Effect::Terminate, _) => terminated = latest(terminated, decree),
                (Effect::Restrict, _) => restricted = latest(restricted, decree),
                (Effect::Grant, _) => {
                    granted = latest(granted, decree);
                    revived = latest(revived, decree);
                }
            }
        }
        if let Some(ended) = terminated {
            ruling.extended_by = self.still_extending(ended, document, person).or(ruling.extended_by);
        }
        (ruling.ended_by, ruling.lifted_by) = terminated.map_or((None, None), |ended| end_or_lift(ended, revived));
        (ruling.service, ruling.service_by) = bearing(granted, restricted).unzip();
        ruling.doubt = perhaps.doubt([ruling.ended_by, revived, restricted, granted]);
        ruling
    }

    /// The EXTEND in force that runs longest among those that a TERMINATE in force did not end. Where there is none, a GRANT may have
    /// lifted it: an exception, for which what was extended before stays so.
    fn still_extending(&self, ended: &Decree, document: &Document, person: &Person) -> Option<&'a Decree> {
        let in_force = self.decrees.iter().filter(|(decree, phase)| decree.effect == Effect::Extend && *phase == Phase::InForce);
        let standing = in_force.map(|(decree, _)| *decree).filter(|decree| decree.effective_from >= ended.effective_from);
        standing.filter(|decree| decree.selects(document, person)).fold(None, longest)
    }

    /// When the effect of a decree that is not over ends, by what is known: its own end, or that by another which does begin.
    fn ends_at(&self, decree: &Decree) -> Option<Timestamp> {
        let own = earlier(decree.effective_until, decree.rescission_known_at(self.known_at));
        let replaced = |at: &Timestamp| !matches!(Replacing::of(self.set, *at, self.known_at).fate(decree), Fate::Stands);
        self.replacing.ahead_of(decree).filter(replaced).map(Some).fold(own, earlier)
    }

    fn next_change(&self, decree: &Decree) -> Option<Timestamp> {
        let own = [Some(decree.effective_from), decree.effective_until, decree.rescission_known_at(self.known_at)];
        let replaced = self.replacing.ahead_of(decree).map(Some);
        own.into_iter().chain(replaced).filter(|at| at.is_some_and(|at| at > self.now)).fold(None, earlier)
    }
}

/// Whether a renewal window was over before a document was issued, which then had no part in it.
fn was_over_before(window: &Decree, document: &Document) -> bool {
    window.effective_until.zip(document.printed.issued()).is_some_and(|(until, issued)| until <= start_of_tehran_day(issued.first_day()))
}

/// A decree that lets documents live again lifts one that ended them, if it took effect no earlier: on the same day it is the
/// exception to the rule ("all but six groups").
fn end_or_lift<'a>(ended: &'a Decree, revived: Option<&'a Decree>) -> (Option<&'a Decree>, Option<&'a Decree>) {
    match revived.filter(|revived| revived.effective_from >= ended.effective_from) {
        Some(revived) => (None, Some(revived)),
        None => (Some(ended), None),
    }
}

/// On the same day, a grant is the exception to the restriction.
fn bearing<'a>(granted: Option<&'a Decree>, restricted: Option<&'a Decree>) -> Option<(Bearing, &'a Decree)> {
    match (granted, restricted) {
        (Some(granted), Some(restricted)) if granted.effective_from < restricted.effective_from => Some((Bearing::Restricted, restricted)),
        (Some(granted), _) => Some((Bearing::Granted, granted)),
        (None, restricted) => restricted.map(|restricted| (Bearing::Restricted, restricted)),
    }
}

/// The one that took effect last; among equals the smaller id, so that the order of the set never matters.
pub(super) fn latest<'a>(best: Option<&'a Decree>, next: &'a Decree) -> Option<&'a Decree> {
    match best {
        Some(best) if (best.effective_from, &next.id) >= (next.effective_from, &best.id) => Some(best),
        _ => Some(next),
    }
}

/// The one that runs longest («until further notice» is longest); among equals the one that took effect last.
fn longest<'a>(best: Option<&'a Decree>, next: &'a Decree) -> Option<&'a Decree> {
    let end = |decree: &Decree| decree.effective_until.unwrap_or(Timestamp::MAX);
    match best {
        Some(best) if end(best) > end(next) => Some(best),
        Some(best) if end(best) == end(next) => latest(Some(best), next),
        _ => Some(next),
    }
}

#[cfg(test)]
mod tests;
