//! Superusers: what they pass and what binds them all the same.

use sidegate::model::Reason;

use crate::inline::{errors, load, loads, reason, replaced, says};

const POLICY: &str = r"
sidegate: 1
levels: [none, read, edit]
governors: {a: []}
subject_types: {user: {}}
types:
  system: {root: true, actions: {tune: {}}}
  account: {parent: system, actions: {manage: {}}}
  doc:
    parent: account
    governed_by: {attribute: ruler}
    attributes: {ruler: {type: governor, optional: true}, frozen: {type: bool, default: false}}
    actions: {read: {}, edit: {level: edit}, show: {parameters: {to: ref(user)}}}
roles:
  sys_admin: {at: [system, account], superuser: true}
  reader: {at: account, allow: [{on: doc, actions: [read]}]}
forbids:
  freeze: {on: doc, actions: [edit], when: resource.frozen}
subjects: {user/sys: {}, user/alfa: {}, user/rex: {}}
resources:
  system/s: {}
  account/a: {parent: system/s}
  account/b: {parent: system/s}
  doc/a1: {parent: account/a}
  doc/a2: {parent: account/a, attributes: {frozen: true}}
  doc/b1: {parent: account/b}
bindings:
- {subject: user/sys, role: sys_admin, at: system/s}
- {subject: user/alfa, role: sys_admin, at: account/a}
- {subject: user/rex, role: reader, at: account/a}
";

#[test]
fn a_superuser_has_every_declared_action_at_or_below() {
    let index = load(POLICY);
    for line in ["tune system/s", "manage account/a", "read doc/a1", "edit doc/b1"] {
        assert_eq!(reason(&index, &format!("user/sys {line}"), &[]), Reason::Granted, "{line}");
    }
    assert_eq!(reason(&index, "user/alfa edit doc/a1", &[]), Reason::Granted);
    assert_eq!(reason(&index, "user/alfa manage account/a", &[]), Reason::Granted);
    assert_eq!(reason(&index, "user/alfa read doc/b1", &[]), Reason::NoGrant);
    assert_eq!(reason(&index, "user/alfa tune system/s", &[]), Reason::NoGrant);
    assert_eq!(reason(&index, "user/rex edit doc/a1", &[]), Reason::NoGrant);
}

#[test]
fn an_undeclared_action_is_given_to_nobody() {
    let index = load(POLICY);
    assert_eq!(reason(&index, "user/sys fly doc/a1", &[]), Reason::UnknownAction);
    assert_eq!(reason(&index, "user/sys read docs/a1", &[]), Reason::UnknownType);
}

#[test]
fn forbids_and_parameters_bind_a_superuser() {
    let index = load(POLICY);
    assert_eq!(reason(&index, "user/sys edit doc/a2", &[]), Reason::Forbidden);
    assert_eq!(reason(&index, "user/sys show doc/a1", &[]), Reason::MissingParameter);
}

#[test]
fn a_lifetime_binds_a_superuser() {
    let ended = replaced(POLICY, "at: system/s}", "at: system/s, expires: 2026-01-01T00:00:00Z}");
    assert_eq!(reason(&load(&ended), "user/sys read doc/a1", &[]), Reason::Expired);
}

#[test]
fn a_superuser_says_nothing_else() {
    loads(POLICY);
    let keys = [
        ("allow", "allow: [{on: doc, actions: [read]}]"),
        ("limits", "limits: [{on: doc, only: [read]}]"),
        ("includes", "includes: reader"),
        ("levels", "levels: edit"),
        ("customisable", "customisable: true"),
    ];
    for (key, written) in keys {
        let text = replaced(POLICY, "superuser: true", &format!("superuser: true, {written}"));
        says(&errors(&text), &[&format!("role `sys_admin` is a superuser and has `{key}`")]);
    }
}

#[test]
fn a_superuser_is_not_included() {
    let text = replaced(POLICY, "reader: {at: account,", "reader: {at: account, includes: sys_admin,");
    says(&errors(&text), &["role `reader` includes `sys_admin`, which is a superuser"]);
}
