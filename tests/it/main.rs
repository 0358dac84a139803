//! Integration tests: one binary, one module per subject.

mod token;
mod token_attacks;
mod token_issue;
