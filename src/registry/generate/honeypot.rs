//! Honeypots: numbers that no paper bears, from ranges kept free for them. Whoever asks about one has it from a list that was
//! stolen, or makes numbers up. The gateway meets them as people who must look like nobody.

use aws_lc_rs::rand;
use rusqlite::{Transaction, params};

use super::number::national_code_check;
use crate::registry::store::{Store, StoreError};

/// The source under which honeypots are kept.
pub const HONEYPOT_SOURCE: &str = "honeypot";

/// Tries for a free number; the ranges have a million numbers each.
const TRIES: usize = 1_000;

/// Most at once; so the ranges never fill up.
const MOST: u64 = 10_000;

/// One minted number. It has no `Debug`, as every identifier.
#[derive(serde::Serialize)]
pub struct Honeypot {
    /// Scheme.
    pub scheme: &'static str,
    /// Value.
    pub value: String,
}

/// Mints so many honeypots, in one transaction, and tells the gateways. They have papers like anybody's, so that a look-up of one
/// takes as long.
///
/// # Errors
/// [`StoreError`]; then nothing was minted.
pub fn mint_honeypots(store: &Store, count: u64) -> Result<Vec<Honeypot>, StoreError> {
    if count > MOST {
        return Err(StoreError::Refused(format!("at most {MOST} honeypots are minted at once")));
    }
    store.with_writer(|transaction| (0..count).map(|place| mint(transaction, place)).collect())
}

fn mint(transaction: &Transaction<'_>, place: u64) -> Result<Honeypot, StoreError> {
    for _ in 0..TRIES {
        let honeypot = draw(place)?;
        let taken: bool = transaction.query_row(
            "SELECT EXISTS (SELECT 1 FROM identifier WHERE scheme = ?1 AND value = ?2)",
            params![honeypot.scheme, honeypot.value],
            |row| row.get(0),
        )?;
        if !taken {
            insert(transaction, &honeypot)?;
            return Ok(honeypot);
        }
    }
    Err(StoreError::Refused("the ranges kept free for honeypots are full".to_owned()))
}

/// A number of a reserved range: above those of generated people, below those of the fixtures.
fn draw(place: u64) -> Result<Honeypot, StoreError> {
    let number = random()? % 1_000_000;
    Ok(match place % 3 {
        0 => {
            let nine = 998_000_000 + number;
            Honeypot { scheme: "yekta", value: format!("{nine}{}", national_code_check(nine)) }
        }
        1 => Honeypot { scheme: "amayesh-no", value: format!("A{}", 985_000_000 + number) },
        _ => Honeypot { scheme: "fida", value: (195_000_000_000 + number).to_string() },
    })
}

fn insert(transaction: &Transaction<'_>, honeypot: &Honeypot) -> Result<(), StoreError> {
    let kind = if honeypot.scheme == "yekta" { "smart-card" } else { "amayesh" };
    let (year, series) = (1340 + random()? % 60, (kind == "amayesh").then_some(17));
    let legal_status = (kind == "smart-card").then_some("amayesh");
    transaction.execute(
        "INSERT INTO person (source, person, birth, birth_calendar, nationality, province, name, father_name, household, household_role, blocked)
         VALUES (?1, ?2, ?3, 'jalali', 'AF', 'IR-25', '', '', NULL, NULL, 1)",
        params![HONEYPOT_SOURCE, format!("H-{:016x}", random()?), year.to_string()],
    )?;
    let person = transaction.last_insert_rowid();
    transaction.execute(
        "INSERT INTO document (person, scheme, value, kind, series, issued, expires, calendar, state, legal_status)
         VALUES (?1, ?2, ?3, ?4, ?5, '1403-01-01', '1406-01-01', 'jalali', 'active', ?6)",
        params![person, honeypot.scheme, honeypot.value, kind, series, legal_status],
    )?;
    transaction
        .execute("INSERT INTO identifier (scheme, value, person) VALUES (?1, ?2, ?3)", params![honeypot.scheme, honeypot.value, person])?;
    transaction.execute("INSERT INTO change (kind, scheme, value) VALUES ('person', ?1, ?2)", params![honeypot.scheme, honeypot.value])?;
    Ok(())
}

