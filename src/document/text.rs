//! What a scalar may be: names, ids, references, moments, literal values, and the types of values.

use std::fmt;

use super::decode::{Decode, FromText, decode_items, refuse};
use super::node::{Kind, Node};
use super::sink::{Sink, quote};
use super::suggest;
use crate::model::{BindingHolder, EntityName, Literal, MAX_ID_BYTES, Position, Spanned, Supplier, Timestamp};

/// Words that conditions and references use, so that no type or class may have them.
pub(super) const RESERVED_TYPES: [&str; 11] = [
    "subject",
    "resource",
    "ancestor",
    "context",
    "param",
    "credential",
    "request",
    "all",
    "members_of",
    "role",
    "permission",
];

/// A name of the vocabulary: `[a-z][a-z0-9_]*`.
#[derive(Debug)]
pub(super) struct Name(pub(super) String);

/// A name under which a type, a class or a subject type is declared.
#[derive(Debug)]
pub(super) struct TypeName(pub(super) String);

/// A name under which an action or an operation is declared: `all` has its own meaning.
#[derive(Debug)]
pub(super) struct ActionName(pub(super) String);

/// An id: any visible text.
#[derive(Debug)]
pub(super) struct Id(pub(super) String);

/// A condition, as text.
#[derive(Debug)]
pub(super) struct Condition(pub(super) String);

macro_rules! into_string {
    ($($name:ident)*) => {$(
        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}
into_string!(Name TypeName ActionName Id Condition);

/// The same text without the promise about its form.
pub(super) fn plain<T: Into<String>>(text: Spanned<T>) -> Spanned<String> {
    Spanned::new(text.value.into(), text.at)
}

/// The same texts without the promise about their form.
pub(super) fn plain_all<T: Into<String>>(texts: impl IntoIterator<Item = Spanned<T>>) -> Vec<Spanned<String>> {
    texts.into_iter().map(plain).collect()
}

impl FromText for Name {
    const WANTED: &'static str = "a name";

    fn from_text(text: &str, at: Position, sink: &mut Sink<'_>) -> Option<Self> {
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase());
        if !first || !bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
            let help = "a name is made of lower-case letters, digits and `_`, and begins with a letter";
            sink.error_with(at, format!("{} is not a name", quote(text)), help);
            return None;
        }
        check_text(text, "a name", at, sink)?;
        Some(Self(text.to_owned()))
    }
}

impl FromText for TypeName {
    const WANTED: &'static str = Name::WANTED;

    fn from_text(text: &str, at: Position, sink: &mut Sink<'_>) -> Option<Self> {
        if RESERVED_TYPES.contains(&text) {
            sink.error_with(at, format!("`{text}` is a reserved word"), "choose another name");
            return None;
        }
        Name::from_text(text, at, sink).map(|name| Self(name.0))
    }
}

impl FromText for ActionName {
    const WANTED: &'static str = Name::WANTED;

    fn from_text(text: &str, at: Position, sink: &mut Sink<'_>) -> Option<Self> {
        if text == "all" {
            sink.error_with(at, "`all` is a reserved word", "choose another name");
            return None;
        }
        Name::from_text(text, at, sink).map(|name| Self(name.0))
    }
}

impl FromText for Id {
    const WANTED: &'static str = "an id";

    fn from_text(text: &str, at: Position, sink: &mut Sink<'_>) -> Option<Self> {
        check_text(text, "an id", at, sink)?;
        Some(Self(text.to_owned()))
    }
}

impl FromText for Condition {
    const WANTED: &'static str = "a condition";

    fn from_text(text: &str, at: Position, sink: &mut Sink<'_>) -> Option<Self> {
        if text.trim().is_empty() {
            sink.error_with(at, "the condition is empty", "write one, or leave the key out");
            return None;
        }
        Some(Self(text.to_owned()))
    }
}

impl FromText for EntityName {
    const WANTED: &'static str = "a `type/id`";

    fn from_text(text: &str, at: Position, sink: &mut Sink<'_>) -> Option<Self> {
        let Some(name) = Self::parse(text) else {
            let help = "write the type, a slash and the id, like `user/ana`";
            sink.error_with(at, format!("{} is not a `type/id`", quote(text)), help);
            return None;
        };
        let kind = Name::from_text(&name.kind, Position { length: length_of(&name.kind), ..at }, sink);
        check_text(&name.id, "an id", at, sink)?;
        kind.map(|_| name)
    }
}

impl FromText for BindingHolder {
    const WANTED: &'static str = "a holder";

    fn from_text(text: &str, at: Position, sink: &mut Sink<'_>) -> Option<Self> {
        let Some(holder) = Self::parse(text) else {
            let help = "write `user/ana`, a group like `team/support`, `all(user)` or `members_of(workspace/prod)`";
            sink.error_with(at, format!("{} is not a holder", quote(text)), help);
            return None;
        };
        let checked = match &holder {
            Self::One(name) => EntityName::from_text(&name.to_string(), at, sink).map(drop),
            Self::AllOf(kind) => Name::from_text(kind, inside(text, "all(", kind, at), sink).map(drop),
            Self::MembersOf(scope) => {
                let scope = scope.to_string();
                EntityName::from_text(&scope, inside(text, "members_of(", &scope, at), sink).map(drop)
            }
        };
        checked.map(|()| holder)
    }
}

