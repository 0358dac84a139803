//! Tests of the gateway side of the registry.
