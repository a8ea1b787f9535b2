//! Values: as an author writes them, and as a request carries them.

use super::{Entity, Spanned, Timestamp};

/// A value as written in a policy or in facts. The schema gives it its type: a string may be an enum value, a
/// timestamp or the `type/id` of an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// Nothing: the same as leaving the value out.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text.
    String(String),
    /// Several values.
    List(Vec<Spanned<Literal>>),
}

impl Literal {
    /// What kind of value this is, in words for an error.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a bool",
            Self::Int(_) => "an int",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
        }
    }
}

/// A value as a request carries it, borrowed from the request's own bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A property sent without a value: the same as absent.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text, compared byte by byte.
    String(&'a str),
    /// A moment.
    Timestamp(Timestamp),
    /// Several scalar values.
    List(&'a [Value<'a>]),
    /// A reference to an entity.
    Entity(Entity<'a>),
}
