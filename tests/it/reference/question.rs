//! The reference's vocabulary and placement: what is asked, before anybody's rights are looked at.

use sidegate::model::{
    Action, Attribute, Attributes, Credential, CredentialType, Entity, EntityName, Parameter, Properties, Reason,
    Resource, Subject, Type, Value, ValueType,
};

use super::book::{is_running, named};
use super::condition::Known;
use super::values::property;
use super::{Denied, Object, Outcome, World};

impl<'a> World<'a> {
    pub(super) fn decide(&self) -> Denied<Outcome> {
        let (kind, action, _) = self.vocabulary()?;
        self.parameters(action)?;
        let object = self.place(kind, action)?;
        if !self.sees_roles(&object, action) {
            return Err(Reason::UnknownParameter);
        }
        let (declared, stored) = self.asker();
        let own = object.own().map(|own| &own.attributes);
        if self.contradicts(declared, stored, self.request.subject_properties)
            || self.contradicts(&kind.attributes, own, self.request.resource_properties)
        {
            return Err(Reason::ContradictsSnapshot);
        }
        Ok(self.judge(&object, action, action.also.is_some()))
    }

    pub(super) fn vocabulary(&self) -> Denied<(&'a Type, &'a Action, &'a Subject)> {
        let kind = self.kind(self.request.resource.kind).filter(|kind| !kind.is_virtual).ok_or(Reason::UnknownType)?;
        let action = named(&kind.actions, self.request.action, |action| &action.name).ok_or(Reason::UnknownAction)?;
        Ok((kind, action, self.subject()?))
    }

