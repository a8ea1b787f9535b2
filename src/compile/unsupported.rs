//! What the language can say but this compiler does not give a meaning yet: refused by name, never ignored.

use crate::model::{Policy, Position, Role, RoleTemplate};

use super::findings::Findings;

/// Refuses every use of such a key.
pub(super) fn refuse(policy: &Policy, findings: &mut Findings) {
    let mut no = |at: Position, what: &str| findings.error(at, format!("{what} are not supported yet"));
    policy.seats.iter().for_each(|one| no(one.name.at, "seats"));
    for Role { name, requires, .. } in &policy.roles {
        if !requires.is_empty() {
            no(name.at, "requirements");
        }
    }
    for RoleTemplate { name, requires, .. } in &policy.role_templates {
        if !requires.is_empty() {
            no(name.at, "requirements");
        }
    }
}
