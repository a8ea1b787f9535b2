//! A written question as a request: each value takes the type that the policy declares for it.

use crate::model::{
    Ask, Attribute, Attributes, Entity, EntityName, Literal, Policy, Request, Spanned, Timestamp, Value, ValueType,
};

/// Lends a test's question to `ask`.
///
/// A text is a time or an entity where its attribute, context key or parameter is declared as one; where nothing is
/// declared it stays a text. What does not fit its type is sent as it is written: wrongly typed.
pub fn with_request<T>(policy: &Policy, ask: &Ask, lend: impl FnOnce(&Request<'_>) -> T) -> T {
    let subject = |name: &str| of(subject_attributes(policy, &ask.subject.kind)?, name);
    let resource = |name: &str| of(resource_attributes(policy, &ask.resource.kind)?, name);
    let parameter = |name: &str| parameter(policy, &ask.resource.kind, &ask.action, name);
    let context = |name: &str| of(&policy.context, name);
    let subject_lists = lists(&ask.subject_properties, &subject);
    let parameter_lists = lists(&ask.parameters, &parameter);
    let resource_lists = lists(&ask.properties, &resource);
    let context_lists = lists(&ask.context, &context);
    lend(&Request {
        subject: ask.subject.as_entity(),
        subject_properties: &properties(&ask.subject_properties, &subject_lists, &subject),
        action: &ask.action,
        action_properties: &properties(&ask.parameters, &parameter_lists, &parameter),
        resource: ask.resource.as_entity(),
        parent: ask.parent.as_ref().map(EntityName::as_entity),
        resource_properties: &properties(&ask.properties, &resource_lists, &resource),
        context: &properties(&ask.context, &context_lists, &context),
    })
}

/// How a property is declared.
type Declared<'p, 'f> = &'f dyn Fn(&str) -> Option<&'p ValueType>;

/// The items of every value that is a list, in the properties' order.
fn lists<'v>(written: &'v Attributes, declared: Declared<'_, '_>) -> Vec<Vec<Value<'v>>> {
    let items = |(name, value): &'v (Spanned<String>, Spanned<Literal>)| {
        let Literal::List(items) = &value.value else { return Vec::new() };
        let kind = match declared(&name.value) {
            Some(ValueType::List(item)) => Some(&**item),
            other => other,
        };
        items.iter().map(|item| scalar(item, kind)).collect()
    };
    written.iter().map(items).collect()
}

fn properties<'v>(
    written: &'v Attributes,
    lists: &'v [Vec<Value<'v>>],
    declared: Declared<'_, '_>,
) -> Vec<(&'v str, Value<'v>)> {
    let one = |((name, value), list): (&'v (Spanned<String>, Spanned<Literal>), &'v Vec<Value<'v>>)| {
        let value = match &value.value {
            Literal::List(_) => Value::List(list),
            other => scalar(other, declared(&name.value)),
        };
        (name.value.as_str(), value)
    };
    written.iter().zip(lists).map(one).collect()
}

/// A list within a list, which no type has, becomes an empty one.
fn scalar<'v>(literal: &'v Literal, declared: Option<&ValueType>) -> Value<'v> {
    match literal {
        Literal::Null => Value::Null,
        Literal::Bool(flag) => Value::Bool(*flag),
        Literal::Int(number) => Value::Int(*number),
        Literal::String(text) => match declared {
            Some(ValueType::Timestamp) => Timestamp::parse(text).map(Value::Timestamp),
            Some(ValueType::Reference(_)) => Entity::parse(text).map(Value::Entity),
            _ => None,
        }
        .unwrap_or(Value::String(text)),
        Literal::List(_) => Value::List(&[]),
    }
}

/// Of a subject, or of a credential that asks as one.
fn subject_attributes<'p>(policy: &'p Policy, kind: &str) -> Option<&'p [Attribute]> {
    let subjects = policy.subject_types.iter().map(|own| (&own.name, &own.attributes));
    let mut all = subjects.chain(policy.credential_types.iter().map(|own| (&own.name, &own.attributes)));
    all.find(|(name, _)| name.value == kind).map(|(_, attributes)| attributes.as_slice())
}

fn resource_attributes<'p>(policy: &'p Policy, kind: &str) -> Option<&'p [Attribute]> {
    policy.types.iter().find(|own| own.name.value == kind).map(|own| own.attributes.as_slice())
}

fn parameter<'p>(policy: &'p Policy, kind: &str, action: &str, name: &str) -> Option<&'p ValueType> {
    let kind = policy.types.iter().find(|own| own.name.value == kind)?;
    // A list of actions names none: any of the type's may declare it.
    let asked = kind.actions.iter().filter(|own| action.is_empty() || own.name.value == action);
    asked.flat_map(|own| &own.parameters).find(|own| own.name.value == name).map(|own| &own.value_type)
}

fn of<'p>(attributes: &'p [Attribute], name: &str) -> Option<&'p ValueType> {
    attributes.iter().find(|own| own.name.value == name).map(|own| &own.value_type)
}
