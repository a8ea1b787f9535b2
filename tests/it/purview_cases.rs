//! Purviews as their rules are written: over whom and over which roles, and what lies outside.

use sidegate::model::{Reason, Value};

use crate::inline::{entity, errors, load, reason_with, replaced, says, verdict};

const POLICY: &str = r"
sidegate: 1
subject_types: {user: {}, bot: {}}
types:
  org: {root: true, actions: {view: {}}}
  team:
    parent: org
    actions:
      assign: {parameters: {target: ref(user), role: role}}
      assign_all: {parameters: {target: ref(subject), roles: list(role)}}
      maybe: {parameters: {target: {type: ref(user), optional: true}, role: {type: role, optional: true}}}
      remove: {parameters: {target: ref(user)}}
      swap: {parameters: {from: ref(user), to: ref(user)}}
      move: {parameters: {room: ref(room)}}
      open: {creates: true, parameters: {target: ref(user)}}
  room: {parent: team, actions: {view: {}}}
roles:
  root: {at: org, superuser: true}
  owner: {at: [org, team], allow: [{on: org, actions: all}]}
  editor: {at: [org, team, room], allow: [{on: room, actions: all}]}
  viewer: {at: [org, team, room], allow: [{on: room, actions: all}]}
  admin:
    at: [org, team]
    allow:
      - {on: team, actions: [assign, assign_all], assigns: [editor, viewer, own], target: {holds_only: [editor, viewer, own, admin]}}
      - {on: team, actions: [maybe], assigns: all, target: {holds_only: all}}
      - {on: team, actions: [remove], target: {holds_only: [editor, viewer], look: [here, above, below]}, within: [target]}
      - {on: team, actions: [swap], target: {holds_only: [], parameter: to, look: below}, within: [from]}
      - {on: team, actions: [move], within: [room]}
      - {on: team, actions: [open], target: {holds_only: [viewer]}}
  heir: {at: org, includes: admin}
role_templates: {own: {defined_at: org, at: team, may: {on: room, actions: all}}}
subjects: {user/adm: {}, user/heir: {}, user/sys: {}, user/x: {}, user/y: {}, bot/x: {}}
resources:
  org/o: {}
  org/p: {}
  team/t: {parent: org/o}
  team/u: {parent: org/o}
  room/r: {parent: team/t}
  room/s: {parent: team/u}
defined_roles: {org/o: {own/k: {room: {actions: [view]}}}}
bindings:
- {subject: user/adm, role: admin, at: team/t}
- {subject: user/heir, role: heir, at: org/o}
- {subject: user/sys, role: root, at: org/o}
";

const OUT: Reason = Reason::OutOfPurview;

/// Asks with these bindings of `user/x`: role and scope.
fn with(bindings: &[&str], line: &str, parameters: &str) -> Reason {
    let lines = bindings.iter().map(|binding| {
        let (role, rest) = binding.split_once('@').unwrap();
        format!("- {{subject: user/x, role: {role}, at: {rest}}}\n")
    });
    reason_with(&load(&format!("{POLICY}{}", lines.collect::<String>())), line, parameters)
}

#[test]
fn only_assignable_roles_are_assigned() {
    let index = load(POLICY);
    let assign = |role: &str| reason_with(&index, "user/adm assign team/t", &format!("target=@user/x role={role}"));
    assert_eq!(assign("editor"), Reason::Granted);
    assert_eq!(assign("own/k"), Reason::Granted);
    assert_eq!(assign("owner"), OUT);
    assert_eq!(assign("admin"), OUT);
    assert_eq!(assign("root"), OUT);
}

#[test]
fn every_role_of_a_list_is_assignable() {
    let index = load(POLICY);
    let assign =
        |roles: &str| reason_with(&index, "user/adm assign_all team/t", &format!("target=@bot/x roles={roles}"));
    assert_eq!(assign("[editor,own/k]"), Reason::Granted);
    assert_eq!(assign("[]"), Reason::Granted);
    assert_eq!(assign("[editor,owner]"), OUT);
}

#[test]
fn the_target_holds_nothing_else_here_and_above() {
    let assign = |bindings: &[&str]| with(bindings, "user/adm assign team/t", "target=@user/x role=viewer");
    assert_eq!(assign(&[]), Reason::Granted);
    assert_eq!(assign(&["editor@team/t", "viewer@org/o"]), Reason::Granted);
    assert_eq!(assign(&["owner@team/t"]), OUT);
    assert_eq!(assign(&["owner@org/o"]), OUT);
    assert_eq!(assign(&["owner@team/u", "owner@org/p"]), Reason::Granted);
}

#[test]
fn what_the_target_holds_below_counts_where_that_is_looked_at() {
    let remove = |bindings: &[&str]| with(bindings, "user/adm remove team/t", "target=@user/x");
    assert_eq!(remove(&["viewer@room/r"]), Reason::Granted);
    let swap = |bindings: &[&str]| with(bindings, "user/adm swap team/t", "from=@user/y to=@user/x");
    assert_eq!(swap(&["owner@team/t", "editor@room/s"]), Reason::Granted);
    assert_eq!(swap(&["viewer@room/r"]), OUT);
}

