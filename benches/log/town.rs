//! Entries as a country's agencies would leave them: fifty million a month, always the same ones for the same numbers.

use estelam::core::domain::identifier::Identifier;
use estelam::core::domain::nested::Nested;
use estelam::core::domain::scheme::{RawIdentifier, SHIPPED_SCHEMES, SchemeCatalogue};
use estelam::core::ledger::{Entry, EntryContent, EntryKind, RetentionClass};
use jiff::{SignedDuration, Timestamp};

/// Entries a day: 50 million a month.
pub const PER_DAY: u64 = 1_666_667;
/// People asked about.
const PEOPLE: u64 = 700_000;
/// Kinds of query: agency, service, purpose.
const KINDS: [(&str, &str, &str); 8] = [
    ("school", "education-school", "enrolment"),
    ("clinic", "treatment", "treatment"),
    ("clinic", "insurance-health", "admission"),
    ("insurer", "insurance-health", "claim"),
    ("bank", "bank-account", "account-opening"),
    ("bank", "bank-card", "account-maintenance"),
    ("telecom", "sim", "sim-registration"),
    ("kefalat", "identity", "renewal"),
];
/// Outcomes: decision, reason.
const OUTCOMES: [(&str, &str); 4] =
    [("entitled", "valid-by-decree"), ("entitled", "valid"), ("indeterminate", "not-established"), ("not-entitled", "service-not-covered")];

/// Makes entries.
pub struct Town {
    catalogue: SchemeCatalogue,
    first: Timestamp,
    /// How many agencies share the kinds of query.
    agencies: u64,
}

impl Town {
    pub fn new(first: Timestamp, agencies: Option<u64>) -> Self {
        Self { catalogue: SchemeCatalogue::parse(SHIPPED_SCHEMES).unwrap(), first, agencies: agencies.unwrap_or(0) }
    }

    /// The name of an agency of some kind: where there are many, `bank` itself is one of them.
    fn agency(&self, kind: &str, drawn: u64) -> String {
        match drawn.checked_rem(self.agencies.div_ceil(5)) {
            None | Some(0) => kind.to_owned(),
            Some(number) => format!("{kind}-{number}"),
        }
    }

    /// The instant of entry `number`.
    pub fn time(&self, number: u64) -> Timestamp {
        let micros = u128::from(number) * 86_400_000_000 / u128::from(PER_DAY);
        self.first.checked_add(SignedDuration::from_micros(i64::try_from(micros).unwrap())).unwrap()
    }

    /// The number of a person.
    pub fn person(&self, person: u64) -> Identifier {
        let value = format!("9{:09}", person * 1_009 % 1_000_000_000);
        self.catalogue.accept(RawIdentifier { scheme: "yekta", value: &value, ..RawIdentifier::default() }, None).unwrap().identifier
    }

    /// Entry `number`.
    pub fn entry(&self, number: u64) -> Entry {
        let drawn = mix(number);
        let (agency, service, purpose) = pick(&KINDS, drawn);
        let (decision, reason) = pick(&OUTCOMES, drawn >> 8);
        let text = |value: &str| Some(value.to_owned());
        let time = self.time(number);
        Entry {
            kind: EntryKind::Answer,
            class: if drawn >> 16 & 7 == 0 { RetentionClass::Minor } else { RetentionClass::Detail },
            time,
            id: uuid::Builder::from_unix_timestamp_millis(u64::try_from(time.as_millisecond()).unwrap(), &id_bytes(drawn)).into_uuid(),
            statement_digest: [7; 32],
            subject: Some(self.person((drawn >> 20) % PEOPLE)),
            content: Box::new(EntryContent {
                route: "verify".into(),
                agency: Some(self.agency(agency, mix(drawn))),
                branch: Some(format!("branch-{}", drawn >> 24 & 63)),
                certificate: Some(format!("{:016x}", drawn >> 24 & 63)),
                actor: Some(format!("clerk-{}", drawn >> 24 & 255)),
                service: text(service),
                purpose: text(purpose),
                reference: Some(format!("case-{}", number % 100_000)),
                decision: Some(decision.into()),
                reason: Some(reason.into()),
                policy_version: text("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
                decrees_version: text("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
                decree: text("d1-1402-04-07"),
                freshness: Some("cached".into()),
                as_of: Some(time),
                inputs: Nested::of(&inputs(), 256),
                latency_us: 120 + drawn % 300,
                ..EntryContent::default()
            }),
        }
    }
}

fn inputs() -> serde_json::Value {
    let documents = serde_json::json!([{"k": "amayesh", "s": 17}]);
    serde_json::json!({"q": {"t": 1_795_867_200, "g": 25}, "b": {"n": 1, "f": 60_000_000_000_u64, "a": [34, 35], "d": documents}})
}

fn pick<T: Copy>(from: &[T], drawn: u64) -> T {
    from[usize::try_from(drawn % from.len() as u64).unwrap()]
}

fn id_bytes(drawn: u64) -> [u8; 10] {
    let (high, low) = (drawn.to_be_bytes(), mix(drawn).to_be_bytes());
    std::array::from_fn(|at| *high.iter().chain(&low).nth(at).unwrap())
}

/// splitmix64.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
