//! What opening checks of entities: their order, their attributes and what they hold.

use crate::compile::layout::{
    AttributeRecord, AttributeValueRecord, BindingRecord, EntityRecord, EntitySlot, NONE, RoleRecord, TermsRecord,
    TypeRecord, ValueRecord,
};
use crate::index::Index;
use crate::index::read::Corrupt;

use super::{STEP_RECORDS, each, each_with_more, ensure};

impl Index {
    pub(super) fn check_entities(&self, pause: &mut dyn FnMut()) -> Result<(), Corrupt> {
        ensure(self.count::<EntityRecord>() > 0)?;
        let (entities, roles) = (self.entities(), self.count::<RoleRecord>());
        let (mut earlier, mut many) = (None, Vec::new());
        each_with_more(0..entities, pause, |entity| {
            let record: &EntityRecord = self.record(entity)?;
            // By type, then id, none twice: what lists find by search is what a look-up by name finds.
            let place = Some((record.kind.get(), self.text(record.id.get())?.as_bytes()));
            ensure(earlier < place)?;
            earlier = place;
            self.record::<TypeRecord>(u32::from(record.kind.get()))?;
            ensure(record.parent.get() == NONE || record.parent.get() < entities)?;
            let next: &EntityRecord = self.record(entity + 1)?;
            self.records::<AttributeValueRecord>(record.values.get(), next.values.get())?;
            let memberships = self.check_memberships(entity)?;
            let held = self.held_by(entity)?;
            if held.all().len() > STEP_RECORDS {
                many.push(held);
                return Ok(memberships);
            }
            ensure(held.is_sorted())?;
            Ok(memberships + held.all().len())
        })?;
        for held in many {
            each(held.all().windows(2), pause, |two| ensure(two.is_sorted_by_key(|binding| binding.scope.get())))?;
        }
        each(self.all::<BindingRecord>()?, pause, |binding| {
            ensure(binding.scope.get() < entities && binding.role.get() < roles)?;
            self.optional_record::<TermsRecord>(binding.terms)
        })?;
        let mut lists = self.ranges::<ValueRecord>();
        each(self.all::<AttributeValueRecord>()?, pause, |value| {
            self.record::<AttributeRecord>(value.attribute.get())?;
            self.check_value(&value.value, &mut lists)
        })?;
        let slots = self.all::<EntitySlot>()?;
        ensure(slots.iter().any(|slot| slot.entity.get() == NONE))?;
        each(slots, pause, |slot| ensure(slot.entity.get() == NONE || slot.entity.get() < entities))
    }
}
