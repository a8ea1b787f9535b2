//! What levels and exclusive roles are refused for, and that the message names everything that its reader needs.

use sidegate::document::{Source, build};

/// A policy with a ladder, governors, roles of every sort and nobody who holds one; a test replaces or adds a part.
const POLICY: &str = r"
sidegate: 1
levels: [none, read, edit]
governors: {a: [x, x/z], b: []}
subject_types: {user: {}}
types:
  s:
    root: true
    governed_by: a/x
    actions: {view: {level: read}, edit: {level: edit}}
  free: {root: true, actions: {view: {}}}
roles:
  member: {at: s, levels: per_binding, allow: [{on: s, actions: all}]}
  reader: {at: s, levels: read, allow: [{on: s, actions: all}]}
  plain: {at: s, allow: [{on: s, actions: all}]}
role_templates: {t: {defined_at: s, at: s, may: {on: s, actions: all}}}
exclusive:
  one: {roles: [reader, plain, t], at: s}
subjects: {user/u: {}, user/w: {}}
resources: {s/1: {}, s/2: {}}
defined_roles: {s/1: {t/k: {s: {actions: [view]}}, t/l: {s: {actions: [view]}}}}
";

/// Everything that loading a text has to say; nothing when it loads.
fn errors(text: String) -> String {
    let source = Source { name: "policy.yaml".to_owned(), bytes: text.into_bytes() };
    build(vec![source]).err().map_or_else(String::new, |report| report.to_string())
}

/// With the first `old` written as `new`.
fn replaced(old: &str, new: &str) -> String {
    assert!(POLICY.contains(old), "the policy has no `{old}`");
    errors(POLICY.replacen(old, new, 1))
}

/// With these bindings: who, which role, where, and which levels.
fn held(bindings: &[(&str, &str, &str, &str)]) -> String {
    let line = |(subject, role, at, levels): &(&str, &str, &str, &str)| {
        let levels = if levels.is_empty() { String::new() } else { format!(", levels: {{{levels}}}") };
        format!("- {{subject: {subject}, role: {role}, at: {at}{levels}}}")
    };
    let lines: Vec<_> = bindings.iter().map(line).collect();
    errors(format!("{POLICY}bindings:\n{}\n", lines.join("\n")))
}

#[track_caller]
fn says(report: &str, all: &[&str]) {
    let missing: Vec<_> = all.iter().filter(|word| !report.contains(**word)).collect();
    assert!(!report.is_empty(), "it was loaded");
    assert!(missing.is_empty(), "{missing:?} is not in\n{report}");
}

#[track_caller]
fn loads(report: &str) {
    assert!(report.is_empty(), "refused:\n{report}");
}

#[test]
fn the_policy_itself_loads() {
    loads(&errors(POLICY.to_owned()));
    loads(&held(&[("user/u", "member", "s/1", "a: edit, a/x: read, a/x/z: none"), ("user/u", "reader", "s/1", "")]));
}

#[test]
fn an_override_wider_than_its_parent_is_refused() {
    let report = held(&[("user/u", "member", "s/1", "a: read, a/x: edit")]);
    says(&report, &["user/u", "member", "s/1", "`a/x` is set to `edit`", "`a` above it is `read`", "policy.yaml:"]);
}

#[test]
fn an_override_wider_than_its_grandparent_is_refused() {
    let report = held(&[("user/u", "member", "s/1", "a: read, a/x/z: edit")]);
    says(&report, &["user/u", "member", "s/1", "`a/x/z` is set to `edit`", "above it is `read`"]);
    let report = held(&[("user/u", "member", "s/1", "a: edit, a/x: read, a/x/z: edit")]);
    says(&report, &["user/u", "`a/x/z` is set to `edit`", "`a/x` above it is `read`"]);
}

#[test]
fn an_override_below_a_root_that_is_not_set_is_wider_than_the_lowest() {
    says(
        &held(&[("user/u", "member", "s/1", "a/x: read")]),
        &["user/u", "`a/x` is set to `read`", "`a` above it is `none`"],
    );
    loads(&held(&[("user/u", "member", "s/1", "a/x: none")]));
}

#[test]
fn all_wide_overrides_are_named_at_once() {
    let report = held(&[("user/u", "member", "s/1", "a: none, a/x: read"), ("user/w", "member", "s/2", "a/x/z: edit")]);
    says(&report, &["user/u", "`a/x` is set to `read`", "user/w", "s/2", "`a/x/z` is set to `edit`"]);
}

#[test]
fn a_level_on_an_unknown_governor_is_refused() {
    says(&held(&[("user/u", "member", "s/1", "a/q: read")]), &["user/u", "member", "s/1", "`a/q` is no governor"]);
    says(&replaced("governed_by: a/x", "governed_by: a/q"), &["`a/q` is no governor"]);
}