#[test]
fn what_is_over_does_not_count_and_what_is_switched_off_does() {
    let assign = |binding: &str| with(&[binding], "user/adm assign team/t", "target=@user/x role=viewer");
    assert_eq!(assign("owner@team/t, disabled: true"), OUT);
    assert_eq!(assign("owner@team/t, not_before: 2030-01-01T00:00:00Z"), OUT);
    assert_eq!(assign("owner@team/t, expires: 2026-06-01T00:00:00Z"), Reason::Granted);
    assert_eq!(assign("owner@team/t, expires: 2026-06-01T00:00:01Z"), OUT);
    assert_eq!(assign("owner@team/t, disabled: true, expires: 2026-01-01T00:00:00Z"), Reason::Granted);
}

#[test]
fn a_subject_lies_where_it_holds_something() {
    let remove = |bindings: &[&str]| with(bindings, "user/adm remove team/t", "target=@user/x");
    assert_eq!(remove(&[]), Reason::Granted);
    assert_eq!(remove(&["viewer@team/t"]), Reason::Granted);
    assert_eq!(remove(&["viewer@org/o", "viewer@room/r"]), Reason::Granted);
    assert_eq!(remove(&["viewer@org/o"]), OUT);
    assert_eq!(remove(&["viewer@team/u"]), OUT);
    assert_eq!(remove(&["viewer@team/u, expires: 2026-01-01T00:00:00Z"]), Reason::Granted);
}

#[test]
fn the_scope_on_which_the_role_is_held_counts() {
    let index = load(POLICY);
    let moved = |who: &str, room: &str| reason_with(&index, &format!("{who} move team/t"), &format!("room=@{room}"));
    assert_eq!(moved("user/adm", "room/r"), Reason::Granted);
    assert_eq!(moved("user/adm", "room/s"), OUT);
    assert_eq!(moved("user/heir", "room/s"), Reason::Granted);
}

#[test]
fn a_copied_rule_keeps_its_purview() {
    let index = load(POLICY);
    let assign = |role: &str| reason_with(&index, "user/heir assign team/t", &format!("target=@user/x role={role}"));
    assert_eq!(assign("editor"), Reason::Granted);
    assert_eq!(assign("owner"), OUT);
}

#[test]
fn a_superuser_passes_every_purview() {
    let sys = |line: &str, parameters: &str| with(&["owner@org/p"], &format!("user/sys {line} team/t"), parameters);
    assert_eq!(sys("assign", "target=@user/x role=root"), Reason::Granted);
    assert_eq!(sys("remove", "target=@user/x"), Reason::Granted);
    assert_eq!(sys("move", "room=@room/s"), Reason::Granted);
    assert_eq!(sys("maybe", ""), Reason::Granted);
}

#[test]
fn an_optional_parameter_that_is_absent_lies_outside() {
    let index = load(POLICY);
    let maybe = |parameters: &str| reason_with(&index, "user/adm maybe team/t", parameters);
    assert_eq!(maybe("target=@user/x role=owner"), Reason::Granted);
    assert_eq!(maybe("target=@user/x"), OUT);
    assert_eq!(maybe("role=owner"), OUT);
    assert!(!verdict(&index, "user/adm maybe team/t", &[]).undetermined);
}

#[test]
fn nothing_is_held_on_a_resource_that_is_not_there_yet() {
    let text = replaced(POLICY, "user/adm, role: admin, at: team/t", "user/adm, role: admin, at: org/o");
    let ask = |bindings: &str| {
        let index = load(&format!("{text}{bindings}"));
        let parent = sidegate::model::Entity { kind: "org", id: "o" };
        let parameters = [("target", entity("user/x"))];
        crate::inline::request("user/adm open team/new", &parameters, |request| {
            let request = sidegate::model::Request { parent: Some(parent), ..*request };
            sidegate::decide::authorize(&index, &request, crate::inline::now()).unwrap().reason
        })
    };
    assert_eq!(ask(""), Reason::Granted);
    assert_eq!(ask("- {subject: user/x, role: viewer, at: org/o}\n"), Reason::Granted);
    assert_eq!(ask("- {subject: user/x, role: editor, at: org/o}\n"), OUT);
}

#[test]
fn a_purview_is_tested_before_the_condition_and_after_the_limits() {
    let ask = |key: &str| {
        let index = load(&replaced(POLICY, "assigns: all, target", &format!("{key}assigns: all, target")));
        reason_with(&index, "user/adm maybe team/t", "role=owner")
    };
    assert_eq!(ask("when: '!has(param.target)', "), OUT);
    let limited = replaced(POLICY, "  admin:\n", "  admin:\n    limits: [{on: team, only: [assign]}]\n");
    assert_eq!(reason_with(&load(&limited), "user/adm maybe team/t", "role=owner"), Reason::Ceiling);
}

