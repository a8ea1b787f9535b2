//! Facts that fit a policy: every reference is to something that is there.

use sidegate::model::{
    Attribute, Attributes, BindingHolder, Block, EntityName, Facts, Literal, Policy, Resource, Spanned, Subject,
    Supplier,
};

use super::bindings::bindings;
use super::credentials::credentials;
use super::defined::defined_roles;
use super::groups::groups;
use super::policy::{REAL, lifetime, speaks_of};
use super::{Draw, Feature, IDS, held_by, literal, name, spanned};

pub(crate) fn facts(draw: &mut Draw<'_>, policy: &Policy) -> Facts {
    let mut facts = Facts::default();
    subjects(draw, policy, &mut facts);
    resources(draw, policy, &mut facts);
    if !policy.role_templates.is_empty() {
        defined_roles(draw, policy, &mut facts);
    }
    groups(draw, policy, &mut facts);
    bindings(draw, policy, &mut facts);
    credentials(draw, policy, &mut facts);
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

pub(super) fn entity(kind: &str, id: &str) -> Spanned<EntityName> {
    spanned(EntityName { kind: kind.to_owned(), id: id.to_owned() })
}

pub(super) fn attributes(draw: &mut Draw<'_>, declared: &[Attribute]) -> Attributes {
    let mut attributes = Attributes::new();
    for attribute in declared.iter().filter(|attribute| attribute.from != Supplier::Request) {
        if draw.chance(50) {
            let value = if draw.chance(5) { Literal::Null } else { literal(draw, &attribute.name) };
            attributes.push((attribute.name.clone(), spanned(value)));
        }
    }
    attributes
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
        subject: draw.chance(60).then(|| bound(draw, facts)).flatten(),
        at: if scopes.is_empty() { None } else { draw.chance(60).then(|| draw.choose(&scopes).clone()) },
        on: if draw.chance(40) { Vec::new() } else { on },
        grants,
        lifetime: lifetime(draw),
    }
}

/// Whom a prohibition binds: a subject, a group, a credential, or everybody of a type.
pub(super) fn bound(draw: &mut Draw<'_>, facts: &Facts) -> Option<Spanned<BindingHolder>> {
    if draw.uses(Feature::Wildcards, 10) {
        return Some(spanned(BindingHolder::AllOf((*draw.choose(&["user", "robot"])).to_owned())));
    }
    if let Some(group) = draw.maybe(25, &facts.groups) {
        return Some(held_by(&group.name));
    }
    if let Some(credential) = draw.maybe(20, &facts.credentials) {
        return Some(held_by(&credential.name));
    }
    draw.maybe(100, &facts.subjects).map(|subject| held_by(&subject.name))
}
