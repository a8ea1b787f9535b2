//! A type and an id → an entity: the one look-up whose table may be larger than every cache.

use crate::compile::layout::{EntityRecord, EntitySlot, NONE, entity_hash, entity_tag, first_slot};

use super::Index;
use super::read::{Corrupt, same};

/// An entity that is looked for: where its slot would be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sought<'i> {
    kind: u16,
    id: &'i str,
    tag: u32,
    at: u32,
    /// The first slot, copied: it has been read.
    slot: EntitySlot,
    /// The type of the entity of that slot, where the tag fits.
    likely: Option<u16>,
}

impl Sought<'_> {
    /// The type in which it is looked for.
    pub(crate) fn kind(&self) -> u16 {
        self.kind
    }
}

impl Index {
    /// The entity of a type and id.
    #[inline]
    pub(crate) fn entity_named(&self, kind: u16, id: &str) -> Result<Option<u32>, Corrupt> {
        self.found(self.seek(kind, id)?)
    }

    /// Begins to look for the entity of a type and id: whoever looks for several waits for all of them at once.
    #[inline]
    pub(crate) fn seek<'i>(&'i self, kind: u16, id: &'i str) -> Result<Sought<'i>, Corrupt> {
        let hash = entity_hash(self.entity_seed, kind, id.as_bytes());
        let at = first_slot(hash, self.count::<EntitySlot>());
        let slot: &EntitySlot = self.record(at)?;
        Ok(Sought { kind, id, tag: entity_tag(hash), at, slot: *slot, likely: None })
    }

    /// Reads the entity to which the first slot leads, if it may be the one: a wait that others can share.
    #[inline]
    pub(crate) fn approach(&self, sought: &mut Sought<'_>) -> Result<(), Corrupt> {
        if sought.slot.tag.get() == sought.tag && sought.slot.entity.get() != NONE {
            sought.likely = Some(self.record::<EntityRecord>(sought.slot.entity.get())?.kind.get());
        }
        Ok(())
    }

    /// The entity that was sought. A slot's tag is only a hint: the type and every byte of the id are compared.
    #[inline]
    pub(crate) fn found(&self, sought: Sought<'_>) -> Result<Option<u32>, Corrupt> {
        let Sought { kind, id, tag, mut at, mut slot, mut likely } = sought;
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