    /// The credential that asks, if one does.
    pub(super) fn credential(&self) -> Option<&'a Credential> {
        self.facts.credentials.iter().find(|one| one.name.as_entity() == self.request.subject)
    }

    pub(super) fn credential_type(&self) -> Option<&'a CredentialType> {
        named(&self.policy.credential_types, self.request.subject.kind, |kind| &kind.name)
    }

    /// Whose rights count: those of a credential's owner, or the asker's own.
    pub(super) fn who(&self) -> EntityName {
        let asker = self.request.subject;
        let own = || EntityName { kind: asker.kind.to_owned(), id: asker.id.to_owned() };
        self.credential().map_or_else(own, |credential| credential.owner.value.clone())
    }

    fn subject(&self) -> Denied<&'a Subject> {
        if let Some(credential) = self.credential()
            && (credential.disabled || !is_running(credential.lifetime, self.time))
        {
            return Err(Reason::Disabled);
        }
        let who = self.who();
        match self.facts.subjects.iter().find(|subject| *subject.name == who) {
            Some(subject) if subject.disabled => Err(Reason::Disabled),
            Some(subject) => Ok(subject),
            None => Err(Reason::UnknownSubject),
        }
    }

    /// What the properties of the subject describe: the credential where one asks.
    fn asker(&self) -> (&'a [Attribute], Option<&'a Attributes>) {
        if let Some(kind) = self.credential_type() {
            return (&kind.attributes, self.credential().map(|own| &own.attributes));
        }
        let kind = named(&self.policy.subject_types, self.request.subject.kind, |kind| &kind.name);
        let own = self.facts.subjects.iter().find(|own| own.name.as_entity() == self.request.subject);
        (kind.map_or(&[], |kind| &kind.attributes), own.map(|own| &own.attributes))
    }

    pub(super) fn parameters(&self, action: &Action) -> Denied<()> {
        let sent = |parameter: &Parameter| property(self.request.action_properties, &parameter.name);
        let mut parameters = action.parameters.iter();
        if parameters.any(|parameter| !parameter.optional && sent(parameter).is_none()) || self.lacks_demanded() {
            return Err(Reason::MissingParameter);
        }
        let mut parameters = action.parameters.iter();
        let is_right = |parameter: &Parameter, value| self.is_parameter(&parameter.value_type, value);
        if parameters.any(|parameter| sent(parameter).is_some_and(|value| !is_right(parameter, value))) {
            return Err(Reason::UnknownParameter);
        }
        Ok(())
    }

    /// Whether a credential was sent without the context that its type demands.
    fn lacks_demanded(&self) -> bool {
        let demands = self.credential_type().map_or(&[][..], |kind| &kind.demands);
        demands.iter().any(|key| {
            let declared = named(&self.policy.context, key, |own| &own.name).expect("a declared key");
            let sent = property(self.request.context, key);
            sent.and_then(|sent| self.typed(&declared.value_type, sent)).is_none()
        })
    }

    /// Whether a value is of a parameter's type, and names what is there.
    fn is_parameter(&self, value_type: &ValueType, value: &Value<'_>) -> bool {
        match (value_type, value) {
            (ValueType::Role, Value::String(name)) => {
                self.role(name).is_some() || self.facts.roles.iter().any(|role| role.name.value == **name)
            }
            (ValueType::Permission, Value::String(text)) => self.permission(text).is_some(),
            (ValueType::List(of), Value::List(items)) => items.iter().all(|item| self.is_parameter(of, item)),
            _ => self.typed(value_type, value).is_some_and(|value| self.exists(&value)),
        }
    }

    /// Whether every entity in a parameter is held.
    fn exists(&self, value: &Known) -> bool {
        match value {
            Known::Entity(name) => self.is_subject(name) || self.resource(name.as_entity()).is_some(),
            Known::List(items) => items.iter().all(|item| self.exists(item)),
            Known::Bool(_) | Known::Int(_) | Known::Text(_) | Known::Time(_) => true,
        }
    }

    /// Whether every role in a parameter is built in, or defined at the resource or above it.
    fn sees_roles(&self, object: &Object<'a>, action: &Action) -> bool {
        let seen = |name: &str| self.role(name).is_some() || self.definer(&object.chain, name).is_some();
        let roles = action.parameters.iter().filter(|parameter| takes_roles(parameter));
        roles.filter_map(|parameter| self.texts(&parameter.name)).flatten().all(seen)
    }

    fn place(&self, kind: &'a Type, action: &Action) -> Denied<Object<'a>> {
        let own = self.resource(self.request.resource);
        let parent = match own {
            Some(own) => {
                let stored = own.parent.as_ref().map(|parent| parent.as_entity());
                if self.request.parent.is_some() && self.request.parent != stored {
                    return Err(Reason::ContradictsSnapshot);
                }
                stored
            }
            None if !(action.creates || kind.open) => return Err(Reason::UnknownResource),
            None => self.request.parent,
        };
        let chain = self.chain(kind, own, parent).ok_or(Reason::UnknownResource)?;
        let stored = own.map(|own| &own.attributes);
        let values = self.values(&kind.attributes, stored, self.request.resource_properties);
        Ok(Object { kind, chain, held: own.is_some(), values })
    }

    /// The held resource and its ancestors; `None` when a new one does not fit under its parent.
    pub(super) fn chain(
        &self,
        kind: &Type,
        own: Option<&'a Resource>,
        parent: Option<Entity<'_>>,
    ) -> Option<Vec<&'a Resource>> {
        let mut chain: Vec<_> = own.into_iter().collect();
        let Some(parent) = parent else {
            return kind.root.then_some(chain);
        };
        let fits = kind.parents.iter().any(|name| **name == parent.kind);
        let above = self.chain_of(parent);
        (fits && !above.is_empty()).then(|| {
            chain.extend(above);
            chain
        })
    }

    pub(super) fn says_undeclared(&self) -> bool {
        let extra = |sent: Properties<'_>, declared: &[Attribute]| {
            sent.iter().any(|(name, _)| declared.iter().all(|attribute| *attribute.name != *name))
        };
        let request = self.request;
        let kind = self.kind(request.resource.kind);
        let action = kind.and_then(|kind| named(&kind.actions, request.action, |action| &action.name));
        extra(request.context, &self.policy.context)
            || extra(request.subject_properties, self.asker().0)
            || kind.is_some_and(|kind| extra(request.resource_properties, &kind.attributes))
            || action.is_some_and(|action| {
                let declared = |name: &str| action.parameters.iter().any(|parameter| **parameter.name == *name);
                request.action_properties.iter().any(|(name, _)| !declared(name))
            })
    }
}

/// Whether a parameter is a role, or a list of roles.
pub(super) fn takes_roles(parameter: &Parameter) -> bool {
    match &parameter.value_type {
        ValueType::Role => true,
        ValueType::List(of) => **of == ValueType::Role,
        _ => false,
    }
}
