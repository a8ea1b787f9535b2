//! A type and an id → an entity: the one look-up whose table may be larger than every cache.

use crate::compile::layout::{EntityRecord, EntitySlot, NONE, entity_hash, entity_tag, first_slot};

use super::Index;
use super::read::{Corrupt, optional, same};

/// An entity that is looked for, and how far that has come. Each step reads what the one before has found: whoever looks
/// for several takes each step for all of them, and waits for their memory at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sought<'i> {
    kind: u16,
    id: &'i str,
    tag: u32,
    at: u32,
    /// The slot at that place, once it has been looked at.
    slot: Option<EntitySlot>,
    /// The type of the entity of that slot, where the tag fits.
    likely: Option<u16>,
}

impl Sought<'_> {
    /// The type in which it is looked for.
    pub(crate) fn kind(&self) -> u16 {
        self.kind
    }

    /// The entity of the first slot, where the tag fits.
    #[inline]
    fn likely_entity(&self) -> Option<u32> {
        self.slot.filter(|slot| slot.tag.get() == self.tag && slot.entity.get() != NONE).map(|slot| slot.entity.get())
    }
}

impl Index {
    /// The entity of a type and id.
    #[inline]
    pub(crate) fn entity_named(&self, kind: u16, id: &str) -> Result<Option<u32>, Corrupt> {
        self.found(self.seek(kind, id))
    }

    /// Begins to look for the entity of a type and id: where its slot would be. Nothing is read yet.
    #[inline]
    pub(crate) fn seek<'i>(&self, kind: u16, id: &'i str) -> Sought<'i> {
        let hash = entity_hash(self.entity_seed, kind, id.as_bytes());
        let at = first_slot(hash, self.count::<EntitySlot>());
        Sought { kind, id, tag: entity_tag(hash), at, slot: None, likely: None }
    }

    /// Reads the first slot.
    #[inline]
    pub(crate) fn look(&self, sought: &mut Sought<'_>) -> Result<(), Corrupt> {
        sought.slot = Some(*self.record(sought.at)?);
        Ok(())
    }

    /// Reads the entity to which the first slot leads, if it may be the one.
    #[inline]
    pub(crate) fn approach(&self, sought: &mut Sought<'_>) -> Result<(), Corrupt> {
        if let Some(likely) = sought.likely_entity() {
            sought.likely = Some(self.record::<EntityRecord>(likely)?.kind.get());
        }
        Ok(())
    }

    /// Reads the beginnings of what a decision reads of that entity, and of the one above it. What it returns means
    /// nothing: it is there to be waited for.
    #[inline]
    pub(crate) fn touch(&self, sought: &Sought<'_>) -> Result<u32, Corrupt> {
        let Some(likely) = sought.likely_entity() else { return Ok(0) };
        let record: &EntityRecord = self.record(likely)?;
        let mut seen = u32::from(self.text_bytes(record.id.get())?.first().copied().unwrap_or_default());
        if let Some(above) = optional(record.parent) {
            seen ^= self.record::<EntityRecord>(above)?.id.get();
        }
        if let Some(binding) = self.held_by(likely)?.all().first() {
            seen ^= binding.scope.get();
        }
        Ok(seen)
    }

    /// The entity that was sought. A slot's tag is only a hint: the type and every byte of the id are compared.
    #[inline]
    pub(crate) fn found(&self, sought: Sought<'_>) -> Result<Option<u32>, Corrupt> {
        let Sought { kind, id, tag, mut at, slot, mut likely } = sought;
        let mut slot = match slot {
            Some(slot) => slot,
            None => *self.record(at)?,
        };
        for _ in 0..=self.entity_probes {
            let entity = slot.entity.get();
            if entity == NONE {
                return Ok(None);
            }
            if slot.tag.get() == tag {
                let record: &EntityRecord = self.record(entity)?;
                let own = likely.take().unwrap_or(record.kind.get());
                if own == kind && same(self.text_bytes(record.id.get())?, id.as_bytes()) {
                    return Ok(Some(entity));
                }
            }
            at = if at + 1 == self.count::<EntitySlot>() { 0 } else { at + 1 };
            slot = *self.record(at)?;
        }
        Ok(None)
    }
}
