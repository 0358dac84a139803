//! What the tests of this stage share: the fixture people and decrees, and a query that reads like a sentence.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::sync::LazyLock;

use jiff::Timestamp;

use super::Verdict;
use super::query::{Claims, Evidence, Query, decide_query};
use crate::core::domain::date::{Calendar, PartialDate, Validity, end_of_tehran_day, start_of_tehran_day};
use crate::core::domain::decree::{Decree, DecreeSet, Effect, Selector, Services};
use crate::core::domain::document::{Document, DocumentKind, DocumentState, Facets};
use crate::core::domain::person::{Marks, Person};
use crate::core::domain::reason::ReasonCode;
use crate::core::domain::request::Check;
use crate::core::domain::second_factor::SecondFactors;
use crate::core::domain::service::{SHIPPED_SERVICES, Service, ServiceCatalogue};
use crate::core::registry::convert::recorded_when_shipped;
use crate::core::registry::wire::WireDecree;
use crate::core::registry::{Freshness, RegistryAnswer};

/// The day on which the fixtures' expectations hold: 2 Azar 1405.
pub fn today() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

/// A Jalali date of whatever precision.
pub fn date(text: &str) -> PartialDate {
    PartialDate::parse(text, Calendar::Jalali).expect("a Jalali date")
}

/// Noon, Tehran, of a Jalali day.
pub fn noon(day: &str) -> Timestamp {
    start_of_tehran_day(date(day).first_day()) + jiff::SignedDuration::from_hours(12)
}

/// The last instant of a Jalali day, to the nanosecond.
pub fn last_instant(day: &str) -> Timestamp {
    end_of_tehran_day(date(day).last_day()) - jiff::SignedDuration::from_nanos(1)
}

pub fn service(code: &str) -> Service {
    static SHIPPED: LazyLock<ServiceCatalogue> = LazyLock::new(|| ServiceCatalogue::parse(SHIPPED_SERVICES).expect("the shipped services"));
    SHIPPED.get(code).expect("a shipped service").clone()
}

pub fn person(birth: &str, documents: Vec<Document>) -> Person {
    let birth = (!birth.is_empty()).then(|| date(birth));
    Person {
        birth,
        nationality: Some("AF".into()),
        province: Some("IR-30".into()),
        household_role: None,
        blocked: false,
        documents,
        marks: Marks::default(),
    }
}

/// A document printed to expire on a Jalali day; "" is no printed date.
pub fn document(kind: DocumentKind, series: Option<u16>, state: DocumentState, expires: &str) -> Document {
    let expires = (!expires.is_empty()).then(|| date(expires));
    Document {
        kind,
        series,
        state,
        printed: Validity::new(None, expires),
        legal_status: None,
        facets: Facets::default(),
        recorded_at: None,
    }
}

pub fn amayesh(series: u16, expires: &str) -> Document {
    document(DocumentKind::Amayesh, Some(series), DocumentState::Active, expires)
}

/// A decree of one kind for every service, known from its first day of effect.
pub fn decree(id: &str, effect: Effect, kind: DocumentKind, from: &str, to: &str) -> Decree {
    let effective_from = start_of_tehran_day(date(from).first_day());
    Decree {
        id: id.into(),
        authority: "test".into(),
        effective_from,
        effective_until: (!to.is_empty()).then(|| end_of_tehran_day(date(to).last_day())),
        recorded_at: effective_from,
        rescinded_at: None,
        select: vec![Selector { kind: Some(kind), ..Selector::default() }],
        services: Services::All,
        effect,
        supersedes: Vec::new(),
        text_fa: String::new(),
        text_en: String::new(),
    }
}

pub fn decrees(decrees: Vec<Decree>) -> DecreeSet {
    DecreeSet { version: "sha256:test".into(), decrees, as_of: today() }
}

/// The decrees that the demo's registry holds.
pub fn shipped_decrees() -> DecreeSet {
    #[derive(serde::Deserialize)]
    struct File {
        decree: Vec<WireDecree>,
    }
    let file: File = toml::from_str(include_str!("../../../tests/data/decrees.toml")).expect("tests/data/decrees.toml is readable");
    let convert = |mut wire: WireDecree| {
        wire.recorded_at = Some(recorded_when_shipped(&wire).unwrap());
        Decree::try_from_wire(&wire).unwrap()
    };
    decrees(file.decree.into_iter().map(convert).collect())
}

/// One question with everything that may vary.
pub struct Ask<'a> {
    pub service: &'a str,
    pub persons: Vec<Person>,
    pub decrees: &'a DecreeSet,
    pub now: Timestamp,
    pub known_at: Timestamp,
    pub check: Option<Check>,
    pub check_required: bool,
    pub factors: SecondFactors,
    pub emergency: bool,
    pub area: Option<&'a str>,
    pub freshness: Freshness,
    pub as_of: Timestamp,
    pub live_denial: bool,
}

impl<'a> Ask<'a> {
    /// A live query as answered at the time.
    pub fn new(service: &'a str, person: Person, decrees: &'a DecreeSet, now: Timestamp) -> Self {
        let (check, check_required, emergency) = (None, false, false);
        Self {
            service,
            persons: vec![person],
            decrees,
            now,
            known_at: now,
            check,
            check_required,
            factors: SecondFactors::default(),
            emergency,
            area: None,
            freshness: Freshness::Live,
            as_of: now,
            live_denial: false,
        }
    }

    pub fn verdict(&self) -> Verdict {
        let service = service(self.service);
        let answer = RegistryAnswer { persons: self.persons.clone().into(), as_of: self.as_of, freshness: self.freshness, shed: false };
        decide_query(
            &self.query(&service),
            &Evidence { answer: Some(&answer), decrees: Some(self.decrees), decrees_age_s: 0 },
            self.now,
            self.known_at,
        )
    }

    pub fn query<'q>(&'q self, service: &'q Service) -> Query<'q> {
        let (check_required, emergency) = (self.check_required, self.emergency);
        Query {
            service,
            check: self.check.as_ref(),
            claims: Claims::default(),
            check_required,
            factors: self.factors,
            emergency,
            area: self.area,
            max_age_s: 60,
            max_stale_s: 600,
            live_denial: self.live_denial,
            valid_for_s: 300,
            granted_until: None,
        }
    }

    pub fn reason(&self) -> ReasonCode {
        self.verdict().reason
    }
}

pub fn check(birth_year: u16) -> Check {
    Check { birth_year: Some(birth_year), birth_date: None, document_expires: None, name: None, calendar: Some(Calendar::Jalali) }
}
