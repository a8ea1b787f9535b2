//! Writing answers to standard output and troubles to standard error. A reader that went away is not an error.

use std::io::Write;

use serde_json::json;

use super::Exit;

/// One line of an answer.
pub(super) fn say(line: &str) {
    // A closed pipe means that nobody reads any more: the exit code still tells.
    drop(writeln!(std::io::stdout().lock(), "{line}"));
}

/// What a person should know beside an answer.
pub(super) fn note(message: &str) {
    drop(writeln!(std::io::stderr().lock(), "sidegate: {message}"));
}

/// A trouble, and the exit code that goes with it.
pub(super) fn fail(exit: Exit, message: &str) -> Exit {
    note(message);
    exit
}

/// Why there is no answer, and the exit code that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    exit: Exit,
    message: String,
}

impl Trouble {
    /// A trouble that is yet to be told.
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// Tells it: to people on standard error, and to a machine that asked for JSON as the one object that it waits for.
    pub(super) fn tell(&self, as_json: bool) -> Exit {
        if as_json {
            say_json(&json!({"error": {"exit_code": self.exit as u8, "message": self.message}}));
        }
        fail(self.exit, &self.message)
    }
}

/// A machine's answer.
pub(super) fn say_json(value: &serde_json::Value) {
    say(&value.to_string());
}

/// A number and its noun: `1 error`, `2 errors`.
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
