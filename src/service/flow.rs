//! The bodies of a call, as they come and go: they tell when a connection's first request is there, and how long a
//! call lasts. They change nothing.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tonic::Status;

use super::{fast::Reply, registry::Connection};

/// A call, counted from its headers to the end of its answer.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Connection>);

impl InFlight {
    pub(super) fn new(connection: &Arc<Connection>) -> Self {
        connection.calls.fetch_add(1, Ordering::Relaxed);
        connection.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(connection))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the client sends.
#[derive(Debug)]
pub(super) struct Arriving {
    body: Incoming,
    /// To be told of the first of it; nobody on a connection that has been heard.
    tell: Option<Arc<Connection>>,
}

impl Arriving {
    pub(super) fn new(body: Incoming, connection: &Arc<Connection>) -> Self {
        if body.is_end_stream() {
            connection.heard.store(true, Ordering::Relaxed);
        }
        let heard = connection.heard.load(Ordering::Relaxed);
        Self { body, tell: (!heard).then(|| Arc::clone(connection)) }
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        // A call that is broken off proves nothing.
        if let Poll::Ready(None | Some(Ok(_))) = polled
            && let Some(connection) = self.tell.take()
        {
            connection.heard.store(true, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What the client is sent; the call lasts as long as it.
#[derive(Debug)]
pub(super) struct Leaving {
    body: Reply,
    _in_flight: Option<InFlight>,
}

impl Leaving {
    pub(super) fn new(body: Reply, in_flight: Option<InFlight>) -> Self {
        // A stream may be answered before its client says anything: then it is the answer that counts.
        if let Some(InFlight(connection)) = &in_flight {
            connection.heard.store(true, Ordering::Relaxed);
        }
        Self { body, _in_flight: in_flight }
    }
}

impl HttpBody for Leaving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
