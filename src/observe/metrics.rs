//! The metrics and their names. No id of a caller, a subject or a resource is ever a label.
//!
//! What every request touches is counted by thread, which costs it a few uncontended additions; everything else is rare.

mod calls;
mod closed;
mod durations;
mod hot;
mod live;
mod process;
mod shards;
mod text;

use std::{
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use prometheus_client::{
    encoding::{
        EncodeLabelSet,
        text::{encode_eof, encode_registry},
    },
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

pub use calls::{Call, Method};
pub use closed::Closed;

use super::{
    log,
    spans::{SpanCounters, Spans},
};
use crate::{mapping::Unmapped, model::Verdict, snapshot::Applied};
use calls::Calls;
use closed::ClosedLabels;
use hot::Hot;
pub use hot::Tally;
use live::Live;
use process::Process;

/// Upper bounds for reloads, in seconds.
const RELOAD_BOUNDS: [f64; 9] = [0.001, 0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0];

/// The formats that a scraper may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// `OpenMetrics` 1.0.
    OpenMetrics,
    /// The text format of Prometheus that came before.
    Text,
}

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
struct UnmappedLabels {
    why: &'static str,
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
    /// What every process tells, under names that do not begin with ours.
    process: Registry,
    hot: Arc<Hot>,
    calls: Arc<Calls>,
    live: Arc<Live>,
    reload_seconds: Histogram,
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
    unmapped: Family<UnmappedLabels, Counter>,
    panics: Counter,
    decision_log: LogCounters,
    span_counters: SpanCounters,
    spans: Spans,
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
            process: Registry::default(),
            hot: Arc::default(),
            calls: Arc::default(),
            live: Arc::default(),
            reload_seconds: Histogram::new(RELOAD_BOUNDS),
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
            unmapped: Family::default(),
            panics: Counter::default(),
            decision_log: LogCounters::default(),
            span_counters: SpanCounters::default(),
            spans: Spans::default(),
            draining: Gauge::default(),
            insecure: Gauge::default(),
        };
        // From the beginning, so that a first one is seen as a rise.
        for why in Unmapped::CODES {
            drop(metrics.unmapped.get_or_create(&UnmappedLabels { why }));
        }
        metrics.register(&mut registry);
        metrics.registry = registry;
        metrics.process.register_collector(Box::new(Process::default()));
        metrics
    }
}

impl Metrics {
    fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(Arc::clone(&self.hot)));
        registry.register_collector(Box::new(Arc::clone(&self.calls)));
        registry.register_collector(Box::new(Arc::clone(&self.live)));
        registry.register("reloads", "Reloads of the source by result", self.reloads.clone());
        let (name, help) = ("reload", "How long a reload takes from the first byte to the swap or the refusal");
        registry.register_with_unit(name, help, Unit::Seconds, self.reload_seconds.clone());
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
        registry.register("http_unmapped", "HTTP requests that ask no question, all denied", self.unmapped.clone());
        registry.register("handler_panics", "Calls that ended in INTERNAL for a bug", self.panics.clone());
        let LogCounters { written, dropped, errors } = &self.decision_log;
        registry.register("decision_log_written", "Decisions written to the decision log", written.clone());
        registry.register("decision_log_dropped", "Decisions that are missing from it", dropped.clone());
        registry.register("decision_log_errors", "Failed attempts to write to it", errors.clone());
        let SpanCounters { exported, dropped } = &self.span_counters;
        registry.register("spans_exported", "Spans that a collector has taken", exported.clone());
        registry.register("spans_dropped", "Spans that none has", dropped.clone());
        registry.register("log_dropped", "Lines that are missing from the daemon's own log", log::dropped());
        registry.register("draining", "1 from the first moment of shutdown", self.draining.clone());
        registry.register("insecure_listen", "1 where a bind rule was overridden", self.insecure.clone());
    }

    /// Counts a decision and how long it took.
    pub fn decided(&self, verdict: &Verdict, took: Duration) {
        self.hot.decided(verdict.reason, verdict.undetermined, took);
    }

    /// Counts the decisions of a batch.
    pub fn tally(&self) -> Tally<'_> {
        self.hot.tally()
    }

    /// Counts a request that could not be asked.
    pub fn malformed(&self) {
        self.malformed.inc();
    }

    /// Counts a request of HTTP that asks nothing, by a code of [`crate::mapping::Unmapped`].
    pub fn unmapped(&self, why: &'static str) {
        self.unmapped.get_or_create(&UnmappedLabels { why }).inc();
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

    /// Counts how long a reload took.
    pub fn reload_took(&self, took: Duration) {
        self.reload_seconds.observe(took.as_secs_f64());
    }

    /// Describes what is live now.
    pub fn live(&self, applied: Arc<Applied>) {
        self.live.set(applied);
    }

    /// What spans are counted with.
    pub fn span_counters(&self) -> SpanCounters {
        self.span_counters.clone()
    }

    /// The same, and each call whose trace is sampled is a span.
    #[must_use]
    pub fn with_spans(self, spans: Spans) -> Self {
        Self { spans, ..self }
    }

    /// Where spans begin.
    pub fn spans(&self) -> &Spans {
        &self.spans
    }

    /// Begins to count a call; it ends when what is returned is dropped. Its trace is asked for where spans are sent.
    pub fn call<'h>(&self, method: Method, traceparent: impl FnOnce() -> Option<&'h str>) -> Call {
        Call::begin(Arc::clone(&self.calls), method, self.spans.begin(traceparent))
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

    /// Everything, as a scraper asks for it.
    pub fn expose(&self, exposition: Exposition) -> String {
        let open_metrics = self.render();
        match exposition {
            Exposition::OpenMetrics => open_metrics,
            Exposition::Text => text::from_open_metrics(&open_metrics),
        }
    }

    /// Everything in `OpenMetrics` text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        let whole = encode_registry(&mut text, &self.registry)
            .and_then(|()| encode_registry(&mut text, &self.process))
            .and_then(|()| encode_eof(&mut text));
        if whole.is_err() {
            "# EOF\n".clone_into(&mut text);
        }
        text
    }
}

#[cfg(test)]
mod tests;
