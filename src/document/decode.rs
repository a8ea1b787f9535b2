//! How a tree becomes typed: a trait, and a macro that reads a mapping with fixed keys.
//!
//! Nothing stops at the first mistake. A reader reports to the [`Sink`] and returns `None`; its caller reads the
//! remaining parts all the same, so that one pass finds everything.

use super::node::{Entry, Kind, Node};
use super::sink::{Sink, quote};
use super::suggest;
use crate::model::{Position, Spanned};

/// What can be read from a tree.
pub(super) trait Decode: Sized {
    /// Reads a value; `None` after a report.
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self>;

    /// The value of a key that is not written; `None` where it must be.
    fn absent() -> Option<Self> {
        None
    }
}

/// What can be read from text, as a value or as a key.
pub(super) trait FromText: Sized {
    /// What is wanted, in words for an error.
    const WANTED: &'static str;

    /// Reads a value; `None` after a report.
    fn from_text(text: &str, at: Position, sink: &mut Sink<'_>) -> Option<Self>;
}

impl<T: FromText> Decode for T {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        let Some(text) = node.text() else { return refuse(node, T::WANTED, sink) };
        T::from_text(text, node.at, sink)
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        T::decode(node, sink).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Decode> Decode for Spanned<T> {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        T::decode(node, sink).map(|value| Self::new(value, node.at))
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        let Some(items) = node.items() else { return refuse(node, "a list", sink) };
        Some(decode_items(items, sink))
    }
}

/// Reads every item; one that cannot be read is reported and left out.
pub(super) fn decode_items<T: Decode>(items: &[Node<'_>], sink: &mut Sink<'_>) -> Vec<T> {
    let mut good = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        match sink.within_item(index, |sink| T::decode(item, sink)) {
            Some(value) => good.push(value),
            None => sink.fail(),
        }
    }
    good
}

impl Decode for bool {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        if let Kind::Bool(flag) = node.kind { Some(flag) } else { refuse(node, "`true` or `false`", sink) }
    }
}

impl Decode for u64 {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        whole_number(node, "a number from 0 to 18446744073709551615", sink)
    }
}

impl Decode for u32 {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        whole_number(node, "a number from 0 to 4294967295", sink)
    }
}

fn whole_number<T: std::str::FromStr>(node: &Node<'_>, wanted: &str, sink: &mut Sink<'_>) -> Option<T> {
    let Some(digits) = node.digits() else { return refuse(node, wanted, sink) };
    let number = digits.parse().ok();
    if number.is_none() {
        sink.error(node.at, format!("expected {wanted}, found {}", quote(digits)));
    }
    number
}

/// A mapping with free keys, in the order written. Entries that cannot be read are reported and left out.
#[derive(Debug)]
pub(super) struct Entries<K, V>(pub(super) Vec<(Spanned<K>, V)>);

impl<K: FromText, V: Decode> Decode for Entries<K, V> {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        let entries = mapping(node, sink)?;
        let mut good = Vec::with_capacity(entries.len());
        for Entry { key, at, value } in entries {
            let name = K::from_text(key, *at, sink);
            let value = sink.within(key, |sink| V::decode(value, sink));
            match name.zip(value) {
                Some((name, value)) => good.push((Spanned::new(name, *at), value)),
                None => sink.fail(),
            }
        }
        Some(Self(good))
    }
}

impl<K, V> Entries<K, V> {
    /// The entries of a mapping that may be left out.
    pub(super) fn or_none(entries: Option<Self>) -> Vec<(Spanned<K>, V)> {
        entries.map_or_else(Vec::new, |entries| entries.0)
    }
}

/// A mapping that may be written as nothing at all: `name:` is `name: {}`.
#[derive(Debug)]
pub(super) struct OrEmpty<T>(pub(super) T);

impl<T: Decode> Decode for OrEmpty<T> {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        if let Kind::Null = node.kind {
            return T::decode(&Node { at: node.at, kind: Kind::Map(Vec::new()) }, sink).map(Self);
        }
        T::decode(node, sink).map(Self)
    }
}

/// A document that can say at once, without knowing more than itself, whether it makes sense.
pub(super) trait Turn: Decode {
    /// What it becomes.
    type Noun;

    /// Checks what the form alone cannot say; `None` after a report.
    fn turn(self, at: Position, sink: &mut Sink<'_>) -> Option<Self::Noun>;
}

/// What a document became.
#[derive(Debug)]
pub(super) struct Turned<D: Turn>(pub(super) D::Noun);

impl<D: Turn> Decode for Turned<D> {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        D::decode(node, sink)?.turn(node.at, sink).map(Self)
    }
}

/// The nouns of a list of documents.
pub(super) fn nouns<D: Turn>(turned: impl IntoIterator<Item = Turned<D>>) -> Vec<D::Noun> {
    turned.into_iter().map(|turned| turned.0).collect()
}

