//! What stands between a connection and its routes: refuses what is no gRPC, counts, turns a panic into INTERNAL.

mod bugs;
mod streamed;

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header::CONTENT_TYPE, request::Parts,
};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use tonic::{Code, Status, body::Body, service::Routes};
use tower::{BoxError, Service};

use super::{
    fast::{FastPath, Gather, Reply},
    flow::{Arriving, InFlight, Leaving},
    headers::{GRPC_STATUS, TRACEPARENT},
    registry::Connection,
};
use crate::observe::metrics::{self, Call, Metrics};
use bugs::{Bugs, tell};
use streamed::Streamed;

/// What a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// gRPC and nothing else.
    Grpc,
    /// gRPC, and `AuthZEN` on its own paths.
    GrpcAndAuthzen,
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
    type Response = Response<Leaving>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let in_flight = InFlight::new(&self.connection);
        let (head, body) = request.into_parts();
        let method = metrics::Method::of(head.uri.path());
        let call = self.metrics.call(method, || head.headers.get(&TRACEPARENT)?.to_str().ok());
        let body = Arriving::new(body, &self.connection, method.takes_many());
        // What it takes is refused by no listener: it is gRPC.
        match &self.fast {
            Some(fast) if FastPath::takes(&head) => self.begin(fast, Gather::new(head, body), in_flight, call),
            _ => self.hand_on(head, body, in_flight, call),
        }
    }
}

impl Front {
    /// Answers a plain call that is here already, as nearly all are; whatever else it is goes on.
    fn begin(&self, fast: &FastPath, mut gather: Gather<Arriving>, in_flight: InFlight, call: Call) -> Answer {
        // Who goes on asks again, and is then woken.
        let mut nobody = Context::from_waker(Waker::noop());
        let (connection, mut call) = (&self.connection, Some(call));
        let answered = catch_unwind(AssertUnwindSafe(|| {
            if gather.poll(fast, &mut nobody) != Poll::Ready(true) {
                return None;
            }
            fast.answer(connection, gather.headers(), gather.message()?)
        }));
        let response = match answered {
            Ok(Some(response)) => {
                if let Some(mut call) = call {
                    call.note(code(&response).unwrap_or(Code::Ok.into()));
                }
                // It is small, or a refusal: neither is asked for its beginning, nor for room.
                response.map(|body| Leaving::plain(body, in_flight))
            }
            Ok(None) => {
                let traceparent = gather.headers().get(&TRACEPARENT).cloned();
                let gathering = Inner::Gathering(Some(gather), fast.clone(), self.routes.clone());
                return self.going(gathering, traceparent.as_ref(), in_flight, call);
            }
            Err(_) => told(tell(&self.metrics, connection, gather.headers().get(&TRACEPARENT), &mut call), false),
        };
        Answer::Ready(Some(response))
    }

    /// Refuses a call, or hands it to the router.
    fn hand_on(&self, head: Parts, body: Arriving, in_flight: InFlight, call: Call) -> Answer {
        let traceparent = head.headers.get(&TRACEPARENT).cloned();
        let inner = match self.refuse(&head, call.method()) {
            Some(status) => Inner::Refused(status),
            None => route(&self.routes, &self.connection, Request::from_parts(head, body)),
        };
        self.going(inner, traceparent.as_ref(), in_flight, call)
    }

    fn going(
        &self,
        inner: Inner,
        traceparent: Option<&HeaderValue>,
        in_flight: InFlight,
        call: impl Into<Option<Call>>,
    ) -> Answer {
        let call = call.into();
        let plain = call.as_ref().is_some_and(|call| call.method().is_authzen());
        let (connection, metrics) = (Arc::clone(&self.connection), Arc::clone(&self.metrics));
        let bugs = Bugs { connection, metrics, traceparent: traceparent.cloned() };
        Answer::Going(Box::new(Going { inner, in_flight: Some(in_flight), call, plain, bugs }))
    }

    fn refuse(&self, head: &Parts, method: metrics::Method) -> Option<StatusCode> {
        let speaks_authzen = self.kind == Kind::GrpcAndAuthzen;
        if self.kind == Kind::Any || (speaks_authzen && method.is_authzen()) {
            return None;
        }
        let refused = Self::refuse_plain(head)?;
        // A path that is nearly one of `AuthZEN`'s deserves a better answer than that it is no gRPC.
        let is_near = ["/access/", "/.well-known/"].iter().any(|begin| head.uri.path().starts_with(begin));
        Some(if speaks_authzen && is_near { StatusCode::NOT_FOUND } else { refused })
    }

