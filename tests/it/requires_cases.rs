//! Raise-only roles as their rules are written, one case a rule.

use sidegate::decide;
use sidegate::index::Index;
use sidegate::model::Reason;

use crate::inline::{accepted, asked_at, at, errors, load, reason_with, says, with_parameters};

const POLICY: &str = r"
sidegate: 1
subject_types: {user: {}}
group_types: {team: {members: [user, team]}}
types:
  org: {root: true, actions: [view]}
  ws: {parent: org, actions: [view]}
  bot: {parent: ws, actions: [view, edit]}
roles:
  owner: {at: org, allow: [{on: [org, ws, bot], actions: [view]}]}
  admin: {at: [org, ws], allow: [{on: [ws, bot], actions: [view]}]}
  viewer: {at: ws, allow: [{on: [ws, bot], actions: [view]}]}
  billing: {at: [ws, bot], allow: [{on: ws, actions: [view]}]}
  editor:
    at: [ws, bot]
    allow: [{on: bot, actions: [view, edit]}]
    requires: {held_at: bot, on: ws, has: [viewer, t], has_no: [owner, admin, editor]}
role_templates:
  t: {defined_at: org, at: ws, may: {on: ws, actions: [view]}}
  raise: {defined_at: org, at: bot, may: {on: bot, actions: [view, edit]}, requires: {held_at: bot, on: ws, has: viewer}}
subjects: {user/a: {}, user/b: {}}
resources: {org/o: {}, ws/1: {parent: org/o}, ws/2: {parent: org/o}, bot/1: {parent: ws/1}, bot/2: {parent: ws/2}}
defined_roles: {org/o: {t/x: {ws: {actions: [view]}}, raise/y: {bot: {actions: [edit]}}}}
";

const EDITOR: &str = "{subject: user/a, role: editor, at: bot/1}";
const VIEWER: &str = "{subject: user/a, role: viewer, at: ws/1}";

fn text(groups: &str, bindings: &[&str]) -> String {
    format!("{POLICY}groups: {{{groups}}}\nbindings: [{}]\n", bindings.join(", "))
}

fn with(groups: &str, bindings: &[&str]) -> Index {
    load(&text(groups, bindings))
}

fn refused(groups: &str, bindings: &[&str]) -> String {
    errors(&text(groups, bindings))
}

fn edits(index: &Index, second: i64) -> Reason {
    asked_at(index, "user/a", "edit", "bot/1", second).reason
}

#[test]
fn a_role_that_only_raises_rests_on_another() {
    assert_eq!(edits(&with("", &[EDITOR, VIEWER]), 0), Reason::Granted);
    says(
        &refused("", &[EDITOR]),
        &["binding of `user/a` to role `editor` at `bot/1`", "`user/a` holds none of `t`, `viewer` on `ws/1`"],
    );
    says(&refused("", &[EDITOR, "{subject: user/a, role: viewer, at: ws/2}"]), &["holds none of"]);
    says(&refused("", &[EDITOR, "{subject: user/a, role: billing, at: ws/1}"]), &["holds none of"]);
    says(&refused("", &[EDITOR, "{subject: user/b, role: viewer, at: ws/1}"]), &["holds none of"]);
    // All roles of a template are meant.
    assert_eq!(edits(&with("", &[EDITOR, "{subject: user/a, role: t/x, at: ws/1}"]), 0), Reason::Granted);
}

#[test]
fn it_counts_where_the_role_is_held() {
    accepted(&refused("", &["{subject: user/a, role: editor, at: ws/1}"]));
    accepted(&refused("", &["{subject: user/a, role: editor, at: ws/1}", "{subject: user/a, role: owner, at: org/o}"]));
}

