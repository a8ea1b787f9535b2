//! The same universe, and questions about it, with every id written differently.

use sidegate::model::{Attributes, BindingHolder, EntityName, Facts, Literal, Policy, Spanned, TermOperator};

use crate::support::question::{Props, Question, Val};
use crate::universe::{Universe, all_rules};

impl Universe {
    /// The same universe with every id written differently.
    pub(crate) fn renamed(&self) -> Self {
        let mut other = self.clone();
        rename_policy(&mut other.policy);
        rename_facts(&mut other.facts);
        other
    }
}

fn rename_policy(policy: &mut Policy) {
    let subjects = policy.subject_types.iter_mut().map(|kind| &mut kind.attributes);
    let credentials = policy.credential_types.iter_mut().map(|kind| &mut kind.attributes);
    let types = policy.types.iter_mut().map(|kind| &mut kind.attributes);
    for own in subjects.chain(credentials).chain(types).chain([&mut policy.context]).flatten() {
        let name = own.name.value.clone();
        own.default.iter_mut().for_each(|default| rename_literal(&name, default));
    }
    for forbid in &mut policy.forbids {
        forbid.subjects.iter_mut().for_each(rename_holder);
        forbid.scopes.iter_mut().for_each(rename);
    }
}

fn rename_facts(facts: &mut Facts) {
    let rename_values = |own: &mut Spanned<EntityName>, attributes: &mut Attributes| {
        rename(own);
        for (name, value) in attributes.iter_mut() {
            rename_literal(name, value);
        }
    };
    facts.subjects.iter_mut().for_each(|own| rename_values(&mut own.name, &mut own.attributes));
    facts.resources.iter_mut().for_each(|own| {
        own.parent.iter_mut().for_each(rename);
        rename_values(&mut own.name, &mut own.attributes);
    });
    facts.groups.iter_mut().for_each(|own| {
        rename(&mut own.name);
        own.members.iter_mut().for_each(rename);
    });
    facts.credentials.iter_mut().for_each(|own| {
        rename(&mut own.owner);
        own.within.iter_mut().for_each(rename);
        rename_values(&mut own.name, &mut own.attributes);
    });
    for role in &mut facts.roles {
        rename(&mut role.at);
        let rules = all_rules(&mut role.rules).flatten();
        rules.flat_map(|rule| &mut rule.when).flat_map(|(_, terms)| terms).for_each(rename_term);
    }
    for binding in &mut facts.bindings {
        rename_holder(&mut binding.subject);
        rename(&mut binding.at);
    }
    for block in &mut facts.blocks {
        block.subject.iter_mut().for_each(rename_holder);
        block.at.iter_mut().for_each(rename);
    }
}

impl Question {
    /// The question about the renamed universe.
    pub(crate) fn renamed(&self) -> Self {
        let mut other = self.clone();
        let names = [&mut other.subject, &mut other.resource].into_iter().chain(&mut other.parent);
        names.for_each(|name| name.id = new_id(&name.id));
        let properties: [&mut Props; 4] = [
            &mut other.subject_properties,
            &mut other.action_properties,
            &mut other.resource_properties,
            &mut other.context,
        ];
        for (_, value) in properties.into_iter().flatten() {
            if let Val::Entity(name) = value {
                name.id = new_id(&name.id);
            }
        }
        other
    }
}

/// Longer than what an index may keep inline, and full of what might be syntax.
fn new_id(id: &str) -> String {
    format!("{id}/user/a\"'{{}}:é, #{id}")
}

fn rename(name: &mut Spanned<EntityName>) {
    rename_name(&mut name.value);
}

fn rename_name(name: &mut EntityName) {
    name.id = new_id(&name.id);
}

fn rename_literal(attribute: &str, literal: &mut Spanned<Literal>) {
    if let (Literal::String(text), "owner" | "keeper" | "near") = (&mut literal.value, attribute) {
        let (kind, id) = text.split_once('/').unwrap();
        *text = format!("{kind}/{}", new_id(id));
    }
}

fn rename_term(term: &mut sidegate::model::Term) {
    let attribute = term.attribute.rsplit('.').next().unwrap().to_owned();
    for (_, operator) in &mut term.operators {
        match operator {
            TermOperator::Eq(value) | TermOperator::Ne(value) => rename_literal(&attribute, value),
            TermOperator::In(values) => values.iter_mut().for_each(|value| rename_literal(&attribute, value)),
            TermOperator::EqAttribute(_) => {}
        }
    }
}

/// `all(...)` names a type, which keeps its name.
fn rename_holder(holder: &mut Spanned<BindingHolder>) {
    match &mut holder.value {
        BindingHolder::One(name) | BindingHolder::MembersOf(name) => rename_name(name),
        BindingHolder::AllOf(_) => {}
    }
}
