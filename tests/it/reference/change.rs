//! The reference's changes: the facts as they would be, which must load.

use sidegate::model::{
    Action, Binding, BindingHolder, Change, Customised, EntityName, Facts, Lifetime, Parameter, Position, Spanned,
    ValueType,
};

use super::book::Book;
use super::{Object, World};

impl<'a> World<'a> {
    /// Whether the facts would still load after the change that an action stands for, where that is demanded.
    pub(super) fn has_valid_result(&self, object: &Object<'a>, action: &Action) -> bool {
        if action.valid_result.is_none() {
            return true;
        }
        let after = self.after(object, action);
        after.is_some_and(|facts| Book { policy: self.policy, facts: &facts }.is_valid())
    }

    /// The facts after the change; `None` where it cannot be made.
    fn after(&self, object: &Object<'a>, action: &Action) -> Option<Facts> {
        let target = self.entity(self.target_of(action)?)?;
        let at = &object.own()?.name;
        let mut facts = self.facts.clone();
        let is_own = |binding: &Binding| binding.subject.one() == Some(&target) && binding.at.value == at.value;
        let role = parameter(action, |own| matches!(own, ValueType::Role));
        match action.change.as_ref()?.value {
            Change::Grant => {
                let role = *self.texts(role?)?.first()?;
                facts.bindings.retain(|binding| !is_own(binding) || *binding.role.value != *role);
                facts.bindings.push(bound(&target, role, at));
            }
            Change::Revoke => {
                let role = role.and_then(|name| self.texts(name)?.first().copied());
                facts.bindings.retain(|own| !is_own(own) || role.is_some_and(|role| *own.role.value != *role));
            }
            Change::Replace => {
                let role = *self.texts(role?)?.first()?;
                facts.bindings.retain(|binding| !is_own(binding));
                facts.bindings.push(bound(&target, role, at));
            }
            Change::Customise => {
                let list = |own: &ValueType| matches!(own, ValueType::List(of) if **of == ValueType::Permission);
                let permissions = self.texts(parameter(action, list)?)?;
                // The same binding written twice is one.
                let mut seen: Vec<Binding> = Vec::new();
                facts.bindings.retain(|binding| {
                    let again = is_own(binding) && seen.contains(binding);
                    seen.push(binding.clone());
                    !again
                });
                let mut own: Vec<_> = facts.bindings.iter_mut().filter(|binding| is_own(binding)).collect();
                let [only] = &mut own[..] else { return None };
                only.customised = Some(Customised {
                    version: self.current_version(only).map(spanned),
                    permissions: permissions.iter().map(|name| spanned((*name).to_owned())).collect(),
                });
            }
        }
        Some(facts)
    }
}

/// The first parameter of a type.
fn parameter(action: &Action, is: impl Fn(&ValueType) -> bool) -> Option<&str> {
    let found = |own: &&Parameter| is(&own.value_type);
    action.parameters.iter().find(found).map(|own| own.name.value.as_str())
}

fn bound(target: &EntityName, role: &str, at: &Spanned<EntityName>) -> Binding {
    Binding {
        position: Position::default(),
        subject: spanned(BindingHolder::One(target.clone())),
        role: spanned(role.to_owned()),
        at: at.clone(),
        levels: Vec::new(),
        customised: None,
        lifetime: Lifetime::default(),
        disabled: false,
    }
}

fn spanned<T>(value: T) -> Spanned<T> {
    Spanned::new(value, Position::default())
}
