//! The keys of one UTC day: an epoch for tags, and one content key per retention class.

use aws_lc_rs::aead::LessSafeKey;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension as _};

use super::config::{LedgerConfig, LedgerError};
use super::keys::{Kek, aead_key, random_secret, seal_trail_key};
use super::{holder, trails};
use crate::core::ledger::RetentionClass;
use crate::core::ledger::leaf::class_byte;
use crate::core::ledger::subject::{EpochKeys, epoch_name};

/// Keys in memory for one day; the epoch's secrets are wiped when the last user lets go.
pub(super) struct DayKeys {
    /// Days since 1970-01-01, UTC.
    pub(super) day: i64,
    /// Name of the epoch, as entries carry it.
    pub(super) epoch: String,
    /// Secrets of the epoch.
    pub(super) tags: EpochKeys,
    detail: ContentKey,
    minor: ContentKey,
    admin: ContentKey,
}

/// A content key and its row.
pub(super) struct ContentKey {
    /// `content_key.seq`.
    pub(super) seq: i64,
    /// The key.
    pub(super) key: LessSafeKey,
}

/// The UTC day of an instant in microseconds.
pub(super) const fn day_of(time: i64) -> i64 {
    time.div_euclid(86_400_000_000)
}

impl DayKeys {
    /// Begins a new epoch on the day of `time`. Nothing may use these keys before the transaction of `conn` is committed.
    pub(super) fn begin(conn: &Connection, time: i64, config: &LedgerConfig, kek: &Kek) -> Result<Self, LedgerError> {
        let day = day_of(time);
        let date = Timestamp::from_microsecond(time).unwrap_or(Timestamp::MAX).to_zoned(TimeZone::UTC).date();
        let seq: i64 = conn.query_row("SELECT coalesce(max(seq), 0) + 1 FROM epoch", [], |row| row.get(0))?;
        let (trail, agencies) = (random_secret()?, random_secret()?);
        let epoch = epoch_name(date, seq, &trail);
        let sealed = seal_trail_key(&config.dpo_public_key, &config.origin, &epoch, &trail)?;
        conn.execute("INSERT INTO epoch (seq, name, sealed) VALUES (?1, ?2, ?3)", (seq, &epoch, sealed))?;
        trails::keep(conn, &epoch, &trail)?;
        if let Some(desk) = &config.holder_public_key {
            holder::keep(conn, &epoch, &seal_trail_key(desk, &config.origin, &epoch, &trail)?)?;
        }
        let content = |class| ContentKey::load_or_create(conn, day, class, kek);
        Ok(Self {
            day,
            epoch,
            tags: EpochKeys::new(&trail, &agencies),
            detail: content(RetentionClass::Detail)?,
            minor: content(RetentionClass::Minor)?,
            admin: content(RetentionClass::Admin)?,
        })
    }

    /// Whether entries of a day are under these keys: of that day, or of the one that has just begun. Those of a day far ahead, by a clock that nobody
    /// believes any more, would keep them for too long, and out of the reach of holds.
    pub(super) fn are_for(&self, day: i64) -> bool {
        (day..=day + 1).contains(&self.day)
    }

    /// Checks that the key-encryption key is the one that this log was written with: a new day would begin under any.
    pub(super) fn check_kek(conn: &Connection, kek: &Kek) -> Result<(), LedgerError> {
        let select = "SELECT day, class, wrapped FROM content_key ORDER BY seq DESC LIMIT 1";
        let last: Option<(i64, u8, Vec<u8>)> = conn.query_row(select, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
        match last {
            Some((day, class, wrapped)) if kek.unwrap(day, class, &wrapped).is_none() => Err(LedgerError::WrongKek),
            _ => Ok(()),
        }
    }

    /// The key for content of this class.
    pub(super) const fn content(&self, class: RetentionClass) -> &ContentKey {
        match class {
            RetentionClass::Detail => &self.detail,
            RetentionClass::Minor => &self.minor,
            RetentionClass::Admin => &self.admin,
        }
    }
}

impl ContentKey {
    fn load_or_create(conn: &Connection, day: i64, class: RetentionClass, kek: &Kek) -> Result<Self, LedgerError> {
        let class = class_byte(class);
        let stored: Option<(i64, Vec<u8>)> = conn
            .query_row("SELECT seq, wrapped FROM content_key WHERE day = ?1 AND class = ?2", (day, class), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        if let Some((seq, wrapped)) = stored {
            let key = kek.unwrap(day, class, &wrapped).ok_or_else(|| LedgerError::WrongKek)?;
            return Ok(Self { seq, key });
        }
        let secret = random_secret()?;
        let wrapped = kek.wrap(day, class, &secret)?;
        conn.execute("INSERT INTO content_key (day, class, wrapped) VALUES (?1, ?2, ?3)", (day, class, wrapped))?;
        let key = aead_key(secret.as_slice()).ok_or(LedgerError::Crypto("make a content key"))?;
        Ok(Self { seq: conn.last_insert_rowid(), key })
    }
}
