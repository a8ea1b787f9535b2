//! Versions of roles and customised holders: what each of them has, and what loading refuses.

use sidegate::model::Reason;

use crate::inline::{errors, load, loads, reason, replaced, says};

const POLICY: &str = r"
sidegate: 1
subject_types: {user: {}}
types:
  system: {root: true, actions: {tune: {}}}
  account: {parent: system, actions: {manage: {}}}
  flow:
    parent: account
    attributes: {live: {type: bool, default: false}}
    actions: {read: {}, update: {}, create: {creates: true}}
  mail: {parent: account, actions: {read: {}}}
roles:
  rw: {at: account, customisable: true, allow: [{on: flow, actions: [read, update], when: resource.live}, {on: mail, actions: [read]}],
       limits: [{on: mail, only: []}]}
  stiff: {at: account, allow: [{on: flow, actions: [read]}]}
role_templates:
  built: {defined_at: system, at: account, may: [{on: [flow, mail], actions: all}], versioned: true, customisable: true}
  plain: {defined_at: system, at: account, may: {on: flow, actions: all}}
subjects: {user/std: {}, user/cus: {}, user/nil: {}}
resources:
  system/s: {}
  account/a: {parent: system/s}
  flow/f: {parent: account/a}
  flow/l: {parent: account/a, attributes: {live: true}}
  mail/m: {parent: account/a}
defined_roles:
  system/s:
    built/maker:
      current: 3
      versions:
        2: {flow: {actions: [read, update, create]}}
        3: {flow: {actions: [read, create]}, mail: {actions: [read]}}
bindings:
- {subject: user/std, role: built/maker, at: account/a}
- {subject: user/cus, role: built/maker, at: account/a, customised: {version: 2, permissions: [flow.read, flow.update]}}
";

/// With this binding of `user/nil`.
fn with(binding: &str) -> String {
    format!("{POLICY}- {{subject: user/nil, {binding}}}\n")
}

#[test]
fn a_versioned_role_gives_what_its_current_version_says() {
    let index = load(POLICY);
    assert_eq!(reason(&index, "user/std read mail/m", &[]), Reason::Granted);
    assert_eq!(reason(&index, "user/std create flow/f", &[]), Reason::Granted);
    assert_eq!(reason(&index, "user/std update flow/f", &[]), Reason::NoGrant);
    let older = load(&replaced(POLICY, "current: 3", "current: 2"));
    assert_eq!(reason(&older, "user/std update flow/f", &[]), Reason::Granted);
    assert_eq!(reason(&older, "user/std read mail/m", &[]), Reason::NoGrant);
}

#[test]
fn a_customised_holder_has_what_both_its_list_and_the_current_version_give() {
    let index = load(POLICY);
    assert_eq!(reason(&index, "user/cus read flow/f", &[]), Reason::Granted);
    assert_eq!(reason(&index, "user/cus create flow/f", &[]), Reason::NotInCustomSet);
    assert_eq!(reason(&index, "user/cus read mail/m", &[]), Reason::NotInCustomSet);
    // The role itself no longer gives it: there is no path that the list could close.
    assert_eq!(reason(&index, "user/cus update flow/f", &[]), Reason::NoGrant);
    let older = load(&replaced(POLICY, "current: 3", "current: 2"));
    assert_eq!(reason(&older, "user/cus update flow/f", &[]), Reason::Granted);
}

#[test]
fn a_list_keeps_conditions_and_limits_and_is_tested_before_them() {
    let index = load(&with("role: rw, at: account/a, customised: {permissions: [flow.read, mail.read]}"));
    assert_eq!(reason(&index, "user/nil read flow/l", &[]), Reason::Granted);
    assert_eq!(reason(&index, "user/nil read flow/f", &[]), Reason::ConditionFalse);
    assert_eq!(reason(&index, "user/nil update flow/f", &[]), Reason::NotInCustomSet);
    assert_eq!(reason(&index, "user/nil read mail/m", &[]), Reason::Ceiling);
    let index = load(&with("role: rw, at: account/a, customised: {permissions: [flow.read]}"));
    assert_eq!(reason(&index, "user/nil read mail/m", &[]), Reason::NotInCustomSet);
}

