//! One tenant's slice of some facts: what stands below its root, who holds something there, and whatever these name.
//!
//! What belongs to no tenant, because its place is not known, is in every slice: a mistake there may be this tenant's.

use std::collections::{HashMap, HashSet};

use crate::model::{
    Attributes, Binding, BindingHolder, Block, Credential, DefinedRole, EntityName, Facts, Group, Literal,
    PlainBindings, Policy, Resource, Subject,
};

use super::tenants::Tenants;

/// There is no such tenant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{asked}` is no root resource of these facts")]
pub struct UnknownTenant {
    /// What was asked for.
    pub asked: EntityName,
    /// The tenants that there are, in order.
    pub known: Vec<EntityName>,
}

/// The part of the facts that decides about one tenant, for [`super::compile`] to check.
///
/// # Errors
/// A name that is no root resource of the facts.
pub fn slice(policy: &Policy, facts: &Facts, tenant: &EntityName) -> Result<Facts, UnknownTenant> {
    if !facts.plain.is_empty() {
        return slice(policy, &facts.clone().unpacked(), tenant);
    }
    let tenants = Tenants::new(policy, facts);
    let known = tenants.all();
    if !known.contains(&tenant) {
        let known = known.into_iter().cloned().collect();
        return Err(UnknownTenant { asked: tenant.clone(), known });
    }
    let mut slicing = Slicing::new(facts);
    slicing.start(policy, facts, |resource| tenants.of(resource).is_none_or(|own| own == tenant));
    slicing.close();
    Ok(slicing.pick(facts))
}

/// What has been found to belong to the slice.
struct Slicing<'f> {
    subjects: HashMap<&'f EntityName, &'f Subject>,
    groups: HashMap<&'f EntityName, &'f Group>,
    credentials: HashMap<&'f EntityName, &'f Credential>,
    resources: HashMap<&'f EntityName, &'f Resource>,
    /// By owner.
    owned: HashMap<&'f EntityName, Vec<&'f Credential>>,
    /// By scope.
    bindings: HashMap<&'f EntityName, Vec<&'f Binding>>,
    roles: HashMap<&'f EntityName, Vec<&'f DefinedRole>>,
    needed: HashSet<&'f EntityName>,
    /// Scopes whose bindings count.
    scopes: HashSet<&'f EntityName>,
    /// Blocks that count, by id.
    blocks: HashSet<&'f str>,
    /// Found, but not looked into yet.
    open: Vec<&'f EntityName>,
}

impl<'f> Slicing<'f> {
    fn new(facts: &'f Facts) -> Self {
        let mut slicing = Self {
            subjects: facts.subjects.iter().map(|one| (&one.name.value, one)).collect(),
            groups: facts.groups.iter().map(|one| (&one.name.value, one)).collect(),
            credentials: facts.credentials.iter().map(|one| (&one.name.value, one)).collect(),
            resources: facts.resources.iter().map(|one| (&one.name.value, one)).collect(),
            owned: HashMap::new(),
            bindings: HashMap::new(),
            roles: HashMap::new(),
            needed: HashSet::new(),
            scopes: HashSet::new(),
            blocks: HashSet::new(),
            open: Vec::new(),
        };
        for credential in &facts.credentials {
            slicing.owned.entry(&credential.owner.value).or_default().push(credential);
        }
        for binding in &facts.bindings {
            slicing.bindings.entry(&binding.at.value).or_default().push(binding);
        }
        for role in &facts.roles {
            slicing.roles.entry(&role.at.value).or_default().push(role);
        }
        slicing
    }

    /// Everything that is the tenant's own, and what the policy itself names.
    fn start(&mut self, policy: &'f Policy, facts: &'f Facts, is_own: impl Fn(&EntityName) -> bool) {
        for resource in facts.resources.iter().filter(|resource| is_own(&resource.name.value)) {
            self.need(&resource.name.value);
        }
        let named = facts.bindings.iter().map(|one| &one.at.value).chain(facts.roles.iter().map(|one| &one.at.value));
        for scope in named.filter(|scope| is_own(scope)) {
            self.hold(scope);
        }
        for Block { id, subject, at, .. } in &facts.blocks {
            if at.as_ref().is_none_or(|at| is_own(&at.value)) {
                self.blocks.insert(&id.value);
                if let Some(subject) = subject {
                    self.bind(&subject.value);
                }
            }
        }
        for credential in &facts.credentials {
            let lost = !self.subjects.contains_key(&credential.owner.value);
            // One that nobody owns belongs where it may be used; one that may be used anywhere, to everybody.
            let anywhere = lost && credential.within.is_empty();
            if anywhere || credential.within.iter().any(|scope| is_own(&scope.value)) {
                self.need(&credential.name.value);
            }
        }
        for forbid in &policy.forbids {
            forbid.subjects.iter().for_each(|holder| self.bind(&holder.value));
            forbid.scopes.iter().for_each(|name| self.need(&name.value));
        }
        let texts = mentions(policy);
        let all = facts.subjects.iter().map(|one| &one.name.value);
        let all = all.chain(facts.resources.iter().map(|one| &one.name.value));
        for name in all.filter(|name| !texts.is_empty() && texts.contains(&name.to_string())) {
            self.need(name);
        }
    }

    fn need(&mut self, name: &'f EntityName) {
        if self.needed.insert(name) {
            self.open.push(name);
        }
    }

