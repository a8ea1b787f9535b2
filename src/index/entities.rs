//! A type and an id → an entity: the one look-up whose table may be larger than every cache.

use crate::compile::layout::{BindingRecord, EntityRecord, EntitySlot, NONE, entity_hash, entity_tag, first_slot};

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
    /// How many slots may still follow.
    left: u32,
    /// The slot at that place, once it has been looked at.
    slot: Option<EntitySlot>,
    /// What has been read so far of what was not needed yet.
    seen: u32,
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
        self.found(self.seek(kind, id))
    }

    /// Begins to look for the entity of a type and id: where its slot would be. Nothing is read yet.
    #[inline]
    pub(crate) fn seek<'i>(&self, kind: u16, id: &'i str) -> Sought<'i> {
        let hash = entity_hash(self.entity_seed, kind, id.as_bytes());
        let at = first_slot(hash, self.count::<EntitySlot>());
        Sought { kind, id, tag: entity_tag(hash), at, left: self.entity_probes, slot: None, seen: 0 }
    }

    /// Reads the first slot.
    #[inline]
    pub(crate) fn look(&self, sought: &mut Sought<'_>) -> Result<(), Corrupt> {
        sought.slot = Some(*self.record(sought.at)?);
        Ok(())
    }

    /// Goes on to the slot whose tag fits, and reads the entity to which it leads.
    #[inline]
    pub(crate) fn approach(&self, sought: &mut Sought<'_>) -> Result<(), Corrupt> {
        if let Some(entity) = self.next_likely(sought)? {
            let (record, next) = self.entity_and_next(entity)?;
            sought.seen = u32::from(record.kind.get()) ^ next.bindings.get();
        }
        Ok(())
    }

    /// Reads what a decision reads of that entity, and of the one above it. What it returns means nothing: it is there
    /// to be waited for.
    #[inline]
    pub(crate) fn touch(&self, sought: &mut Sought<'_>) -> Result<u32, Corrupt> {
        let Some(entity) = self.next_likely(sought)? else { return Ok(sought.seen) };
        let (record, next) = self.entity_and_next(entity)?;
        let mut seen = sought.seen;
        if let [first, .., last] = self.text_bytes(record.id.get())? {
            seen ^= u32::from(first ^ last);
        }
        if let Some(above) = optional(record.parent) {
            let above: &EntityRecord = self.record(above)?;
            seen ^= above.id.get() ^ above.parent.get();
        }
        if let [first, .., last] = self.records::<BindingRecord>(record.bindings.get(), next.bindings.get())? {
            seen ^= first.scope.get() ^ last.role.get();
        }
        Ok(seen)
    }

    /// The entity that was sought. A slot's tag is only a hint: the type and every byte of the id are compared.
    #[inline]
    pub(crate) fn found(&self, mut sought: Sought<'_>) -> Result<Option<u32>, Corrupt> {
        while let Some(entity) = self.next_likely(&mut sought)? {
            let record: &EntityRecord = self.record(entity)?;
            if record.kind.get() == sought.kind && same(self.text_bytes(record.id.get())?, sought.id.as_bytes()) {
                return Ok(Some(entity));
            }
            if !self.step(&mut sought)? {
                break;
            }
        }
        Ok(None)
    }

    /// The entity of the slot, or of the next one whose tag fits.
    #[inline]
    fn next_likely(&self, sought: &mut Sought<'_>) -> Result<Option<u32>, Corrupt> {
        loop {
            let slot = match sought.slot {
                Some(slot) => slot,
                None => *sought.slot.insert(*self.record(sought.at)?),
            };
            let entity = slot.entity.get();
            if entity == NONE {
                return Ok(None);
            }
            if slot.tag.get() == sought.tag {
                return Ok(Some(entity));
            }
            if !self.step(sought)? {
                return Ok(None);
            }
        }
    }

    /// Goes on to the next slot, if there may be one.
    #[inline]
    fn step(&self, sought: &mut Sought<'_>) -> Result<bool, Corrupt> {
        let Some(left) = sought.left.checked_sub(1) else { return Ok(false) };
        let next = sought.at + 1;
        sought.left = left;
        sought.at = if next == self.count::<EntitySlot>() { 0 } else { next };
        sought.slot = Some(*self.record(sought.at)?);
        Ok(true)
    }
}
