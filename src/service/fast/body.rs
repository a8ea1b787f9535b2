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
use crate::service::headers::GRPC_STATUS;

/// A call whose body is being read.
pub(in crate::service) struct Gather<B: Body<Data = Bytes>> {
    head: Parts,
    body: B,
    message: Option<Bytes>,
    /// What keeps the body from being one message in one frame, after which it ends.
    odd: Option<Result<Frame<Bytes>, B::Error>>,
    /// Nothing follows.
    ended: bool,
}

impl<B: Body<Data = Bytes> + Unpin> Gather<B> {
    pub(in crate::service) fn new(head: Parts, body: B) -> Self {
        Self { head, body, message: None, odd: None, ended: false }
    }

    /// Reads on. Ready, then and ever after, once it is known what the body is: one message, or anything else.
    pub(in crate::service) fn poll(&mut self, fast: &FastPath, cx: &mut Context<'_>) -> Poll<bool> {
        while self.odd.is_none() && !self.ended {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None => self.ended = true,
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if data.is_empty() => {}
                    Ok(data) if self.message.is_none() && fast.is_message(&data) => {
                        self.message = Some(data);
                        // It mostly ends with that very frame, and is not asked again.
                        self.ended = self.body.is_end_stream();
                    }
                    Ok(data) => self.odd = Some(Ok(Frame::data(data))),
                    Err(trailers) => self.odd = Some(Ok(trailers)),
                },
                Some(Err(error)) => self.odd = Some(Err(error)),
            }
        }
        Poll::Ready(self.odd.is_none() && self.message.is_some())
    }

    pub(in crate::service) fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// What has been read that looks like a message.
    pub(in crate::service) fn message(&self) -> Option<&Bytes> {
        self.message.as_ref()
    }

    /// The call as it came, to be read again from its beginning.
    pub(in crate::service) fn into_request(self) -> Request<Replay<B>> {
        let Self { head, body, message, odd, ended: _ } = self;
        Request::from_parts(head, Replay { first: message, next: odd, rest: body })
    }
}

/// A body as it came, although its beginning has been read.
pub(in crate::service) struct Replay<B: Body<Data = Bytes>> {
    first: Option<Bytes>,
    next: Option<Result<Frame<Bytes>, B::Error>>,
    rest: B,
}

impl<B: Body<Data = Bytes>> Replay<B> {
    /// A body of which this much has been read.
    pub(in crate::service) fn new(first: Bytes, next: Option<Result<Frame<Bytes>, B::Error>>, rest: B) -> Self {
        Self { first: Some(first), next, rest }
    }
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
    trailers.insert(&GRPC_STATUS, HeaderValue::from_static("0"));
    trailers
}
