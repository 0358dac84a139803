//! estelam (استعلام): a hardened gateway that tells agencies whether a foreign national's document is legally valid
//! and entitles its holder to a service.

pub mod adapters;
pub mod config;
pub mod core;
pub mod flow;
pub mod registry;
