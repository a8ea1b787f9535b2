//! The counters that every decision touches.

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter},
    registry::Unit,
};

use super::{
    durations::{self, Durations, Several},
    shards::{Shards, add},
};
use crate::model::{Reason, Verdict};

const REASONS: usize = Reason::ALL.len();
/// Upper bounds of the histogram in nanoseconds; the last bucket has none.
const BOUNDS: [u64; 10] = [250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000, 10_000_000];

/// Decisions by reason, and how long they took.
#[derive(Debug, Default)]
pub(super) struct Hot(Shards<Decisions>);

#[derive(Debug, Default)]
struct Decisions {
    reasons: [AtomicU64; REASONS],
    undetermined: AtomicU64,
    allowed: Durations<{ BOUNDS.len() + 1 }>,
    denied: Durations<{ BOUNDS.len() + 1 }>,
}

/// The decisions of one batch, counted together when it is dropped: an addition that other threads may read takes
/// longer than one that none does.
#[derive(Debug)]
pub struct Tally<'m> {
    hot: &'m Hot,
    reasons: [u64; REASONS],
    undetermined: u64,
    allowed: Several<{ BOUNDS.len() + 1 }>,
    denied: Several<{ BOUNDS.len() + 1 }>,
}

impl Tally<'_> {
    /// Counts a decision and how long it took.
    pub fn decided(&mut self, verdict: &Verdict, took: Duration) {
        if let Some(count) = self.reasons.get_mut(verdict.reason as usize) {
            *count += 1;
        }
        let durations = if verdict.reason == Reason::Granted { &mut self.allowed } else { &mut self.denied };
        durations.count(&BOUNDS, took);
        self.undetermined += u64::from(verdict.undetermined);
    }
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        let Some(mine) = self.hot.0.mine() else { return };
        for (count, more) in mine.reasons.iter().zip(self.reasons).filter(|(_, more)| *more > 0) {
            add(Some(count), more);
        }
        mine.allowed.add(&self.allowed);
        mine.denied.add(&self.denied);
        add(Some(&mine.undetermined), self.undetermined);
    }
}

impl Hot {
    pub(super) fn tally(&self) -> Tally<'_> {
        Tally {
            hot: self,
            reasons: [0; REASONS],
            undetermined: 0,
            allowed: Several::default(),
            denied: Several::default(),
        }
    }

    pub(super) fn decided(&self, reason: Reason, undetermined: bool, took: Duration) {
        let Some(mine) = self.0.mine() else { return };
        add(mine.reasons.get(reason as usize), 1);
        let durations = if reason == Reason::Granted { &mine.allowed } else { &mine.denied };
        durations.count(&BOUNDS, took);
        if undetermined {
            add(Some(&mine.undetermined), 1);
        }
    }
}

impl Collector for Hot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut family = encoder.encode_descriptor("decisions", "Decisions by reason", None, MetricType::Counter)?;
        for reason in Reason::ALL {
            let count = self.0.sum(|shard| shard.reasons.get(reason as usize));
            if count > 0 {
                let decision = if reason == Reason::Granted { "allow" } else { "deny" };
                let labels = [("decision", decision), ("reason", reason.code())];
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        let (name, help) = ("undetermined_decisions", "Decisions in which a missing value decided");
        let undetermined = ConstCounter::new(self.0.sum(|shard| Some(&shard.undetermined)));
        undetermined.encode(encoder.encode_descriptor(name, help, None, undetermined.metric_type())?)?;
        let help = "How long a decision takes, without the transport";
        let mut family = encoder.encode_descriptor("decision", help, Some(&Unit::Seconds), MetricType::Histogram)?;
        let allow = [("decision", "allow")];
        durations::encode(&self.0, |shard| Some(&shard.allowed), &BOUNDS, family.encode_family(&allow)?)?;
        let deny = [("decision", "deny")];
        durations::encode(&self.0, |shard| Some(&shard.denied), &BOUNDS, family.encode_family(&deny)?)
    }
}
