//! Groups, `all(...)`, `members_of(...)` and holders as their rules are written, one case a rule.

use std::fmt::Write;

use sidegate::decide;
use sidegate::index::Index;
use sidegate::model::{Because, Decision, Reason};

use crate::inline::{accepted, asked_at, at, errors, load, request, says};

const POLICY: &str = r"
sidegate: 1
subject_types: {user: {attributes: {kind: {type: enum, values: [staff, guest]}, age: {type: int, default: 7}}}, bot: {}}
group_types: {team: {members: [user, bot, team]}, crew: {members: [user]}}
types:
  org: {root: true, actions: [view, edit]}
  ws: {parent: org, actions: [view, edit]}
  doc: {parent: ws, actions: [view, edit]}
roles:
  viewer: {at: [org, ws, doc], allow: [{on: [org, ws, doc], actions: [view]}]}
  editor: {at: [org, ws], allow: [{on: [ws, doc], actions: all}]}
  staff: {at: ws, holders: [team, {type: user, where: {kind: staff}}], allow: [{on: ws, actions: all}]}
  seven: {at: ws, holders: {type: user, where: {age: [7, 8]}}, allow: [{on: ws, actions: all}]}
  users: {at: ws, holders: user, allow: [{on: ws, actions: all}]}
  crews: {at: ws, holders: crew, allow: [{on: ws, actions: all}]}
exclusive: {one: {roles: [viewer, editor], at: ws}}
subjects:
  user/a: {attributes: {kind: staff}}
  user/b: {attributes: {kind: guest}}
  user/c: {attributes: {age: 9}}
  bot/r: {}
resources: {org/o: {}, ws/1: {parent: org/o}, ws/2: {parent: org/o}, doc/1: {parent: ws/1}, doc/2: {parent: ws/2}}
";

fn text(groups: &str, bindings: &str) -> String {
    format!("{POLICY}groups: {{{groups}}}\nbindings: [{bindings}]\n")
}

fn with(groups: &str, bindings: &str) -> Index {
    load(&text(groups, bindings))
}

fn refused(groups: &str, bindings: &str) -> String {
    errors(&text(groups, bindings))
}

fn reason(index: &Index, subject: &str, action: &str, resource: &str) -> Reason {
    asked_at(index, subject, action, resource, 0).reason
}

#[test]
fn a_member_has_what_its_groups_hold() {
    let groups = "team/in: {members: [user/a, bot/r]}, team/out: {members: [team/in, user/b]}";
    let index = with(groups, "{subject: team/out, role: viewer, at: ws/1}, {subject: team/in, role: editor, at: ws/2}");
    for subject in ["user/a", "user/b", "bot/r"] {
        assert_eq!(reason(&index, subject, "view", "doc/1"), Reason::Granted, "{subject}");
    }
    assert_eq!(reason(&index, "user/c", "view", "doc/1"), Reason::NoGrant);
    assert_eq!(reason(&index, "user/a", "edit", "doc/2"), Reason::Granted);
    assert_eq!(reason(&index, "user/b", "edit", "doc/2"), Reason::NoGrant);
}

#[test]
fn a_group_neither_asks_nor_is_asked_about() {
    let index = with("team/t: {members: user/a}", "{subject: all(user), role: viewer, at: org/o}");
    for subject in ["team/t", "all/user", "members_of/ws/1"] {
        assert_eq!(reason(&index, subject, "view", "ws/1"), Reason::UnknownSubject, "{subject}");
    }
    for resource in ["team/t", "all/user", "user/a"] {
        assert_eq!(reason(&index, "user/a", "view", resource), Reason::UnknownType, "{resource}");
    }
    let counts = index.counts();
    assert_eq!((counts.types, counts.subjects, counts.resources), (3, 4, 5));
}

