//! The reference's raise-only roles: what their holders must hold besides.

use sidegate::model::{Binding, BindingHolder, EntityName, Requirement};

use super::book::{Book, is_among};
use super::groups::When;

impl<'a> Book<'a> {
    /// What a binding's role demands where the binding holds it.
    pub(super) fn requirements(&self, binding: &Binding) -> Vec<&'a Requirement> {
        let all = match self.role(&binding.role) {
            Some(role) => &role.requires[..],
            None => self.template(&binding.role).map_or(&[][..], |template| &template.requires),
        };
        all.iter().filter(|one| *one.held_at == *binding.at.kind).collect()
    }

    /// The nearest ancestor that a requirement looks at, then those above that.
    fn looked_at(&self, binding: &Binding, requirement: &Requirement) -> Vec<&'a EntityName> {
        let above = self.chain_of(binding.at.as_entity()).into_iter().skip(1).map(|scope| &scope.name.value);
        above.skip_while(|scope| scope.kind != requirement.on.value).collect()
    }

    /// Whether a subject holds one of the base roles that every requirement of a binding wants: own, of a group, or of
    /// everybody of its type.
    pub(super) fn has_bases(&self, subject: &EntityName, binding: &Binding, when: When) -> bool {
        self.requirements(binding).iter().filter(|one| !one.has.is_empty()).all(|requirement| {
            let Some(there) = self.looked_at(binding, requirement).first().copied() else { return false };
            self.facts.bindings.iter().any(|base| {
                base.at.value == *there
                    && is_among(&base.role, &requirement.has)
                    && !matches!(*base.subject, BindingHolder::MembersOf(_))
                    && self.has(subject, base, when)
            })
        })
    }

    /// Whether a subject holds nothing that a requirement of a binding excludes.
    pub(super) fn is_unspoilt(&self, subject: &EntityName, binding: &Binding) -> bool {
        self.requirements(binding).iter().all(|requirement| {
            let looked_at = self.looked_at(binding, requirement);
            !self.facts.bindings.iter().any(|other| {
                looked_at.contains(&&other.at.value)
                    && is_among(&other.role, &requirement.has_no)
                    && self.has(subject, other, When::Ever)
            })
        })
    }
}
