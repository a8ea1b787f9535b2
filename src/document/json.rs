//! One line of JSON to a tree, with the exact column of everything: strict RFC 8259, whole numbers only.
//!
//! Own code because facts come by the million and every later finding about them needs its column, which
//! `serde_json` does not tell; the tests hold it against `serde_json`. The depth cap bounds its recursion.

use std::borrow::Cow;

use super::node::{Entry, Kind, MAX_DEPTH, MAX_NODES, Node, is_int, refuse_duplicates};
use super::sink::Sink;
use crate::model::{Position, SourceId};

/// Reads one value that fills the whole line; `None` after a report.
pub(super) fn read<'a>(line: &'a str, source: SourceId, number: u32, sink: &mut Sink<'_>) -> Option<Node<'a>> {
    let mut reader = Reader { text: line, next: 0, source, number, counted: (0, 1), nodes: 0 };
    let node = reader.value(0, sink)?;
    reader.skip_blanks();
    if reader.peek().is_some() {
        let at = reader.here();
        sink.error_with(at, "something follows the JSON value", "one line holds one object");
        return None;
    }
    Some(node)
}

struct Reader<'a> {
    text: &'a str,
    /// The byte to read next: always at a character's first byte when a position is taken.
    next: usize,
    source: SourceId,
    number: u32,
    /// A byte offset and its column, so that columns of a long line are counted once.
    counted: (usize, u32),
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize, sink: &mut Sink<'_>) -> Option<Node<'a>> {
        self.skip_blanks();
        let at = self.here();
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            sink.error(at, format!("more than {MAX_NODES} values in one line"));
            return None;
        }
        match self.peek() {
            Some(b'{' | b'[') if depth >= MAX_DEPTH => {
                sink.error(at, format!("lists and mappings are nested deeper than {MAX_DEPTH} levels"));
                None
            }
            Some(b'{') => self.map(at, depth, sink),
            Some(b'[') => self.list(at, depth, sink),
            Some(b'"') => self.string(at, sink).map(|(text, at)| Node { at, kind: Kind::String(text) }),
            _ => self.word(at, sink),
        }
    }

    fn map(&mut self, at: Position, depth: usize, sink: &mut Sink<'_>) -> Option<Node<'a>> {
        let mut entries = Vec::new();
        self.next += 1;
        self.skip_blanks();
        if self.eat(b'}') {
            return Some(Node { at, kind: Kind::Map(entries) });
        }
        loop {
            self.skip_blanks();
            let key = self.here();
            if self.peek() != Some(b'"') {
                return self.wrong("a key in double quotes", sink);
            }
            self.nodes += 1;
            let (text, key) = self.string(key, sink)?;
            self.skip_blanks();
            if !self.eat(b':') {
                return self.wrong("`:`", sink);
            }
            let value = self.value(depth + 1, sink)?;
            entries.push(Entry { key: text, at: key, value });
            self.skip_blanks();
            if self.eat(b'}') {
                refuse_duplicates(&mut entries, sink);
                return Some(Node { at, kind: Kind::Map(entries) });
            }
            if !self.eat(b',') {
                return self.wrong("`,` or `}`", sink);
            }
        }
    }

    fn list(&mut self, at: Position, depth: usize, sink: &mut Sink<'_>) -> Option<Node<'a>> {
        let mut items = Vec::new();
        self.next += 1;
        self.skip_blanks();
        if self.eat(b']') {
            return Some(Node { at, kind: Kind::List(items) });
        }
        loop {
            items.push(self.value(depth + 1, sink)?);
            self.skip_blanks();
            if self.eat(b']') {
                return Some(Node { at, kind: Kind::List(items) });
            }
            if !self.eat(b',') {
                return self.wrong("`,` or `]`", sink);
            }
        }
    }

    /// A word or a number.
    fn word(&mut self, at: Position, sink: &mut Sink<'_>) -> Option<Node<'a>> {
        let rest = self.text.get(self.next..).unwrap_or_default();
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'_');
        let end = rest.bytes().position(|byte| !is_part(&byte)).unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default();
        let kind = match word {
            "null" => Kind::Null,
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            _ if is_int(word) => Kind::Int(Cow::Borrowed(word)),
            _ if word.starts_with(|first: char| first.is_ascii_digit() || first == '-') => {
                let at = Position { length: count(word.len()), ..at };
                sink.error_with(at, "a number must be a whole decimal number", "quote it if it is meant as text");
                return None;
            }
            _ => return self.wrong("a JSON value", sink),
        };
        self.next += end;
        Some(Node { at: Position { length: count(end), ..at }, kind })
    }

    /// A string and its position with length; the next byte is its opening quote.
    fn string(&mut self, at: Position, sink: &mut Sink<'_>) -> Option<(Cow<'a, str>, Position)> {
        let open = self.next;
        self.next += 1;
        let start = self.next;
        let mut unescaped = String::new();
        let mut chunk = start;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    unescaped.push_str(self.text.get(chunk..self.next).unwrap_or_default());
                    unescaped.push(self.escape(sink)?);
                    chunk = self.next;
                }
                Some(0..0x20) => return self.fail("a control character in a string", "escape it", sink),
                Some(_) => self.next += 1,
                None => return self.wrong("the closing `\"` of a string", sink),
            }
        }
        let last = self.text.get(chunk..self.next).unwrap_or_default();
        self.next += 1;
        let length = self.text.get(open..self.next).map_or(0, |whole| whole.chars().count());
        let at = Position { length: count(length), ..at };
        if chunk == start {
            return Some((Cow::Borrowed(last), at));
        }
        unescaped.push_str(last);
        Some((Cow::Owned(unescaped), at))
    }

    /// One escape; the next byte is its backslash.
    fn escape(&mut self, sink: &mut Sink<'_>) -> Option<char> {
        let simple = match self.text.as_bytes().get(self.next + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(sink),
            _ => {
                return self.fail(
                    "an unknown escape in a string",
                    "JSON knows \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u",
                    sink,
                );
            }
        };
        self.next += 2;
        Some(simple)
    }

    fn unicode(&mut self, sink: &mut Sink<'_>) -> Option<char> {
        let first = self.unit(self.next);
        let (code, used) = match first {
            Some(high @ 0xD800..0xDC00) => match self.unit(self.next + 6) {
                Some(low @ 0xDC00..0xE000) => (Some(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)), 12),
                _ => (None, 6),
            },
            other => (other, 6),
        };
        let Some(character) = code.and_then(char::from_u32) else {
            return self.fail(
                "`\\u` without a character",
                "write four hexadecimal digits, and both halves of a pair",
                sink,
            );
        };
        self.next += used;
        Some(character)
    }

    /// The number in `\uXXXX` at this byte.
    fn unit(&self, at: usize) -> Option<u32> {
        let digits = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        u32::from_str_radix(digits, 16).ok()
    }

    fn wrong<T>(&mut self, wanted: &str, sink: &mut Sink<'_>) -> Option<T> {
        let at = self.here();
        let found = self.text.get(self.next..).and_then(|rest| rest.chars().next());
        let found = found.map_or_else(|| "the line ends".to_owned(), |character| format!("`{character}` stands here"));
        sink.error(at, format!("not valid JSON: {wanted} is missing, {found}"));
        None
    }

    fn fail<T>(&mut self, message: &str, help: &str, sink: &mut Sink<'_>) -> Option<T> {
        let at = self.here();
        sink.error_with(at, format!("not valid JSON: {message}"), help);
        None
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.next).copied()
    }

    fn eat(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.next += usize::from(found);
        found
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.next += 1;
        }
    }

    /// The position of the next byte. Positions are taken from left to right, so each character is counted once.
    fn here(&mut self) -> Position {
        let (byte, column) = self.counted;
        let between = self.text.get(byte..self.next).map_or(0, |between| between.chars().count());
        let column = column.saturating_add(count(between));
        self.counted = (self.next, column);
        Position { source: self.source, line: self.number, column, length: 0 }
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::node::{Kind, Node};
    use super::super::sink::Sink;
    use super::read;
    use crate::model::SourceId;

    fn tree(line: &str) -> Result<serde_json::Value, (u32, String)> {
        let mut sink = Sink::new(vec!["x"]);
        let node = read(line, SourceId(0), 1, &mut sink);
        if sink.failed() {
            let first = sink.into_diagnostics().remove(0);
            return Err((first.at.column, first.message));
        }
        Ok(value(&node.expect("no node and no finding")))
    }

    fn value(node: &Node<'_>) -> serde_json::Value {
        match &node.kind {
            Kind::Null | Kind::Refused => serde_json::Value::Null,
            Kind::Bool(flag) => (*flag).into(),
            Kind::Int(digits) => serde_json::from_str(digits).unwrap(),
            Kind::String(text) => text.as_ref().into(),
            Kind::List(items) => items.iter().map(value).collect(),
            Kind::Map(entries) => {
                let pairs = entries.iter().map(|entry| (entry.key.to_string(), value(&entry.value)));
                serde_json::Value::Object(pairs.collect())
            }
        }
    }

    #[test]
    fn names_the_column() {
        let cases = [
            ("{\"a\":1,\"a\":2}", 8, "written twice"),
            ("{\"é\":1.5}", 6, "whole decimal number"),
            ("{\"a\":1e3}", 6, "whole decimal number"),
            ("{\"a\":01}", 6, "whole decimal number"),
            ("{\"a\" 1}", 6, "`:` is missing, `1` stands here"),
            ("{\"a\":1", 7, "`,` or `}` is missing, the line ends"),
            ("[1 2]", 4, "`,` or `]`"),
            ("{a:1}", 2, "double quotes"),
            ("{\"a\":yes}", 6, "a JSON value is missing"),
            ("\"ab", 4, "closing"),
            ("\"a\\x\"", 3, "unknown escape"),
            ("\"\\ud800\"", 2, "`\\u`"),
            ("\"a\u{1}\"", 3, "control character"),
            ("{} {}", 4, "follows"),
            ("", 1, "a JSON value is missing"),
        ];
        for (line, column, part) in cases {
            let (at, message) = tree(line).expect_err(line);
            assert_eq!(at, column, "{line}: {message}");
            assert!(message.contains(part), "{line}: {message}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(tree(&nested(64)).is_ok());
        assert_eq!(tree(&nested(65)).unwrap_err().0, 65);
        assert!(tree(&"[".repeat(100_000)).is_err());
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn reads_what_serde_json_writes(wanted in json()) {
            prop_assert_eq!(tree(&wanted.to_string()), Ok(wanted));
        }

        #[test]
        fn accepts_nothing_that_serde_json_refuses(line in "[\\[\\]{}\",:0-9a\\-.eE \\\\un]{0,24}") {
            if let Ok(found) = tree(&line) {
                // `-0` is an int to us and a float to serde_json, as is what does not fit 64 bits.
                let wanted: Result<serde_json::Value, _> = serde_json::from_str(&line);
                prop_assert!(wanted.is_ok(), "{line}: {found}");
            }
        }
    }
}
