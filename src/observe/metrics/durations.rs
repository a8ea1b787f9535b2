//! A histogram of durations that is a part of a shard.

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::encoding::{MetricEncoder, NoLabelSet};

use super::shards::{Shards, add};

/// How many durations fell between which bounds, and their sum. The last bucket has no upper bound.
#[derive(Debug)]
pub(super) struct Durations<const BUCKETS: usize> {
    buckets: [AtomicU64; BUCKETS],
    nanoseconds: AtomicU64,
}

impl<const BUCKETS: usize> Default for Durations<BUCKETS> {
    fn default() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; BUCKETS], nanoseconds: AtomicU64::new(0) }
    }
}

impl<const BUCKETS: usize> Durations<BUCKETS> {
    /// Counts one; `bounds` in nanoseconds, one fewer than buckets.
    pub(super) fn count(&self, bounds: &[u64], took: Duration) {
        let (bucket, nanoseconds) = place(bounds, took);
        add(self.buckets.get(bucket), 1);
        add(Some(&self.nanoseconds), nanoseconds);
    }

    /// Counts several.
    pub(super) fn add(&self, several: &Several<BUCKETS>) {
        for (count, more) in self.buckets.iter().zip(several.buckets).filter(|(_, more)| *more > 0) {
            add(Some(count), more);
        }
        add(Some(&self.nanoseconds), several.nanoseconds);
    }
}

/// Durations that one thread counts by itself, to be added together.
#[derive(Debug)]
pub(super) struct Several<const BUCKETS: usize> {
    buckets: [u64; BUCKETS],
    nanoseconds: u64,
}

impl<const BUCKETS: usize> Default for Several<BUCKETS> {
    fn default() -> Self {
        Self { buckets: [0; BUCKETS], nanoseconds: 0 }
    }
}

impl<const BUCKETS: usize> Several<BUCKETS> {
    /// Counts one, as [`Durations::count`] does.
    pub(super) fn count(&mut self, bounds: &[u64], took: Duration) {
        let (bucket, nanoseconds) = place(bounds, took);
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += 1;
        }
        self.nanoseconds = self.nanoseconds.wrapping_add(nanoseconds);
    }
}

/// The bucket of a duration, and its nanoseconds.
fn place(bounds: &[u64], took: Duration) -> (usize, u64) {
    let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    (bounds.iter().position(|bound| nanoseconds <= *bound).unwrap_or(bounds.len()), nanoseconds)
}

/// Writes the histogram that is a part of each shard.
#[expect(clippy::cast_precision_loss, reason = "a histogram's sum and bounds are floating point by its format")]
pub(super) fn encode<T, const BUCKETS: usize>(
    shards: &Shards<T>,
    part: impl Fn(&T) -> Option<&Durations<BUCKETS>>,
    bounds: &[u64],
    mut encoder: MetricEncoder<'_>,
) -> Result<(), std::fmt::Error> {
    let bounds = bounds.iter().map(|bound| *bound as f64 / 1e9).chain([f64::INFINITY]);
    let mut buckets = Vec::with_capacity(BUCKETS);
    for (number, bound) in bounds.enumerate() {
        buckets.push((bound, shards.sum(|shard| part(shard)?.buckets.get(number))));
    }
    let count = buckets.iter().map(|(_, count)| count).sum();
    let sum = shards.sum(|shard| Some(&part(shard)?.nanoseconds)) as f64 / 1e9;
    encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
}
