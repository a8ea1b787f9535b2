//! The live snapshot as metrics show it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge, info::Info},
    registry::Unit,
};

use crate::{model::Timestamp, snapshot::Applied};

/// What is live; not the snapshot itself, which must not be kept alive by those who count.
#[derive(Debug, Default)]
pub(super) struct Live(Mutex<Option<Arc<Applied>>>);

impl Live {
    pub(super) fn set(&self, applied: Arc<Applied>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(applied);
    }
}

impl Collector for Live {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(live) = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone() else { return Ok(()) };
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let now = SystemTime::now();
        let age = now.duration_since(live.loaded_at).unwrap_or_default().as_secs_f64();
        let e = &mut encoder;
        gauge(e, "snapshot_sequence", "The sequence that the live snapshot declares", None, number(live.sequence))?;
        gauge(e, "snapshot_generation", "Swaps since the start", None, number(live.generation))?;
        gauge(e, "snapshot_age", "Time since the live snapshot was applied", Some(&Unit::Seconds), age)?;
        let stale = i64::from(live.fresh.is_over(moment(now)));
        gauge(e, "snapshot_stale", "1 while the live snapshot is older than it may be", None, stale)?;
        let took = live.took.as_secs_f64();
        gauge(e, "snapshot_load", "How long it took to build", Some(&Unit::Seconds), took)?;
        let bytes = i64::try_from(live.bytes).unwrap_or(i64::MAX);
        gauge(e, "snapshot_size", "Its compiled size", Some(&Unit::Bytes), bytes)?;
        if let Some(until) = live.fresh.until() {
            let help = "When it ceases to be fresh, since 1970";
            gauge(e, "snapshot_fresh_until", help, Some(&Unit::Seconds), until.seconds())?;
        }
        let info = Info::new([("digest", live.digest.clone())]);
        let help = "The live snapshot's digest";
        info.encode(encoder.encode_descriptor("snapshot", help, None, info.metric_type())?)
    }
}

pub(super) fn gauge<N>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: N,
) -> Result<(), std::fmt::Error>
where
    N: EncodeGaugeValue,
    ConstGauge<N>: EncodeMetric,
{
    ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?)
}

fn moment(time: SystemTime) -> Timestamp {
    let elapsed = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX);
    Timestamp::new(seconds, elapsed.subsec_nanos()).unwrap_or(Timestamp::MAX)
}
