//! Changes to a universe whose effect on every decision is known beforehand.

mod rename;
mod shuffle;

use sidegate::model::{
    Binding, Block, DefinedRole, EntityName, Facts, Forbid, Grants, Lifetime, Position, Resource, RoleLevels,
    RoleRules, Spanned, Subject, Supplier, Timestamp,
};

use super::{GOVERNORS, LEVELS, Universe, bindings, facts, held_by, name, spanned, value_type};
use crate::reference;
use crate::support::question::Question;
use crate::universe::Draw;

impl Universe {
    /// Everybody loses every role.
    pub(crate) fn without_bindings(&self) -> Self {
        Self { facts: Facts { bindings: Vec::new(), ..self.facts.clone() }, ..self.clone() }
    }

    /// One more role for somebody; `None` where none can be had.
    pub(crate) fn with_binding(&self, draw: &mut Draw<'_>) -> Option<Self> {
        let more = bindings::binding(draw, &self.policy, &self.facts)?;
        let mut other = self.clone();
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
        let wide: Vec<_> = GOVERNORS.iter().filter(|governor| bindings::effective(&had, governor) > 0).collect();
        if wide.is_empty() {
            return None;
        }
        let governor = **draw.choose(&wide);
        let lower = draw.pick(bindings::effective(&had, governor));
        let below = format!("{governor}/");
        levels.retain(|(path, _)| **path != *governor);
        for (path, level) in levels.iter_mut().filter(|(path, _)| path.starts_with(&below)) {
            level.value = LEVELS[lower.min(bindings::effective(&had, path))].to_owned();
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
        other.facts.subjects.push(newcomer("other"));
        if !self.policy.role_templates.is_empty() && !self.policy.role_templates[0].versioned {
            let rules = RoleRules::Plain(Vec::new());
            other.facts.roles.push(DefinedRole { at: entity("a"), name: name("t/x"), rules });
        }
        // Where a target must be held within a scope, or hold nothing, it does matter what it holds elsewhere.
        let rules = self.policy.roles.iter().flat_map(|role| &role.rules);
        let looks_elsewhere = rules.flat_map(|rule| &rule.purview.within).any(|parameter| **parameter == *"target");
        for role in &self.policy.roles {
            for subject in self.facts.subjects.iter().filter(|_| !looks_elsewhere).chain(&[newcomer("other")]) {
                other.facts.bindings.push(bound(&subject.name, &role.name, entity(&role.at[0])));
                if reference::refuses(&other.policy, &other.facts) {
                    other.facts.bindings.pop();
                }
            }
        }
        for (id, subject, at) in [("one", None, Some(entity("a"))), ("two", Some(held_by(&entity("user"))), None)] {
            let (on, grants, lifetime) = (Vec::new(), Grants::All, Lifetime::default());
            other.facts.blocks.push(Block { id: name(id), subject, at, on, grants, lifetime });
        }
        other
    }

    /// Somebody, a group, a credential or a binding disabled; `None` where there is none.
    pub(crate) fn with_something_disabled(&self, draw: &mut Draw<'_>) -> Option<Self> {
        let mut other = self.clone();
        let Facts { subjects, groups, credentials, bindings, .. } = &mut other.facts;
        let subjects = subjects.iter_mut().map(|own| &mut own.disabled);
        let groups = groups.iter_mut().map(|own| &mut own.disabled);
        let credentials = credentials.iter_mut().map(|own| &mut own.disabled);
        let bindings = bindings.iter_mut().map(|own| &mut own.disabled);
        let mut all: Vec<_> = groups.chain(credentials).chain(bindings).chain(subjects).collect();
        let chosen = draw.pick(all.len());
        **all.get_mut(chosen)? = true;
        Some(other)
    }

    /// A list of somebody's own made shorter; `None` where nobody has one.
    pub(crate) fn with_a_shorter_list(&self, draw: &mut Draw<'_>) -> Option<Self> {
        let mut other = self.clone();
        let lists = other.facts.bindings.iter_mut().filter_map(|binding| binding.customised.as_mut());
        let mut lists: Vec<_> = lists.map(|own| &mut own.permissions).filter(|list| list.len() > 1).collect();
        let chosen = draw.pick(lists.len());
        let list = lists.get_mut(chosen)?;
        list.remove(draw.pick(list.len()));
        Some(other)
    }

    /// Every credential limited further.
    pub(crate) fn with_narrower_credentials(&self, draw: &mut Draw<'_>) -> Self {
        let mut other = self.clone();
        for own in &mut other.facts.credentials {
            if own.within.is_empty() {
                own.within.push(draw.choose(&self.facts.resources).name.clone());
            } else if own.scopes.len() > 1 {
                own.scopes.pop();
            } else {
                let list = own.permissions.get_or_insert_with(|| {
                    let types = self.policy.types.iter().filter(|kind| !kind.is_virtual);
                    types.map(|kind| name(&format!("{}.view", *kind.name))).collect()
                });
                list.truncate(2);
            }
        }
        other
    }

    /// Every binding ends at a moment, or before.
    pub(crate) fn ending(&self, end: Timestamp) -> Self {
        let mut other = self.clone();
        for Binding { lifetime, .. } in &mut other.facts.bindings {
            lifetime.expires = Some(lifetime.expires.map_or(end, |own| own.min(end)));
            lifetime.not_before = lifetime.not_before.filter(|begin| *begin < end);
        }
        other
    }

    /// Whether forgetting an attribute leaves it unknown: neither a default nor a known absence.
    pub(crate) fn is_unknown_when_forgotten(&self, attribute: &str) -> bool {
        let subjects = self.policy.subject_types.iter().flat_map(|kind| &kind.attributes);
        let types = self.policy.types.iter().flat_map(|kind| &kind.attributes);
        let credentials = self.policy.credential_types.iter().flat_map(|kind| &kind.attributes);
        let all = subjects.chain(types).chain(credentials).chain(&self.policy.context);
        all.filter(|own| *own.name == *attribute).all(|own| own.default.is_none() && !own.optional)
    }

    /// Nobody's value of an attribute is stored any more.
    pub(crate) fn forgetting(&self, attribute: &str) -> Self {
        let mut other = self.clone();
        other.facts.subjects.iter_mut().for_each(|own| own.attributes.retain(|(name, _)| **name != *attribute));
        other.facts.credentials.iter_mut().for_each(|own| own.attributes.retain(|(name, _)| **name != *attribute));
        other.facts.resources.iter_mut().for_each(|own| own.attributes.retain(|(name, _)| **name != *attribute));
        other
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
}

fn newcomer(id: &str) -> Subject {
    let name = spanned(EntityName { kind: "user".to_owned(), id: id.to_owned() });
    Subject { name, attributes: Vec::new(), disabled: false }
}

fn bound(subject: &Spanned<EntityName>, role: &Spanned<String>, at: Spanned<EntityName>) -> Binding {
    Binding {
        position: Position::default(),
        subject: held_by(subject),
        role: role.clone(),
        at,
        levels: Vec::new(),
        customised: None,
        lifetime: Lifetime::default(),
        disabled: false,
    }
}
