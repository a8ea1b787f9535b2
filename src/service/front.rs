//! What stands between a connection and its routes: refuses what is no gRPC, counts, turns a panic into INTERNAL.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, Method, Request, Response, StatusCode, Version, header::CONTENT_TYPE};
use hyper::body::Incoming;
use tonic::{Status, body::Body, service::Routes};
use tower::Service;

use super::{
    flow::{Arriving, InFlight, Leaving},
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
    pub(super) kind: Kind,
    pub(super) connection: Arc<Connection>,
    pub(super) metrics: Arc<Metrics>,
}

impl hyper::service::Service<Request<Incoming>> for Front {
    type Response = Response<Leaving>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let in_flight = InFlight::new(&self.connection);
        let inner: Inner = if let Some(status) = self.refuse(&request) {
            Box::pin(std::future::ready(Ok(plain(status))))
        } else {
            // For what depends on who asks.
            request.extensions_mut().insert(Arc::clone(&self.connection));
            // The routes are always ready: a router has no queue.
            Box::pin(self.routes.clone().call(request.map(|body| Arriving::new(body, &self.connection))))
        };
        Answer { inner, in_flight: Some(in_flight), metrics: Arc::clone(&self.metrics) }
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

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

type Inner = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// A call on its way; ends with an answer even if its handler panics.
pub(super) struct Answer {
    inner: Inner,
    in_flight: Option<InFlight>,
    metrics: Arc<Metrics>,
}

impl Future for Answer {
    type Output = Result<Response<Leaving>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // The handler is not polled again after a panic, so nobody sees what it left half done.
        let polled = catch_unwind(AssertUnwindSafe(|| self.answer(cx)));
        polled
            .unwrap_or_else(|_| {
                self.metrics.panicked();
                let peer = self.in_flight.as_ref().map(InFlight::peer);
                tracing::error!(peer, "a call panicked; this is a bug");
                Poll::Ready(told(Status::internal("the call panicked; this is a bug")))
            })
            .map(Ok)
    }
}

impl Answer {
    fn answer(&mut self, cx: &mut Context<'_>) -> Poll<Response<Leaving>> {
        let Ok(response) = ready!(self.inner.as_mut().poll(cx));
        let (head, body) = response.into_parts();
        let leaving = Leaving::new(body, self.in_flight.take(), cx);
        Poll::Ready(leaving.map_or_else(
            || told(Status::resource_exhausted("too many answers are not taken; try again later")),
            |body| Response::from_parts(head, body),
        ))
    }
}

fn told(status: Status) -> Response<Leaving> {
    status.into_http().map(Leaving::of)
}
