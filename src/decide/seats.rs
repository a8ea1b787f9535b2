//! Seats: how many enabled subjects hold, at a moment, what a class of seats counts.
//!
//! One pass over the bindings, in which each group is looked at once however many members it has; it allocates and is
//! not for the hot path. In force is what it is for a decision.

use std::collections::{HashMap, HashSet};

use zerocopy::little_endian::U32;

use crate::compile::layout::{
    BindingRecord, EntityRecord, SeatClassRecord, SeatRuleRecord, Section, entity_flags, seat_places,
};
use crate::index::{Corrupt, Index, optional};
use crate::model::{Entity, Timestamp, order};

use super::holders::{Holders, Through};

/// Why there is no count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CountError {
    /// The policy has no such class of seats.
    #[error("the policy has no such class of seats")]
    UnknownClass,
    /// The snapshot holds no such scope.
    #[error("the snapshot holds no such scope")]
    UnknownScope,
    /// The snapshot is broken.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

/// The names of the policy's classes of seats, in order.
///
/// # Errors
/// A broken snapshot.
pub fn seat_classes(index: &Index) -> Result<Vec<String>, Corrupt> {
    let name = |class: u32| Ok(index.text(index.record::<SeatClassRecord>(class)?.name.get())?.to_owned());
    let mut names: Vec<String> = (0..index.count::<SeatClassRecord>()).map(name).collect::<Result<_, Corrupt>>()?;
    order::natural(&mut names);
    Ok(names)
}

/// How many distinct enabled subjects take a seat of a class on a scope; asked where the class has no seats, on all
/// scopes below that have.
///
/// # Errors
/// An unknown class or scope, or a broken snapshot.
pub fn count_seats(index: &Index, class: &str, scope: Entity<'_>, time: Timestamp) -> Result<u64, CountError> {
    let class = index.seat_class_named(class)?.ok_or(CountError::UnknownClass)?;
    let scope = super::scope_named(index, scope)?.ok_or(CountError::UnknownScope)?;
    let mut seats = Seats::new(index, class, scope)?;
    let mut count = 0;
    for kind in index.numbers(Section::Lists, class.subjects.get(), class.subjects_end.get())? {
        let kind = u16::try_from(kind.get()).map_err(|_| Corrupt)?;
        for subject in index.entities_of(kind)? {
            let record: &EntityRecord = index.record(subject)?;
            if record.flags.get() & entity_flags::DISABLED == 0 && seats.takes_one(subject, time)? {
                count += 1;
            }
        }
    }
    Ok(count)
}

/// A class of seats on a scope.
struct Seats<'i> {
    index: &'i Index,
    rules: Vec<(&'i [U32], u32)>,
    /// The scopes whose seats are counted.
    counted: HashSet<u32>,
    /// Everything above one of them.
    above: HashSet<u32>,
    /// What each group holds that counts, once it has been looked at.
    groups: HashMap<u32, Vec<&'i BindingRecord>>,
}

impl<'i> Seats<'i> {
    fn new(index: &'i Index, class: &'i SeatClassRecord, scope: u32) -> Result<Self, Corrupt> {
        let per = index.numbers(Section::Lists, class.per.get(), class.per_end.get())?;
        let kind = index.record::<EntityRecord>(scope)?.kind.get();
        let mut counted = HashSet::new();
        if per.iter().any(|own| own.get() == u32::from(kind)) {
            counted.insert(scope);
        } else {
            for kind in per {
                for entity in index.entities_of(u16::try_from(kind.get()).map_err(|_| Corrupt)?)? {
                    if index.is_within(entity, scope)? {
                        counted.insert(entity);
                    }
                }
            }
        }
        let mut above = HashSet::new();
        for entity in &counted {
            let mut next = optional(index.record::<EntityRecord>(*entity)?.parent);
            // What is above something known to be above is known as well: so this ends, and is linear.
            while let Some(entity) = next.filter(|entity| above.insert(*entity)) {
                next = optional(index.record::<EntityRecord>(entity)?.parent);
            }
        }
        let records: &[SeatRuleRecord] = index.records(class.rules.get(), class.rules_end.get())?;
        let mut rules = Vec::with_capacity(records.len());
        for rule in records {
            let roles = index.numbers(Section::Lists, rule.roles.get(), rule.roles_end.get())?;
            rules.push((roles, rule.places.get()));
        }
        Ok(Self { index, rules, counted, above, groups: HashMap::new() })
    }

    /// Whether a subject holds something that counts, itself or through a group.
    fn takes_one(&mut self, subject: u32, time: Timestamp) -> Result<bool, Corrupt> {
        let holders = Holders::of(self.index, subject, time)?;
        for binding in self.index.held_by(subject)?.all() {
            if self.counts(binding)? && self.in_force(&holders, Through::Itself, binding)? {
                return Ok(true);
            }
        }
        for membership in holders.groups() {
            let group = membership.group.get();
            if !self.groups.contains_key(&group) {
                let counting = self.counting(group)?;
                self.groups.insert(group, counting);
            }
            for binding in self.groups.get(&group).into_iter().flatten() {
                if self.in_force(&holders, Through::Group(membership), binding)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn in_force(&self, holders: &Holders<'i>, through: Through<'i>, binding: &BindingRecord) -> Result<bool, Corrupt> {
        let role = self.index.record(binding.role.get())?;
        holders.in_force(through, binding, role, self.index.record(binding.scope.get())?)
    }

    /// What a group holds that counts.
    fn counting(&self, group: u32) -> Result<Vec<&'i BindingRecord>, Corrupt> {
        let mut counting = Vec::new();
        for binding in self.index.held_by(group)?.all() {
            if self.counts(binding)? {
                counting.push(binding);
            }
        }
        Ok(counting)
    }

    /// Whether some rule names the role and the place where it is held.
    fn counts(&self, binding: &BindingRecord) -> Result<bool, Corrupt> {
        let role = binding.role.get();
        let mut places = 0;
        for (roles, held) in &self.rules {
            if roles.binary_search_by_key(&role, |own| own.get()).is_ok() {
                places |= held;
            }
        }
        if places == 0 {
            return Ok(false);
        }
        let scope = binding.scope.get();
        Ok(places & seat_places::HERE != 0 && self.counted.contains(&scope)
            || places & seat_places::ABOVE != 0 && self.above.contains(&scope)
            || places & seat_places::BELOW != 0 && self.is_below(scope)?)
    }

    /// Whether a scope stands below one whose seats are counted.
    fn is_below(&self, scope: u32) -> Result<bool, Corrupt> {
        for above in super::placement::chain(self.index, scope).skip(1) {
            if self.counted.contains(&above?.0) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
