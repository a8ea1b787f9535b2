//! Purviews: whether what the parameters name lies within what a rule lets its holder act on.
//!
//! Nothing here is ever unknown: a parameter that is not there lies outside.

use zerocopy::little_endian::U32;

use crate::compile::layout::{
    BindingRecord, EntityRecord, MembershipRecord, PurviewRecord, Section, TypeRecord, membership_flags, purview_flags,
    type_flags,
};
use crate::index::{Corrupt, optional};

use super::holders::has_ended;
use super::parameters::{Parameter, role_of};
use super::question::Question;
use super::result::Violation;

/// What lies outside a purview.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outside {
    /// This role may not be assigned.
    Role(u32),
    /// The target holds this role on this scope.
    Holds { role: u32, scope: u32 },
    /// The parameter of this place lies elsewhere.
    Elsewhere(u32),
    /// A parameter that matters is not named.
    Unnamed,
    /// The facts after the change could not be loaded.
    Result(Violation),
}

/// The first thing that lies outside a purview, for a role that is held on a scope.
pub(super) fn outside(question: &Question<'_>, purview: u32, scope: u32) -> Result<Option<Outside>, Corrupt> {
    let purview: &PurviewRecord = question.index.record(purview)?;
    if let Some(found) = unassignable(question, purview)? {
        return Ok(Some(found));
    }
    if let Some(target) = optional(purview.target)
        && let Some(found) = target_outside(question, purview, target)?
    {
        return Ok(Some(found));
    }
    elsewhere(question, purview, scope)
}

/// The first role among the parameters that may not be assigned.
fn unassignable(question: &Question<'_>, purview: &PurviewRecord) -> Result<Option<Outside>, Corrupt> {
    if purview.flags & purview_flags::ASSIGNS == 0 {
        return Ok(None);
    }
    let index = question.index;
    let all = purview.flags & purview_flags::ASSIGNS_ALL != 0;
    let list = index.numbers(Section::RoleLists, purview.assigns.get(), purview.assigns_end.get())?;
    let may = |role: u32| all || is_in(list, role);
    for (place, parameter) in question.parameters.all().enumerate() {
        match parameter {
            Parameter::Role(role) if !may(role) => return Ok(Some(Outside::Role(role))),
            Parameter::RoleNamed(_) => return Err(Corrupt),
            Parameter::Roles(names) => {
                for name in names {
                    let role = role_of(index, &question.target, name)?.ok_or(Corrupt)?;
                    if !may(role) {
                        return Ok(Some(Outside::Role(role)));
                    }
                }
            }
            Parameter::Absent if question.names_roles(place)? => return Ok(Some(Outside::Unnamed)),
            _ => {}
        }
    }
    Ok(None)
}

