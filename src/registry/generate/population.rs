//! Made-up people in a plausible mix: kinds, series, states, dates, provinces, names and households.

use super::number::Series;
use crate::core::domain::document::{DocumentKind, DocumentState};
use crate::core::domain::seeded::Seeded as Random;

/// One made-up person.
pub(super) struct MadeUp {
    pub birth: String,
    pub nationality: &'static str,
    pub province: &'static str,
    pub name: String,
    pub father_name: &'static str,
    pub household: u64,
    pub household_role: &'static str,
    pub documents: Vec<Paper>,
}

/// One made-up document; its dates are Jalali.
pub(super) struct Paper {
    pub number: Series,
    pub kind: DocumentKind,
    pub series: Option<u16>,
    pub issued: String,
    pub expires: String,
    pub state: DocumentState,
    pub legal_status: Option<DocumentKind>,
}

const GIVEN_NAMES: &[&str] = &[
    "علی",
    "محمد",
    "حسین",
    "فاطمه",
    "زهرا",
    "مریم",
    "شکریه",
    "ذکیه",
    "کمال",
    "نجیب الله",
    "عبدالکریم",
    "گل مکی",
    "رحیم",
    "نسیمه",
    "یعقوب",
    "لیلا",
];
const FAMILY_NAMES: &[&str] =
    &["حسینی", "رضایی", "احمدی", "هاشمی", "یوسفی", "اکبری", "نوری", "کریمی", "محمدی", "رحیمی", "موسوی", "ابراهیمی", "قاسمی", "عزیزی"];
const PROVINCES: &[&str] = &["IR-07", "IR-17", "IR-21", "IR-26", "IR-30", "IR-32", "IR-14", "IR-28"];

/// Members of one generated household.
const HOUSEHOLD_SIZE: u64 = 4;

/// The person with this index under this seed.
pub(super) fn person(seed: u64, index: u64) -> MadeUp {
    let mut random = Random::at(seed, index);
    let documents = papers(&mut random);
    let iraqi = documents.iter().any(|paper| paper.kind == DocumentKind::Hoviat);
    MadeUp {
        birth: birth(&mut random),
        nationality: if iraqi { "IQ" } else { random.pick(&["AF", "AF", "AF", "AF", "AF", "AF", "AF", "PK"]) },
        province: random.pick(PROVINCES),
        name: format!("{} {}", random.pick(GIVEN_NAMES), random.pick(FAMILY_NAMES)),
        father_name: random.pick(GIVEN_NAMES),
        household: 1_000_000 + index / HOUSEHOLD_SIZE,
        household_role: if index.is_multiple_of(HOUSEHOLD_SIZE) { "head" } else { "member" },
        documents,
    }
}

fn papers(random: &mut Random) -> Vec<Paper> {
    let mut papers = match random.below(100) {
        0..50 => card_holder(random, Series::Amayesh, DocumentKind::Amayesh, (15, 19)),
        50..60 => card_holder(random, Series::Hoviat, DocumentKind::Hoviat, (14, 18)),
        60..80 => vec![paper(random, Series::Census, DocumentKind::CensusSlip, None, 1)],
        80..90 => vec![paper(random, Series::Passport, DocumentKind::PassportResidence, None, 1)],
        90..97 => {
            let series = in_u16(random.between(1, 4));
            vec![paper(random, Series::TemporaryCard, DocumentKind::TemporaryCard, Some(series), 1)]
        }
        _ => lost_card(random),
    };
    if random.percent(30) {
        let same = papers.first().map(|main| (main.kind, main.series));
        let (kind, series) = same.unwrap_or((DocumentKind::CensusSlip, None));
        papers.push(paper(random, Series::Fida, kind, series, 1));
    }
    papers
}

/// A round card, and for most holders the smart card that carries its status.
fn card_holder(random: &mut Random, number: Series, kind: DocumentKind, rounds: (u64, u64)) -> Vec<Paper> {
    let round = in_u16(random.between(rounds.0, rounds.1));
    let mut papers = vec![paper(random, number, kind, Some(round), 1)];
    if random.percent(55) {
        papers.push(Paper { legal_status: Some(kind), ..paper(random, Series::Yekta, DocumentKind::SmartCard, None, 3) });
    }
    papers
}

/// A lost smart card and the laissez-passer that stands in for it.
fn lost_card(random: &mut Random) -> Vec<Paper> {
    let card = paper(random, Series::Yekta, DocumentKind::SmartCard, None, 3);
    let stand_in = paper(random, Series::LaissezPasser, DocumentKind::LaissezPasser, None, 1);
    vec![
        Paper { state: DocumentState::Lost, legal_status: Some(DocumentKind::Amayesh), ..card },
        Paper { state: DocumentState::Active, ..stand_in },
    ]
}

fn paper(random: &mut Random, number: Series, kind: DocumentKind, series: Option<u16>, years: u64) -> Paper {
    let (year, month, day) = (random.between(1401, 1405), random.between(1, 12), random.between(1, 29));
    let date = |year: u64| format!("{year:04}-{month:02}-{day:02}");
    Paper { number, kind, series, issued: date(year), expires: date(year + years), state: state(random), legal_status: None }
}

fn state(random: &mut Random) -> DocumentState {
    match random.below(100) {
        0..86 => DocumentState::Active,
        86..90 => DocumentState::Delivered,
        90..93 => DocumentState::Lost,
        93..95 => DocumentState::Suspended,
        95..97 => DocumentState::Superseded,
        97 => DocumentState::Produced,
        98 => DocumentState::Damaged,
        _ => DocumentState::Revoked,
    }
}

/// Many papers know the year alone.
fn birth(random: &mut Random) -> String {
    let (year, month, day) = (random.between(1315, 1402), random.between(1, 12), random.between(1, 29));
    match random.below(10) {
        0..3 => format!("{year:04}"),
        3 => format!("{year:04}-{month:02}"),
        _ => format!("{year:04}-{month:02}-{day:02}"),
    }
}

fn in_u16(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}
