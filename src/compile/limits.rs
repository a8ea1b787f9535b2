//! Limits: what filters everything that a role gives, whatever it includes.

use std::collections::HashMap;

use crate::model::{Grants, LimitKind, Role};

use super::condition::{Conditions, Lowering};
use super::findings::Findings;
use super::layout::{LimitRecord, NONE};
use super::roles::held_at;
use super::schema::OperationsOf;

/// The limits of a role, by the permission that they filter.
pub(super) type Limits = HashMap<u32, Vec<LimitRecord>>;

/// A role's own limits.
pub(super) fn limits_of(
    role: &Role,
    lowering: &mut Lowering<'_, '_>,
    conditions: &mut Conditions,
    findings: &mut Findings,
) -> Limits {
    let label = format!("a limit of role `{}`", role.name.value);
    let mut limits = Limits::new();
    for limit in &role.limits {
        let types = lowering.schema.types_of(&limit.on, &limit.except, findings);
        let (permissions, programs) = match &limit.kind {
            LimitKind::Only(actions) => {
                let within = Grants::Actions(actions.clone());
                let kept = lowering.schema.select(&types, &within, OperationsOf::Own, &label, findings);
                let mut cut = lowering.schema.select(&types, &Grants::All, OperationsOf::Own, &label, findings);
                cut.retain(|permission| !kept.contains(permission));
                let programs = vec![NONE; cut.len()];
                (cut, programs)
            }
            LimitKind::Gate { grants, only_when } => {
                let gated = lowering.schema.select(&types, grants, OperationsOf::Own, &label, findings);
                let programs = lowering.condition(only_when, &gated, conditions, findings);
                (gated, programs)
            }
        };
        let held_at = held_at(&limit.held_at, role, lowering, findings);
        for (permission, when) in permissions.into_iter().zip(programs) {
            let records =
                held_at.iter().map(|at| LimitRecord { when: when.into(), held_at: (*at).into(), reserved: 0.into() });
            limits.entry(permission).or_default().extend(records);
        }
    }
    limits
}
