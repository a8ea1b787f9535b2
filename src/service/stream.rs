//! `AuthorizeStream`: each message is a decision of its own, at its own moment, answered in order.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use prost::Message;
use tokio::sync::watch;
use tokio_stream::{Stream, wrappers::WatchStream};
use tonic::{Status, Streaming};

use super::{
    caller::{Admission, Caller},
    convert,
    fast::PlainQuestion,
    pdp::{Pdp, Refusal},
    proto::v1::{self, authorize_stream_response::Outcome},
    registry::Connection,
    wire,
    written::{stream_response, stream_response_length},
};
use crate::observe::decision_log::Origin;

/// Turns true when the process begins to shut down: whatever would last as long as its client likes ends then.
pub type Drain = watch::Receiver<bool>;

/// The answers to one stream of questions.
pub(super) struct Answers {
    pdp: Arc<Pdp>,
    questions: Streaming<Bytes>,
    drain: WatchStream<bool>,
    /// The same for its connection alone.
    old: Option<WatchStream<bool>>,
    origin: Origin,
    connection: Option<Arc<Connection>>,
    /// The caller's place among their calls in flight.
    _admission: Admission,
    ended: bool,
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("ended", &self.ended).finish_non_exhaustive()
    }
}

/// Answers until the client ends the stream, its connection breaks or is too old, or the drain begins.
pub(super) fn answer_stream(
    pdp: Arc<Pdp>,
    questions: Streaming<Bytes>,
    drain: Drain,
    origin: Origin,
    (connection, admission): (Option<Arc<Connection>>, Admission),
) -> Answers {
    let drain = WatchStream::new(drain);
    let old = connection.as_ref().map(|connection| WatchStream::new(connection.old.subscribe()));
    Answers { pdp, questions, drain, old, origin, connection, _admission: admission, ended: false }
}

impl Stream for Answers {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        // What has arrived is answered first: the drain loses no question that is here already.
        match Pin::new(&mut self.questions).poll_next(cx) {
            Poll::Ready(Some(Ok(question))) => {
                let answer = self.answer(&question);
                self.ended = answer.is_err();
                return Poll::Ready(Some(answer));
            }
            Poll::Ready(Some(Err(status))) => {
                self.ended = true;
                return Poll::Ready(Some(Err(status)));
            }
            Poll::Ready(None) => {
                self.ended = true;
                return Poll::Ready(None);
            }
            Poll::Pending => {}
        }
        let why = if is_told(Some(&mut self.drain), cx) {
            "shutting down; ask again elsewhere"
        } else if is_told(self.old.as_mut(), cx) {
            "the connection is old; ask again on another"
        } else {
            return Poll::Pending;
        };
        self.ended = true;
        Poll::Ready(Some(Err(Status::unavailable(why))))
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
    fn answer(&self, message: &[u8]) -> Result<Bytes, Status> {
        if let Some(question) = PlainQuestion::read_streamed(message) {
            return Ok(self.answer_plain(&question));
        }
        let v1::AuthorizeStreamRequest { request } = wire::decode(message)?;
        let request = request.unwrap_or_default();
        let answer = self.decide(|caller| {
            self.pdp.with_snapshot(request.consistency.as_ref(), |snapshot| {
                self.pdp.authorize(snapshot, &request, self.origin, caller)
            })
        });
        Ok(message_of(&request.request_id, answer.map_or_else(refused, Outcome::Response)))
    }

    fn answer_plain(&self, question: &PlainQuestion<'_>) -> Bytes {
        let id = question.request_id;
        let answer = self.decide(|caller| {
            self.pdp.ask_plain(question, self.origin, caller, |shown, stamp| {
                let mut message = BytesMut::with_capacity(stream_response_length(shown, stamp, id));
                stream_response(&mut message, shown, stamp, id);
                message.freeze()
            })
        });
        answer.unwrap_or_else(|refusal| message_of(id, refused(refusal)))
    }

    /// Each question is one by itself: a stream may outlive the rules by which it was let in.
    fn decide<R>(&self, decide: impl FnOnce(&Caller) -> Result<R, Refusal>) -> Result<R, Refusal> {
        let gate = self.pdp.gate();
        let caller = gate.caller(self.connection.as_deref())?;
        gate.charge(&caller, 1)?;
        decide(&caller)
    }
}

fn refused(refusal: Refusal) -> Outcome {
    Outcome::Error(refusal.into_item())
}

fn message_of(request_id: &str, outcome: Outcome) -> Bytes {
    let request_id = convert::returned_request_id(request_id).to_owned();
    v1::AuthorizeStreamResponse { request_id, outcome: Some(outcome) }.encode_to_vec().into()
}
