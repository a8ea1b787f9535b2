//! What the reference's conditions read, and the terms of roles written as facts.

use sidegate::model::{Action, Attribute, Attributes, Literal, Properties, Term, TermOperator};

use super::book::named;
use super::condition::{Known, Lookup, State};
use super::values::{property, written};
use super::{Object, World};

impl<'a> World<'a> {
    pub(super) fn look_up(&self, path: &[&str], object: &Object<'a>, action: &Action) -> State {
        match path {
            ["request", "time"] => State::Present(Known::Time(self.time)),
            ["request", "by_credential"] => State::Present(Known::Bool(self.credential().is_some())),
            ["subject"] => State::Present(Known::Entity(self.who())),
            ["subject", name] => self.subject_value(name),
            ["credential", name] => {
                let declared = self.credential_type().map_or(&[][..], |kind| &kind.attributes);
                let stored = self.credential().map(|own| &own.attributes);
                self.attribute(declared, name, stored, self.request.subject_properties)
            }
            ["resource", name] => {
                object.values.iter().find(|(own, _)| own == name).map_or(State::Unknown, |(_, state)| state.clone())
            }
            ["context", name] => self.attribute(&self.policy.context, name, None, self.request.context),
            ["param", name] => {
                let declared = named(&action.parameters, name, |parameter| &parameter.name);
                let sent = property(self.request.action_properties, name);
                let value = declared.zip(sent).and_then(|(declared, sent)| self.typed(&declared.value_type, sent));
                value.map_or(State::Unknown, State::Present)
            }
            ["ancestor", kind, name] => {
                let mut ancestors = object.chain.iter().skip(usize::from(object.held));
                let Some(ancestor) = ancestors.find(|ancestor| ancestor.name.kind == *kind) else {
                    return State::Unknown;
                };
                let declared = self.kind(kind).map_or(&[][..], |kind| &kind.attributes);
                self.attribute(declared, name, Some(&ancestor.attributes), &[])
            }
            _ => panic!("cannot look {path:?} up"),
        }
    }

    /// An attribute of whoever's rights count; the request describes only who asks.
    fn subject_value(&self, name: &str) -> State {
        let who = self.who();
        let declared = named(&self.policy.subject_types, &who.kind, |kind| &kind.name);
        let stored = self.facts.subjects.iter().find(|own| *own.name == who).map(|own| &own.attributes);
        let sent = if self.credential().is_some() { &[] } else { self.request.subject_properties };
        self.attribute(declared.map_or(&[], |kind| &kind.attributes), name, stored, sent)
    }

    fn attribute(
        &self,
        declared: &[Attribute],
        name: &str,
        stored: Option<&Attributes>,
        sent: Properties<'_>,
    ) -> State {
        named(declared, name, |attribute| &attribute.name)
            .map_or(State::Unknown, |attribute| self.value(attribute, stored, sent))
    }

    /// A term of a role written as a fact.
    pub(super) fn term(&self, term: &Term, object: &Object<'a>, lookup: Lookup<'_>) -> Option<bool> {
        let path: Vec<_> = term.attribute.split('.').collect();
        let value_type = match path[..] {
            ["resource", name] => named(&object.kind.attributes, name, |attribute| &attribute.name),
            ["context", name] => named(&self.policy.context, name, |attribute| &attribute.name),
            ["subject", name] => {
                let kind = named(&self.policy.subject_types, &self.who().kind, |kind| &kind.name);
                kind.and_then(|kind| named(&kind.attributes, name, |attribute| &attribute.name))
            }
            _ => None,
        };
        let value_type = &value_type?.value_type;
        let value = lookup(&path).known()?;
        let is = |literal: &Literal| written(value_type, literal).map(|literal| literal == value);
        match &term.operators[..] {
            [(_, TermOperator::Eq(literal))] => is(literal),
            [(_, TermOperator::Ne(literal))] => is(literal).map(|equal| !equal),
            [(_, TermOperator::In(literals))] => Some(literals.iter().any(|literal| is(literal) == Some(true))),
            [(_, TermOperator::EqAttribute(path))] => {
                lookup(&path.split('.').collect::<Vec<_>>()).known().map(|other| other == value)
            }
            _ => panic!("a term with {} operators", term.operators.len()),
        }
    }
}
