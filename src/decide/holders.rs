//! Who holds for a subject: itself, then every group that it is in; and whether what is held there is in force.
//!
//! In force is one thing everywhere: paths, membership, requirements, counts and levels ask the same function.

use crate::compile::layout::{
    BindingRecord, EntityRecord, MembershipRecord, TermsRecord, membership_flags, terms_flags,
};
use crate::index::{Corrupt, Held, Index, optional};
use crate::model::Timestamp;

/// A subject with its groups at a moment.
#[derive(Clone, Copy)]
pub(super) struct Holders<'i> {
    index: &'i Index,
    time: Timestamp,
    own: Held<'i>,
    groups: &'i [MembershipRecord],
}

/// Through whom something is held.
#[derive(Clone, Copy, Debug)]
pub(super) enum Through<'i> {
    /// Nobody else: the subject itself.
    Itself,
    /// A group.
    Group(&'i MembershipRecord),
}

impl Through<'_> {
    /// The group.
    pub(super) fn group(&self) -> Option<u32> {
        match self {
            Self::Itself => None,
            Self::Group(membership) => Some(membership.group.get()),
        }
    }

    fn has(&self, flags: u32) -> bool {
        match self {
            Self::Itself => false,
            Self::Group(membership) => membership.flags.get() & flags != 0,
        }
    }

    /// Whether what is held through it reaches the subject at any time.
    fn is_live(&self) -> bool {
        matches!(self, Self::Itself) || self.has(membership_flags::LIVE)
    }

    /// Whether it is `all(...)` or `members_of(...)`.
    fn is_built_in(&self) -> bool {
        self.has(membership_flags::ALL | membership_flags::MEMBERS_OF)
    }
}

impl<'i> Holders<'i> {
    /// The holders of a subject.
    #[inline]
    pub(super) fn of(index: &'i Index, subject: u32, time: Timestamp) -> Result<Self, Corrupt> {
        let (own, groups) = index.held_and_groups(subject)?;
        Ok(Self { index, time, own, groups })
    }

    /// The groups, live or not.
    pub(super) fn groups(&self) -> &'i [MembershipRecord] {
        self.groups
    }

    /// What is held on one scope, by whom.
    #[inline]
    pub(super) fn at(&self, scope: u32) -> impl Iterator<Item = Result<(Through<'i>, &'i [BindingRecord]), Corrupt>> {
        let index = self.index;
        let own = std::iter::once(Ok((Through::Itself, self.own.at(scope))));
        own.chain(
            self.groups.iter().map(move |membership| {
                Ok((Through::Group(membership), index.held_by(membership.group.get())?.at(scope)))
            }),
        )
    }

    /// Whether a binding gives what its role gives: it is enabled and within its lifetime, and so is everything through
    /// which the subject has it.
    #[inline]
    pub(super) fn in_force(
        &self,
        through: Through<'i>,
        binding: &BindingRecord,
        scope: &EntityRecord,
    ) -> Result<bool, Corrupt> {
        Ok(self.holds_by_itself(binding, scope)? && self.is_live(through)?)
    }

    /// Whether what a holder holds reaches the subject now.
    fn is_live(&self, through: Through<'i>) -> Result<bool, Corrupt> {
        if through.is_live() || !through.has(membership_flags::MEMBERS_OF) {
            return Ok(through.is_live());
        }
        let Some(group) = through.group() else { return Ok(true) };
        let group: &EntityRecord = self.index.record(group)?;
        let scope = optional(group.parent).ok_or(Corrupt)?;
        let scope_record: &EntityRecord = self.index.record(scope)?;
        for held in self.at(scope) {
            let (through, bindings) = held?;
            if !through.is_live() || through.is_built_in() {
                continue;
            }
            for binding in bindings {
                if self.holds_by_itself(binding, scope_record)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether a binding is in force, whoever has it.
    fn holds_by_itself(&self, binding: &BindingRecord, _scope: &EntityRecord) -> Result<bool, Corrupt> {
        match optional(binding.terms) {
            Some(terms) => in_force(self.index, terms, self.time),
            None => Ok(true),
        }
    }
}

/// Whether a lifetime `[not_before, expires)` covers a moment and nothing is switched off.
pub(super) fn in_force(index: &Index, terms: u32, time: Timestamp) -> Result<bool, Corrupt> {
    let terms: &TermsRecord = index.record(terms)?;
    let flags = terms.flags.get();
    let moment = |seconds: i64, nanos: u32| Timestamp::new(seconds, nanos).ok_or(Corrupt);
    if flags & terms_flags::DISABLED != 0 {
        return Ok(false);
    }
    if flags & terms_flags::BEGINS != 0 && time < moment(terms.not_before_seconds.get(), terms.not_before_nanos.get())?
    {
        return Ok(false);
    }
    Ok(flags & terms_flags::ENDS == 0 || time < moment(terms.expires_seconds.get(), terms.expires_nanos.get())?)
}
