//! Load errors by tenant, and one tenant's slice: what concerns whom, and what is checked with it.

use sidegate::document::{Report, Source, build, build_tenant};
use sidegate::model::EntityName;

const POLICY: &str = r"
sidegate: 1
subject_types: {user: {attributes: {friend: ref(user)}}}
credential_types: {key: {owners: user}}
types:
  account: {root: true, attributes: {color: {type: enum, values: [red, blue]}}, actions: {open: {}}}
  space: {parent: account, attributes: {twin: ref(space)}, actions: {open: {}}}
roles:
  member: {at: [account, space], allow: [{on: [account, space], actions: [open]}]}
  lead: {at: [account, space], allow: [{on: [account, space], actions: [open]}]}
role_templates: {own: {defined_at: account, at: [account, space], may: {on: [account, space], actions: all}}}
exclusive: {one: {roles: [member, lead, own], at: space}}
forbids: {vip: {on: space, actions: [open], subjects: [user/vip], at: space/b1}}
";

const FACTS: &str = r"
sidegate: 1
subjects:
  user/ann: {attributes: {friend: user/bob}}
  user/bob:
  user/vip:
  user/cy:
credentials:
  key/ann: {owner: user/ann}
  key/cy: {owner: user/cy, within: account/b}
resources:
  account/a:
  account/b:
  space/a1: {parent: account/a}
  space/a2: {parent: account/a}
  space/b1: {parent: account/b}
defined_roles:
  account/a: {own/x: {space: {actions: [open]}}}
  account/b: {own/x: {space: {actions: [open]}}}
bindings:
- {subject: user/ann, role: member, at: space/a1}
- {subject: user/ann, role: own/x, at: space/a2}
- {subject: user/cy, role: member, at: account/b}
blocks:
  stop: {subject: user/cy, at: space/b1}
";

fn sources(facts: &str) -> Vec<Source> {
    let source = |name: &str, text: &str| Source { name: name.to_owned(), bytes: text.as_bytes().to_vec() };
    vec![source("facts.yaml", facts), source("policy.yaml", POLICY)]
}

/// With the first `old` of the facts written as `new`.
fn facts(old: &str, new: &str) -> String {
    assert!(FACTS.contains(old), "the facts have no `{old}`");
    FACTS.replacen(old, new, 1)
}

/// The tenants of the findings, in order.
fn tenants(report: &Report) -> Vec<&str> {
    report.diagnostics.iter().map(|one| one.tenant.as_deref().unwrap_or("-")).collect()
}

fn whole(facts: &str) -> Report {
    build(sources(facts)).err().unwrap_or_default()
}

fn sliced(facts: &str, tenant: &str) -> Report {
    build_tenant(sources(facts), &EntityName::parse(tenant).unwrap()).err().unwrap_or_default()
}

#[test]
fn the_facts_themselves_load() {
    for report in [whole(FACTS), sliced(FACTS, "account/a"), sliced(FACTS, "account/b")] {
        assert!(report.diagnostics.is_empty(), "{report}");
    }
}

#[test]
fn a_mistake_concerns_the_tenant_of_its_fact() {
    let one = |old: &str, new: &str| {
        let report = whole(&facts(old, new));
        assert_eq!(report.diagnostics.len(), 1, "{report}");
        tenants(&report)[0].to_owned()
    };
    assert_eq!(one("role: own/x, at: space/a2", "role: own/y, at: space/a2"), "account/a");
    assert_eq!(one("role: member, at: account/b", "role: nobody, at: account/b"), "account/b");
    assert_eq!(one("account/b:\n", "account/b: {attributes: {color: green}}\n"), "account/b");
    assert_eq!(one("account/a: {own/x: {space", "account/a: {own/x: {spice"), "account/a");
    assert_eq!(one("user/cy, at: space/b1", "user/cx, at: space/b1"), "account/b");
    assert_eq!(one("owner: user/cy, within", "owner: user/cx, within"), "account/b");
    assert_eq!(one("friend: user/bob", "friend: user/bab"), "-", "of a subject");
    assert_eq!(
        one("key/ann: {owner: user/ann}", "key/ann: {owner: user/nobody}"),
        "-",
        "of a key that is used anywhere"
    );
    assert_eq!(one("at: space/a2", "at: space/a9"), "-", "where that is is not known");
    let two =
        facts("- {subject: user/ann, role: own/x, at: space/a2}", "- {subject: user/ann, role: lead, at: space/a1}");
    assert_eq!(tenants(&whole(&two)), ["account/a"], "what several facts do together");
}

#[test]
fn the_order_of_the_keys_and_of_the_lines_does_not_matter() {
    let lines = [
        r#"{"kind":"resource","parent":"account/a","id":"space/a9","attributes":{"twin":"space/no"}}"#,
        r#"{"kind":"resource","attributes":{"color":"green"},"id":"account/c"}"#,
        r#"{"kind":"binding","at":"account/c","role":"no","subject":"user/ann"}"#,
        r#"{"kind":"block","on":"ghost","at":"account/a","id":"b9"}"#,
        r#"{"kind":"role","rules":{"ghost":{"actions":["open"]}},"at":"account/c","name":"own/z"}"#,
        r#"{"kind":"subject","attributes":{"friend":"user/no"},"id":"user/z"}"#,
    ];
    let mut sources = sources(FACTS);
    sources.push(Source { name: "more.jsonl".to_owned(), bytes: lines.join("\n").into_bytes() });
    let report = build(sources).unwrap_err();
    let found: Vec<(&str, u32)> =
        report.diagnostics.iter().map(|one| (one.tenant.as_deref().unwrap_or("-"), one.at.line)).collect();
    assert_eq!(
        found,
        [("-", 6), ("account/a", 1), ("account/a", 4), ("account/c", 2), ("account/c", 3), ("account/c", 5)],
        "{report}"
    );
}

