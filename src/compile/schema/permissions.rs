//! Actions of types, and the operations that group them.

use std::collections::HashMap;

use crate::compile::findings::Findings;
use crate::compile::layout::{MAX_PARAMETERS, SUBJECT_TYPES};
use crate::model::{Action, AlsoTarget, Policy, Spanned, ValueType, order};

use super::attributes::reference;
use super::changes;
use super::{ParameterType, PermissionInfo, Schema, TypeSort};

/// Numbers every action of every type.
pub(super) fn resolve<'p>(policy: &'p Policy, schema: &mut Schema<'p>, findings: &mut Findings) {
    let by_action = operations(policy, schema, findings);
    let mut list = Vec::new();
    for declared in &policy.types {
        let Some(owner) = schema.type_number(&declared.name.value) else { continue };
        for action in &declared.actions {
            list.push(one(owner, action, schema, &by_action, findings));
        }
    }
    order::by(&mut list, |a: &PermissionInfo<'_>, b| {
        a.owner.cmp(&b.owner).then_with(|| a.action.name.value.cmp(&b.action.name.value))
    });
    for (earlier, later) in list.iter().zip(list.iter().skip(1)) {
        if earlier.owner == later.owner && earlier.action.name.value == later.action.name.value {
            let message = format!(
                "action `{}` of `{}` is declared twice",
                later.action.name.value,
                schema.type_name(later.owner)
            );
            findings.error(later.action.name.at, message);
        }
    }
    schema.permission_numbers =
        list.iter().zip(0..).map(|(info, number)| ((info.owner, info.action.name.value.as_str()), number)).collect();
    schema.permissions = list;
    unused_operations(policy, schema, findings);
    second_decisions(schema, findings);
    changes::resolve(schema, findings);
}

/// Numbers the operations and says which one each action name belongs to.
fn operations<'p>(
    policy: &'p Policy,
    schema: &mut Schema<'p>,
    findings: &mut Findings,
) -> HashMap<&'p str, (u32, &'p Spanned<String>)> {
    let mut by_action: HashMap<&str, (u32, &Spanned<String>)> = HashMap::new();
    for (operation, number) in policy.operations.iter().zip(0..) {
        if schema.operations.insert(&operation.name.value, number).is_some() {
            findings.error(operation.name.at, format!("operation `{}` is declared twice", operation.name.value));
        }
        for action in &operation.actions {
            if by_action.insert(&action.value, (number, action)).is_some() {
                findings.error(action.at, format!("action `{}` belongs to two operations", action.value));
            }
        }
    }
    by_action
}

fn one<'p>(
    owner: u16,
    action: &'p Action,
    schema: &Schema<'p>,
    by_action: &HashMap<&str, (u32, &Spanned<String>)>,
    findings: &mut Findings,
) -> PermissionInfo<'p> {
    let operation = match &action.operation {
        Some(name) => {
            let number = schema.operations.get(name.value.as_str()).copied();
            if number.is_none() {
                findings.error(name.at, format!("`{}` is no operation", name.value));
            }
            number
        }
        None => by_action.get(action.name.value.as_str()).map(|(number, _)| *number),
    };
    let governor = action.governed_by.as_ref().and_then(|name| {
        let number = schema.type_number(&name.value).filter(|n| is_governor(schema, *n));
        if number.is_none() {
            findings.error(name.at, format!("`{}` is no type that can govern an action", name.value));
        }
        number
    });
    let parameters = parameters(action, schema, findings);
    PermissionInfo {
        owner,
        action,
        operation,
        governor: governor.unwrap_or(owner),
        parameters,
        level: 0,
        level_governor: super::GovernorSource::Nothing,
        also: None,
        change: None,
    }
}

fn is_governor(schema: &Schema<'_>, number: u16) -> bool {
    matches!(schema.sort(number), Some(TypeSort::Resource | TypeSort::Virtual))
}

