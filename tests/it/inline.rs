//! Questions about a policy that stands in the test itself, and what loading one has to say.

use sidegate::decide;
use sidegate::document::{Source, build};
use sidegate::index::Index;
use sidegate::model::{Entity, Reason, Request, Timestamp, Value, Verdict};

/// The time at which every question is asked.
pub(crate) fn now() -> Timestamp {
    Timestamp::parse("2026-06-01T00:00:00Z").unwrap()
}

/// A text, loaded.
#[track_caller]
pub(crate) fn load(text: &str) -> Index {
    match build(vec![source(text)]) {
        Ok(built) => built.index,
        Err(report) => panic!("refused:\n{report}"),
    }
}

/// Everything that loading a text has to say against it; nothing when it loads.
pub(crate) fn errors(text: &str) -> String {
    build(vec![source(text)]).err().map_or_else(String::new, |report| report.to_string())
}

fn source(text: &str) -> Source {
    Source { name: "policy.yaml".to_owned(), bytes: text.as_bytes().to_vec() }
}

/// With the first `old` written as `new`.
#[track_caller]
pub(crate) fn replaced(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "the policy has no `{old}`");
    text.replacen(old, new, 1)
}

/// The report holds every one of these words.
#[track_caller]
pub(crate) fn says(report: &str, all: &[&str]) {
    let missing: Vec<_> = all.iter().filter(|word| !report.contains(**word)).collect();
    assert!(!report.is_empty(), "it was loaded");
    assert!(missing.is_empty(), "{missing:?} is not in\n{report}");
}

/// The text loads.
#[track_caller]
pub(crate) fn loads(text: &str) {
    let report = errors(text);
    assert!(report.is_empty(), "refused:\n{report}");
}

/// Hands over a request: `user/ana update bot/1`, with these parameters.
pub(crate) fn request<T>(line: &str, parameters: &[(&str, Value<'_>)], ask: impl FnOnce(&Request<'_>) -> T) -> T {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [subject, action, resource] = words.as_slice() else { panic!("`{line}` is no question") };
    ask(&Request {
        subject: Entity::parse(subject).unwrap(),
        subject_properties: &[],
        action,
        action_properties: parameters,
        resource: Entity::parse(resource).unwrap(),
        parent: None,
        resource_properties: &[],
        context: &[],
    })
}

/// The verdict on a question.
pub(crate) fn verdict(index: &Index, line: &str, parameters: &[(&str, Value<'_>)]) -> Verdict {
    request(line, parameters, |request| decide::authorize(index, request, now())).unwrap()
}

/// The reason of the verdict on a question.
pub(crate) fn reason(index: &Index, line: &str, parameters: &[(&str, Value<'_>)]) -> Reason {
    verdict(index, line, parameters).reason
}

/// As [`reason`], with parameters written `target=@user/ana role=editor all=[a.b,c.d]`: as the command line has them.
pub(crate) fn reason_with(index: &Index, line: &str, parameters: &str) -> Reason {
    with_parameters(line, parameters, |request| decide::authorize(index, request, now())).unwrap().reason
}

/// Hands over a request with parameters as [`reason_with`] has them.
pub(crate) fn with_parameters<T>(line: &str, parameters: &str, ask: impl FnOnce(&Request<'_>) -> T) -> T {
    let pairs: Vec<(&str, &str)> = parameters.split_whitespace().filter_map(|word| word.split_once('=')).collect();
    let lists: Vec<Vec<Value<'_>>> = pairs.iter().map(|(_, text)| items(text)).collect();
    let values = pairs.iter().zip(&lists).map(|((name, text), items)| {
        let value = match text.strip_prefix('@') {
            _ if text.starts_with('[') => Value::List(items),
            Some(name) => entity(name),
            None => Value::String(text),
        };
        (*name, value)
    });
    request(line, &values.collect::<Vec<_>>(), ask)
}

fn items(text: &str) -> Vec<Value<'_>> {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or_default();
    inner.split(',').filter(|item| !item.is_empty()).map(Value::String).collect()
}

/// The value of an entity.
pub(crate) fn entity(name: &str) -> Value<'_> {
    Value::Entity(Entity::parse(name).unwrap())
}

/// A moment, in seconds.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::new(second, 0).unwrap()
}

/// The verdict at a second.
pub(crate) fn asked_at(index: &Index, subject: &str, action: &str, resource: &str, second: i64) -> Verdict {
    let line = format!("{subject} {action} {resource}");
    request(&line, &[], |request| decide::authorize(index, request, at(second))).unwrap()
}

/// The report is empty.
#[track_caller]
pub(crate) fn accepted(report: &str) {
    assert!(report.is_empty(), "refused:\n{report}");
}
