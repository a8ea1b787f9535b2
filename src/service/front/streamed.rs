//! The body of a streamed answer: its call ends with it, and a panic on the way ends it with INTERNAL.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::HeaderMap;
use hyper::body::{Frame, SizeHint};
use tonic::Status;

use super::{Bugs, Reply};
use crate::{observe::metrics::Call, service::headers::GRPC_STATUS};

/// A stream on its way.
pub(super) struct Streamed {
    body: Reply,
    call: Option<Call>,
    bugs: Bugs,
    ended: bool,
}

impl Streamed {
    pub(super) fn new(body: Reply, call: Call, bugs: Bugs) -> Self {
        Self { body, call: Some(call), bugs, ended: false }
    }
}

impl hyper::body::Body for Streamed {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut this.body).poll_frame(cx)));
        let Ok(polled) = polled else {
            this.ended = true;
            let mut trailers = HeaderMap::new();
            let status = this.bugs.tell(&mut this.call);
            this.call = None;
            return Poll::Ready(Some(status.add_header(&mut trailers).map(|()| Frame::trailers(trailers))));
        };
        let frame = ready!(polled);
        let code = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.trailers_ref()?.get(&GRPC_STATUS));
        if let Some(code) = code {
            let code = code.to_str().ok().and_then(|code| code.parse().ok()).unwrap_or(-1);
            if let Some(mut call) = this.call.take() {
                call.note(code);
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