    /// A scope whose bindings and roles count.
    fn hold(&mut self, scope: &'f EntityName) {
        if !self.scopes.insert(scope) {
            return;
        }
        self.need(scope);
        for binding in self.bindings.get(scope).cloned().unwrap_or_default() {
            self.bind(&binding.subject.value);
        }
    }

    /// Whoever a holder stands for.
    fn bind(&mut self, holder: &'f BindingHolder) {
        match holder {
            BindingHolder::One(name) => self.need(name),
            BindingHolder::AllOf(kind) => {
                let all: Vec<_> = self.subjects.keys().filter(|name| name.kind == *kind).copied().collect();
                for name in all {
                    self.need(name);
                }
            }
            BindingHolder::MembersOf(other) => self.hold(other),
        }
    }

    /// Whatever is named by what is needed is needed.
    fn close(&mut self) {
        while let Some(name) = self.open.pop() {
            if let Some(subject) = self.subjects.get(name).copied() {
                self.mentioned(&subject.attributes);
                for credential in self.owned.get(name).cloned().unwrap_or_default() {
                    self.need(&credential.name.value);
                }
            }
            if let Some(group) = self.groups.get(name).copied() {
                group.members.iter().for_each(|member| self.need(&member.value));
            }
            if let Some(credential) = self.credentials.get(name).copied() {
                self.need(&credential.owner.value);
                credential.within.iter().for_each(|scope| self.need(&scope.value));
                self.mentioned(&credential.attributes);
            }
            if let Some(resource) = self.resources.get(name).copied() {
                resource.parent.iter().for_each(|parent| self.need(&parent.value));
                self.mentioned(&resource.attributes);
            }
        }
    }

    /// Entities that values refer to.
    fn mentioned(&mut self, attributes: &'f Attributes) {
        for (_, value) in attributes {
            let items = if let Literal::List(items) = &value.value { items.as_slice() } else { &[] };
            for text in items.iter().chain([value]) {
                let Literal::String(text) = &text.value else { continue };
                let Some(name) = EntityName::parse(text) else { continue };
                let held = self.subjects.get_key_value(&name).map(|(held, _)| *held);
                let held = held.or_else(|| self.resources.get_key_value(&name).map(|(held, _)| *held));
                if let Some(held) = held {
                    self.need(held);
                }
            }
        }
    }

    fn pick(&self, facts: &Facts) -> Facts {
        let needed = |name: &EntityName| self.needed.contains(name);
        let held = |scope: &EntityName| self.scopes.contains(scope);
        Facts {
            sequence: facts.sequence.clone(),
            subjects: kept(&facts.subjects, |one| needed(&one.name.value)),
            groups: kept(&facts.groups, |one| needed(&one.name.value)),
            credentials: kept(&facts.credentials, |one| needed(&one.name.value)),
            resources: kept(&facts.resources, |one| needed(&one.name.value)),
            roles: kept(&facts.roles, |one| held(&one.at.value)),
            bindings: kept(&facts.bindings, |one| held(&one.at.value)),
            plain: PlainBindings::default(),
            blocks: kept(&facts.blocks, |one| self.blocks.contains(one.id.value.as_str())),
        }
    }
}

fn kept<T: Clone>(all: &[T], keep: impl Fn(&T) -> bool) -> Vec<T> {
    all.iter().filter(|one| keep(one)).cloned().collect()
}

/// Texts of a policy that may be the names of entities: values, and what stands in quotes in its conditions.
fn mentions(policy: &Policy) -> HashSet<String> {
    let mut texts = HashSet::new();
    let rules = policy.roles.iter().flat_map(|role| &role.rules).filter_map(|rule| rule.when.as_ref());
    let gates = policy.roles.iter().flat_map(|role| &role.limits).filter_map(|limit| match &limit.kind {
        crate::model::LimitKind::Gate { only_when, .. } => Some(only_when),
        crate::model::LimitKind::Only(_) => None,
    });
    let forbids = policy.forbids.iter().filter_map(|forbid| forbid.when.as_ref());
    for condition in rules.chain(gates).chain(forbids) {
        texts.extend(condition.value.split(['"', '\'']).map(str::to_owned));
    }
    let attributes = policy.types.iter().flat_map(|one| &one.attributes);
    let attributes = attributes.chain(policy.subject_types.iter().flat_map(|one| &one.attributes));
    let attributes = attributes.chain(policy.credential_types.iter().flat_map(|one| &one.attributes));
    let defaults = attributes.chain(&policy.context).filter_map(|attribute| attribute.default.as_ref());
    let holders = policy.roles.iter().flat_map(|role| &role.holders);
    let holders = holders.chain(policy.role_templates.iter().flat_map(|template| &template.holders));
    let scopes = policy.credential_types.iter().flat_map(|one| &one.scopes);
    let owners = policy.credential_types.iter().flat_map(|one| &one.owners);
    let owners = owners.chain(policy.credential_types.iter().flat_map(|one| &one.scopes).flat_map(|one| &one.owners));
    let wanted = holders.chain(owners).flat_map(|holder| &holder.when).chain(scopes.flat_map(|scope| &scope.context));
    for value in defaults.chain(wanted.flat_map(|(_, values)| values)) {
        let items = if let Literal::List(items) = &value.value { items.as_slice() } else { &[] };
        for item in items.iter().chain([value]) {
            if let Literal::String(text) = &item.value {
                texts.insert(text.clone());
            }
        }
    }
    texts.retain(|text| text.contains('/'));
    texts
}
