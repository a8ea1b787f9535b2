//! Questions as the bytes that are sent, made before the clock starts, and the order in which they are drawn.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

use super::Door;
use crate::service::proto::v1;

/// A gRPC message begins with a byte for its compression, none, and its length.
pub(super) const FRAME: usize = 5;

/// The number of the field `requests` of a batch, and that of `request` of a message of a stream, as a tag.
const FIRST_FIELD: u8 = 0x0a;

/// One question and the answer that is wanted.
#[derive(Clone, Debug)]
pub struct Question {
    /// The question.
    pub request: v1::AuthorizeRequest,
    /// Whether it must be allowed; `None` if any answer will do.
    pub allowed: Option<bool>,
}

/// All questions, and which is next.
#[derive(Debug)]
pub struct Questions {
    made: Vec<Made>,
    next: AtomicUsize,
    seed: Option<u64>,
}

/// A question as it is sent.
#[derive(Debug)]
pub(super) struct Made {
    /// The message of a single call, or an item of a batch with its tag and length.
    bytes: Bytes,
    pub(super) allowed: Option<bool>,
}

impl Questions {
    /// Makes the messages for a door. Without a seed they are drawn in order, round and round; with one at random.
    /// `None` where there is nothing to ask.
    pub fn new(questions: &[Question], door: Door, seed: Option<u64>) -> Option<Self> {
        let made = questions.iter().map(|question| Made {
            bytes: match door {
                Door::Authorize => framed(&question.request.encode_to_vec()),
                Door::Batch(_) => item(&question.request),
                Door::Stream => framed(&item(&question.request)),
            },
            allowed: question.allowed,
        });
        let made: Vec<Made> = made.collect();
        (!made.is_empty()).then_some(Self { made, next: AtomicUsize::new(0), seed })
    }

    /// Draws the next question; which it is depends on nothing but how many were drawn before.
    pub(super) fn draw(&self) -> (u32, Bytes) {
        let number = self.number(self.next.fetch_add(1, Ordering::Relaxed));
        let bytes = self.made.get(number).map(|made| made.bytes.clone()).unwrap_or_default();
        (u32::try_from(number).unwrap_or(u32::MAX), bytes)
    }

    /// Draws the questions of a batch, and writes its message.
    pub(super) fn draw_batch(&self, size: usize) -> (Vec<u32>, Bytes) {
        let drawn: Vec<(u32, Bytes)> = (0..size).map(|_| self.draw()).collect();
        let length = drawn.iter().map(|(_, item)| item.len()).sum();
        let mut message = BytesMut::with_capacity(FRAME + length);
        put_frame(&mut message, length);
        for (_, item) in &drawn {
            message.put_slice(item);
        }
        (drawn.into_iter().map(|(number, _)| number).collect(), message.freeze())
    }

    /// What is wanted of a question.
    pub(super) fn allowed(&self, number: u32) -> Option<bool> {
        self.made.get(usize::try_from(number).ok()?)?.allowed
    }

    fn number(&self, drawn: usize) -> usize {
        let length = self.made.len().max(1);
        let Some(seed) = self.seed else { return drawn % length };
        let mixed = mix(seed ^ u64::try_from(drawn).unwrap_or(0).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        usize::try_from(mixed >> 16).unwrap_or(0) % length
    }
}

/// The end of splitmix64.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A request as the first field of a message around it.
fn item(request: &v1::AuthorizeRequest) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(FIRST_FIELD);
    // Memory that grows takes every message.
    if request.encode_length_delimited(&mut bytes).is_err() {
        bytes.clear();
    }
    bytes.freeze()
}

fn framed(message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(FRAME + message.len());
    put_frame(&mut bytes, message.len());
    bytes.put_slice(message);
    bytes.freeze()
}

fn put_frame(bytes: &mut BytesMut, length: usize) {
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::num::NonZeroUsize;

    use prost::Message;

    use super::{Door, FRAME, Question, Questions, v1};

    fn questions(door: Door, seed: Option<u64>) -> Questions {
        let question = |number: usize| Question {
            request: v1::AuthorizeRequest { request_id: format!("{number}"), ..Default::default() },
            allowed: Some(number == 1),
        };
        Questions::new(&(0..5).map(question).collect::<Vec<_>>(), door, seed).unwrap()
    }

    #[test]
    fn messages_are_those_that_the_generated_code_reads() {
        let (_, single) = questions(Door::Authorize, None).draw();
        assert_eq!(v1::AuthorizeRequest::decode(&single[FRAME..]).unwrap().request_id, "0");
        let (_, streamed) = questions(Door::Stream, None).draw();
        let streamed = v1::AuthorizeStreamRequest::decode(&streamed[FRAME..]).unwrap();
        assert_eq!(streamed.request.unwrap().request_id, "0");
        let three = questions(Door::Batch(NonZeroUsize::MIN), None);
        let (numbers, batch) = three.draw_batch(3);
        let batch = v1::BatchAuthorizeRequest::decode(&batch[FRAME..]).unwrap();
        assert_eq!(numbers, [0, 1, 2]);
        assert_eq!(batch.requests.iter().map(|one| one.request_id.as_str()).collect::<Vec<_>>(), ["0", "1", "2"]);
        assert_eq!(
            numbers.iter().map(|number| three.allowed(*number)).collect::<Vec<_>>(),
            [Some(false), Some(true), Some(false)]
        );
    }

    #[test]
    fn a_seed_draws_the_same_again_and_everything_at_some_time() {
        let draw = |seed| {
            let all = questions(Door::Authorize, seed);
            (0..100).map(|_| all.draw().0).collect::<Vec<_>>()
        };
        assert_eq!(draw(None)[..7], [0, 1, 2, 3, 4, 0, 1]);
        assert_eq!(draw(Some(7)), draw(Some(7)));
        assert_ne!(draw(Some(7)), draw(Some(8)));
        assert_eq!(draw(Some(7)).into_iter().collect::<BTreeSet<_>>().len(), 5);
        assert!(Questions::new(&[], Door::Authorize, None).is_none());
    }
}
