//! Bindings that may be there: who holds what where, with which levels and which list of its own.

use sidegate::model::{
    Binding, BindingHolder, Customised, EntityName, Facts, Policy, Position, Requirement, RoleLevels, RoleRules,
    Spanned,
};

use super::credentials::permissions;
use super::facts::{chain, entity};
use super::policy::lifetime;
use super::{Draw, Feature, GOVERNORS, LEVELS, name, names, spanned};
use crate::reference;

/// Adds a few.
pub(super) fn bindings(draw: &mut Draw<'_>, policy: &Policy, facts: &mut Facts) {
    for _ in 0..draw.pick(16) {
        let Some(own) = candidate(draw, policy, facts) else { continue };
        let bases = if draw.chance(85) { bases(draw, policy, facts, &own) } else { Vec::new() };
        for binding in bases.into_iter().chain([own]) {
            add(draw, policy, facts, binding);
        }
    }
}

/// Adds a binding if the facts can have it, or else by mistake.
fn add(draw: &mut Draw<'_>, policy: &Policy, facts: &mut Facts, binding: Binding) {
    facts.bindings.push(binding);
    if !draw.slip(15) && reference::refuses(policy, facts) {
        facts.bindings.pop();
    }
}

/// One more binding that the facts can have; `None` where the role, the scope and the holder that were drawn do not fit.
pub(super) fn binding(draw: &mut Draw<'_>, policy: &Policy, facts: &Facts) -> Option<Binding> {
    let own = candidate(draw, policy, facts)?;
    let mut more = facts.clone();
    more.bindings.push(own.clone());
    (!reference::refuses(policy, &more)).then_some(own)
}

/// A role and the types of scope on which it may be held.
fn roles<'a>(policy: &'a Policy, facts: &'a Facts) -> Vec<(&'a Spanned<String>, &'a [Spanned<String>])> {
    let built_in = policy.roles.iter().map(|role| (&role.name, &role.at[..]));
    let template = policy.role_templates.first();
    let defined = facts.roles.iter().filter_map(|role| template.map(|template| (&role.name, &template.at[..])));
    built_in.chain(defined).collect()
}

/// A binding whose role can be held on its scope.
fn candidate(draw: &mut Draw<'_>, policy: &Policy, facts: &Facts) -> Option<Binding> {
    let roles = roles(policy, facts);
    if roles.is_empty() || facts.subjects.is_empty() {
        return None;
    }
    let (role, at) = *draw.choose(&roles);
    let scopes: Vec<_> =
        facts.resources.iter().filter(|scope| at.iter().any(|name| **name == scope.name.kind)).collect();
    if scopes.is_empty() {
        return None;
    }
    let subject = holder(draw, facts);
    let scope = *draw.choose(&scopes);
    let resolves = !role.contains('/')
        || chain(facts, scope)
            .iter()
            .any(|above| facts.roles.iter().any(|own| own.at == above.name && own.name == *role));
    let mut own = resolves.then(|| bound(draw, policy, subject, role, &scope.name))?;
    own.customised = customised(draw, policy, facts, &own);
    Some(own)
}

/// Somebody, a group, everybody of a type, or the members of a scope.
fn holder(draw: &mut Draw<'_>, facts: &Facts) -> BindingHolder {
    if draw.slip(2) {
        return BindingHolder::One(entity("key", "a").value);
    }
    if draw.uses(Feature::Wildcards, 10) {
        return BindingHolder::AllOf((*draw.choose(&["user", "robot"])).to_owned());
    }
    if draw.uses(Feature::Wildcards, 10) {
        return BindingHolder::MembersOf(draw.choose(&facts.resources).name.value.clone());
    }
    let group = draw.maybe(30, &facts.groups).map(|group| &group.name);
    BindingHolder::One(group.unwrap_or_else(|| &draw.choose(&facts.subjects).name).value.clone())
}

fn bound(
    draw: &mut Draw<'_>,
    policy: &Policy,
    subject: BindingHolder,
    role: &Spanned<String>,
    at: &Spanned<EntityName>,
) -> Binding {
    let per_binding =
        policy.roles.iter().any(|own| own.name == *role && own.levels.as_ref() == Some(&RoleLevels::PerBinding));
    Binding {
        levels: if per_binding { levels(draw) } else { Vec::new() },
        position: Position::default(),
        subject: spanned(subject),
        customised: None,
        role: role.clone(),
        at: at.clone(),
        lifetime: lifetime(draw),
        disabled: draw.chance(5),
    }
}

