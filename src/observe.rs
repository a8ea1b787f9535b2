//! What the daemon tells about itself: metrics, log and decision log. Names and shapes only; nothing here decides or waits.

pub mod decision_log;
pub mod log;
pub mod metrics;
pub mod spans;
