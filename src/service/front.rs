//! What stands between a connection and its routes: refuses what is no gRPC, counts, turns a panic into INTERNAL.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version, header::CONTENT_TYPE};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use tonic::{Status, body::Body, service::Routes};
use tower::{BoxError, Service};

use super::{
    fast::{FastPath, Gather, Gathered, Replay, Reply},
    registry::Connection,
};
use crate::observe::metrics::Metrics;

/// What a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// gRPC and nothing else.
    Grpc,
    /// gRPC and plain HTTP.
    Any,
}

/// The front of one connection.
#[derive(Debug, Clone)]
pub(super) struct Front {
    pub(super) routes: Routes,
    pub(super) fast: Option<FastPath>,
    pub(super) kind: Kind,
    pub(super) connection: Arc<Connection>,
    pub(super) metrics: Arc<Metrics>,
}

impl hyper::service::Service<Request<Incoming>> for Front {
    type Response = Response<Reply>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.connection.in_flight.fetch_add(1, Ordering::Relaxed);
        self.connection.calls.fetch_add(1, Ordering::Relaxed);
        let inner = match (self.refuse(&request), &self.fast) {
            (Some(status), _) => Inner::Refused(status),
            (None, Some(fast)) if FastPath::takes(&request) => {
                Inner::Gathering(Gather::new(request), fast.clone(), self.routes.clone())
            }
            (None, _) => route(&self.routes, &self.connection, request),
        };
        Answer { inner, connection: Arc::clone(&self.connection), metrics: Arc::clone(&self.metrics) }
    }
}

impl Front {
    fn refuse(&self, request: &Request<Incoming>) -> Option<StatusCode> {
        if self.kind == Kind::Any {
            None
        } else if request.version() != Version::HTTP_2 {
            Some(StatusCode::HTTP_VERSION_NOT_SUPPORTED)
        } else if request.method() != Method::POST {
            Some(StatusCode::METHOD_NOT_ALLOWED)
        } else if is_grpc(request.headers()) {
            None
        } else {
            Some(StatusCode::UNSUPPORTED_MEDIA_TYPE)
        }
    }
}

/// The content types of gRPC with protobuf: any other form would be read as something that it is not.
fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(text) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = text.split(';').next().unwrap_or_default().trim();
    matches!(essence, "application/grpc" | "application/grpc+proto")
}

/// Hands a call to the router.
fn route<B>(routes: &Routes, connection: &Arc<Connection>, mut request: Request<B>) -> Inner
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    // For what depends on who asks.
    request.extensions_mut().insert(Arc::clone(connection));
    // The routes are always ready: a router has no queue.
    Inner::Routed(Box::pin(routes.clone().call(request)))
}

type Routed = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// How far a call has come.
#[expect(clippy::large_enum_variant, reason = "nearly every call is of the large one: a box is an allocation for each")]
enum Inner {
    Refused(StatusCode),
    Gathering(Gather<Incoming>, FastPath, Routes),
    Routed(Routed),
}

/// A call on its way; ends with an answer even if its handler panics.
pub(super) struct Answer {
    inner: Inner,
    connection: Arc<Connection>,
    metrics: Arc<Metrics>,
}

impl Answer {
    fn poll_inner(&mut self, cx: &mut Context<'_>) -> Poll<Response<Reply>> {
        loop {
            self.inner = match &mut self.inner {
                Inner::Refused(status) => {
                    let mut response = Response::new(Reply::End);
                    *response.status_mut() = *status;
                    return Poll::Ready(response);
                }
                Inner::Gathering(gather, fast, routes) => match ready!(gather.poll(fast, cx)) {
                    Gathered::Message(head, message, rest) => {
                        if let Some(response) = fast.answer(&self.connection, &head.headers, &message) {
                            return Poll::Ready(response);
                        }
                        route(routes, &self.connection, Request::from_parts(head, Replay::whole(message, rest)))
                    }
                    Gathered::Other(request) => route(routes, &self.connection, request),
                },
                Inner::Routed(routed) => {
                    let Ok(response) = ready!(routed.as_mut().poll(cx));
                    return Poll::Ready(response.map(Reply::Routed));
                }
            }
        }
    }
}

impl Future for Answer {
    type Output = Result<Response<Reply>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // The handler is not polled again after a panic, so nobody sees what it left half done.
        let Ok(polled) = catch_unwind(AssertUnwindSafe(|| self.poll_inner(cx))) else {
            self.metrics.panicked();
            tracing::error!(peer = %self.connection.peer, "a call panicked; this is a bug");
            let answer: Response<Body> = Status::internal("the call panicked; this is a bug").into_http();
            return Poll::Ready(Ok(answer.map(Reply::Routed)));
        };
        polled.map(Ok)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.connection.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
