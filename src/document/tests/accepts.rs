//! Every key of the language arrives where it belongs.

use super::{LINES, POLICY, good, with};
use crate::model::{
    AlsoTarget, EntityName, Grants, LimitKind, Literal, Policy, Spanned, Supplier, TermOperator, TermScope, Timestamp,
    ValueType,
};

fn texts(names: &[Spanned<String>]) -> Vec<&str> {
    names.iter().map(|name| name.value.as_str()).collect()
}

#[test]
fn the_vocabulary() {
    let (policy, facts) = good(&[("p.yaml", POLICY)]);
    assert_eq!(facts.sequence.unwrap().value, 12);
    assert!(!policy.strict_properties);
    assert_eq!(policy.subject_types.len(), 2);
    assert_eq!(policy.context[0].from, Supplier::Request);
    assert_eq!(texts(&policy.operations[1].actions), ["view"]);
    assert_eq!(texts(&policy.classes[1].members), ["technical", "bot"]);
    let bot = policy.types.iter().find(|one| one.name.value == "bot").unwrap();
    assert_eq!(texts(&bot.parents), ["workspace"]);
    let names: Vec<&str> = bot.attributes.iter().map(|one| one.name.value.as_str()).collect();
    assert_eq!(names, ["tag", "locked", "owner", "tags", "since", "state", "levels", "secret"]);
    assert_eq!(bot.attributes[0].from, Supplier::SnapshotThenRequest);
    assert_eq!(bot.attributes[1].from, Supplier::RequestThenSnapshot);
    assert_eq!(bot.attributes[3].value_type, ValueType::List(Box::new(ValueType::String)));
    assert!(bot.attributes[4].optional && bot.attributes[7].sensitive);
    assert_eq!(bot.attributes[5].default.as_ref().unwrap().value, Literal::String("draft".to_owned()));
    let ValueType::List(levels) = &bot.attributes[6].value_type else { panic!("not a list") };
    assert!(matches!(levels.as_ref(), ValueType::Enum(values) if texts(values) == ["low", "high"]));
    let actions: Vec<&str> = bot.actions.iter().map(|one| one.name.value.as_str()).collect();
    assert_eq!(actions, ["create", "view", "update", "deploy", "clone", "link"]);
    assert!(bot.actions[0].creates);
    assert_eq!(bot.actions[3].governed_by.as_ref().unwrap().value, "deployment");
    let under = &bot.actions[4].also.as_ref().unwrap().target;
    assert!(matches!(under, AlsoTarget::Under(name) if name.value == "target_workspace"));
    assert!(matches!(&bot.actions[5].also.as_ref().unwrap().target, AlsoTarget::On(name) if name.value == "other"));
    assert!(policy.types.iter().any(|one| one.is_virtual) && policy.types.iter().any(|one| one.root && one.open));
}

#[test]
fn the_permissions() {
    let (policy, _) = good(&[("p.yaml", POLICY)]);
    let role = &policy.roles[0];
    assert_eq!(
        (
            texts(&role.at),
            role.holders.iter().map(|holder| holder.kind.as_str()).collect::<Vec<_>>(),
            texts(&role.includes)
        ),
        (vec!["workspace"], vec!["user"], vec!["other_role"])
    );
    assert_eq!(role.rules[0].when.as_ref().unwrap().value, "resource.locked == false");
    assert!(matches!(&role.rules[1].grants, Grants::Actions(names) if texts(names) == ["access"]));
    assert_eq!((&role.rules[2].grants, texts(&role.rules[2].held_at)), (&Grants::All, vec!["workspace"]));
    assert!(matches!(&role.limits[0].kind, LimitKind::Only(names) if texts(names) == ["view"]));
    assert!(matches!(&role.limits[1].kind, LimitKind::Gate { only_when, .. } if only_when.value.contains("'pro'")));
    let template = &policy.role_templates[0];
    assert_eq!((template.may.len(), template.conditions.as_ref().unwrap().most.value), (1, 16));
    let forbid = &policy.forbids[0];
    assert_eq!(forbid.scopes[0].value, EntityName { kind: "workspace".to_owned(), id: "prod".to_owned() });
    assert_eq!(forbid.lifetime.expires, Timestamp::parse("2027-01-01T00:00:00Z"));
    assert_eq!((&policy.forbids[1].grants, policy.forbids[1].on.len()), (&Grants::All, 0));
}

