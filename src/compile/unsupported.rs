//! What the language can say but this compiler does not give a meaning yet: refused by name, never ignored.

use crate::model::{BindingHolder, Facts, Policy, Position, Role, RoleTemplate};

use super::findings::Findings;

/// Refuses every use of such a key.
pub(super) fn refuse(policy: &Policy, facts: &Facts, findings: &mut Findings) {
    let mut no = |at: Position, what: &str| findings.error(at, format!("{what} are not supported yet"));
    policy.group_types.iter().for_each(|one| no(one.name.at, "groups"));
    policy.seats.iter().for_each(|one| no(one.name.at, "seats"));
    facts.groups.iter().for_each(|one| no(one.name.at, "groups"));
    for Role { name, holders, requires, .. } in &policy.roles {
        if holders.iter().any(|holder| !holder.when.is_empty()) {
            no(name.at, "holders with `where`");
        }
        if !requires.is_empty() {
            no(name.at, "requirements");
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
