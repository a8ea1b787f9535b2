//! Forbids: nothing overrides one, and an unknown one counts as true.

use crate::compile::layout::{ForbidRecord, NONE, Section, TargetedForbidRecord};
use crate::index::{Corrupt, optional};
use crate::model::{Because, Decision, Reason, Verdict};

use super::holders::{Holders, in_force};
use super::question::Question;
use super::trace::Trace;
use super::truth::Truth;

/// The denial by the forbid that is named: a true one before an unknown one, then the smallest id.
pub(super) fn applicable(question: &Question<'_>, trace: &mut impl Trace) -> Result<Option<Verdict>, Corrupt> {
    let mut named = Named { found: None };
    let index = question.index;
    let (start, end) = (question.action.forbids.get(), question.action.forbids_end.get());
    for forbid in index.numbers(Section::GeneralForbids, start, end)? {
        named.test(question, forbid.get(), trace)?;
    }
    if index.has_targeted_forbids() {
        // A group binds its members whether it is live or not: `disabled` stops what gives, never what forbids.
        let groups = Holders::of(index, question.subject, question.time)?.groups();
        let groups = groups.iter().map(|membership| membership.group.get());
        let key = question.credential.map(|key| key.entity);
        for holder in [NONE, question.subject].into_iter().chain(key).chain(groups) {
            let forbidden = index.forbids_of(holder)?;
            if forbidden.is_empty() {
                continue;
            }
            named.test_all(question, forbidden.at(NONE), trace)?;
            for scope in question.target.scopes(index) {
                named.test_all(question, forbidden.at(scope?.0), trace)?;
            }
        }
    }
    Ok(named.found.map(|(truth, forbid)| Verdict {
        decision: Decision::Deny,
        reason: Reason::Forbidden,
        because: Because::Forbid(forbid),
        undetermined: truth == Truth::Unknown,
    }))
}

struct Named {
    found: Option<(Truth, u32)>,
}

impl Named {
    fn test_all<T: Trace>(
        &mut self,
        question: &Question<'_>,
        records: &[TargetedForbidRecord],
        trace: &mut T,
    ) -> Result<(), Corrupt> {
        for record in records {
            // They stand in the order of their numbers: behind a true one none of them can be named.
            if !T::EVERYTHING
                && self.found.is_some_and(|(truth, named)| truth == Truth::True && named <= record.forbid.get())
            {
                break;
            }
            self.test(question, record.forbid.get(), trace)?;
        }
        Ok(())
    }

    fn test(&mut self, question: &Question<'_>, forbid: u32, trace: &mut impl Trace) -> Result<(), Corrupt> {
        let record: &ForbidRecord = question.index.record(forbid)?;
        if !question.index.in_set(record.permissions.get(), question.permission)? {
            return Ok(());
        }
        if let Some(terms) = optional(record.terms)
            && !in_force(question.index, terms, question.time)?
        {
            return Ok(());
        }
        let applies = match optional(record.when) {
            Some(program) => question.evaluate(program)?,
            None => Truth::True,
        };
        trace.forbid(forbid, applies);
        if applies != Truth::False {
            self.keep(applies, forbid);
        }
        Ok(())
    }

    /// Forbids are numbered in the order of their ids.
    fn keep(&mut self, truth: Truth, forbid: u32) {
        let rank = |truth: Truth| u8::from(truth == Truth::Unknown);
        self.found = match self.found {
            Some((best, number)) if (rank(best), number) <= (rank(truth), forbid) => Some((best, number)),
            _ => Some((truth, forbid)),
        };
    }
}
