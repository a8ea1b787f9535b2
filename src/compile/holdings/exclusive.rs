//! Roles of which a subject holds at most one on a scope. Lifetimes and switches do not count: what may come into force
//! later is a conflict now.

use crate::compile::entities::Entities;
use crate::compile::findings::Findings;
use crate::compile::layout::BindingRecord;
use crate::compile::roles::Roles;
use crate::compile::schema::Schema;
use crate::model::{Policy, Position};

/// Reports every subject that holds two roles of one set on one scope.
pub(super) fn check(
    policy: &Policy,
    list: &[(u32, BindingRecord, Position)],
    schema: &Schema<'_>,
    entities: &Entities<'_>,
    roles: &Roles<'_>,
    findings: &mut Findings,
) {
    for set in &policy.exclusive {
        let label = format!("the exclusive roles `{}`", set.name.value);
        let members = roles.named(&set.roles, policy, &label, findings);
        let at = schema.scope_types(&set.at, &label, findings);
        for group in list.chunk_by(|a, b| (a.0, a.1.scope) == (b.0, b.1.scope)) {
            let mut held: Vec<(u32, Position)> = group
                .iter()
                .map(|(_, record, at)| (record.role.get(), *at))
                .filter(|(role, _)| members.binary_search(role).is_ok())
                .collect();
            held.dedup_by_key(|(role, _)| *role);
            let (Some((subject, record, _)), [_, (_, second), ..]) = (group.first(), held.as_slice()) else { continue };
            let scope = entities.info(record.scope.get());
            if !scope.is_some_and(|scope| at.contains(&scope.kind)) {
                continue;
            }
            let names: Vec<String> =
                held.iter().filter_map(|(role, _)| roles.info(*role)).map(|role| format!("`{}`", role.name)).collect();
            findings.error_with_help(
                *second,
                format!(
                    "`{}` holds {} on `{}`: of `{}` only one is held on a scope",
                    entities.name(schema, *subject),
                    names.join(" and "),
                    entities.name(schema, record.scope.get()),
                    set.name.value
                ),
                "remove all but one of these bindings",
            );
        }
    }
}