#[test]
fn a_group_passes_on_while_some_enabled_chain_leads_to_it() {
    let groups = "team/top: {members: [team/left, team/right]}, team/left: {members: user/a, disabled: true}, \
                  team/right: {members: [user/a, user/b], disabled: false}";
    let top = "{subject: team/top, role: viewer, at: ws/1}";
    let index = with(groups, top);
    assert_eq!(reason(&index, "user/a", "view", "ws/1"), Reason::Granted);
    let index = with(&groups.replace("disabled: false", "disabled: true"), top);
    assert_eq!(reason(&index, "user/a", "view", "ws/1"), Reason::Expired);
    assert_eq!(reason(&index, "user/b", "view", "ws/1"), Reason::Expired);
    let index = with("team/t: {members: user/a, disabled: true}", "{subject: team/t, role: viewer, at: ws/1}");
    let verdict = asked_at(&index, "user/a", "view", "ws/1", 0);
    assert_eq!((verdict.decision, verdict.reason), (Decision::Deny, Reason::Expired));
    assert_eq!(index.rule_id(verdict.because).as_deref(), Some("roles/viewer/ws.view"));
}

#[test]
fn what_hangs_on_a_binding_belongs_to_that_binding() {
    let groups = "team/t: {members: user/a}";
    let index = with(groups, "{subject: team/t, role: viewer, at: ws/1, expires: 1970-01-01T00:01:00Z}");
    assert_eq!(asked_at(&index, "user/a", "view", "ws/1", 59).reason, Reason::Granted);
    assert_eq!(asked_at(&index, "user/a", "view", "ws/1", 60).reason, Reason::Expired);
    let own = "{subject: user/a, role: viewer, at: ws/1, expires: 1970-01-01T00:01:00Z}";
    let index = with(groups, &format!("{own}, {{subject: team/t, role: viewer, at: ws/1}}"));
    assert_eq!(asked_at(&index, "user/a", "view", "ws/1", 60).reason, Reason::Granted);
}

#[test]
fn who_holds_it_does_not_matter_for_what_is_named() {
    let rule = |bindings: &str| {
        let index = with("team/t: {members: user/a}", bindings);
        let verdict = asked_at(&index, "user/a", "view", "doc/1", 0);
        assert!(verdict.is_allow());
        assert!(matches!(verdict.because, Because::Rule { .. }));
        index.rule_id(verdict.because).unwrap()
    };
    // The nearest scope first, then the smallest id, whoever holds it.
    assert_eq!(
        rule("{subject: team/t, role: viewer, at: org/o}, {subject: user/a, role: editor, at: org/o}"),
        "roles/editor/doc.view"
    );
    assert_eq!(
        rule("{subject: user/a, role: viewer, at: org/o}, {subject: team/t, role: editor, at: org/o}"),
        "roles/editor/doc.view"
    );
    assert_eq!(
        rule("{subject: team/t, role: viewer, at: doc/1}, {subject: user/a, role: editor, at: org/o}"),
        "roles/viewer/doc.view"
    );
}

#[test]
fn all_is_every_subject_of_a_type() {
    let index = with("", "{subject: all(user), role: viewer, at: ws/1}");
    for subject in ["user/a", "user/b", "user/c"] {
        assert_eq!(reason(&index, subject, "view", "doc/1"), Reason::Granted, "{subject}");
    }
    assert_eq!(reason(&index, "bot/r", "view", "doc/1"), Reason::NoGrant);
}

#[test]
fn members_of_is_whoever_holds_something_at_exactly_that_scope() {
    let members = "{subject: members_of(ws/1), role: viewer, at: ws/2}";
    let index = with(
        "team/t: {members: user/b}",
        &format!(
            "{members}, {{subject: user/a, role: viewer, at: ws/1}}, {{subject: team/t, role: viewer, at: ws/1}}, \
         {{subject: user/c, role: viewer, at: doc/1}}, {{subject: bot/r, role: viewer, at: org/o}}"
        ),
    );
    assert_eq!(reason(&index, "user/a", "view", "doc/2"), Reason::Granted);
    assert_eq!(reason(&index, "user/b", "view", "doc/2"), Reason::Granted);
    assert_eq!(reason(&index, "user/c", "view", "doc/2"), Reason::NoGrant);
    let explained = request("user/a view doc/2", &[], |it| decide::explain(&index, it, at(0))).unwrap();
    assert!(explained.summary.contains("(through `members_of(ws/1)`)"), "{}", explained.summary);
}

