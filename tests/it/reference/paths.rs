//! The reference's paths: how far each gets, and which answer follows.

use sidegate::model::{Action, AlsoTarget, Binding, Decision, Entity, Reason, Request, Value};

use super::book::named;
use super::condition::{Lookup, all, holds};
use super::groups::When;
use super::roles::Way;
use super::values::property;
use super::{Denied, Object, Outcome, World};

impl<'a> World<'a> {
    pub(super) fn judge(&self, object: &Object<'a>, action: &'a Action, second: bool) -> Outcome {
        let who = self.who();
        let mut tried = Vec::new();
        for binding in self.bindings_of(&who, When::Ever) {
            let Some(distance) = object.chain.iter().position(|scope| scope.name.value == binding.at.value) else {
                continue;
            };
            let rule = format!("roles/{}/{}.{}", *binding.role, *object.kind.name, *action.name);
            let ways = self.ways(binding, object.kind, action);
            tried.extend(
                ways.iter().map(|way| (self.walk(binding, way, object, action, second), distance, rule.clone())),
            );
        }
        let nearest = tried
            .iter()
            .filter(|((reason, _), ..)| *reason == Reason::Granted)
            .min_by_key(|(_, distance, rule)| (*distance, rule));
        match nearest {
            Some((_, _, rule)) => self.forbidden(object, action).unwrap_or_else(|| Outcome {
                decision: Decision::Allow,
                reason: Reason::Granted,
                rule: Some(rule.clone()),
                undetermined: false,
            }),
            None => nearest_miss(&tried),
        }
    }

    /// How far a path gets, and whether what stopped it was unknown.
    fn walk(
        &self,
        binding: &Binding,
        way: &Way<'a>,
        object: &Object<'a>,
        action: &'a Action,
        second: bool,
    ) -> (Reason, bool) {
        if !self.has(&self.who(), binding, When::InForce(self.time)) {
            return (Reason::Expired, false);
        }
        if !way.superuser
            && let Err(stopped) = self.level(binding, object, action)
        {
            return stopped;
        }
        if !is_in_own_list(binding, object, action) {
            return (Reason::NotInCustomSet, false);
        }
        if way.ceiling {
            return (Reason::Ceiling, false);
        }
        let lookup: Lookup<'_> = &|path| self.look_up(path, object, action);
        let gates = all(way.gates.iter().map(|gate| holds(gate, lookup)));
        if gates != Some(true) {
            return (Reason::Plan, gates.is_none());
        }
        if !self.is_in_purview(binding, way, object, action) {
            return (Reason::OutOfPurview, false);
        }
        let terms = way.terms.iter().map(|term| self.term(term, object, lookup));
        match all(way.when.iter().map(|when| holds(when, lookup)).chain(terms)) {
            Some(false) => return (Reason::ConditionFalse, false),
            None => return (Reason::ConditionUnknown, true),
            Some(true) => {}
        }
        let covered = self.is_covered(object, action);
        if covered != Some(true) {
            return (Reason::CredentialScope, covered.is_none());
        }
        match second.then(|| self.second_object(object, action)).flatten() {
            Some(outcome) if outcome.decision == Decision::Deny => (Reason::SecondObject, outcome.undetermined),
            _ => (Reason::Granted, false),
        }
    }

    /// One further decision; `None` where the request names no second object.
    fn second_object(&self, object: &Object<'a>, action: &Action) -> Option<Outcome> {
        let also = action.also.as_ref()?;
        let (AlsoTarget::On(parameter) | AlsoTarget::Under(parameter)) = &also.target;
        let Some(Value::Entity(named_entity)) = property(self.request.action_properties, parameter) else {
            return None;
        };
        let request = Request {
            action: &also.action,
            action_properties: &[],
            resource_properties: &[],
            parent: None,
            ..*self.request
        };
        let decided = match also.target {
            AlsoTarget::On(_) => World { request: &Request { resource: *named_entity, ..request }, ..*self }.decide(),
            AlsoTarget::Under(_) => {
                self.under(&World { request: &request, ..*self }, object, *named_entity, &also.action)
            }
        };
        Some(decided.unwrap_or_else(Outcome::deny))
    }

    /// A new resource of the same type and attributes, under another parent.
    fn under(&self, world: &World<'_>, object: &Object<'a>, parent: Entity<'_>, action: &str) -> Denied<Outcome> {
        let chain = self.chain(object.kind, None, Some(parent)).ok_or(Reason::UnknownResource)?;
        let action = named(&object.kind.actions, action, |action| &action.name).ok_or(Reason::UnknownAction)?;
        world.parameters(action)?;
        // The same attributes: what is known not to be there is not there in the copy either.
        let values = object.values.clone();
        Ok(world.judge(&Object { kind: object.kind, chain, held: false, values }, action, false))
    }
}

/// Whether the list that a holder's rights are narrowed to has the permission.
fn is_in_own_list(binding: &Binding, object: &Object<'_>, action: &Action) -> bool {
    let permission = format!("{}.{}", *object.kind.name, *action.name);
    binding.customised.as_ref().is_none_or(|own| own.permissions.iter().any(|listed| **listed == *permission))
}

/// Of the paths that got furthest, the smallest id; undetermined if any of them was.
fn nearest_miss(tried: &[((Reason, bool), usize, String)]) -> Outcome {
    let Some(furthest) = tried.iter().map(|((reason, _), ..)| *reason).max() else {
        return Outcome::deny(Reason::NoGrant);
    };
    let furthest_of = || tried.iter().filter(|((reason, _), ..)| *reason == furthest);
    Outcome {
        rule: furthest_of().map(|(_, _, rule)| rule.clone()).min(),
        undetermined: furthest_of().any(|((_, unknown), ..)| *unknown),
        ..Outcome::deny(furthest)
    }
}