/// Takes back every honeypot whose number a real person turned out to have: nobody is refused or watched for a number that we took
/// for free. Says how many.
///
/// # Errors
/// [`StoreError`].
pub(in crate::registry) fn retire_met(transaction: &Transaction<'_>) -> Result<usize, StoreError> {
    let met: Vec<i64> = transaction
        .prepare_cached(
            "SELECT DISTINCT trap.id FROM person trap JOIN document paper ON paper.person = trap.id
             JOIN identifier other ON other.scheme = paper.scheme AND other.value = paper.value AND other.person <> trap.id
             WHERE trap.source = ?1 AND trap.blocked = 1",
        )?
        .query_map([HONEYPOT_SOURCE], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for person in &met {
        for statement in
            ["DELETE FROM identifier WHERE person = ?1", "DELETE FROM document WHERE person = ?1", "DELETE FROM person WHERE id = ?1"]
        {
            transaction.prepare_cached(statement)?.execute([person])?;
        }
    }
    Ok(met.len())
}

fn random() -> Result<u64, StoreError> {
    let mut bytes = [0; 8];
    rand::fill(&mut bytes).map_err(|_| StoreError::Refused("the system gives no random numbers".to_owned()))?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::core::domain::scheme::{SHIPPED_SCHEMES, SchemeCatalogue};
    use crate::registry::import::{self, ImportOptions};
    use crate::registry::lookup;

    #[test]
    fn a_honeypot_whose_number_a_person_turns_out_to_have_is_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let schemes = SchemeCatalogue::parse(SHIPPED_SCHEMES).unwrap();
        let minted = mint_honeypots(&store, 6).unwrap();
        let met = minted.iter().find(|honeypot| honeypot.scheme == "amayesh-no").unwrap();
        let file = dir.path().join("people.ndjson");
        let person = format!(r#"{{"person":"p1","documents":[{{"scheme":"amayesh-no","value":"{}","kind":"amayesh"}}]}}"#, met.value);
        std::fs::write(&file, person).unwrap();
        let options = ImportOptions {
            file: &file,
            source: None,
            rejects: None,
            aside: None,
            schemes: &schemes,
            now: "2026-11-24T00:00:00Z".parse().unwrap(),
        };
        let summary = import::run(&store, &options, &mut |_, _| ()).unwrap();
        assert_eq!((summary.persons, summary.ambiguous, summary.rejected.len()), (1, 0, 0));
        let found = store.lookup(met.scheme, &met.value).unwrap();
        assert_eq!(found.iter().map(|person| person.source.as_str()).collect::<Vec<_>>(), ["people"]);
        let left = minted.iter().filter(|honeypot| !store.lookup(honeypot.scheme, &honeypot.value).unwrap().is_empty()).count();
        assert_eq!(left, 6, "the others stay");
    }

    #[test]
    fn honeypots_are_good_numbers_of_blocked_people_and_of_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let schemes = SchemeCatalogue::parse(SHIPPED_SCHEMES).unwrap();
        super::super::run(&store, 300, 1, &mut |_, _| ()).unwrap();
        let cursor = store.cursor().unwrap();
        let minted = mint_honeypots(&store, 30).unwrap();
        assert_eq!(minted.len(), 30);
        assert!(store.cursor().unwrap() >= cursor + 30, "gateways hear of each");
        for honeypot in &minted {
            assert_eq!(lookup(&store, &schemes, honeypot.scheme, &honeypot.value, None).unwrap().persons.len(), 1);
            let found = store.lookup(honeypot.scheme, &honeypot.value).unwrap();
            assert!(
                found
                    .iter()
                    .all(|person| person.to_wire(honeypot.scheme, &honeypot.value, None).blocked && person.source == HONEYPOT_SOURCE)
            );
        }
        assert!(mint_honeypots(&store, MOST + 1).is_err());
    }
}
