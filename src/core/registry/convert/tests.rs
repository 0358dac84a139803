//! Claims about what the gateway accepts from a registry.
