//! A question, as any door hands it to [`crate::decide`], and what makes it malformed.

use std::fmt;

use super::Value;

/// The longest type, id, action or property name in bytes (DESIGN section 2, "Malformed").
pub const MAX_ID_BYTES: usize = 1024;

/// The deepest nesting of lists in a property.
const MAX_LIST_DEPTH: usize = 2;

/// An entity by name: exact bytes, case-sensitive, never normalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entity<'a> {
    /// The type's name.
    pub kind: &'a str,
    /// The id within the type.
    pub id: &'a str,
}

impl<'a> Entity<'a> {
    /// Splits `type/id` at the first slash; an id may hold further slashes.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (kind, id) = text.split_once('/')?;
        (!kind.is_empty() && !id.is_empty()).then_some(Self { kind, id })
    }
}

impl fmt::Display for Entity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

/// Named values that came with a request. A name given twice is malformed.
pub type Properties<'a> = &'a [(&'a str, Value<'a>)];

/// May `subject` do `action` on `resource`?
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub subject: Entity<'a>,
    /// What the caller says about the subject.
    pub subject_properties: Properties<'a>,
    /// The action's name.
    pub action: &'a str,
    /// The action's parameters.
    pub action_properties: Properties<'a>,
    /// What it would be done to.
    pub resource: Entity<'a>,
    /// Where the resource would be, when the snapshot does not hold it.
    pub parent: Option<Entity<'a>>,
    /// What the caller says about the resource.
    pub resource_properties: Properties<'a>,
    /// What the caller says about the situation.
    pub context: Properties<'a>,
}

/// A request that cannot be asked at all: an error of the caller, not a decision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Malformed {
    /// The field, as the wire names it (`resource.id`).
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Malformed {
    /// A malformed field.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

impl Request<'_> {
    /// Checks everything that can be checked without a snapshot.
    ///
    /// # Errors
    /// An empty, overlong or control-character-bearing type, id, action or property name, or a name given twice.
    pub fn check(&self) -> Result<(), Malformed> {
        check_entity("subject", self.subject)?;
        check_name("action.name", self.action)?;
        check_entity("resource", self.resource)?;
        if let Some(parent) = self.parent {
            check_entity("resource.parent", parent)?;
        }
        self.check_properties()
    }

    /// Checks the properties alone.
    ///
    /// # Errors
    /// As [`Request::check`], of a property.
    #[inline]
    pub fn check_properties(&self) -> Result<(), Malformed> {
        check_properties("subject.properties", self.subject_properties)?;
        check_properties("action.properties", self.action_properties)?;
        check_properties("resource.properties", self.resource_properties)?;
        check_properties("context", self.context)
    }
}

fn check_entity(field: &str, entity: Entity<'_>) -> Result<(), Malformed> {
    check_name_within(field, ".type", entity.kind)?;
    check_name_within(field, ".id", entity.id)
}

fn check_name(field: &str, text: &str) -> Result<(), Malformed> {
    check_name_within(field, "", text)
}

fn check_name_within(field: &str, part: &str, text: &str) -> Result<(), Malformed> {
    match name_problem(text) {
        None => Ok(()),
        Some(problem) => Err(Malformed::new(format!("{field}{part}"), problem)),
    }
}

/// Why a text cannot be a type, an id or a name; `None` where it can.
pub(crate) fn name_problem(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        Some("must not be empty")
    } else if text.len() > MAX_ID_BYTES {
        Some("must not be longer than 1024 bytes")
    } else if text.bytes().any(|byte| byte < 0x20 || byte == 0x7f)
        || (!text.is_ascii() && text.chars().any(char::is_control))
    {
        Some("must not hold control characters")
    } else {
        None
    }
}

#[inline]
fn check_properties(field: &str, properties: Properties<'_>) -> Result<(), Malformed> {
    if properties.is_empty() { Ok(()) } else { check_each_property(field, properties) }
}

fn check_each_property(field: &str, properties: Properties<'_>) -> Result<(), Malformed> {
    for (position, (name, value)) in properties.iter().enumerate() {
        if let Some(problem) = name_problem(name) {
            return Err(Malformed::new(field, format!("a property's name {problem}")));
        }
        if properties.iter().take(position).any(|(earlier, _)| earlier == name) {
            return Err(Malformed::new(format!("{field}.{name}"), "is given twice"));
        }
        check_value(value, MAX_LIST_DEPTH).map_err(|problem| Malformed::new(format!("{field}.{name}"), problem))?;
    }
    Ok(())
}

fn check_value(value: &Value<'_>, depth: usize) -> Result<(), &'static str> {
    match value {
        Value::Entity(entity) => match name_problem(entity.kind).or_else(|| name_problem(entity.id)) {
            Some(problem) => Err(problem),
            None => Ok(()),
        },
        Value::List(_) if depth == 0 => Err("lists are nested too deep"),
        Value::List(items) => items.iter().try_for_each(|item| check_value(item, depth - 1)),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::String(_) | Value::Timestamp(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Entity, Request, Value};

    const PLAIN: Request<'static> = Request {
        subject: Entity { kind: "user", id: "ana" },
        subject_properties: &[],
        action: "view",
        action_properties: &[],
        resource: Entity { kind: "bot", id: "helper" },
        parent: None,
        resource_properties: &[],
        context: &[],
    };

    #[test]
    fn names_the_field() {
        assert_eq!(PLAIN.check(), Ok(()));
        let empty = Request { resource: Entity { kind: "bot", id: "" }, ..PLAIN };
        assert_eq!(empty.check().unwrap_err().field, "resource.id");
        let long = "x".repeat(1025);
        assert_eq!(Request { action: &long, ..PLAIN }.check().unwrap_err().field, "action.name");
        let control = Request { subject: Entity { kind: "user", id: "a\u{85}b" }, ..PLAIN };
        assert_eq!(control.check().unwrap_err().field, "subject.id");
        let twice = Request { context: &[("mfa", Value::Bool(true)), ("mfa", Value::Bool(false))], ..PLAIN };
        assert_eq!(twice.check().unwrap_err().field, "context.mfa");
    }

    #[test]
    fn an_id_may_hold_slashes() {
        assert_eq!(Entity::parse("bot/a/b"), Some(Entity { kind: "bot", id: "a/b" }));
        assert_eq!(Entity::parse("bot/"), None);
        assert_eq!(Entity::parse("bot"), None);
    }
}
