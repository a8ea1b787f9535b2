//! Spans for the calls of traces that are sampled, sent to a collector by OTLP. Only a build with the feature `otlp` can
//! send them; every other has the same names and no code behind them. A call that is not sampled costs one look.

#[cfg(feature = "otlp")]
mod otlp;
#[cfg(not(feature = "otlp"))]
#[path = "spans/without.rs"]
mod otlp;
#[cfg(feature = "otlp")]
mod wire;

use prometheus_client::metrics::counter::Counter;

pub use otlp::{BUILT_IN, Exporter, Span, Spans};

/// What became of spans; clones count together.
#[derive(Debug, Clone, Default)]
pub struct SpanCounters {
    /// Spans that a collector has taken.
    pub exported: Counter,
    /// Spans that none has.
    pub dropped: Counter,
}

/// Why spans cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpansError {
    /// The endpoint is none.
    #[error("`otlp.endpoint` must be like `http://127.0.0.1:4317`, not `{0}`")]
    Endpoint(String),
    /// The program was built without.
    #[error("`otlp.endpoint` is set, but this program was built without OTLP; build it with `--features otlp`")]
    NotBuiltIn,
}
