//! Levels as their rules are written, one case a rule: what each binding reaches, and why not.

use sidegate::decide;
use sidegate::document::{Source, build};
use sidegate::model::{Entity, Reason, Request, Timestamp, Value};

const POLICY: &str = r"
sidegate: 1
levels: [none, read, edit]
governors: {a: [x, x/z], b: []}
subject_types: {user: {}}
types:
  root: {root: true, governed_by: b, actions: {view: {level: read}, list: {}}}
  fixed:
    parent: root
    governed_by: a/x/z
    actions: {view: {level: read}, edit: {level: edit}, touch: {level: none}, list: {}}
  says:
    parent: root
    governed_by: {attribute: ruler}
    attributes: {ruler: {type: governor, from: [snapshot, request]}}
    actions:
      edit: {level: edit}
      list: {}
      other: {level: edit, governed_by: above}
      own: {level: edit, governed_by: like}
  above: {virtual: true, governed_by: b}
  like: {virtual: true, governed_by: {attribute: ruler}}
roles:
  member: {at: root, levels: per_binding, allow: [{on: [root, fixed, says], actions: all}]}
  editor: {at: root, levels: edit, allow: [{on: [root, fixed, says], actions: all}]}
  plain: {at: root, allow: [{on: [root, fixed, says], actions: all}]}
  copies: {at: root, includes: editor}
  capped:
    at: root
    levels: read
    allow: [{on: fixed, actions: all}]
    limits: [{on: fixed, only: [list]}]
subjects: {user/u: {}}
resources:
  root/r: {}
  fixed/f: {parent: root/r}
  says/a: {parent: root/r, attributes: {ruler: a/x}}
  says/b: {parent: root/r, attributes: {ruler: b}}
  says/nothing: {parent: root/r}
";

/// Asks for a role held at the root with these levels: the reason, and whether a missing value decided.
fn asked(role: &str, levels: &str, action: &str, resource: &str, sent: &[(&str, Value<'_>)]) -> (Reason, bool) {
    let levels = if levels.is_empty() { String::new() } else { format!(", levels: {{{levels}}}") };
    with(&format!("{{subject: user/u, role: {role}, at: root/r{levels}}}"), action, resource, sent)
}

fn with(bindings: &str, action: &str, resource: &str, sent: &[(&str, Value<'_>)]) -> (Reason, bool) {
    let text = format!("{POLICY}bindings: [{bindings}]\n");
    let built = build(vec![Source { name: "policy.yaml".to_owned(), bytes: text.into_bytes() }]).unwrap();
    let request = Request {
        subject: Entity { kind: "user", id: "u" },
        subject_properties: &[],
        action,
        action_properties: &[],
        resource: Entity::parse(resource).unwrap(),
        parent: None,
        resource_properties: sent,
        context: &[],
    };
    let verdict = decide::authorize(&built.index, &request, Timestamp::EPOCH).unwrap();
    (verdict.reason, verdict.undetermined)
}

fn reason(role: &str, levels: &str, action: &str, resource: &str) -> Reason {
    asked(role, levels, action, resource, &[]).0
}

#[test]
fn what_is_not_set_takes_what_stands_above() {
    assert_eq!(reason("member", "a: edit", "edit", "fixed/f"), Reason::Granted);
    assert_eq!(reason("member", "a: read", "view", "fixed/f"), Reason::Granted);
    assert_eq!(reason("member", "a: read", "edit", "fixed/f"), Reason::LevelTooLow);
}

#[test]
fn a_root_that_is_not_set_has_the_lowest() {
    assert_eq!(reason("member", "b: edit", "view", "fixed/f"), Reason::LevelTooLow);
    assert_eq!(reason("member", "", "view", "fixed/f"), Reason::LevelTooLow);
    assert_eq!(reason("member", "", "list", "fixed/f"), Reason::Granted);
    assert_eq!(reason("member", "", "touch", "fixed/f"), Reason::Granted);
}

#[test]
fn an_override_at_any_depth_narrows() {
    assert_eq!(reason("member", "a: edit, a/x/z: read", "edit", "fixed/f"), Reason::Narrowed);
    assert_eq!(reason("member", "a: edit, a/x: read", "edit", "fixed/f"), Reason::Narrowed);
    assert_eq!(reason("member", "a: edit, a/x: read", "view", "fixed/f"), Reason::Granted);
    assert_eq!(reason("member", "a: edit, a/x/z: none", "edit", "says/a"), Reason::Granted);
    assert_eq!(reason("member", "a: read, a/x: none", "edit", "fixed/f"), Reason::LevelTooLow);
}

#[test]
fn a_role_has_its_level_everywhere_or_the_lowest() {
    assert_eq!(reason("editor", "", "edit", "fixed/f"), Reason::Granted);
    assert_eq!(reason("plain", "", "view", "fixed/f"), Reason::LevelTooLow);
    assert_eq!(reason("plain", "", "list", "fixed/f"), Reason::Granted);
}

#[test]
fn an_including_role_does_not_copy_levels() {
    assert_eq!(reason("copies", "", "edit", "fixed/f"), Reason::LevelTooLow);
}

#[test]
fn the_instance_says_what_governs_it() {
    assert_eq!(reason("member", "a: edit", "edit", "says/a"), Reason::Granted);
    assert_eq!(reason("member", "a: edit", "edit", "says/b"), Reason::LevelTooLow);
    assert_eq!(reason("member", "b: edit", "edit", "says/b"), Reason::Granted);
}

#[test]
fn without_a_governor_no_level_is_reached() {
    for role in ["member", "editor", "plain"] {
        assert_eq!(asked(role, "", "edit", "says/nothing", &[]), (Reason::LevelTooLow, true));
    }
    assert_eq!(reason("plain", "", "list", "says/nothing"), Reason::Granted);
    let sent = |path| asked("member", "a: edit", "edit", "says/nothing", &[("ruler", Value::String(path))]);
    assert_eq!(sent("a/x"), (Reason::Granted, false));
    assert_eq!(sent("b"), (Reason::LevelTooLow, false));
    assert_eq!(sent("a/nowhere"), (Reason::LevelTooLow, true));
}

#[test]
fn an_action_governed_by_another_type_takes_its_governor() {
    assert_eq!(reason("member", "b: edit", "other", "says/a"), Reason::Granted);
    assert_eq!(reason("member", "a: edit", "other", "says/a"), Reason::LevelTooLow);
    assert_eq!(asked("member", "a: edit", "other", "says/nothing", &[]), (Reason::LevelTooLow, false));
    assert_eq!(reason("member", "a: edit", "own", "says/a"), Reason::Granted);
}

#[test]
fn each_binding_has_its_own_levels() {
    let binding = |levels: &str| format!("{{subject: user/u, role: member, at: root/r, levels: {{{levels}}}}}");
    let both = format!("{}, {}", binding("a: edit, a/x: none"), binding("a: edit, b: none"));
    assert_eq!(with(&both, "edit", "fixed/f", &[]).0, Reason::Granted);
    let both = format!("{}, {}", binding("a: read"), binding("a: edit, a/x: none"));
    assert_eq!(with(&both, "edit", "fixed/f", &[]).0, Reason::Narrowed);
    assert_eq!(with(&both, "view", "fixed/f", &[]).0, Reason::Granted);
}

#[test]
fn the_level_is_tested_before_the_limits() {
    assert_eq!(reason("capped", "", "edit", "fixed/f"), Reason::LevelTooLow);
    assert_eq!(reason("capped", "", "view", "fixed/f"), Reason::Ceiling);
}
