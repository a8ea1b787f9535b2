//! Questions that were read in place, answered in the form of the wire.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::{Pdp, Refusal};
use crate::{
    model::{Request, Timestamp, Verdict},
    observe::decision_log::{Door, Origin},
    service::{
        caller::{Asked, Caller},
        convert,
        fast::{PlainBatch, PlainQuestion},
        proto::v1::{self, BatchAuthorizeSemantics as Semantics},
        registry::Connection,
        written::{self, Shown, Stamp},
    },
    snapshot::Snapshot,
};

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
        self.ask_plain(question, origin, &admission, write)
    }

    /// The same for a caller who has been let in.
    pub(in crate::service) fn ask_plain<R>(
        &self,
        question: &PlainQuestion<'_>,
        origin: Origin,
        caller: &Caller,
        write: impl FnOnce(&Shown<'_>, &Stamp<'_>) -> R,
    ) -> Result<R, Refusal> {
        self.with_snapshot(None, |snapshot| {
            let time = self.now();
            let asked = (&question.request(), question.request_id, question.request_id);
            let verdict = self.plain_verdict(snapshot, asked, time, origin, caller)?;
            let shown = Shown::new(&snapshot.index, &verdict, caller.reasons());
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
        self.with_snapshot(None, |snapshot| {
            let time = self.now();
            let mut out = BytesMut::with_capacity(batch.questions.len() * RESULT_BYTES + END_BYTES);
            for question in &batch.questions {
                let id = question.request_id;
                // An item without an id of its own is logged under the batch's.
                let logged_as = if id.is_empty() { batch.request_id } else { id };
                let asked = (&question.request(), id, logged_as);
                let verdict = self.plain_verdict(snapshot, asked, time, origin, caller);
                let allowed = verdict.as_ref().is_ok_and(Verdict::is_allow);
                match verdict {
                    Ok(verdict) => {
                        written::result(&mut out, &Shown::new(&snapshot.index, &verdict, caller.reasons()), id);
                    }
                    Err(refusal) => written::refused_result(&mut out, &refused(refusal, id)),
                }
                if semantics.stops_after(allowed) {
                    break;
                }
            }
            written::end_of_results(&mut out, &Stamp::new(snapshot, time), batch.request_id);
            Ok(out.freeze())
        })
    }

    fn plain_verdict(
        &self,
        snapshot: &Arc<Snapshot>,
        (request, request_id, logged_as): (&Request<'_>, &str, &str),
        time: Timestamp,
        origin: Origin,
        caller: &Caller,
    ) -> Result<Verdict, Refusal> {
        let checked = convert::check_request_id(request_id).map_err(Refusal::from);
        self.count_malformed(checked.and_then(|()| self.decide(snapshot, (request, logged_as), time, origin, caller)))
    }
}

/// A refusal as the result of one item. What is returned unchanged is bounded also where that bound is what was broken.
fn refused(refusal: Refusal, request_id: &str) -> v1::BatchAuthorizeResult {
    let request_id = convert::returned_request_id(request_id).to_owned();
    let outcome = Some(v1::batch_authorize_result::Outcome::Error(refusal.into_item()));
    v1::BatchAuthorizeResult { request_id, outcome }
}
