//! Auditors' questions and the holder's over every log of an installation: the present one and those that were sealed before it.
//!
//! Samples, and what the proofs of exports rest on, are of one log at a time: each is checked against a checkpoint of that log.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;

use super::audit::number_of;
use super::missing::Missing;
use super::sealed::{EndedLog, LogChain};
use super::trails::{Keys, Span, epochs};
use super::{export, segments};
use crate::core::ledger::LogUnreadable;
use crate::core::ledger::audit::{
    AuditRow, Cover, Found, Gather, LogAudit, LogList, Picked, SealedEpoch, Search, Stretch, Summary, TrailFound, TrailSearch,
};
use crate::core::ledger::holder::{HolderEntries, HolderLog, SealedTrails};
use crate::core::ledger::retention::day_of;
use crate::core::registry::holder::OpenedTrail;

#[async_trait]
impl LogAudit for LogChain {
    async fn search(&self, search: Search) -> Result<Found, LogUnreadable> {
        if let Some(ended) = search.only.filter(|only| *only != self.number) {
            let ended = self.ended(ended)?;
            let found = ended.search(search).await?;
            return Ok(ended.named(found));
        }
        if search.only.is_some() || (self.ended.is_empty() && self.missing.is_empty()) {
            let found = self.present.search(search).await?;
            return Ok(Found { head: self.number, rows: self.numbered(found.rows), ..found });
        }
        let missing = Missing::named(&self.missing, search.filter.from);
        let mut gather = Gather::new(search, self.number);
        for log in gather.order() {
            let Some(asked) = gather.ask(log) else { continue };
            if log == self.number {
                gather.take(log, None, self.present.search(asked).await?);
            } else if let Some(ended) = self.ended.iter().find(|ended| ended.number == log) {
                gather.take(log, Some(&ended.origin), ended.search(asked).await?);
            }
        }
        Ok(Found { missing, ..gather.done() })
    }

    async fn draw(&self, search: Search, seed: String) -> Result<Found, LogUnreadable> {
        if let Some(ended) = search.only.filter(|only| *only != self.number) {
            let ended = self.ended(ended)?;
            let found = ended.draw(search, seed).await?;
            return Ok(ended.named(found));
        }
        let found = self.present.draw(search, seed).await?;
        Ok(Found { head: self.number, rows: self.numbered(found.rows), ..found })
    }

    async fn pick(&self, log: u16, indices: Vec<u64>) -> Result<Picked, LogUnreadable> {
        if log == self.number {
            let picked = self.present.pick(log, indices).await?;
            return Ok(Picked { rows: self.numbered(picked.rows), ..picked });
        }
        let ended = self.ended(log)?;
        let picked = ended.readers.search(move |_, conn, contents| segments::pick(conn, contents, &indices)).await?;
        let rows = picked.rows.into_iter().map(|row| row.of_log(log, Some(ended.origin.clone()))).collect();
        let damaged = picked.damaged.into_iter().map(|damaged| damaged.of_log(Some(&ended.origin))).collect();
        Ok(Picked { rows, damaged, ..picked })
    }

    async fn epochs(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> Result<Vec<SealedEpoch>, LogUnreadable> {
        let mut all = Vec::new();
        for ended in &self.ended {
            all.extend(ended.epochs((from, to)).await?);
        }
        all.extend(self.present.epochs(from, to).await?);
        Ok(all)
    }

    async fn summary(&self, from: Option<Date>, to: Option<Date>, now: Timestamp) -> Result<Summary, LogUnreadable> {
        let mut told = self.present.summary(from, to, now).await?;
        for ended in &self.ended {
            told.add(ended.told(from, to).await?);
        }
        let start = from.map(|day| Timestamp::from_second(number_of(day).saturating_mul(86_400)).unwrap_or(Timestamp::MIN));
        told.missing = Missing::named(&self.missing, start);
        let mut told = told.joined();
        for missing in self.missing.iter().filter(|missing| missing.touches(start)) {
            let last = missing.ended().map(day_of);
            let lacks = told.buckets.iter_mut().filter(|bucket| last.is_none_or(|last| bucket.day <= last));
            lacks.for_each(|bucket| bucket.complete = false);
        }
        Ok(told)
    }

    fn logs(&self, from: Option<Timestamp>) -> LogList {
        let ended = self.ended.iter().map(|ended| (ended.number, ended.origin.clone()));
        let present = (self.number, Arc::from(self.present.log_origin()));
        LogList { logs: ended.chain([present]).collect(), missing: Missing::named(&self.missing, from) }
    }

    async fn stretches(&self, log: u16) -> Result<Vec<Stretch>, LogUnreadable> {
        if log == self.number { self.present.stretches_as(log).await } else { self.ended(log)?.stretches().await }
    }

    async fn cover(&self, stretch: Stretch, at: u64, rows: Vec<u64>, end: bool) -> Result<Cover, LogUnreadable> {
        if stretch.log == self.number {
            return self.present.cover(stretch, at, rows, end).await;
        }
        export::cover(&self.ended(stretch.log)?.readers, stretch, at, rows, end).await
    }

    async fn trail(&self, search: TrailSearch) -> Result<TrailFound, LogUnreadable> {
        let mut all = TrailFound { missing: Missing::named(&self.missing, search.from), ..TrailFound::default() };
        for ended in &self.ended {
            add(&mut all, ended.trail(&search, &self.present).await?);
        }
        let mut present = self.present.trail(search).await?;
        present.rows = present.rows.into_iter().map(|(trace, row)| (trace, row.of_log(self.number, None))).collect();
        all.size = present.size;
        add(&mut all, present);
        Ok(all)
    }
}

/// Adds what the next log has of a trail.
fn add(all: &mut TrailFound, found: TrailFound) {
    all.rows.extend(found.rows);
    all.searched += found.searched;
    all.unopened.extend(found.unopened);
    all.damaged.extend(found.damaged);
}

impl LogChain {
    fn ended(&self, number: u16) -> Result<&EndedLog, LogUnreadable> {
        self.ended.iter().find(|ended| ended.number == number).ok_or(LogUnreadable("that sealed log is not there; put its folder back"))
    }

