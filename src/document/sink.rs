//! Where every mistake of every source goes: readers report and carry on, so that all are found in one pass.

use crate::model::{Diagnostic, Position, order};

/// The most findings kept: nobody reads more, and a broken file of ten million lines must not fill the memory.
const MAX_FINDINGS: usize = 1_000;

/// The longest piece of input repeated in a message, in characters.
const MAX_QUOTED: usize = 80;

/// The findings so far, and the sources' names to speak of places with.
#[derive(Debug)]
pub(super) struct Sink<'a> {
    names: Vec<&'a str>,
    findings: Vec<Finding>,
    failed: bool,
    lost: bool,
}

/// A finding and the keys that lead to it, innermost first.
#[derive(Debug)]
struct Finding {
    diagnostic: Diagnostic,
    path: Vec<String>,
}

impl<'a> Sink<'a> {
    pub(super) fn new(names: Vec<&'a str>) -> Self {
        Self { names, findings: Vec::new(), failed: false, lost: false }
    }

    /// Reports a mistake.
    pub(super) fn error(&mut self, at: Position, message: impl Into<String>) {
        self.push(Diagnostic::error(at, message));
    }

    /// Reports a mistake and what to do about it.
    pub(super) fn error_with(&mut self, at: Position, message: impl Into<String>, help: impl Into<String>) {
        self.push(Diagnostic::error(at, message).help(help));
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        self.failed = true;
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding { diagnostic, path: Vec::new() });
        }
    }

    /// Notes that something was left out. Whatever loses a value calls this, so that a lost rule can never pass for a
    /// rule that was not written, even if its finding were forgotten.
    pub(super) fn fail(&mut self) {
        self.failed = true;
        self.lost = true;
    }

    /// Whether something was left out, so that a name that seems unknown may only be unread.
    pub(super) fn lost(&self) -> bool {
        self.lost
    }

    /// Whether anything was refused.
    pub(super) fn failed(&self) -> bool {
        self.failed
    }

    /// Whether further findings would be thrown away.
    pub(super) fn is_full(&self) -> bool {
        self.findings.len() >= MAX_FINDINGS
    }

    /// Reads something that stands under a key: its findings will name the key.
    pub(super) fn within<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        self.step(read, || format!(".{}", shorten(key)))
    }

    /// Reads an item of a list: its findings will name the index.
    pub(super) fn within_item<T>(&mut self, index: usize, read: impl FnOnce(&mut Self) -> T) -> T {
        self.step(read, || format!("[{index}]"))
    }

    fn step<T>(&mut self, read: impl FnOnce(&mut Self) -> T, name: impl Fn() -> String) -> T {
        let before = self.findings.len();
        let result = read(self);
        for finding in self.findings.iter_mut().skip(before) {
            finding.path.push(name());
        }
        result
    }

    /// A place in words: `file:line:column`.
    pub(super) fn place(&self, at: Position) -> String {
        let name = usize::try_from(at.source.0).ok().and_then(|number| self.names.get(number)).copied();
        format!("{}:{}:{}", name.unwrap_or("?"), at.line, at.column)
    }

    /// All findings in order of file and position.
    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        let full = self.is_full();
        let mut all: Vec<Diagnostic> = self.findings.into_iter().map(Finding::finish).collect();
        order::by_key(&mut all, |diagnostic| diagnostic.at);
        if full {
            let last = all.last().map(|diagnostic| diagnostic.at).unwrap_or_default();
            all.push(Diagnostic::error(last, "too many mistakes: reading stopped here"));
        } else if all.is_empty() && self.failed {
            all.push(Diagnostic::error(Position::default(), "the source was refused"));
        }
        all
    }
}

impl Finding {
    fn finish(mut self) -> Diagnostic {
        let path: String = self.path.iter().rev().map(String::as_str).collect();
        if let Some(path) = path.strip_prefix('.') {
            self.diagnostic.message = format!("`{path}`: {}", self.diagnostic.message);
        }
        self.diagnostic
    }
}

/// A piece of input for a message: in backticks, and not longer than a line.
pub(super) fn quote(text: &str) -> String {
    format!("`{}`", shorten(text))
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(MAX_QUOTED).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
