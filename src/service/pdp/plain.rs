//! Questions that were read in place, answered in the form of the wire.

mod several;

use bytes::Bytes;
use http::HeaderMap;

use super::{Pdp, Refusal};
use crate::{
    model::Verdict,
    observe::decision_log::{Door, Origin},
    service::{
        caller::{Asked, Caller},
        convert,
        fast::{PlainBatch, PlainQuestion},
        proto::v1::{self, BatchAuthorizeSemantics as Semantics, authorize_stream_response::Outcome as Streamed},
        registry::Connection,
        written::{self, Shown, Stamp},
    },
};
use several::Several;

/// What a result takes on the wire, mostly; more is allocated where that is too little.
const RESULT_BYTES: usize = 96;
/// The same of what a batch ends with.
const END_BYTES: usize = 160;

impl Pdp {
    /// Answers one question on whatever is live, in the form that `write` gives it.
    pub(in crate::service) fn authorize_plain<R>(
        &self,
        connection: &Connection,
        headers: &HeaderMap,
        question: &PlainQuestion<'_>,
        write: impl FnOnce(&Shown<'_>, &Stamp<'_>) -> R,
    ) -> Result<R, Refusal> {
        let admission = self.admit(Some(connection), Asked::Check, 1)?;
        let origin = self.origin(Door::Authorize, headers);
        self.with_snapshot(None, |snapshot| {
            let time = self.now();
            let id = question.request_id;
            let checked = convert::check_request_id(id).map_err(Refusal::from);
            let decide = |()| self.decide(snapshot, (&question.request(), id), time, origin, &admission);
            let verdict = self.count_malformed(checked.and_then(decide))?;
            let shown = Shown::new(&snapshot.index, &verdict, admission.reasons());
            Ok(write(&shown, &Stamp::new(snapshot, time)))
        })
    }

    /// Decides the items of a batch at one moment, up to where its semantics stop. The batch is small.
    pub(in crate::service) fn batch_plain(
        &self,
        batch: &PlainBatch<'_>,
        semantics: Semantics,
        origin: Origin,
        caller: &Caller,
    ) -> Result<Bytes, Refusal> {
        let PlainBatch { questions, request_id: batch_id, semantics: _ } = batch;
        self.with_snapshot(None, |snapshot| {
            let several = Several { pdp: self, snapshot, time: self.now(), origin, caller, logged_as: batch_id };
            let mut out = Vec::with_capacity(questions.len() * RESULT_BYTES + END_BYTES);
            let stops = |verdict: Option<&Verdict>| semantics.stops_after(verdict.is_some_and(Verdict::is_allow));
            several.decide(
                questions,
                || Ok(()),
                stops,
                |outcome, id| match outcome {
                    Ok(verdict) => written::result(&mut out, verdict, id),
                    Err(refusal) => written::refused_result(&mut out, &refused(refusal, id)),
                },
            );
            written::end_of_results(&mut out, &several.stamp(), batch_id);
            Ok(out.into())
        })
    }

    /// Answers questions of a stream that came together, at one moment. Each is charged by itself.
    pub(in crate::service) fn stream_plain(
        &self,
        questions: &[PlainQuestion<'_>],
        origin: Origin,
        caller: &Caller,
        out: &mut Vec<u8>,
    ) {
        let charge = || self.gate.charge(caller, 1);
        let answered = self.with_snapshot(None, |snapshot| {
            let several = Several { pdp: self, snapshot, time: self.now(), origin, caller, logged_as: "" };
            let stamp = several.stamp().bytes();
            several.decide(
                questions,
                charge,
                |_| false,
                |outcome, id| match outcome {
                    Ok(verdict) => written::stream_response(out, verdict, &stamp, id),
                    Err(refusal) => written::other_stream_response(out, &in_stream(Err(refusal), id)),
                },
            );
            Ok(())
        });
        if let Err(refusal) = answered {
            for PlainQuestion { request_id, .. } in questions {
                let refusal = charge().err().unwrap_or_else(|| refusal.clone());
                written::other_stream_response(out, &in_stream(Err(refusal), request_id));
            }
        }
    }
}

/// A refusal as the result of one item. What is returned unchanged is bounded also where that bound is what was broken.
fn refused(refusal: Refusal, request_id: &str) -> v1::BatchAuthorizeResult {
    let request_id = convert::returned_request_id(request_id).to_owned();
    let outcome = Some(v1::batch_authorize_result::Outcome::Error(refusal.into_item()));
    v1::BatchAuthorizeResult { request_id, outcome }
}

/// The answer to one question of a stream.
pub(in crate::service) fn in_stream(
    answer: Result<v1::AuthorizeResponse, Refusal>,
    request_id: &str,
) -> v1::AuthorizeStreamResponse {
    let request_id = convert::returned_request_id(request_id).to_owned();
    let outcome = answer.map_or_else(|refusal| Streamed::Error(refusal.into_item()), Streamed::Response);
    v1::AuthorizeStreamResponse { request_id, outcome: Some(outcome) }
}
