//! Sidegate: a sidecar that decides.

pub mod model;
