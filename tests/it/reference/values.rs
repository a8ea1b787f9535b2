//! The reference's values: what is stored, what is sent, what stands for neither.

use sidegate::model::{Attribute, Attributes, EntityName, Literal, Properties, Supplier, Timestamp, Value, ValueType};

use super::book::Book;
use super::condition::{Known, State};

impl Book<'_> {
    pub(super) fn values(
        &self,
        declared: &[Attribute],
        stored: Option<&Attributes>,
        sent: Properties<'_>,
    ) -> Vec<(String, State)> {
        let value = |attribute: &Attribute| (attribute.name.value.clone(), self.value(attribute, stored, sent));
        declared.iter().map(value).collect()
    }

    pub(super) fn value(&self, attribute: &Attribute, held: Option<&Attributes>, sent: Properties<'_>) -> State {
        let stored = held.and_then(|held| stored(attribute, held)).map(State::Present);
        let sent = property(sent, &attribute.name)
            .map(|value| self.typed(&attribute.value_type, value).map_or(State::Unknown, State::Present));
        let said = match attribute.from {
            Supplier::Snapshot => stored,
            Supplier::Request => sent,
            Supplier::SnapshotThenRequest => stored.or(sent),
            Supplier::RequestThenSnapshot => sent.or(stored),
        };
        let default = || attribute.default.as_ref().and_then(|default| written(&attribute.value_type, default));
        let fact = attribute.optional && attribute.from == Supplier::Snapshot && held.is_some();
        let nothing = if fact { State::Absent } else { State::Unknown };
        said.or_else(|| default().map(State::Present)).unwrap_or(nothing)
    }

    /// A sent value, if it is of the type.
    pub(super) fn typed(&self, value_type: &ValueType, value: &Value<'_>) -> Option<Known> {
        Some(match (value_type, value) {
            (ValueType::Bool, Value::Bool(value)) => Known::Bool(*value),
            (ValueType::Int, Value::Int(value)) => Known::Int(*value),
            (ValueType::String, Value::String(value)) => Known::Text((*value).to_owned()),
            (ValueType::Enum(names), Value::String(value)) if names.iter().any(|name| **name == *value) => {
                Known::Text((*value).to_owned())
            }
            (ValueType::Governor, Value::String(value))
                if self.policy.governors.iter().any(|path| **path == *value) =>
            {
                Known::Text((*value).to_owned())
            }
            (ValueType::Timestamp, Value::Timestamp(value)) => Known::Time(*value),
            (ValueType::Reference(name), Value::Entity(entity)) if self.is_a(entity.kind, name) => {
                Known::Entity(EntityName { kind: entity.kind.to_owned(), id: entity.id.to_owned() })
            }
            (ValueType::List(of), Value::List(items)) => {
                Known::List(items.iter().map(|item| self.typed(of, item)).collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }

    fn is_a(&self, kind: &str, wanted: &str) -> bool {
        kind == wanted || wanted == "subject" && self.is_subject_type(kind)
    }

    /// Whether what is sent says otherwise than what is stored.
    pub(super) fn contradicts(&self, declared: &[Attribute], held: Option<&Attributes>, sent: Properties<'_>) -> bool {
        declared.iter().any(|attribute| {
            let stored = held.and_then(|held| stored(attribute, held));
            let sent = property(sent, &attribute.name).map(|value| self.typed(&attribute.value_type, value));
            match (attribute.from, sent) {
                (_, None) | (Supplier::Request | Supplier::RequestThenSnapshot, _) => false,
                // "Never asserted against": an equal value is refused too, or a caller could guess until it is right.
                (_, Some(_)) if attribute.sensitive && stored.is_some() => true,
                (Supplier::Snapshot, Some(sent)) => stored.is_none() || stored != sent,
                (Supplier::SnapshotThenRequest, Some(sent)) => stored.is_some() && stored != sent,
            }
        })
    }
}

/// A property that was sent with a value.
pub(super) fn property<'a>(properties: Properties<'a>, name: &str) -> Option<&'a Value<'a>> {
    properties.iter().find(|(sent, value)| *sent == name && *value != Value::Null).map(|(_, value)| value)
}

/// A written value of a type.
pub(super) fn written(value_type: &ValueType, literal: &Literal) -> Option<Known> {
    Some(match (value_type, literal) {
        (ValueType::Bool, Literal::Bool(value)) => Known::Bool(*value),
        (ValueType::Int, Literal::Int(value)) => Known::Int(*value),
        (ValueType::String | ValueType::Enum(_) | ValueType::Governor, Literal::String(value)) => {
            Known::Text(value.clone())
        }
        (ValueType::Timestamp, Literal::String(value)) => Known::Time(Timestamp::parse(value)?),
        (ValueType::Reference(_), Literal::String(value)) => Known::Entity(EntityName::parse(value)?),
        (ValueType::List(of), Literal::List(items)) => {
            Known::List(items.iter().map(|item| written(of, item)).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

/// The stored value of an attribute.
fn stored(attribute: &Attribute, stored: &Attributes) -> Option<Known> {
    let (_, value) = stored.iter().find(|(name, _)| **name == *attribute.name)?;
    written(&attribute.value_type, value)
}