/// The first role that the target holds and may not.
fn target_outside(question: &Question<'_>, purview: &PurviewRecord, target: u32) -> Result<Option<Outside>, Corrupt> {
    let index = question.index;
    let target = match question.parameters.at(target).ok_or(Corrupt)? {
        Parameter::Entity(entity) => entity,
        Parameter::Absent => return Ok(Some(Outside::Unnamed)),
        _ => return Err(Corrupt),
    };
    if purview.flags & purview_flags::HOLDS_ALL != 0 {
        return Ok(None);
    }
    let may = index.numbers(Section::RoleLists, purview.holds.get(), purview.holds_end.get())?;
    let (here, above, below) = (
        purview.flags & purview_flags::HERE != 0,
        purview.flags & purview_flags::ABOVE != 0,
        purview.flags & purview_flags::BELOW != 0,
    );
    let refused = |binding: &BindingRecord| -> Result<Option<Outside>, Corrupt> {
        let (role, scope) = (binding.role.get(), binding.scope.get());
        Ok((!is_in(may, role) && counts(question, binding)?).then_some(Outside::Holds { role, scope }))
    };
    for holder in holders(question, target)? {
        let held = index.held_by(holder?)?;
        for scope in question.target.scopes(index) {
            let (scope, _) = scope?;
            if if Some(scope) == question.target.entity { here } else { above } {
                for binding in held.at(scope) {
                    if let Some(found) = refused(binding)? {
                        return Ok(Some(found));
                    }
                }
            }
        }
        let Some(resource) = question.target.entity.filter(|_| below) else { continue };
        for binding in held.all() {
            let scope = binding.scope.get();
            if scope != resource
                && index.is_within(scope, resource)?
                && let Some(found) = refused(binding)?
            {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

/// The first parameter that does not lie at or below the scope, of those that must.
fn elsewhere(question: &Question<'_>, purview: &PurviewRecord, scope: u32) -> Result<Option<Outside>, Corrupt> {
    for place in (0..u8::BITS).filter(|place| purview.within & (1 << place) != 0) {
        let lies_within = match question.parameters.at(place).ok_or(Corrupt)? {
            Parameter::Entity(entity) => lies_within(question, entity, scope)?,
            Parameter::Absent => return Ok(Some(Outside::Unnamed)),
            _ => return Err(Corrupt),
        };
        if !lies_within {
            return Ok(Some(Outside::Elsewhere(place)));
        }
    }
    Ok(None)
}

/// A resource lies where it stands; a subject lies where it holds something, and everywhere when it holds nothing.
fn lies_within(question: &Question<'_>, entity: u32, scope: u32) -> Result<bool, Corrupt> {
    let index = question.index;
    let record: &EntityRecord = index.record(entity)?;
    let kind: &TypeRecord = index.record(u32::from(record.kind.get()))?;
    if kind.flags.get() & type_flags::SUBJECT == 0 {
        return index.is_within(entity, scope);
    }
    let mut holds_nothing = true;
    for holder in holders(question, entity)? {
        for binding in index.held_by(holder?)?.all() {
            if !counts(question, binding)? {
                continue;
            }
            if index.is_within(binding.scope.get(), scope)? {
                return Ok(true);
            }
            holds_nothing = false;
        }
    }
    Ok(holds_nothing)
}

/// A subject and every group that it is in, whether that passes anything on or not; of those that are everybody with a
/// role on a scope, the ones for which it holds one there that has not ended.
fn holders<'q>(
    question: &'q Question<'_>,
    subject: u32,
) -> Result<impl Iterator<Item = Result<u32, Corrupt>> + 'q, Corrupt> {
    let memberships = question.index.memberships(subject)?;
    let groups = memberships.iter().filter_map(move |membership| {
        let group = membership.group.get();
        if membership.flags.get() & membership_flags::MEMBERS_OF == 0 {
            return Some(Ok(group));
        }
        match is_member(question, subject, memberships, group) {
            Ok(true) => Some(Ok(group)),
            Ok(false) => None,
            Err(corrupt) => Some(Err(corrupt)),
        }
    });
    Ok(std::iter::once(Ok(subject)).chain(groups))
}

/// Whether something that the subject holds on a scope, itself or through a group that an author wrote, has not ended.
fn is_member(
    question: &Question<'_>,
    subject: u32,
    memberships: &[MembershipRecord],
    members: u32,
) -> Result<bool, Corrupt> {
    let index = question.index;
    let scope = optional(index.record::<EntityRecord>(members)?.parent).ok_or(Corrupt)?;
    let built_in = membership_flags::ALL | membership_flags::MEMBERS_OF;
    let written = memberships.iter().filter(|membership| membership.flags.get() & built_in == 0);
    for holder in std::iter::once(subject).chain(written.map(|membership| membership.group.get())) {
        for binding in index.held_by(holder)?.at(scope) {
            if counts(question, binding)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether a binding counts for what a subject holds: it has not ended. What is disabled, or not yet in force, counts.
pub(super) fn counts(question: &Question<'_>, binding: &BindingRecord) -> Result<bool, Corrupt> {
    match optional(binding.terms) {
        Some(terms) => Ok(!has_ended(question.index, terms, question.time)?),
        None => Ok(true),
    }
}

/// Whether a list of roles, in order, holds one.
pub(super) fn is_in(list: &[U32], role: u32) -> bool {
    list.binary_search_by_key(&role, |known| known.get()).is_ok()
}
