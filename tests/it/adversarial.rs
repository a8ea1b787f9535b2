//! Data that means harm: each is refused in words or answered within bounds, and none of it widens access or panics.
//!
//! Nothing here measures time. What must not grow is a count: findings, paths looked at, slots probed. That a load comes
//! back at all is the bound on bombs: what they would cost without one is not waited for by anybody.

mod bombs;
mod graphs;
mod hashes;
mod size;
mod text;
mod values;

use sidegate::decide;
use sidegate::document::{Built, Report, Source, build};
use sidegate::index::Index;
use sidegate::model::{Decision, Entity, Properties, Reason, Request, Timestamp};

/// What every source here begins with.
const HEAD: &str = "sidegate: 1\nsubject_types: {user: {}}\n";

fn load(text: &str) -> Result<Built, Report> {
    build(vec![Source { name: "p.yaml".to_owned(), bytes: text.as_bytes().to_vec() }])
}

fn index(text: &str) -> Index {
    load(text).unwrap_or_else(|report| panic!("{report}")).index
}

/// The findings of a source that must be refused.
fn refused(text: &str) -> Vec<String> {
    let report = load(text).expect_err("it must be refused");
    assert!(!report.to_string().is_empty());
    report.lines()
}

fn assert_refused(text: &str, why: &str) {
    let found = refused(text);
    assert!(found.iter().any(|line| line.contains(why)), "wanted `{why}`, found {:#?}", &found[..found.len().min(5)]);
}

fn noon() -> Timestamp {
    Timestamp::parse("2026-06-01T12:00:00Z").unwrap()
}

fn ask(index: &Index, subject: &str, action: &str, resource: &str) -> Reason {
    ask_with(index, subject, action, resource, &[])
}

fn ask_with(index: &Index, subject: &str, action: &str, resource: &str, context: Properties<'_>) -> Reason {
    let request = request(subject, action, resource, context);
    let verdict = decide::authorize(index, &request, noon()).unwrap();
    assert_eq!(verdict.decision == Decision::Allow, verdict.reason == Reason::Granted);
    verdict.reason
}

fn request<'a>(subject: &'a str, action: &'a str, resource: &'a str, context: Properties<'a>) -> Request<'a> {
    Request {
        subject: Entity::parse(subject).unwrap(),
        subject_properties: &[],
        action,
        action_properties: &[],
        resource: Entity::parse(resource).unwrap(),
        parent: None,
        resource_properties: &[],
        context,
    }
}

/// How many paths were looked at for an answer.
fn paths(index: &Index, subject: &str, action: &str, resource: &str) -> usize {
    let explained = decide::explain(index, &request(subject, action, resource, &[]), noon()).unwrap();
    explained.considered.len()
}
