//! Sidegate: a sidecar that decides.

pub mod compile;
pub mod index;
pub mod model;
