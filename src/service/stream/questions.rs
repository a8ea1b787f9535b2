//! The questions of a stream, as they lie in what has come: cut where one ends and the next begins, and copied only where
//! one came in parts.
//!
//! Not a reader of everything: whatever is out of the ordinary (compressed, too large, cut off, broken) is left to tonic
//! from that byte on, which ends the stream and knows what is to be said.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body as _, Frame};
use tokio_stream::Stream;
use tonic::{Status, Streaming, body::Body};

use crate::service::{
    direct::Raw,
    fast::Replay,
    framing::{Next, PREFIX},
};

/// Where they come from.
pub(in crate::service) struct Questions {
    body: Body,
    /// What has come and was not taken.
    come: Bytes,
    /// What came before it of a message that was not whole; then `come` is what follows.
    open: BytesMut,
    /// How many bytes a message may have.
    most: usize,
    odd: Option<Streaming<Bytes>>,
}

/// Whole messages, one behind the other, each behind its prefix.
pub(in crate::service) struct Run {
    bytes: Bytes,
    count: usize,
}

/// What was cut off.
enum Cut {
    Run(Run),
    /// More must come first; all that is here is `open`.
    Nothing,
    Odd,
}

impl Questions {
    /// Of a body whose messages may have `most` bytes.
    pub(in crate::service) fn new(body: Body, most: usize) -> Self {
        Self { body, come: Bytes::new(), open: BytesMut::new(), most, odd: None }
    }

    /// Some that are here, `room` at most and one at least; `None` at the end, and an error instead of it.
    pub(in crate::service) fn poll(&mut self, room: usize, cx: &mut Context<'_>) -> Poll<Option<Result<Run, Status>>> {
        loop {
            if let Some(odd) = &mut self.odd {
                let end = ready!(Pin::new(odd).poll_next(cx));
                // What is left to it holds no message that it could give.
                let none = |_| Err(Status::internal("a message where there was none"));
                return Poll::Ready(end.map(|end| end.and_then(none)));
            }
            match self.cut(room) {
                Cut::Run(run) => return Poll::Ready(Some(Ok(run))),
                Cut::Nothing => {
                    let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
                    match frame.map(|frame| frame.map(Frame::into_data)) {
                        None if self.open.is_empty() => return Poll::Ready(None),
                        None => self.leave(None, Body::empty()),
                        Some(Ok(Ok(data))) => self.come = data,
                        Some(Ok(Err(trailers))) => self.leave_rest(Some(Ok(trailers))),
                        Some(Err(error)) => self.leave_rest(Some(Err(error))),
                    }
                }
                Cut::Odd => self.leave_rest(None),
            }
        }
    }

    fn cut(&mut self, room: usize) -> Cut {
        if !self.open.is_empty() {
            return self.close();
        }
        let (mut length, mut count) = (0, 0);
        loop {
            let next = Next::of(self.come.get(length..).unwrap_or_default(), self.most);
            match next {
                Next::Whole(more) if count < room => {
                    length += more;
                    count += 1;
                }
                _ if count > 0 => return Cut::Run(Run { bytes: self.come.split_to(length), count }),
                Next::Whole(_) | Next::Part(_) => {
                    self.open.extend_from_slice(&mem::take(&mut self.come));
                    return Cut::Nothing;
                }
                Next::Odd => return Cut::Odd,
            }
        }
    }

    /// Adds to the message that is open what has come of it.
    fn close(&mut self) -> Cut {
        loop {
            match Next::of(&self.open, self.most) {
                Next::Whole(_) => return Cut::Run(Run { bytes: mem::take(&mut self.open).freeze(), count: 1 }),
                Next::Part(_) if self.come.is_empty() => return Cut::Nothing,
                Next::Part(missing) => {
                    let part = self.come.split_to(missing.min(self.come.len()));
                    self.open.extend_from_slice(&part);
                }
                Next::Odd => return Cut::Odd,
            }
        }
    }

    fn leave_rest(&mut self, next: Option<Result<Frame<Bytes>, Status>>) {
        let rest = mem::replace(&mut self.body, Body::empty());
        self.leave(next, rest);
    }

    /// Leaves to tonic what has come, what comes next and the rest.
    fn leave(&mut self, next: Option<Result<Frame<Bytes>, Status>>, rest: Body) {
        self.open.extend_from_slice(&mem::take(&mut self.come));
        let first = mem::take(&mut self.open).freeze();
        self.odd = Some(Streaming::new_request(Raw, Replay::new(first, next, rest), None, Some(self.most)));
    }
}

impl Run {
    /// How many there are.
    pub(in crate::service) fn count(&self) -> usize {
        self.count
    }

    /// Each without its prefix.
    pub(in crate::service) fn messages(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.bytes[..];
        std::iter::from_fn(move || {
            let Next::Whole(length) = Next::of(rest, usize::MAX) else { return None };
            let (message, behind) = rest.split_at_checked(length)?;
            rest = behind;
            message.get(PREFIX..)
        })
    }
}

#[cfg(test)]
mod tests;
