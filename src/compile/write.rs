//! Everything resolved → one buffer of tables.

mod facts;
mod grants;
mod http;
mod vocabulary;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromZeros, Immutable, IntoBytes};

use super::entities::Entities;
use super::intern::{Strings, number};
use super::layout::{
    EntitySlot, HeaderRecord, MAGIC, NONE, NameKind, NameSlot, SECTIONS, Section, SectionRecord, VERSION, entity_hash,
    entity_tag, name_hash,
};
use super::slots::{Slots, fill};

/// The first seed of the name hash; names are few and the policy author's own.
const NAME_SEED: u64 = 0x51de_9a7e;

/// The tables while they grow.
#[derive(Debug)]
pub(super) struct Tables {
    /// Every text.
    pub(super) strings: Strings,
    sections: [Vec<u8>; SECTIONS],
    names: Vec<(NameKind, u32, String, u32)>,
    flags: u32,
    name_slots: Option<(u64, u32)>,
    entity_slots: Option<(u64, u32)>,
    problem: Option<String>,
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            strings: Strings::default(),
            sections: std::array::from_fn(|_| Vec::new()),
            names: Vec::new(),
            flags: 0,
            name_slots: None,
            entity_slots: None,
            problem: None,
        }
    }
}

impl Tables {
    fn push<T: IntoBytes + Immutable>(&mut self, section: Section, record: &T) {
        self.push_bytes(section, record.as_bytes());
    }

    fn push_bytes(&mut self, section: Section, bytes: &[u8]) {
        if let Some(table) = self.sections.get_mut(section as usize) {
            table.extend_from_slice(bytes);
        }
    }

    fn name(&mut self, kind: NameKind, owner: u32, name: &str, value: u32) -> U32 {
        self.names.push((kind, owner, name.to_owned(), value));
        self.strings.intern(name).into()
    }

    fn write_entity_slots(&mut self, entities: &Entities<'_>) {
        let mut ids = blake3::Hasher::new();
        for info in &entities.list {
            ids.update(&info.kind.to_le_bytes());
            ids.update(&number(info.id.len()).to_le_bytes());
            ids.update(info.id.as_bytes());
        }
        let seed = ids.finalize().as_bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let hash =
            |seed, at: usize| entities.list.get(at).map_or(0, |info| entity_hash(seed, info.kind, info.id.as_bytes()));
        match fill(entities.list.len(), seed, hash) {
            Ok(Slots { seed, probes, keys }) => {
                self.entity_slots = Some((seed, probes));
                for entity in keys {
                    let tag = usize::try_from(entity).map_or(0, |at| entity_tag(hash(seed, at)));
                    self.push(Section::EntitySlots, &EntitySlot { tag: tag.into(), entity: entity.into() });
                }
            }
            Err(problem) => self.problem = Some(problem),
        }
    }

    fn write_names(&mut self) {
        let names = std::mem::take(&mut self.names);
        let hash = |seed, at: usize| {
            names.get(at).map_or(0, |(kind, owner, name, _)| name_hash(seed, *kind, *owner, name.as_bytes()))
        };
        match fill(names.len(), NAME_SEED, hash) {
            Ok(Slots { seed, probes, keys }) => {
                self.name_slots = Some((seed, probes));
                for slot in keys {
                    let named = usize::try_from(slot).ok().and_then(|at| names.get(at));
                    let record = named.map_or(
                        NameSlot { value: NONE.into(), ..NameSlot::new_zeroed() },
                        |(kind, owner, name, value)| NameSlot {
                            kind: *kind as u8,
                            reserved: [0; 3],
                            owner: (*owner).into(),
                            name: self.strings.intern(name).into(),
                            value: (*value).into(),
                        },
                    );
                    self.push(Section::Names, &record);
                }
            }
            Err(problem) => self.problem = Some(problem),
        }
    }

    /// The body.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, String> {
        self.write_names();
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        let (name_seed, name_probes) = self.name_slots.unwrap_or_default();
        let (entity_seed, entity_probes) = self.entity_slots.unwrap_or_default();
        let mut sections = self.sections;
        if let Some(table) = sections.get_mut(Section::Strings as usize) {
            *table = self.strings.finish()?;
        }
        if sections.iter().enumerate().any(|(section, table)| is_too_long(section, table.len())) {
            return Err("the tables of this snapshot have more records than can be numbered".to_owned());
        }
        let mut start = size_of::<HeaderRecord>();
        let places = std::array::from_fn(|at| {
            let length = sections.get(at).map_or(0, Vec::len);
            let place = SectionRecord { start: wide(start), length: wide(length) };
            start += length;
            place
        });
        let header = HeaderRecord {
            magic: MAGIC,
            version: VERSION.into(),
            flags: self.flags.into(),
            name_seed: name_seed.into(),
            entity_seed: entity_seed.into(),
            name_probes: name_probes.into(),
            entity_probes: entity_probes.into(),
            sections: places,
        };
        let mut body = Vec::with_capacity(start);
        body.extend_from_slice(header.as_bytes());
        // Each table goes as soon as it is copied: together they are as large as the body.
        for section in &mut sections {
            body.extend_from_slice(&std::mem::take(section));
        }
        Ok(body)
    }
}

/// Whether a table has more than can be numbered; a reference beyond that would be another's.
fn is_too_long(section: usize, bytes: usize) -> bool {
    let is_of_bytes = section == Section::LevelSets as usize || section == Section::PermissionSets as usize;
    // No record is smaller than a number.
    let most = bytes / if is_of_bytes { 1 } else { size_of::<U32>() };
    u32::try_from(most).map_or(true, |most| most == NONE)
}

fn wide(count: usize) -> U64 {
    U64::new(u64::try_from(count).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_with_more_than_can_be_numbered_is_too_long() {
        let most = usize::try_from(NONE).unwrap();
        for (section, unit) in [(Section::PermissionSets, 1), (Section::LevelSets, 1), (Section::Lists, 4)] {
            assert!(!is_too_long(section as usize, (most - 1) * unit), "{section:?}");
            assert!(is_too_long(section as usize, most * unit), "{section:?}");
            assert!(is_too_long(section as usize, (most + 1) * unit), "{section:?}");
        }
    }
}
