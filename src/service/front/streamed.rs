//! The body of a streamed answer: its call ends with it. A panic on the way ends it with INTERNAL, and a large frame for
//! which there is no room with `RESOURCE_EXHAUSTED`.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::{Frame, SizeHint};
use tonic::Status;

use super::{Bugs, Reply};
use crate::{
    observe::metrics::Call,
    service::{flow::find_room, headers::GRPC_STATUS},
};

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

    fn note(&mut self, code: i32) {
        if let Some(mut call) = self.call.take() {
            call.note(code);
        }
    }

    fn end(&mut self, status: &Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.ended = true;
        self.call = None;
        let mut trailers = HeaderMap::new();
        Poll::Ready(Some(status.add_header(&mut trailers).map(|()| Frame::trailers(trailers))))
    }
}

impl hyper::body::Body for Streamed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut this.body).poll_frame(cx)));
        let Ok(polled) = polled else {
            let status = this.bugs.tell(&mut this.call);
            return this.end(&status);
        };
        let frame = match ready!(polled) {
            Some(Ok(frame)) => frame,
            end => return Poll::Ready(end),
        };
        if let Some(code) = frame.trailers_ref().and_then(|trailers| trailers.get(&GRPC_STATUS)) {
            let code = code.to_str().ok().and_then(|code| code.parse().ok()).unwrap_or(-1);
            this.note(code);
        }
        match find_room(frame, &this.bugs.connection) {
            Ok(frame) => Poll::Ready(Some(Ok(frame))),
            Err(status) => {
                this.note(status.code().into());
                this.end(&status)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::{iter, sync::Arc, task::Waker};

    use hyper::body::Body as _;

    use super::*;
    use crate::{
        observe::metrics::{Exposition, Method, Metrics},
        service::{Peer, Registry},
    };

    /// A megabyte, again and again.
    struct Large(iter::RepeatN<Bytes>);

    impl hyper::body::Body for Large {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            Poll::Ready(self.0.next().map(|data| Ok(Frame::data(data))))
        }
    }

    #[tokio::test]
    async fn one_for_whose_frames_there_is_no_room_ends_with_the_reason() {
        let metrics = Arc::new(Metrics::default());
        let registry = Arc::new(Registry::new(1, Arc::clone(&metrics)));
        let registered = registry.register(Peer::Unknown, "data").unwrap();
        let connection = Arc::clone(registered.connection());
        let bugs = Bugs { connection, metrics: Arc::clone(&metrics), traceparent: None };
        let call = metrics.call(Method::of("/sidegate.v1.AuthorizationService/AuthorizeStream"), || None);
        let body = Large(iter::repeat_n(Bytes::from(vec![7; 1 << 20]), 100));
        let mut streamed = Streamed::new(Reply::Routed(tonic::body::Body::new(body)), call, bugs);
        let (mut taken, mut nobody) = (Vec::new(), Context::from_waker(Waker::noop()));
        let trailers = loop {
            let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut streamed).poll_frame(&mut nobody) else { panic!() };
            match frame.into_data() {
                Ok(data) => taken.push(data),
                Err(frame) => break frame.into_trailers().unwrap(),
            }
        };
        assert_eq!((taken.len(), &trailers["grpc-status"]), (16, &"8".parse().unwrap()));
        assert!(streamed.is_end_stream());
        assert!(matches!(Pin::new(&mut streamed).poll_frame(&mut nobody), Poll::Ready(None)));
        let told = metrics.expose(Exposition::Text);
        let line = "sidegate_calls_total{method=\"AuthorizeStream\",code=\"RESOURCE_EXHAUSTED\"} 1\n";
        assert!(told.contains(line), "{told}");
    }
}
