//! Paths: does some binding open the way, and if none does, how far did the best one get?

use crate::compile::layout::{
    ANY_TYPE, BindingRecord, EntityRecord, LimitRecord, RoleRecord, RuleRecord, TermsRecord, entity_flags,
};
use crate::index::{Corrupt, optional};
use crate::model::{Because, Decision, Reason, Verdict};

use super::holders::{Holders, Through};
use super::levels::{Reach, reach};
use super::outcome::{OPEN, Outcome};
use super::purview::{self, Outside};
use super::question::Question;
use super::result;
use super::trace::{PathSeen, Trace};
use super::truth::Truth;

/// The verdict of the paths: the nearest scope's smallest rule id that opens, else the path that got furthest.
pub(super) fn best(question: &Question<'_>, trace: &mut impl Trace) -> Result<Verdict, Corrupt> {
    let holders = Holders::of(question.index, question.subject, question.time)?;
    let mut search = Search { question, holders, closed: None, open: None, result: None, scoped: None, second: None };
    for scope in question.target.scopes(question.index) {
        let (scope, record) = scope?;
        // Most resources carry no role: nobody's bindings are searched for them.
        if record.flags.get() & entity_flags::HELD_ON == 0 {
            continue;
        }
        search.bindings((scope, record), holders.own().at(scope), Through::Itself, trace)?;
        for membership in holders.groups() {
            let held = question.index.held_by(membership.group.get())?.at(scope);
            search.bindings((scope, record), held, Through::Group(membership), trace)?;
        }
        if search.open.is_some() && !everything(trace) {
            break;
        }
    }
    Ok(search.verdict())
}

fn everything<T: Trace>(_: &T) -> bool {
    T::EVERYTHING
}

struct Search<'s, 'q> {
    question: &'s Question<'q>,
    /// Who holds for the subject.
    holders: Holders<'q>,
    /// The closed path that got furthest: its outcome and role.
    closed: Option<(Outcome, u32)>,
    /// The open path: its scope and role.
    open: Option<(u32, u32)>,
    /// What became of the facts after a change, once it has been looked at.
    result: Option<Outcome>,
    /// Whether the credential's scope covers, once it has been needed.
    scoped: Option<Outcome>,
    /// What the second decision said, once it has been needed.
    second: Option<Outcome>,
}

