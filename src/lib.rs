//! Sidegate: a sidecar that decides.

pub mod compile;
pub mod decide;
pub mod document;
pub mod index;
pub mod model;
pub mod observe;
pub mod service;
pub mod snapshot;
