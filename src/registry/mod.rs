//! The reference registry (سامانه مرجع): a service of its own on SQLite, with the tools that fill it.

pub mod store;
