//! Raise-only roles after a change: whatever the target then holds has its base, and nothing that it rules out.

use std::ops::ControlFlow;

use zerocopy::little_endian::U32;

use crate::compile::layout::{EntityRecord, RequirementRecord, RoleRecord, Section};
use crate::decide::placement::{chain, nearest_above};
use crate::decide::purview::is_in;
use crate::index::Corrupt;

use super::after::{After, Holding};
use super::{Looked, See, Violation};

/// Shows every role that the target would hold without what it requires. All that it holds is looked at: a change can
/// take the base of one role away, and add what another rules out.
pub(super) fn required(after: &After<'_>, see: See<'_>) -> Looked {
    if after.index.count::<RequirementRecord>() == 0 {
        return Ok(ControlFlow::Continue(()));
    }
    for holding in after.held(None) {
        let holding = holding?;
        let role: &RoleRecord = after.index.record(holding.role)?;
        let scope: &EntityRecord = after.index.record(holding.scope)?;
        let all: &[RequirementRecord] = after.index.records(role.requirements.get(), role.requirements_end.get())?;
        for requirement in all.iter().filter(|requirement| requirement.held_at == scope.kind) {
            go_on!(one(after, &holding, scope, requirement, see)?);
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn one(
    after: &After<'_>,
    holding: &Holding,
    scope: &EntityRecord,
    requirement: &RequirementRecord,
    see: See<'_>,
) -> Looked {
    let index = after.index;
    let list = |start: U32, end: U32| index.numbers(Section::Lists, start.get(), end.get());
    let (has, has_no) =
        (list(requirement.has, requirement.has_end)?, list(requirement.has_no, requirement.has_no_end)?);
    let Holding { role, scope: held_at, .. } = *holding;
    let above = nearest_above(index, scope, requirement.on.get())?;
    if !has.is_empty() && !has_base(after, above, has)? {
        go_on!(see(Violation::NoBase { role, scope: held_at }));
    }
    let Some(above) = above.filter(|_| !has_no.is_empty()) else { return Ok(ControlFlow::Continue(())) };
    for node in chain(index, above) {
        let (node, _) = node?;
        for other in after.held(Some(node)) {
            let other = other?.role;
            if is_in(has_no, other) {
                go_on!(see(Violation::RuledOut { role, scope: held_at, other, at: node }));
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn has_base(after: &After<'_>, above: Option<u32>, has: &[U32]) -> Result<bool, Corrupt> {
    let Some(above) = above else { return Ok(false) };
    for holding in after.held(Some(above)) {
        let holding = holding?;
        if holding.is_base && is_in(has, holding.role) {
            return Ok(true);
        }
    }
    Ok(false)
}
