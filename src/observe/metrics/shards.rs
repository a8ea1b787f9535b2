//! Counters that many threads add to: split so that no two worker threads write the same cache line.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// More than the worker threads, so that each has its own.
const SHARDS: usize = 8;

/// One set of counters for each of a few threads.
#[derive(Debug, Default)]
pub(super) struct Shards<T>([Shard<T>; SHARDS]);

#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard<T>(T);

impl<T> Shards<T> {
    /// The set of this thread.
    pub(super) fn mine(&self) -> Option<&T> {
        self.0.get(thread_number() % SHARDS).map(|shard| &shard.0)
    }

    /// One counter, of all threads together.
    pub(super) fn sum(&self, part: impl Fn(&T) -> Option<&AtomicU64>) -> u64 {
        let parts = self.0.iter().filter_map(|shard| part(&shard.0));
        parts.fold(0, |sum, count| sum.wrapping_add(count.load(Ordering::Relaxed)))
    }
}

pub(super) fn add(count: Option<&AtomicU64>, by: u64) {
    if let Some(count) = count {
        count.fetch_add(by, Ordering::Relaxed);
    }
}

/// A small number of this thread's own.
fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}
