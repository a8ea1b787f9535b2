//! How a request of HTTP becomes a question: routes, where names come from, headers. Matching is [`crate::mapping`]'s.

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Between the keys on the way to a claim; no name holds it.
pub const CLAIM_SEPARATOR: char = '\u{1f}';

/// A route: one method of one pattern.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct HttpRouteRecord {
    /// The method.
    pub method: U32,
    /// The host, or [`super::NONE`] for any.
    pub host: U32,
    /// First segment of the path, among the parts.
    pub path: U32,
    /// Behind the last of them.
    pub path_end: U32,
    /// The action's name.
    pub action: U32,
    /// The template of the resource.
    pub resource: U32,
    /// The template of its parent, or [`super::NONE`].
    pub parent: U32,
    /// First template of who asks: the first that is there counts.
    pub subjects: U32,
    /// Behind the last of them.
    pub subjects_end: U32,
    /// First of what the request says besides.
    pub values: U32,
    /// Behind the last of them.
    pub values_end: U32,
}

/// An entity whose id is put together from parts, with slashes between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct HttpTemplateRecord {
    /// The type's name.
    pub kind: U32,
    /// First part of the id.
    pub parts: U32,
    /// Behind the last of them.
    pub parts_end: U32,
}

/// A segment of a path, a part of an id, or where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct HttpPartRecord {
    /// [`HttpPartSort`].
    pub sort: u8,
    /// Nothing.
    pub reserved: [u8; 3],
    /// The text itself, or the name of what is looked up.
    pub text: U32,
}

/// Where a part comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum HttpPartSort {
    /// It is this text.
    Literal,
    /// A segment of the path.
    Capture,
    /// The rest of the path: one segment or more.
    Rest,
    /// A header.
    Header,
    /// A claim of a verified token.
    Claim,
    /// What Envoy's configuration says of the route.
    Extension,
    /// The name that the client's certificate proves.
    Principal,
}

impl HttpPartSort {
    /// The sort of a byte.
    pub fn from_code(code: u8) -> Option<Self> {
        let all =
            [Self::Literal, Self::Capture, Self::Rest, Self::Header, Self::Claim, Self::Extension, Self::Principal];
        all.into_iter().find(|sort| *sort as u8 == code)
    }
}

/// A property that the question carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct HttpValueRecord {
    /// [`HttpValueOwner`].
    pub owner: u8,
    /// [`super::ValueKind`].
    pub kind: u8,
    /// [`super::ValueKind`] of a list's items.
    pub item_kind: u8,
    /// Nothing.
    pub reserved: u8,
    /// Its name.
    pub name: U32,
    /// The part that it comes from.
    pub part: U32,
    /// The type of the entity that it names, or [`super::NONE`].
    pub reference: U32,
}

/// Whose property it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum HttpValueOwner {
    /// The subject's.
    Subject,
    /// The action's: a parameter.
    Action,
    /// The resource's.
    Resource,
    /// The situation's.
    Context,
}

impl HttpValueOwner {
    /// The owner of a byte.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Subject, Self::Action, Self::Resource, Self::Context].into_iter().find(|owner| *owner as u8 == code)
    }
}

/// A header that matters.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct HttpHeaderRecord {
    /// [`HttpHeaderSort`].
    pub sort: u8,
    /// [`HttpTold`], where it is set.
    pub told: u8,
    /// Nothing.
    pub reserved: [u8; 2],
    /// Its name.
    pub name: U32,
    /// The text that it is set to, or [`super::NONE`].
    pub text: U32,
}

/// What becomes of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum HttpHeaderSort {
    /// It is read.
    Read,
    /// It is removed from what goes on.
    Remove,
    /// It is set on what goes on.
    Set,
}

impl HttpHeaderSort {
    /// The sort of a byte.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Read, Self::Remove, Self::Set].into_iter().find(|sort| *sort as u8 == code)
    }
}

/// What a header tells the server behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum HttpTold {
    /// A text of the policy's.
    Text,
    /// `type/id` of who asks.
    Subject,
    /// The id of who asks.
    SubjectId,
    /// `type/id` of the resource.
    Resource,
    /// `ALLOW`.
    Decision,
    /// The rule that decided.
    Rule,
    /// The snapshot's digest.
    Snapshot,
}

impl HttpTold {
    /// Each of them but a text, as the policy writes it.
    pub const WORDS: [(&str, Self); 6] = [
        ("subject", Self::Subject),
        ("subject.id", Self::SubjectId),
        ("resource", Self::Resource),
        ("decision", Self::Decision),
        ("rule", Self::Rule),
        ("snapshot", Self::Snapshot),
    ];

    /// What a byte stands for.
    pub fn from_code(code: u8) -> Option<Self> {
        let words = Self::WORDS.into_iter().map(|(_, told)| told);
        words.chain([Self::Text]).find(|told| *told as u8 == code)
    }
}
