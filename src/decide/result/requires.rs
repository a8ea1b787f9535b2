//! Raise-only roles after a change: each that the target holds rests on a base, and beside nothing that it rules out.

use std::ops::ControlFlow;

use crate::compile::layout::{EntityRecord, RequirementRecord, RoleRecord, Section};
use crate::decide::placement::chain;
use crate::decide::purview::is_in;
use crate::index::{Corrupt, Index};

use super::after::{After, Holding};
use super::{Looked, See, Violation};

/// What a role requires of a holder on one scope.
struct Demand<'q> {
    requirement: &'q RequirementRecord,
    /// What requires it.
    by: Holding,
    /// The ancestor that is looked at, if there is one.
    above: Option<u32>,
}

/// Everything that the target holds has what it requires, new or not: a base may have gone, or a bar come.
pub(super) fn requirements(after: &After<'_>, see: See<'_>) -> Looked {
    let index = after.index;
    for holding in after.held(None) {
        let by = holding?;
        let role: &RoleRecord = index.record(by.role)?;
        let all: &[RequirementRecord] = index.records(role.requirements.get(), role.requirements_end.get())?;
        let scope: &EntityRecord = index.record(by.scope)?;
        for requirement in all.iter().filter(|one| one.held_at == scope.kind) {
            let above = nearest_above(index, by.scope, requirement.on.get())?;
            let demand = Demand { requirement, by, above };
            if !demand.has_base(after)? && see(Violation::NoBase { role: by.role, scope: by.scope }).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            if let Some(bar) = demand.bar(after)?
                && see(bar).is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

impl Demand<'_> {
    /// Whether one of the bases is held on the ancestor, if any is wanted.
    fn has_base(&self, after: &After<'_>) -> Result<bool, Corrupt> {
        let (start, end) = (self.requirement.has.get(), self.requirement.has_end.get());
        let bases = after.index.numbers(Section::Lists, start, end)?;
        if bases.is_empty() {
            return Ok(true);
        }
        let Some(above) = self.above else { return Ok(false) };
        for base in after.held(Some(above)) {
            let base = base?;
            if base.is_base && is_in(bases, base.role) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What is held on the ancestor or above it and may not be.
    fn bar(&self, after: &After<'_>) -> Result<Option<Violation>, Corrupt> {
        let (start, end) = (self.requirement.has_no.get(), self.requirement.has_no_end.get());
        let barred = after.index.numbers(Section::Lists, start, end)?;
        let Some(above) = self.above.filter(|_| !barred.is_empty()) else { return Ok(None) };
        for node in chain(after.index, above) {
            for other in after.held(Some(node?.0)) {
                let other = other?;
                if is_in(barred, other.role) {
                    let Holding { role, scope, .. } = self.by;
                    return Ok(Some(Violation::Barred { role, scope, by: (other.role, other.scope) }));
                }
            }
        }
        Ok(None)
    }
}

fn nearest_above(index: &Index, scope: u32, kind: u16) -> Result<Option<u32>, Corrupt> {
    for node in chain(index, scope).skip(1) {
        let (node, record) = node?;
        if record.kind.get() == kind {
            return Ok(Some(node));
        }
    }
    Ok(None)
}
