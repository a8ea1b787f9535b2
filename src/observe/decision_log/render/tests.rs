//! Lines, as a reader of the log sees them.

use serde_json::{Value as Json, json};

use super::super::{
    Door, Entry, Mode, Origin, PropertyName, Settings, TraceContext,
    record::Record,
    testing::{ASKED, entry, long, settings, snapshot},
};
use super::line;
use crate::model::{Entity, Request, Value};

fn rendered(entry: &Entry<'_>, settings: &Settings, missing: u64) -> Json {
    let mut text = String::new();
    line(&mut text, &Record::new(entry, &settings.properties), settings, missing).unwrap();
    assert!(text.ends_with("}\n") && text.matches('\n').count() == 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_line_says_who_what_why_and_by_which_snapshot() {
    let snapshot = snapshot();
    let trace = TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let origin = Origin { door: Door::Batch, trace };
    let line = rendered(&Entry { origin, ..entry(&snapshot, &ASKED, "r-1") }, &settings(Mode::All), 0);
    let expected = json!({
        "evaluated_at": "2026-01-31T09:00:00.5Z",
        "decision": "ALLOW",
        "reason": "GRANTED",
        "rule_id": "roles/reader/page.view",
        "undetermined": false,
        "subject": {"type": "user", "id": "ana"},
        "action": "view",
        "resource": {"type": "page", "id": "home"},
        "snapshot": {"sequence": 7, "digest": snapshot.digest, "generation": 0},
        "door": "batch",
        "request_id": "r-1",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "span_id": "00f067aa0ba902b7",
    });
    assert_eq!(line, expected);
    let sampled = rendered(&entry(&snapshot, &ASKED, ""), &settings(Mode::Sampled), 4);
    assert_eq!((&sampled["one_in"], &sampled["dropped"]), (&json!(3), &json!(4)));
    assert_eq!(sampled.get("request_id"), None);
}

#[test]
fn what_the_snapshot_does_not_hold_is_told_in_its_own_words() {
    let snapshot = snapshot();
    let request = Request {
        subject: Entity { kind: "user", id: "bob\u{202e}\"" },
        action: "burn",
        resource: Entity { kind: "ghost", id: "x" },
        ..ASKED
    };
    let line = rendered(&entry(&snapshot, &request, "a\n{\"decision\":\"ALLOW\"}"), &settings(Mode::All), 0);
    assert_eq!(line["reason"], "UNKNOWN_TYPE");
    assert_eq!(line["subject"], json!({"type": "user", "id": "bob\u{202e}\""}));
    assert_eq!((&line["action"], &line["resource"]), (&json!("burn"), &json!({"type": "ghost", "id": "x"})));
    assert_eq!(line["request_id"], "a\n{\"decision\":\"ALLOW\"}");
    assert_eq!(line.get("truncated"), None);
}

#[test]
fn long_names_are_whole_where_they_are_held_and_else_cut_and_marked() {
    let snapshot = snapshot();
    let long = long();
    let held = Request { resource: Entity { kind: "page", id: &long }, ..ASKED };
    let line = rendered(&entry(&snapshot, &held, ""), &settings(Mode::All), 0);
    assert_eq!((&line["decision"], &line["resource"]["id"]), (&json!("ALLOW"), &json!(long)));
    assert_eq!(line.get("truncated"), None);
    let other = "ü".repeat(500);
    let request = Request {
        subject: Entity { kind: &other, id: &other },
        action: &other,
        resource: Entity { kind: &other, id: &other },
        ..ASKED
    };
    let line = rendered(&entry(&snapshot, &request, &other), &settings(Mode::All), 0);
    let all = ["subject.type", "subject.id", "action", "resource.type", "resource.id", "request_id"];
    let told: Vec<&str> = line["truncated"].as_array().unwrap().iter().map(|field| field.as_str().unwrap()).collect();
    assert!(
        all.iter().all(|field| told.contains(field) || (*field == "request_id" && line.get(field).is_none())),
        "{line}"
    );
    assert_eq!(line["subject"]["type"].as_str().unwrap(), "ü".repeat(127), "255 bytes, cut between letters");
}

#[test]
fn only_properties_that_configuration_and_policy_let_through_are_written() {
    let snapshot = snapshot();
    let list = [Value::String("a"), Value::Int(1)];
    let request = Request {
        subject_properties: &[("team", Value::String("red")), ("pin", Value::String("0000")), ("x", Value::Null)],
        action: "move",
        action_properties: &[("to", Value::Entity(Entity { kind: "account", id: "orbit" }))],
        resource_properties: &[("state", Value::List(&list)), ("key", Value::String("k3y"))],
        context: &[("mfa", Value::Bool(true)), ("secret", Value::String("s3cret")), ("other", Value::String("0ther"))],
        ..ASKED
    };
    let line = rendered(&entry(&snapshot, &request, ""), &settings(Mode::All), 0);
    assert_eq!((line.get("properties"), &line["properties_withheld"]), (None, &json!(9)));
    let names = ["subject.team", "subject.pin", "subject.x", "action.to", "resource.state", "resource.key"];
    let names = names.into_iter().chain(["context.mfa", "context.secret", "context.other", "context.state"]);
    let properties = names.map(|name| PropertyName::parse(name).unwrap()).collect();
    let settings = Settings { properties, ..settings(Mode::All) };
    let line = rendered(&entry(&snapshot, &request, ""), &settings, 0);
    let written = json!({
        "subject.team": "red",
        "action.to": {"type": "account", "id": "orbit"},
        "resource.state": ["a", 1],
        "context.mfa": true,
    });
    // Sensitive ones, and those that the policy does not declare, stay back although they are on the list.
    assert_eq!((&line["properties"], &line["properties_withheld"]), (&written, &json!(5)));
    let stranger = Request { subject: Entity { kind: "ghost", id: "x" }, ..request };
    let line = rendered(&entry(&snapshot, &stranger, ""), &settings, 0);
    assert_eq!(line["properties"].get("subject.team"), None, "whether it is sensitive cannot be known");
    let huge = "v".repeat(2000);
    let request = Request { resource_properties: &[("state", Value::String(&huge))], ..ASKED };
    let line = rendered(&entry(&snapshot, &request, ""), &settings, 0);
    assert_eq!(
        (line.get("properties"), &line["properties_withheld"]),
        (None, &json!(1)),
        "a value is whole or not there"
    );
}
