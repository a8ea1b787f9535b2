//! The result of a change: whether the facts after it would satisfy what loading demands of them.
//!
//! Only the target's bindings change, and only on the resource; the facts before are valid. So only what the target
//! holds is looked at. A superuser's change is looked at like everybody's.

/// Leaves a function that looks for violations when the search was broken off.
macro_rules! go_on {
    ($looked:expr) => {
        if $looked.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    };
}

mod after;
mod required;
mod words;

use std::ops::ControlFlow;

use crate::compile::layout::{
    ANY_TYPE, ChangeKind, ChangeRecord, EntityRecord, ExclusiveRecord, HolderRecord, HolderValueRecord,
    PermissionRecord, RoleRecord, Section, ValueRecord, change_flags, role_flags,
};
use crate::index::{Corrupt, Index, optional};
use crate::model::{Malformed, Reason, Request, Timestamp, Verdict};

use super::parameters::{Parameter, permission_of};
use super::purview::is_in;
use super::question::Question;

use after::After;

/// What loading would refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Violation {
    /// A parameter that the change needs is not named.
    Unnamed,
    /// The resource is not there yet.
    NotThere,
    /// The role is not held on that scope's type.
    NotHeldAt { role: u32, scope: u32 },
    /// The role is not held by the target.
    NotHeldBy { role: u32, holder: u32 },
    /// Two roles of a set on one scope.
    Exclusive { set: u32, roles: (u32, u32), scope: u32 },
    /// The target would not hold what a role rests on.
    NoBase { role: u32, scope: u32 },
    /// The target would hold what a role rules out.
    RuledOut { role: u32, scope: u32, other: u32, at: u32 },
    /// The target holds no role on the resource, or more than one.
    NotOne { holder: u32, scope: u32 },
    /// The role takes no list of its holder's own.
    NotCustomisable { role: u32 },
    /// The list names a permission that the role does not give.
    NotGiven { role: u32, permission: u32 },
}

/// An answer to "may this be granted", with everything that loading would refuse afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantCheck {
    /// The same verdict as [`super::authorize`] gives.
    pub verdict: Verdict,
    /// What the facts after the change would violate, in words with ids; also where the action does not demand a valid
    /// result.
    pub violations: Vec<String>,
}

/// Why a grant cannot be asked about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// The request is malformed.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The action changes nothing.
    #[error("action `{action}` of `{kind}` declares no change of facts")]
    NoChange {
        /// The resource's type.
        kind: String,
        /// The action.
        action: String,
    },
}

/// Decides a request whose action stands for a change, and says what the change would violate. A request that is not
/// decided on paths (of an unknown subject, say) has no violations; of a broken snapshot nothing may be granted.
///
/// # Errors
/// As [`super::authorize`], and an action that declares no change.
pub fn check_grant(index: &Index, request: &Request<'_>, time: Timestamp) -> Result<GrantCheck, GrantError> {
    let verdict = super::authorize(index, request, time)?;
    if changes_nothing(index, request).unwrap_or(false) {
        let (kind, action) = (request.resource.kind.to_owned(), request.action.to_owned());
        return Err(GrantError::NoChange { kind, action });
    }
    // No list would read as "nothing is violated".
    let broken = |Corrupt| GrantCheck { verdict: Verdict::deny(Reason::Internal), violations: Vec::new() };
    let checked = violations(index, request, time).map(|violations| GrantCheck { verdict, violations });
    Ok(checked.unwrap_or_else(broken))
}

/// Whether the action is known and declares no change.
fn changes_nothing(index: &Index, request: &Request<'_>) -> Result<bool, Corrupt> {
    let Some((kind, _)) = index.type_named(request.resource.kind)? else { return Ok(false) };
    let Some(permission) = index.permission_named(kind, request.action)? else { return Ok(false) };
    let action: &PermissionRecord = index.record(permission)?;
    Ok(optional(action.change).is_none())
}

