//! Sidegate: a sidecar that decides.

pub mod compile;
pub mod model;