impl<'q> Search<'_, 'q> {
    /// What one holder holds on one scope.
    #[inline]
    fn bindings(
        &mut self,
        scope: (u32, &EntityRecord),
        bindings: &[BindingRecord],
        through: Through<'q>,
        trace: &mut impl Trace,
    ) -> Result<(), Corrupt> {
        for binding in bindings {
            // A path that is open on this scope gives way to a smaller role alone.
            let is_beaten = self.open.is_some_and(|(_, best)| best <= binding.role.get());
            if !is_beaten || everything(trace) {
                self.binding(scope, binding, through, trace)?;
            }
        }
        Ok(())
    }

    fn binding(
        &mut self,
        (scope, scope_record): (u32, &EntityRecord),
        binding: &BindingRecord,
        through: Through<'q>,
        trace: &mut impl Trace,
    ) -> Result<(), Corrupt> {
        let index = self.question.index;
        let role = binding.role.get();
        let role_record: &RoleRecord = index.record(role)?;
        let rules = index.rules_of(role_record, self.question.permission)?;
        let mut given = false;
        let mut held = None;
        for rule in rules.iter().filter(|rule| counts_at(rule.held_at.get(), scope_record)) {
            given = true;
            // What filters the binding is the same for all its rules.
            let held = match held {
                Some(held) => held,
                None => *held.insert(self.held(binding, role_record, through, scope_record)?),
            };
            let outcome = if held.reason == Reason::Granted { self.path(binding, rule, scope_record)? } else { held };
            trace.path(PathSeen {
                role,
                scope,
                through: through.group(),
                reason: outcome.reason,
                undetermined: outcome.undetermined,
                program: outcome.program,
                outside: outcome.outside,
            });
            self.keep(outcome, scope, role);
        }
        if !given {
            trace.other_role(role, scope, through.group());
        }
        Ok(())
    }

    /// The filters of a binding, the first of every path of it.
    #[inline]
    fn held(
        &self,
        binding: &BindingRecord,
        role: &RoleRecord,
        through: Through<'q>,
        scope: &EntityRecord,
    ) -> Result<Outcome, Corrupt> {
        let question = self.question;
        if !self.holders.in_force(through, binding, role, scope)? {
            return Ok(Outcome { reason: Reason::Expired, ..OPEN });
        }
        match reach(question, binding, role)? {
            Reach::Enough => {}
            Reach::TooLow => return Ok(Outcome { reason: Reason::LevelTooLow, ..OPEN }),
            Reach::Ungoverned => return Ok(Outcome { reason: Reason::LevelTooLow, undetermined: true, ..OPEN }),
            Reach::Narrowed => return Ok(Outcome { reason: Reason::Narrowed, ..OPEN }),
        }
        let pinned = is_pinned_to(question, binding)?;
        Ok(if pinned { OPEN } else { Outcome { reason: Reason::NotInCustomSet, ..OPEN } })
    }

    /// The filters of one path behind those of its binding, in the order that the reasons fix.
    #[inline]
    fn path(&mut self, binding: &BindingRecord, rule: &RuleRecord, scope: &EntityRecord) -> Result<Outcome, Corrupt> {
        let question = self.question;
        let limits: &[LimitRecord] = question.index.records(rule.limits.get(), rule.limits_end.get())?;
        if !limits.is_empty()
            && let Some(outcome) = limited(question, limits, scope)?
        {
            return Ok(outcome);
        }
        if let Some(purview) = optional(rule.purview)
            && let Some(outside) = purview::outside(question, purview, binding.scope.get())?
        {
            return Ok(Outcome { reason: Reason::OutOfPurview, outside: Some(outside), ..OPEN });
        }
        if optional(question.action.change).is_some() {
            let result = self.result()?;
            if result.reason != Reason::Granted {
                return Ok(result);
            }
        }
        if let Some(program) = optional(rule.when) {
            match question.evaluate(program)? {
                Truth::True => {}
                Truth::False => return Ok(Outcome { reason: Reason::ConditionFalse, program: Some(program), ..OPEN }),
                Truth::Unknown => {
                    return Ok(Outcome {
                        reason: Reason::ConditionUnknown,
                        undetermined: true,
                        program: Some(program),
                        ..OPEN
                    });
                }
            }
        }
        if question.credential.is_some() {
            let scoped = self.credential_scope()?;
            if scoped.reason != Reason::Granted {
                return Ok(scoped);
            }
        }
        if optional(question.action.also).is_some() { self.second_object() } else { Ok(OPEN) }
    }

    /// The credential's scope is the same for every path, and looked at once.
    fn credential_scope(&mut self) -> Result<Outcome, Corrupt> {
        if let Some(known) = self.scoped {
            return Ok(known);
        }
        let closed = Outcome { reason: Reason::CredentialScope, ..OPEN };
        let outcome = match self.question.in_credential_scope()? {
            Truth::True => OPEN,
            Truth::False => closed,
            Truth::Unknown => Outcome { undetermined: true, ..closed },
        };
        self.scoped = Some(outcome);
        Ok(outcome)
    }

    /// The result of a change is the same for every path, and looked at once.
    fn result(&mut self) -> Result<Outcome, Corrupt> {
        if let Some(known) = self.result {
            return Ok(known);
        }
        let violation = result::first_violation(self.question)?.map(Outside::Result);
        let reason = if violation.is_some() { Reason::OutOfPurview } else { Reason::Granted };
        let outcome = Outcome { reason, outside: violation, ..OPEN };
        self.result = Some(outcome);
        Ok(outcome)
    }

    /// The second decision is the same for every path, and made once.
    fn second_object(&mut self) -> Result<Outcome, Corrupt> {
        if let Some(known) = self.second {
            return Ok(known);
        }
        let denied = self.question.second_object()?;
        let outcome = denied.map_or(OPEN, |second| Outcome {
            reason: Reason::SecondObject,
            undetermined: second.undetermined,
            ..OPEN
        });
        self.second = Some(outcome);
        Ok(outcome)
    }

    fn keep(&mut self, outcome: Outcome, scope: u32, role: u32) {
        if outcome.reason == Reason::Granted {
            // Roles are numbered in name order: the smaller number is the smaller rule id.
            self.open = match self.open {
                Some((nearest, best)) if nearest != scope || best <= role => Some((nearest, best)),
                _ => Some((scope, role)),
            };
            return;
        }
        self.closed = Some(match self.closed {
            Some((best, best_role)) if best.reason > outcome.reason => (best, best_role),
            Some((best, best_role)) if best.reason == outcome.reason => {
                let undetermined = best.undetermined || outcome.undetermined;
                let (named, role) = if role < best_role { (outcome, role) } else { (best, best_role) };
                (Outcome { undetermined, ..named }, role)
            }
            _ => (outcome, role),
        });
    }

    fn verdict(self) -> Verdict {
        let permission = self.question.permission;
        match (self.open, self.closed) {
            (Some((_, role)), _) => Verdict {
                decision: Decision::Allow,
                reason: Reason::Granted,
                because: Because::Rule { role, permission },
                undetermined: false,
            },
            (None, Some((outcome, role))) => Verdict {
                decision: Decision::Deny,
                reason: outcome.reason,
                because: Because::Rule { role, permission },
                undetermined: outcome.undetermined,
            },
            (None, None) => Verdict::deny(Reason::NoGrant),
        }
    }
}

/// Whether a holder's own list, if the binding carries one, holds the permission.
fn is_pinned_to(question: &Question<'_>, binding: &BindingRecord) -> Result<bool, Corrupt> {
    let Some(terms) = optional(binding.terms) else { return Ok(true) };
    let terms: &TermsRecord = question.index.record(terms)?;
    optional(terms.pin).map_or(Ok(true), |pin| question.index.in_set(pin, question.permission))
}

/// Ceilings first, then gates: all of them must hold.
fn limited(question: &Question<'_>, limits: &[LimitRecord], scope: &EntityRecord) -> Result<Option<Outcome>, Corrupt> {
    let mut open = Truth::True;
    let mut closing = None;
    let here = || limits.iter().filter(|limit| counts_at(limit.held_at.get(), scope));
    if here().any(|limit| optional(limit.when).is_none()) {
        return Ok(Some(Outcome { reason: Reason::Ceiling, ..OPEN }));
    }
    for limit in here() {
        let Some(program) = optional(limit.when) else { continue };
        let truth = question.evaluate(program)?;
        if truth != Truth::True && (closing.is_none() || truth == Truth::False) {
            closing = Some(program);
        }
        open = open.and(truth);
    }
    Ok(match open {
        Truth::True => None,
        Truth::False => Some(Outcome { reason: Reason::Plan, program: closing, ..OPEN }),
        Truth::Unknown => Some(Outcome { reason: Reason::Plan, undetermined: true, program: closing, ..OPEN }),
    })
}

/// Whether a rule or limit counts for a role that is held on this scope.
fn counts_at(held_at: u16, scope: &EntityRecord) -> bool {
    held_at == ANY_TYPE || held_at == scope.kind.get()
}
