//! A document as a tree that knows where each part was written. It has no meaning: [`super::decode`] gives it types.
//!
//! Readers keep a tree no deeper than [`MAX_DEPTH`], so that walking and dropping one may recurse.

use std::borrow::Cow;
use std::collections::HashMap;

use super::sink::{Sink, quote};
use crate::model::Position;

/// The deepest nesting of lists and maps: the language itself needs nine levels.
pub(super) const MAX_DEPTH: usize = 64;

/// The most nodes of one YAML file or one JSON line: some 300,000 bindings, and a bound of about 200 MiB of tree.
/// Who has more facts writes JSON Lines, where the bound is per line.
pub(super) const MAX_NODES: usize = 2_000_000;

/// One value and where it stands.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) at: Position,
    pub(super) kind: Kind<'a>,
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Kind<'a> {
    Null,
    Bool(bool),
    /// The digits as written: how many bits they may need is the reader's business.
    Int(Cow<'a, str>),
    String(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Map(Vec<Entry<'a>>),
    /// Already reported: whoever meets it fails without a further word.
    Refused,
}

/// A key with its value.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) key: Cow<'a, str>,
    pub(super) at: Position,
    pub(super) value: Node<'a>,
}

impl<'a> Node<'a> {
    /// The text, where the node is text.
    pub(super) fn text(&self) -> Option<&str> {
        if let Kind::String(text) = &self.kind { Some(text) } else { None }
    }

    /// The digits, where the node is an int.
    pub(super) fn digits(&self) -> Option<&str> {
        if let Kind::Int(digits) = &self.kind { Some(digits) } else { None }
    }

    /// The items, where the node is a list.
    pub(super) fn items(&self) -> Option<&[Self]> {
        if let Kind::List(items) = &self.kind { Some(items) } else { None }
    }

    /// The entries, where the node is a map.
    pub(super) fn entries(&self) -> Option<&[Entry<'a>]> {
        if let Kind::Map(entries) = &self.kind { Some(entries) } else { None }
    }
}

impl Kind<'_> {
    /// What kind of value this is, in words for an error.
    pub(super) fn words(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a bool",
            Self::Int(_) => "an int",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
            Self::Refused => "a mistake",
        }
    }
}

/// Whether a text is a whole number as the language has it: `-?(0|[1-9][0-9]*)`.
pub(super) fn is_int(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    match digits.first() {
        Some(b'0') => digits.len() == 1,
        Some(_) => digits.iter().all(u8::is_ascii_digit),
        None => false,
    }
}

/// Reports every key that a map holds twice, naming both places, and keeps the first.
pub(super) fn refuse_duplicates(entries: &mut Vec<Entry<'_>>, sink: &mut Sink<'_>) {
    // Nearly every map is small; there a scan is cheaper than hashing.
    const SMALL: usize = 16;
    let duplicates: Vec<(usize, Position)> = if entries.len() <= SMALL {
        let first = |index: usize, key: &str| entries.iter().take(index).find(|entry| entry.key == key);
        let found = entries.iter().enumerate();
        found.filter_map(|(index, entry)| first(index, &entry.key).map(|first| (index, first.at))).collect()
    } else {
        let mut seen: HashMap<&str, Position> = HashMap::with_capacity(entries.len());
        let mut twice = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            match seen.get(entry.key.as_ref()) {
                Some(first) => twice.push((index, *first)),
                None => drop(seen.insert(&entry.key, entry.at)),
            }
        }
        twice
    };
    for (index, first) in &duplicates {
        let Some(entry) = entries.get(*index) else { continue };
        let place = sink.place(*first);
        sink.error_with(
            entry.at,
            format!("{} is written twice; first at {place}", quote(&entry.key)),
            "remove one of the two, or merge them",
        );
    }
    let mut doomed = duplicates.into_iter().map(|(index, _)| index).peekable();
    let mut index = 0..;
    entries.retain(|_| doomed.next_if_eq(&index.next().unwrap_or(usize::MAX)).is_none());
}

#[cfg(test)]
mod tests {
    use super::is_int;

    #[test]
    fn whole_numbers_have_no_leading_zero_sign_or_exponent() {
        for text in ["0", "-0", "7", "-12", "9223372036854775808"] {
            assert!(is_int(text), "{text}");
        }
        for text in ["", "-", "+1", "0777", "-01", "1e3", "1.0", "0x1", "1_000", "１"] {
            assert!(!is_int(text), "{text}");
        }
    }
}
