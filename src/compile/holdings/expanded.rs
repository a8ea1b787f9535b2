//! Bindings as their holders' members have them: what a subject holds itself and through groups.

use crate::compile::groups::{Members, Memberships};
use crate::compile::layout::{BindingRecord, MembershipRecord};
use crate::model::Position;

/// A binding: who, what and where it was written.
pub(super) type Held = (u32, BindingRecord, Position);

/// The bindings by holder, with who is in which group.
pub(super) struct Expanded<'a> {
    /// By holder, then scope, then role.
    pub(super) list: &'a [Held],
    memberships: &'a Memberships,
    by_group: Members,
}

impl<'a> Expanded<'a> {
    /// Joins bindings and memberships.
    pub(super) fn new(list: &'a [Held], memberships: &'a Memberships) -> Self {
        Self { list, memberships, by_group: memberships.by_group() }
    }

    /// Whether nobody is in any group: then everybody holds what they hold themselves.
    pub(super) fn is_plain(&self) -> bool {
        self.memberships.all().is_empty()
    }

    /// What a holder holds on one scope.
    pub(super) fn at(&self, holder: u32, scope: u32) -> &'a [Held] {
        let key = |(own, record, _): &Held| (*own, record.scope.get());
        let start = self.list.partition_point(|held| key(held) < (holder, scope));
        let rest = self.list.get(start..).unwrap_or_default();
        let mine = rest.partition_point(|held| key(held) == (holder, scope));
        rest.get(..mine).unwrap_or_default()
    }

    /// The groups of a subject.
    pub(super) fn groups(&self, subject: u32) -> impl Iterator<Item = &MembershipRecord> {
        self.memberships.of(subject)
    }

    /// The subjects of a group.
    pub(super) fn members(&self, group: u32) -> impl Iterator<Item = u32> + '_ {
        self.by_group.members(group).iter().map(|(_, subject, _)| *subject)
    }

    /// A subject that is in both groups.
    pub(super) fn in_both(&self, one: u32, other: u32) -> Option<u32> {
        let (one, other) = (self.by_group.members(one), self.by_group.members(other));
        let (few, many) = if one.len() <= other.len() { (one, other) } else { (other, one) };
        let is_in = |subject: u32| many.binary_search_by_key(&subject, |(_, subject, _)| *subject).is_ok();
        few.iter().map(|(_, subject, _)| *subject).find(|subject| is_in(*subject))
    }
}
