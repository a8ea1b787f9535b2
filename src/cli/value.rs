//! Values on the command line: `true`, `42`, `text`, `@user/ana`, `2026-01-31T09:00:00Z`, `[a, b]`.

use crate::model::{Entity, Timestamp, Value};

/// A value, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OwnedValue {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Anything else, or anything in double quotes.
    Text(String),
    /// RFC 3339.
    Time(Timestamp),
    /// `@type/id`.
    Entity(String, String),
    /// `[a, b]`.
    List(Vec<OwnedValue>),
}

impl OwnedValue {
    /// Reads a value as it is written on the command line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let items = inner.split(',').map(str::trim).filter(|item| !item.is_empty());
            return items.map(Self::scalar).collect::<Result<_, _>>().map(Self::List);
        }
        Self::scalar(text)
    }

    /// Reads a text that cannot be a bool, a number or a list, because those are written in another way where it stands.
    pub(super) fn parse_text(text: &str) -> Result<Self, String> {
        if let Some(quoted) = text.strip_prefix('"') {
            let inner = quoted.strip_suffix('"').ok_or_else(|| format!("`{text}` has no closing quote"))?;
            return Ok(Self::Text(inner.to_owned()));
        }
        if let Some(entity) = text.strip_prefix('@') {
            let entity = Entity::parse(entity).ok_or_else(|| format!("`{text}` is no entity: write @type/id"))?;
            return Ok(Self::Entity(entity.kind.to_owned(), entity.id.to_owned()));
        }
        Ok(Timestamp::parse(text).map_or_else(|| Self::Text(text.to_owned()), Self::Time))
    }

    fn scalar(text: &str) -> Result<Self, String> {
        Ok(match (text, text.parse::<i64>()) {
            ("true", _) => Self::Bool(true),
            ("false", _) => Self::Bool(false),
            (_, Ok(int)) => Self::Int(int),
            _ => return Self::parse_text(text),
        })
    }

    /// The same value, borrowed; `items` keeps the items of a list.
    pub(super) fn borrow<'v>(&'v self, items: &'v [Value<'v>]) -> Value<'v> {
        match self {
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Int(int) => Value::Int(*int),
            Self::Text(text) => Value::String(text),
            Self::Time(time) => Value::Timestamp(*time),
            Self::Entity(kind, id) => Value::Entity(Entity { kind, id }),
            Self::List(_) => Value::List(items),
        }
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Vec<Value<'_>> {
        match self {
            Self::List(items) => items.iter().map(|item| item.borrow(&[])).collect(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::OwnedValue;

    #[test]
    fn each_form_has_its_type() {
        let parse = |text| OwnedValue::parse(text).unwrap();
        assert_eq!(parse("true"), OwnedValue::Bool(true));
        assert_eq!(parse("-7"), OwnedValue::Int(-7));
        assert_eq!(parse("\"7\""), OwnedValue::Text("7".to_owned()));
        assert_eq!(parse("yes"), OwnedValue::Text("yes".to_owned()));
        assert_eq!(parse("@user/ana"), OwnedValue::Entity("user".to_owned(), "ana".to_owned()));
        assert!(matches!(parse("2026-01-31T09:00:00Z"), OwnedValue::Time(_)));
        assert_eq!(parse("[1, a]"), OwnedValue::List(vec![OwnedValue::Int(1), OwnedValue::Text("a".to_owned())]));
        assert!(OwnedValue::parse("@user").is_err());
        assert!(OwnedValue::parse("\"open").is_err());
    }
}
