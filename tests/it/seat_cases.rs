//! Seats and listed levels as their rules are written, one case a rule.

use sidegate::decide::{self, CountError, GovernorLevel, LevelsError};
use sidegate::index::Index;
use sidegate::model::Entity;

use crate::inline::{at, errors, load, says};

const POLICY: &str = r"
sidegate: 1
levels: [none, read, edit]
governors: {a: [x], b: []}
subject_types: {user: {}, bot: {}}
group_types: {team: {members: [user, bot, team]}}
types:
  org: {root: true, actions: [view]}
  ws: {parent: org, actions: [view]}
  doc: {parent: ws, actions: [view]}
roles:
  owner: {at: org, allow: [{on: [org, ws, doc], actions: all}]}
  admin: {at: ws, levels: edit, allow: [{on: [ws, doc], actions: all}]}
  editor: {at: [ws, doc], levels: per_binding, allow: [{on: [ws, doc], actions: all}]}
  viewer: {at: [org, ws, doc], levels: read, allow: [{on: [ws, doc], actions: all}]}
  root: {at: org, superuser: true}
role_templates: {own: {defined_at: org, at: ws, may: {on: ws, actions: all}}}
seats:
  editor:
    per: ws
    subjects: [user]
    who:
      - {roles: [owner], held: [ancestors]}
      - {roles: [admin, editor, own], held: [self]}
      - {roles: [editor], held: [descendants]}
  anybody: {per: [ws, doc], who: {roles: [viewer], held: [self]}}
subjects: {user/a: {}, user/b: {}, user/c: {}, user/off: {disabled: true}, bot/r: {}}
resources:
  org/o: {}
  org/p: {}
  ws/1: {parent: org/o}
  ws/2: {parent: org/o}
  ws/3: {parent: org/p}
  doc/1: {parent: ws/1}
  doc/2: {parent: ws/2}
defined_roles: {org/o: {own/k: {ws: {actions: [view]}}}}
";

fn with(groups: &str, bindings: &[(&str, &str, &str)]) -> Index {
    let lines: Vec<_> = bindings
        .iter()
        .map(|(subject, role, rest)| format!("{{subject: {subject}, role: {role}, at: {rest}}}"))
        .collect();
    load(&format!("{POLICY}groups: {{{groups}}}\nbindings: [{}]\n", lines.join(", ")))
}

fn seats(index: &Index, class: &str, scope: &str, second: i64) -> Result<u64, CountError> {
    decide::count_seats(index, class, Entity::parse(scope).unwrap(), at(second))
}

#[test]
fn a_subject_is_counted_once_whatever_it_holds() {
    let index = with(
        "",
        &[
            ("user/a", "admin", "ws/1"),
            ("user/a", "editor", "doc/1"),
            ("user/b", "editor", "doc/1"),
            ("user/c", "viewer", "ws/1"),
            ("user/c", "own/k", "ws/2"),
        ],
    );
    assert_eq!(seats(&index, "editor", "ws/1", 0), Ok(2));
    assert_eq!(seats(&index, "editor", "ws/2", 0), Ok(1));
    assert_eq!(seats(&index, "anybody", "ws/1", 0), Ok(1));
}

#[test]
fn a_role_counts_only_in_the_places_that_are_named() {
    let index = with("", &[("user/a", "owner", "org/o"), ("user/b", "viewer", "org/o")]);
    assert_eq!(seats(&index, "editor", "ws/1", 0), Ok(1));
    assert_eq!(seats(&index, "editor", "ws/3", 0), Ok(0));
    assert_eq!(seats(&index, "anybody", "ws/1", 0), Ok(0));
}

#[test]
fn asked_above_it_counts_distinct_subjects_below() {
    let index = with(
        "",
        &[
            ("user/a", "admin", "ws/1"),
            ("user/a", "admin", "ws/2"),
            ("user/b", "editor", "doc/2"),
            ("user/c", "admin", "ws/3"),
        ],
    );
    assert_eq!(seats(&index, "editor", "org/o", 0), Ok(2));
    assert_eq!(seats(&index, "editor", "org/p", 0), Ok(1));
    let index = with("", &[("user/a", "owner", "org/o"), ("user/b", "owner", "org/p")]);
    assert_eq!(seats(&index, "editor", "org/o", 0), Ok(1));
    // Nothing at or below a document has such seats.
    assert_eq!(seats(&index, "editor", "doc/1", 0), Ok(0));
}

#[test]
fn the_disabled_other_types_and_what_is_not_in_force_take_no_seat() {
    let index = with(
        "team/off: {members: user/c, disabled: true}",
        &[
            ("user/off", "admin", "ws/1"),
            ("bot/r", "admin", "ws/1"),
            ("team/off", "admin", "ws/1"),
            ("user/a", "admin", "ws/1, expires: 1970-01-01T00:00:10Z"),
            ("user/b", "admin", "ws/1, disabled: true"),
            ("bot/r", "viewer", "ws/1"),
        ],
    );
    assert_eq!(seats(&index, "editor", "ws/1", 9), Ok(1));
    assert_eq!(seats(&index, "editor", "ws/1", 10), Ok(0));
    assert_eq!(seats(&index, "anybody", "ws/1", 0), Ok(1));
}

