//! What the language can say but this compiler does not give a meaning yet: refused by name, never ignored.

use crate::model::{Policy, Position, Role, RoleTemplate, Rule, ValueType};

use super::findings::Findings;

/// Refuses every use of such a key.
pub(super) fn refuse(policy: &Policy, findings: &mut Findings) {
    let mut no = |at: Position, what: &str| findings.error(at, format!("{what} are not supported yet"));
    policy.seats.iter().for_each(|one| no(one.name.at, "seats"));
    for action in policy.types.iter().flat_map(|one| &one.actions) {
        if action.change.is_some() || action.valid_result.is_some() {
            no(action.name.at, "actions that change who holds what");
        }
        for parameter in &action.parameters {
            let item = if let ValueType::List(item) = &parameter.value_type { item } else { &parameter.value_type };
            if matches!(item, ValueType::Role | ValueType::Permission) {
                no(parameter.name.at, "roles and permissions as parameters");
            }
        }
    }
    for Role { name, requires, rules, .. } in &policy.roles {
        if !requires.is_empty() {
            no(name.at, "requirements");
        }
        for Rule { purview, on, .. } in rules {
            if purview.assigns.is_some() || purview.target.is_some() || !purview.within.is_empty() {
                no(on.first().map_or(name.at, |first| first.at), "rules with a purview");
            }
        }
    }
    for RoleTemplate { name, requires, .. } in &policy.role_templates {
        if !requires.is_empty() {
            no(name.at, "requirements");
        }
    }
}
