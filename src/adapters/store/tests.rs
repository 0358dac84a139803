//! Tests of the ledger that need its inside.
