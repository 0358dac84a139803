//! The reference registry (سامانه مرجع): a service of its own on SQLite, with the tools that fill it.

pub mod decrees;
pub mod feed;
pub mod http;
pub mod store;
