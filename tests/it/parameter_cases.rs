//! Roles and permissions as parameters: which of them a request may name, and when that is found out.

use sidegate::model::{Reason, Value};

use crate::inline::{entity, errors, load, reason, reason_with, replaced, says};

const POLICY: &str = r"
sidegate: 1
subject_types: {user: {}}
types:
  org: {root: true, actions: {hold: {}}}
  team:
    parent: org
    actions:
      read: {}
      give: {parameters: {to: ref(user), role: role}}
      give_all: {parameters: {roles: list(role)}}
      show: {parameters: {what: permission}}
      pick: {parameters: {some: list(permission), maybe: {type: role, optional: true}}}
      found: {creates: true, parameters: {role: role}}
roles:
  boss: {at: org, allow: [{on: team, actions: all, assigns: all}, {on: org, actions: all}]}
  chief: {at: org, allow: [{on: team, actions: [pick], assigns: all}]}
role_templates: {own: {defined_at: [org, team], at: team, may: {on: team, actions: [read]}}}
subjects: {user/b: {}, user/c: {}}
resources: {org/o: {}, org/p: {}, team/t: {parent: org/o}, team/q: {parent: org/p}}
defined_roles:
  org/o: {own/wide: {team: {actions: [read]}}}
  team/q: {own/near: {team: {actions: [read]}}}
bindings:
- {subject: user/b, role: boss, at: org/o}
- {subject: user/b, role: boss, at: org/p}
";

#[test]
fn a_role_is_named_as_the_resource_sees_it() {
    let index = load(POLICY);
    let give = |team: &str, role: &str| {
        reason_with(&index, &format!("user/b give {team}"), &format!("to=@user/c role={role}"))
    };
    assert_eq!(give("team/t", "boss"), Reason::Granted);
    assert_eq!(give("team/t", "own/wide"), Reason::Granted);
    assert_eq!(give("team/q", "own/near"), Reason::Granted);
    assert_eq!(give("team/t", "own/near"), Reason::UnknownParameter);
    assert_eq!(give("team/q", "own/wide"), Reason::UnknownParameter);
    assert_eq!(give("team/t", "nobody"), Reason::UnknownParameter);
    // Ids are exact bytes, and a template is no role.
    assert_eq!(give("team/t", "Boss"), Reason::UnknownParameter);
    assert_eq!(give("team/t", "own"), Reason::UnknownParameter);
}

#[test]
fn every_role_of_a_list_is_there() {
    let index = load(POLICY);
    let give = |roles: &str| reason_with(&index, "user/b give_all team/t", &format!("roles={roles}"));
    assert_eq!(give("[boss,own/wide]"), Reason::Granted);
    assert_eq!(give("[]"), Reason::Granted);
    assert_eq!(give("[boss,own/near]"), Reason::UnknownParameter);
    assert_eq!(give("[boss,nobody]"), Reason::UnknownParameter);
    assert_eq!(give("boss"), Reason::UnknownParameter);
}

#[test]
fn a_permission_is_written_type_and_action() {
    let index = load(POLICY);
    let show = |what: &str| reason_with(&index, "user/b show team/t", &format!("what={what}"));
    assert_eq!(show("team.read"), Reason::Granted);
    assert_eq!(show("org.hold"), Reason::Granted);
    for wrong in ["read", "team.fly", "nobody.read", "team.read.", "user.read", ".", "@team/t", "[team.read]"] {
        let wanted = Reason::UnknownParameter;
        assert_eq!(show(wrong), wanted, "{wrong}");
    }
    let pick = |some: &str| reason_with(&index, "user/b pick team/t", &format!("some={some} maybe=boss"));
    assert_eq!(pick("[team.read,org.hold]"), Reason::Granted);
    assert_eq!(pick("[team.read,team.fly]"), Reason::UnknownParameter);
    assert_eq!(pick("team.read"), Reason::UnknownParameter);
}

#[test]
fn a_value_of_a_wrong_type_names_nothing() {
    let index = load(POLICY);
    let roles = [Value::String("boss"), Value::Int(3)];
    assert_eq!(reason(&index, "user/b give_all team/t", &[("roles", Value::List(&roles))]), Reason::UnknownParameter);
    let give = |role| reason(&index, "user/b give team/t", &[("to", entity("user/c")), ("role", role)]);
    assert_eq!(give(Value::Bool(true)), Reason::UnknownParameter);
    assert_eq!(give(entity("user/b")), Reason::UnknownParameter);
    assert_eq!(give(Value::Null), Reason::MissingParameter);
}

#[test]
fn what_no_role_is_called_is_found_before_the_resource() {
    let index = load(POLICY);
    let found = |team: &str, role: &str| reason_with(&index, &format!("user/b found {team}"), &format!("role={role}"));
    assert_eq!(found("team/none", "nobody"), Reason::UnknownParameter);
    assert_eq!(found("team/none", "boss"), Reason::UnknownResource);
    // Another scope defines it: that is out of sight only once the resource has a place.
    assert_eq!(found("team/none", "own/near"), Reason::UnknownResource);
    assert_eq!(found("team/t", "own/near"), Reason::UnknownParameter);
    assert_eq!(reason_with(&index, "user/b give team/none", "role=nobody"), Reason::MissingParameter);
}

#[test]
fn a_condition_reads_entities_alone() {
    let text =
        replaced(POLICY, "actions: [pick], assigns: all", "actions: [pick], assigns: all, when: has(param.maybe)");
    says(&errors(&text), &["parameter `maybe` names no entity", "policy.yaml:"]);
}

#[test]
fn a_parameter_names_an_entity_a_role_or_a_permission() {
    says(
        &errors(&replaced(POLICY, "what: permission", "what: string")),
        &["parameter `what` names no entity, role or permission"],
    );
    let text = replaced(POLICY, "read: {}", "read: {also: {action: read, on: role}, parameters: {role: role}}");
    says(&errors(&text), &["parameter `role` names no entity to act on"]);
}