#[test]
fn members_of_does_not_count_all_nor_members_of() {
    let index = with(
        "",
        "{subject: all(user), role: viewer, at: ws/1}, {subject: members_of(ws/1), role: viewer, at: ws/2}, \
         {subject: members_of(ws/2), role: viewer, at: org/o}, {subject: user/a, role: viewer, at: ws/1}",
    );
    assert_eq!(reason(&index, "user/b", "view", "ws/1"), Reason::Granted);
    assert_eq!(reason(&index, "user/b", "view", "ws/2"), Reason::NoGrant);
    assert_eq!(reason(&index, "user/a", "view", "ws/2"), Reason::Granted);
    assert_eq!(reason(&index, "user/a", "view", "org/o"), Reason::NoGrant);
}

#[test]
fn members_of_ends_with_the_last_binding_in_force() {
    let members = "{subject: members_of(ws/1), role: viewer, at: ws/2}";
    let ends = |second: u32| format!("expires: 1970-01-01T00:00:{second:02}Z");
    let index = with(
        "team/t: {members: user/a}",
        &format!(
            "{members}, {{subject: user/a, role: viewer, at: ws/1, {}}}, {{subject: team/t, role: viewer, at: ws/1, {}}}",
            ends(10),
            ends(20)
        ),
    );
    assert_eq!(asked_at(&index, "user/a", "view", "ws/2", 19).reason, Reason::Granted);
    assert_eq!(asked_at(&index, "user/a", "view", "ws/2", 20).reason, Reason::Expired);
    let index = with("", &format!("{members}, {{subject: user/a, role: viewer, at: ws/1, disabled: true}}"));
    assert_eq!(reason(&index, "user/a", "view", "ws/2"), Reason::Expired);
    let off = "team/t: {members: user/a, disabled: true}";
    let index = with(off, &format!("{members}, {{subject: team/t, role: viewer, at: ws/1}}"));
    assert_eq!(reason(&index, "user/a", "view", "ws/2"), Reason::Expired);
}

#[test]
fn forbids_and_blocks_bind_all_members_of_a_group_live_or_not() {
    let base = text(
        "team/in: {members: user/a, disabled: true}, team/out: {members: team/in}",
        "{subject: all(user), role: viewer, at: org/o}, {subject: bot/r, role: viewer, at: org/o}",
    );
    let reason = |extra: &str, subject: &str, resource: &str| {
        asked_at(&load(&format!("{base}{extra}")), subject, "view", resource, 0).reason
    };
    let block = "blocks: {stop: {subject: team/out, at: ws/1, actions: all}}\n";
    assert_eq!(reason(block, "user/a", "doc/1"), Reason::Forbidden);
    assert_eq!(reason(block, "user/a", "doc/2"), Reason::Granted);
    assert_eq!(reason(block, "user/b", "doc/1"), Reason::Granted);
    let forbid = "forbids: {stop: {subjects: [all(user), team/in], actions: all}}\n";
    assert_eq!(reason(forbid, "user/b", "doc/1"), Reason::Forbidden);
    assert_eq!(reason(forbid, "bot/r", "doc/1"), Reason::Granted);
    let report = errors(&format!("{base}blocks: {{stop: {{subject: members_of(ws/1), actions: all}}}}\n"));
    says(&report, &["block `stop`", "`members_of(ws/1)` cannot be forbidden"]);
    let report = errors(&format!("{base}blocks: {{stop: {{subject: all(ws), actions: all}}}}\n"));
    says(&report, &["block `stop`", "`ws` is no subject type"]);
}

#[test]
fn a_disabled_group_is_named_by_an_explanation() {
    let index = with("team/t: {members: user/a, disabled: true}", "{subject: team/t, role: viewer, at: ws/1}");
    let explained = request("user/a view ws/1", &[], |it| decide::explain(&index, it, at(0))).unwrap();
    assert!(explained.summary.contains("(through `team/t`)"), "{}", explained.summary);
}

