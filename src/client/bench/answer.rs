//! Answers, read as far as a load generator must: the decision, and the snapshot that gave it.

use bytes::{Buf, Bytes, BytesMut};
use prost::Message;

use crate::service::proto::v1;

/// What became of one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It was decided.
    Decided(bool),
    /// It could not be asked; the code of a gRPC status.
    Refused(i32),
}

/// The parts of an `AuthorizeResponse` or a `Verdict` that count here; whatever else it holds is skipped.
#[derive(Clone, PartialEq, Message)]
struct Answer {
    #[prost(int32, tag = "1")]
    decision: i32,
    #[prost(message, optional, tag = "5")]
    snapshot: Option<Snapshot>,
}

#[derive(Clone, PartialEq, Message)]
struct Snapshot {
    #[prost(bytes = "bytes", tag = "2")]
    digest: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct Batch {
    #[prost(message, repeated, tag = "1")]
    results: Vec<Item>,
    #[prost(message, optional, tag = "2")]
    snapshot: Option<Snapshot>,
}

/// A result of a batch, or an answer of a stream: they have the same form.
#[derive(Clone, PartialEq, Message)]
struct Item {
    #[prost(message, optional, tag = "2")]
    answer: Option<Answer>,
    #[prost(message, optional, tag = "3")]
    error: Option<ItemError>,
}

#[derive(Clone, PartialEq, Message)]
struct ItemError {
    #[prost(int32, tag = "1")]
    code: i32,
}

/// Of a single call.
pub(super) fn single(message: Bytes) -> Option<(Said, Bytes)> {
    let answer = Answer::decode(message).ok()?;
    Some((answer.said()?, digest(answer.snapshot)))
}

/// Of a batch.
pub(super) fn batch(message: Bytes) -> Option<(Vec<Said>, Bytes)> {
    let batch = Batch::decode(message).ok()?;
    let said = batch.results.into_iter().map(|item| item.said().map(|(said, _)| said));
    Some((said.collect::<Option<_>>()?, digest(batch.snapshot)))
}

/// Of a message of a stream.
pub(super) fn streamed(message: Bytes) -> Option<(Said, Bytes)> {
    Item::decode(message).ok()?.said()
}

/// Takes the next whole message out of what has arrived; `Err` where it is none that was asked for.
pub(super) fn next_message(arrived: &mut BytesMut) -> Result<Option<Bytes>, Unreadable> {
    let Some((head, rest)) = arrived.split_first_chunk::<5>() else { return Ok(None) };
    let [compressed, length @ ..] = *head;
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(|_| Unreadable)?;
    if compressed != 0 {
        return Err(Unreadable);
    }
    if rest.len() < length {
        return Ok(None);
    }
    arrived.advance(5);
    Ok(Some(arrived.split_to(length).freeze()))
}

/// An answer that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

impl Answer {
    /// A decision that is neither allow nor deny is no answer.
    fn said(&self) -> Option<Said> {
        match v1::Decision::try_from(self.decision) {
            Ok(v1::Decision::Allow) => Some(Said::Decided(true)),
            Ok(v1::Decision::Deny) => Some(Said::Decided(false)),
            _ => None,
        }
    }
}

impl Item {
    fn said(self) -> Option<(Said, Bytes)> {
        match (self.answer, self.error) {
            (Some(answer), None) => Some((answer.said()?, digest(answer.snapshot))),
            (None, Some(error)) => Some((Said::Refused(error.code), Bytes::new())),
            _ => None,
        }
    }
}

fn digest(snapshot: Option<Snapshot>) -> Bytes {
    snapshot.map(|snapshot| snapshot.digest).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};
    use prost::Message;

    use super::v1::authorize_stream_response::Outcome;
    use super::v1::batch_authorize_result::Outcome as Result;
    use super::{Said, Unreadable, batch, next_message, single, streamed, v1};

    fn response(decision: v1::Decision) -> v1::AuthorizeResponse {
        v1::AuthorizeResponse {
            decision: decision.into(),
            rule_id: "roles/a".into(),
            snapshot: Some(v1::SnapshotRef { sequence: 7, digest: "abc".into(), stale: false }),
            ..Default::default()
        }
    }

    fn bytes(message: &impl Message) -> Bytes {
        message.encode_to_vec().into()
    }

    #[test]
    fn reads_what_the_generated_code_writes() {
        let (allow, deny) = (response(v1::Decision::Allow), response(v1::Decision::Deny));
        assert_eq!(single(bytes(&allow)), Some((Said::Decided(true), "abc".into())));
        assert_eq!(single(bytes(&deny)), Some((Said::Decided(false), "abc".into())));
        assert_eq!(single(bytes(&response(v1::Decision::Unspecified))), None, "no decision is no answer");
        assert_eq!(single(Bytes::from_static(b"\xff")), None);
        let of = |outcome| v1::AuthorizeStreamResponse { request_id: String::new(), outcome };
        assert_eq!(streamed(bytes(&of(Some(Outcome::Response(allow))))), Some((Said::Decided(true), "abc".into())));
        let error = v1::ItemError { code: 3, ..Default::default() };
        assert_eq!(streamed(bytes(&of(Some(Outcome::Error(error.clone()))))), Some((Said::Refused(3), Bytes::new())));
        assert_eq!(streamed(bytes(&of(None))), None);
        let verdict = v1::Verdict { decision: v1::Decision::Deny.into(), ..Default::default() };
        let results = [Result::Verdict(verdict), Result::Error(error)];
        let results = results.map(|one| v1::BatchAuthorizeResult { outcome: Some(one), ..Default::default() });
        let whole =
            v1::BatchAuthorizeResponse { results: results.into(), snapshot: deny.snapshot, ..Default::default() };
        assert_eq!(batch(bytes(&whole)), Some((vec![Said::Decided(false), Said::Refused(3)], "abc".into())));
    }

    #[test]
    fn takes_messages_apart_wherever_they_are_cut() {
        let all = b"\0\0\0\0\x02ab\0\0\0\0\0\0\0\0\0\x01c";
        for cut in 0..all.len() {
            let (mut arrived, mut found) = (BytesMut::new(), Vec::new());
            for part in [&all[..cut], &all[cut..]] {
                arrived.extend_from_slice(part);
                while let Some(message) = next_message(&mut arrived).unwrap() {
                    found.push(message);
                }
            }
            assert_eq!(found, ["ab", "", "c"], "cut at {cut}");
        }
        assert_eq!(next_message(&mut BytesMut::from(&b"\x01\0\0\0\0"[..])), Err(Unreadable));
    }
}
