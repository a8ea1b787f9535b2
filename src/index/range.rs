//! The entities of a type: they stand together and in the order of their ids, which opening checks.

use std::ops::Range;

use crate::compile::layout::{EntityRecord, MAX_SCOPE_DEPTH, TypeRecord, type_flags};
use crate::model::Entity;

use super::Index;
use super::read::{Corrupt, optional};

impl Index {
    /// The numbers of a type's entities.
    pub(crate) fn entities_of(&self, kind: u16) -> Result<Range<u32>, Corrupt> {
        let all: &[EntityRecord] = self.records(0, self.entities())?;
        let start = all.partition_point(|record| record.kind.get() < kind);
        let end = all.partition_point(|record| record.kind.get() <= kind);
        let number = |place: usize| u32::try_from(place).map_err(|_| Corrupt);
        Ok(number(start)?..number(end)?)
    }

    /// How many entities are of types with such flags.
    pub(crate) fn count_entities(&self, are_meant: impl Fn(u32) -> bool) -> Result<usize, Corrupt> {
        let all: &[TypeRecord] = self.records(0, self.count::<TypeRecord>())?;
        let kinds = all.iter().zip(0..).filter(|(record, _)| are_meant(record.flags.get()));
        kinds.map(|(_, kind)| self.entities_of(kind).map(|entities| entities.len())).sum()
    }

    /// The types of those who ask, by number.
    pub(crate) fn subject_types(&self) -> Result<Vec<u16>, Corrupt> {
        let all: &[TypeRecord] = self.records(0, self.count::<TypeRecord>())?;
        let subjects = all.iter().zip(0..).filter(|(record, _)| record.flags.get() & type_flags::SUBJECT != 0);
        Ok(subjects.map(|(_, number)| number).collect())
    }

    /// An entity's type and id.
    pub(crate) fn entity(&self, entity: u32) -> Result<Entity<'_>, Corrupt> {
        let record: &EntityRecord = self.record(entity)?;
        Ok(Entity { kind: self.type_name(record.kind.get())?, id: self.text(record.id.get())? })
    }

    /// Whether an entity is a scope or stands below it.
    pub(crate) fn is_within(&self, entity: u32, scope: u32) -> Result<bool, Corrupt> {
        let mut next = Some(entity);
        // A chain that does not end within the cap was refused at load: it can only be a damaged snapshot.
        for _ in 0..MAX_SCOPE_DEPTH {
            match next {
                None => return Ok(false),
                Some(own) if own == scope => return Ok(true),
                Some(own) => next = optional(self.record::<EntityRecord>(own)?.parent),
            }
        }
        if next.is_none() { Ok(false) } else { Err(Corrupt) }
    }
}
