//! The vocabulary of the product: identifiers, documents, decrees, services, dates, text and time.

pub mod agency;
pub mod assurance;
pub mod clock;
pub mod context;
pub mod date;
pub mod decree;
pub mod document;
pub mod file_mode;
pub mod identifier;
pub mod instant;
pub mod json;
pub mod jwk;
pub mod jws;
pub mod jwt_kind;
pub mod name;
pub mod person;
pub mod place;
pub mod random;
pub mod reason;
pub mod receipt_code;
pub mod refusal;
pub mod request;
pub mod scheme;
pub mod seeded;
pub mod service;
pub mod text;
