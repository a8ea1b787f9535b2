//! What loading demands of facts, one sentence after the other.

use sidegate::model::{Binding, BindingHolder, Exclusive, Group, Subject};

use super::book::{Book, is_among};
use super::groups::When;

/// Nodes on the longest way through nested groups, ends included.
const MOST_NESTED: usize = 16;

/// Groups that one subject may be in.
const MOST_GROUPS: usize = 1_000;

impl Book<'_> {
    pub(super) fn is_valid(&self) -> bool {
        let facts = self.facts;
        let in_itself = |group: &Group| self.groups_of(&group.name, true).contains(&&group.name.value);
        !facts.groups.iter().any(in_itself)
            && facts.groups.iter().all(|group| self.is_good_group(group))
            && facts.subjects.iter().all(|one| self.groups_of(&one.name, true).len() <= MOST_GROUPS)
            && facts.roles.iter().all(|role| self.is_good_role(role))
            && facts.bindings.iter().all(|binding| self.is_good_binding(binding))
            && facts.subjects.iter().all(|subject| self.is_good_holder(subject))
            && facts.bindings.iter().all(|binding| self.is_alone(binding))
            && facts.credentials.iter().all(|credential| self.is_good_credential(credential))
    }

    fn is_good_group(&self, group: &Group) -> bool {
        let declared = self.policy.group_types.iter().find(|kind| *kind.name == *group.name.kind);
        let Some(declared) = declared else { return false };
        let is_there =
            |member: &_| self.is_subject(member) || self.facts.groups.iter().any(|other| other.name.value == *member);
        let good_members = group
            .members
            .iter()
            .all(|member| is_there(&member.value) && declared.members.iter().any(|kind| **kind == *member.kind));
        let alone = self.facts.groups.iter().filter(|other| other.name == group.name).count() == 1;
        good_members && alone && self.nesting(group) <= MOST_NESTED
    }

    /// Nodes from a group down to the innermost member.
    fn nesting(&self, group: &Group) -> usize {
        let inner = |member: &_| self.facts.groups.iter().find(|other| other.name.value == *member);
        let below = group.members.iter().map(|member| inner(&member.value).map_or(1, |inner| self.nesting(inner)));
        1 + below.max().unwrap_or(0)
    }

    fn is_good_binding(&self, binding: &Binding) -> bool {
        let holder = match &*binding.subject {
            BindingHolder::One(name) => {
                self.is_subject(name) || self.facts.groups.iter().any(|group| group.name.value == *name)
            }
            BindingHolder::AllOf(kind) => self.is_subject_type(kind),
            BindingHolder::MembersOf(scope) => self.resource(scope.as_entity()).is_some(),
        };
        let scopes = match self.role(&binding.role) {
            Some(role) => &role.at[..],
            None => self.template(&binding.role).map_or(&[][..], |template| &template.at),
        };
        let chain = self.chain_of(binding.at.as_entity());
        let is_defined = self.role(&binding.role).is_some() || self.definer(&chain, &binding.role).is_some();
        holder
            && !chain.is_empty()
            && is_defined
            && scopes.iter().any(|kind| **kind == *binding.at.kind)
            && !self.widens(binding)
            && self.is_good_pin(binding)
            && self.may_be_held(binding)
    }

    /// Whether a holder has no two of a set itself: a group and its like may not, even if nobody is in it.
    fn is_alone(&self, binding: &Binding) -> bool {
        let same = |other: &&Binding| other.subject.value == binding.subject.value;
        let held: Vec<_> = self.facts.bindings.iter().filter(same).collect();
        self.policy.exclusive.iter().all(|set| is_exclusive(set, &held))
    }

    /// Whether a subject holds together: no two of a set, and what every raise-only role demands.
    fn is_good_holder(&self, subject: &Subject) -> bool {
        let held = self.bindings_of(&subject.name, When::Ever);
        self.policy.exclusive.iter().all(|set| is_exclusive(set, &held))
            && held.iter().all(|binding| {
                self.has_bases(&subject.name, binding, When::Enabled) && self.is_unspoilt(&subject.name, binding)
            })
    }
}

fn is_exclusive(set: &Exclusive, held: &[&Binding]) -> bool {
    let counted = |binding: &&&Binding| {
        set.at.iter().any(|kind| **kind == binding.at.kind) && is_among(&binding.role, &set.roles)
    };
    held.iter().filter(counted).all(|one| {
        let mut others = held.iter().filter(counted);
        others.all(|other| other.role == one.role || other.at != one.at)
    })
}
