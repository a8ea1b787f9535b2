//! Facts that fit a policy: every reference is to something that is there.

use sidegate::model::{
    Attribute, Attributes, Binding, Block, DefinedRole, DefinedRule, EntityName, Facts, Grants, Literal, Policy,
    Position, Resource, RoleLevels, RoleRules, Spanned, Subject, Supplier, Term, TermOperator, TermScope,
};

use super::policy::{ACTIONS, OPERATIONS, REAL, lifetime, speaks_of};
use super::{ATTRIBUTES, Draw, GOVERNORS, IDS, LEVELS, held_by, literal, name, names, spanned};

pub(crate) fn facts(draw: &mut Draw<'_>, policy: &Policy) -> Facts {
    let mut facts = Facts::default();
    subjects(draw, policy, &mut facts);
    resources(draw, policy, &mut facts);
    if !policy.role_templates.is_empty() {
        defined_roles(draw, policy, &mut facts);
    }
    for _ in 0..draw.pick(16) {
        facts.bindings.extend(binding(draw, policy, &facts));
    }
    let held =
        |binding: &Binding| (binding.subject.value.clone(), binding.role.value.clone(), binding.at.value.clone());
    facts.bindings.sort_by_key(held);
    facts.bindings.dedup_by_key(|binding| held(binding));
    for id in IDS.iter().take(draw.pick(3)) {
        let block = block(draw, &facts, id);
        facts.blocks.push(block);
    }
    facts
}

fn subjects(draw: &mut Draw<'_>, policy: &Policy, facts: &mut Facts) {
    for kind in &policy.subject_types {
        for id in IDS.iter().take(2 + draw.pick(3)) {
            let attributes = attributes(draw, &kind.attributes);
            facts.subjects.push(Subject { name: entity(&kind.name, id), attributes, disabled: draw.chance(4) });
        }
    }
}

fn resources(draw: &mut Draw<'_>, policy: &Policy, facts: &mut Facts) {
    for kind in policy.types.iter().filter(|kind| !kind.is_virtual) {
        for id in IDS.iter().take(2 + draw.pick(3)) {
            let parents: Vec<_> = facts.resources.iter().map(|parent| parent.name.clone()).collect();
            let parents: Vec<_> =
                parents.into_iter().filter(|parent| kind.parents.iter().any(|name| **name == parent.kind)).collect();
            let parent = (!parents.is_empty()).then(|| draw.choose(&parents).clone());
            let attributes = attributes(draw, &kind.attributes);
            facts.resources.push(Resource { name: entity(&kind.name, id), parent, attributes });
        }
    }
}

fn entity(kind: &str, id: &str) -> Spanned<EntityName> {
    spanned(EntityName { kind: kind.to_owned(), id: id.to_owned() })
}

fn attributes(draw: &mut Draw<'_>, declared: &[Attribute]) -> Attributes {
    let mut attributes = Attributes::new();
    for attribute in declared.iter().filter(|attribute| attribute.from != Supplier::Request) {
        if draw.chance(50) {
            let value = if draw.chance(5) { Literal::Null } else { literal(draw, &attribute.name) };
            attributes.push((attribute.name.clone(), spanned(value)));
        }
    }
    attributes
}

fn defined_roles(draw: &mut Draw<'_>, policy: &Policy, facts: &mut Facts) {
    let template = &policy.role_templates[0];
    let definers = |kind: &str| template.defined_at.iter().any(|name| **name == *kind);
    let scopes: Vec<_> =
        facts.resources.iter().map(|scope| scope.name.clone()).filter(|scope| definers(&scope.kind)).collect();
    for _ in 0..draw.pick(4) {
        let (at, own) = (draw.choose(&scopes).clone(), *draw.choose(&["t/x", "t/x-y", "t/a/b"]));
        if facts.roles.iter().any(|role| role.at == at && *role.name == *own) {
            continue;
        }
        let mut kinds = draw.some(&["b", "c", "d", "v", "a"], 3);
        kinds.dedup();
        let rules = RoleRules::Plain(kinds.iter().map(|kind| defined_rule(draw, kind)).collect());
        facts.roles.push(DefinedRole { at, name: name(own), rules });
    }
}

fn defined_rule(draw: &mut Draw<'_>, kind: &str) -> DefinedRule {
    let operations = kind == "v" || draw.chance(60);
    let (grants, scopes) = if operations {
        (Grants::Operations(names(if kind == "v" { &["write"][..] } else { &OPERATIONS })), &OPERATIONS[..])
    } else {
        let actions = draw.some(&ACTIONS, 3);
        return DefinedRule { on: name(kind), when: when(draw, &actions), grants: Grants::Actions(names(&actions)) };
    };
    DefinedRule { on: name(kind), grants, when: when(draw, if kind == "v" { &["write"] } else { scopes }) }
}

