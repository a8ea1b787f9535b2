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
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = bounds.iter().position(|bound| nanoseconds <= *bound).unwrap_or(bounds.len());
        add(self.buckets.get(bucket), 1);
        add(Some(&self.nanoseconds), nanoseconds);
    }
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
