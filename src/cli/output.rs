//! Writing answers to standard output and troubles to standard error. A reader that went away is not an error.

use std::io::Write;

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

/// A machine's answer.
pub(super) fn say_json(value: &serde_json::Value) {
    say(&value.to_string());
}
