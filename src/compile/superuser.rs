//! Superusers: roles that give every declared action of every type, and say nothing else.

use crate::model::Role;

use super::findings::Findings;
use super::intern::number;
use super::layout::{ANY_TYPE, NONE};
use super::roles::FlatRule;
use super::schema::Schema;

/// Refuses what a superuser cannot have: a key that would change nothing reads as if it did.
pub(super) fn check(role: &Role, findings: &mut Findings) {
    if !role.superuser {
        return;
    }
    let keys = [
        ("allow", !role.rules.is_empty()),
        ("limits", !role.limits.is_empty()),
        ("includes", !role.includes.is_empty()),
        ("levels", role.levels.is_some()),
        ("requires", !role.requires.is_empty()),
        ("customisable", role.customisable),
    ];
    for (key, _) in keys.into_iter().filter(|(_, written)| *written) {
        findings.error_with_help(
            role.name.at,
            format!("role `{}` is a superuser and has `{key}`", role.name.value),
            "a superuser gives every declared action and nothing filters it: remove the key, or `superuser`",
        );
    }
}

/// A rule for every declared permission: whatever is not declared is not given.
pub(super) fn rules(schema: &Schema<'_>) -> Vec<FlatRule> {
    let permissions = 0..number(schema.permissions.len());
    permissions
        .map(|permission| FlatRule { permission, when: NONE, held_at: ANY_TYPE, purview: NONE, limits: Vec::new() })
        .collect()
}