    /// Refuses what is no gRPC.
    fn refuse_plain(head: &Parts) -> Option<StatusCode> {
        if head.version != Version::HTTP_2 {
            Some(StatusCode::HTTP_VERSION_NOT_SUPPORTED)
        } else if head.method != Method::POST {
            Some(StatusCode::METHOD_NOT_ALLOWED)
        } else if is_grpc(&head.headers) {
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
#[expect(clippy::large_enum_variant, reason = "it stands in a box already")]
enum Inner {
    Refused(StatusCode),
    /// Until the body has been read; then nothing.
    Gathering(Option<Gather<Arriving>>, FastPath, Routes),
    Routed(Routed),
}

/// A call: answered when it came, or on its way.
#[expect(clippy::large_enum_variant, reason = "nearly every call is of the large one: a box is an allocation for each")]
pub(super) enum Answer {
    /// Taken by the first who asks.
    Ready(Option<Response<Leaving>>),
    Going(Box<Going>),
}

/// A call on its way; ends with an answer even if its handler panics.
pub(super) struct Going {
    inner: Inner,
    in_flight: Option<InFlight>,
    /// Until the answer is there, or its stream begins.
    call: Option<Call>,
    /// Whether its client knows no gRPC.
    plain: bool,
    bugs: Bugs,
}

impl Future for Answer {
    type Output = Result<Response<Leaving>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = match &mut *self {
            Self::Ready(response) => {
                return response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)));
            }
            Self::Going(going) => &mut **going,
        };
        // The handler is not polled again after a panic, so nobody sees what it left half done.
        let polled = catch_unwind(AssertUnwindSafe(|| this.answer(cx)));
        polled.unwrap_or_else(|_| Poll::Ready(told(this.bugs.tell(&mut this.call), this.plain))).map(Ok)
    }
}

impl Going {
    fn answer(&mut self, cx: &mut Context<'_>) -> Poll<Response<Leaving>> {
        let response = ready!(self.poll_inner(cx));
        let (response, code) = self.begun(response);
        // Its count went with it.
        let streams = self.call.is_none();
        let (head, body) = response.into_parts();
        let (response, code) = match Leaving::new(body, self.in_flight.take(), streams, cx) {
            Ok(body) => (Response::from_parts(head, body), code),
            Err(status) => {
                let code = status.code().into();
                (told(status, self.plain), code)
            }
        };
        // What answers once has nothing left that could fail.
        if let Some(mut call) = self.call.take() {
            call.note(code);
        }
        Poll::Ready(response)
    }

    fn poll_inner(&mut self, cx: &mut Context<'_>) -> Poll<Response<Reply>> {
        let connection = &self.bugs.connection;
        loop {
            self.inner = match &mut self.inner {
                Inner::Refused(status) => {
                    let mut response = Response::new(Reply::End);
                    *response.status_mut() = *status;
                    return Poll::Ready(response);
                }
                Inner::Gathering(gathering, fast, routes) => {
                    let Some(gather) = gathering else { return Poll::Pending };
                    if ready!(gather.poll(fast, cx))
                        && let Some(message) = gather.message()
                        && let Some(response) = fast.answer(connection, gather.headers(), message)
                    {
                        return Poll::Ready(response);
                    }
                    let Some(gather) = gathering.take() else { return Poll::Pending };
                    route(routes, connection, gather.into_request())
                }
                Inner::Routed(routed) => {
                    let Ok(response) = ready!(routed.as_mut().poll(cx));
                    return Poll::Ready(response.map(Reply::Routed));
                }
            }
        }
    }

    /// Hands the count to a stream that goes on; else says how the call ended.
    fn begun(&mut self, response: Response<Reply>) -> (Response<Reply>, i32) {
        let code = code(&response);
        let ended = code.unwrap_or(Code::Ok.into());
        let Some(call) = self.call.take_if(|call| call.method().is_stream() && code.is_none()) else {
            return (response, ended);
        };
        let bugs = self.bugs.clone();
        (response.map(|body| Reply::Routed(Body::new(Streamed::new(body, call, bugs)))), ended)
    }
}

/// What has gone wrong, for a client of gRPC or a `plain` one: to that one a success would be an answer.
fn told(status: Status, plain: bool) -> Response<Leaving> {
    let is_full = status.code() == Code::ResourceExhausted;
    let mut response = status.into_http::<Body>().map(|body| Leaving::of(Reply::Routed(body)));
    if plain {
        let status = if is_full { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::INTERNAL_SERVER_ERROR };
        *response.status_mut() = status;
    }
    response
}

/// The code that a response has from its beginning: that of an error, or of what is no gRPC.
fn code(response: &Response<Reply>) -> Option<i32> {
    // Its code comes behind it.
    if matches!(response.body(), Reply::Message(_)) {
        return None;
    }
    match response.headers().get(&GRPC_STATUS) {
        Some(code) => Some(code.to_str().ok().and_then(|code| code.parse().ok()).unwrap_or(Code::Unknown.into())),
        None if response.status() == StatusCode::OK => None,
        None if let Some(code) = response.extensions().get::<Code>() => Some((*code).into()),
        None if response.status() == StatusCode::SERVICE_UNAVAILABLE => Some(Code::Unavailable.into()),
        None => Some(Code::Unknown.into()),
    }
}
