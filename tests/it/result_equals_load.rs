//! The result of a change is what loading the changed facts says: for drawn facts every change of a target is made in
//! the text, loaded, and compared with the check.

use std::fmt::Write as _;

use sidegate::decide::{self, GrantCheck};
use sidegate::index::Index;
use sidegate::model::Reason;

use crate::inline;
use crate::universe::Draw;

const POLICY: &str = r"
sidegate: 1
subject_types: {user: {attributes: {kind: {type: string, default: a}}}, bot: {}}
group_types: {squad: {members: [user, bot]}}
types:
  org: {root: true, actions: {view: {}}}
  team:
    parent: org
    actions:
      give: {parameters: {target: ref(subject), role: role}, change: grant, result: valid}
      take: {parameters: {target: ref(subject)}, change: revoke, result: valid}
      drop: {parameters: {target: ref(subject), role: role}, change: revoke, result: valid}
      set: {parameters: {target: ref(subject), role: role}, change: replace, result: valid}
      trim: {parameters: {target: ref(subject), permissions: list(permission)}, change: customise, result: valid}
  room: {parent: team, actions: {view: {}, edit: {}}}
roles:
  root: {at: org, superuser: true}
  pack: {at: team, holders: squad, allow: [{on: room, actions: [view]}]}
  chief: {at: org, allow: [{on: room, actions: all}]}
  owner: {at: [org, team, room], customisable: true, allow: [{on: room, actions: all}]}
  editor: {at: team, customisable: true, allow: [{on: room, actions: [view], held_at: team}]}
  viewer: {at: [org, team, room], holders: [squad, {type: user, where: {kind: [a, c]}}], allow: [{on: room, actions: [view]}]}
  helper: {at: [team, room], holders: bot, allow: [{on: room, actions: [view]}]}
role_templates:
  own: {defined_at: org, at: team, versioned: true, customisable: true, may: {on: room, actions: all}}
exclusive:
  one: {roles: [owner, viewer, own], at: [team, room]}
  two: {roles: [editor, helper], at: team}
subjects: {user/sys: {}, user/x: {}, user/y: {attributes: {kind: b}}, bot/x: {}}
groups: {squad/s: {members: [user/x]}, squad/d: {members: [user/y, bot/x], disabled: true}}
resources:
  org/o: {}
  team/t: {parent: org/o}
  team/u: {parent: org/o}
  room/r: {parent: team/t}
defined_roles:
  org/o:
    own/k: {current: 2, versions: {1: {room: {actions: all}}, 2: {room: {actions: [view]}}}}
    own/l: {current: 1, versions: {1: {room: {actions: [edit]}}}}
";

const HOLDERS: [&str; 3] = ["user/x", "user/y", "bot/x"];
const BINDERS: [&str; 9] = [
    "user/x",
    "user/y",
    "bot/x",
    "user/x",
    "squad/s",
    "squad/d",
    "all(bot)",
    "members_of(team/t)",
    "members_of(team/u)",
];
const ROLES: [&str; 8] = ["pack", "chief", "owner", "editor", "viewer", "helper", "own/k", "own/l"];
const SCOPES: [&str; 4] = ["org/o", "team/t", "team/u", "room/r"];
const LISTS: [&str; 4] = ["[]", "[room.view]", "[room.edit]", "[room.view,room.edit]"];

#[derive(Clone, Debug, PartialEq)]
struct Held {
    holder: &'static str,
    role: &'static str,
    scope: &'static str,
    customised: Option<String>,
    disabled: bool,
}

impl Held {
    fn new(holder: &'static str, role: &'static str, scope: &'static str) -> Self {
        Self { holder, role, scope, customised: None, disabled: false }
    }
}

fn text(bindings: &[Held]) -> String {
    let mut text = format!("{POLICY}bindings:\n- {{subject: user/sys, role: root, at: org/o}}\n");
    for Held { holder, role, scope, customised, disabled } in bindings {
        let list = customised.as_ref().map_or_else(String::new, |list| format!(", customised: {{{list}}}"));
        writeln!(text, "- {{subject: {holder}, role: {role}, at: {scope}, disabled: {disabled}{list}}}").unwrap();
    }
    text
}

