//! Which rows the last import of each source had, so that a file that is imported again is known for what it is.

use aws_lc_rs::digest::{Context, SHA256};
use rusqlite::{Connection, OptionalExtension, params};

use super::judge::Judged;
use crate::registry::store::StoreError;

/// The digest of accepted rows in their order.
pub(super) struct RowsDigest {
    context: Context,
    any: bool,
}

impl RowsDigest {
    pub(super) fn new() -> Self {
        let mut context = Context::new(&SHA256);
        // What comes to merge rows in another way counts from two, and merges every file once more.
        context.update(b"1");
        Self { context, any: false }
    }

    /// Adds the next accepted row.
    pub(super) fn add(&mut self, row: &Judged) {
        self.any = true;
        self.context.update(&row.written());
    }

    /// Whether the last import of a source had these rows and no others. Nothing but an import changes what a source says of its people:
    /// merges and splits of records only say who belongs together.
    pub(super) fn is_last_of(&self, source: &str, connection: &Connection) -> Result<bool, StoreError> {
        let mut find = connection.prepare_cached("SELECT value FROM meta WHERE key = 'last-import:' || ?1")?;
        let last: Option<Vec<u8>> = find.query_row([source], |row| row.get(0)).optional()?;
        Ok(self.any && last.is_some_and(|last| last == self.context.clone().finish().as_ref()))
    }

    /// Keeps the digest as that of the source's last import. One without a row changed nothing, so that the one before it stays the last.
    pub(super) fn keep_for(self, source: &str, connection: &Connection) -> Result<(), StoreError> {
        if self.any {
            let mut keep = connection.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES ('last-import:' || ?1, ?2)")?;
            keep.execute(params![source, self.context.finish().as_ref()])?;
        }
        Ok(())
    }
}
