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

use super::{
    fast::Reply,
    framing::Framing,
    registry::Connection,
    room::{Held, SMALL},
};

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

/// What is sent, with the room that it takes. Not given back before all of it is written or thrown away: hyper hands a whole
/// frame to h2 as soon as the client has room for one byte, and asks for the next at once.
struct Sent {
    bytes: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Finds room for what is large; what is small goes as it is.
pub(super) fn find_room(frame: Frame<Bytes>, connection: &Arc<Connection>) -> Result<Frame<Bytes>, Status> {
    if length(&frame) <= SMALL {
        return Ok(frame);
    }
    let mut held = Held::new(connection);
    if held.grow(length(&frame)) {
        Ok(frame.map_data(|bytes| Bytes::from_owner(Sent { bytes, _held: held })))
    } else {
        Err(Status::resource_exhausted("too many answers are not taken; try again later"))
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
    in_flight: Option<InFlight>,
}

impl Leaving {
    /// Of a body that takes no room.
    pub(super) fn of(body: Reply) -> Self {
        Self { body, first: None, ended: false, in_flight: None }
    }

    /// Of a small body.
    pub(super) fn plain(body: Reply, in_flight: InFlight) -> Self {
        Self { in_flight: Some(in_flight), ..Self::of(body) }
    }

    /// Of a body that is asked for its beginning, which is all of the message: what is large has to find room. What
    /// `streams` finds it by itself, frame by frame.
    ///
    /// # Errors
    /// There is no room for it.
    pub(super) fn new(
        body: Reply,
        in_flight: Option<InFlight>,
        streams: bool,
        cx: &mut Context<'_>,
    ) -> Result<Self, Status> {
        let mut leaving = Self { in_flight, ..Self::of(body) };
        leaving.ended = leaving.body.is_end_stream();
        if let Some(InFlight(connection)) = &leaving.in_flight {
            // A stream may be answered before its client says anything: then it is the answer that counts.
            connection.heard.store(true, Ordering::Relaxed);
        }
        // What was answered before the router is small, and is not asked.
        if !leaving.ended && matches!(leaving.body, Reply::Routed(_)) {
            match Pin::new(&mut leaving.body).poll_frame(cx) {
                Poll::Ready(Some(frame)) => leaving.first = Some(frame),
                Poll::Ready(None) => leaving.ended = true,
                Poll::Pending => {}
            }
        }
        if let Some(InFlight(connection)) = &leaving.in_flight
            && !streams
            && let Some(Ok(frame)) = leaving.first.take_if(|first| first.is_ok())
        {
            leaving.first = Some(Ok(find_room(frame, connection)?));
        }
        Ok(leaving)
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
    use bytes::Buf;

    use super::*;
    use crate::{
        observe::metrics::Metrics,
        service::{Peer, Registry},
    };

    #[tokio::test]
    async fn what_is_large_takes_room_until_it_is_written() {
        let registry = Arc::new(Registry::new(1, Arc::new(Metrics::default())));
        let registered = registry.register(Peer::Unknown, "data").unwrap();
        let held = || registered.connection().share.held();
        let send = |size: usize| {
            let frame = Frame::data(Bytes::from(vec![7; size]));
            find_room(frame, registered.connection()).unwrap().into_data().unwrap()
        };
        let (small, mut first, second) = (send(SMALL), send(32 * 1024), send(64 * 1024));
        assert_eq!((small.len(), first.len(), second.len()), (SMALL, 32 * 1024, 64 * 1024));
        assert_eq!(held(), 96 * 1024, "what is small is not counted");
        // As h2 does it, frame by frame.
        first.advance(16 * 1024);
        assert_eq!(held(), 96 * 1024);
        drop(first);
        assert_eq!(held(), 64 * 1024);
        drop(second);
        assert_eq!(held(), 0);
    }
}
