//! What is written by hand against what prost writes: drawn answers, byte for byte.

use proptest::{collection::vec, prelude::*};
use prost::Message;

use super::*;
use crate::service::framing::{Next, PREFIX};

/// The same in both forms.
#[derive(Debug, Clone)]
struct Drawn {
    decision: i32,
    reason: i32,
    rule: [String; 6],
    undetermined: bool,
    sequence: u64,
    digest: String,
    stale: bool,
    time: Timestamp,
    request_id: String,
}

impl Drawn {
    fn shown(&self) -> Shown<'_> {
        let rule = self.rule.each_ref().map(String::as_str);
        let (decision, reason) = (enumerated(self.decision), enumerated(self.reason));
        Shown { decision, reason, rule, undetermined: self.undetermined }
    }

    fn stamp(&self) -> Stamp<'_> {
        let (seconds, nanos) = (self.time.seconds().cast_unsigned(), self.time.nanos().into());
        Stamp { sequence: self.sequence, digest: &self.digest, stale: self.stale, seconds, nanos }
    }

    fn snapshot_ref(&self) -> v1::SnapshotRef {
        v1::SnapshotRef { sequence: self.sequence, digest: self.digest.clone(), stale: self.stale }
    }

    fn moment(&self) -> prost_types::Timestamp {
        crate::service::convert::timestamp(self.time)
    }

    fn response(&self) -> v1::AuthorizeResponse {
        v1::AuthorizeResponse {
            decision: self.decision,
            reason: self.reason,
            rule_id: self.rule.concat(),
            undetermined: self.undetermined,
            snapshot: Some(self.snapshot_ref()),
            evaluated_at: Some(self.moment()),
            request_id: self.request_id.clone(),
        }
    }

    fn result(&self) -> v1::BatchAuthorizeResult {
        let v1::AuthorizeResponse { decision, reason, rule_id, undetermined, .. } = self.response();
        let verdict = v1::Verdict { decision, reason, rule_id, undetermined };
        let outcome = Some(v1::batch_authorize_result::Outcome::Verdict(verdict));
        v1::BatchAuthorizeResult { request_id: self.request_id.clone(), outcome }
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![2 => Just(String::new()), 4 => "\\PC{0,6}", 2 => long()]
}

/// Around where the length of a length changes.
fn long() -> impl Strategy<Value = String> {
    prop_oneof![100..140_usize, 16_300..16_400_usize].prop_map(|length| "x".repeat(length))
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 1..300_u64, any::<u64>()]
}

prop_compose! {
    fn drawn()(
        (decision, reason) in (0..4_i32, prop_oneof![0..40_i32, any::<i32>()]),
        rule in [text(), text(), text(), text(), text(), text()],
        (undetermined, stale) in any::<(bool, bool)>(),
        (sequence, digest) in (number(), text()),
        (seconds, nanos) in (-60_000_000_000..250_000_000_000_i64, prop_oneof![Just(0), 0..1_000_000_000_u32]),
        request_id in text(),
    ) -> Drawn {
        let time = Timestamp::new(seconds, nanos).unwrap();
        Drawn { decision, reason, rule, undetermined, sequence, digest, stale, time, request_id }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn an_answer_is_what_prost_writes(drawn in drawn()) {
        let mut out = Vec::new();
        response(&mut out, &drawn.shown(), &drawn.stamp(), &drawn.request_id);
        prop_assert_eq!(&out[..], &drawn.response().encode_to_vec()[..]);
        prop_assert_eq!(out.len(), response_length(&drawn.shown(), &drawn.stamp(), &drawn.request_id));
        let mut out = Vec::new();
        stream_response(&mut out, &drawn.shown().bytes(), &drawn.stamp().bytes(), &drawn.request_id);
        let outcome = Some(v1::authorize_stream_response::Outcome::Response(drawn.response()));
        let expected = v1::AuthorizeStreamResponse { request_id: drawn.request_id, outcome };
        let mut other = Vec::new();
        other_stream_response(&mut other, &expected);
        prop_assert_eq!(&out, &other);
        prop_assert_eq!(Next::of(&out, usize::MAX), Next::Whole(out.len()));
        prop_assert_eq!(&out[PREFIX..], &expected.encode_to_vec()[..]);
    }

    #[test]
    fn a_batch_is_what_prost_writes(all in vec(drawn(), 0..4), end in drawn()) {
        let mut out = Vec::new();
        for drawn in &all {
            result(&mut out, &drawn.shown().bytes(), &drawn.request_id);
        }
        end_of_results(&mut out, &end.stamp(), &end.request_id);
        let results = all.iter().map(Drawn::result).collect();
        let (snapshot, evaluated_at) = (Some(end.snapshot_ref()), Some(end.moment()));
        let request_id = end.request_id.clone();
        let expected = v1::BatchAuthorizeResponse { results, snapshot, evaluated_at, request_id };
        prop_assert_eq!(&out[..], &expected.encode_to_vec()[..]);
    }
}
