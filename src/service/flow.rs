//! The bodies of a call, as they come and go: they tell when a connection's first request is there, how long a call
//! lasts, and how much of it is held. They change nothing of what they carry.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tonic::Status;

use super::{fast::Reply, framing::Framing, registry::Connection, room::Held};

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
    held: Held,
    /// Of a call that sends message after message: each is let go when the next is read. Others hold theirs to the end.
    framing: Option<Framing>,
    /// To be told of the first of it; nobody on a connection that has been heard.
    tell: Option<Arc<Connection>>,
}

impl Arriving {
    /// With `streams` it may carry many messages.
    pub(super) fn new(body: Incoming, connection: &Arc<Connection>, streams: bool) -> Self {
        if body.is_end_stream() {
            connection.heard.store(true, Ordering::Relaxed);
        }
        let heard = connection.heard.load(Ordering::Relaxed);
        let tell = (!heard).then(|| Arc::clone(connection));
        Self { body, held: Held::new(connection), framing: streams.then(Framing::default), tell }
    }

    /// Counts what has come; `false` when there is no room for it.
    fn hold(&mut self, frame: &Frame<Bytes>) -> bool {
        let Some(bytes) = frame.data_ref() else { return true };
        match self.framing.as_mut().map(|framing| framing.pass(bytes)) {
            // Its reader asks for more only when it has taken what was whole.
            Some((open, true)) => {
                self.held.release();
                self.held.grow(open)
            }
            _ => self.held.grow(bytes.len()),
        }
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx).map_err(|error| Status::from_error(Box::new(error)));
        // A call that is broken off proves nothing.
        if let Poll::Ready(None | Some(Ok(_))) = polled
            && let Some(connection) = self.tell.take()
        {
            connection.heard.store(true, Ordering::Relaxed);
        }
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && !self.hold(frame)
        {
            return Poll::Ready(Some(Err(Status::resource_exhausted("too much is being sent; try again later"))));
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

fn length(frame: &Frame<Bytes>) -> usize {
    frame.data_ref().map_or(0, Bytes::len)
}

/// What the client is sent; the call lasts as long as it.
#[derive(Debug)]
pub(super) struct Leaving {
    body: Reply,
    /// What it begins with, if that was there at once.
    first: Option<Result<Frame<Bytes>, Status>>,
    ended: bool,
    held: Option<Held>,
    /// Whether more may follow the beginning at any time.
    streams: bool,
    _in_flight: Option<InFlight>,
}

impl Leaving {
    /// Of a body that takes no room.
    pub(super) fn of(body: Reply) -> Self {
        Self { body, first: None, ended: false, held: None, streams: false, _in_flight: None }
    }

    /// Of a small body.
    pub(super) fn plain(body: Reply, in_flight: InFlight) -> Self {
        Self { _in_flight: Some(in_flight), ..Self::of(body) }
    }

    /// Of a body that is asked for its beginning, which for most calls is all of the message: what is large has to find
    /// room. `None` where it finds none. With `streams` it may go on for as long as the client likes.
    pub(super) fn new(
        mut body: Reply,
        in_flight: Option<InFlight>,
        streams: bool,
        cx: &mut Context<'_>,
    ) -> Option<Self> {
        let (mut first, mut ended) = (None, body.is_end_stream());
        // What was answered before the router is small, and is not asked.
        if !ended && matches!(body, Reply::Routed(_)) {
            match Pin::new(&mut body).poll_frame(cx) {
                Poll::Ready(Some(frame)) => first = Some(frame),
                Poll::Ready(None) => ended = true,
                Poll::Pending => {}
            }
        }
        let mut held = None;
        if let Some(InFlight(connection)) = &in_flight {
            // A stream may be answered before its client says anything: then it is the answer that counts.
            connection.heard.store(true, Ordering::Relaxed);
            if let Some(Ok(frame)) = &first {
                let held = held.insert(Held::new(connection));
                if !held.grow(length(frame)) {
                    return None;
                }
            }
        }
        Some(Self { body, first, ended, held, streams, _in_flight: in_flight })
    }
}

impl HttpBody for Leaving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        // More is asked for when the client had room for what came before. Held to its end, the beginning of a stream
        // would be found to be taken too slowly, and its connection closed.
        if self.streams {
            self.held = None;
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && (self.ended || self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        if let Some(Ok(frame)) = &self.first {
            let known = u64::try_from(length(frame)).unwrap_or(u64::MAX);
            let upper = hint.upper().map(|upper| upper.saturating_add(known));
            if let Some(upper) = upper {
                hint.set_upper(upper);
            }
            hint.set_lower(hint.lower().saturating_add(known));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, task::Waker};

    use tonic::body::Body as TonicBody;

    use super::*;
    use crate::{
        observe::metrics::Metrics,
        service::{Peer, Registry},
    };

    /// Gives what is here, and then nothing for ever.
    struct Slow(VecDeque<Bytes>);

    impl HttpBody for Slow {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            self.0.pop_front().map_or(Poll::Pending, |data| Poll::Ready(Some(Ok(Frame::data(data)))))
        }
    }

    #[tokio::test]
    async fn what_a_stream_begins_with_is_held_until_more_is_asked_for() {
        let large = Bytes::from(vec![7; 32 * 1024]);
        let registry = Arc::new(Registry::new(1, Arc::new(Metrics::default())));
        let registered = registry.register(Peer::Unknown, "data").unwrap();
        let held = || registered.connection().share.held();
        let mut nobody = Context::from_waker(Waker::noop());
        for streams in [true, false] {
            let body = Reply::Routed(TonicBody::new(Slow([large.clone()].into())));
            let in_flight = Some(InFlight::new(registered.connection()));
            let mut leaving = Leaving::new(body, in_flight, streams, &mut nobody).unwrap();
            assert!(matches!(Pin::new(&mut leaving).poll_frame(&mut nobody), Poll::Ready(Some(Ok(_)))));
            assert_eq!(held(), large.len(), "not before there is room for more");
            assert!(Pin::new(&mut leaving).poll_frame(&mut nobody).is_pending());
            assert_eq!(held(), if streams { 0 } else { large.len() });
            drop(leaving);
            assert_eq!(held(), 0);
        }
    }
}
