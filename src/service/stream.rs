//! `AuthorizeStream`: each message is a decision of its own, answered in order, at the moment at which it is read.

mod questions;

use std::{
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use tokio::sync::watch;
use tokio_stream::{Stream, wrappers::WatchStream};
use tonic::Status;

use super::{
    caller::Admission,
    fast::PlainQuestion,
    pdp::{Pdp, in_stream},
    proto::v1,
    registry::Connection,
    wire,
    written::other_stream_response,
};
use crate::{decide::AHEAD, observe::decision_log::Origin};

pub(super) use questions::{Questions, Run};

/// Turns true when the process begins to shut down: whatever would last as long as its client likes ends then.
pub type Drain = watch::Receiver<bool>;

/// When so many bytes are answered, or a few more, they are handed on, whatever else is here: less than what would be counted
/// as one large answer, and cost a connection whose client does not read for a while.
const ENOUGH: usize = 13 * 1024 + 512;

/// The answers to one stream of questions: the body of a response.
pub(super) struct Answers {
    pdp: Arc<Pdp>,
    questions: Questions,
    drain: WatchStream<bool>,
    /// The same for its connection alone.
    old: Option<WatchStream<bool>>,
    origin: Origin,
    connection: Option<Arc<Connection>>,
    /// The caller's place among their calls in flight, until there is an end.
    admission: Option<Admission>,
    /// The room of the last questions that were read together, to be used again.
    asked: Vec<Run>,
    /// Answers behind their prefixes that are to be handed on.
    answered: Vec<u8>,
    /// How many bytes were handed on last: the next are mostly as many.
    room: usize,
    /// What follows them, once there is an end.
    end: Option<Result<(), Status>>,
    /// That was said.
    is_over: bool,
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("end", &self.end).finish_non_exhaustive()
    }
}

/// Answers until the client ends the stream, its connection breaks or is too old, or the drain begins.
pub(super) fn answer_stream(
    pdp: Arc<Pdp>,
    questions: Questions,
    drain: Drain,
    origin: Origin,
    (connection, admission): (Option<Arc<Connection>>, Admission),
) -> Answers {
    let drain = WatchStream::new(drain);
    let old = connection.as_ref().map(|connection| WatchStream::new(connection.old.subscribe()));
    Answers {
        pdp,
        questions,
        drain,
        old,
        origin,
        connection,
        admission: Some(admission),
        asked: Vec::new(),
        answered: Vec::new(),
        room: 0,
        end: None,
        is_over: false,
    }
}

impl Body for Answers {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        // What has arrived is answered first: the drain loses no question that is here already.
        while self.answered.len() < ENOUGH && self.end.is_none() && self.read(cx) {}
        if self.end.is_some() {
            self.admission = None;
        }
        if !self.answered.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(self.hand_on()))));
        }
        if self.end.is_none() {
            let why = if is_told(Some(&mut self.drain), cx) {
                "shutting down; ask again elsewhere"
            } else if is_told(self.old.as_mut(), cx) {
                "the connection is old; ask again on another"
            } else {
                return Poll::Pending;
            };
            self.end = Some(Err(Status::unavailable(why)));
        }
        self.is_over = true;
        let status = self.end.take().and_then(Result::err).unwrap_or_else(|| Status::ok(""));
        let mut trailers = HeaderMap::with_capacity(2);
        Poll::Ready(Some(status.add_header(&mut trailers).map(|()| Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }
}

/// Whether this has turned true, or can no more; otherwise the task is woken when it does.
fn is_told(signal: Option<&mut WatchStream<bool>>, cx: &mut Context<'_>) -> bool {
    let Some(signal) = signal else { return false };
    while let Poll::Ready(news) = Pin::new(&mut *signal).poll_next(cx) {
        if news.unwrap_or(true) {
            return true;
        }
    }
    false
}

impl Answers {
    /// Reads and answers some of the questions that are here; whether there were any, or the end.
    fn read(&mut self, cx: &mut Context<'_>) -> bool {
        let (mut runs, mut room) = (mem::take(&mut self.asked), AHEAD);
        while room > 0 && self.end.is_none() {
            match self.questions.poll(room, cx) {
                Poll::Ready(Some(Ok(run))) => {
                    room = room.saturating_sub(run.count());
                    runs.push(run);
                }
                Poll::Ready(Some(Err(status))) => self.end = Some(Err(status)),
                Poll::Ready(None) => self.end = Some(Ok(())),
                Poll::Pending => break,
            }
        }
        let is_news = !runs.is_empty() || self.end.is_some();
        if let Err(status) = self.answer(&runs) {
            self.end = Some(Err(status));
        }
        runs.clear();
        self.asked = runs;
        is_news
    }

    /// Answers all of them in their order; fails at one that is no question, and then those behind it get no answer.
    fn answer(&mut self, runs: &[Run]) -> Result<(), Status> {
        if runs.is_empty() {
            return Ok(());
        }
        let mut plain = Vec::with_capacity(AHEAD);
        for message in runs.iter().flat_map(Run::messages) {
            if let Some(question) = PlainQuestion::read_streamed(message) {
                plain.push(question);
            } else {
                self.answer_plain(&plain);
                plain.clear();
                self.answer_other(message)?;
            }
        }
        self.answer_plain(&plain);
        Ok(())
    }

    fn answer_other(&mut self, message: &[u8]) -> Result<(), Status> {
        let v1::AuthorizeStreamRequest { request } = wire::decode(message)?;
        let request = request.unwrap_or_default();
        let gate = self.pdp.gate();
        let answer = gate.caller(self.connection.as_deref()).and_then(|caller| {
            gate.charge(&caller, 1)?;
            self.pdp.with_snapshot(request.consistency.as_ref(), |snapshot| {
                self.pdp.authorize(snapshot, &request, self.origin, &caller)
            })
        });
        other_stream_response(&mut self.answered, &in_stream(answer, &request.request_id));
        Ok(())
    }

    /// Who asks is looked at anew: a stream may outlive the rules by which it was let in.
    fn answer_plain(&mut self, questions: &[PlainQuestion<'_>]) {
        if questions.is_empty() {
            return;
        }
        let Self { pdp, answered: out, origin, connection, room, .. } = self;
        if out.is_empty() {
            out.reserve(*room);
        }
        match pdp.gate().caller(connection.as_deref()) {
            Ok(caller) => pdp.stream_plain(questions, *origin, &caller, out),
            Err(refusal) => questions.iter().for_each(|question| {
                other_stream_response(out, &in_stream(Err(refusal.clone()), question.request_id));
            }),
        }
    }

    fn hand_on(&mut self) -> Bytes {
        self.room = self.answered.len();
        let mut answered = mem::take(&mut self.answered);
        // Who reads slowly holds what is not sent: that, and not much more.
        if answered.capacity() > 2 * self.room {
            answered.shrink_to_fit();
        }
        answered.into()
    }
}
