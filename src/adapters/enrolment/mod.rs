//! Who holds which certificate: requests checked against a whitelist, and a register per agency.
//!
//! The gateway does not need it to judge a call (names, authorities and revocation lists do that); people need it, to renew in time and to
//! revoke the right one.

mod facts;
mod register;
mod request;
#[cfg(test)]
mod tests;

pub use facts::{CertificateFacts, all_of_pem, of_der, of_pem};
pub use register::{Enrolled, OVERLAP, Register, RegisterError, agencies, all, hex, holder_of, key_of, lock};
pub use request::{CheckedRequest, RequestError, check};
