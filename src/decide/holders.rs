//! Who holds for a subject: itself, then every group that it is in; and whether what is held there is in force.
//!
//! In force is one thing everywhere: paths, membership, requirements, counts and levels ask the same function.

use crate::compile::layout::{
    BindingRecord, EntityRecord, MembershipRecord, RequirementRecord, RoleRecord, Section, TermsRecord,
    membership_flags, terms_flags,
};
use crate::index::{Corrupt, Held, Index, optional};
use crate::model::Timestamp;

use super::placement::nearest_above;

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

    /// What the subject holds itself.
    #[inline]
    pub(super) fn own(&self) -> Held<'i> {
        self.own
    }

    /// The groups, live or not.
    #[inline]
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
        role: &RoleRecord,
        scope: &EntityRecord,
    ) -> Result<bool, Corrupt> {
        Ok(self.holds_by_itself(binding, role, scope)? && self.is_live(through)?)
    }

    /// Whether what a holder holds reaches the subject now.
    #[inline]
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
                if self.holds_by_itself(binding, self.index.record(binding.role.get())?, scope_record)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether a binding to a role is in force, whoever has it.
    #[inline]
    fn holds_by_itself(
        &self,
        binding: &BindingRecord,
        role: &RoleRecord,
        scope: &EntityRecord,
    ) -> Result<bool, Corrupt> {
        if !self.is_within_terms(binding)? {
            return Ok(false);
        }
        let demands: &[RequirementRecord] = self.index.records(role.requirements.get(), role.requirements_end.get())?;
        for demand in demands.iter().filter(|demand| demand.held_at == scope.kind && demand.has != demand.has_end) {
            if !self.has_base(demand, scope)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_within_terms(&self, binding: &BindingRecord) -> Result<bool, Corrupt> {
        optional(binding.terms).map_or(Ok(true), |terms| in_force(self.index, terms, self.time))
    }

    /// Whether the subject holds one of the roles that a raise-only role rests on, itself, through a live group or
    /// through `all(...)`. A base has no requirements of its own there (checked at load): this does not recurse.
    fn has_base(&self, demand: &RequirementRecord, scope: &EntityRecord) -> Result<bool, Corrupt> {
        let bases = self.index.numbers(Section::Lists, demand.has.get(), demand.has_end.get())?;
        let Some(above) = nearest_above(self.index, scope, demand.on.get())? else { return Ok(false) };
        for held in self.at(above) {
            let (through, bindings) = held?;
            if !through.is_live() || through.has(membership_flags::MEMBERS_OF) {
                continue;
            }
            for base in bindings {
                let is_base = bases.binary_search_by_key(&base.role.get(), |own| own.get()).is_ok();
                if is_base && self.is_within_terms(base)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// Whether a lifetime has come to its end.
pub(super) fn has_ended(index: &Index, terms: u32, time: Timestamp) -> Result<bool, Corrupt> {
    let terms: &TermsRecord = index.record(terms)?;
    if terms.flags.get() & terms_flags::ENDS == 0 {
        return Ok(false);
    }
    Ok(time >= Timestamp::new(terms.expires_seconds.get(), terms.expires_nanos.get()).ok_or(Corrupt)?)
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