#[test]
fn members_are_of_the_types_that_the_group_type_names() {
    says(&refused("crew/c: {members: bot/r}", ""), &["group `crew/c`", "`bot/r` cannot be a member", "`user` can"]);
    says(&refused("crew/c: {members: team/t}, team/t: {}", ""), &["`team/t` cannot be a member"]);
    says(&refused("team/t: {members: user/nobody}", ""), &["group `team/t`", "`user/nobody` is not in this snapshot"]);
    says(&refused("ws/1: {members: user/a}", ""), &["`ws` is no group type"]);
    let policy = POLICY.replacen("members: [user]", "members: [user, ws]", 1);
    says(&errors(&policy), &["group type `crew`", "`ws` is no subject type and no group type"]);
}

#[test]
fn groups_do_not_contain_themselves() {
    says(&refused("team/t: {members: team/t}", ""), &["group `team/t` is inside itself", "team/t → team/t"]);
    let ring = "team/x: {members: team/y}, team/y: {members: team/z}, team/z: {members: [team/x, user/a]}";
    says(&refused(ring, ""), &["is inside itself", "team/x", "team/y", "team/z"]);
    assert_eq!(refused(ring, "").matches("is inside itself").count(), 1);
}

fn chain(length: usize, last: &str) -> String {
    let mut groups = String::new();
    for at in 1..length {
        write!(groups, "team/n{at:06}: {{members: team/n{:06}}}, ", at + 1).unwrap();
    }
    write!(groups, "team/n{length:06}: {{members: {last}}}").unwrap();
    groups
}

#[test]
fn nesting_is_capped_at_sixteen_groups() {
    let top = "{subject: team/n000001, role: viewer, at: ws/1}";
    let index = with(&chain(16, "user/a"), top);
    assert_eq!(reason(&index, "user/a", "view", "ws/1"), Reason::Granted);
    says(&refused(&chain(17, "user/a"), top), &["nested more than 16 deep", "team/n000017 → team/n000016"]);
}

#[test]
fn long_chains_rings_and_diamonds_are_refused_or_bounded() {
    says(&refused(&chain(100_000, "user/a"), ""), &["nested more than 16 deep"]);
    says(&refused(&chain(100_000, "team/n000001"), ""), &["is inside itself", "→ …"]);
    // 2^14 ways lead from the bottom to the top.
    let mut groups = String::from("team/l0a: {members: user/a}, team/l0b: {members: user/a}");
    for level in 1..16 {
        for side in ["a", "b"] {
            let below = level - 1;
            write!(groups, ", team/l{level}{side}: {{members: [team/l{below}a, team/l{below}b]}}").unwrap();
        }
    }
    let index = with(&groups, "{subject: team/l15a, role: viewer, at: ws/1}");
    assert_eq!(reason(&index, "user/a", "view", "ws/1"), Reason::Granted);
}

#[test]
fn a_subject_is_in_a_thousand_groups_at_most() {
    let many = |count: usize| {
        let groups: Vec<String> = (0..count).map(|at| format!("crew/g{at}: {{members: user/a}}")).collect();
        refused(&groups.join(", "), "")
    };
    accepted(&many(1_000));
    says(&many(1_001), &["`user/a` is in more than 1000 groups"]);
}

#[test]
fn holders_say_who_has_a_role_in_the_end_and_which_groups_carry_it() {
    let held = |groups: &str, subject: &str, role: &str| {
        refused(groups, &format!("{{subject: {subject}, role: {role}, at: ws/1}}"))
    };
    accepted(&held("", "user/a", "staff"));
    accepted(&held("", "user/b", "seven"));
    accepted(&held("", "all(bot)", "viewer"));
    let all = &["user/b", "staff", "ws/1", "held by `user` with `kind` `staff`, `team`"];
    says(&held("", "user/b", "staff"), all);
    says(&held("", "user/c", "staff"), &["binding of `user/c` to role `staff`"]);
    says(&held("", "user/c", "seven"), &["`age` `7` or `8`"]);
    accepted(&held("team/t: {members: user/a}", "team/t", "staff"));
    says(
        &held("team/in: {members: [user/b, bot/r]}, team/t: {members: [user/a, team/in]}", "team/t", "staff"),
        &["binding of `team/t` to role `staff` at `ws/1`", "through it", "`user/b`", "`bot/r`", "would hold"],
    );
    says(&held("crew/c: {members: user/a}", "crew/c", "staff"), &["crew/c", "staff", "held by"]);
    says(&held("team/t: {members: user/a}", "team/t", "users"), &["team/t", "users", "held by `user`"]);
    accepted(&held("", "all(user)", "users"));
    says(&held("", "all(bot)", "users"), &["all(bot)", "`bot/r` would hold"]);
    says(&held("", "all(user)", "staff"), &["all(user)", "`user/b` and `user/c` would hold"]);
    accepted(&held("crew/c: {members: user/a}", "crew/c", "crews"));
    says(&held("", "user/a", "crews"), &["user/a", "crews", "held by `crew`"]);
    says(&held("", "all(user)", "crews"), &["all(user)", "held by `crew`"]);
}

