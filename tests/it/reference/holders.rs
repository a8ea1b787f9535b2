//! The reference's holders: who may hold a role, or own a credential.

use sidegate::model::{Binding, BindingHolder, EntityName, Holder};

use super::book::{Book, named};
use super::condition::State;
use super::groups::When;
use super::values::written;

impl Book<'_> {
    /// Whether a binding's role may be held by who is named, and by everybody who has it then.
    pub(super) fn may_be_held(&self, binding: &Binding) -> bool {
        let holders = match self.role(&binding.role) {
            Some(role) => &role.holders[..],
            None => self.template(&binding.role).map_or(&[][..], |template| &template.holders),
        };
        if holders.is_empty() {
            return true;
        }
        let groups: Vec<_> = holders.iter().filter(|holder| self.is_group_type(&holder.kind)).collect();
        let has_subjects = groups.len() < holders.len();
        let may_carry = match &*binding.subject {
            BindingHolder::One(name) if self.is_group_type(&name.kind) => {
                groups.iter().any(|holder| *holder.kind == *name.kind)
            }
            BindingHolder::One(_) | BindingHolder::AllOf(_) | BindingHolder::MembersOf(_) => has_subjects,
        };
        let everybody = self.everybody_with(binding, When::Ever);
        may_carry && (!has_subjects || everybody.iter().all(|subject| self.fits(&subject.name, holders)))
    }

    /// Whether a subject is of one of these types, with the values that go with it.
    pub(super) fn fits(&self, subject: &EntityName, holders: &[Holder]) -> bool {
        let alike = |holder: &&Holder| *holder.kind.value == *subject.kind;
        holders.iter().filter(alike).any(|holder| {
            holder.when.iter().all(|(name, values)| {
                let kind = named(&self.policy.subject_types, &subject.kind, |kind| &kind.name);
                let attribute = kind.and_then(|kind| named(&kind.attributes, name, |own| &own.name));
                let held = self.facts.subjects.iter().find(|own| *own.name == *subject);
                let Some((attribute, held)) = attribute.zip(held) else { return false };
                let State::Present(value) = self.value(attribute, Some(&held.attributes), &[]) else { return false };
                values.iter().any(|wanted| written(&attribute.value_type, wanted).as_ref() == Some(&value))
            })
        })
    }
}
