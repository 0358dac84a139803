//! Which SIM is registered for whom, and which numbers are one person's alone.

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension as _, params};
use zeroize::Zeroizing;

use crate::registry::store::{Store, StoreError, date, instant, may_be_minor};

/// No person has this row.
pub(super) const NOBODY: i64 = 0;

/// The records that count as one person now, under `?1`.
const RECORDS: &str = "SELECT ?1 AS id UNION SELECT record FROM membership WHERE head = ?1 AND known_until IS NULL";

/// Who bears a number, and can be reached.
pub(super) struct Holder {
    pub person: i64,
    pub msisdn: Zeroizing<String>,
}

/// One number of a person.
pub(super) struct Number {
    pub scheme: String,
    pub value: Zeroizing<String>,
}

/// The one person behind a number and that person's SIM; none where there is nobody, several, a protected record, or no SIM.
pub(super) fn holder(connection: &Connection, scheme: &str, value: &str) -> Result<Option<Holder>, StoreError> {
    let heads = heads(connection, scheme, value)?;
    let person = match heads[..] {
        [person] => person,
        _ => NOBODY,
    };
    let select = format!(
        "SELECT sim.msisdn FROM sim WHERE person IN ({RECORDS}) AND NOT EXISTS (SELECT 1 FROM person WHERE id IN ({RECORDS}) AND blocked = 1)
         ORDER BY registered_at DESC LIMIT 1"
    );
    let msisdn: Option<String> = connection.prepare_cached(&select)?.query_row([person], |row| row.get(0)).optional()?;
    Ok(msisdn.map(|msisdn| Holder { person, msisdn: Zeroizing::new(msisdn) }))
}

/// The numbers of a person that nobody else has.
pub(super) fn numbers(connection: &Connection, person: i64) -> Result<Vec<Number>, StoreError> {
    let mut select =
        connection.prepare_cached(&format!("SELECT DISTINCT scheme, value FROM identifier WHERE person IN ({RECORDS}) ORDER BY 1, 2"))?;
    let all = select.query_map([person], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let mut own = Vec::new();
    for number in all {
        let (scheme, value) = number?;
        if heads(connection, &scheme, &value)?.len() == 1 {
            own.push(Number { scheme, value: Zeroizing::new(value) });
        }
    }
    Ok(own)
}

/// Whether one of a person's records has a birth date by which the person may be a minor on a day.
pub(super) fn is_minor(connection: &Connection, person: i64, day: Date) -> Result<bool, StoreError> {
    let mut select = connection.prepare_cached(&format!("SELECT birth, birth_calendar FROM person WHERE id IN ({RECORDS})"))?;
    let births = select.query_map([person], |row| date(row, 0, 1))?.collect::<Result<Vec<_>, _>>()?;
    Ok(births.iter().any(|birth| may_be_minor(birth.as_ref(), day)))
}

fn heads(connection: &Connection, scheme: &str, value: &str) -> Result<Vec<i64>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT DISTINCT coalesce(membership.head, identifier.person) FROM identifier
         LEFT JOIN membership ON membership.record = identifier.person AND membership.known_until IS NULL
         WHERE scheme = ?1 AND value = ?2",
    )?;
    Ok(select.query_map(params![scheme, value], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Registers a SIM for whoever bears a number; it takes the place of the one before.
///
/// # Errors
/// Nobody or several people bear it, or the store refuses.
pub fn register(store: &Store, scheme: &str, value: &str, msisdn: &str, now: Timestamp) -> Result<(), StoreError> {
    store.with_writer(|transaction| {
        let [person] = heads(transaction, scheme, value)?[..] else {
            return Err(StoreError::Refused("this number is not exactly one person's; no SIM was registered".to_owned()));
        };
        transaction.execute(
            "INSERT INTO sim (person, msisdn, registered_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (person) DO UPDATE SET msisdn = ?2, registered_at = ?3",
            params![person, msisdn, instant(now)],
        )?;
        Ok(())
    })
}
