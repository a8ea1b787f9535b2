//! YAML text to a tree: only the part of YAML that means the same to every reader.
//!
//! Refused: anchors, aliases, tags, directives, merge keys, several documents, keys that are not text, keys written
//! twice, and nesting or size beyond the caps. Nothing here recurses: the parser and the builder both keep a stack.

use std::borrow::Cow;

use granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, Span};

use super::node::{Entry, Kind, MAX_DEPTH, MAX_NODES, Node, is_int, refuse_duplicates};
use super::sink::{Sink, quote};
use crate::model::{Position, SourceId};

/// How far the parser looks for the `:` of a key: the longest `type/id` key with every character escaped.
const MAX_KEY_CHARACTERS: usize = 8 * 1024;

/// Reads one YAML document; `None` where it has no tree at all, which is then reported.
pub(super) fn read<'a>(text: &'a str, source: SourceId, sink: &mut Sink<'_>) -> Option<Node<'a>> {
    let options = granit_parser::options! {
        disallow_directives: true,
        emit_unresolved_aliases: true,
        emit_anchor_events: true,
        emit_comments: false,
        simple_key_max_lookahead: MAX_KEY_CHARACTERS,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut builder = Builder { source, stack: Vec::new(), root: None, documents: 0, nodes: 0 };
    let mut parser = Parser::new_from_str_with_options(text, options);
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => builder.event(event, span, sink)?,
            Err(error) => {
                report_scan_error(&error, text, source, sink);
                return None;
            }
        }
    }
    if builder.root.is_none() {
        sink.error_with(whole(source), "the file is empty", "a policy file begins with `sidegate: 1`");
    }
    builder.root
}

/// The place of a mistake about a file as a whole: its first character.
pub(super) fn whole(source: SourceId) -> Position {
    Position { source, line: 1, column: 1, length: 0 }
}

/// The tree so far: open collections on a stack, innermost last.
struct Builder<'a> {
    source: SourceId,
    stack: Vec<Frame<'a>>,
    root: Option<Node<'a>>,
    documents: usize,
    nodes: usize,
}

/// A collection not yet closed.
struct Frame<'a> {
    at: Position,
    content: Content<'a>,
}

enum Content<'a> {
    List(Vec<Node<'a>>),
    Map { entries: Vec<Entry<'a>>, key: Option<Key<'a>> },
}

/// A key that waits for its value.
enum Key<'a> {
    Text(Cow<'a, str>, Position),
    /// Already reported; its value is thrown away.
    Refused,
}

impl<'a> Builder<'a> {
    /// Takes one event; `None` ends the reading, after a report.
    fn event(&mut self, event: Event<'a>, span: Span, sink: &mut Sink<'_>) -> Option<()> {
        let at = self.position(span);
        match event {
            Event::DocumentStart(..) => self.document(at, sink),
            Event::Scalar(text, style, _, tag) => {
                self.count(at, sink)?;
                self.refuse_tag(tag.is_some(), span, sink);
                let plain = style == ScalarStyle::Plain;
                let kind = if tag.is_some() { Kind::Refused } else { scalar(text, plain) };
                self.attach(Node { at, kind }, plain, sink);
                Some(())
            }
            Event::SequenceStart(_, _, tag) => {
                self.refuse_tag(tag.is_some(), span, sink);
                self.open(Frame { at, content: Content::List(Vec::new()) }, sink)
            }
            Event::MappingStart(_, _, tag) => {
                self.refuse_tag(tag.is_some(), span, sink);
                self.open(Frame { at, content: Content::Map { entries: Vec::new(), key: None } }, sink)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.close(span, sink);
                Some(())
            }
            Event::Alias(..) | Event::UnresolvedAlias(..) => {
                self.count(at, sink)?;
                sink.error_with(
                    at,
                    "YAML aliases are not allowed",
                    "write the value out; quote a text that begins with `*`",
                );
                self.attach(Node { at, kind: Kind::Refused }, false, sink);
                Some(())
            }
            Event::Anchor(..) => {
                sink.error_with(at, "YAML anchors are not allowed", "remove it; quote a text that begins with `&`");
                Some(())
            }
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd | Event::Comment(..) | _ => Some(()),
        }
    }

    fn document(&mut self, at: Position, sink: &mut Sink<'_>) -> Option<()> {
        self.documents += 1;
        if self.documents > 1 {
            sink.error_with(at, "a second YAML document begins here", "one file holds one document: use one file each");
            return None;
        }
        Some(())
    }