#[test]
fn an_explanation_says_what_lies_outside() {
    let why = |bindings: &str, line: &str, parameters: &[(&str, Value<'_>)]| {
        let index = load(&format!("{POLICY}{bindings}"));
        crate::inline::request(line, parameters, |request| {
            sidegate::decide::explain(&index, request, crate::inline::now()).unwrap().summary
        })
    };
    let role = |name| [("target", entity("user/x")), ("role", Value::String(name))];
    says(&why("", "user/adm assign team/t", &role("owner")), &["denied", "`admin` at `team/t`", "assigning `owner`"]);
    let held = "- {subject: user/x, role: owner, at: org/o}\n";
    says(&why(held, "user/adm assign team/t", &role("viewer")), &["holds `owner` at `org/o`"]);
    says(&why("", "user/adm move team/t", &[("room", entity("room/s"))]), &["`room` lies outside"]);
    says(&why("", "user/adm maybe team/t", &[]), &["does not name a parameter"]);
}

#[test]
fn a_rule_that_could_assign_says_what() {
    let report =
        errors(&replaced(POLICY, "- {on: team, actions: [maybe], assigns: all,", "- {on: team, actions: [maybe],"));
    says(&report, &["role `admin` gives `team.maybe`", "no role that could be assigned", "assigns"]);
    let report = errors(&replaced(POLICY, "own/k: {room: {actions: [view]}}", "own/k: {team: {actions: [assign]}}"));
    says(&report, &["own/k"]);
    let wide = replaced(POLICY, "may: {on: room, actions: all}", "may: {on: [room, team], actions: all}");
    let report = errors(&replaced(&wide, "own/k: {room: {actions: [view]}}", "own/k: {team: {actions: [assign]}}"));
    says(&report, &["role `own/k` on `team` gives `team.assign`, but no role that could be assigned"]);
}

#[test]
fn a_purview_names_what_its_actions_have() {
    let at_move = |key: &str| errors(&replaced(POLICY, "within: [room]}", &format!("within: [room], {key}}}")));
    says(
        &at_move("assigns: [viewer]"),
        &["role `admin` says which roles may be assigned, but none of its actions names one"],
    );
    says(
        &at_move("target: {holds_only: all}"),
        &["role `admin` says what the target may hold, but none of its actions names a subject"],
    );
    says(&at_move("target: {holds_only: all, parameter: room}"), &["parameter `room` names no subject"]);
    says(&errors(&replaced(POLICY, "within: [room]", "within: [rooms]")), &["`team.move` has no parameter `rooms`"]);
    says(&errors(&replaced(POLICY, "parameter: to, ", "")), &["`team.swap` names more than one subject", "parameter"]);
    let role = replaced(POLICY, "actions: [maybe], assigns: all", "actions: [maybe], assigns: all, within: [role]");
    says(&errors(&role), &["parameter `role` of `team.maybe` names no entity"]);
}

#[test]
fn a_purview_names_roles_that_are_there() {
    says(
        &errors(&replaced(POLICY, "assigns: [editor, viewer, own]", "assigns: [editor, nobody]")),
        &["`nobody` in `assigns` of role `admin`"],
    );
    says(
        &errors(&replaced(POLICY, "holds_only: [viewer]", "holds_only: [nobody]")),
        &["`nobody` in `holds_only` of role `admin`"],
    );
}

#[test]
fn a_membership_that_rests_on_what_has_ended_holds_nothing() {
    let index = load(
        "sidegate: 1
subject_types: {user: {}}
types:
  org: {root: true}
  room: {parent: org, actions: {hand: {parameters: {target: ref(user)}}}}
roles:
  boss: {at: room, allow: [{on: room, actions: [hand], target: {holds_only: [boss], look: [here]}}]}
  near: {at: room, allow: [{on: room, actions: [hand], within: [target]}]}
  plain: {at: room}
subjects: {user/boss: {}, user/near: {}, user/x: {}, user/y: {}}
resources: {org/o: {}, room/1: {parent: org/o}, room/2: {parent: org/o}, room/3: {parent: org/o}}
bindings:
- {subject: user/boss, role: boss, at: room/1}
- {subject: user/near, role: near, at: room/1}
- {subject: user/x, role: plain, at: room/2, expires: 1970-01-01T00:00:30Z}
- {subject: user/y, role: plain, at: room/2, expires: 1970-01-01T00:00:30Z}
- {subject: user/y, role: plain, at: room/3}
- {subject: members_of(room/2), role: plain, at: room/1}
",
    );
    let hand = |who: &str, target: &str, second: i64| {
        crate::inline::with_parameters(
            &format!("user/{who} hand room/1"),
            &format!("target=@user/{target}"),
            |request| sidegate::decide::authorize(&index, request, crate::inline::at(second)).unwrap().reason,
        )
    };
    assert_eq!(hand("boss", "x", 20), Reason::OutOfPurview);
    assert_eq!(hand("boss", "x", 40), Reason::Granted, "what was held through members_of has ended with it");
    assert_eq!(hand("near", "y", 20), Reason::Granted);
    assert_eq!(hand("near", "y", 40), Reason::OutOfPurview, "and brings nobody near");
}
