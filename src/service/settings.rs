//! What can change while the daemon runs, in one piece: a call sees all of one configuration, never parts of two.

use std::sync::Arc;

use super::caller::CallerRule;

/// The live settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Counts the changes.
    pub generation: u64,
    /// Who may ask what, in order: the first rule that covers a caller counts. Empty: everybody, everything.
    pub callers: Vec<Arc<CallerRule>>,
    /// Whether, without any rules, callers on other machines may ask too.
    pub open_to_strangers: bool,
    /// Bytes of one message.
    pub message_bytes: usize,
    /// Bytes of a batch.
    pub batch_bytes: usize,
    /// Items of a batch.
    pub batch_items: usize,
    /// Expensive calls in flight.
    pub expensive_calls: usize,
    /// Calls that wait for a snapshot that they demand.
    pub waiters: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            generation: 0,
            callers: Vec::new(),
            open_to_strangers: false,
            message_bytes: 256 * 1024,
            batch_bytes: 4 * 1024 * 1024,
            batch_items: 1000,
            expensive_calls: 16,
            waiters: 1024,
        }
    }
}