    fn count(&mut self, at: Position, sink: &mut Sink<'_>) -> Option<()> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            sink.error_with(
                at,
                format!("more than {MAX_NODES} values in one file"),
                "split the file, or write the facts as JSON Lines",
            );
            return None;
        }
        Some(())
    }

    fn open(&mut self, frame: Frame<'a>, sink: &mut Sink<'_>) -> Option<()> {
        self.count(frame.at, sink)?;
        if self.stack.len() >= MAX_DEPTH {
            too_deep(frame.at, sink);
            return None;
        }
        self.stack.push(frame);
        Some(())
    }

    fn close(&mut self, span: Span, sink: &mut Sink<'_>) {
        let Some(Frame { mut at, content }) = self.stack.pop() else { return };
        let end = self.marker(span.end);
        // A collection in brackets is marked as a whole; a block collection has no characters of its own.
        if at.length > 0 && end.line == at.line && end.column > at.column {
            at.length = end.column - at.column;
        }
        let kind = match content {
            Content::List(items) => Kind::List(items),
            Content::Map { mut entries, .. } => {
                refuse_duplicates(&mut entries, sink);
                Kind::Map(entries)
            }
        };
        self.attach(Node { at, kind }, false, sink);
    }

    fn attach(&mut self, mut node: Node<'a>, plain: bool, sink: &mut Sink<'_>) {
        match self.stack.last_mut().map(|frame| &mut frame.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, key }) => match key.take() {
                None => *key = Some(as_key(node, plain, sink)),
                Some(Key::Refused) => sink.fail(),
                Some(Key::Text(text, at)) => {
                    // What has no characters of its own (nothing, a block collection) is best shown by its key.
                    if node.at.length == 0 {
                        node.at = at;
                    }
                    entries.push(Entry { key: text, at, value: node });
                }
            },
        }
    }

    fn refuse_tag(&self, tagged: bool, span: Span, sink: &mut Sink<'_>) {
        if tagged {
            let at = self.position(span.tag_span().unwrap_or(span));
            sink.error_with(at, "YAML tags are not allowed", "remove the tag; quote a text that begins with `!`");
        }
    }

    fn position(&self, span: Span) -> Position {
        let start = self.marker(span.start);
        let end = self.marker(span.end);
        let length = if end.line == start.line { end.column.saturating_sub(start.column) } else { 1 };
        Position { length, ..start }
    }

    fn marker(&self, marker: Marker) -> Position {
        marker_position(marker, self.source)
    }
}

fn marker_position(marker: Marker, source: SourceId) -> Position {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    // The parser counts lines from 1 and columns from 0.
    Position { source, line: count(marker.line()), column: count(marker.col()).saturating_add(1), length: 0 }
}

fn too_deep(at: Position, sink: &mut Sink<'_>) {
    sink.error(at, format!("lists and mappings are nested deeper than {MAX_DEPTH} levels"));
}

/// Plain text may be a bool, an int or nothing; quoted text is always text.
fn scalar(text: Cow<'_, str>, plain: bool) -> Kind<'_> {
    match text.as_ref() {
        _ if !plain => Kind::String(text),
        "" | "~" | "null" => Kind::Null,
        "true" => Kind::Bool(true),
        "false" => Kind::Bool(false),
        digits if is_int(digits) => Kind::Int(text),
        _ => Kind::String(text),
    }
}

fn as_key<'a>(node: Node<'a>, plain: bool, sink: &mut Sink<'_>) -> Key<'a> {
    let at = node.at;
    match node.kind {
        Kind::String(text) if plain && text == "<<" => {
            sink.error_with(
                at,
                "YAML merge keys are not allowed",
                "write the keys out; `shapes` hold what types share",
            );
        }
        Kind::String(text) => return Key::Text(text, at),
        // The number of a version; written in the one way that it can be read.
        Kind::Int(digits) if is_count(&digits) => return Key::Text(digits, at),
        Kind::Refused => {}
        other @ (Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::List(_) | Kind::Map(_)) => {
            sink.error_with(at, format!("a key must be text, not {}", other.words()), "quote it");
        }
    }
    Key::Refused
}

/// Whether digits are how a program would print a number.
fn is_count(digits: &str) -> bool {
    digits.parse().is_ok_and(|number: u64| number.to_string() == digits)
}

fn report_scan_error(error: &ScanError, text: &str, source: SourceId, sink: &mut Sink<'_>) {
    let mut at = marker_position(*error.marker(), source);
    #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign list of a hundred kinds; few need words of ours")]
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => too_deep(at, sink),
        ErrorKind::DirectiveDisallowed => sink.error_with(at, "YAML directives are not allowed", "remove the `%` line"),
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => {
            // Some of these are noticed only behind the tab.
            let before = error.marker().byte_offset().and_then(|byte| text.get(..byte));
            at.column -= u32::from(at.column > 1 && before.is_some_and(|before| before.ends_with('\t')));
            sink.error_with(at, "a tab stands where YAML allows none", "indent with spaces");
        }
        other => sink.error(at, format!("not valid YAML: {}", quote(&other.to_string()).trim_matches('`'))),
    }
}
