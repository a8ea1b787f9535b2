//! `AuthorizeStream`: each message is a decision of its own, at its own moment, answered in order.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::sync::watch;
use tokio_stream::{Stream, wrappers::WatchStream};
use tonic::{Status, Streaming};

use super::{
    caller::Admission,
    convert,
    pdp::{Pdp, Refusal},
    proto::v1::{self, authorize_stream_response::Outcome},
    registry::Connection,
};
use crate::observe::decision_log::Origin;

/// Turns true when the process begins to shut down: whatever would last as long as its client likes ends then.
pub type Drain = watch::Receiver<bool>;

/// The answers to one stream of questions.
pub struct Answers {
    pdp: Arc<Pdp>,
    questions: Streaming<v1::AuthorizeStreamRequest>,
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
    questions: Streaming<v1::AuthorizeStreamRequest>,
    drain: Drain,
    origin: Origin,
    (connection, admission): (Option<Arc<Connection>>, Admission),
) -> Answers {
    let drain = WatchStream::new(drain);
    let old = connection.as_ref().map(|connection| WatchStream::new(connection.old.subscribe()));
    Answers { pdp, questions, drain, old, origin, connection, _admission: admission, ended: false }
}

impl Stream for Answers {
    type Item = Result<v1::AuthorizeStreamResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        // What has arrived is answered first: the drain loses no question that is here already.
        match Pin::new(&mut self.questions).poll_next(cx) {
            Poll::Ready(Some(Ok(question))) => return Poll::Ready(Some(Ok(self.answer(question)))),
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
    fn answer(&self, question: v1::AuthorizeStreamRequest) -> v1::AuthorizeStreamResponse {
        let v1::AuthorizeStreamRequest { request } = question;
        let request = request.unwrap_or_default();
        let answer = self.decide(&request);
        let outcome = match answer {
            Ok(response) => Outcome::Response(response),
            Err(refusal) => Outcome::Error(Refusal::into_item(refusal)),
        };
        let request_id = match convert::check_request_id(&request.request_id) {
            Ok(()) => request.request_id,
            Err(_) => String::new(),
        };
        v1::AuthorizeStreamResponse { request_id, outcome: Some(outcome) }
    }

    /// Each question is one by itself: a stream may outlive the rules by which it was let in.
    fn decide(&self, request: &v1::AuthorizeRequest) -> Result<v1::AuthorizeResponse, Refusal> {
        let gate = self.pdp.gate();
        let caller = gate.caller(self.connection.as_deref())?;
        gate.charge(&caller, 1)?;
        self.pdp.with_snapshot(request.consistency.as_ref(), |snapshot| {
            self.pdp.authorize(snapshot, request, self.origin, &caller)
        })
    }
}
