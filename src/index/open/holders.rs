//! What opening checks of groups, requirements and seats: everything that they name exists and stands in order.

use zerocopy::little_endian::U32;

use crate::compile::layout::{
    EntityRecord, NONE, RequirementRecord, RoleRecord, SeatClassRecord, SeatRuleRecord, Section, TypeRecord,
    membership_flags, seat_places, type_flags,
};
use crate::index::Index;
use crate::index::read::{Corrupt, Record};

use super::{Ranges, each, ensure};

impl Index {
    /// Subjects alone are in groups, in each once; who is in `members_of(...)` is found out on the group's parent.
    /// How many there are.
    pub(super) fn check_memberships(&self, entity: u32) -> Result<usize, Corrupt> {
        let memberships = self.memberships(entity)?;
        ensure(memberships.is_empty() || self.sort_of(entity)? & type_flags::SUBJECT != 0)?;
        let mut earlier = None;
        for membership in memberships {
            let (group, flags) = (membership.group.get(), membership.flags.get());
            ensure(earlier < Some(group))?;
            earlier = Some(group);
            ensure(self.sort_of(group)? & type_flags::GROUP != 0)?;
            ensure(flags & !(membership_flags::LIVE | membership_flags::MEMBERS_OF | membership_flags::ALL) == 0)?;
            let record: &EntityRecord = self.record(group)?;
            ensure((flags & membership_flags::MEMBERS_OF != 0) == (record.parent.get() != NONE))?;
        }
        Ok(memberships.len())
    }

    /// Each role's requirements.
    pub(super) fn check_requirements(&self, pause: &mut dyn FnMut()) -> Result<(), Corrupt> {
        each(self.all::<RoleRecord>()?, pause, |role| {
            self.records::<RequirementRecord>(role.requirements.get(), role.requirements_end.get()).map(drop)
        })?;
        let mut seen = self.ranges_of(Section::Lists);
        each(self.all::<RequirementRecord>()?, pause, |requirement| {
            self.record::<TypeRecord>(u32::from(requirement.held_at.get()))?;
            self.record::<TypeRecord>(u32::from(requirement.on.get()))?;
            self.check_list::<RoleRecord>(requirement.has, requirement.has_end, &mut seen)?;
            self.check_list::<RoleRecord>(requirement.has_no, requirement.has_no_end, &mut seen)
        })
    }

    /// Each class of seats.
    pub(super) fn check_seats(&self) -> Result<(), Corrupt> {
        let mut seen = self.ranges_of(Section::Lists);
        for class in self.all::<SeatClassRecord>()? {
            self.text(class.name.get())?;
            self.check_list::<TypeRecord>(class.per, class.per_end, &mut seen)?;
            self.check_list::<TypeRecord>(class.subjects, class.subjects_end, &mut seen)?;
            self.records::<SeatRuleRecord>(class.rules.get(), class.rules_end.get())?;
        }
        for rule in self.all::<SeatRuleRecord>()? {
            self.check_list::<RoleRecord>(rule.roles, rule.roles_end, &mut seen)?;
            ensure(rule.places.get() & !(seat_places::HERE | seat_places::ABOVE | seat_places::BELOW) == 0)?;
        }
        Ok(())
    }

    /// Numbers of records of one kind, in order, none twice.
    fn check_list<T: Record>(&self, start: U32, end: U32, seen: &mut Ranges) -> Result<(), Corrupt> {
        self.check_order(Section::Lists, start, end, seen)?;
        // In order, so the last is the largest.
        let list = self.numbers(Section::Lists, start.get(), end.get())?;
        ensure(list.last().is_none_or(|item| item.get() < self.count::<T>()))
    }
}
