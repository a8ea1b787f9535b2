//! Answers written to the wire from what they are made of, where each answer counts: no strings in between, and one
//! allocation at most. Not another form of them: `tests` hold every byte against the generated messages.

mod alike;

use prost::Message;

use super::{
    caller::Reasons,
    convert::{decision, reason},
    framing::prefix,
    proto::v1,
};
use crate::{
    index::Index,
    model::{Timestamp, Verdict},
    snapshot::Snapshot,
};

pub(super) use alike::Alike;

/// What every answer of one snapshot at one moment ends with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp<'a> {
    sequence: u64,
    digest: &'a str,
    stale: bool,
    seconds: u64,
    nanos: u64,
}

/// A verdict, as far as it is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    decision: u64,
    reason: u64,
    rule: [&'a str; 6],
    undetermined: bool,
}

impl<'a> Stamp<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, time: Timestamp) -> Self {
        let Snapshot { sequence, digest, fresh, .. } = snapshot;
        let (seconds, nanos) = (time.seconds().cast_unsigned(), time.nanos().into());
        Self { sequence: *sequence, digest, stale: fresh.is_over(time), seconds, nanos }
    }

    fn snapshot_length(&self) -> usize {
        number_length(self.sequence) + text_length(self.digest.len()) + flag_length(self.stale)
    }

    fn moment_length(&self) -> usize {
        number_length(self.seconds) + number_length(self.nanos)
    }

    /// The length of both as fields of a message; their numbers do not change it.
    fn length(&self) -> usize {
        field_length(self.snapshot_length()) + field_length(self.moment_length())
    }

    /// Both as the fields of an `AuthorizeResponse`.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.length());
        self.put(&mut out, 5);
        out
    }

    /// Writes both as fields, the first of this number and the second of the next.
    fn put(&self, out: &mut Vec<u8>, field: u8) {
        put_head(out, field, self.snapshot_length());
        put_number(out, 1, self.sequence);
        put_text(out, 2, &[self.digest]);
        put_number(out, 3, self.stale.into());
        put_head(out, field + 1, self.moment_length());
        put_number(out, 1, self.seconds);
        put_number(out, 2, self.nanos);
    }
}

impl<'a> Shown<'a> {
    pub(super) fn new(index: &'a Index, verdict: &Verdict, shown: Reasons) -> Self {
        let rule = if shown.show_rules() { index.rule_id_parts(verdict.because) } else { None };
        let reason = if shown.show_code() { reason(verdict.reason) } else { v1::Reason::Unspecified };
        Self {
            decision: enumerated(decision(verdict.decision).into()),
            reason: enumerated(reason.into()),
            rule: rule.unwrap_or_default(),
            undetermined: verdict.undetermined && shown.show_code(),
        }
    }

    fn rule_length(&self) -> usize {
        self.rule.iter().map(|part| part.len()).sum()
    }

    fn length(&self) -> usize {
        number_length(self.decision)
            + number_length(self.reason)
            + text_length(self.rule_length())
            + flag_length(self.undetermined)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.length());
        self.put(&mut out);
        out
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_number(out, 1, self.decision);
        put_number(out, 2, self.reason);
        put_text(out, 3, &self.rule);
        put_number(out, 4, self.undetermined.into());
    }
}

/// How long a [`response`] is.
pub(super) fn response_length(shown: &Shown<'_>, stamp: &Stamp<'_>, request_id: &str) -> usize {
    shown.length() + stamp.length() + text_length(request_id.len())
}

/// An `AuthorizeResponse`.
pub(super) fn response(out: &mut Vec<u8>, shown: &Shown<'_>, stamp: &Stamp<'_>, request_id: &str) {
    shown.put(out);
    stamp.put(out, 5);
    put_text(out, 7, &[request_id]);
}

/// An `AuthorizeStreamResponse` behind its prefix, with an answer that is put together from the bytes of a verdict and of
/// a stamp.
pub(super) fn stream_response(out: &mut Vec<u8>, verdict: &[u8], stamp: &[u8], request_id: &str) {
    let id = text_length(request_id.len());
    let response = verdict.len() + stamp.len() + id;
    out.extend_from_slice(&prefix(id + field_length(response)));
    put_text(out, 1, &[request_id]);
    put_head(out, 2, response);
    out.extend_from_slice(verdict);
    out.extend_from_slice(stamp);
    put_text(out, 7, &[request_id]);
}

/// The same of a question that was not decided, or not in place.
pub(super) fn other_stream_response(out: &mut Vec<u8>, response: &v1::AuthorizeStreamResponse) {
    out.extend_from_slice(&prefix(response.encoded_len()));
    response.encode_raw(out);
}

/// A result of a `BatchAuthorizeResponse`, with the bytes of a verdict.
pub(super) fn result(out: &mut Vec<u8>, verdict: &[u8], request_id: &str) {
    put_head(out, 1, text_length(request_id.len()) + field_length(verdict.len()));
    put_text(out, 1, &[request_id]);
    put_head(out, 2, verdict.len());
    out.extend_from_slice(verdict);
}

/// The same of an item that was not decided.
pub(super) fn refused_result(out: &mut Vec<u8>, result: &v1::BatchAuthorizeResult) {
    put_head(out, 1, result.encoded_len());
    result.encode_raw(out);
}

/// What a `BatchAuthorizeResponse` ends with.
pub(super) fn end_of_results(out: &mut Vec<u8>, stamp: &Stamp<'_>, request_id: &str) {
    stamp.put(out, 2);
    put_text(out, 4, &[request_id]);
}

/// A number of an enum; those that the daemon writes are small.
fn enumerated(number: i32) -> u64 {
    i64::from(number).cast_unsigned()
}

/// A field's number and kind take one byte up to number 15.
const KEY: usize = 1;
const VARINT: u8 = 0;
const LENGTH_DELIMITED: u8 = 2;

fn varint_length(number: u64) -> usize {
    // Seven bits a byte, and one byte for 0.
    let bits = 64 - (number | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// What is as it would be without being said is not written.
fn number_length(number: u64) -> usize {
    if number == 0 { 0 } else { KEY + varint_length(number) }
}

fn flag_length(flag: bool) -> usize {
    if flag { KEY + 1 } else { 0 }
}

fn text_length(length: usize) -> usize {
    if length == 0 { 0 } else { field_length(length) }
}

/// A field of so many bytes, which is there also when they are none.
fn field_length(length: usize) -> usize {
    KEY + varint_length(length as u64) + length
}

fn put_number(out: &mut Vec<u8>, field: u8, number: u64) {
    if number != 0 {
        out.push(field << 3 | VARINT);
        put_varint(out, number);
    }
}

fn put_text(out: &mut Vec<u8>, field: u8, parts: &[&str]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    if length > 0 {
        put_head(out, field, length);
        for part in parts {
            out.extend_from_slice(part.as_bytes());
        }
    }
}

fn put_head(out: &mut Vec<u8>, field: u8, length: usize) {
    out.push(field << 3 | LENGTH_DELIMITED);
    put_varint(out, length as u64);
}

#[expect(clippy::cast_possible_truncation, reason = "the low seven bits are meant")]
fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests;