/// One or several, at least `MIN`. Where an empty list would read as "everything", `MIN` is 1: a list that came out
/// empty must not widen.
#[derive(Debug)]
pub(super) struct Many<T, const MIN: usize = 0>(pub(super) Vec<T>);

impl<T: Decode, const MIN: usize> Decode for Many<T, MIN> {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        let Some(items) = node.items() else { return T::decode(node, sink).map(|one| Self(vec![one])) };
        if items.len() < MIN {
            sink.error_with(node.at, "the list is empty", "name at least one, or leave the key out where it may be");
            return None;
        }
        Some(Self(decode_items(items, sink)))
    }
}

impl<T, const MIN: usize> Many<T, MIN> {
    /// The items of a list that may be left out.
    pub(super) fn or_none(many: Option<Self>) -> Vec<T> {
        many.map_or_else(Vec::new, |many| many.0)
    }
}

/// The entries of a mapping; anything else is reported.
pub(super) fn mapping<'n, 'a>(node: &'n Node<'a>, sink: &mut Sink<'_>) -> Option<&'n [Entry<'a>]> {
    match node.entries() {
        Some(entries) => Some(entries),
        None => refuse(node, "a mapping", sink),
    }
}

/// Reports that something else was expected here.
pub(super) fn refuse<T>(node: &Node<'_>, wanted: &str, sink: &mut Sink<'_>) -> Option<T> {
    let (found, help) = match &node.kind {
        Kind::Refused => {
            sink.fail();
            return None;
        }
        Kind::Bool(flag) => (format!("the bool `{flag}`"), Some("quote it if it is meant as text")),
        Kind::Int(digits) => (format!("the int {}", quote(digits)), Some("quote it if it is meant as text")),
        Kind::String(text) => (format!("the string {}", quote(text)), None),
        Kind::Null => ("nothing".to_owned(), Some("write a value, or leave the key out where it may be")),
        Kind::List(_) => ("a list".to_owned(), None),
        Kind::Map(_) => ("a mapping".to_owned(), None),
    };
    let message = format!("expected {wanted}, found {found}");
    match help {
        Some(help) => sink.error_with(node.at, message, help),
        None => sink.error(node.at, message),
    }
    None
}

/// Reports a key that the language does not have here.
pub(super) fn unknown_key(entry: &Entry<'_>, known: &[&str], sink: &mut Sink<'_>) {
    let help = suggest::help(&entry.key, known.iter().copied());
    sink.error_with(entry.at, format!("unknown key {}", quote(&entry.key)), help);
}

/// Declares documents: mappings with fixed keys, of which those of type `Option` may be left out. The same declaration
/// gives the type, its reader and, in tests, its JSON Schema.
macro_rules! documents {
    ($(
        $(#[$meta:meta])*
        $name:ident { $( $(#[$field_meta:meta])* $field:ident = $key:literal : $type:ty, )* }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug)]
        #[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
        pub(in crate::document) struct $name {
            $( $(#[$field_meta])* #[cfg_attr(test, schemars(rename = $key))] pub(in crate::document) $field: $type, )*
        }

        impl $crate::document::decode::Decode for $name {
            fn decode(
                node: &$crate::document::node::Node<'_>,
                sink: &mut $crate::document::sink::Sink<'_>,
            ) -> Option<Self> {
                $( let mut $field: $crate::document::decode::Field<$type> = $crate::document::decode::Field::Absent; )*
                for entry in $crate::document::decode::mapping(node, sink)? {
                    match entry.key.as_ref() {
                        $( $key => $field.read(entry, sink), )*
                        _ => $crate::document::decode::unknown_key(entry, &[$($key),*], sink),
                    }
                }
                $( let $field = $field.finish($key, node.at, sink); )*
                Some(Self { $( $field: $field?, )* })
            }
        }
    )*};
}
pub(super) use documents;

/// A field of a document while its mapping is read. What reads it is not inlined, so that there is one for a type and not
/// one for every field.
pub(super) enum Field<T> {
    Absent,
    /// `None` where it was reported.
    Written(Option<T>),
}

impl<T: Decode> Field<T> {
    /// Reads what its key says.
    #[inline(never)]
    pub(super) fn read(&mut self, entry: &Entry<'_>, sink: &mut Sink<'_>) {
        *self = Self::Written(sink.within(&entry.key, |sink| T::decode(&entry.value, sink)));
    }

    /// What was read, or the value of a key that is not written; reported where it must be.
    #[inline(never)]
    pub(super) fn finish(self, key: &str, at: Position, sink: &mut Sink<'_>) -> Option<T> {
        if let Self::Written(value) = self {
            return value;
        }
        let value = T::absent();
        if value.is_none() {
            sink.error(at, format!("the key `{key}` is missing"));
        }
        value
    }
}