#[test]
fn the_facts() {
    let (_, facts) = good(&[("p.yaml", POLICY)]);
    assert_eq!(facts.subjects.iter().map(|one| one.disabled).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(facts.subjects[2].attributes[1].1.value, Literal::Null);
    let bot = &facts.resources[2];
    assert_eq!((bot.name.id.as_str(), bot.parent.as_ref().unwrap().kind.as_str()), ("helper/two", "workspace"));
    assert_eq!(bot.attributes[2].1.value, Literal::Int(-3));
    assert!(
        matches!(&bot.attributes[1].1.value, Literal::List(items) if items[1].value == Literal::String("1".to_owned()))
    );
    let rule = &facts.roles[0].rules.current().unwrap()[0];
    assert_eq!(rule.when[0].0.value, TermScope::All);
    assert!(matches!(&rule.when[1].1[0].operators[0].1, TermOperator::In(values) if values.len() == 2));
    assert_eq!((facts.roles[1].name.as_str(), facts.roles[1].rules.current().unwrap().len()), ("custom/idle", 0));
    assert_eq!(facts.bindings[1].lifetime.not_before, Timestamp::parse("2025-12-31T22:00:00Z"));
    assert_eq!((facts.bindings[0].position.line, facts.bindings[0].position.column), (90, 5));
    assert_eq!(facts.blocks[0].id.value, "suspend-ana");
}

#[test]
fn json_lines_say_the_same_as_yaml() {
    let yaml = with(
        "sequence: 12\nsubjects: {user/ana: {attributes: {team: blue}}}\n\
         resources: {bot/helper: {parent: workspace/prod, attributes: {tags: [a, b], level: 7, none: null}}}\n\
         defined_roles: {account/orbit: {custom/x: {bot: {actions: [view], when: {all: [{attr: resource.tag, ne: x}]}}}}}\n\
         bindings: [{subject: user/ana, role: analyst, at: workspace/prod, expires: 2027-01-01T00:00:00Z}]\n\
         blocks: {suspend-ana: {on: [content]}}\n",
    );
    let (_, yaml) = good(&[("p.yaml", &yaml)]);
    let (_, lines) = good(&[("p.yaml", &with("")), ("f.jsonl", LINES)]);
    let plain = |facts: &dyn std::fmt::Debug| without_places(&format!("{facts:?}"));
    assert_eq!(plain(&yaml), plain(&lines));
    let tag = &lines.roles[0].rules.current().unwrap()[0].when[0].1[0].operators[0].0;
    assert_eq!((tag.source.0, tag.line, tag.column), (1, 5, 128));
}

/// A debug print with every position left out.
fn without_places(text: &str) -> String {
    let mut parts = text.split("Position {");
    let first = parts.next().unwrap_or_default().to_owned();
    // A position ends with its second closing brace: the file's number has none of its own.
    parts.fold(first, |all, part| all + part.split_once('}').map_or("", |(_, rest)| rest))
}

#[test]
fn scalars_are_what_they_look_like() {
    let text = with(
        "subjects: {user/a: {attributes: {a: no, b: 0777, c: 1e3, d: 1.5, e: ~, f: , g: \"true\", h: Null, i: -0}}}",
    );
    let (_, facts) = good(&[("p.yaml", &text)]);
    let values: Vec<Literal> = facts.subjects[0].attributes.iter().map(|(_, value)| value.value.clone()).collect();
    let text = |text: &str| Literal::String(text.to_owned());
    let wanted = [text("no"), text("0777"), text("1e3"), text("1.5"), Literal::Null, Literal::Null, text("true")];
    assert_eq!(values[..7], wanted);
    assert_eq!(values[7..], [text("Null"), Literal::Int(0)]);
}

#[test]
fn byte_order_marks_and_windows_line_ends() {
    let windows = |text: &str| format!("\u{feff}{}", text.replace('\n', "\r\n"));
    let plain = good(&[("p.yaml", POLICY), ("f.jsonl", "{\"kind\":\"block\",\"id\":\"b\"}\n")]);
    assert_eq!(
        good(&[("p.yaml", &windows(POLICY)), ("f.jsonl", "\u{feff}{\"kind\":\"block\",\"id\":\"b\"}\r\n")]),
        plain
    );
}

#[test]
fn sections_may_be_split_over_files() {
    let (policy, facts): (Policy, _) = good(&[
        ("a.yaml", "sidegate: 1\ntypes: {a: {shape: s}}\n"),
        (
            "b.yaml",
            "---\nsidegate: 1\nshapes: {s: {root: true}}\ntypes: {b: {root: true}}\nsubjects: {user/a: }\n...\n",
        ),
    ]);
    assert_eq!((policy.types.len(), policy.types[0].root, facts.subjects.len()), (2, true, 1));
}
