//! Sidegate: a sidecar that decides.

pub mod app;
pub mod cli;
pub mod client;
pub mod compile;
pub mod config;
pub mod decide;
pub mod document;
pub mod index;
pub mod model;
pub mod observe;
pub mod service;
pub mod snapshot;