/// Draws bindings, each kept when the facts with it still load.
fn draw(draw: &mut Draw<'_>) -> Vec<Held> {
    let mut bindings: Vec<Held> = Vec::new();
    for _ in 0..draw.pick(8) {
        let mut held = Held::new(*draw.choose(&BINDERS), *draw.choose(&ROLES), *draw.choose(&SCOPES));
        held.disabled = draw.chance(15);
        if draw.chance(20) {
            held.customised = Some(pin(held.role, *draw.choose(&LISTS)));
        }
        let same = |other: &&Held| (other.holder, other.role, other.scope) == (held.holder, held.role, held.scope);
        if bindings.iter().any(|other| same(&other)) {
            continue;
        }
        bindings.push(held);
        if !inline::errors(&text(&bindings)).is_empty() {
            bindings.pop();
        }
    }
    bindings
}

/// A list, cut from the current version.
fn pin(role: &str, list: &str) -> String {
    let version = match role {
        "own/k" => "version: 2, ",
        "own/l" => "version: 1, ",
        _ => "",
    };
    format!("{version}permissions: {list}")
}

/// The bindings after a change; `None` where it cannot be made.
fn changed(
    bindings: &[Held],
    action: &str,
    (target, scope): (&'static str, &'static str),
    (role, list): (&'static str, &str),
) -> Option<Vec<Held>> {
    let mut after = bindings.to_vec();
    let there = |held: &Held| held.holder == target && held.scope == scope;
    match action {
        "give" => after.retain(|held| !there(held) || held.role != role),
        "drop" => after.retain(|held| !there(held) || held.role != role),
        "take" | "set" => after.retain(|held| !there(held)),
        _ => {
            let mut own: Vec<&mut Held> = after.iter_mut().filter(|held| there(held)).collect();
            let [only] = own.as_mut_slice() else { return None };
            only.customised = Some(pin(only.role, list));
        }
    }
    if let "give" | "set" = action {
        after.push(Held::new(target, role, scope));
    }
    Some(after)
}

fn check(index: &Index, action: &str, scope: &str, parameters: &str) -> GrantCheck {
    inline::with_parameters(&format!("user/sys {action} {scope}"), parameters, |request| {
        decide::check_grant(index, request, inline::now()).unwrap()
    })
}

/// Choices from a seed.
fn choices(seed: u64) -> Vec<u16> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 40) as u16
    };
    std::iter::repeat_with(next).take(64).collect()
}

#[test]
fn a_result_is_valid_just_when_the_changed_facts_load() {
    let (mut valid, mut invalid) = (0, 0);
    for seed in 0..40 {
        let choices = choices(seed);
        let mut choice = Draw::new(&choices);
        let bindings = draw(&mut choice);
        let index = inline::load(&text(&bindings));
        for _ in 0..12 {
            let action = *choice.choose(&["give", "set", "trim", "drop", "take"]);
            let (target, scope) = (*choice.choose(&HOLDERS), *choice.choose(&["team/t", "team/u"]));
            let (role, list) = (*choice.choose(&ROLES), *choice.choose(&LISTS));
            let parameters = match action {
                "give" | "set" | "drop" => format!("target=@{target} role={role}"),
                "trim" => format!("target=@{target} permissions={list}"),
                _ => format!("target=@{target}"),
            };
            let after = changed(&bindings, action, (target, scope), (role, list));
            let errors = after.map_or("it cannot be made".to_owned(), |after| inline::errors(&text(&after)));
            let GrantCheck { verdict, violations } = check(&index, action, scope, &parameters);
            let told = format!("seed {seed}: {action} {scope} {parameters} of\n{bindings:?}\n{violations:?}\n{errors}");
            assert_eq!(violations.is_empty(), errors.is_empty(), "{told}");
            let wanted = if errors.is_empty() { Reason::Granted } else { Reason::OutOfPurview };
            assert_eq!(verdict.reason, wanted, "{told}");
            if errors.is_empty() { valid += 1 } else { invalid += 1 }
        }
    }
    assert!(valid > 50 && invalid > 50, "{valid} valid, {invalid} invalid");
}
