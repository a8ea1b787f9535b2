//! Changes of facts that actions stand for: which of their parameters say whose, to which role, to which list.

use crate::compile::findings::Findings;
use crate::compile::purviews::subjects;
use crate::model::{Change, Spanned};

use super::{ChangeInfo, ParameterType, PermissionInfo, Schema};

/// Resolves the change of every action that declares one.
pub(super) fn resolve(schema: &mut Schema<'_>, findings: &mut Findings) {
    let resolved: Vec<_> = schema.permissions.iter().map(|info| of_action(info, schema, findings)).collect();
    for (info, change) in schema.permissions.iter_mut().zip(resolved) {
        info.change = change;
    }
}

fn of_action(info: &PermissionInfo<'_>, schema: &Schema<'_>, findings: &mut Findings) -> Option<ChangeInfo> {
    let action = info.action;
    let name = format!("action `{}` of `{}`", action.name.value, schema.type_name(info.owner));
    let Some(change) = &action.change else {
        if let Some(at) = action.valid_result {
            findings.error_with_help(
                at,
                format!("{name} demands a valid result, but changes nothing"),
                "say which change it stands for: `change: grant`, `revoke`, `replace` or `customise`",
            );
        }
        return None;
    };
    let targets: Vec<u32> = subjects(info, schema).collect();
    let target = one("that refers to a subject", &targets, &name, change, findings)?;
    let of_type = |wanted: ParameterType| -> Vec<u32> {
        info.parameters.iter().zip(0..).filter(|(kind, _)| **kind == wanted).map(|(_, place)| place).collect()
    };
    let roles = of_type(ParameterType::Role);
    let role = match change.value {
        Change::Customise => None,
        Change::Revoke if roles.is_empty() => None,
        Change::Grant | Change::Replace | Change::Revoke => {
            Some(one("of type `role`", &roles, &name, change, findings)?)
        }
    };
    let permissions = match change.value {
        Change::Customise => {
            let lists = of_type(ParameterType::Permissions);
            Some(one("of type `list(permission)`", &lists, &name, change, findings)?)
        }
        Change::Grant | Change::Revoke | Change::Replace => None,
    };
    Some(ChangeInfo { kind: change.value, target, role, permissions, valid: action.valid_result.is_some() })
}

/// The only parameter of its sort.
fn one(sort: &str, places: &[u32], name: &str, change: &Spanned<Change>, findings: &mut Findings) -> Option<u32> {
    if let [only] = places {
        return Some(*only);
    }
    let found = if places.is_empty() { "no parameter" } else { "more than one parameter" };
    let message = format!("{name} changes what somebody holds, but has {found} {sort}");
    findings.error_with_help(change.at, message, format!("`{}` needs one", word(change.value)));
    None
}

fn word(change: Change) -> &'static str {
    match change {
        Change::Grant => "change: grant",
        Change::Revoke => "change: revoke",
        Change::Replace => "change: replace",
        Change::Customise => "change: customise",
    }
}
