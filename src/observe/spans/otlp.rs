//! Begins spans where a call is, and sends them where nobody waits for it: what a collector does not take in time is
//! dropped and counted.

use std::{
    future::pending,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};
use tonic::{
    Request,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;

use super::{
    SpanCounters, SpansError,
    wire::{
        self, ERROR, EXPORT, ExportRequest, ExportResponse, Resource, ResourceSpans, SERVER, Scope, ScopeSpans, int,
        text,
    },
};
use crate::observe::decision_log::TraceContext;

/// Whether this program can send spans.
pub const BUILT_IN: bool = true;

/// The most spans that wait.
const QUEUE: usize = 4096;
/// The most spans in one message.
const BATCH: usize = 512;
/// How long spans are collected before they are sent.
const COLLECT: Duration = Duration::from_secs(1);
/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The codes of calls that a server is to blame for, by the conventions of `OpenTelemetry`: `UNKNOWN`,
/// `DEADLINE_EXCEEDED`, `UNIMPLEMENTED`, `INTERNAL`, `UNAVAILABLE`, `DATA_LOSS`.
const SERVERS_FAULT: [i32; 6] = [2, 4, 12, 13, 14, 15];

/// Begins spans; off unless made with an endpoint.
#[derive(Debug, Clone, Default)]
pub struct Spans(Option<Sink>);

#[derive(Debug, Clone)]
struct Sink {
    queue: mpsc::Sender<Item>,
    counters: SpanCounters,
}

#[derive(Debug)]
enum Item {
    Span(Box<wire::Span>),
    Flush(oneshot::Sender<()>),
}

/// Sends what waits.
#[derive(Debug)]
pub struct Exporter {
    items: mpsc::Receiver<Item>,
    collector: Endpoint,
    counters: SpanCounters,
    failing: bool,
}

/// The span of one call, from now on.
#[derive(Debug)]
pub struct Span {
    sink: Sink,
    trace: TraceContext,
    started: SystemTime,
}

impl Spans {
    /// Off where no endpoint is named. The exporter has to be run.
    ///
    /// # Errors
    /// The endpoint is none.
    pub fn new(endpoint: &str, counters: SpanCounters) -> Result<(Self, Option<Exporter>), SpansError> {
        if endpoint.is_empty() {
            return Ok((Self(None), None));
        }
        let address = address(endpoint)?;
        let (queue, items) = mpsc::channel(QUEUE);
        let exporter = Exporter { items, collector: address, counters: counters.clone(), failing: false };
        Ok((Self(Some(Sink { queue, counters })), Some(exporter)))
    }

    /// Whether an endpoint may be named.
    ///
    /// # Errors
    /// It is none.
    pub fn check(endpoint: &str) -> Result<(), SpansError> {
        if endpoint.is_empty() { Ok(()) } else { address(endpoint).map(drop) }
    }

    /// The span of a call, if its trace is sampled.
    #[inline]
    pub fn begin<'h>(&self, traceparent: impl FnOnce() -> Option<&'h str>) -> Option<Span> {
        let sink = self.0.as_ref()?;
        let trace = TraceContext::parse(traceparent()?).filter(TraceContext::is_sampled)?;
        Some(Span { sink: sink.clone(), trace, started: SystemTime::now() })
    }

    /// Waits until what was begun and ended before is sent, or given up.
    pub async fn flush(&self) {
        let Some(Sink { queue, .. }) = &self.0 else { return };
        let (tell, told) = oneshot::channel();
        if queue.send(Item::Flush(tell)).await.is_ok() {
            drop(told.await);
        }
    }
}

impl Span {
    /// Ends it: it is sent soon, or dropped where too many wait.
    pub fn end(self, method: &'static str, code: i32) {
        let Self { sink, trace, started } = self;
        let span = wire::Span {
            trace_id: bytes(trace.trace_id()),
            span_id: random_id(),
            parent_span_id: bytes(trace.span_id()),
            name: method.to_owned(),
            kind: SERVER,
            start_time_unix_nano: nanoseconds(started),
            end_time_unix_nano: nanoseconds(SystemTime::now()),
            attributes: vec![
                text("rpc.system", "grpc"),
                text("rpc.method", method),
                int("rpc.grpc.status_code", i64::from(code)),
            ],
            status: SERVERS_FAULT.contains(&code).then_some(wire::Status { code: ERROR }),
            // Sampled.
            flags: 1,
        };
        if sink.queue.try_send(Item::Span(Box::new(span))).is_err() {
            sink.counters.dropped.inc();
        }
    }
}

