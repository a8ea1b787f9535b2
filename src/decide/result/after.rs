//! What a target would hold after a change: its own bindings with the change made, and those of its groups.

use crate::compile::layout::{
    BindingRecord, EntityRecord, MembershipRecord, TermsRecord, membership_flags, terms_flags,
};
use crate::index::{Corrupt, Held, Index, optional};

/// What a target holds after a change.
pub(super) struct After<'q> {
    /// The snapshot before it.
    pub(super) index: &'q Index,
    /// Whose bindings are changed.
    pub(super) target: u32,
    /// On which scope.
    pub(super) scope: u32,
    /// The role that is new there.
    pub(super) added: Option<u32>,
    /// Of which role its own bindings there go; `None` for every role.
    gone: Option<u32>,
    own: Held<'q>,
    groups: &'q [MembershipRecord],
    /// The group of all that hold something on the scope, where the target comes to be in it.
    joined: Option<u32>,
    /// Whether it comes to be in it no longer.
    leaves: bool,
}

/// Something that the target holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holding {
    /// The role.
    pub(super) role: u32,
    /// Where.
    pub(super) scope: u32,
    /// Whether it can be the base of another role: it is enabled, and not held for being a member of a scope.
    pub(super) is_base: bool,
}

impl<'q> After<'q> {
    /// After a role was added to what the target holds on a scope, and its own bindings there of one or every role
    /// were taken away.
    pub(super) fn new(
        index: &'q Index,
        (target, scope): (u32, u32),
        added: Option<u32>,
        gone: Option<u32>,
    ) -> Result<Self, Corrupt> {
        let (own, groups) = (index.held_by(target)?, index.memberships(target)?);
        let mut after = Self { index, target, scope, added, gone, own, groups, joined: None, leaves: false };
        if let Some(members) = index.members_of(scope)? {
            let was_member = groups.iter().any(|membership| membership.group.get() == members);
            let is_member = after.is_member()?;
            after.joined = Some(members).filter(|_| is_member && !was_member);
            after.leaves = was_member && !is_member;
        }
        Ok(after)
    }

    /// Whether the target holds anything on the scope, itself or through a group that an author wrote.
    fn is_member(&self) -> Result<bool, Corrupt> {
        if self.added.is_some() || self.own.at(self.scope).iter().any(|binding| self.stays(binding)) {
            return Ok(true);
        }
        let built_in = membership_flags::MEMBERS_OF | membership_flags::ALL;
        for membership in self.groups.iter().filter(|membership| membership.flags.get() & built_in == 0) {
            if !self.index.held_by(membership.group.get())?.at(self.scope).is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Everything that it holds, or what it holds on one scope.
    pub(super) fn held(&self, scope: Option<u32>) -> impl Iterator<Item = Result<Holding, Corrupt>> + '_ {
        let own = part(self.own, scope).iter().filter(|binding| self.stays(binding));
        let own = own.map(|binding| self.holding(binding, true));
        let added = self.added.filter(|_| scope.is_none_or(|scope| scope == self.scope));
        let added = added.map(|role| Ok(Holding { role, scope: self.scope, is_base: true }));
        let groups = self.groups.iter().filter(|membership| !self.is_left(membership)).flat_map(move |membership| {
            let flags = membership.flags.get();
            let may_be_base = flags & membership_flags::LIVE != 0 && flags & membership_flags::MEMBERS_OF == 0;
            self.through(membership.group.get(), may_be_base, scope)
        });
        let joined = self.joined.into_iter().flat_map(move |group| self.through(group, false, scope));
        own.chain(added).chain(groups).chain(joined)
    }

    /// What it comes to hold for being a member of the scope.
    pub(super) fn joined(&self) -> Result<impl Iterator<Item = Result<Holding, Corrupt>> + '_, Corrupt> {
        let held = self.joined.map(|group| self.index.held_by(group)).transpose()?;
        let list = held.map(|held| held.all()).unwrap_or_default();
        Ok(list.iter().map(|binding| self.holding(binding, false)))
    }

    fn through(
        &self,
        group: u32,
        may_be_base: bool,
        scope: Option<u32>,
    ) -> impl Iterator<Item = Result<Holding, Corrupt>> + '_ {
        let (list, broken) = match self.index.held_by(group) {
            Ok(held) => (part(held, scope), None),
            Err(corrupt) => (&[][..], Some(Err(corrupt))),
        };
        broken.into_iter().chain(list.iter().map(move |binding| self.holding(binding, may_be_base)))
    }

    fn stays(&self, binding: &BindingRecord) -> bool {
        binding.scope.get() != self.scope || self.gone.is_some_and(|role| binding.role.get() != role)
    }

    /// Whether a membership is the one that ends with the change.
    fn is_left(&self, membership: &MembershipRecord) -> bool {
        let of_scope = || {
            let group = self.index.record::<EntityRecord>(membership.group.get());
            group.is_ok_and(|group| optional(group.parent) == Some(self.scope))
        };
        self.leaves && membership.flags.get() & membership_flags::MEMBERS_OF != 0 && of_scope()
    }

    fn holding(&self, binding: &BindingRecord, may_be_base: bool) -> Result<Holding, Corrupt> {
        let terms: Option<&TermsRecord> = optional(binding.terms).map(|terms| self.index.record(terms)).transpose()?;
        let enabled = terms.is_none_or(|terms| terms.flags.get() & terms_flags::DISABLED == 0);
        Ok(Holding { role: binding.role.get(), scope: binding.scope.get(), is_base: may_be_base && enabled })
    }
}

fn part(held: Held<'_>, scope: Option<u32>) -> &[BindingRecord] {
    scope.map_or_else(|| held.all(), |scope| held.at(scope))
}
