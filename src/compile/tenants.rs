//! Tenants: a tenant is a root resource, with everything that stands below it. Which tenant a mistake concerns follows
//! from the fact in which it stands, whatever check found it.

use std::collections::{HashMap, HashSet};

use crate::model::{Attributes, Diagnostic, EntityName, Facts, Policy, Position, RoleRules, order};

use super::layout::MAX_SCOPE_DEPTH;

/// The resources of some facts and what each stands under, as far as that is known.
#[derive(Debug)]
pub(super) struct Tenants<'f> {
    parents: HashMap<&'f EntityName, Option<&'f EntityName>>,
    root_types: HashSet<&'f str>,
}

impl<'f> Tenants<'f> {
    /// Those of a policy's facts.
    pub(super) fn new(policy: &'f Policy, facts: &'f Facts) -> Self {
        let parent = |one: &'f crate::model::Resource| one.parent.as_ref().map(|parent| &parent.value);
        let roots = policy.types.iter().filter(|declared| declared.root);
        Self {
            parents: facts.resources.iter().map(|one| (&one.name.value, parent(one))).collect(),
            root_types: roots.map(|declared| declared.name.value.as_str()).collect(),
        }
    }

    /// The tenant of a resource; `None` where its ancestors do not lead to a root.
    pub(super) fn of(&self, resource: &EntityName) -> Option<&'f EntityName> {
        let mut current = *self.parents.get_key_value(resource)?.0;
        for _ in 0..MAX_SCOPE_DEPTH {
            match self.parents.get(current)? {
                None => return self.is_root(current).then_some(current),
                Some(parent) => current = parent,
            }
        }
        None
    }

    /// Every tenant, in order.
    pub(super) fn all(&self) -> Vec<&'f EntityName> {
        let roots = self.parents.iter().filter(|(name, parent)| parent.is_none() && self.is_root(name));
        let mut all: Vec<&EntityName> = roots.map(|(name, _)| *name).collect();
        order::natural(&mut all);
        all
    }

    fn is_root(&self, name: &EntityName) -> bool {
        self.root_types.contains(name.kind.as_str())
    }
}

/// Says of each finding which tenant it concerns: that of the fact in which it stands.
pub(super) fn mark(findings: &mut [Diagnostic], policy: &Policy, facts: &Facts) {
    if findings.is_empty() {
        return;
    }
    let tenants = Tenants::new(policy, facts);
    let mut starts: Vec<(Position, Option<&EntityName>)> = of_facts(facts, &tenants);
    starts.extend(of_policy(policy).into_iter().map(|at| (at, None)));
    order::natural(&mut starts);
    for finding in findings {
        let behind = starts.partition_point(|(start, _)| place(*start) <= place(finding.at));
        let (start, tenant) = behind.checked_sub(1).and_then(|before| starts.get(before)).copied().unwrap_or_default();
        let same_source = start.source == finding.at.source && finding.at.line > 0;
        finding.tenant = tenant.filter(|_| same_source).map(ToString::to_string);
    }
}

fn place(at: Position) -> (crate::model::SourceId, u32, u32) {
    (at.source, at.line, at.column)
}

/// Where facts begin, and where parts of them stand that may come before their names.
fn of_facts<'f>(facts: &'f Facts, tenants: &Tenants<'f>) -> Vec<(Position, Option<&'f EntityName>)> {
    let mut starts = Vec::new();
    for subject in &facts.subjects {
        starts.push((subject.name.at, None));
        starts.extend(places(&subject.attributes).map(|at| (at, None)));
    }
    for group in &facts.groups {
        starts.push((group.name.at, None));
        starts.extend(group.members.iter().map(|member| (member.at, None)));
    }
    for credential in &facts.credentials {
        // A credential belongs to the tenant that it is limited to, if that is one.
        let mut within = credential.within.iter().map(|scope| tenants.of(&scope.value));
        let first = within.next().flatten().filter(|first| within.all(|other| other == Some(first)));
        let parts = credential.scopes.iter().map(|scope| scope.at).chain(places(&credential.attributes));
        let parts = parts.chain(credential.within.iter().map(|scope| scope.at));
        let parts = parts.chain(credential.permissions.iter().flatten().map(|permission| permission.at));
        starts.extend(parts.chain([credential.name.at, credential.owner.at]).map(|at| (at, first)));
    }
    for resource in &facts.resources {
        let tenant = tenants.of(&resource.name.value);
        let parts = places(&resource.attributes).chain(resource.parent.iter().map(|parent| parent.at));
        starts.extend(parts.chain([resource.name.at]).map(|at| (at, tenant)));
    }
    for role in &facts.roles {
        let tenant = tenants.of(&role.at.value);
        let rules = match &role.rules {
            RoleRules::Plain(rules) => rules.iter().map(|rule| rule.on.at).collect::<Vec<_>>(),
            RoleRules::Versioned { current, versions } => {
                let rules = versions.iter().flat_map(|(_, rules)| rules).map(|rule| rule.on.at);
                rules.chain(versions.iter().map(|(version, _)| version.at)).chain([current.at]).collect()
            }
        };
        starts.extend(rules.into_iter().chain([role.at.at, role.name.at]).map(|at| (at, tenant)));
    }
    for binding in &facts.bindings {
        starts.push((binding.position, tenants.of(&binding.at.value)));
    }
    facts.plain.each(|binding| starts.push((binding.position, tenants.of(&binding.at.value))));
    for block in &facts.blocks {
        let tenant = block.at.as_ref().and_then(|at| tenants.of(&at.value));
        let parts = block.on.iter().map(|on| on.at).chain(block.at.iter().map(|at| at.at));
        let parts = parts.chain(block.subject.iter().map(|subject| subject.at));
        starts.extend(parts.chain([block.id.at]).map(|at| (at, tenant)));
    }
    starts
}

fn places(attributes: &Attributes) -> impl Iterator<Item = Position> + '_ {
    attributes.iter().map(|(name, _)| name.at)
}

/// Where the nouns of a policy begin: what stands behind one of them is no part of the fact before it.
fn of_policy(policy: &Policy) -> Vec<Position> {
    let mut starts: Vec<Position> = Vec::new();
    starts.extend(policy.subject_types.iter().map(|one| one.name.at));
    starts.extend(policy.group_types.iter().map(|one| one.name.at));
    starts.extend(policy.credential_types.iter().map(|one| one.name.at));
    starts.extend(policy.context.iter().map(|one| one.name.at));
    starts.extend(policy.levels.iter().chain(&policy.governors).map(|one| one.at));
    starts.extend(policy.operations.iter().map(|one| one.name.at));
    starts.extend(policy.classes.iter().map(|one| one.name.at));
    starts.extend(policy.types.iter().map(|one| one.name.at));
    starts.extend(policy.roles.iter().map(|one| one.name.at));
    starts.extend(policy.role_templates.iter().map(|one| one.name.at));
    starts.extend(policy.exclusive.iter().map(|one| one.name.at));
    starts.extend(policy.forbids.iter().map(|one| one.id.at));
    starts.extend(policy.seats.iter().map(|one| one.name.at));
    starts
}
