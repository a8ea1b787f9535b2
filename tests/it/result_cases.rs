//! Changes and their results: what the facts after a change may not be, and that loading them would say the same.

use sidegate::compile::layout::{HeaderRecord, Section};
use sidegate::decide::{self, GrantError};
use sidegate::index::Index;
use sidegate::model::Reason;
use zerocopy::FromBytes;

use crate::inline::{self, errors, load, reason_with, replaced, says};

const POLICY: &str = r"
sidegate: 1
subject_types: {user: {}, bot: {}}
types:
  org: {root: true, actions: {view: {}}}
  team:
    parent: org
    actions:
      give: {parameters: {target: ref(subject), role: role}, change: grant, result: valid}
      take: {parameters: {target: ref(user)}, change: revoke, result: valid}
      drop: {parameters: {target: ref(user), role: role}, change: revoke, result: valid}
      set: {parameters: {target: ref(user), role: role}, change: replace, result: valid}
      trim: {parameters: {target: ref(user), permissions: list(permission)}, change: customise, result: valid}
      loose: {parameters: {target: ref(user), role: role}, change: grant}
      open: {creates: true, parameters: {target: ref(user), role: role}, change: grant, result: valid}
  room: {parent: team, actions: {view: {}, edit: {}}}
roles:
  root: {at: org, superuser: true}
  boss: {at: org, allow: [{on: team, actions: all, assigns: all}]}
  owner: {at: team, customisable: true, allow: [{on: room, actions: all}, {on: org, actions: all, held_at: [team]}]}
  editor: {at: [org, team], customisable: true, allow: [{on: room, actions: [view]}, {on: org, actions: [view], held_at: org}]}
  lead: {at: room, requires: {held_at: room, on: team, has: [editor], has_no: [viewer]}, allow: [{on: room, actions: all}]}
  viewer: {at: [org, team], holders: user, allow: [{on: room, actions: [view]}]}
exclusive:
  one: {roles: [owner, viewer], at: team}
subjects: {user/boss: {}, user/sys: {}, user/x: {}, bot/x: {}}
resources:
  org/o: {}
  team/t: {parent: org/o}
  room/r: {parent: team/t}
bindings:
- {subject: user/boss, role: boss, at: org/o}
- {subject: user/sys, role: root, at: org/o}
";

const OUT: Reason = Reason::OutOfPurview;

/// The policy with these bindings of `user/x`: role and scope.
fn held(bindings: &[&str]) -> Index {
    let lines = bindings.iter().map(|binding| {
        let (role, rest) = binding.split_once('@').unwrap();
        format!("- {{subject: user/x, role: {role}, at: {rest}}}\n")
    });
    load(&format!("{POLICY}{}", lines.collect::<String>()))
}

fn boss(bindings: &[&str], action: &str, parameters: &str) -> Reason {
    reason_with(&held(bindings), &format!("user/boss {action} team/t"), &format!("target=@user/x {parameters}"))
}

/// What the change would violate.
fn violations(index: &Index, line: &str, parameters: &str) -> String {
    inline::with_parameters(line, parameters, |request| {
        decide::check_grant(index, request, inline::now()).unwrap().violations.join("\n")
    })
}

#[test]
fn a_role_is_given_where_and_to_whom_it_may_be_held() {
    assert_eq!(boss(&[], "give", "role=editor"), Reason::Granted);
    assert_eq!(boss(&[], "give", "role=boss"), OUT);
    let index = held(&[]);
    assert_eq!(reason_with(&index, "user/boss give team/t", "target=@bot/x role=editor"), Reason::Granted);
    assert_eq!(reason_with(&index, "user/boss give team/t", "target=@bot/x role=viewer"), OUT);
    says(&violations(&index, "user/boss give team/t", "target=@user/x role=boss"), &["`boss` is not held at `team/t`"]);
    says(
        &violations(&index, "user/boss give team/t", "target=@bot/x role=viewer"),
        &["`viewer` may not be held by `bot/x`"],
    );
}

