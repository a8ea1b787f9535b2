//! The reference's look-ups: scans through a policy and its facts.

use sidegate::model::{
    Entity, EntityName, Facts, Lifetime, Policy, Resource, Role, RoleTemplate, Spanned, Timestamp, Type,
};

/// A policy and its facts.
#[derive(Clone, Copy)]
pub(super) struct Book<'a> {
    pub(super) policy: &'a Policy,
    pub(super) facts: &'a Facts,
}

impl<'a> Book<'a> {
    pub(super) fn kind(&self, name: &str) -> Option<&'a Type> {
        named(&self.policy.types, name, |kind| &kind.name)
    }

    pub(super) fn role(&self, name: &str) -> Option<&'a Role> {
        named(&self.policy.roles, name, |role| &role.name)
    }

    /// The template of a role that is written as a fact.
    pub(super) fn template(&self, role: &str) -> Option<&'a RoleTemplate> {
        named(&self.policy.role_templates, role.split_once('/')?.0, |template| &template.name)
    }

    pub(super) fn resource(&self, name: Entity<'_>) -> Option<&'a Resource> {
        self.facts.resources.iter().find(|resource| resource.name.as_entity() == name)
    }

    /// A held resource and its ancestors, nearest first; nothing for one that is not held.
    pub(super) fn chain_of(&self, name: Entity<'_>) -> Vec<&'a Resource> {
        let parent = |of: &&'a Resource| self.resource(of.parent.as_ref()?.as_entity());
        std::iter::successors(self.resource(name), parent).collect()
    }

    /// Whether a held resource is a scope, or below it.
    pub(super) fn is_at_or_below(&self, name: &EntityName, scope: &EntityName) -> bool {
        self.chain_of(name.as_entity()).iter().any(|above| *above.name == *scope)
    }

    pub(super) fn is_subject_type(&self, kind: &str) -> bool {
        self.policy.subject_types.iter().any(|own| *own.name == *kind)
    }

    pub(super) fn is_group_type(&self, kind: &str) -> bool {
        self.policy.group_types.iter().any(|own| *own.name == *kind)
    }

    pub(super) fn is_subject(&self, name: &EntityName) -> bool {
        self.facts.subjects.iter().any(|own| *own.name == *name)
    }
}

/// Whether a role is among some roles and templates.
pub(super) fn is_among(role: &str, roles: &[Spanned<String>]) -> bool {
    let template = role.split_once('/').map(|(template, _)| template);
    roles.iter().any(|name| **name == *role || Some(name.as_str()) == template)
}

pub(super) fn named<'a, T>(items: &'a [T], name: &str, of: impl Fn(&T) -> &Spanned<String>) -> Option<&'a T> {
    items.iter().find(|item| of(item).value == name)
}

pub(super) fn is_running(lifetime: Lifetime, time: Timestamp) -> bool {
    lifetime.not_before.is_none_or(|begin| begin <= time) && !is_over(lifetime, time)
}

pub(super) fn is_over(lifetime: Lifetime, time: Timestamp) -> bool {
    lifetime.expires.is_some_and(|end| end <= time)
}
