//! Sidegate: a sidecar that decides.

pub mod compile;
pub mod decide;
pub mod document;
pub mod index;
pub mod model;
pub mod snapshot;