#[test]
fn members_of_are_checked_like_everybody_else() {
    let bindings = "{subject: members_of(ws/1), role: users, at: ws/2}, {subject: bot/r, role: viewer, at: ws/1}";
    says(&refused("", bindings), &["members_of(ws/1)", "users", "ws/2", "`bot/r` would hold"]);
}

#[test]
fn where_looks_at_what_the_snapshot_alone_supplies() {
    let replaced = |old: &str, new: &str| errors(&POLICY.replacen(old, new, 1));
    says(&replaced("age: [7, 8]", "size: 7"), &["role `seven`", "`user` has no attribute `size`"]);
    says(&replaced("age: [7, 8]", "age: old"), &["role `seven`", "`age`", "old"]);
    says(&replaced("age: {type: int, default: 7}", "age: {type: int, from: request}"), &["`where` cannot look at"]);
    says(&replaced("[team, {type: user", "[{type: team"), &["takes no `where`"]);
    says(&replaced("holders: crew", "holders: ws"), &["role `crews`", "`ws` is no subject type and no group type"]);
}

#[test]
fn exclusive_roles_count_what_groups_hold() {
    let own = "{subject: user/a, role: viewer, at: ws/1}";
    let team = "{subject: team/t, role: editor, at: ws/1}";
    let groups = "team/t: {members: user/a, disabled: true}, crew/c: {members: user/a}";
    let report = refused(groups, &format!("{own}, {team}"));
    says(&report, &["`user/a` holds `editor` (through `team/t`) and `viewer` on `ws/1`", "`one`"]);
    let report = refused(groups, &format!("{{subject: crew/c, role: viewer, at: ws/1}}, {team}"));
    says(&report, &["`user/a` holds `editor` (through `team/t`) and `viewer` (through `crew/c`) on `ws/1`"]);
    let report = refused(groups, &format!("{{subject: team/t, role: viewer, at: ws/1}}, {team}"));
    says(&report, &["`team/t` holds `editor` and `viewer`"]);
    let report = refused(groups, &format!("{{subject: all(user), role: viewer, at: ws/1}}, {team}"));
    says(&report, &["`user/a`", "(through `all(user)`)", "(through `team/t`)"]);
    accepted(&refused(groups, &format!("{{subject: user/b, role: viewer, at: ws/1}}, {team}")));
    accepted(&refused(groups, &format!("{{subject: user/a, role: editor, at: ws/1}}, {team}")));
    accepted(&refused(groups, &format!("{{subject: user/a, role: viewer, at: ws/2}}, {team}")));
}

#[test]
fn built_in_groups_are_written_in_their_own_form() {
    let both = "{subject: all(user), role: viewer, at: org/o}, {subject: all/user, role: viewer, at: ws/2}";
    says(&refused("", both), &["`all/user` is written `all(...)`"]);
    says(&refused("", "{subject: all(team), role: viewer, at: ws/1}"), &["`team` is no subject type"]);
    says(&refused("", "{subject: members_of(ws/9), role: viewer, at: ws/1}"), &["`ws/9` is not in this snapshot"]);
    says(&refused("", "{subject: members_of(user/a), role: viewer, at: ws/1}"), &["`user/a` is no scope"]);
    says(&refused("team/all: {members: all/user}", both), &["`all/user` cannot be a member"]);
}

#[test]
fn references_name_no_group() {
    let policy =
        POLICY.replacen("actions: [view, edit]}", "actions: {view: {parameters: {who: ref(team)}}, edit: {}}}", 1);
    says(&errors(&policy), &["`ref(team)` names no type that has entities"]);
}
