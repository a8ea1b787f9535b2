//! What the language can say but this compiler does not give a meaning yet: refused by name, never ignored.

use crate::model::{BindingHolder, Facts, Policy, Position, Role, RoleTemplate, Rule, ValueType};

use super::findings::Findings;

/// Refuses every use of such a key.
pub(super) fn refuse(policy: &Policy, facts: &Facts, findings: &mut Findings) {
    let mut no = |at: Position, what: &str| findings.error(at, format!("{what} are not supported yet"));
    policy.group_types.iter().for_each(|one| no(one.name.at, "groups"));
    policy.seats.iter().for_each(|one| no(one.name.at, "seats"));
    facts.groups.iter().for_each(|one| no(one.name.at, "groups"));
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
    for Role { name, holders, requires, rules, .. } in &policy.roles {
        if holders.iter().any(|holder| !holder.when.is_empty()) {
            no(name.at, "holders with `where`");
        }
        if !requires.is_empty() {
            no(name.at, "requirements");
        }
        for Rule { purview, on, .. } in rules {
            if purview.assigns.is_some() || purview.target.is_some() || !purview.within.is_empty() {
                no(on.first().map_or(name.at, |first| first.at), "rules with a purview");
            }
        }
    }
    for RoleTemplate { name, holders, requires, .. } in &policy.role_templates {
        if holders.iter().any(|holder| !holder.when.is_empty()) {
            no(name.at, "holders with `where`");
        }
        if !requires.is_empty() {
            no(name.at, "requirements");
        }
    }
    for binding in &facts.bindings {
        if !matches!(binding.subject.value, BindingHolder::One(_)) {
            no(binding.subject.at, "bindings of `all(...)` and `members_of(...)`");
        }
    }
}
