//! The reference's groups: who is in them, and who has what hangs on a binding.

use sidegate::model::{Binding, BindingHolder, EntityName, Subject, Timestamp};

use super::book::{Book, is_over, is_running};

/// When somebody must hold something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// At any time, whatever is disabled.
    Ever,
    /// At any time, if nothing is disabled.
    Enabled,
    /// Now or later, whatever is disabled.
    NotOver(Timestamp),
    /// Now, so that it gives something.
    InForce(Timestamp),
}

impl When {
    /// Whether a disabled group or binding counts.
    fn takes_disabled(self) -> bool {
        matches!(self, Self::Ever | Self::NotOver(_))
    }
}

impl<'a> Book<'a> {
    /// Every group that a subject is in, directly or through another group; of a group, those around it.
    pub(super) fn groups_of(&self, member: &EntityName, takes_disabled: bool) -> Vec<&'a EntityName> {
        let mut found: Vec<&EntityName> = Vec::new();
        loop {
            let is_in = |name: &EntityName| *name == *member || found.contains(&name);
            let next = self.facts.groups.iter().find(|group| {
                (takes_disabled || !group.disabled)
                    && !found.contains(&&group.name.value)
                    && group.members.iter().any(|own| is_in(own))
            });
            match next {
                Some(group) => found.push(&group.name.value),
                None => return found,
            }
        }
    }

    /// Whether a subject has what hangs on a binding.
    pub(super) fn has(&self, subject: &EntityName, binding: &Binding, when: When) -> bool {
        let reaches = match &*binding.subject {
            BindingHolder::One(name) => {
                *name == *subject || self.groups_of(subject, when.takes_disabled()).contains(&name)
            }
            BindingHolder::AllOf(kind) => subject.kind == *kind,
            BindingHolder::MembersOf(scope) => self.is_member_of(scope, subject, when),
        };
        reaches
            && (when.takes_disabled() || !binding.disabled)
            && match when {
                When::Ever | When::Enabled => true,
                When::NotOver(time) => !is_over(binding.lifetime, time),
                When::InForce(time) => is_running(binding.lifetime, time) && self.has_bases(subject, binding, when),
            }
    }

    /// Whether a subject has a binding at exactly a scope, its own or a group's.
    fn is_member_of(&self, scope: &EntityName, subject: &EntityName, when: When) -> bool {
        self.facts.bindings.iter().any(|binding| {
            binding.at.value == *scope && binding.subject.one().is_some() && self.has(subject, binding, when)
        })
    }

    /// What a subject has, through whatever.
    pub(super) fn bindings_of(&self, subject: &EntityName, when: When) -> Vec<&'a Binding> {
        self.facts.bindings.iter().filter(|binding| self.has(subject, binding, when)).collect()
    }

    /// Everybody who has what hangs on a binding.
    pub(super) fn everybody_with(&self, binding: &Binding, when: When) -> Vec<&'a Subject> {
        self.facts.subjects.iter().filter(|subject| self.has(&subject.name, binding, when)).collect()
    }
}