#[test]
fn what_it_rules_out_is_looked_for_there_and_above() {
    for (other, role, scope) in [
        ("{subject: user/a, role: owner, at: org/o}", "owner", "org/o"),
        ("{subject: user/a, role: admin, at: org/o}", "admin", "org/o"),
        ("{subject: user/a, role: admin, at: ws/1}", "admin", "ws/1"),
        ("{subject: user/a, role: editor, at: ws/1, disabled: true}", "editor", "ws/1"),
        ("{subject: user/a, role: admin, at: ws/1, expires: 1970-01-01T00:00:00Z}", "admin", "ws/1"),
    ] {
        let report = refused("", &[EDITOR, VIEWER, other]);
        says(&report, &["user/a", "bot/1", &format!("holds `{role}` on `{scope}`, which rules it out")]);
    }
    accepted(&refused("", &[EDITOR, VIEWER, "{subject: user/a, role: admin, at: ws/2}"]));
    let out = "team/t: {members: user/a, disabled: true}";
    let report = refused(out, &[EDITOR, VIEWER, "{subject: team/t, role: admin, at: ws/1}"]);
    says(&report, &["`user/a` holds `admin` (through `team/t`) on `ws/1`"]);
    let report = refused("", &[EDITOR, VIEWER, "{subject: members_of(bot/1), role: admin, at: ws/1}"]);
    says(&report, &["`user/a` holds `admin` (through `members_of(bot/1)`) on `ws/1`"]);
}

#[test]
fn the_base_must_be_in_force_at_that_moment() {
    let ends = "{subject: user/a, role: viewer, at: ws/1, expires: 1970-01-01T00:00:10Z}";
    let index = with("", &[EDITOR, ends]);
    assert_eq!(edits(&index, 9), Reason::Granted);
    assert_eq!(edits(&index, 10), Reason::Expired);
    // Another base takes over.
    let index = with("", &[EDITOR, ends, "{subject: user/a, role: t/x, at: ws/1}"]);
    assert_eq!(edits(&index, 10), Reason::Granted);
    let index = with("", &["{subject: user/a, role: raise/y, at: bot/1}", ends]);
    assert_eq!((edits(&index, 9), edits(&index, 10)), (Reason::Granted, Reason::Expired));
}

#[test]
fn a_base_may_be_held_through_a_group_that_is_live() {
    let team = "{subject: team/t, role: viewer, at: ws/1}";
    assert_eq!(edits(&with("team/t: {members: user/a}", &[EDITOR, team]), 0), Reason::Granted);
    assert_eq!(edits(&with("", &[EDITOR, "{subject: all(user), role: viewer, at: ws/1}"]), 0), Reason::Granted);
    says(&refused("team/t: {members: user/a, disabled: true}", &[EDITOR, team]), &["`user/a` holds none of"]);
    let members = "{subject: members_of(bot/1), role: viewer, at: ws/1}";
    says(&refused("", &[EDITOR, members]), &["`user/a` holds none of"]);
    let off = "{subject: user/a, role: viewer, at: ws/1, disabled: true}";
    says(&refused("", &[EDITOR, off]), &["`user/a` holds none of"]);
}

#[test]
fn every_member_of_a_group_that_holds_it_is_looked_at() {
    let team = "{subject: team/t, role: editor, at: bot/1}";
    let groups = "team/t: {members: [user/a, user/b]}";
    says(
        &refused(groups, &[team, VIEWER]),
        &["binding of `team/t` to role `editor` at `bot/1`", "`user/b` holds none of"],
    );
    let index = with(groups, &[team, "{subject: all(user), role: viewer, at: ws/1}"]);
    assert_eq!(edits(&index, 0), Reason::Granted);
}

#[test]
fn membership_rests_on_what_is_in_force_too() {
    let index = with(
        "",
        &[
            EDITOR,
            "{subject: user/a, role: viewer, at: ws/1, expires: 1970-01-01T00:00:10Z}",
            "{subject: members_of(bot/1), role: viewer, at: ws/2}",
        ],
    );
    let views = |second| asked_at(&index, "user/a", "view", "bot/2", second).reason;
    assert_eq!((views(9), views(10)), (Reason::Granted, Reason::Expired));
}

