//! estelam (استعلام): a hardened gateway that tells agencies whether a foreign national's document is legally valid
//! and entitles its holder to a service. Start with [`manual`], or with [`flow`] for the code.

pub mod adapters;
pub mod app;
pub mod cli;
pub mod config;
pub mod core;
pub mod files;
pub mod flow;
pub mod manual;
pub mod registry;
pub mod threads;