#[test]
fn groups_are_expanded() {
    let index = with(
        "team/in: {members: [user/a, user/off]}, team/out: {members: [team/in, user/b]}",
        &[("team/out", "admin", "ws/1"), ("user/b", "admin", "ws/1"), ("all(user)", "editor", "doc/2")],
    );
    assert_eq!(seats(&index, "editor", "ws/1", 0), Ok(2));
    assert_eq!(seats(&index, "editor", "ws/2", 0), Ok(3));
    assert_eq!(seats(&index, "editor", "org/o", 0), Ok(3));
    let index = with("", &[("user/a", "viewer", "ws/3"), ("members_of(ws/3)", "admin", "ws/1")]);
    assert_eq!(seats(&index, "editor", "ws/1", 0), Ok(1));
}

#[test]
fn unknown_classes_and_scopes_are_told_apart() {
    let index = with("", &[]);
    assert_eq!(seats(&index, "nobody", "ws/1", 0), Err(CountError::UnknownClass));
    assert_eq!(seats(&index, "editor", "ws/9", 0), Err(CountError::UnknownScope));
    assert_eq!(seats(&index, "editor", "user/a", 0), Err(CountError::UnknownScope));
    assert_eq!(seats(&index, "editor", "nothing/1", 0), Err(CountError::UnknownScope));
}

#[test]
fn a_class_names_what_is_there() {
    let replaced = |old: &str, new: &str| {
        assert!(POLICY.contains(old), "{old}");
        errors(&POLICY.replacen(old, new, 1))
    };
    says(&replaced("per: ws", "per: nowhere"), &["the seats `editor`", "`nowhere` is no resource type"]);
    says(&replaced("subjects: [user]", "subjects: [ws]"), &["the seats `editor`", "`ws` is no subject type"]);
    says(&replaced("[viewer], held", "[nobody], held"), &["`nobody` in the seats `anybody` is no role"]);
}

fn listed(index: &Index, subject: &str, scope: &str, second: i64) -> Vec<GovernorLevel> {
    let (subject, scope) = (Entity::parse(subject).unwrap(), Entity::parse(scope).unwrap());
    decide::list_levels(index, subject, scope, at(second)).unwrap()
}

fn shown(index: &Index, subject: &str, scope: &str, second: i64) -> String {
    let line = |one: GovernorLevel| {
        let narrowed = if one.narrowed { "!" } else { "" };
        format!("{}={}{narrowed}:{}", one.governor, one.level, one.rule_id.unwrap_or_default())
    };
    listed(index, subject, scope, second).into_iter().map(line).collect::<Vec<_>>().join(" ")
}

#[test]
fn levels_are_the_greatest_over_what_is_in_force_here_and_above() {
    let index = with(
        "team/t: {members: user/b}",
        &[
            ("user/a", "editor", "ws/1, levels: {a: edit, a/x: none}"),
            ("user/a", "viewer", "org/o, expires: 1970-01-01T00:00:10Z"),
            ("team/t", "admin", "ws/1"),
            ("user/c", "root", "org/o"),
            ("user/off", "root", "org/o"),
        ],
    );
    assert_eq!(shown(&index, "user/a", "ws/1", 10), "a=edit:roles/editor a/x=none!: b=none:");
    assert_eq!(shown(&index, "user/a", "doc/1", 9), "a=edit:roles/editor a/x=read!:roles/viewer b=read:roles/viewer");
    assert_eq!(shown(&index, "user/a", "ws/2", 10), "a=none: a/x=none: b=none:");
    assert_eq!(shown(&index, "user/b", "ws/1", 0), "a=edit:roles/admin a/x=edit:roles/admin b=edit:roles/admin");
    assert_eq!(shown(&index, "user/c", "doc/2", 0), "a=edit:roles/root a/x=edit:roles/root b=edit:roles/root");
    assert_eq!(shown(&index, "user/off", "doc/2", 0), "a=none: a/x=none: b=none:");
}

#[test]
fn levels_of_what_is_not_held_are_an_error() {
    let index = with("", &[]);
    let ask = |subject, scope| {
        decide::list_levels(&index, Entity::parse(subject).unwrap(), Entity::parse(scope).unwrap(), at(0)).unwrap_err()
    };
    assert_eq!(ask("user/nobody", "ws/1"), LevelsError::UnknownSubject);
    assert_eq!(ask("team/t", "ws/1"), LevelsError::UnknownSubject);
    assert_eq!(ask("user/a", "ws/9"), LevelsError::UnknownScope);
    assert_eq!(ask("user/a", "user/a"), LevelsError::UnknownScope);
}
