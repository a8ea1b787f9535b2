//! Customised holders: the list of permissions that a binding narrows its role to.

use crate::compile::findings::Findings;
use crate::compile::layout::{ANY_TYPE, NONE, role_flags};
use crate::compile::roles::RoleInfo;
use crate::compile::schema::Schema;
use crate::compile::sets::PermissionSets;
use crate::model::{Binding, Customised, Spanned};

/// The number of a binding's own list, [`NONE`] for a binding that has all that its role gives. What the current version
/// no longer gives may stay in the list: it gives nothing, and nothing new is added to it.
pub(super) fn of_binding(
    binding: &Binding,
    role: Option<&RoleInfo<'_>>,
    scope: Option<u16>,
    schema: &Schema<'_>,
    sets: &mut PermissionSets,
    findings: &mut Findings,
) -> u32 {
    let (Some(customised), Some(role)) = (&binding.customised, role) else { return NONE };
    let whose = super::whose(binding);
    if role.flags & role_flags::CUSTOMISABLE == 0 {
        findings.error_with_help(
            binding.position,
            format!("{whose} is customised, but that role is not customisable"),
            "declare the role `customisable: true`, or remove `customised`",
        );
    }
    let Some((source, within)) = cut_from(customised, role, scope, &whose, binding, findings) else { return NONE };
    let list: Vec<u32> =
        customised.permissions.iter().filter_map(|name| permission(name, &whose, schema, findings)).collect();
    for (number, name) in list.iter().zip(&customised.permissions) {
        if list.len() == customised.permissions.len() && !within.contains(number) {
            findings.error(name.at, format!("{whose} is customised to `{}`, which {source} does not give", name.value));
        }
    }
    sets.intern(&list)
}

/// What the list must lie inside, and its name.
fn cut_from(
    customised: &Customised,
    role: &RoleInfo<'_>,
    scope: Option<u16>,
    whose: &str,
    binding: &Binding,
    findings: &mut Findings,
) -> Option<(String, Vec<u32>)> {
    match (&customised.version, role.versions.as_slice()) {
        (None, []) => {
            let counts = |at: u16| at == ANY_TYPE || Some(at) == scope;
            let here = role.rules.iter().filter(|rule| counts(rule.held_at.get()));
            Some((format!("role `{}`", role.name), here.map(|rule| rule.permission.get()).collect()))
        }
        (Some(version), []) => {
            let message =
                format!("{whose} is customised from version {}, but that role has no versions", version.value);
            findings.error_with_help(version.at, message, "remove `version`");
            None
        }
        (None, versions) => {
            let message = format!("{whose} is customised, but does not say from which version");
            findings.error_with_help(binding.position, message, format!("the versions are {}", numbers(versions)));
            None
        }
        (Some(version), versions) => {
            let found = versions.iter().find(|(number, _)| *number == version.value);
            if found.is_none() {
                let message =
                    format!("{whose} is customised from version {}, which that role does not have", version.value);
                findings.error_with_help(version.at, message, format!("the versions are {}", numbers(versions)));
            }
            found.map(|(number, gives)| (format!("version {number} of role `{}`", role.name), gives.clone()))
        }
    }
}

fn numbers(versions: &[(u64, Vec<u32>)]) -> String {
    let numbers: Vec<String> = versions.iter().map(|(number, _)| number.to_string()).collect();
    numbers.join(", ")
}

/// A permission, written `type.action`.
fn permission(name: &Spanned<String>, whose: &str, schema: &Schema<'_>, findings: &mut Findings) -> Option<u32> {
    let found = schema.permission_named(&name.value);
    if found.is_none() {
        findings.error_with_help(
            name.at,
            format!("{whose} is customised to `{}`, which is no permission", name.value),
            "a permission is written `type.action`",
        );
    }
    found
}