impl FromText for Timestamp {
    const WANTED: &'static str = "a timestamp";

    fn from_text(text: &str, at: Position, sink: &mut Sink<'_>) -> Option<Self> {
        let moment = Self::parse(text);
        if moment.is_none() {
            let help = "write RFC 3339, like `2026-01-31T09:00:00Z`";
            sink.error_with(at, format!("{} is not a timestamp", quote(text)), help);
        }
        moment
    }
}

/// Refuses what cannot be told apart on a screen, or is too long to be an id.
fn check_text(text: &str, what: &str, at: Position, sink: &mut Sink<'_>) -> Option<()> {
    let problem = if text.is_empty() {
        "must not be empty"
    } else if text.len() > MAX_ID_BYTES {
        "must not be longer than 1024 bytes"
    } else if text.chars().any(char::is_control) {
        "must not hold control characters"
    } else if text.chars().any(is_bidirectional) {
        "must not hold bidirectional control characters"
    } else {
        return Some(());
    };
    sink.error(at, format!("{what} {problem}: {}", quote(text)));
    None
}

/// Characters that reorder the text around them, so that one id can be shown as another.
pub(super) fn is_bidirectional(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl Decode for Literal {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        Some(match &node.kind {
            Kind::Null => Self::Null,
            Kind::Bool(flag) => Self::Bool(*flag),
            Kind::Int(digits) => {
                let number = digits.parse().ok();
                if number.is_none() {
                    let message = format!("{} does not fit an int of 64 bits", quote(digits));
                    sink.error_with(node.at, message, "quote it if it is meant as text");
                }
                Self::Int(number?)
            }
            Kind::String(text) => Self::String(text.clone().into_owned()),
            Kind::List(items) => Self::List(decode_items(items, sink)),
            Kind::Map(_) | Kind::Refused => return refuse(node, "a value", sink),
        })
    }
}

impl Decode for Supplier {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        const WANTED: &str = "`snapshot`, `request`, `[snapshot, request]` or `[request, snapshot]`";
        let word = |node: &Node<'_>| match node.text()? {
            "snapshot" => Some(Self::Snapshot),
            "request" => Some(Self::Request),
            _ => None,
        };
        let found = match node.items().map(|items| items.iter().map(word).collect::<Option<Vec<_>>>()) {
            None => word(node),
            Some(words) => match words.as_deref() {
                Some([Self::Snapshot, Self::Request]) => Some(Self::SnapshotThenRequest),
                Some([Self::Request, Self::Snapshot]) => Some(Self::RequestThenSnapshot),
                _ => None,
            },
        };
        found.or_else(|| refuse(node, WANTED, sink))
    }
}

/// The type of a value, as written: what an enum may be stands elsewhere.
#[derive(Debug, Clone)]
pub(super) enum TypeExpression {
    Bool,
    Int,
    String,
    Timestamp,
    Enum,
    Governor,
    Role,
    Permission,
    List(Box<TypeExpression>),
    Reference(Spanned<String>),
}

impl FromText for TypeExpression {
    const WANTED: &'static str = "a type";

    fn from_text(text: &str, at: Position, sink: &mut Sink<'_>) -> Option<Self> {
        if let Some(inner) = text.strip_prefix("list(").and_then(|rest| rest.strip_suffix(')')) {
            let at = inside(text, "list(", inner, at);
            // Refused before it is read: input must not choose how deep this recurses.
            if inner.starts_with("list(") {
                sink.error(at, "a list of lists is not a type: the items of a list are scalars");
                return None;
            }
            let item = Self::from_text(inner, at, sink)?;
            return Some(Self::List(Box::new(item)));
        }
        if let Some(inner) = text.strip_prefix("ref(").and_then(|rest| rest.strip_suffix(')')) {
            let at = inside(text, "ref(", inner, at);
            return Name::from_text(inner, at, sink).map(|name| Self::Reference(Spanned::new(name.0, at)));
        }
        Some(match text {
            "bool" => Self::Bool,
            "int" => Self::Int,
            "string" => Self::String,
            "timestamp" => Self::Timestamp,
            "enum" => Self::Enum,
            "governor" => Self::Governor,
            "role" => Self::Role,
            "permission" => Self::Permission,
            _ => {
                let known = ["bool", "int", "string", "timestamp", "enum", "governor", "list(string)", "ref(user)"];
                sink.error_with(at, format!("{} is not a type of values", quote(text)), suggest::help(text, known));
                return None;
            }
        })
    }
}

/// Where a part of a text stands, if the text is written without quotes and escapes; else where the text stands.
fn inside(text: &str, before: &str, part: &str, at: Position) -> Position {
    if at.length != length_of(text) {
        return at;
    }
    Position { column: at.column.saturating_add(length_of(before)), length: length_of(part), ..at }
}

fn length_of(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}
