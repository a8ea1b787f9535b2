//! The metrics and their names. No id of a caller, a subject or a resource is ever a label.
//!
//! Decisions are counted in [`Hot`], which costs a request a few uncontended additions; everything else is rare.

mod closed;
mod hot;

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::AtomicI64},
    time::{Duration, SystemTime},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text::encode},
    metrics::{counter::Counter, family::Family, gauge::ConstGauge, gauge::Gauge, info::Info},
    registry::{Registry, Unit},
};

pub use closed::Closed;
pub use hot::Hot;

use crate::model::Verdict;
use closed::ClosedLabels;

/// What became of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReloadResult {
    /// Live now.
    Applied,
    /// Was live already.
    Unchanged,
    /// Refused.
    Rejected,
}

/// What was turned away, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shed {
    /// A connection over the cap.
    Connection,
    /// An expensive call over the cap.
    ExpensiveCall,
    /// A health or snapshot watcher over the cap.
    Watcher,
    /// A call that would have waited for a snapshot, over the cap.
    Waiter,
    /// A call over its caller's rate.
    CallerRate,
    /// A call over its caller's calls in flight.
    CallerInFlight,
    /// A large message or answer, over what may be held of them.
    Room,
}

impl ReloadResult {
    fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Rejected => "rejected",
        }
    }
}

impl Shed {
    fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::ExpensiveCall => "expensive_call",
            Self::Watcher => "watcher",
            Self::Waiter => "waiter",
            Self::CallerRate => "caller_rate",
            Self::CallerInFlight => "caller_in_flight",
            Self::Room => "room",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RenewalLabels {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ShedLabels {
    what: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ListenerLabels {
    listener: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallerLabels {
    caller: String,
    why: &'static str,
}

/// What is counted of one rule about callers; clones count together.
#[derive(Debug, Clone)]
pub struct CallerCounters {
    /// What the rule does not let ask.
    pub refused: Counter,
    /// What was over its limits.
    pub shed: Counter,
}

/// The counters of the decision log; clones count together.
#[derive(Debug, Clone, Default)]
pub struct LogCounters {
    /// Lines that were written.
    pub written: Counter,
    /// Decisions that should have been lines and are not.
    pub dropped: Counter,
    /// Failed attempts to open or write.
    pub errors: Counter,
}

const REFUSED: &str = "not_allowed";
const SHED: &str = "limit";

/// Every metric of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    hot: Arc<Hot>,
    live: Arc<Live>,
    reloads: Family<ReloadLabels, Counter>,
    sheds: Family<ShedLabels, Counter>,
    callers: Family<CallerLabels, Counter>,
    config_reloads: Family<ReloadLabels, Counter>,
    config_refused: Gauge<i64, AtomicI64>,
    connections: Family<ListenerLabels, Gauge<i64, AtomicI64>>,
    accepted: Family<ListenerLabels, Counter>,
    closed: Family<ClosedLabels, Counter>,
    refused: Gauge<i64, AtomicI64>,
    accept_errors: Counter,
    renewals: Family<RenewalLabels, Counter>,
    malformed: Counter,
    panics: Counter,
    decision_log: LogCounters,
    draining: Gauge<i64, AtomicI64>,
    insecure: Gauge<i64, AtomicI64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("sidegate");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running program", build);
        let mut metrics = Self {
            registry: Registry::default(),
            hot: Arc::default(),
            live: Arc::default(),
            reloads: Family::default(),
            sheds: Family::default(),
            callers: Family::default(),
            config_reloads: Family::default(),
            config_refused: Gauge::default(),
            connections: Family::default(),
            accepted: Family::default(),
            closed: Family::default(),
            refused: Gauge::default(),
            accept_errors: Counter::default(),
            renewals: Family::default(),
            malformed: Counter::default(),
            panics: Counter::default(),
            decision_log: LogCounters::default(),
            draining: Gauge::default(),
            insecure: Gauge::default(),
        };
        metrics.register(&mut registry);
        metrics.registry = registry;
        metrics
    }
}

impl Metrics {
    fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(Arc::clone(&self.hot)));
        registry.register_collector(Box::new(Arc::clone(&self.live)));
        registry.register("reloads", "Reloads of the source by result", self.reloads.clone());
        registry.register(
            "source_refused",
            "1 while the newest content of the source is not live",
            self.refused.clone(),
        );
        registry.register("shed", "What was turned away to stay alive", self.sheds.clone());
        registry.register("caller_refusals", "Calls and items that a caller rule refused", self.callers.clone());
        registry.register("config_reloads", "Readings of a changed configuration", self.config_reloads.clone());
        registry.register(
            "config_refused",
            "1 while the newest content of the configuration file is not in force",
            self.config_refused.clone(),
        );
        registry.register("connections", "Open connections", self.connections.clone());
        registry.register("connections_accepted", "Accepted connections", self.accepted.clone());
        registry.register("connections_closed", "Connections that ended, by why", self.closed.clone());
        registry.register("accept_errors", "Failed accepts, each followed by a pause", self.accept_errors.clone());
        registry.register("tls_renewals", "New certificate files by what became of them", self.renewals.clone());
        registry.register("malformed_requests", "Requests that could not be asked", self.malformed.clone());
        registry.register("handler_panics", "Calls that ended in INTERNAL for a bug", self.panics.clone());
        let LogCounters { written, dropped, errors } = &self.decision_log;
        registry.register("decision_log_written", "Decisions written to the decision log", written.clone());
        registry.register("decision_log_dropped", "Decisions that are missing from it", dropped.clone());
        registry.register("decision_log_errors", "Failed attempts to write to it", errors.clone());
        registry.register("draining", "1 from the first moment of shutdown", self.draining.clone());
        registry.register("insecure_listen", "1 where a bind rule was overridden", self.insecure.clone());
    }

