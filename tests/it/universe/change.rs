//! Changes to a universe whose effect on every decision is known beforehand.

use sidegate::model::{
    Binding, BindingHolder, Block, DefinedRole, EntityName, Facts, Forbid, Grants, Lifetime, Literal, Position,
    Resource, Role, RoleLevels, RoleRules, Spanned, Subject, Supplier, TermOperator,
};

use super::{GOVERNORS, LEVELS, Universe, facts, held_by, name, plain_rules, spanned, value_type};
use crate::support::question::{Props, Question, Val};
use crate::universe::Draw;

impl Universe {
    /// Another order of everything, and every rule twice.
    pub(crate) fn shuffled(&self) -> Self {
        let mut other = self.clone();
        let (policy, facts) = (&mut other.policy, &mut other.facts);
        policy.types.reverse();
        policy.types.iter_mut().for_each(|kind| {
            kind.attributes.reverse();
            kind.actions.reverse();
            kind.actions.iter_mut().for_each(|action| action.parameters.reverse());
            kind.parents.reverse();
        });
        policy.subject_types.reverse();
        policy.context.reverse();
        policy.operations.reverse();
        policy.classes.reverse();
        policy.governors.reverse();
        policy.exclusive.iter_mut().for_each(|set| set.roles.reverse());
        policy.roles.reverse();
        policy.roles.iter_mut().for_each(shuffle_role);
        policy.forbids.reverse();
        facts.subjects.reverse();
        facts.resources.reverse();
        facts.roles.reverse();
        facts.roles.iter_mut().for_each(|role| plain_rules(&mut role.rules).reverse());
        facts.bindings.reverse();
        facts.bindings.iter_mut().for_each(|binding| binding.levels.reverse());
        facts.blocks.reverse();
        other
    }

    /// Everybody loses every role.
    pub(crate) fn without_bindings(&self) -> Self {
        Self { facts: Facts { bindings: Vec::new(), ..self.facts.clone() }, ..self.clone() }
    }

    /// One more role for somebody; `None` where none can be had.
    pub(crate) fn with_binding(&self, draw: &mut Draw<'_>) -> Option<Self> {
        let more = facts::binding(draw, &self.policy, &self.facts)?;
        let mut other = self.clone();
        let same = |own: &Binding| own.subject == more.subject && own.role == more.role && own.at == more.at;
        if other.facts.bindings.iter().any(same) {
            return None;
        }
        other.facts.bindings.push(more);
        Some(other)
    }

    /// Somebody's level lowered somewhere, with everything below it that stood higher; `None` where none can be.
    pub(crate) fn narrowed(&self, draw: &mut Draw<'_>) -> Option<Self> {
        let mut other = self.clone();
        let takes = |binding: &Binding| {
            let mut roles = self.policy.roles.iter();
            roles.any(|role| role.name == binding.role && role.levels.as_ref() == Some(&RoleLevels::PerBinding))
        };
        let mut bindings: Vec<_> = other.facts.bindings.iter_mut().filter(|binding| takes(binding)).collect();
        let chosen = draw.pick(bindings.len());
        let levels = &mut bindings.get_mut(chosen)?.levels;
        let had = levels.clone();
        let wide: Vec<_> = GOVERNORS.iter().filter(|governor| facts::effective(&had, governor) > 0).collect();
        if wide.is_empty() {
            return None;
        }
        let governor = **draw.choose(&wide);
        let lower = draw.pick(facts::effective(&had, governor));
        let below = format!("{governor}/");
        levels.retain(|(path, _)| **path != *governor);
        for (path, level) in levels.iter_mut().filter(|(path, _)| path.starts_with(&below)) {
            level.value = LEVELS[lower.min(facts::effective(&had, path))].to_owned();
        }
        levels.push((name(governor), name(LEVELS[lower])));
        Some(other)
    }

    /// One more block.
    pub(crate) fn with_block(&self, draw: &mut Draw<'_>) -> Self {
        let mut other = self.clone();
        other.facts.blocks.push(facts::block(draw, &self.facts, "more"));
        other
    }

    /// A block of everybody from everything.
    pub(crate) fn blocked(&self) -> Self {
        let mut other = self.clone();
        let everything = Block {
            id: name("everything"),
            subject: None,
            at: None,
            on: Vec::new(),
            grants: Grants::All,
            lifetime: Lifetime::default(),
        };
        other.facts.blocks.push(everything);
        other
    }

    /// A forbid of everything whose condition nobody can establish.
    pub(crate) fn forbidden_unless_known(&self) -> Self {
        let mut other = self.clone();
        let never = sidegate::model::Attribute {
            name: name("never_sent"),
            value_type: value_type("flag"),
            from: Supplier::Request,
            default: None,
            optional: false,
            sensitive: false,
        };
        other.policy.context.push(never);
        other.policy.forbids.push(Forbid {
            id: name("unknowable"),
            on: Vec::new(),
            except: Vec::new(),
            grants: Grants::All,
            subjects: Vec::new(),
            scopes: Vec::new(),
            when: Some(spanned("context.never_sent".to_owned())),
            lifetime: Lifetime::default(),
        });
        other
    }

