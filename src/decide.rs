//! Deciding: the only place that knows what allow means.
//!
//! [`authorize`] is a pure function of an index, a request and a moment: no clock, no cache, no I/O, no lock, no global,
//! no log, no allocation and no recursion. A path is a binding with one rule of its role; it opens when every filter on
//! it is true. The answer is an allow when some path opens and no forbid that applies is true or unknown; everything
//! else is a denial, and so is a snapshot that is inconsistent in itself.
//!
//! Every door converts its question, calls this, and converts the answer back.

mod ahead;
mod condition;
mod credentials;
mod explain;
mod forbids;
mod holders;
mod levels;
mod list;
mod list_levels;
mod outcome;
mod parameters;
mod paths;
mod placement;
mod purview;
mod question;
mod result;
mod seats;
mod trace;
mod truth;
mod values;
mod within;

use crate::compile::layout::{AlsoRecord, PermissionRecord, TypeRecord, also_mode, type_flags};
use crate::index::{Corrupt, Index};
use crate::model::{Entity, Malformed, Reason, Request, Timestamp, Verdict};

pub use ahead::{AHEAD, Ahead};
pub use explain::{Consideration, Explanation, explain};
pub use list::{ListError, Listing, Page, PageBounds};
pub use list_levels::{GovernorLevel, LevelsError, list_levels};
pub use result::{GrantCheck, GrantError, check_grant};
pub use seats::{CountError, count_seats, seat_classes};
pub use within::{is_type_of_resources, stands_within};

use parameters::{Parameter, Parameters};
use placement::Target;
use question::{Question, Stop};
use trace::{Silent, Trace};

/// Decides one request at one moment.
///
/// # Errors
/// A request that cannot be asked at all: see [`Request::check`]; with `strict_properties` also an undeclared property.
pub fn authorize(index: &Index, request: &Request<'_>, time: Timestamp) -> Result<Verdict, Malformed> {
    decide(index, request, time, &mut Silent)
}

/// One action of a type and what would be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionVerdict {
    /// The action's name.
    pub action: String,
    /// The same verdict as [`authorize`] gives.
    pub verdict: Verdict,
}

/// Every action of the resource's type, in name order, each with the verdict that [`authorize`] gives; the request's own
/// action is ignored, and each takes those of its parameters that it declares. Of an unknown type there are none.
///
/// # Errors
/// As [`authorize`].
pub fn list_actions(index: &Index, request: &Request<'_>, time: Timestamp) -> Result<Vec<ActionVerdict>, Malformed> {
    Request { action: "any", ..*request }.check()?;
    let actions = actions_of(index, request.resource.kind).unwrap_or_default();
    let declares = |permission, name| matches!(index.parameter_named(permission, name), Ok(Some(_)));
    let is_declared = |name| actions.iter().any(|(permission, _)| declares(*permission, name));
    let mut list = Vec::new();
    for (permission, action) in &actions {
        // What no action declares is left in, so that it counts as undeclared.
        let own =
            request.action_properties.iter().filter(|(name, _)| declares(*permission, name) || !is_declared(name));
        let action_properties: Vec<_> = own.copied().collect();
        let request = Request { action, action_properties: &action_properties, ..*request };
        list.push(ActionVerdict { action: (*action).to_owned(), verdict: decide(index, &request, time, &mut Silent)? });
    }
    Ok(list)
}

fn actions_of<'i>(index: &'i Index, kind: &str) -> Result<Vec<(u32, &'i str)>, Corrupt> {
    let Some((_, kind)) = index.type_named(kind)? else { return Ok(Vec::new()) };
    let permissions = kind.permissions.get()..kind.permissions_end.get();
    permissions.map(|permission| Ok((permission, index.action_name(permission)?))).collect()
}

/// The whole decision, told to a trace. Names that the snapshot holds are well formed, because loading saw to it: only
/// what it does not hold is looked at letter by letter.
fn decide(index: &Index, request: &Request<'_>, time: Timestamp, trace: &mut impl Trace) -> Result<Verdict, Malformed> {
    let mut room = None;
    verdict(request, &Question::resolve(index, request, time, &mut room), trace)
}

#[inline]
fn verdict(
    request: &Request<'_>,
    question: &Result<Question<'_>, Stop>,
    trace: &mut impl Trace,
) -> Result<Verdict, Malformed> {
    let question = match question {
        Ok(question) => question,
        Err(stop) => {
            request.check()?;
            return stop.clone().into_verdict();
        }
    };
    if question.target.entity.is_some() {
        request.check_properties()?;
    } else {
        request.check()?;
    }
    Ok(question.answer(trace).unwrap_or(Verdict::deny(Reason::Internal)))
}

impl Stop {
    fn into_verdict(self) -> Result<Verdict, Malformed> {
        match self {
            Self::Because(reason) => Ok(Verdict::deny(reason)),
            Self::Malformed(malformed) => Err(*malformed),
        }
    }
}

impl Question<'_> {
    /// Paths, then forbids.
    fn answer(&self, trace: &mut impl Trace) -> Result<Verdict, Corrupt> {
        let verdict = paths::best(self, trace)?;
        if !verdict.is_allow() {
            return Ok(verdict);
        }
        Ok(forbids::applicable(self, trace)?.unwrap_or(verdict))
    }

    /// The second decision that an open path needs: `None` where there is none to make, or it allows.
    fn second_object(&self) -> Result<Option<Verdict>, Corrupt> {
        let Some(also) = crate::index::optional(self.action.also) else { return Ok(None) };
        let also: &AlsoRecord = self.index.record(also)?;
        let entity = match self.parameters.at(also.parameter.get()).ok_or(Corrupt)? {
            Parameter::Entity(entity) => entity,
            Parameter::Absent => return Ok(None),
            _ => return Err(Corrupt),
        };
        let action: &PermissionRecord = self.index.record(also.permission.get())?;
        let target = if also.mode.get() == also_mode::UNDER {
            Target::proposed_like(&self.target, entity)
        } else {
            Target::held(self.index, entity)?
        };
        // Not nested: an action that is asked of a second object has no second object (checked at load and on opening).
        let second =
            Question { permission: also.permission.get(), action, target, parameters: &Parameters::NONE, ..*self };
        let verdict = second.answer(&mut Silent)?;
        Ok(Some(verdict).filter(|verdict| !verdict.is_allow()))
    }
}

/// The resource of a name, if the snapshot holds it.
fn scope_named(index: &Index, name: Entity<'_>) -> Result<Option<u32>, Corrupt> {
    match index.type_named(name.kind)? {
        Some((kind, record)) if is_resource_type(record) => index.entity_named(kind, name.id),
        _ => Ok(None),
    }
}

/// Whether entities of a type are asked about.
fn is_resource_type(kind: &TypeRecord) -> bool {
    let others = type_flags::SUBJECT | type_flags::CREDENTIAL | type_flags::GROUP | type_flags::VIRTUAL;
    kind.flags.get() & others == 0
}
