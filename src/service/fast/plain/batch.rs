//! Several questions in one message, and one question in a message of a stream: read in place, as a single one is.

use super::{Field, PlainQuestion, fields, once, text};

/// A `BatchAuthorizeRequest` that borrows from the bytes of its message.
#[derive(Debug, PartialEq)]
pub struct PlainBatch<'b> {
    /// In their order.
    pub questions: Vec<PlainQuestion<'b>>,
    /// As the wire has it; it may be a number that means nothing.
    pub semantics: i32,
    /// Returned unchanged.
    pub request_id: &'b str,
}

impl<'b> PlainBatch<'b> {
    /// Reads a message of at most so many questions; `None` leaves it to the generated decoder.
    pub fn read(message: &'b [u8], most: usize) -> Option<Self> {
        // A question of names alone, however short they are.
        const SMALLEST: usize = 32;
        let mut questions = Vec::with_capacity(most.min(message.len() / SMALLEST));
        let (mut semantics, mut request_id) = (None, None);
        fields(message, |number, field| match (number, field) {
            (1, Field::Bytes(bytes)) if questions.len() < most => {
                questions.push(PlainQuestion::read(bytes)?);
                Some(())
            }
            (2, Field::Varint(number)) => once(&mut semantics, i32::try_from(number).ok()?),
            (4, Field::Bytes(bytes)) => once(&mut request_id, text(bytes)?),
            _ => None,
        })?;
        Some(Self { questions, semantics: semantics.unwrap_or_default(), request_id: request_id.unwrap_or_default() })
    }
}

impl<'b> PlainQuestion<'b> {
    /// Reads an `AuthorizeStreamRequest`.
    pub fn read_streamed(message: &'b [u8]) -> Option<Self> {
        let mut question = None;
        fields(message, |number, field| match (number, field) {
            (1, Field::Bytes(bytes)) => once(&mut question, PlainQuestion::read(bytes)?),
            _ => None,
        })?;
        question
    }
}
