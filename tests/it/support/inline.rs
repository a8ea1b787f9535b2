//! A policy written in place: loading it, and asking it one thing. Decides nothing.

use sidegate::decide;
use sidegate::document::{Source, build};
use sidegate::index::Index;
use sidegate::model::{Entity, Request, Timestamp, Verdict};

/// Everything that loading a text has to say; nothing when it loads.
pub(crate) fn errors(text: &str) -> String {
    built(text).err().unwrap_or_default()
}

/// The index of a text that loads.
#[track_caller]
pub(crate) fn index(text: &str) -> Index {
    built(text).unwrap_or_else(|report| panic!("refused:\n{report}"))
}

fn built(text: &str) -> Result<Index, String> {
    let source = Source { name: "policy.yaml".to_owned(), bytes: text.as_bytes().to_vec() };
    build(vec![source]).map(|built| built.index).map_err(|report| report.to_string())
}

/// A question without properties.
pub(crate) fn request<'a>(subject: &'a str, action: &'a str, resource: &'a str) -> Request<'a> {
    Request {
        subject: Entity::parse(subject).unwrap(),
        subject_properties: &[],
        action,
        action_properties: &[],
        resource: Entity::parse(resource).unwrap(),
        parent: None,
        resource_properties: &[],
        context: &[],
    }
}

/// The verdict at a second.
pub(crate) fn asked(index: &Index, subject: &str, action: &str, resource: &str, second: i64) -> Verdict {
    decide::authorize(index, &request(subject, action, resource), at(second)).unwrap()
}

/// A moment.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::new(second, 0).unwrap()
}

/// Fails unless a report holds all these words.
#[track_caller]
pub(crate) fn says(report: &str, all: &[&str]) {
    let missing: Vec<_> = all.iter().filter(|word| !report.contains(**word)).collect();
    assert!(!report.is_empty(), "it was loaded");
    assert!(missing.is_empty(), "{missing:?} is not in\n{report}");
}

/// Fails unless a report is empty.
#[track_caller]
pub(crate) fn loads(report: &str) {
    assert!(report.is_empty(), "refused:\n{report}");
}