    /// A second tenant with people, things, roles and blocks of its own, where everybody holds everything.
    pub(crate) fn with_another_tenant(&self) -> Self {
        let mut other = self.clone();
        let entity = |kind: &str| spanned(EntityName { kind: kind.to_owned(), id: "other".to_owned() });
        for (kind, parent) in [("a", None), ("b", Some("a")), ("c", Some("b")), ("d", Some("b"))] {
            other.facts.resources.push(Resource {
                name: entity(kind),
                parent: parent.map(entity),
                attributes: Vec::new(),
            });
        }
        other.facts.subjects.push(Subject { name: entity("user"), attributes: Vec::new(), disabled: false });
        if !self.policy.role_templates.is_empty() {
            other.facts.roles.push(DefinedRole {
                at: entity("a"),
                name: name("t/x"),
                rules: RoleRules::Plain(Vec::new()),
            });
        }
        for role in &self.policy.roles {
            for subject in other.facts.subjects.iter().filter(|subject| {
                role.holders.is_empty() || role.holders.iter().any(|holder| holder.kind.value == subject.name.kind)
            }) {
                other.facts.bindings.push(Binding {
                    levels: Vec::new(),
                    position: Position::default(),
                    subject: held_by(&subject.name),
                    customised: None,
                    role: role.name.clone(),
                    at: entity(&role.at[0]),
                    lifetime: Lifetime::default(),
                    disabled: false,
                });
            }
        }
        for (id, subject, at) in [("one", None, Some(entity("a"))), ("two", Some(held_by(&entity("user"))), None)] {
            let (on, grants, lifetime) = (Vec::new(), Grants::All, Lifetime::default());
            other.facts.blocks.push(Block { id: name(id), subject, at, on, grants, lifetime });
        }
        other
    }

    /// Whether forgetting an attribute leaves it unknown: neither a default nor a known absence.
    pub(crate) fn is_unknown_when_forgotten(&self, attribute: &str) -> bool {
        let subjects = self.policy.subject_types.iter().flat_map(|kind| &kind.attributes);
        let types = self.policy.types.iter().flat_map(|kind| &kind.attributes);
        let all = subjects.chain(types).chain(&self.policy.context);
        all.filter(|own| *own.name == *attribute).all(|own| own.default.is_none() && !own.optional)
    }

    /// Nobody's value of an attribute is stored any more.
    pub(crate) fn forgetting(&self, attribute: &str) -> Self {
        let mut other = self.clone();
        other.facts.subjects.iter_mut().for_each(|own| own.attributes.retain(|(name, _)| **name != *attribute));
        other.facts.resources.iter_mut().for_each(|own| own.attributes.retain(|(name, _)| **name != *attribute));
        other
    }

    /// The same universe with every id written differently.
    pub(crate) fn renamed(&self) -> Self {
        let mut other = self.clone();
        let (policy, facts) = (&mut other.policy, &mut other.facts);
        for own in policy
            .subject_types
            .iter_mut()
            .map(|kind| &mut kind.attributes)
            .chain(policy.types.iter_mut().map(|kind| &mut kind.attributes))
            .chain([&mut policy.context])
            .flatten()
        {
            let name = own.name.value.clone();
            own.default.iter_mut().for_each(|default| rename_literal(&name, default));
        }
        for forbid in &mut policy.forbids {
            forbid.subjects.iter_mut().for_each(rename_holder);
            forbid.scopes.iter_mut().for_each(rename);
        }
        let attributes = facts.subjects.iter_mut().map(|own| (&mut own.name, &mut own.attributes));
        let attributes = attributes.chain(facts.resources.iter_mut().map(|own| {
            own.parent.iter_mut().for_each(rename);
            (&mut own.name, &mut own.attributes)
        }));
        for (own, attributes) in attributes {
            rename(own);
            for (name, value) in attributes {
                rename_literal(name, value);
            }
        }
        for role in &mut facts.roles {
            rename(&mut role.at);
            plain_rules(&mut role.rules)
                .iter_mut()
                .flat_map(|rule| &mut rule.when)
                .flat_map(|(_, terms)| terms)
                .for_each(rename_term);
        }
        for binding in &mut facts.bindings {
            rename_holder(&mut binding.subject);
            rename(&mut binding.at);
        }
        for block in &mut facts.blocks {
            block.subject.iter_mut().for_each(rename_holder);
            block.at.iter_mut().for_each(rename);
        }
        other
    }
}

fn rename_holder(holder: &mut Spanned<BindingHolder>) {
    match &mut holder.value {
        BindingHolder::One(name) | BindingHolder::MembersOf(name) => rename_name(name),
        BindingHolder::AllOf(_) => {}
    }
}

impl Question {
    /// The question without any value for an attribute.
    pub(crate) fn forgetting(&self, attribute: &str) -> Self {
        let mut other = self.clone();
        for properties in [&mut other.subject_properties, &mut other.resource_properties, &mut other.context] {
            properties.retain(|(name, _)| name != attribute);
        }
        other
    }

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

fn shuffle_role(role: &mut Role) {
    role.at.reverse();
    role.includes.reverse();
    role.limits.reverse();
    role.rules.extend(role.rules.clone());
    role.rules.reverse();
    role.rules.iter_mut().for_each(|rule| rule.on.reverse());
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
