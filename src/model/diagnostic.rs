//! Where a thing stands in its source, and what is wrong with it. Rendering belongs to [`crate::document`].

use std::ops::Deref;

/// The number of a source file, in the order in which the loader read them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// A place in a source file: line and column count from 1 and in characters; 0 means "the file as a whole".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The file.
    pub source: SourceId,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// How many characters the thing covers on its first line; 0 where that is not known.
    pub length: u32,
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub at: Position,
}

impl<T> Spanned<T> {
    /// Joins a value with its place.
    pub fn new(value: T, at: Position) -> Self {
        Self { value, at }
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Whether a finding stops the snapshot from being applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The whole snapshot is refused.
    Error,
    /// The snapshot is applied; the author should know.
    Warning,
}

/// One finding about a policy or its facts: it names the offending ids in backticks and says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Where the mistake is.
    pub at: Position,
    /// What is wrong, in lower case, naming the ids.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The tenant whose fact it stands in: the root resource, as `type/id`.
    pub tenant: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(at: Position, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, at, message: message.into(), help: None, tenant: None }
    }

    /// A warning at a place.
    pub fn warning(at: Position, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, at, message: message.into(), help: None, tenant: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
