//! What is told of a call that panics, and to whom.

use std::sync::Arc;

use http::HeaderValue;
use tonic::{Code, Status};

use crate::{
    observe::{
        decision_log::TraceContext,
        metrics::{Call, Metrics},
    },
    service::registry::Connection,
};

/// What is told of a call that panics.
#[derive(Clone)]
pub(super) struct Bugs {
    pub(super) connection: Arc<Connection>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) traceparent: Option<HeaderValue>,
}

impl Bugs {
    pub(super) fn tell(&self, call: &mut Option<Call>) -> Status {
        tell(&self.metrics, &self.connection, self.traceparent.as_ref(), call)
    }
}

pub(super) fn tell(
    metrics: &Metrics,
    connection: &Connection,
    traceparent: Option<&HeaderValue>,
    call: &mut Option<Call>,
) -> Status {
    metrics.panicked();
    if let Some(call) = call {
        call.note(Code::Internal.into());
    }
    let method = call.as_ref().map_or("other", |call| call.method().name());
    let trace = traceparent.and_then(|header| TraceContext::parse(header.to_str().ok()?));
    let trace = trace.as_ref().map(TraceContext::trace_id);
    tracing::error!(peer = %connection.peer, method, trace, "a call panicked; this is a bug");
    Status::internal("the call panicked; this is a bug")
}
