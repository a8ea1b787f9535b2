//! Bodies: one that is read until it is known whether it is plain, the same one as it came, and an answer's.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, request::Parts};
use http_body::{Body, Frame};
use tonic::{Status, body::Body as TonicBody};

use super::FastPath;

/// A call whose body is being read.
#[derive(Debug)]
pub(in crate::service) struct Gather<B> {
    call: Option<(Parts, B)>,
    message: Option<Bytes>,
}

/// What a body turned out to be.
pub(in crate::service) enum Gathered<B: Body<Data = Bytes>> {
    /// One message, in one frame; the body is at its end.
    Message(Parts, Bytes, B),
    /// Anything else: to be read again from its beginning.
    Other(Request<Replay<B>>),
}

impl<B: Body<Data = Bytes> + Unpin> Gather<B> {
    pub(in crate::service) fn new(request: Request<B>) -> Self {
        Self { call: Some(request.into_parts()), message: None }
    }

    /// Reads on; pending for ever once it was ready.
    pub(in crate::service) fn poll(&mut self, fast: &FastPath, cx: &mut Context<'_>) -> Poll<Gathered<B>> {
        let Some((_, body)) = &mut self.call else { return Poll::Pending };
        let odd = loop {
            match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                None => break None,
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if data.is_empty() => {}
                    Ok(data) if self.message.is_none() && fast.is_message(&data) => self.message = Some(data),
                    Ok(data) => break Some(Ok(Frame::data(data))),
                    Err(trailers) => break Some(Ok(trailers)),
                },
                Some(Err(error)) => break Some(Err(error)),
            }
        };
        let Some((head, body)) = self.call.take() else { return Poll::Pending };
        Poll::Ready(match (self.message.take(), odd) {
            (Some(message), None) => Gathered::Message(head, message, body),
            (first, next) => Gathered::Other(Request::from_parts(head, Replay { first, next, rest: body })),
        })
    }
}

impl<B: Body<Data = Bytes>> Replay<B> {
    /// A body of which one frame was read, up to its end.
    pub(in crate::service) fn whole(message: Bytes, rest: B) -> Self {
        Self { first: Some(message), next: None, rest }
    }
}

/// A body as it came, although its beginning has been read.
pub(in crate::service) struct Replay<B: Body<Data = Bytes>> {
    first: Option<Bytes>,
    next: Option<Result<Frame<Bytes>, B::Error>>,
    rest: B,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Replay<B>
where
    B::Error: Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        match self.next.take() {
            Some(next) => Poll::Ready(Some(next)),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.next.is_none() && self.rest.is_end_stream()
    }
}

/// The body of an answer: one message and an OK, or whatever the router made.
#[derive(Debug)]
pub(in crate::service) enum Reply {
    /// A message that is still to be sent.
    Message(Bytes),
    /// `grpc-status: 0` is still to be sent.
    Ok,
    /// Nothing is left.
    End,
    /// The router's.
    Routed(TonicBody),
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if let Self::Routed(body) = &mut *self {
            return Pin::new(body).poll_frame(cx);
        }
        Poll::Ready(match mem::replace(&mut *self, Self::End) {
            Self::Message(message) => {
                *self = Self::Ok;
                Some(Ok(Frame::data(message)))
            }
            Self::Ok => Some(Ok(Frame::trailers(ok()))),
            Self::End | Self::Routed(_) => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Message(_) | Self::Ok => false,
            Self::End => true,
            Self::Routed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match self {
            Self::Message(_) | Self::Ok | Self::End => http_body::SizeHint::default(),
            Self::Routed(body) => body.size_hint(),
        }
    }
}

fn ok() -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    trailers
}
