//! The same universe in another order.

use sidegate::model::{Facts, Role, RoleRules};

use crate::universe::{Universe, all_rules};

impl Universe {
    /// Another order of everything, and every rule twice.
    pub(crate) fn shuffled(&self) -> Self {
        let mut other = self.clone();
        let (policy, facts) = (&mut other.policy, &mut other.facts);
        policy.types.reverse();
        policy.types.iter_mut().for_each(|kind| {
            kind.attributes.reverse();
            kind.actions.reverse();
            kind.actions.iter_mut().for_each(|action| action.parameters.reverse());
            kind.parents.reverse();
        });
        policy.subject_types.reverse();
        policy.group_types.reverse();
        policy.group_types.iter_mut().for_each(|kind| kind.members.reverse());
        policy.credential_types.reverse();
        policy.credential_types.iter_mut().for_each(|kind| {
            kind.owners.reverse();
            kind.attributes.reverse();
            kind.demands.reverse();
            kind.scopes.reverse();
            kind.scopes.iter_mut().for_each(|scope| scope.context.reverse());
        });
        policy.context.reverse();
        policy.operations.reverse();
        policy.classes.reverse();
        policy.governors.reverse();
        policy.exclusive.iter_mut().for_each(|set| set.roles.reverse());
        policy.roles.reverse();
        policy.roles.iter_mut().for_each(shuffle_role);
        policy.forbids.reverse();
        policy.seats.reverse();
        policy.seats.iter_mut().for_each(|class| class.who.reverse());
        facts.subjects.reverse();
        facts.resources.reverse();
        facts.groups.reverse();
        facts.groups.iter_mut().for_each(|group| group.members.reverse());
        facts.credentials.reverse();
        facts.credentials.iter_mut().for_each(|one| {
            one.scopes.reverse();
            one.within.reverse();
            one.permissions.iter_mut().for_each(|list| list.reverse());
        });
        facts.roles.reverse();
        shuffle_roles(facts);
        facts.bindings.reverse();
        facts.bindings.iter_mut().for_each(|binding| {
            binding.levels.reverse();
            binding.customised.iter_mut().for_each(|own| own.permissions.reverse());
        });
        facts.blocks.reverse();
        other
    }
}

fn shuffle_role(role: &mut Role) {
    role.at.reverse();
    role.includes.reverse();
    role.limits.reverse();
    role.holders.reverse();
    role.requires.reverse();
    role.rules.extend(role.rules.clone());
    role.rules.reverse();
    role.rules.iter_mut().for_each(|rule| rule.on.reverse());
}

fn shuffle_roles(facts: &mut Facts) {
    for role in &mut facts.roles {
        if let RoleRules::Versioned { versions, .. } = &mut role.rules {
            versions.reverse();
        }
        all_rules(&mut role.rules).for_each(|rules| rules.reverse());
    }
}