#[test]
fn mistakes_of_the_policy_come_first_and_have_no_tenant() {
    let text = facts("role: member, at: account/b", "role: nobody, at: account/b");
    let mut sources = sources(&text);
    let policy = String::from_utf8(sources[1].bytes.clone()).unwrap();
    // In one file, behind the facts.
    let behind = policy.replace("sidegate: 1\n", "").replace("actions: [open]}]}\n  lead", "actions: [fly]}]}\n  lead");
    sources.truncate(1);
    sources[0].bytes = format!("{text}\n{behind}").into_bytes();
    let report = build(sources).unwrap_err();
    assert_eq!(tenants(&report), ["-", "account/b"], "{report}");
    let shown = report.to_string();
    let [first, heading, second] = ["`fly`", "\n\ntenant account/b: 1 error\n\nerror: ", "`nobody`"]
        .map(|part| shown.find(part).unwrap_or_else(|| panic!("no {part:?} in\n{shown}")));
    assert!(first < heading && heading < second, "{shown}");
}

#[test]
fn tenants_are_told_in_order_with_their_counts() {
    let text = facts("role: member, at: account/b", "role: nobody, at: account/b");
    let text =
        text.replace("role: own/x", "role: own/q").replace("role: member, at: space/a1", "role: no, at: space/a1");
    let shown = whole(&text).to_string();
    let [a, b] = ["tenant account/a: 2 errors\n\nerror", "\n\ntenant account/b: 1 error\n\nerror"]
        .map(|part| shown.find(part).unwrap_or_else(|| panic!("no {part:?} in\n{shown}")));
    assert_eq!(a, 0);
    assert!(a < b, "{shown}");
}

#[test]
fn a_slice_sees_its_own_mistakes_and_no_others() {
    let of_b = facts("role: member, at: account/b", "role: nobody, at: account/b");
    assert_eq!(sliced(&of_b, "account/a").diagnostics, []);
    let lost = facts("owner: user/cy, within", "owner: user/cx, within");
    assert_eq!(sliced(&lost, "account/a").diagnostics, [], "a key that nobody owns, of another tenant");
    assert_eq!(sliced(&of_b, "account/b").diagnostics.len(), 1);
    let of_a = facts("role: own/x, at: space/a2", "role: own/y, at: space/a2");
    assert_eq!(sliced(&of_a, "account/b").diagnostics, []);
    assert_eq!(sliced(&of_a, "account/a").diagnostics.len(), 1);
}

#[test]
fn a_slice_holds_whatever_its_facts_name() {
    let friend = facts("friend: user/bob", "friend: user/bab");
    assert_eq!(sliced(&friend, "account/a").diagnostics.len(), 1, "who holds something here");
    assert_eq!(sliced(&friend, "account/b").diagnostics, [], "who does not");
    let key = facts("key/ann: {owner: user/ann}", "key/ann: {owner: user/ann, permissions: [no.such]}");
    assert_eq!(sliced(&key, "account/a").diagnostics.len(), 1, "the keys of who holds something here");
    assert_eq!(sliced(&key, "account/b").diagnostics, []);
    let twin = facts("space/a1: {parent: account/a}", "space/a1: {parent: account/a, attributes: {twin: space/b1}}");
    assert_eq!(sliced(&twin, "account/a").diagnostics, [], "what an attribute refers to");
}

#[test]
fn what_has_no_known_place_is_in_every_slice() {
    for (old, new) in
        [("at: space/a2", "at: space/a9"), ("space/a2: {parent: account/a}", "space/a2: {parent: account/x}")]
    {
        let lost = facts(old, new);
        for tenant in ["account/a", "account/b"] {
            assert!(!sliced(&lost, tenant).diagnostics.is_empty(), "{new} in {tenant}");
        }
    }
}

#[test]
fn a_mistake_of_the_policy_is_in_every_slice() {
    let mut sources = sources(FACTS);
    sources[1].bytes = POLICY.replacen("actions: [open]}]}", "actions: [fly]}]}", 1).into_bytes();
    let report = build_tenant(sources, &EntityName::parse("account/b").unwrap()).unwrap_err();
    assert!(report.to_string().contains("`fly`"), "{report}");
}

#[test]
fn an_unknown_tenant_names_a_few_known_ones() {
    let text = sliced(FACTS, "account/z").to_string();
    assert!(text.contains("`account/z`") && text.contains("`account/a`, `account/b`"), "{text}");
    assert_eq!(sliced(FACTS, "space/a1").diagnostics.len(), 1, "no root");
    let many: Vec<String> = (0..9).map(|number| format!("  account/n{number}:\n")).collect();
    let text = sliced(&facts("  account/a:\n", &format!("  account/a:\n{}", many.concat())), "account/z").to_string();
    assert!(text.contains("and 6 more") && !text.contains("n8"), "{text}");
}
