//! Conditions against the reference's evaluator, which shares nothing with the engine's.

use sidegate::decide;
use sidegate::document;
use sidegate::index::Index;
use sidegate::model::{Entity, EntityName, Properties, Reason, Request, Timestamp, Value, Verdict};

use super::{quoted, source, with_request};
use crate::reference::condition::{Known, State, holds};

const POLICY: &str = include_str!("../../fixed/condition_reference.yaml");

/// The first line is a condition, the rest says the values that it reads, as in [`super::request`]: `resource.rank i 3`.
/// The engine and the reference must find the same of it, in a rule and in a forbid.
///
/// # Panics
/// When they do not.
pub fn condition_reference(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (condition, values) = text.split_once('\n').unwrap_or((&text, ""));
    let policy = POLICY.replace("CONDITION", &quoted(condition));
    let Ok(built) = document::build(vec![source("policy.yaml", policy.as_bytes())]) else { return };
    if is_plain(condition) {
        let asked = format!("subject user/ana\nresource thing/one\n{values}");
        with_request(&asked, |request| compare(&built.index, condition, request));
    }
}

/// Whether the reference can read a text that the engine accepts: it knows no escapes, and no sign apart from its number.
fn is_plain(condition: &str) -> bool {
    let both_quotes = condition.contains('"') && condition.contains('\'');
    let lone_sign = condition.split('-').skip(1).any(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()));
    !condition.contains('\\') && !both_quotes && !lone_sign
}

fn compare(index: &Index, condition: &str, request: &Request<'_>) {
    let time = Timestamp::new(1_790_000_000, 0).unwrap_or(Timestamp::EPOCH);
    let ask = |action| decide::authorize(index, &Request { action, ..*request }, time);
    let (Ok(given), Ok(forbidden)) = (ask("ask"), ask("be_forbidden")) else { return };
    if !matches!(given.reason, Reason::Granted | Reason::ConditionFalse | Reason::ConditionUnknown) {
        // The request contradicts what is stored: then there is nothing to evaluate.
        assert!(!given.is_allow() && !forbidden.is_allow(), "{given:?}, {forbidden:?}");
        return;
    }
    let wanted = holds(condition, &|path| look_up(path, request, time));
    assert_eq!(as_rule(given), wanted, "in a rule: {request:?}");
    assert_eq!(as_forbid(forbidden), wanted, "in a forbid: {request:?}");
}

fn as_rule(verdict: Verdict) -> Option<bool> {
    match verdict.reason {
        Reason::Granted => Some(true),
        Reason::ConditionFalse => Some(false),
        other => {
            assert_eq!((other, verdict.undetermined), (Reason::ConditionUnknown, true));
            None
        }
    }
}

fn as_forbid(verdict: Verdict) -> Option<bool> {
    match verdict.reason {
        Reason::Granted => Some(false),
        other => {
            assert_eq!(other, Reason::Forbidden);
            (!verdict.undetermined).then_some(true)
        }
    }
}

fn look_up(path: &[&str], request: &Request<'_>, time: Timestamp) -> State {
    match path {
        ["subject"] => State::Present(Known::Entity(owned(request.subject))),
        ["request", "time"] => State::Present(Known::Time(time)),
        ["request", "by_credential"] => State::Present(Known::Bool(false)),
        ["resource", "note"] => State::Absent,
        ["resource", name] => sent(request.resource_properties, name),
        ["context", name] => sent(request.context, name),
        _ => panic!("the engine accepts {path:?}"),
    }
}

fn sent(properties: Properties<'_>, name: &str) -> State {
    let value = properties.iter().find(|(own, _)| *own == name).map(|(_, value)| value);
    value.and_then(|value| typed(name, value)).map_or(State::Unknown, State::Present)
}

/// A value of the type that the attribute has.
fn typed(name: &str, value: &Value<'_>) -> Option<Known> {
    Some(match (name, value) {
        ("flag", Value::Bool(value)) => Known::Bool(*value),
        ("rank", Value::Int(value)) => Known::Int(*value),
        ("word", Value::String(value)) => Known::Text((*value).to_owned()),
        ("since", Value::Timestamp(value)) => Known::Time(*value),
        ("owner", Value::Entity(value)) if value.kind == "user" => Known::Entity(owned(*value)),
        ("words", Value::List(items)) => {
            let text = |item: &Value<'_>| if let Value::String(text) = item { Some((*text).to_owned()) } else { None };
            Known::List(items.iter().map(|item| text(item).map(Known::Text)).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

fn owned(entity: Entity<'_>) -> EntityName {
    EntityName { kind: entity.kind.to_owned(), id: entity.id.to_owned() }
}
