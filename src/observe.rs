//! What the daemon tells about itself: metrics and log. Names and shapes only; nothing here decides or waits.

pub mod log;
pub mod metrics;
