//! What decrees may say of a document, where its record does not settle whether they select it: a year of issue that lies half within a window, a nationality
//! that nobody wrote down. Neither a "no" nor a "yes" rests on that (domain §7: what is unresolved is indeterminate).

use super::decrees::latest;
use crate::core::domain::decree::{Decree, Effect};
use crate::core::domain::document::Document;
use crate::core::domain::person::Person;
use crate::core::domain::reason::ReasonCode;

/// The decrees in force that may select a document; of each effect the one that took effect last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Perhaps<'a> {
    extend: Option<&'a Decree>,
    grant: Option<&'a Decree>,
    terminate: Option<&'a Decree>,
    restrict: Option<&'a Decree>,
}

/// What of a document's answer is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Doubt {
    /// It may be extended.
    extended: bool,
    /// What ended it may be lifted.
    revived: bool,
    /// It may be granted the service.
    granted: bool,
    /// It may be ended, or the service withheld from it.
    hit: bool,
}

impl<'a> Perhaps<'a> {
    /// Whether nobody can tell if a decree, that `selects` a document by what is recorded or does not, is about it. What helps its holder selects it as
    /// soon as its printed dates could be meant (domain §9); what hurts it only where no other reading is left, and not at all for want of a fact: it is
    /// about those alone whom it names.
    pub fn is_open(decree: &Decree, selects: bool, document: &Document, person: &Person) -> bool {
        match decree.effect {
            Effect::Extend | Effect::Grant => !selects && decree.might_select(document, person),
            Effect::Terminate | Effect::Restrict => selects && !decree.surely_selects(document, person),
            Effect::RequireAction | Effect::RenewalWindow => false,
        }
    }

    /// Takes up one that is in force.
    pub fn take(&mut self, decree: &'a Decree) {
        match decree.effect {
            Effect::Extend => self.extend = latest(self.extend, decree),
            Effect::Grant => self.grant = latest(self.grant, decree),
            Effect::Terminate => self.terminate = latest(self.terminate, decree),
            Effect::Restrict => self.restrict = latest(self.restrict, decree),
            Effect::RequireAction | Effect::RenewalWindow => {}
        }
    }

    /// What they leave open beside the decrees that do select the document: `ended`, what may have `revived` it since, what `restricted` the service, and
    /// what `granted` it. What helps lifts what took effect no later.
    pub fn doubt(&self, [ended, revived, restricted, granted]: [Option<&Decree>; 4]) -> Doubt {
        let lifts = |helps: Option<&Decree>, hurts: &Decree| helps.is_some_and(|helps| helps.effective_from >= hurts.effective_from);
        let lifted = |hurts: &Decree| lifts(self.extend, hurts) || lifts(self.grant, hurts);
        Doubt {
            extended: self.extend.is_some(),
            revived: ended.is_some_and(lifted),
            granted: self.grant.is_some() && restricted.is_none_or(|restricted| lifts(self.grant, restricted)),
            hit: self.terminate.is_some_and(|ends| !lifts(revived, ends)) || self.restrict.is_some_and(|hits| !lifts(granted, hits)),
        }
    }
}

impl Doubt {
    /// Whether a document's answer is open, were it this one without them.
    pub const fn leaves_open(self, reason: ReasonCode) -> bool {
        match reason {
            ReasonCode::Valid | ReasonCode::ValidByDecree => self.hit,
            ReasonCode::DocumentLapsed => self.extended,
            ReasonCode::EndedByDecree => self.revived,
            ReasonCode::ServiceNotCovered => self.granted,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