impl Exporter {
    /// Sends until nobody can begin a span any more.
    pub async fn run(mut self) {
        let mut collector = Grpc::new(self.collector.connect_lazy());
        loop {
            let (spans, flushed) = self.collect().await;
            if !spans.is_empty() {
                self.send(&mut collector, spans).await;
            }
            for tell in flushed {
                // Fails when who asked has stopped waiting.
                tell.send(()).unwrap_or_default();
            }
        }
    }

    /// What is to be sent in one message, and who is to be told then.
    async fn collect(&mut self) -> (Vec<wire::Span>, Vec<oneshot::Sender<()>>) {
        let (mut spans, mut flushed) = (Vec::new(), Vec::new());
        let mut end = None;
        while spans.len() < BATCH && flushed.is_empty() {
            let next = match end {
                None => Ok(self.items.recv().await),
                Some(end) => timeout_at(end, self.items.recv()).await,
            };
            match next {
                Ok(Some(Item::Span(span))) => spans.push(*span),
                Ok(Some(Item::Flush(tell))) => flushed.push(tell),
                Ok(None) if spans.is_empty() => pending().await,
                Ok(None) | Err(_) => break,
            }
            end.get_or_insert(Instant::now() + COLLECT);
        }
        (spans, flushed)
    }

    async fn send(&mut self, collector: &mut Grpc<Channel>, spans: Vec<wire::Span>) {
        let count = u64::try_from(spans.len()).unwrap_or(u64::MAX);
        match export(collector, request(spans)).await {
            Ok(rejected) => {
                let rejected = rejected.min(count);
                self.counters.exported.inc_by(count - rejected);
                self.counters.dropped.inc_by(rejected);
                if self.failing {
                    tracing::info!("the collector takes spans again");
                }
                self.failing = false;
            }
            Err(error) => {
                self.counters.dropped.inc_by(count);
                if !self.failing {
                    tracing::warn!(%error, "the collector does not take spans; they are dropped");
                }
                self.failing = true;
            }
        }
    }
}

async fn export(collector: &mut Grpc<Channel>, request: ExportRequest) -> Result<u64, tonic::Status> {
    let mut request = Request::new(request);
    request.set_timeout(PATIENCE);
    let end = Instant::now() + PATIENCE;
    let late = |_| tonic::Status::deadline_exceeded("the collector takes too long");
    let unready = |error: tonic::transport::Error| tonic::Status::unavailable(error.to_string());
    timeout_at(end, collector.ready()).await.map_err(late)?.map_err(unready)?;
    let codec = ProstCodec::<ExportRequest, ExportResponse>::default();
    let sent = collector.unary(request, PathAndQuery::from_static(EXPORT), codec);
    let answer = timeout_at(end, sent).await.map_err(late)??.into_inner();
    Ok(answer.partial_success.map_or(0, |partial| u64::try_from(partial.rejected_spans).unwrap_or(0)))
}

/// Without TLS: a collector stands beside the daemon, as the daemon does beside its callers.
fn address(endpoint: &str) -> Result<Endpoint, SpansError> {
    let not_one = || SpansError::Endpoint(endpoint.to_owned());
    let uri = Some(endpoint).filter(|endpoint| endpoint.starts_with("http://")).ok_or_else(not_one)?;
    Ok(Endpoint::from_shared(uri.to_owned()).map_err(|_| not_one())?.connect_timeout(PATIENCE))
}

fn request(spans: Vec<wire::Span>) -> ExportRequest {
    let (name, version) = ("sidegate", env!("CARGO_PKG_VERSION"));
    let resource = Resource { attributes: vec![text("service.name", name), text("service.version", version)] };
    let scope = Scope { name: name.to_owned(), version: version.to_owned() };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans }];
    ExportRequest { resource_spans: vec![ResourceSpans { resource: Some(resource), scope_spans }] }
}

/// The bytes that hexadecimal digits stand for.
fn bytes(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs.filter_map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Never all zeros, which would be no id.
fn random_id() -> Vec<u8> {
    let mut id = [0; 8];
    if getrandom::fill(&mut id).is_err() || id == [0; 8] {
        id = [1; 8];
    }
    id.to_vec()
}

fn nanoseconds(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}