#[test]
fn an_unknown_level_is_refused() {
    let report = held(&[("user/u", "member", "s/1", "a: write")]);
    says(&report, &["user/u", "member", "s/1", "`write` of `a` is no level", "none, read, edit"]);
    says(&replaced("view: {level: read}", "view: {level: write}"), &["`write` is no level", "none, read, edit"]);
    says(
        &replaced("levels: read, allow", "levels: write, allow"),
        &["role `reader`", "`write` is no level", "policy.yaml:"],
    );
}

#[test]
fn levels_of_a_role_that_takes_none_are_refused() {
    for role in ["reader", "plain", "t/k"] {
        let report = held(&[("user/u", role, "s/1", "a: read")]);
        says(&report, &["user/u", role, "s/1", "sets levels, but that role takes none", "per_binding"]);
    }
}

#[test]
fn a_level_without_a_governor_is_refused() {
    let report = replaced("actions: {view: {}}", "actions: {view: {level: read}}");
    says(&report, &["action `view` needs a level", "`free` is governed by nothing", "governed_by"]);
    let report = replaced("governed_by: a/x", "governed_by: {attribute: ruler}");
    says(&report, &["`s` has no attribute `ruler` of type governor"]);
    let report = replaced("governed_by: a/x", "governed_by: {attribute: ruler}\n    attributes: {ruler: string}");
    says(&report, &["`s` has no attribute `ruler` of type governor"]);
}

#[test]
fn a_governor_under_nothing_is_refused() {
    says(&replaced("a: [x, x/z]", "a: [x, y/z]"), &["`a/y/z` stands under nothing"]);
}

#[test]
fn a_constant_governor_that_no_action_needs_is_looked_at_too() {
    says(&replaced("free: {root: true,", "free: {root: true, governed_by: nowhere,"), &["`nowhere` is no governor"]);
}

#[test]
fn two_exclusive_roles_on_one_scope_are_refused() {
    let report = held(&[("user/u", "reader", "s/1", ""), ("user/u", "plain", "s/1", "")]);
    says(&report, &["`user/u`", "`plain` and `reader`", "`s/1`", "`one`"]);
    loads(&held(&[("user/u", "reader", "s/1", ""), ("user/u", "plain", "s/2", ""), ("user/w", "plain", "s/1", "")]));
}

#[test]
fn exclusive_roles_include_all_of_a_template() {
    let report = held(&[("user/u", "t/l", "s/1", ""), ("user/u", "t/k", "s/1", "")]);
    says(&report, &["`user/u`", "`t/k` and `t/l`", "`s/1`", "`one`"]);
    let report = held(&[("user/u", "t/l", "s/1", ""), ("user/u", "plain", "s/1", "")]);
    says(&report, &["`user/u`", "`plain` and `t/l`", "`s/1`"]);
}

#[test]
fn an_exclusive_role_beside_any_other_or_itself_is_no_conflict() {
    loads(&held(&[
        ("user/u", "plain", "s/1", ""),
        ("user/u", "plain", "s/1", ""),
        ("user/u", "member", "s/1", "a: edit"),
    ]));
}

#[test]
fn an_exclusive_set_names_roles_and_scopes_that_are_there() {
    says(
        &replaced("[reader, plain, t]", "[reader, nobody]"),
        &["`nobody` in the exclusive roles `one` is no role and no role template"],
    );
    says(&replaced("t], at: s}", "t], at: nowhere}"), &["`nowhere`", "`one`"]);
}

#[test]
fn a_ladder_and_its_governors_name_nothing_twice() {
    says(&replaced("[none, read, edit]", "[none, read, edit, read]"), &["level `read` is listed twice"]);
    says(&replaced("[x, x/z]", "[x, x/z, x]"), &["governor `a/x` is declared twice"]);
    says(&replaced("[none, read, edit]", "[none, read, edit, per_binding]"), &["`per_binding` is reserved"]);
}

#[test]
fn a_lifetime_does_not_undo_a_conflict() {
    let expired = "- {subject: user/u, role: plain, at: s/1, expires: 1970-01-02T00:00:00Z}";
    let off = "- {subject: user/u, role: reader, at: s/1, disabled: true}";
    says(&errors(format!("{POLICY}bindings:\n{expired}\n{off}\n")), &["`user/u`", "`plain` and `reader`", "`s/1`"]);
}

#[test]
fn the_same_role_twice_with_other_terms_is_no_conflict() {
    let once = "- {subject: user/u, role: plain, at: s/1, expires: 1970-01-02T00:00:00Z}";
    let again = "- {subject: user/u, role: plain, at: s/1}";
    loads(&errors(format!("{POLICY}bindings:\n{once}\n{again}\n")));
}

#[test]
fn a_mistake_of_form_does_not_hide_one_of_meaning() {
    let text = "sidegate: 1\nsubject_types: {user: {}}\ntypes: {s: {root: true, actions: [read]}}\n\
                roles: {r: {at: s, allow: [{on: s, actions: [raed]}], colour: red}}\n";
    let source = Source { name: "policy.yaml".to_owned(), bytes: text.as_bytes().to_vec() };
    let lines = build(vec![source]).unwrap_err().lines().join("\n");
    assert!(lines.contains("unknown key `colour`") && lines.contains("`raed` is no action"), "{lines}");
}
