//! What the language accepts, what it refuses and where, what people are shown, and that nothing panics.

mod accepts;
mod cases;
mod refuses;
mod robust;
mod shows;

use super::{Report, Source, parse};
use crate::model::{Diagnostic, Facts, Policy};

/// Every key of the language, once.
const POLICY: &str = include_str!("tests/policy.yaml");

/// Every kind of fact, once.
const LINES: &str = include_str!("tests/facts.jsonl");

fn sources(files: &[(&str, &str)]) -> Vec<Source> {
    files.iter().map(|(name, text)| Source { name: (*name).to_owned(), bytes: text.as_bytes().to_vec() }).collect()
}

fn good(files: &[(&str, &str)]) -> (Policy, Facts) {
    let sources = sources(files);
    parse(&sources).unwrap_or_else(|found| panic!("{}", Report::new(found, sources.clone())))
}

fn bad(files: &[(&str, &str)]) -> Report {
    let sources = sources(files);
    let found: Vec<Diagnostic> = parse(&sources).expect_err("accepted");
    Report::new(found, sources)
}

/// A file that is right but for these lines, which begin at line 3.
fn with(text: &str) -> String {
    format!("sidegate: 1\nsubject_types: {{user: {{}}}}\n{text}")
}

/// Asserts that these lines make exactly these findings.
#[track_caller]
fn refused(text: &str, wanted: &[&str]) {
    let report = bad(&[("p.yaml", &with(text))]);
    assert_eq!(report.lines(), wanted.iter().map(|line| format!("p.yaml:{line}")).collect::<Vec<_>>(), "{text}");
}
