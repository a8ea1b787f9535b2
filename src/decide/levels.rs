//! Levels: does the binding reach the level that the action needs, on the governor of the resource?

use crate::compile::layout::{BindingRecord, RoleRecord, TermsRecord, governor_source, role_flags, role_levels};
use crate::index::{Corrupt, Index, optional};

use super::question::Question;
use super::values::{Seen, of_target};

/// How a binding stands to the level that an action needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// It reaches it.
    Enough,
    /// It would not, even without overrides.
    TooLow,
    /// An override takes it away.
    Narrowed,
    /// The resource does not say what governs it.
    Ungoverned,
}

/// Compares a binding's level with the one that the action needs; the lowest needs nothing.
#[inline]
pub(super) fn reach(question: &Question<'_>, binding: &BindingRecord, role: &RoleRecord) -> Result<Reach, Corrupt> {
    let needed = question.action.level;
    if needed == 0 {
        return Ok(Reach::Enough);
    }
    if role.flags.get() & role_flags::SUPERUSER != 0 {
        return Ok(Reach::Enough);
    }
    let Some(governor) = governor(question)? else { return Ok(Reach::Ungoverned) };
    let (without, effective) = of_role(question.index, binding, role, governor)?;
    Ok(if effective >= needed {
        Reach::Enough
    } else if without >= needed {
        Reach::Narrowed
    } else {
        Reach::TooLow
    })
}

/// What governs the resource.
pub(super) fn governor(question: &Question<'_>) -> Result<Option<u32>, Corrupt> {
    let number = question.action.governor.get();
    match question.action.governor_source {
        governor_source::NODE => Ok(Some(number)),
        governor_source::ATTRIBUTE => match of_target(question.index, &question.target, number)? {
            Seen::Text(path) => question.index.governor_named(path),
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

/// What a binding reaches on a governor: without overrides, and with them. A superuser reaches the highest.
pub(super) fn of_role(
    index: &Index,
    binding: &BindingRecord,
    role: &RoleRecord,
    governor: u32,
) -> Result<(u8, u8), Corrupt> {
    if role.flags.get() & role_flags::SUPERUSER != 0 {
        let highest = index.levels().saturating_sub(1);
        return Ok((highest, highest));
    }
    match role.levels {
        role_levels::ALL => Ok((role.level, role.level)),
        role_levels::PER_BINDING => of_binding(index, binding, governor),
        _ => Ok((0, 0)),
    }
}

fn of_binding(index: &Index, binding: &BindingRecord, governor: u32) -> Result<(u8, u8), Corrupt> {
    let Some(terms) = optional(binding.terms) else { return Ok((0, 0)) };
    let terms: &TermsRecord = index.record(terms)?;
    match optional(terms.levels) {
        Some(set) => index.levels_on(set, governor),
        None => Ok((0, 0)),
    }
}