fn violations(index: &Index, request: &Request<'_>, time: Timestamp) -> Result<Vec<String>, Corrupt> {
    let mut room = None;
    let Ok(question) = Question::resolve(index, request, time, &mut room) else { return Ok(Vec::new()) };
    let Some(change) = optional(question.action.change) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    let mut see = |violation| {
        if !found.contains(&violation) {
            found.push(violation);
        }
        ControlFlow::Continue(())
    };
    // It never breaks off: every violation is seen.
    if look(&question, index.record(change)?, &mut see)?.is_break() {
        return Err(Corrupt);
    }
    found.iter().map(|violation| violation.words(index)).collect()
}

/// The first violation, where the action demands that there be none.
pub(super) fn first_violation(question: &Question<'_>) -> Result<Option<Violation>, Corrupt> {
    let Some(change) = optional(question.action.change) else { return Ok(None) };
    let change: &ChangeRecord = question.index.record(change)?;
    if change.flags & change_flags::VALID == 0 {
        return Ok(None);
    }
    let mut first = None;
    let mut see = |violation| {
        first = Some(violation);
        ControlFlow::Break(())
    };
    let looked = look(question, change, &mut see)?;
    Ok(first.filter(|_| looked.is_break()))
}

/// Where violations go; it may break the search off.
type See<'s> = &'s mut dyn FnMut(Violation) -> ControlFlow<()>;

/// Whether the search was broken off.
type Looked = Result<ControlFlow<()>, Corrupt>;

/// Shows every violation of the facts after a change.
fn look(question: &Question<'_>, change: &ChangeRecord, see: See<'_>) -> Looked {
    let kind = ChangeKind::from_code(change.kind).ok_or(Corrupt)?;
    let target = match question.parameters.at(change.target.get()).ok_or(Corrupt)? {
        Parameter::Entity(entity) => entity,
        Parameter::Absent => return Ok(see(Violation::Unnamed)),
        _ => return Err(Corrupt),
    };
    let Some(scope) = question.target.entity else { return Ok(see(Violation::NotThere)) };
    if kind == ChangeKind::Customise {
        return customised(question, change, (target, scope), see);
    }
    let role = match optional(change.role).map(|place| question.parameters.at(place).ok_or(Corrupt)).transpose()? {
        Some(Parameter::Role(role)) => Some(role),
        None | Some(Parameter::Absent) => None,
        Some(_) => return Err(Corrupt),
    };
    let (added, gone) = match (kind, role) {
        (ChangeKind::Revoke, role) => (None, role),
        (_, None) => return Ok(see(Violation::Unnamed)),
        (ChangeKind::Grant, role) => (role, role),
        (_, role) => (role, None),
    };
    let after = After::new(question.index, (target, scope), added, gone)?;
    go_on!(held_rightly(&after, see)?);
    go_on!(exclusive(&after, see)?);
    required::required(&after, see)
}