fn when(draw: &mut Draw<'_>, scopes: &[&str]) -> Vec<(Spanned<TermScope>, Vec<Term>)> {
    let mut when = Vec::new();
    if draw.chance(40) {
        when.push((spanned(TermScope::All), terms(draw)));
    }
    for scope in scopes {
        if draw.chance(25) {
            when.push((spanned(TermScope::Named((*scope).to_owned())), terms(draw)));
        }
    }
    when
}

fn terms(draw: &mut Draw<'_>) -> Vec<Term> {
    (0..=draw.pick(2)).map(|_| term(draw)).collect()
}

fn term(draw: &mut Draw<'_>) -> Term {
    let roots = ["resource", "subject", "context"];
    let attribute = *draw.choose(&ATTRIBUTES.map(|own| if own == "tags" { "word" } else { own }));
    let operator = match draw.pick(5) {
        0 | 1 => TermOperator::Eq(spanned(literal(draw, attribute))),
        2 => TermOperator::Ne(spanned(literal(draw, attribute))),
        3 => TermOperator::In(vec![spanned(literal(draw, attribute)), spanned(literal(draw, attribute))]),
        _ if attribute == "keeper" && draw.chance(50) => TermOperator::EqAttribute(name("subject")),
        _ => TermOperator::EqAttribute(name(&format!("{}.{attribute}", draw.choose(&roots)))),
    };
    let attribute = name(&format!("{}.{attribute}", draw.choose(&roots)));
    Term { attribute, operators: vec![(Position::default(), operator)] }
}

/// A binding that is allowed, if the role, the scope and the holder that were drawn allow one.
pub(crate) fn binding(draw: &mut Draw<'_>, policy: &Policy, facts: &Facts) -> Option<Binding> {
    let built_in = policy.roles.iter().map(|role| (&role.name, &role.at, &role.holders));
    let template = policy.role_templates.first();
    let defined =
        facts.roles.iter().filter_map(|role| template.map(|template| (&role.name, &template.at, &template.holders)));
    let roles: Vec<_> = built_in.chain(defined).collect();
    if roles.is_empty() {
        return None;
    }
    let (role, at, holders) = *draw.choose(&roles);
    let scopes: Vec<_> =
        facts.resources.iter().filter(|scope| at.iter().any(|name| **name == scope.name.kind)).collect();
    if scopes.is_empty() || facts.subjects.is_empty() {
        return None;
    }
    let subject = draw.choose(&facts.subjects).name.clone();
    let scope = *draw.choose(&scopes);
    let fits = holders.is_empty() || holders.iter().any(|holder| holder.kind.value == subject.kind);
    let resolves = !role.contains('/')
        || chain(facts, scope)
            .iter()
            .any(|above| facts.roles.iter().any(|own| own.at == above.name && own.name == *role));
    let per_binding =
        policy.roles.iter().any(|own| own.name == *role && own.levels.as_ref() == Some(&RoleLevels::PerBinding));
    (fits && resolves).then(|| Binding {
        levels: if per_binding { levels(draw) } else { Vec::new() },
        position: Position::default(),
        subject: held_by(&subject),
        customised: None,
        role: role.clone(),
        at: scope.name.clone(),
        lifetime: lifetime(draw),
        disabled: draw.chance(5),
    })
}

/// Levels on some governors, hardly ever wider than what stands above.
fn levels(draw: &mut Draw<'_>) -> Vec<(Spanned<String>, Spanned<String>)> {
    let mut levels: Vec<(Spanned<String>, Spanned<String>)> = Vec::new();
    for governor in GOVERNORS {
        let above = governor.rsplit_once('/').map(|(above, _)| above);
        let most = above.map_or(LEVELS.len() - 1, |above| effective(&levels, above));
        let most = if draw.chance(1) { LEVELS.len() - 1 } else { most };
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

/// A resource and its ancestors, nearest first.
pub(crate) fn chain<'a>(facts: &'a Facts, from: &'a Resource) -> Vec<&'a Resource> {
    let parent = |of: &&'a Resource| {
        let parent = of.parent.as_ref()?;
        facts.resources.iter().find(|resource| resource.name == *parent)
    };
    std::iter::successors(Some(from), parent).collect()
}

pub(crate) fn block(draw: &mut Draw<'_>, facts: &Facts, id: &str) -> Block {
    let (on, _, grants) = speaks_of(draw);
    let scopes: Vec<_> = facts
        .resources
        .iter()
        .map(|scope| scope.name.clone())
        .filter(|scope| REAL[..3].contains(&&*scope.kind))
        .collect();
    Block {
        id: name(id),
        subject: if facts.subjects.is_empty() {
            None
        } else {
            draw.chance(60).then(|| super::held_by(&draw.choose(&facts.subjects).name))
        },
        at: if scopes.is_empty() { None } else { draw.chance(60).then(|| draw.choose(&scopes).clone()) },
        on: if draw.chance(40) { Vec::new() } else { on },
        grants,
        lifetime: lifetime(draw),
    }
}
