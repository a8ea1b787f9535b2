//! Findings as people read them: the message, the place, the line with a caret, and what to do.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::io::BufRead;
use std::ops::Range;
use std::path::Path;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::Source;
use super::text::is_bidirectional;
use crate::model::{Diagnostic, Position, Severity, SourceId, order};

/// How many findings are shown in full: the first ones matter, and a terminal holds no more.
const MAX_SHOWN: usize = 50;

/// The longest line shown whole, in characters; of a longer one a window around the mistake is shown.
const MAX_LINE: usize = 160;

/// How much of a long line is shown before the mistake, in characters.
const BEFORE: usize = 50;

/// Findings with the sources they speak of; `Display` prints each with `file:line:column`, the line and a caret.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The findings, those that concern no tenant first, then tenant by tenant; each in order of file and position.
    pub diagnostics: Vec<Diagnostic>,
    /// The sources, indexed by `SourceId`.
    pub sources: Vec<Source>,
}

impl std::error::Error for Report {}

impl Report {
    /// Orders the findings and keeps the sources that they speak of.
    pub(super) fn new(mut diagnostics: Vec<Diagnostic>, mut sources: Vec<Source>) -> Self {
        order::by(&mut diagnostics, |a, b| (&a.tenant, a.at).cmp(&(&b.tenant, b.at)));
        for (number, source) in (0..).zip(&mut sources) {
            if diagnostics.iter().all(|diagnostic| diagnostic.at.source != SourceId(number)) {
                source.bytes = Vec::new();
            }
        }
        Self { diagnostics, sources }
    }

    /// One `file:line:column: error: message` per finding.
    pub fn lines(&self) -> Vec<String> {
        let line = |one: &Diagnostic| {
            let (place, level, message) = (self.place(one.at), word(one.severity), escape(&one.message));
            if place.is_empty() { format!("{level}: {message}") } else { format!("{place}: {level}: {message}") }
        };
        self.diagnostics.iter().map(line).collect()
    }

    /// Fetches the lines that are to be shown of sources whose text was not kept.
    pub fn reread<'r>(&mut self, open: impl Fn(&str) -> Option<Box<dyn BufRead + 'r>>) {
        let shown = self.diagnostics.iter().take(MAX_SHOWN).map(|one| (one.at.source, one.at.line));
        let wanted: BTreeSet<(SourceId, u32)> = shown.collect();
        for (number, source) in (0..).zip(&mut self.sources) {
            let last = wanted.range((SourceId(number), 0)..=(SourceId(number), u32::MAX)).next_back();
            let Some((id, last)) = last.filter(|_| source.bytes.is_empty() && is_lines(&source.name)) else { continue };
            let Some(mut lines) = open(&source.name) else { continue };
            // Lines that are not wanted count and are empty.
            for line in 1..=*last {
                let start = source.bytes.len();
                if !lines.read_until(b'\n', &mut source.bytes).is_ok_and(|read| read > 0) {
                    break;
                }
                if !wanted.contains(&(*id, line)) {
                    source.bytes.truncate(start);
                    source.bytes.push(b'\n');
                }
            }
        }
    }

    /// Every finding with its place and what to do, but none of the lines: those may hold what is `sensitive`.
    pub fn brief(&self) -> String {
        let mut lines = self.lines();
        let more = lines.len().saturating_sub(MAX_SHOWN);
        lines.truncate(MAX_SHOWN);
        for (line, one) in lines.iter_mut().zip(&self.diagnostics) {
            if let Some(help) = &one.help {
                line.push_str("\n  = help: ");
                line.push_str(&escape(help));
            }
        }
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
        lines.push("`sidegate validate` shows the lines".to_owned());
        lines.join("\n")
    }

    fn source(&self, at: Position) -> Option<&Source> {
        self.sources.get(usize::try_from(at.source.0).ok()?)
    }

    fn place(&self, at: Position) -> String {
        match self.source(at) {
            Some(source) if at.line > 0 => format!("{}:{}:{}", escape(&source.name), at.line, at.column),
            Some(source) => escape(&source.name),
            None => String::new(),
        }
    }

    /// The first lines are ours: the library would count columns in what is shown, not in what was written.
    fn render(&self, one: &Diagnostic, renderer: &Renderer) -> String {
        let place = self.place(one.at);
        let indent = one.at.line.checked_ilog10().map_or(1, |digits| index(digits) + 1);
        let arrow = if place.is_empty() { String::new() } else { format!("\n{:indent$}--> {place}", "") };
        let mut text = format!("{}: {}{arrow}", word(one.severity), escape(&one.message));
        let mut group = Group::with_level(Level::ERROR);
        if let Some(line) = self.source(one.at).and_then(|source| line_of(source, one.at.line)) {
            let excerpt = Excerpt::new(&line, one.at);
            let snippet = Snippet::source(excerpt.text).line_start(index(one.at.line));
            group = group.element(snippet.annotation(AnnotationKind::Primary.span(excerpt.span)));
        }
        if let Some(help) = &one.help {
            group = group.element(Level::HELP.message(escape(help)));
        }
        if !group.is_empty() {
            text.push('\n');
            text.push_str(&renderer.render(&[group]));
        }
        text
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let renderer = Renderer::plain().decor_style(DecorStyle::Ascii).term_width(MAX_LINE * 2);
        let mut gap = "";
        let mut shown = MAX_SHOWN;
        for group in self.diagnostics.chunk_by(|a, b| a.tenant == b.tenant) {
            if let (Some(tenant), 1..) = (group.first().and_then(|one| one.tenant.as_ref()), shown) {
                write!(f, "{gap}tenant {}: {}", escape(tenant), counted(group))?;
                gap = "\n\n";
            }
            for one in group.iter().take(shown) {
                write!(f, "{gap}{}", self.render(one, &renderer))?;
                gap = "\n\n";
            }
            shown = shown.saturating_sub(group.len());
        }
        match self.diagnostics.len().saturating_sub(MAX_SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n\nand {more} more"),
        }
    }
}

