//! What is wrong with a policy, collected until everything has been looked at.

use crate::model::{Diagnostic, Position, Severity, order};

/// How many findings are kept: a broken export of a million lines must not cost more memory than the export.
const MOST: usize = 10_000;

/// The findings so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Diagnostic>,
    errors: usize,
}

impl Findings {
    /// Adds an error.
    pub(super) fn error(&mut self, at: Position, message: impl Into<String>) {
        self.add(Diagnostic::error(at, message));
    }

    /// Adds an error and what to do about it.
    pub(super) fn error_with_help(&mut self, at: Position, message: impl Into<String>, help: impl Into<String>) {
        self.add(Diagnostic::error(at, message).help(help));
    }

    /// Adds a warning and what to do about it.
    pub(super) fn warning(&mut self, at: Position, message: impl Into<String>, help: impl Into<String>) {
        self.add(Diagnostic::warning(at, message).help(help));
    }

    /// Adds a finding; the same one twice is kept once.
    pub(super) fn add(&mut self, finding: Diagnostic) {
        self.errors += usize::from(finding.severity == Severity::Error);
        if self.list.len() < MOST && self.list.last() != Some(&finding) {
            self.list.push(finding);
        }
    }

    /// How many errors there are.
    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    /// Gives up here if there is an error: what follows could only repeat it.
    pub(super) fn stop_on_error(&mut self) -> Result<(), Vec<Diagnostic>> {
        if self.errors == 0 { Ok(()) } else { Err(self.take()) }
    }

    /// The warnings, or everything if there is an error.
    pub(super) fn finish(mut self) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
        let list = self.take();
        if self.errors == 0 { Ok(list) } else { Err(list) }
    }

    fn take(&mut self) -> Vec<Diagnostic> {
        let mut list = std::mem::take(&mut self.list);
        order::by(&mut list, |a, b| a.at.cmp(&b.at).then_with(|| a.message.cmp(&b.message)));
        list.dedup();
        list
    }
}