#[test]
fn exclusive_roles_are_given_one_at_a_time() {
    assert_eq!(boss(&["owner@team/t"], "give", "role=viewer"), OUT);
    assert_eq!(boss(&["owner@team/t"], "give", "role=owner"), Reason::Granted);
    assert_eq!(boss(&["owner@team/t"], "give", "role=editor"), Reason::Granted);
    assert_eq!(boss(&["owner@team/t"], "set", "role=viewer"), Reason::Granted);
    assert_eq!(boss(&["viewer@org/o"], "give", "role=owner"), Reason::Granted);
    // Loading ignores time, and so does this.
    assert_eq!(boss(&["owner@team/t, expires: 2020-01-01T00:00:00Z"], "give", "role=viewer"), OUT);
    let index = held(&["owner@team/t"]);
    let words = violations(&index, "user/boss give team/t", "target=@user/x role=viewer");
    says(&words, &["`owner` and `viewer` at `team/t`", "`one`"]);
}

#[test]
fn the_result_binds_superusers_too() {
    let index = held(&["owner@team/t"]);
    assert_eq!(reason_with(&index, "user/sys give team/t", "target=@user/x role=editor"), Reason::Granted);
    assert_eq!(reason_with(&index, "user/sys give team/t", "target=@user/x role=viewer"), OUT);
    assert_eq!(reason_with(&index, "user/sys loose team/t", "target=@user/x role=viewer"), Reason::Granted);
}

#[test]
fn taking_a_role_leaves_what_may_be_held() {
    for (action, parameters) in [("take", ""), ("drop", "role=owner"), ("drop", "role=viewer")] {
        assert_eq!(boss(&["owner@team/t", "editor@org/o"], action, parameters), Reason::Granted);
        assert_eq!(boss(&[], action, parameters), Reason::Granted);
    }
}

#[test]
fn what_a_role_rests_on_stays_and_what_it_rules_out_does_not_come() {
    let resting = ["editor@team/t", "lead@room/r"];
    assert_eq!(boss(&resting, "take", ""), OUT);
    assert_eq!(boss(&resting, "drop", "role=editor"), OUT);
    assert_eq!(boss(&resting, "drop", "role=viewer"), Reason::Granted);
    assert_eq!(boss(&resting, "set", "role=owner"), OUT);
    assert_eq!(boss(&resting, "set", "role=editor"), Reason::Granted);
    assert_eq!(boss(&resting, "give", "role=owner"), Reason::Granted);
    assert_eq!(boss(&resting, "give", "role=viewer"), OUT);
    let words = |action: &str, parameters: &str| {
        violations(&held(&resting), &format!("user/boss {action} team/t"), &format!("target=@user/x {parameters}"))
    };
    says(&words("take", ""), &["`lead` at `room/r` rests on a role that would not be held above it"]);
    says(&words("give", "role=viewer"), &["`lead` at `room/r` rules out `viewer`, which would be held at `team/t`"]);
}

#[test]
fn one_own_role_is_customised_within_what_it_gives() {
    let trim = |bindings: &[&str], list: &str| boss(bindings, "trim", &format!("permissions={list}"));
    assert_eq!(trim(&["owner@team/t"], "[room.view]"), Reason::Granted);
    assert_eq!(trim(&["owner@team/t"], "[]"), Reason::Granted);
    assert_eq!(trim(&["owner@team/t"], "[org.view]"), Reason::Granted);
    assert_eq!(trim(&["editor@team/t"], "[room.edit]"), OUT);
    assert_eq!(trim(&["editor@team/t"], "[org.view]"), OUT);
    assert_eq!(trim(&["viewer@team/t"], "[room.view]"), OUT);
    assert_eq!(trim(&[], "[room.view]"), OUT);
    assert_eq!(trim(&["editor@org/o"], "[room.view]"), OUT);
    assert_eq!(trim(&["owner@team/t", "editor@team/t"], "[room.view]"), OUT);
    let words = |bindings: &[&str], list: &str| {
        violations(&held(bindings), "user/boss trim team/t", &format!("target=@user/x permissions={list}"))
    };
    says(
        &words(&["viewer@team/t"], "[room.edit]"),
        &["`viewer` is not customisable", "`viewer` does not give `room.edit`"],
    );
    says(&words(&[], "[room.view]"), &["`user/x` does not hold exactly one role at `team/t`"]);
}