/// `3 errors, 1 warning`.
fn counted(group: &[Diagnostic]) -> String {
    let of = |severity: Severity| {
        let number = group.iter().filter(|one| one.severity == severity).count();
        let plural = if number == 1 { "" } else { "s" };
        (number > 0).then(|| format!("{number} {}{plural}", word(severity)))
    };
    let counts: Vec<String> = [Severity::Error, Severity::Warning].into_iter().filter_map(of).collect();
    counts.join(", ")
}

/// What is shown of a line: control characters escaped, a window if it is long, and the bytes to mark.
struct Excerpt {
    text: String,
    span: Range<usize>,
}

impl Excerpt {
    fn new(line: &str, at: Position) -> Self {
        let start = index(at.column).saturating_sub(1);
        let end = start + index(at.length).max(1);
        let is_long = line.chars().nth(MAX_LINE).is_some();
        let from = if is_long { start.saturating_sub(BEFORE) } else { 0 };
        let mut text = if from > 0 { "... ".to_owned() } else { String::new() };
        let (mut first, mut last) = (None, None);
        let mut characters = line.chars().enumerate().skip(from);
        for (number, character) in characters.by_ref().take(MAX_LINE) {
            if number == start {
                first = Some(text.len());
            }
            push_escaped(&mut text, character);
            if number < end {
                last = Some(text.len());
            }
        }
        let shown = text.len();
        if characters.next().is_some() {
            text.push_str(" ...");
        }
        // A mistake at the end of a line has no character to stand under: it is marked just behind.
        let first = first.unwrap_or(shown);
        Self { span: first..last.unwrap_or(first).max(first), text }
    }
}

/// Whether a source of this name holds JSON Lines.
pub(super) fn is_lines(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "jsonl")
}

/// A line of a source, counted from 1. YAML also ends a line at a lone carriage return; JSON Lines does not.
fn line_of(source: &Source, number: u32) -> Option<Cow<'_, str>> {
    let wanted = index(number).checked_sub(1)?;
    let bytes = without_mark(&source.bytes);
    let line = Lines { rest: Some(bytes), splits_at_return: !is_lines(&source.name) }.nth(wanted)?;
    Some(String::from_utf8_lossy(line))
}

/// Where a byte of a source stands, all before it being UTF-8.
pub(super) fn position_of_byte(source: &Source, id: SourceId, byte: usize) -> Position {
    let before = without_mark(source.bytes.get(..byte).unwrap_or_default());
    let lines = Lines { rest: Some(before), splits_at_return: !is_lines(&source.name) };
    let (mut line, mut column) = (0, 1);
    for text in lines {
        line += 1;
        column = String::from_utf8_lossy(text).chars().count() + 1;
    }
    Position { source: id, line, column: u32::try_from(column).unwrap_or(u32::MAX), length: 1 }
}

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes)
}

/// The lines of a text without their ends.
struct Lines<'a> {
    rest: Option<&'a [u8]>,
    splits_at_return: bool,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest?;
        let is_end = |byte: &u8| *byte == b'\n' || (self.splits_at_return && *byte == b'\r');
        let Some(end) = rest.iter().position(is_end) else {
            self.rest = None;
            return Some(rest);
        };
        let after = rest.get(end..).unwrap_or_default();
        self.rest = after.strip_prefix(b"\r\n").or_else(|| after.get(1..));
        rest.get(..end)
    }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// Input is repeated in messages: no character of it may move the cursor or reorder the text.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        push_escaped(&mut safe, character);
    }
    safe
}

fn push_escaped(text: &mut String, character: char) {
    if character == '\t' {
        text.push(' ');
    } else if character.is_control() || is_bidirectional(character) || matches!(character, '\u{2028}' | '\u{2029}') {
        text.extend(character.escape_unicode());
    } else {
        text.push(character);
    }
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
