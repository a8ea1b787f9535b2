//! Roles and role templates.

use sidegate::model::{
    Grants, Limit, LimitKind, Policy, Purview, Requirement, Role, RoleLevels, RoleTemplate, Rule, Spanned,
    TemplateConditions,
};

use super::condition::{Roots, condition};
use super::groups::holders;
use super::policy::{ACTIONS, OPERATIONS, REAL, is_among, speaks_of};
use super::{Draw, Feature, LEVELS, admin, name, names, spanned};

pub(super) fn role(draw: &mut Draw<'_>, policy: &Policy, own: &str) -> Role {
    let at = draw.some(&["b", "a", "c"], 2);
    if draw.uses(Feature::Superuser, 8) {
        return superuser(draw, policy, own, &at);
    }
    let others = policy.roles.iter().filter(|role| !role.superuser);
    let includes: Vec<_> = others.filter(|_| draw.chance(40)).map(|role| role.name.clone()).collect();
    let mut rules: Vec<_> = (0..=draw.pick(3)).map(|_| rule(draw, policy, &at, own)).collect();
    while draw.uses(Feature::Purview, 45) && rules.len() < 6 {
        rules.push(admin::rule(draw, policy, own));
    }
    Role {
        levels: match draw.pick(6) {
            0 => None,
            1 => Some(RoleLevels::All(name(draw.choose::<&str>(&LEVELS)))),
            _ => Some(RoleLevels::PerBinding),
        },
        name: name(own),
        holders: holders(draw, policy),
        includes,
        rules,
        limits: (0..draw.pick(3)).map(|_| limit(draw, policy, &at)).collect(),
        requires: requires(draw, policy, &at),
        customisable: draw.uses(Feature::Pins, 35),
        superuser: false,
        at: names(&at),
    }
}

/// A role that gives everything.
fn superuser(draw: &mut Draw<'_>, policy: &Policy, own: &str, at: &[&str]) -> Role {
    Role {
        name: name(own),
        at: names(at),
        holders: holders(draw, policy),
        includes: Vec::new(),
        levels: None,
        rules: Vec::new(),
        limits: Vec::new(),
        requires: Vec::new(),
        customisable: false,
        superuser: true,
    }
}

/// What must be held above, on a scope of another type, and what must not.
fn requires(draw: &mut Draw<'_>, policy: &Policy, at: &[&str]) -> Vec<Requirement> {
    let below: Vec<_> = at.iter().filter(|kind| **kind != "a").copied().collect();
    if below.is_empty() || !draw.uses(Feature::Requires, 25) {
        return Vec::new();
    }
    let held_at = *draw.choose(&below);
    let on = if held_at == "c" && draw.chance(70) { "b" } else { "a" };
    let is_free = |role: &&Role| role.requires.iter().all(|one| one.held_at.value != on);
    let is_there = |role: &&Role| role.at.iter().any(|kind| kind.value == on);
    let bases: Vec<_> = policy.roles.iter().filter(is_free).filter(is_there).map(|role| role.name.clone()).collect();
    let all: Vec<_> = policy.roles.iter().filter(is_there).map(|role| role.name.clone()).collect();
    let has = if bases.is_empty() || draw.chance(25) { Vec::new() } else { draw.some(&bases, 3) };
    let has_no = if all.is_empty() || draw.chance(50) { Vec::new() } else { draw.some(&all, 2) };
    if has.is_empty() && has_no.is_empty() {
        return Vec::new();
    }
    vec![Requirement { held_at: name(held_at), on: name(on), has, has_no }]
}

fn rule(draw: &mut Draw<'_>, policy: &Policy, at: &[&str], own: &str) -> Rule {
    let (on, except, grants) = speaks_of(draw);
    let when = draw.chance(60).then(|| spanned(text(draw, policy, &on, &except, &grants)));
    let purview = match grants {
        Grants::All => admin::assigns_everywhere(draw, policy, &on, &except, own),
        Grants::Actions(_) | Grants::Operations(_) => Purview::default(),
    };
    Rule { on, except, grants, held_at: held_at(draw, at), when, purview }
}

fn limit(draw: &mut Draw<'_>, policy: &Policy, at: &[&str]) -> Limit {
    let (on, except, grants) = speaks_of(draw);
    let held_at = held_at(draw, at);
    if draw.chance(50) {
        let only_when = spanned(text(draw, policy, &on, &except, &grants));
        return Limit { on, except, kind: LimitKind::Gate { grants, only_when }, held_at };
    }
    Limit {
        on: names(&draw.some(&REAL, 2)),
        except: Vec::new(),
        kind: LimitKind::Only(names(&draw.some(&ACTIONS, 3))),
        held_at,
    }
}

fn held_at(draw: &mut Draw<'_>, at: &[&str]) -> Vec<Spanned<String>> {
    if draw.chance(15) { names(&[draw.choose(at)]) } else { Vec::new() }
}

pub(super) fn text(
    draw: &mut Draw<'_>,
    policy: &Policy,
    on: &[Spanned<String>],
    except: &[Spanned<String>],
    grants: &Grants,
) -> String {
    let mut covered = REAL.to_vec();
    if !matches!(grants, Grants::Operations(_)) {
        covered.retain(|kind| (on.is_empty() || is_among(policy, on, kind)) && !is_among(policy, except, kind));
    }
    let may_be_above = |above: &&&str| covered.iter().all(|kind| is_above(policy, above, kind));
    let ancestors = REAL.iter().filter(may_be_above).copied().collect();
    let parameters = matches!(grants, Grants::Actions(names) if names.iter().all(|name| name.value == "move"));
    condition(draw, &Roots { ancestors, parameters }, 2)
}

/// Whether a resource of type `above` may be an ancestor of one of type `kind`.
fn is_above(policy: &Policy, above: &str, kind: &str) -> bool {
    let parents = policy.types.iter().filter(|own| *own.name == *kind).flat_map(|own| &own.parents);
    parents
        .filter(|parent| ***parent != *kind || *above == *kind)
        .any(|parent| **parent == *above || is_above(policy, above, parent))
}

pub(super) fn template(draw: &mut Draw<'_>, policy: &Policy) -> RoleTemplate {
    let may = |on: &[&str], grants| Rule {
        on: names(on),
        except: Vec::new(),
        grants,
        held_at: Vec::new(),
        when: None,
        purview: Purview::default(),
    };
    let at = *draw.choose::<&[&str]>(&[&["b"][..], &["b", "c"]]);
    RoleTemplate {
        name: name("t"),
        defined_at: names(draw.choose::<&[&str]>(&[&["a"][..], &["a", "b"]])),
        holders: holders(draw, policy),
        requires: if draw.chance(40) { requires(draw, policy, at) } else { Vec::new() },
        at: names(at),
        may: vec![
            may(&REAL, Grants::Actions(names(&ACTIONS))),
            may(&["a", "b", "c", "d", "v"], Grants::Operations(names(&OPERATIONS))),
        ],
        conditions: Some(TemplateConditions { roots: names(&["resource", "subject", "context"]), most: spanned(16) }),
        versioned: draw.uses(Feature::Versions, 40),
        customisable: draw.uses(Feature::Pins, 40),
    }
}
