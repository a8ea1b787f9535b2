//! What raise-only roles demand besides, after a change: of the role that is new, and of everything that the target
//! holds, because what it loses may be the base of another role.

use std::ops::ControlFlow;

use crate::compile::layout::{EntityRecord, RequirementRecord, RoleRecord, Section};
use crate::index::{Corrupt, optional};

use super::super::placement::chain;
use super::super::purview::is_in;
use super::after::{After, Holding};
use super::{Looked, See, Violation};

/// Whether the target holds a base for each of its roles, and nothing that they exclude.
pub(super) fn required(after: &After<'_>, see: See<'_>) -> Looked {
    for holding in after.held(None) {
        let holding = holding?;
        let role: &RoleRecord = after.index.record(holding.role)?;
        let scope: &EntityRecord = after.index.record(holding.scope)?;
        let demands: &[RequirementRecord] =
            after.index.records(role.requirements.get(), role.requirements_end.get())?;
        for demand in demands.iter().filter(|demand| demand.held_at == scope.kind) {
            if let Some(violation) = broken(after, holding, scope, demand)?
                && see(violation).is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// How a requirement is broken, if it is: nothing of `has` on the nearest ancestor of its type, or something of
/// `has_no` there or above.
fn broken(
    after: &After<'_>,
    Holding { role, scope, .. }: Holding,
    record: &EntityRecord,
    demand: &RequirementRecord,
) -> Result<Option<Violation>, Corrupt> {
    let index = after.index;
    let bases = index.numbers(Section::Lists, demand.has.get(), demand.has_end.get())?;
    let excluded = index.numbers(Section::Lists, demand.has_no.get(), demand.has_no_end.get())?;
    let mut has_base = bases.is_empty();
    let mut is_reached = false;
    let Some(parent) = optional(record.parent) else {
        return Ok((!has_base).then_some(Violation::NoBase { role, scope }));
    };
    for node in chain(index, parent) {
        let (node, above) = node?;
        let is_nearest = !is_reached && above.kind == demand.on;
        is_reached |= is_nearest;
        if !is_reached {
            continue;
        }
        for held in after.held(Some(node)) {
            let held = held?;
            has_base |= is_nearest && held.is_base && is_in(bases, held.role);
            if is_in(excluded, held.role) {
                return Ok(Some(Violation::Excluded { role, scope, other: held.role, above: node }));
            }
        }
    }
    Ok((!has_base).then_some(Violation::NoBase { role, scope }))
}
