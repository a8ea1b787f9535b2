//! The counters that every decision touches: split so that no two worker threads write the same cache line.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet},
    metrics::{MetricType, counter::ConstCounter},
    registry::Unit,
};

use crate::model::Reason;

const REASONS: usize = Reason::ALL.len();
/// Upper bounds of the histogram in nanoseconds; the last bucket has none.
const BOUNDS: [u64; 10] = [250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000, 10_000_000];
/// More than the worker threads, so that each has its own.
const SHARDS: usize = 8;

/// Decisions by reason, and how long they took.
#[derive(Debug, Default)]
pub struct Hot {
    shards: [Shard; SHARDS],
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    reasons: [AtomicU64; REASONS],
    undetermined: AtomicU64,
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

impl Hot {
    pub(super) fn decided(&self, reason: Reason, undetermined: bool, took: Duration) {
        let Some(shard) = self.shards.get(shard_number() % SHARDS) else { return };
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|bound| nanoseconds <= *bound).unwrap_or(BOUNDS.len());
        add(shard.reasons.get(reason as usize), 1);
        add(shard.buckets.get(bucket), 1);
        add(Some(&shard.nanoseconds), nanoseconds);
        add(Some(&shard.undetermined), u64::from(undetermined));
    }

    fn sum(&self, part: impl Fn(&Shard) -> Option<&AtomicU64>) -> u64 {
        self.shards.iter().filter_map(part).fold(0, |sum, count| sum.wrapping_add(count.load(Ordering::Relaxed)))
    }
}

fn add(count: Option<&AtomicU64>, by: u64) {
    if let Some(count) = count {
        count.fetch_add(by, Ordering::Relaxed);
    }
}

/// A small number of this thread's own.
fn shard_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}

impl Collector for Hot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut family = encoder.encode_descriptor("decisions", "Decisions by reason", None, MetricType::Counter)?;
        for reason in Reason::ALL {
            let count = self.sum(|shard| shard.reasons.get(reason as usize));
            if count > 0 {
                let decision = if reason == Reason::Granted { "allow" } else { "deny" };
                let labels = [("decision", decision), ("reason", reason.code())];
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        let help = "Decisions in which a missing value decided";
        let undetermined = ConstCounter::new(self.sum(|shard| Some(&shard.undetermined)));
        undetermined.encode(encoder.encode_descriptor(
            "undetermined_decisions",
            help,
            None,
            undetermined.metric_type(),
        )?)?;
        self.encode_histogram(encoder)
    }
}

impl Hot {
    #[expect(clippy::cast_precision_loss, reason = "a histogram's sum and bounds are floating point by its format")]
    fn encode_histogram(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut buckets = Vec::with_capacity(BOUNDS.len() + 1);
        let bounds = BOUNDS.iter().map(|bound| *bound as f64 / 1e9).chain([f64::INFINITY]);
        for (number, bound) in bounds.enumerate() {
            buckets.push((bound, self.sum(|shard| shard.buckets.get(number))));
        }
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = self.sum(|shard| Some(&shard.nanoseconds)) as f64 / 1e9;
        let help = "How long a decision takes, without the transport";
        encoder
            .encode_descriptor("decision", help, Some(&Unit::Seconds), MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }
}
