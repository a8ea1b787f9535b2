//! `AuthorizeStream`: each message is a decision of its own, answered in order, at the moment at which it is read.

use std::{
    collections::VecDeque,
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use prost::Message;
use tokio::sync::watch;
use tokio_stream::{Stream, wrappers::WatchStream};
use tonic::{Status, Streaming};

use super::{
    caller::Admission,
    convert,
    fast::PlainQuestion,
    pdp::{Pdp, Refusal},
    proto::v1::{self, authorize_stream_response::Outcome},
    registry::Connection,
    wire,
};
use crate::{decide::AHEAD, observe::decision_log::Origin};

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
    /// The room of the last questions that were read together, to be used again.
    asked: Vec<Bytes>,
    /// Answers that are to be handed on.
    answered: VecDeque<Bytes>,
    /// What follows them, once there is an end.
    end: Option<Result<(), Status>>,
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("end", &self.end).finish_non_exhaustive()
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
    let (asked, answered, end) = (Vec::new(), VecDeque::new(), None);
    Answers { pdp, questions, drain, old, origin, connection, _admission: admission, asked, answered, end }
}

impl Stream for Answers {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // What has arrived is answered first: the drain loses no question that is here already.
        while self.answered.is_empty() && self.end.is_none() && self.read(cx) {}
        if let Some(answer) = self.answered.pop_front() {
            return Poll::Ready(Some(Ok(answer)));
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
        Poll::Ready(self.end.as_mut().and_then(|end| mem::replace(end, Ok(())).err()).map(Err))
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
        let mut asked = mem::take(&mut self.asked);
        while asked.len() < AHEAD && self.end.is_none() {
            match Pin::new(&mut self.questions).poll_next(cx) {
                Poll::Ready(Some(Ok(question))) => asked.push(question),
                Poll::Ready(Some(Err(status))) => self.end = Some(Err(status)),
                Poll::Ready(None) => self.end = Some(Ok(())),
                Poll::Pending => break,
            }
        }
        if let Err(status) = self.answer(&asked) {
            self.end = Some(Err(status));
        }
        let is_news = !asked.is_empty() || self.end.is_some();
        asked.clear();
        self.asked = asked;
        is_news
    }

    /// Answers all of them in their order; fails at one that is no question, and then those behind it get no answer.
    fn answer(&mut self, mut messages: &[Bytes]) -> Result<(), Status> {
        while let Some((first, others)) = messages.split_first() {
            let mut plain = Vec::with_capacity(messages.len());
            plain.extend(messages.iter().map_while(|message| PlainQuestion::read_streamed(message)));
            if plain.is_empty() {
                let answer = self.answer_other(first)?;
                self.answered.push_back(answer);
                messages = others;
            } else {
                self.answer_plain(&plain);
                messages = messages.get(plain.len()..).unwrap_or_default();
            }
        }
        Ok(())
    }

    fn answer_other(&self, message: &[u8]) -> Result<Bytes, Status> {
        let v1::AuthorizeStreamRequest { request } = wire::decode(message)?;
        let request = request.unwrap_or_default();
        let gate = self.pdp.gate();
        let answer = gate.caller(self.connection.as_deref()).and_then(|caller| {
            gate.charge(&caller, 1)?;
            self.pdp.with_snapshot(request.consistency.as_ref(), |snapshot| {
                self.pdp.authorize(snapshot, &request, self.origin, &caller)
            })
        });
        Ok(message_of(&request.request_id, answer.map_or_else(refused, Outcome::Response)))
    }

    /// Who asks is looked at anew: a stream may outlive the rules by which it was let in.
    fn answer_plain(&mut self, questions: &[PlainQuestion<'_>]) {
        let answered = &mut self.answered;
        let mut answer = |answer: Result<Bytes, Refusal>, id: &str| {
            answered.push_back(answer.unwrap_or_else(|refusal| message_of(id, refused(refusal))));
        };
        match self.pdp.gate().caller(self.connection.as_deref()) {
            Ok(caller) => self.pdp.stream_plain(questions, self.origin, &caller, answer),
            Err(refusal) => questions.iter().for_each(|one| answer(Err(refusal.clone()), one.request_id)),
        }
    }
}

fn refused(refusal: Refusal) -> Outcome {
    Outcome::Error(refusal.into_item())
}

fn message_of(request_id: &str, outcome: Outcome) -> Bytes {
    let request_id = convert::returned_request_id(request_id).to_owned();
    v1::AuthorizeStreamResponse { request_id, outcome: Some(outcome) }.encode_to_vec().into()
}
