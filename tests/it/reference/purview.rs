//! The reference's purview: over whom and what an administrative rule reaches.

use sidegate::model::{Action, Binding, EntityName, Parameter, Purview, RoleSet, TargetHolds, Value, ValueType};

use super::book::is_among;
use super::groups::When;
use super::question::takes_roles;
use super::roles::Way;
use super::values::property;
use super::{Object, World};

impl<'a> World<'a> {
    /// Whether the parameters lie in the purview of the rule, and the change that the action stands for may be made.
    pub(super) fn is_in_purview(&self, binding: &Binding, way: &Way<'a>, object: &Object<'a>, action: &Action) -> bool {
        let reaches = |purview: &Purview| {
            self.assigns(purview.assigns.as_ref(), action)
                && purview.target.as_ref().is_none_or(|target| self.target_holds_only(target, object, action))
                && purview.within.iter().all(|name| self.lies_within(name, &binding.at))
        };
        (way.superuser || way.purview.is_none_or(reaches)) && self.has_valid_result(object, action)
    }

    /// Whether every parameter that is a role names one that may be assigned.
    fn assigns(&self, assigns: Option<&RoleSet>, action: &Action) -> bool {
        let Some(set) = assigns else { return true };
        action.parameters.iter().filter(|parameter| takes_roles(parameter)).all(|parameter| {
            let roles = self.texts(&parameter.name);
            roles.is_some_and(|roles| roles.iter().all(|role| is_in(role, set)))
        })
    }

    /// Whether the target holds, where that is looked at, nothing but some roles.
    fn target_holds_only(&self, target: &TargetHolds, object: &Object<'a>, action: &Action) -> bool {
        let parameter = target.parameter.as_ref().map(|name| name.value.as_str()).or_else(|| self.target_of(action));
        let Some(name) = parameter.and_then(|parameter| self.entity(parameter)) else { return false };
        self.bindings_of(&name, When::NotOver(self.time)).iter().all(|held| {
            let here = object.own().is_some_and(|own| own.name.value == held.at.value);
            let above = !here && object.is_within(&held.at);
            let below = !here && object.own().is_some_and(|own| self.is_at_or_below(&held.at, &own.name));
            let looks = |place| target.look.contains(&place);
            let seen = (here && looks(sidegate::model::Place::Here))
                || (above && looks(sidegate::model::Place::Above))
                || (below && looks(sidegate::model::Place::Below));
            !seen || is_in(&held.role, &target.holds_only)
        })
    }

    /// Whether an entity lies at or below a scope. A subject does where it holds something, and where it holds nothing
    /// at all.
    fn lies_within(&self, parameter: &str, scope: &EntityName) -> bool {
        let Some(name) = self.entity(parameter) else { return false };
        if !self.is_subject_type(&name.kind) {
            return self.is_at_or_below(&name, scope);
        }
        let held = self.bindings_of(&name, When::NotOver(self.time));
        held.is_empty() || held.iter().any(|binding| self.is_at_or_below(&binding.at, scope))
    }

    /// The action's only parameter that names a subject.
    pub(super) fn target_of<'b>(&self, action: &'b Action) -> Option<&'b str> {
        let is_subject = |parameter: &&Parameter| matches!(&parameter.value_type, ValueType::Reference(kind) if **kind == "subject" || self.is_subject_type(kind));
        action.parameters.iter().find(is_subject).map(|parameter| parameter.name.value.as_str())
    }

    /// The entity that a parameter names.
    pub(super) fn entity(&self, parameter: &str) -> Option<EntityName> {
        match property(self.request.action_properties, parameter)? {
            Value::Entity(name) => Some(EntityName { kind: name.kind.to_owned(), id: name.id.to_owned() }),
            _ => None,
        }
    }

    /// The text or texts of a parameter.
    pub(super) fn texts(&self, parameter: &str) -> Option<Vec<&'a str>> {
        let text = |value: &Value<'a>| if let Value::String(text) = value { Some(*text) } else { None };
        match property(self.request.action_properties, parameter)? {
            Value::List(items) => items.iter().map(text).collect(),
            one => Some(vec![text(one)?]),
        }
    }
}

fn is_in(role: &str, set: &RoleSet) -> bool {
    match set {
        RoleSet::All => true,
        RoleSet::Named(names) => is_among(role, names),
    }
}
