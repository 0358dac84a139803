//! A development PKI.