    /// Counts a decision and how long it took.
    pub fn decided(&self, verdict: &Verdict, took: Duration) {
        self.hot.decided(verdict.reason, verdict.undetermined, took);
    }

    /// Counts a request that could not be asked.
    pub fn malformed(&self) {
        self.malformed.inc();
    }

    /// Counts a call that panicked.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// What the decision log counts with.
    pub fn decision_log(&self) -> LogCounters {
        self.decision_log.clone()
    }

    /// Counts a reload, and notes whether the newest content of the source is live.
    pub fn reloaded(&self, result: ReloadResult) {
        self.refused.set(i64::from(result == ReloadResult::Rejected));
        self.reloads.get_or_create(&ReloadLabels { result: result.name() }).inc();
    }

    /// Describes what is live now.
    pub fn live(&self, snapshot: LiveSnapshot) {
        *self.live.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
    }

    /// Counts something turned away.
    pub fn shed(&self, what: Shed) {
        self.sheds.get_or_create(&ShedLabels { what: what.name() }).inc();
    }

    /// What is counted of a rule about callers, by its name; of no rule by an empty one.
    pub fn caller(&self, name: &str) -> CallerCounters {
        let of = |why| self.callers.get_or_create(&CallerLabels { caller: name.to_owned(), why }).clone();
        CallerCounters { refused: of(REFUSED), shed: of(SHED) }
    }

    /// Counts no more of a rule that is gone: labels stay as few as rules.
    pub fn forget_caller(&self, name: &str) {
        for why in [REFUSED, SHED] {
            self.callers.remove(&CallerLabels { caller: name.to_owned(), why });
        }
    }

    /// Counts a reading of the configuration, and notes whether its newest content is in force.
    pub fn config_reloaded(&self, result: ReloadResult) {
        self.config_refused.set(i64::from(result == ReloadResult::Rejected));
        self.config_reloads.get_or_create(&ReloadLabels { result: result.name() }).inc();
    }

    /// Counts an accepted connection.
    pub fn connected(&self, listener: &'static str) {
        let labels = ListenerLabels { listener };
        self.accepted.get_or_create(&labels).inc();
        self.connections.get_or_create(&labels).inc();
    }

    /// Counts a connection that ended.
    pub fn disconnected(&self, listener: &'static str, why: Closed) {
        self.connections.get_or_create(&ListenerLabels { listener }).dec();
        self.closed.get_or_create(&ClosedLabels { listener, why: why.name() }).inc();
    }

