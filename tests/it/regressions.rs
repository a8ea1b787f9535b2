//! Small cases that once went wrong.

use sidegate::decide;
use sidegate::document::{Source, build};
use sidegate::model::{Entity, Reason, Request, Timestamp, Value};

#[test]
fn the_smallest_rule_id_is_named_not_the_smallest_role() {
    let text = r#"{"sidegate": 1, "subject_types": {"user": {}}, "types": {"s": {"root": true, "actions": ["view"]}},
        "role_templates": {"t": {"defined_at": "s", "at": "s", "may": {"on": "s", "actions": "all"}}},
        "subjects": {"user/u": {}}, "resources": {"s/a": {}},
        "defined_roles": {"s/a": {"t/x": {"s": {"actions": ["view"]}}, "t/x-y": {"s": {"actions": ["view"]}}}},
        "bindings": [{"subject": "user/u", "role": "t/x", "at": "s/a"}, {"subject": "user/u", "role": "t/x-y", "at": "s/a"}]}"#;
    let built = build(vec![Source { name: "policy.yaml".to_owned(), bytes: text.as_bytes().to_vec() }]).unwrap();
    let request = Request {
        subject: Entity { kind: "user", id: "u" },
        subject_properties: &[],
        action: "view",
        action_properties: &[],
        resource: Entity { kind: "s", id: "a" },
        parent: None,
        resource_properties: &[],
        context: &[],
    };
    let verdict = decide::authorize(&built.index, &request, Timestamp::EPOCH).unwrap();
    assert_eq!(built.index.rule_id(verdict.because).as_deref(), Some("roles/t/x-y/s.view"));
}

#[test]
fn the_order_of_credentials_is_not_in_the_bytes() {
    let text = |credentials: &str, context: &str| {
        let text = format!(
            r#"{{"sidegate": 1, "subject_types": {{"user": {{}}}}, "context": {{"x": "int", "y": "int"}},
            "types": {{"s": {{"root": true, "actions": ["view"]}}}},
            "credential_types": {{"key": {{"owners": "user", "scopes": {{"one": {{"context": {context}}}, "two": {{}}}}}}}},
            "subjects": {{"user/u": {{}}}}, "resources": {{"s/a": {{}}, "s/b": {{}}}}, "credentials": {credentials}}}"#
        );
        let built = build(vec![Source { name: "policy.yaml".to_owned(), bytes: text.into_bytes() }]).unwrap();
        built.index.bytes().to_vec()
    };
    let (one, two) = (
        r#""key/a": {"owner": "user/u", "scopes": ["one"], "within": ["s/b"], "expires": "2030-01-01T00:00:00Z"}"#,
        r#""key/b": {"owner": "user/u", "scopes": ["two"], "within": ["s/a"], "expires": "2031-01-01T00:00:00Z"}"#,
    );
    let (there, back) = (format!("{{{one}, {two}}}"), format!("{{{two}, {one}}}"));
    assert_eq!(text(&there, r#"{"x": 1, "y": 2}"#), text(&back, r#"{"y": 2, "x": 1}"#));
}

#[test]
fn the_order_of_defined_roles_is_not_in_the_bytes() {
    let policy = r#"{"sidegate": 1, "subject_types": {"user": {}}, "context": {"word": "string"},
        "types": {"s": {"root": true, "actions": ["view"]}},
        "role_templates": {"t": {"defined_at": "s", "at": "s", "may": {"on": "s", "actions": "all"},
            "conditions": {"attributes_of": ["context"], "most": 4}}}, "resources": {"s/a": {}, "s/b": {}}}"#;
    let line = |at: &str, word: &str| {
        format!(
            r#"{{"kind": "role", "at": "{at}", "name": "t/x", "rules": {{"s": {{"actions": ["view"],
            "when": {{"all": [{{"attr": "context.word", "eq": "{word}"}}]}}}}}}}}"#
        )
        .replace('\n', "")
    };
    let bytes = |lines: [String; 2]| {
        let source = |name: &str, text: &str| Source { name: name.to_owned(), bytes: text.as_bytes().to_vec() };
        let sources = vec![source("policy.yaml", policy), source("facts.jsonl", &lines.join("\n"))];
        build(sources).unwrap().index.bytes().to_vec()
    };
    let (one, two) = (line("s/a", "zulu"), line("s/b", "alpha"));
    assert_eq!(bytes([one.clone(), two.clone()]), bytes([two, one]));
}

#[test]
fn a_result_must_satisfy_what_roles_require() {
    let text = r#"{"sidegate": 1, "subject_types": {"user": {}}, "types": {
        "w": {"root": true, "actions": {"revoke": {"parameters": {"target": "ref(user)", "role": "role"}, "change": "revoke", "result": "valid"}}},
        "a": {"parent": "w", "actions": {"assign": {"parameters": {"target": "ref(user)", "role": "role"}, "change": "grant", "result": "valid"}}}},
        "roles": {"base": {"at": "w"}, "owner": {"at": "w"}, "root": {"at": "w", "superuser": true},
            "up": {"at": "a", "requires": {"held_at": "a", "on": "w", "has": "base", "has_no": "owner"}}},
        "subjects": {"user/root": {}, "user/none": {}, "user/base": {}, "user/both": {}, "user/up": {}},
        "resources": {"w/w": {}, "a/a": {"parent": "w/w"}},
        "bindings": [{"subject": "user/root", "role": "root", "at": "w/w"}, {"subject": "user/base", "role": "base", "at": "w/w"},
            {"subject": "user/both", "role": "base", "at": "w/w"}, {"subject": "user/both", "role": "owner", "at": "w/w"},
            {"subject": "user/up", "role": "base", "at": "w/w"}, {"subject": "user/up", "role": "up", "at": "a/a"}]}"#;
    let built = build(vec![Source { name: "policy.yaml".to_owned(), bytes: text.as_bytes().to_vec() }]).unwrap();
    let ask = |target: &str, action: &str, role: &str, kind: &str, id: &str| {
        let properties =
            [("target", Value::Entity(Entity { kind: "user", id: target })), ("role", Value::String(role))];
        let request = Request {
            subject: Entity { kind: "user", id: "root" },
            subject_properties: &[],
            action,
            action_properties: &properties,
            resource: Entity { kind, id },
            parent: None,
            resource_properties: &[],
            context: &[],
        };
        decide::authorize(&built.index, &request, Timestamp::EPOCH).unwrap().reason
    };
    assert_eq!(ask("base", "assign", "up", "a", "a"), Reason::Granted);
    assert_eq!(ask("none", "assign", "up", "a", "a"), Reason::OutOfPurview);
    assert_eq!(ask("both", "assign", "up", "a", "a"), Reason::OutOfPurview);
    assert_eq!(ask("up", "revoke", "base", "w", "w"), Reason::OutOfPurview);
    assert_eq!(ask("base", "revoke", "base", "w", "w"), Reason::Granted);
}
