//! Questions that came together, decided together: what can be done once for all of them is. Each gets the verdict that
//! it would get alone.

use std::{sync::Arc, time::Instant};

use super::super::{Pdp, Refusal};
use crate::{
    decide::{AHEAD, Ahead},
    model::{Timestamp, Verdict},
    observe::decision_log::Origin,
    service::{
        caller::{Caller, Place},
        convert,
        fast::PlainQuestion,
        written::{Alike, Stamp},
    },
    snapshot::Snapshot,
};

/// What they have in common.
pub(super) struct Several<'s> {
    pub(super) pdp: &'s Pdp,
    pub(super) snapshot: &'s Arc<Snapshot>,
    pub(super) time: Timestamp,
    pub(super) origin: Origin,
    pub(super) caller: &'s Caller,
    /// The name in the log of those that have none of their own.
    pub(super) logged_as: &'s str,
}

impl<'s> Several<'s> {
    /// What their answers end with.
    pub(super) fn stamp(&self) -> Stamp<'s> {
        Stamp::new(self.snapshot, self.time)
    }

    /// Decides those that may be, in their order, up to the one after which it stops; each verdict is handed on in its
    /// bytes, with the question's id.
    pub(super) fn decide(
        &self,
        questions: &[PlainQuestion<'_>],
        mut may: impl FnMut() -> Result<(), Refusal>,
        stops: impl Fn(Option<&Verdict>) -> bool,
        mut answer: impl FnMut(Result<&[u8], Refusal>, &str),
    ) {
        let room = AHEAD.min(questions.len());
        let (mut ahead, mut verdicts) = (Vec::with_capacity(room), Vec::with_capacity(room));
        let mut alike = Alike::new(&self.snapshot.index, self.caller.reasons());
        let mut tally = self.pdp.metrics.tally();
        for questions in questions.chunks(AHEAD) {
            let begun = Instant::now();
            ahead.clear();
            ahead.extend(questions.iter().map(|question| Ahead::new(&self.snapshot.index, question.request())));
            Ahead::read(&mut ahead);
            let mut is_over = false;
            for (ahead, question) in ahead.iter().zip(questions) {
                let verdict = may().and_then(|()| self.verdict(ahead, question.request_id));
                is_over = stops(verdict.as_ref().ok());
                verdicts.push(self.pdp.count_malformed(verdict));
                if is_over {
                    break;
                }
            }
            // A look at the clock for each would take a quarter of a decision: they have taken equal parts.
            let took = begun.elapsed() / u32::try_from(verdicts.len()).unwrap_or(u32::MAX).max(1);
            for (verdict, question) in verdicts.drain(..).zip(questions) {
                if let Ok(verdict) = &verdict {
                    tally.decided(verdict, took);
                }
                answer(verdict.map(|verdict| alike.bytes(&verdict)), question.request_id);
            }
            if is_over {
                break;
            }
        }
    }

    fn verdict(&self, ahead: &Ahead<'_>, id: &str) -> Result<Verdict, Refusal> {
        convert::check_request_id(id)?;
        self.caller.may_ask(&self.snapshot.index, ahead.request(), Place::Resource)?;
        let verdict = ahead.authorize(self.time)?;
        let logged_as = if id.is_empty() { self.logged_as } else { id };
        self.pdp.note(self.snapshot, (ahead.request(), logged_as), verdict, self.time, self.origin);
        Ok(verdict)
    }
}
