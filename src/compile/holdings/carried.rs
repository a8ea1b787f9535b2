//! Roles held through groups: every member must be one of those who may hold the role.

use std::collections::HashMap;
use std::rc::Rc;

use crate::compile::eligible::Eligible;
use crate::compile::findings::Findings;
use crate::compile::schema::TypeSort;

use super::Stage;
use super::expanded::Expanded;

/// How many members an error names.
const SHOWN: usize = 5;

/// Reports every binding of a group with a member who may not hold the role.
pub(super) fn check(stage: &Stage<'_, '_>, expanded: &Expanded<'_>, findings: &mut Findings) {
    for mine in expanded.list.chunk_by(|a, b| a.0 == b.0) {
        let Some((holder, ..)) = mine.first() else { continue };
        if stage.entities.sort(stage.schema, *holder) == Some(TypeSort::Subject) {
            continue;
        }
        // Many roles share a list of holders: each is held against the members once.
        let mut unfit: HashMap<*const Eligible, String> = HashMap::new();
        for (_, record, at) in mine {
            let Some(role) = stage.roles.info(record.role.get()).filter(|role| !role.holders.is_anybody()) else {
                continue;
            };
            let names = unfit
                .entry(Rc::as_ptr(&role.holders))
                .or_insert_with(|| unfit_members(*holder, &role.holders, stage, expanded));
            if !names.is_empty() {
                let message = format!(
                    "binding of `{}` to role `{}` at `{}`: through it {names} would hold that role; it is held by {}",
                    stage.entities.holder_name(stage.schema, *holder),
                    role.name,
                    stage.entities.name(stage.schema, record.scope.get()),
                    role.holders.text(stage.schema),
                );
                findings.error(*at, message);
            }
        }
    }
}

fn unfit_members(group: u32, eligible: &Eligible, stage: &Stage<'_, '_>, expanded: &Expanded<'_>) -> String {
    let unfit = expanded.members(group).filter(|member| !eligible.fits(*member, stage.entities, stage.known));
    let mut names: Vec<String> =
        unfit.take(SHOWN + 1).map(|member| format!("`{}`", stage.entities.name(stage.schema, member))).collect();
    if names.len() > SHOWN {
        names.truncate(SHOWN);
        names.push("others".to_owned());
    }
    names.join(" and ")
}