#[test]
fn a_list_narrows_its_own_binding_alone() {
    let both = with("role: rw, at: account/a, customised: {permissions: []}");
    let both = format!("{both}- {{subject: user/nil, role: stiff, at: account/a}}\n");
    assert_eq!(reason(&load(&both), "user/nil read flow/f", &[]), Reason::Granted);
    let lapsed = with("role: rw, at: account/a, disabled: true, customised: {permissions: []}");
    assert_eq!(reason(&load(&lapsed), "user/nil read flow/l", &[]), Reason::Expired);
}

#[test]
fn a_list_must_lie_inside_what_it_was_cut_from() {
    let report = errors(&with("role: rw, at: account/a, customised: {permissions: [flow.read, account.manage]}"));
    says(&report, &["user/nil", "`rw`", "account/a", "`account.manage`", "does not give", "policy.yaml:"]);
    let report = errors(&with("role: built/maker, at: account/a, customised: {version: 2, permissions: [mail.read]}"));
    says(&report, &["user/nil", "`mail.read`", "version 2 of role `built/maker` does not give"]);
    loads(&with("role: built/maker, at: account/a, customised: {version: 2, permissions: [flow.update]}"));
}

#[test]
fn a_list_names_permissions_that_exist() {
    let report = errors(&with("role: rw, at: account/a, customised: {permissions: [flow.fly, read]}"));
    says(&report, &["user/nil", "account/a", "`flow.fly`, which is no permission", "`read`, which is no permission"]);
}

#[test]
fn a_list_says_which_version_it_was_cut_from() {
    let report = errors(&with("role: built/maker, at: account/a, customised: {version: 9, permissions: [flow.read]}"));
    says(&report, &["user/nil", "built/maker", "account/a", "from version 9, which that role does not have", "2, 3"]);
    let report = errors(&with("role: built/maker, at: account/a, customised: {permissions: [flow.read]}"));
    says(&report, &["user/nil", "does not say from which version", "2, 3"]);
    let report = errors(&with("role: rw, at: account/a, customised: {version: 1, permissions: [flow.read]}"));
    says(&report, &["user/nil", "from version 1, but that role has no versions"]);
}

#[test]
fn only_a_customisable_role_is_customised() {
    let report = errors(&with("role: stiff, at: account/a, customised: {permissions: [flow.read]}"));
    says(&report, &["user/nil", "`stiff`", "account/a", "is not customisable"]);
}

#[test]
fn a_binding_names_a_role() {
    let report = errors(&with("at: account/a, customised: {permissions: [flow.read]}"));
    says(&report, &["binding of `user/nil` at `account/a` names no role"]);
}

#[test]
fn a_current_version_is_there() {
    let report = errors(&replaced(POLICY, "current: 3", "current: 5"));
    says(&report, &["role `built/maker` of `system/s` has no version 5, which it says is current", "2, 3"]);
}

#[test]
fn a_template_says_whether_its_roles_have_versions() {
    let report = errors(&replaced(POLICY, "versioned: true, ", ""));
    says(&report, &["role `built/maker` of `system/s` has versions", "`built` do not"]);
    let report =
        errors(&replaced(POLICY, "    built/maker:", "    built/other: {flow: {actions: [read]}}\n    built/maker:"));
    says(&report, &["role `built/other` of `system/s` has no versions", "`built` do"]);
}

#[test]
fn every_version_stays_within_the_template() {
    let text = replaced(POLICY, "2: {flow: {actions: [read, update, create]}}", "2: {account: {actions: [manage]}}");
    says(&errors(&text), &["version 2 of role `built/maker`", "`account.manage`", "template `built`"]);
}
