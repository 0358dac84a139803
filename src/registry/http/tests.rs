//! Tests of the registry service over mutual TLS.
