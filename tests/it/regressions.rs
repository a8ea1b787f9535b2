//! Small cases that once went wrong.

use sidegate::decide;
use sidegate::document::{Source, build};
use sidegate::model::{Entity, Request, Timestamp};

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
