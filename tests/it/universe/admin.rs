//! Administration: actions that name roles, permissions and targets, and rules on them.

use sidegate::model::{
    Action, Change, Place, Policy, Position, Purview, RoleSet, Rule, Spanned, TargetHolds, ValueType,
};

use super::policy::{action, is_among, parameter};
use super::{Draw, Feature, name, names, spanned};

/// Types that have these actions.
pub(crate) const ADMINISTERED: [&str; 2] = ["a", "b"];

/// Actions that only rules written for them give, or rules on all actions.
pub(crate) const ADMIN: [&str; 4] = ["assign", "revoke", "customise", "hand"];

pub(super) fn actions(draw: &mut Draw<'_>) -> Vec<Action> {
    if !Feature::Purview.is_known() {
        return Vec::new();
    }
    let target = |draw: &mut Draw<'_>| {
        let kind = *draw.choose(&["subject", "user"]);
        parameter("target", ValueType::Reference(name(kind)), false)
    };
    let role = parameter("role", ValueType::Role, false);
    let permissions = parameter("permissions", ValueType::List(Box::new(ValueType::Permission)), false);
    let thing = parameter("thing", ValueType::Reference(name("c")), draw.chance(30));
    let assign = Action { parameters: vec![role.clone(), target(draw)], ..action("assign") };
    let revoke_one = draw.chance(40);
    let revoke_parameters = revoke_one.then_some(role).into_iter().chain([target(draw)]).collect();
    let revoke = Action { parameters: revoke_parameters, ..action("revoke") };
    let customise = Action { parameters: vec![permissions, target(draw)], ..action("customise") };
    let mut whom = target(draw);
    whom.optional = draw.chance(40);
    let hand = Action { parameters: vec![whom, thing], ..action("hand") };
    let granting = if draw.chance(50) { Change::Grant } else { Change::Replace };
    vec![
        changing(draw, assign, granting),
        changing(draw, revoke, Change::Revoke),
        changing(draw, customise, Change::Customise),
        hand,
    ]
}

/// The action, which mostly stands for a change.
fn changing(draw: &mut Draw<'_>, action: Action, change: Change) -> Action {
    let change = draw.uses(Feature::Change, 75).then(|| spanned(change));
    let valid_result = (change.is_some() && draw.chance(65)).then(Position::default);
    Action { change, valid_result, ..action }
}

/// A rule on one administrative action.
pub(super) fn rule(draw: &mut Draw<'_>, policy: &Policy, own: &str) -> Rule {
    let action = *draw.choose(&ADMIN);
    let on = draw.some(&ADMINISTERED, 2);
    let declares = |wanted: &str| {
        let mut types = policy.types.iter().filter(|kind| on.contains(&kind.name.as_str()));
        types.all(|kind| {
            let own = kind.actions.iter().find(|own| *own.name == *action);
            own.is_some_and(|own| own.parameters.iter().any(|parameter| *parameter.name == *wanted))
        })
    };
    let has_roles = policy.types.iter().any(|kind| {
        on.contains(&kind.name.as_str()) && kind.actions.iter().any(|own| *own.name == *action && takes_role(own))
    });
    let target = declares("target") && draw.chance(50);
    let parameters: Vec<_> = ["target", "thing"].into_iter().filter(|name| declares(name)).collect();
    let within = if draw.chance(50) { names(&draw.some(&parameters, 2)) } else { Vec::new() };
    let purview = Purview {
        assigns: has_roles.then(|| set(draw, policy, own)),
        target: target.then(|| target_holds(draw, policy, own)),
        within,
    };
    Rule {
        on: names(&on),
        except: Vec::new(),
        grants: sidegate::model::Grants::Actions(names(&[action])),
        held_at: Vec::new(),
        when: None,
        purview,
    }
}

/// What a rule on every action says about roles, if some of its actions name any.
pub(super) fn assigns_everywhere(
    draw: &mut Draw<'_>,
    policy: &Policy,
    on: &[Spanned<String>],
    except: &[Spanned<String>],
    own: &str,
) -> Purview {
    let covered = |kind: &&str| is_among(policy, on, kind) && !is_among(policy, except, kind);
    let has_roles = Feature::Purview.is_known() && ADMINISTERED.iter().any(covered);
    Purview { assigns: has_roles.then(|| set(draw, policy, own)), ..Purview::default() }
}

fn takes_role(action: &Action) -> bool {
    action.parameters.iter().any(|parameter| parameter.value_type == ValueType::Role)
}

fn target_holds(draw: &mut Draw<'_>, policy: &Policy, own: &str) -> TargetHolds {
    let look = match draw.pick(3) {
        0 => vec![Place::Here, Place::Above],
        1 => vec![Place::Here, Place::Above, Place::Below],
        _ => draw.some(&[Place::Here, Place::Above, Place::Below], 2),
    };
    TargetHolds { holds_only: set(draw, policy, own), look, parameter: draw.chance(30).then(|| name("target")) }
}

/// Some of the roles that are there so far, and the one that is being drawn.
fn set(draw: &mut Draw<'_>, policy: &Policy, own: &str) -> RoleSet {
    if draw.chance(25) {
        return RoleSet::All;
    }
    let roles: Vec<_> = policy.roles.iter().map(|role| role.name.as_str()).chain([own]).collect();
    let mut some = draw.some(&roles, 3);
    if !policy.role_templates.is_empty() && draw.chance(40) {
        some.push("t");
    }
    RoleSet::Named(names(&some))
}
