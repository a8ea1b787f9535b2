//! A request that owns its bytes, and its borrowed form as the engine takes it.

use sidegate::model::{Entity, EntityName, Request, Timestamp, Value};

/// An owned [`Value`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Val {
    Null,
    Bool(bool),
    Int(i64),
    Str(String),
    Time(Timestamp),
    List(Vec<Val>),
    Entity(EntityName),
}

impl Val {
    fn of(value: &Value<'_>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Int(number) => Self::Int(*number),
            Value::String(text) => Self::Str((*text).to_owned()),
            Value::Timestamp(time) => Self::Time(*time),
            Value::List(items) => Self::List(items.iter().map(Self::of).collect()),
            Value::Entity(Entity { kind, id }) => {
                Self::Entity(EntityName { kind: (*kind).to_owned(), id: (*id).to_owned() })
            }
        }
    }
}

/// Owned properties.
pub(crate) type Props = Vec<(String, Val)>;

/// An owned [`Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) subject: EntityName,
    pub(crate) subject_properties: Props,
    pub(crate) action: String,
    pub(crate) action_properties: Props,
    pub(crate) resource: EntityName,
    pub(crate) parent: Option<EntityName>,
    pub(crate) resource_properties: Props,
    pub(crate) context: Props,
}

impl Question {
    /// The same request, owned.
    pub(crate) fn of(request: &Request<'_>) -> Self {
        let name = |entity: Entity<'_>| EntityName { kind: entity.kind.to_owned(), id: entity.id.to_owned() };
        let own = |properties: &[(&str, Value<'_>)]| -> Props {
            properties.iter().map(|(name, value)| ((*name).to_owned(), Val::of(value))).collect()
        };
        Self {
            subject: name(request.subject),
            subject_properties: own(request.subject_properties),
            action: request.action.to_owned(),
            action_properties: own(request.action_properties),
            resource: name(request.resource),
            parent: request.parent.map(name),
            resource_properties: own(request.resource_properties),
            context: own(request.context),
        }
    }

    /// Lends the request to `f`.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&Request<'_>) -> R) -> R {
        let (subject_lists, action_lists) = (lists(&self.subject_properties), lists(&self.action_properties));
        let (resource_lists, context_lists) = (lists(&self.resource_properties), lists(&self.context));
        f(&Request {
            subject: self.subject.as_entity(),
            subject_properties: &lend(&self.subject_properties, &subject_lists),
            action: &self.action,
            action_properties: &lend(&self.action_properties, &action_lists),
            resource: self.resource.as_entity(),
            parent: self.parent.as_ref().map(EntityName::as_entity),
            resource_properties: &lend(&self.resource_properties, &resource_lists),
            context: &lend(&self.context, &context_lists),
        })
    }
}

/// The items of every property that is a list, in the properties' order.
fn lists(properties: &Props) -> Vec<Vec<Value<'_>>> {
    properties.iter().map(|(_, value)| items(value).iter().map(scalar).collect()).collect()
}

fn items(value: &Val) -> &[Val] {
    if let Val::List(items) = value { items } else { &[] }
}

fn lend<'a>(properties: &'a Props, lists: &'a [Vec<Value<'a>>]) -> Vec<(&'a str, Value<'a>)> {
    let lend_one = |value: &'a Val, list: &'a Vec<Value<'a>>| match value {
        Val::List(_) => Value::List(list),
        Val::Null | Val::Bool(_) | Val::Int(_) | Val::Str(_) | Val::Time(_) | Val::Entity(_) => scalar(value),
    };
    properties.iter().zip(lists).map(|((name, value), list)| (name.as_str(), lend_one(value, list))).collect()
}

/// A list within a list becomes an empty one.
fn scalar(value: &Val) -> Value<'_> {
    match value {
        Val::Null => Value::Null,
        Val::Bool(value) => Value::Bool(*value),
        Val::Int(value) => Value::Int(*value),
        Val::Str(value) => Value::String(value),
        Val::Time(value) => Value::Timestamp(*value),
        Val::List(_) => Value::List(&[]),
        Val::Entity(value) => Value::Entity(Entity { kind: &value.kind, id: &value.id }),
    }
}
