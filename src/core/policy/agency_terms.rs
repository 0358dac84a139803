//! The terms of an agency's file: grants, duties, freshness and rates, each with the faults that it can have.

use std::sync::Arc;

use jiff::{Span, SpanRelativeTo};
use toml::Spanned;

use super::agency_file::{AgencyFile, BatchesFile, DisclosureFile, FreshnessFile, GrantFile, LimitsFile, ProtectionFile, RateFile};
use super::agency_rules::{Reader, Wish, is_branch_name, listed};
use super::term::{Term, between, whole_day};
use super::{Disclosure, Grant, Outage};
use crate::core::domain::reason::OPEN_CLASS;
use crate::core::domain::second_factor::{SecondFactor, SecondFactors};
use crate::core::domain::table::Table;
use crate::core::limit::{Batches, Protection, Rate, Tier};

impl Reader<'_> {
    pub(super) fn wishes(&mut self, file: &AgencyFile, grant: &GrantFile) -> Vec<Wish> {
        for (list, what) in [(&grant.services, "service"), (&grant.purposes, "purpose")] {
            if list.get_ref().is_empty() {
                self.fault(list.span().start, format!("a grant needs at least one {what}"));
            }
        }
        let terms = self.terms(file, grant).map(Arc::new);
        for purpose in grant.purposes.get_ref() {
            self.purpose(purpose);
        }
        for service in grant.services.get_ref() {
            self.service(service, terms.as_deref());
        }
        let Some(terms) = terms else { return Vec::new() };
        let mut wishes = Vec::new();
        for service in grant.services.get_ref() {
            wishes.extend(grant.purposes.get_ref().iter().map(|purpose| Wish {
                service: service.get_ref().clone(),
                purpose: purpose.get_ref().clone(),
                offset: service.span().start,
                grant: Arc::clone(&terms),
            }));
        }
        wishes
    }

    fn purpose(&mut self, purpose: &Spanned<String>) {
        let purposes = self.known.rules.purposes();
        if !purposes.contains(purpose.get_ref()) {
            let message =
                format!("no such purpose `{}`; use one of {}, or add it to estelam.cedarschema", purpose.get_ref(), listed(purposes));
            self.fault(purpose.span().start, message);
        }
    }

    fn service(&mut self, service: &Spanned<String>, terms: Option<&Grant>) {
        match self.known.services.get(service.get_ref()) {
            None => self.fault(service.span().start, format!("no such service `{}`; services.toml lists them", service.get_ref())),
            Some(found) if found.no_document && terms.is_some_and(|terms| terms.check) => {
                let message =
                    format!("`check` cannot be wanted for `{}`, which needs no document; give it a [[grant]] of its own", found.code);
                self.fault(service.span().start, message);
            }
            Some(_) => {}
        }
    }

    fn terms(&mut self, file: &AgencyFile, grant: &GrantFile) -> Option<Grant> {
        let must = self.duties(grant);
        let at = grant.services.span().start;
        let Some(freshness) = grant.freshness.as_ref().or(file.freshness.as_ref()) else {
            self.fault(at, "a grant needs [freshness]; add it to the agency");
            return None;
        };
        let Some(outage) = grant.outage.as_ref().or(file.outage.as_ref()) else {
            self.fault(at, "a grant needs `outage`; write \"proceed\" or \"try-later\" for the agency");
            return None;
        };
        let outage = match outage.get_ref().as_str() {
            "proceed" => Outage::Proceed,
            "try-later" => Outage::TryLater,
            other => {
                self.fault(outage.span().start, format!("no such outage rule `{other}`; write \"proceed\" or \"try-later\""));
                return None;
            }
        };
        let live_denial = freshness.must_be_live_for_denial;
        let [max_age_s, min_age_s, max_stale_s, valid_for_s] = self.freshness(freshness)?;
        let (from, until) = self.term(grant)?;
        let disclose = self.disclosure(&file.disclosure);
        Some(Grant {
            actor: must.contains(&"actor"),
            check: must.contains(&"check"),
            factors: self.second_factors(&file.protection),
            reference: must.contains(&"reference"),
            nonce: must.contains(&"nonce"),
            signature: must.contains(&"signature") || file.request_signing.as_ref().is_some_and(|signing| signing.get_ref().required),
            receipt: grant.receipt,
            max_age_s,
            min_age_s,
            max_stale_s,
            live_denial,
            valid_for_s,
            outage,
            disclose,
            from,
            until,
        })
    }

    /// The half-open interval of a grant; both days written are included, Tehran time.
    fn term(&mut self, grant: &GrantFile) -> Option<Term> {
        let text = |written: Option<&Spanned<String>>| written.map(|written| written.get_ref().clone());
        let place = grant.until.as_ref().or(grant.from.as_ref()).map_or(0, |written| written.span().start);
        if let Some((written, message)) = grant.from.as_ref().and_then(|day| whole_day(day.get_ref()).err().map(|message| (day, message))) {
            self.fault(written.span().start, message);
            return None;
        }
        let term = between(text(grant.from.as_ref()).as_deref(), text(grant.until.as_ref()).as_deref());
        term.map_err(|message| self.fault(place, message)).ok()
    }

    fn disclosure(&mut self, file: &DisclosureFile) -> Disclosure {
        let known = self.known.reasons;
        let mut reasons = known.of_class(OPEN_CLASS);
        for class in &file.reasons {
            if known.classes().contains(class.get_ref().as_str()) {
                reasons = reasons.and(known.of_class(class.get_ref()));
            } else {
                let message = format!("no such class of reasons `{}`; reasons.toml has {}", class.get_ref(), listed(known.classes()));
                self.fault(class.span().start, message);
            }
        }
        Disclosure { kind: file.kind, series: file.series, decree: file.decree, end: file.end, reasons }
    }

    fn duties<'g>(&mut self, grant: &'g GrantFile) -> Vec<&'g str> {
        const DUTIES: [&str; 5] = ["actor", "check", "reference", "nonce", "signature"];
        for duty in &grant.must_give {
            if !DUTIES.contains(&duty.get_ref().as_str()) {
                self.fault(duty.span().start, format!("`{}` cannot be asked for; use {}", duty.get_ref(), listed(DUTIES)));
            }
        }
        grant.must_give.iter().map(|duty| duty.get_ref().as_str()).collect()
    }

    /// `max_age`, `min_age`, `max_stale`, `valid_for` in seconds.
    fn freshness(&mut self, file: &FreshnessFile) -> Option<[u32; 4]> {
        let max_age = self.seconds(&file.max_age)?;
        let min_age = self.seconds(&file.min_age)?;
        let max_stale = self.seconds(&file.max_stale)?;
        let valid_for = self.seconds(&file.valid_for)?;
        if min_age > max_age {
            self.fault(file.min_age.span().start, "min_age is above max_age; lower it");
        }
        if max_stale < max_age {
            self.fault(file.max_stale.span().start, "max_stale is below max_age; raise it");
        }
        if valid_for == 0 {
            self.fault(file.valid_for.span().start, "valid_for is nothing; an answer must be good for at least a second");
        }
        Some([max_age, min_age, max_stale, valid_for])
    }

    fn seconds(&mut self, span: &Spanned<String>) -> Option<u32> {
        let length = span.get_ref().parse::<Span>().and_then(|length| length.to_duration(SpanRelativeTo::days_are_24_hours()));
        let whole = length.ok().filter(|length| length.subsec_nanos() == 0);
        let seconds = whole.and_then(|length| u32::try_from(length.as_secs()).ok());
        if seconds.is_none() {
            self.fault(span.span().start, format!("`{}` is no length of time; write for example \"5 minutes\"", span.get_ref()));
        }
        seconds
    }

    pub(super) fn protection(&mut self, file: &ProtectionFile) -> Protection {
        let usual = Protection::default();
        let mut bound = |given: &Option<Spanned<u32>>, name: &str, usual: u32| match given {
            Some(given) if *given.get_ref() == 0 => {
                let message = format!("{name} is 0, which would answer nobody; to bar an agency, write `suspended = true`");
                self.fault(given.span().start, message);
                usual
            }
            Some(given) => *given.get_ref(),
            None => usual,
        };
        let mut protection = Protection {
            failed_checks: bound(&file.failed_checks, "failed_checks", usual.failed_checks),
            failed_values: bound(&file.failed_values, "failed_values", usual.failed_values),
            sequential_values: bound(&file.sequential_values, "sequential_values", usual.sequential_values),
            run_values: bound(&file.run_values, "run_values", usual.run_values),
            distinct_values: bound(&file.distinct_values, "distinct_values", usual.distinct_values),
            actor_values: bound(&file.actor_values, "actor_values", usual.actor_values),
            unknown_values: bound(&file.unknown_values, "unknown_values", usual.unknown_values),
            honeypots: bound(&file.honeypots, "honeypots", usual.honeypots),
            actor_per_minute: file.actor_per_minute.as_ref().map(|_| bound(&file.actor_per_minute, "actor_per_minute", 1)),
            branch_per_minute: file.branch_per_minute.as_ref().map(|_| bound(&file.branch_per_minute, "branch_per_minute", 1)),
            ..usual
        };
        protection.batches = file.batches.as_ref().map(|batches| self.batches(batches));
        if let Some(pause) = &file.pause {
            protection.pause_s = self.seconds(pause).unwrap_or(protection.pause_s);
            if protection.pause_s == 0 {
                self.fault(pause.span().start, "pause is nothing; whoever is stopped must wait at least a second");
            }
        }
        protection
    }

    fn second_factors(&mut self, file: &ProtectionFile) -> SecondFactors {
        let Some(listed) = &file.second_factors else { return SecondFactors::default() };
        let taken: Vec<SecondFactor> = listed.get_ref().iter().map(|factor| *factor.get_ref()).collect();
        let shared = listed.get_ref().iter().find(|factor| *factor.get_ref() == SecondFactor::SharedExpires);
        if taken.is_empty() {
            self.fault(listed.span().start, "second_factors is empty, so that `check` could prove nobody; take at least `birth`");
        } else if let Some(shared) = shared.filter(|_| !taken.contains(&SecondFactor::DocumentExpires)) {
            self.fault(shared.span().start, "`shared-expires` widens `document-expires`; take that too, or neither");
        }
        SecondFactors::of(&taken)
    }

    fn batches(&mut self, file: &BatchesFile) -> Batches {
        if *file.values.get_ref() == 0 {
            self.fault(file.values.span().start, "batches of 0 values; to allow no batches, leave `batches` out");
        }
        let branch = file.branch.as_ref().map(|branch| {
            if !is_branch_name(branch.get_ref()) {
                let message = format!("`{}` is no name of a branch; write it as the certificate does, after `/branch/`", branch.get_ref());
                self.fault(branch.span().start, message);
            }
            branch.get_ref().as_str().into()
        });
        Batches { values: *file.values.get_ref(), branch }
    }

    pub(super) fn rates(&mut self, limits: &Spanned<LimitsFile>, verifies: bool) -> Table<Tier, Rate> {
        let file = limits.get_ref();
        if *file.max_connections.get_ref() == 0 {
            self.fault(file.max_connections.span().start, "max_connections is 0; to bar an agency, write `suspended = true`");
        }
        if let Some(quota) = file.daily_quota.as_ref().filter(|quota| *quota.get_ref() == 0) {
            self.fault(quota.span().start, "daily_quota is 0; to bar an agency, write `suspended = true`; without a quota, leave it out");
        }
        let tiers: [(Tier, Option<&Spanned<RateFile>>); 5] = [
            (Tier::Counter, file.counter.as_ref()),
            (Tier::Background, file.background.as_ref()),
            (Tier::Token, Some(&file.token)),
            (Tier::TokenMiss, Some(&file.token_miss)),
            (Tier::Other, Some(&file.other)),
        ];
        let mut rates = Table::default();
        for (tier, rate) in tiers {
            match rate {
                Some(rate) if rate.get_ref().per_second == 0 || rate.get_ref().burst == 0 => {
                    let message = format!("a rate of 0 in `{}`; to bar an agency, write `suspended = true`", tier.name());
                    self.fault(rate.span().start, message);
                }
                Some(rate) => drop(rates.insert(tier, (*rate.get_ref()).into())),
                None if verifies => {
                    self.fault(limits.span().start, format!("an agency that verifies needs `{}` in [limits]", tier.name()));
                }
                None => {}
            }
        }
        rates
    }
}