/// What the same holder must hold besides.
fn bases(draw: &mut Draw<'_>, policy: &Policy, facts: &Facts, own: &Binding) -> Vec<Binding> {
    let mut bases = Vec::new();
    for requirement in requirements(policy, own).iter().filter(|one| one.held_at.value == own.at.kind) {
        let Some(scope) = facts.resources.iter().find(|scope| scope.name.value == own.at.value) else { continue };
        let above = chain(facts, scope).into_iter().skip(1).find(|above| above.name.kind == requirement.on.value);
        let wanted = |name: &str| {
            let template = name.split_once('/').map(|(template, _)| template);
            requirement.has.iter().any(|own| **own == *name || Some(own.as_str()) == template)
        };
        let roles: Vec<_> = roles(policy, facts).into_iter().filter(|(role, _)| wanted(role)).collect();
        if let (Some(above), false) = (above, roles.is_empty()) {
            let role = draw.choose(&roles).0;
            bases.push(bound(draw, policy, own.subject.value.clone(), role, &above.name));
        }
    }
    bases
}

fn requirements<'a>(policy: &'a Policy, own: &Binding) -> &'a [Requirement] {
    let built_in = policy.roles.iter().find(|role| role.name == own.role).map(|role| &role.requires);
    let template = || policy.role_templates.iter().find(|_| own.role.contains('/')).map(|own| &own.requires);
    built_in.or_else(template).map_or(&[], |requires| requires)
}

/// A list of the holder's own, from what the role gives or gave.
fn customised(draw: &mut Draw<'_>, policy: &Policy, facts: &Facts, own: &Binding) -> Option<Customised> {
    let built_in = policy.roles.iter().find(|role| role.name == own.role);
    let takes = built_in.map_or_else(
        || policy.role_templates.first().is_some_and(|template| template.customisable),
        |role| role.customisable,
    );
    if !Feature::Pins.is_known() || !(draw.chance(45) && takes || draw.slip(3)) {
        return None;
    }
    let mut versions = vec![None];
    for role in facts.roles.iter().filter(|role| role.name == own.role) {
        if let RoleRules::Versioned { versions: all, .. } = &role.rules {
            versions = all.iter().map(|(version, _)| Some(version.value)).collect();
        }
    }
    let mut version = *draw.choose(&versions);
    if draw.slip(6) {
        version = Some(7);
    }
    let given = reference::given(policy, facts, own, version);
    let some = if given.is_empty() || draw.slip(10) { permissions(draw, policy) } else { names(&draw.some(&given, 8)) };
    Some(Customised { version: version.map(spanned), permissions: some })
}

/// Levels on some governors, hardly ever wider than what stands above.
fn levels(draw: &mut Draw<'_>) -> Vec<(Spanned<String>, Spanned<String>)> {
    let mut levels: Vec<(Spanned<String>, Spanned<String>)> = Vec::new();
    for governor in GOVERNORS {
        let above = governor.rsplit_once('/').map(|(above, _)| above);
        let most = above.map_or(LEVELS.len() - 1, |above| effective(&levels, above));
        let most = if draw.slip(2) { LEVELS.len() - 1 } else { most };
        if draw.chance(if above.is_none() { 85 } else { 40 }) {
            let narrower = if above.is_none() && draw.chance(60) { 0 } else { draw.pick(most + 1) };
            levels.push((name(governor), name(LEVELS[most - narrower])));
        }
    }
    levels
}

/// The step of the ladder that counts on a governor.
pub(crate) fn effective(levels: &[(Spanned<String>, Spanned<String>)], governor: &str) -> usize {
    let step = |(_, level): &(_, Spanned<String>)| LEVELS.iter().position(|known| **known == *level.value).unwrap();
    let own = levels.iter().find(|(path, _)| **path == *governor).map(step);
    let above = governor.rsplit_once('/').map(|(above, _)| effective(levels, above));
    match (own, above) {
        (Some(own), Some(above)) => own.min(above),
        (own, above) => own.or(above).unwrap_or(0),
    }
}