    /// Counts a failed accept.
    pub fn accept_failed(&self) {
        self.accept_errors.inc();
    }

    /// Counts certificate files that have changed, and whether they could be used.
    pub fn tls_renewed(&self, applied: bool) {
        let result = if applied { "applied" } else { "rejected" };
        self.renewals.get_or_create(&RenewalLabels { result }).inc();
    }

    /// Tells that shutdown has begun.
    pub fn draining(&self) {
        self.draining.set(1);
    }

    /// Tells that a bind rule was overridden.
    pub fn insecure_listen(&self) {
        self.insecure.set(1);
    }

    /// Everything in `OpenMetrics` text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            "# EOF\n".clone_into(&mut text);
        }
        text
    }
}

/// The live snapshot as metrics show it.
#[derive(Debug, Clone)]
pub struct LiveSnapshot {
    /// The declared sequence.
    pub sequence: u64,
    /// The swap's number.
    pub generation: u64,
    /// The digest.
    pub digest: String,
    /// When it went live.
    pub loaded_at: SystemTime,
}

#[derive(Debug, Default)]
struct Live(Mutex<Option<LiveSnapshot>>);

impl Collector for Live {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let live = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(LiveSnapshot { sequence, generation, digest, loaded_at }) = live else { return Ok(()) };
        let mut gauge = |name: &str, help: &str, value: u64| {
            let value = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            value.encode(encoder.encode_descriptor(name, help, None, value.metric_type())?)
        };
        gauge("snapshot_sequence", "The sequence that the live snapshot declares", sequence)?;
        gauge("snapshot_generation", "Swaps since the start", generation)?;
        let age = SystemTime::now().duration_since(loaded_at).unwrap_or_default().as_secs_f64();
        let age = ConstGauge::new(age);
        let help = "Time since the live snapshot was applied";
        age.encode(encoder.encode_descriptor("snapshot_age", help, Some(&Unit::Seconds), age.metric_type())?)?;
        let info = Info::new([("digest", digest)]);
        let help = "The live snapshot's digest";
        info.encode(encoder.encode_descriptor("snapshot", help, None, info.metric_type())?)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{LiveSnapshot, Metrics, ReloadResult, Shed};
    use crate::model::{Decision, Reason, Verdict};

    #[test]
    fn everything_has_a_name_and_a_value() {
        let metrics = Metrics::default();
        let allow = Verdict { decision: Decision::Allow, ..Verdict::deny(Reason::Granted) };
        metrics.decided(&allow, Duration::from_nanos(700));
        metrics.decided(&Verdict::deny(Reason::NoGrant), Duration::from_micros(3));
        metrics.reloaded(ReloadResult::Applied);
        metrics.shed(Shed::Connection);
        metrics.connected("data");
        let loaded_at = SystemTime::now();
        metrics.live(LiveSnapshot { sequence: 7, generation: 2, digest: "abc".to_owned(), loaded_at });
        let text = metrics.render();
        for line in [
            "sidegate_decisions_total{decision=\"allow\",reason=\"GRANTED\"} 1",
            "sidegate_decisions_total{decision=\"deny\",reason=\"NO_GRANT\"} 1",
            "sidegate_decision_seconds_bucket{le=\"0.000001\"} 1",
            "sidegate_decision_seconds_bucket{le=\"+Inf\"} 2",
            "sidegate_decision_seconds_count 2",
            "sidegate_undetermined_decisions_total 0",
            "sidegate_reloads_total{result=\"applied\"} 1",
            "sidegate_shed_total{what=\"connection\"} 1",
            "sidegate_connections{listener=\"data\"} 1",
            "sidegate_snapshot_sequence 7",
            "sidegate_snapshot_generation 2",
            "sidegate_snapshot_info{digest=\"abc\"} 1",
            "# EOF",
        ] {
            assert!(
                text.lines().any(|is| is == line || is.starts_with(&format!("{line}.0"))),
                "{line} is missing from\n{text}"
            );
        }
    }
}