fn parameters(action: &Action, schema: &Schema<'_>, findings: &mut Findings) -> Vec<ParameterType> {
    if action.parameters.len() > MAX_PARAMETERS {
        findings
            .error(action.name.at, format!("action `{}` has more than {MAX_PARAMETERS} parameters", action.name.value));
    }
    let mut types = Vec::new();
    for parameter in &action.parameters {
        if action.parameters.iter().filter(|other| other.name.value == parameter.name.value).count() > 1 {
            findings.error(parameter.name.at, format!("parameter `{}` is declared twice", parameter.name.value));
        }
        match parameter_type(&parameter.value_type, schema, findings) {
            Some(parameter_type) => types.push(parameter_type),
            None => findings.error_with_help(
                parameter.name.at,
                format!("parameter `{}` names no entity, role or permission", parameter.name.value),
                "its type is `ref(<type>)`, `role`, `list(role)`, `permission` or `list(permission)`; plain values belong to the context",
            ),
        }
    }
    types
}

fn parameter_type(declared: &ValueType, schema: &Schema<'_>, findings: &mut Findings) -> Option<ParameterType> {
    match declared {
        ValueType::Reference(target) => {
            Some(ParameterType::Entity(reference(target, schema, findings).unwrap_or(SUBJECT_TYPES)))
        }
        ValueType::Role => Some(ParameterType::Role),
        ValueType::Permission => Some(ParameterType::Permission),
        ValueType::List(item) if **item == ValueType::Role => Some(ParameterType::Roles),
        ValueType::List(item) if **item == ValueType::Permission => Some(ParameterType::Permissions),
        _ => None,
    }
}

/// An operation's action that no type has is most likely a typing mistake.
fn unused_operations(policy: &Policy, schema: &Schema<'_>, findings: &mut Findings) {
    for operation in &policy.operations {
        for action in &operation.actions {
            if !schema.permissions.iter().any(|info| info.action.name.value == action.value) {
                let message =
                    format!("no type has the action `{}` of operation `{}`", action.value, operation.name.value);
                findings.error(action.at, message);
            }
        }
    }
}

/// Resolves `also`, once every action has its number.
fn second_decisions(schema: &mut Schema<'_>, findings: &mut Findings) {
    let resolved: Vec<_> = schema.permissions.iter().map(|info| second_decision(info, schema, findings)).collect();
    for (info, also) in schema.permissions.iter_mut().zip(resolved) {
        info.also = also;
    }
}

fn second_decision(
    info: &PermissionInfo<'_>,
    schema: &Schema<'_>,
    findings: &mut Findings,
) -> Option<(u32, u32, bool)> {
    let also = info.action.also.as_ref()?;
    let (parameter, under) = match &also.target {
        AlsoTarget::On(name) => (name, false),
        AlsoTarget::Under(name) => (name, true),
    };
    let declared = info.action.parameters.iter().zip(0..).find(|(known, _)| known.name.value == parameter.value);
    let Some((_, position)) = declared else {
        findings.error(
            parameter.at,
            format!("`{}` is no parameter of action `{}`", parameter.value, info.action.name.value),
        );
        return None;
    };
    let ParameterType::Entity(entity) = *info.parameters.get(usize::try_from(position).unwrap_or(0))? else {
        findings.error(parameter.at, format!("parameter `{}` names no entity to act on", parameter.value));
        return None;
    };
    let object = if under { info.owner } else { entity };
    if under && !schema.type_info(info.owner).is_some_and(|own| own.parents.contains(&entity)) {
        let message =
            format!("a `{}` cannot stand under a `{}`", schema.type_name(info.owner), schema.type_name(entity));
        findings.error(parameter.at, message);
        return None;
    }
    let Some(permission) = schema.permission(object, &also.action.value) else {
        findings.error(also.action.at, format!("`{}` has no action `{}`", schema.type_name(object), also.action.value));
        return None;
    };
    let second = schema.permission_info(permission)?;
    if second.action.also.is_some() || second.action.parameters.iter().any(|parameter| !parameter.optional) {
        findings.error_with_help(
            also.action.at,
            format!("the second action `{}` itself needs parameters or a second object", also.action.value),
            "one further decision, not nested: name an action without `also` and without demanded parameters",
        );
        return None;
    }
    if under && !second.action.creates {
        findings.error(
            also.action.at,
            format!("`{}` is asked of a new resource but is not declared `creates: true`", also.action.value),
        );
        return None;
    }
    Some((position, permission, under))
}