#[test]
fn nothing_is_given_on_what_is_not_there_yet() {
    let index = held(&[]);
    let parent = sidegate::model::Entity { kind: "org", id: "o" };
    let reason = inline::with_parameters("user/boss open team/new", "target=@user/x role=editor", |request| {
        let request = sidegate::model::Request { parent: Some(parent), ..*request };
        decide::authorize(&index, &request, inline::now()).unwrap().reason
    });
    assert_eq!(reason, OUT);
}

#[test]
fn a_grant_is_checked_where_a_change_is_declared() {
    let index = held(&["owner@team/t"]);
    let check = |line: &str, parameters: &str| {
        inline::with_parameters(line, parameters, |request| decide::check_grant(&index, request, inline::now()))
    };
    let good = check("user/boss give team/t", "target=@user/x role=editor").unwrap();
    assert!(good.verdict.is_allow() && good.violations.is_empty());
    // Who may not, learns what would be wrong besides; what does not demand a valid result, says it all the same.
    let nobody = check("user/x give team/t", "target=@user/x role=viewer").unwrap();
    assert_eq!((nobody.verdict.reason, nobody.violations.len()), (Reason::NoGrant, 1));
    let loose = check("user/boss loose team/t", "target=@user/x role=viewer").unwrap();
    assert_eq!((loose.verdict.reason, loose.violations.len()), (Reason::Granted, 1));
    let unknown = check("user/boss give team/t", "target=@user/x role=nobody").unwrap();
    assert_eq!((unknown.verdict.reason, unknown.violations.len()), (Reason::UnknownParameter, 0));
    assert_eq!(check("user/boss fly team/t", "").unwrap().verdict.reason, Reason::UnknownAction);
    let wrong = check("user/boss view room/r", "").unwrap_err();
    assert!(matches!(&wrong, GrantError::NoChange { kind, action } if kind == "room" && action == "view"));
    says(&wrong.to_string(), &["action `view` of `room` declares no change of facts"]);
    assert!(matches!(
        check(&format!("user/boss give team/{}", "x".repeat(2_000)), "").unwrap_err(),
        GrantError::Malformed(_)
    ));
}

#[test]
fn an_explanation_says_what_the_result_would_violate() {
    let index = held(&["owner@team/t"]);
    let summary = inline::with_parameters("user/boss give team/t", "target=@user/x role=viewer", |request| {
        decide::explain(&index, request, inline::now()).unwrap().summary
    });
    says(&summary, &["could not be loaded", "`owner` and `viewer` at `team/t`"]);
}

#[test]
fn a_change_has_the_parameters_that_it_needs() {
    let change = |old: &str, new: &str| errors(&replaced(POLICY, old, new));
    let report = change(
        "give: {parameters: {target: ref(subject), role: role}",
        "give: {parameters: {target: ref(room), role: role}",
    );
    says(&report, &["action `give` of `team`", "no parameter that refers to a subject"]);
    let report = change(
        "give: {parameters: {target: ref(subject), role: role}",
        "give: {parameters: {target: ref(user), by: ref(bot), role: role}",
    );
    says(&report, &["action `give` of `team`", "more than one parameter that refers to a subject"]);
    let report = change(
        "set: {parameters: {target: ref(user), role: role}",
        "set: {parameters: {target: ref(user), roles: list(role)}",
    );
    says(&report, &["action `set` of `team`", "no parameter of type `role`", "`change: replace` needs one"]);
    let report = change("permissions: list(permission)", "permissions: permission");
    says(&report, &["action `trim` of `team`", "no parameter of type `list(permission)`"]);
    let report = change("view: {}", "view: {result: valid}");
    says(&report, &["action `view` of `org` demands a valid result, but changes nothing"]);
}

#[test]
fn a_list_out_of_order_is_refused_on_opening() {
    let index = held(&[]);
    let mut bytes = index.bytes().to_vec();
    let (header, _) = HeaderRecord::ref_from_prefix(&bytes).unwrap();
    let place = header.sections[Section::RoleLists as usize];
    let start = usize::try_from(place.start.get()).unwrap();
    // The roles of which only one is held: out of order, a search would not find the one that a target holds.
    assert_eq!(place.length.get(), 8);
    bytes[start..start + 8].rotate_left(4);
    let refused = Index::open(bytes).unwrap_err().to_string();
    assert_eq!(refused, "the compiled snapshot is damaged: roles");
}