#[test]
fn requirements_that_cannot_be_met_or_lead_on_are_refused() {
    let replaced = |old: &str, new: &str| {
        assert!(POLICY.contains(old), "{old}");
        errors(&POLICY.replacen(old, new, 1))
    };
    let old = "{held_at: bot, on: ws, has: [viewer, t], has_no: [owner, admin, editor]}";
    says(&replaced(old, "{held_at: org, on: ws, has: viewer}"), &["`editor` is never held at `org`"]);
    says(&replaced(old, "{held_at: ws, on: bot, has: viewer}"), &["no `bot` stands above a `ws`"]);
    says(
        &replaced(old, "{held_at: bot, on: ws, has: nobody}"),
        &["`nobody` in the requirements of `editor` is no role"],
    );
    says(&replaced(old, "{held_at: bot, on: ws}"), &["a requirement needs `has`, `has_no` or both"]);
    let chained = replaced(
        "  billing: {at: [ws, bot],",
        "  billing: {requires: {held_at: bot, on: ws, has: editor}, at: [ws, bot],",
    );
    accepted(&chained);
    let chained = replaced("  viewer: {at: ws,", "  viewer: {requires: {held_at: ws, on: org, has: owner}, at: ws,");
    says(&chained, &["`viewer`, held on `ws`, itself has requirements there"]);
}

/// The policy with actions that change who holds what, and somebody who may do them.
fn administered(bindings: &[&str]) -> Index {
    let change =
        |kind: &str| format!("{{parameters: {{target: ref(user), role: role}}, change: {kind}, result: valid}}");
    let (give, take) = (change("grant"), change("revoke"));
    let text = text("", bindings)
        .replacen(
            "bot: {parent: ws, actions: [view, edit]}",
            &format!("bot: {{parent: ws, actions: {{view: {{}}, edit: {{}}, give: {give}}}}}"),
            1,
        )
        .replacen(
            "ws: {parent: org, actions: [view]}",
            &format!("ws: {{parent: org, actions: {{view: {{}}, give: {give}, take: {take}}}}}"),
            1,
        )
        .replacen("roles:\n", "roles:\n  root: {at: org, superuser: true}\n", 1);
    load(&text.replacen("bindings: [", "bindings: [{subject: user/b, role: root, at: org/o}, ", 1))
}

fn changed(bindings: &[&str], line: &str, role: &str) -> Reason {
    reason_with(&administered(bindings), &format!("user/b {line}"), &format!("target=@user/a role={role}"))
}

#[test]
fn a_change_neither_raises_without_a_base_nor_takes_one_away() {
    const OUT: Reason = Reason::OutOfPurview;
    assert_eq!(changed(&[VIEWER], "give bot/1", "editor"), Reason::Granted);
    assert_eq!(changed(&[], "give bot/1", "editor"), OUT);
    assert_eq!(changed(&["{subject: user/a, role: viewer, at: ws/2}"], "give bot/1", "editor"), OUT);
    // What is ruled out, whichever comes first.
    assert_eq!(changed(&[VIEWER, "{subject: user/a, role: admin, at: org/o}"], "give bot/1", "editor"), OUT);
    assert_eq!(changed(&[VIEWER, EDITOR], "give ws/1", "admin"), OUT);
    assert_eq!(changed(&[VIEWER, EDITOR], "give ws/1", "billing"), Reason::Granted);
    assert_eq!(changed(&[VIEWER, EDITOR], "give ws/2", "admin"), Reason::Granted);
    // The base goes.
    assert_eq!(changed(&[VIEWER, EDITOR], "take ws/1", "viewer"), OUT);
    assert_eq!(changed(&[VIEWER], "take ws/1", "viewer"), Reason::Granted);
    let other = "{subject: all(user), role: t/x, at: ws/1}";
    assert_eq!(changed(&[VIEWER, EDITOR, other], "take ws/1", "viewer"), Reason::Granted);
}

#[test]
fn what_a_change_would_violate_is_told_in_words() {
    let told = |bindings: &[&str], line: &str, role: &str| {
        with_parameters(&format!("user/b {line}"), &format!("target=@user/a role={role}"), |request| {
            decide::check_grant(&administered(bindings), request, at(0)).unwrap().violations.join("\n")
        })
    };
    says(&told(&[], "give bot/1", "editor"), &["`editor` at `bot/1` rests on a role that would not be held above it"]);
    says(
        &told(&[VIEWER, EDITOR], "give ws/1", "admin"),
        &["`editor` at `bot/1` rules out `admin`, which would be held at `ws/1`"],
    );
}
