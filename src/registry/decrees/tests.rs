//! Tests of the four-eyes rule.
