//! The same names in a program that was built without OTLP: there is never a span.

use super::{SpanCounters, SpansError};

/// Whether this program can send spans.
pub const BUILT_IN: bool = false;

/// Begins spans; here, none.
#[derive(Debug, Clone, Default)]
pub struct Spans(());

/// Sends spans; here, there is none.
#[derive(Debug)]
pub enum Exporter {}

/// The span of one call; here, there is none.
#[derive(Debug)]
pub enum Span {}

impl Spans {
    /// Nothing where no endpoint is named.
    ///
    /// # Errors
    /// One is named.
    pub fn new(endpoint: &str, _: SpanCounters) -> Result<(Self, Option<Exporter>), SpansError> {
        Self::check(endpoint).map(|()| (Self(()), None))
    }

    /// Whether an endpoint may be named.
    ///
    /// # Errors
    /// One is named.
    pub fn check(endpoint: &str) -> Result<(), SpansError> {
        if endpoint.is_empty() { Ok(()) } else { Err(SpansError::NotBuiltIn) }
    }

    /// None.
    #[inline]
    pub fn begin<'h>(&self, _: impl FnOnce() -> Option<&'h str>) -> Option<Span> {
        None
    }

    /// Nothing waits.
    #[expect(clippy::unused_async, reason = "with the feature it waits")]
    pub async fn flush(&self) {}
}

impl Exporter {
    /// Is never there to be run.
    #[expect(clippy::unused_async, reason = "with the feature it waits")]
    pub async fn run(self) {
        match self {}
    }
}

impl Span {
    /// Is never there to end.
    pub fn end(self, _: &'static str, _: i32) {
        match self {}
    }
}