/// What is new may be held where it is, and by the target.
fn held_rightly(after: &After<'_>, see: See<'_>) -> Looked {
    let index = after.index;
    if let Some(role) = after.added {
        let record: &RoleRecord = index.record(role)?;
        let scope: &EntityRecord = index.record(after.scope)?;
        let kinds = index.numbers(Section::TypeLists, record.scopes.get(), record.scopes_end.get())?;
        if !is_in(kinds, u32::from(scope.kind.get())) {
            go_on!(see(Violation::NotHeldAt { role, scope: after.scope }));
        }
        if record.flags.get() & role_flags::GROUPS_ALONE != 0 || !fits(index, record, after.target)? {
            go_on!(see(Violation::NotHeldBy { role, holder: after.target }));
        }
    }
    for holding in after.joined()? {
        let role = holding?.role;
        if !fits(index, index.record(role)?, after.target)? {
            go_on!(see(Violation::NotHeldBy { role, holder: after.target }));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Whether a subject may have a role in the end, through whomever.
fn fits(index: &Index, role: &RoleRecord, subject: u32) -> Result<bool, Corrupt> {
    let holders: &[HolderRecord] = index.records(role.holders.get(), role.holders_end.get())?;
    if holders.is_empty() {
        return Ok(true);
    }
    let record: &EntityRecord = index.record(subject)?;
    for holder in holders.iter().filter(|holder| holder.kind == record.kind) {
        let mut all = true;
        for demand in index.records::<HolderValueRecord>(holder.values.get(), holder.values_end.get())? {
            all &= has_one_of(index, subject, demand)?;
        }
        if all {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether what the snapshot knows of an attribute is one of the values that are demanded.
fn has_one_of(index: &Index, subject: u32, demand: &HolderValueRecord) -> Result<bool, Corrupt> {
    let attribute = demand.attribute.get();
    let values: &[ValueRecord] = index.records(demand.values.get(), demand.values_end.get())?;
    let known = match index.stored(subject, attribute)? {
        Some(stored) => Some(stored),
        None => optional(index.attribute(attribute)?.default).map(|default| index.record(default)).transpose()?,
    };
    Ok(known.is_some_and(|known| values.contains(known)))
}

/// Of some roles at most one is held on a scope. Only the scopes on which something is new are looked at.
fn exclusive(after: &After<'_>, see: See<'_>) -> Looked {
    if after.added.is_some() {
        go_on!(exclusive_at(after, after.scope, see)?);
    }
    for holding in after.joined()? {
        go_on!(exclusive_at(after, holding?.scope, see)?);
    }
    Ok(ControlFlow::Continue(()))
}

fn exclusive_at(after: &After<'_>, scope: u32, see: See<'_>) -> Looked {
    let index = after.index;
    let kind: &EntityRecord = index.record(scope)?;
    let sets: &[ExclusiveRecord] = index.records(0, index.count::<ExclusiveRecord>())?;
    for (set, number) in sets.iter().zip(0..) {
        let kinds = index.numbers(Section::TypeLists, set.scopes.get(), set.scopes_end.get())?;
        if !is_in(kinds, u32::from(kind.kind.get())) {
            continue;
        }
        let roles = index.numbers(Section::RoleLists, set.roles.get(), set.roles_end.get())?;
        let mut first = None;
        for holding in after.held(Some(scope)) {
            let role = holding?.role;
            match first {
                _ if !is_in(roles, role) => {}
                None => first = Some(role),
                Some(other) if other == role => {}
                Some(other) => {
                    go_on!(see(Violation::Exclusive { set: number, roles: (other.min(role), other.max(role)), scope }));
                }
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The target's one role on the resource takes a list, and gives what that names.
fn customised(question: &Question<'_>, change: &ChangeRecord, (target, scope): (u32, u32), see: See<'_>) -> Looked {
    let index = question.index;
    let names = match optional(change.permissions).and_then(|place| question.parameters.at(place)).ok_or(Corrupt)? {
        Parameter::Permissions(names) => names,
        Parameter::Absent => return Ok(see(Violation::Unnamed)),
        _ => return Err(Corrupt),
    };
    let [own] = index.held_by(target)?.at(scope) else { return Ok(see(Violation::NotOne { holder: target, scope })) };
    let role = own.role.get();
    let record: &RoleRecord = index.record(role)?;
    if record.flags.get() & role_flags::CUSTOMISABLE == 0 {
        go_on!(see(Violation::NotCustomisable { role }));
    }
    let kind: &EntityRecord = index.record(scope)?;
    for name in names {
        let permission = permission_of(index, name)?.ok_or(Corrupt)?;
        let counts = |held_at: u16| held_at == ANY_TYPE || held_at == kind.kind.get();
        if !index.rules_on(role, permission)?.iter().any(|rule| counts(rule.held_at.get())) {
            go_on!(see(Violation::NotGiven { role, permission }));
        }
    }
    Ok(ControlFlow::Continue(()))
}