    fn numbered(&self, rows: Vec<AuditRow>) -> Vec<AuditRow> {
        rows.into_iter().map(|row| row.of_log(self.number, None)).collect()
    }
}

impl EndedLog {
    /// What it has of a search.
    async fn search(&self, search: Search) -> Result<Found, LogUnreadable> {
        let size = search.size.unwrap_or(self.size).min(self.size);
        self.readers.search(move |index, conn, contents| segments::search(index, conn, contents, &search, size)).await
    }

    /// The same of a sample.
    async fn draw(&self, search: Search, seed: String) -> Result<Found, LogUnreadable> {
        let size = search.size.unwrap_or(self.size).min(self.size);
        self.readers.search(move |index, conn, contents| segments::draw(index, conn, contents, (&search, &seed), size)).await
    }

    /// What it found, as of this log.
    fn named(&self, found: Found) -> Found {
        let rows = found.rows.into_iter().map(|row| row.of_log(self.number, Some(self.origin.clone()))).collect();
        let damaged = found.damaged.into_iter().map(|damaged| damaged.of_log(Some(&self.origin))).collect();
        Found { head: self.number, rows, damaged, ..found }
    }

    /// Its own last checkpoint, and the seal for what that does not reach.
    async fn stretches(&self) -> Result<Vec<Stretch>, LogUnreadable> {
        let stretch = |size, note: &Arc<str>| Stretch { log: self.number, origin: self.origin.clone(), size, checkpoint: note.clone() };
        let own = self.own.iter().filter(|(size, _)| (1..=self.size).contains(size)).map(|(size, note)| stretch(*size, note));
        let mut stretches: Vec<Stretch> = own.collect();
        if stretches.last().is_none_or(|own| own.size < self.size) {
            stretches.push(stretch(self.size, &self.seal));
        }
        self.readers.run(move |conn, _| export::proved(conn, stretches)).await
    }

    async fn epochs(&self, span: Span) -> Result<Vec<SealedEpoch>, LogUnreadable> {
        let origin = self.origin.clone();
        self.readers.run(move |conn, _| epochs(conn, span, None, Some(&origin))).await
    }

    /// What it has of a trail.
    async fn trail(&self, search: &TrailSearch, present: &super::SqliteLedger) -> Result<TrailFound, LogUnreadable> {
        let (size, span) = (self.size, (search.from, search.to));
        let epochs = self.epochs(span).await?;
        let keys = Keys { origin: &self.origin, sealed: true, current: None, officer: present.officer() };
        let (sought, unopened) = keys.roots(&epochs, search);
        let found = self.readers.search(move |index, conn, contents| segments::trail(index, conn, contents, &sought, size)).await?;
        let found = keys.assembled(found, span, (epochs.len(), unopened), size);
        let of_log = |(trace, row): (usize, AuditRow)| (trace, row.of_log(self.number, Some(self.origin.clone())));
        let damaged = found.damaged.into_iter().map(|damaged| damaged.of_log(Some(&self.origin))).collect();
        Ok(TrailFound { rows: found.rows.into_iter().map(of_log).collect(), damaged, ..found })
    }
}

#[async_trait]
impl HolderLog for LogChain {
    async fn sealed_trails(&self, from: Timestamp) -> Result<SealedTrails, LogUnreadable> {
        let mut all = self.present.sealed_trails(from).await?;
        all.whole &= !self.missing.iter().any(|missing| missing.touches(Some(from)));
        for ended in self.ended.iter().rev() {
            let older = ended.sealed_trails(from).await?;
            all.trails.extend(older.trails);
            all.whole &= older.whole;
        }
        Ok(all)
    }

    async fn entries_of(&self, trails: Vec<OpenedTrail>, from: Timestamp) -> Result<HolderEntries, LogUnreadable> {
        let (of_present, of_ended): (Vec<_>, Vec<_>) = trails.into_iter().partition(|trail| trail.origin.is_none());
        let mut all = HolderEntries { entries: Vec::new(), whole: true };
        let mut add = |found: HolderEntries| {
            all.entries.extend(found.entries);
            all.whole &= found.whole;
        };
        for ended in &self.ended {
            let of_log = of_ended.iter().filter(|trail| trail.origin.as_deref() == Some(&*ended.origin)).cloned().collect();
            add(ended.entries_of(of_log, from).await?);
        }
        add(self.present.entries_of(of_present, from).await?);
        Ok(all)
    }

    fn log_origin(&self) -> &str {
        self.present.log_origin()
    }
}
