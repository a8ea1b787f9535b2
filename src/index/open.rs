//! Bytes → an index: what is checked once, so that a damaged or foreign file is refused as a whole.

use std::collections::HashSet;

use bytes::Bytes;
use zerocopy::FromBytes;
use zerocopy::little_endian::U32;

use crate::compile::layout::{
    AlsoRecord, AttributeRecord, AttributeValueRecord, BindingRecord, ChangeRecord, CredentialRecord,
    CredentialScopeRecord, DemandRecord, EntityRecord, EntitySlot, ExclusiveRecord, ForbidRecord, HeaderRecord,
    HolderRecord, HolderValueRecord, HttpHeaderRecord, HttpPartRecord, HttpRouteRecord, HttpTemplateRecord,
    HttpValueRecord, InstructionRecord, LimitRecord, MAGIC, MembershipRecord, NONE, NameSlot, ParameterRecord,
    PermissionRecord, ProgramRecord, PurviewRecord, RequirementRecord, RoleRecord, RuleRecord, SECTIONS, SUBJECT_TYPES,
    ScopeRequirementRecord, SeatClassRecord, SeatRuleRecord, Section, TargetedForbidRecord, TermsRecord, TypeRecord,
    VERSION, ValueRecord,
};

mod conditions;
mod credentials;
mod entities;
mod grants;
mod holders;
mod http;
mod vocabulary;

use super::Index;
use super::read::{Corrupt, Record};

/// Why bytes are not an index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// They do not begin as an index does.
    #[error("this is not a compiled snapshot")]
    Foreign,
    /// They were written by another version of the layout.
    #[error("this is a compiled snapshot of layout {found}; this program reads layout {VERSION}")]
    Version {
        /// What they say.
        found: u32,
    },
    /// They are damaged.
    #[error("the compiled snapshot is damaged: {what}")]
    Damaged {
        /// What does not fit.
        what: &'static str,
    },
}

/// How many bytes are read, hashed or written between two pauses: some microseconds.
pub(crate) const STEP_BYTES: usize = 64 * 1024;
/// How many records are looked at.
const STEP_RECORDS: usize = 256;

impl Index {
    /// Opens and validates.
    ///
    /// # Errors
    /// Bytes that are foreign, of another version, cut, or inconsistent in any reference.
    pub fn open(bytes: Vec<u8>) -> Result<Self, OpenError> {
        Self::open_behind(bytes, 0, &mut || {})
    }

    /// As [`Index::open`], for bytes of which the first `start` are not its own: a large file is never copied. The tables
    /// that may be long are looked at some hundred records at a time, with a call of `pause` in between.
    pub(super) fn open_behind(bytes: Vec<u8>, start: usize, pause: &mut dyn FnMut()) -> Result<Self, OpenError> {
        let whole = Bytes::from(bytes);
        let own = whole.slice(start.min(whole.len())..);
        let (header, _) = HeaderRecord::ref_from_prefix(&own).map_err(|_| OpenError::Foreign)?;
        if header.magic != MAGIC {
            return Err(OpenError::Foreign);
        }
        if header.version.get() != VERSION {
            return Err(OpenError::Version { found: header.version.get() });
        }
        let index = Self {
            sections: sections(header, own.len())?.map(|(from, to)| own.slice(from..to)),
            flags: header.flags.get(),
            name_seed: header.name_seed.get(),
            entity_seed: header.entity_seed.get(),
            name_probes: header.name_probes.get(),
            entity_probes: header.entity_probes.get(),
            digest: digest(&own, pause),
            bytes: own.clone(),
        };
        index.validate(pause)?;
        Ok(index)
    }

    fn validate(&self, pause: &mut dyn FnMut()) -> Result<(), OpenError> {
        let damaged = |what| move |Corrupt| OpenError::Damaged { what };
        self.check_sizes()?;
        self.check_levels(pause).map_err(damaged("levels"))?;
        self.check_names(pause).map_err(damaged("names"))?;
        self.check_types().map_err(damaged("types"))?;
        self.check_permissions().map_err(damaged("permissions"))?;
        self.check_values(pause).map_err(damaged("values"))?;
        self.check_conditions(pause).map_err(damaged("conditions"))?;
        self.check_roles(pause).map_err(damaged("roles"))?;
        self.check_requirements(pause).map_err(damaged("requirements"))?;
        self.check_seats().map_err(damaged("seats"))?;
        self.check_entities(pause).map_err(damaged("entities"))?;
        self.check_forbids(pause).map_err(damaged("forbids"))?;
        self.check_credentials(pause).map_err(damaged("credentials"))?;
        self.check_http().map_err(damaged("routes"))
    }

    /// Every table is a whole number of records.
    fn check_sizes(&self) -> Result<(), OpenError> {
        let whole = [
            self.is_whole::<NameSlot>(),
            self.is_whole::<TypeRecord>(),
            self.is_whole::<AttributeRecord>(),
            self.is_whole::<PermissionRecord>(),
            self.is_whole::<ParameterRecord>(),
            self.is_whole::<AlsoRecord>(),
            self.is_whole::<ValueRecord>(),
            self.is_whole::<ProgramRecord>(),
            self.is_whole::<InstructionRecord>(),
            self.is_whole::<RoleRecord>(),
            self.is_whole::<RuleRecord>(),
            self.is_whole::<LimitRecord>(),
            self.is_whole::<PurviewRecord>(),
            self.is_whole::<ChangeRecord>(),
            self.is_whole::<ExclusiveRecord>(),
            self.is_whole::<HolderRecord>(),
            self.is_whole::<HolderValueRecord>(),
            self.section(Section::TypeLists).len().is_multiple_of(4),
            self.section(Section::RoleLists).len().is_multiple_of(4),
            self.is_whole::<EntityRecord>(),
            self.is_whole::<AttributeValueRecord>(),
            self.is_whole::<MembershipRecord>(),
            self.is_whole::<BindingRecord>(),
            self.is_whole::<TermsRecord>(),
            self.is_whole::<ForbidRecord>(),
            self.is_whole::<TargetedForbidRecord>(),
            self.is_whole::<RequirementRecord>(),
            self.is_whole::<SeatClassRecord>(),
            self.is_whole::<SeatRuleRecord>(),
            self.section(Section::Lists).len().is_multiple_of(4),
            self.is_whole::<CredentialRecord>(),
            self.is_whole::<CredentialScopeRecord>(),
            self.is_whole::<ScopeRequirementRecord>(),
            self.is_whole::<DemandRecord>(),
            self.is_whole::<HttpRouteRecord>(),
            self.is_whole::<HttpTemplateRecord>(),
            self.is_whole::<HttpPartRecord>(),
            self.is_whole::<HttpValueRecord>(),
            self.is_whole::<HttpHeaderRecord>(),
            self.section(Section::CredentialLists).len().is_multiple_of(4),
            self.section(Section::Parents).len().is_multiple_of(4),
            self.is_whole::<EntitySlot>(),
            self.section(Section::GeneralForbids).len().is_multiple_of(4),
            self.count::<TypeRecord>() < u32::from(SUBJECT_TYPES),
        ];
        if whole.contains(&false) { Err(OpenError::Damaged { what: "the sizes of its tables" }) } else { Ok(()) }
    }

    fn is_whole<T: Record>(&self) -> bool {
        self.section(T::SECTION).len().is_multiple_of(size_of::<T>())
    }

    fn all<T: Record>(&self) -> Result<&[T], Corrupt> {
        self.records(0, self.count::<T>())
    }

    /// A list in which a look-up may search: in order, none twice.
    fn check_order(&self, section: Section, start: U32, end: U32, seen: &mut Ranges) -> Result<(), Corrupt> {
        let list = self.numbers(section, start.get(), end.get())?;
        ensure(!seen.is_new(start.get(), end.get())? || list.is_sorted_by(|a, b| a.get() < b.get()))
    }

    /// The ranges of a table of numbers.
    fn ranges_of(&self, section: Section) -> Ranges {
        Ranges::within(self.section(section).len() / size_of::<U32>())
    }

    /// The ranges of a table of records.
    fn ranges<T: Record>(&self) -> Ranges {
        Ranges::within(usize::try_from(self.count::<T>()).unwrap_or(0))
    }

    fn optional_record<T: Record>(&self, number: U32) -> Result<(), Corrupt> {
        if number.get() == NONE { Ok(()) } else { self.record::<T>(number.get()).map(drop) }
    }
}

/// The ranges of one table that were looked through. What the compiler writes overlaps only where it is the same: so each
/// is looked through once, and all together are no longer than the table. Else a small file of ranges that overlap in
/// part would take quadratic time.
struct Ranges {
    seen: HashSet<(u32, u32)>,
    left: usize,
}

impl Ranges {
    fn within(length: usize) -> Self {
        Self { seen: HashSet::new(), left: length }
    }

    /// Whether a range is still to be looked through.
    fn is_new(&mut self, start: u32, end: u32) -> Result<bool, Corrupt> {
        let length = usize::try_from(end.checked_sub(start).ok_or(Corrupt)?).map_err(|_| Corrupt)?;
        if length == 0 || !self.seen.insert((start, end)) {
            return Ok(false);
        }
        self.left = self.left.checked_sub(length).ok_or(Corrupt)?;
        Ok(true)
    }
}

/// Where each table stands; the tables fill the body without gaps, in order.
fn sections(header: &HeaderRecord, length: usize) -> Result<[(usize, usize); SECTIONS], OpenError> {
    let damaged = OpenError::Damaged { what: "the places of its tables" };
    let mut sections = [(0, 0); SECTIONS];
    let mut expected = size_of::<HeaderRecord>();
    for (place, section) in header.sections.iter().zip(&mut sections) {
        let start = usize::try_from(place.start.get()).map_err(|_| damaged.clone())?;
        let bytes = usize::try_from(place.length.get()).map_err(|_| damaged.clone())?;
        let end = start.checked_add(bytes).filter(|end| *end <= length).ok_or_else(|| damaged.clone())?;
        if start != expected {
            return Err(damaged);
        }
        *section = (start, end);
        expected = end;
    }
    if expected == length { Ok(sections) } else { Err(damaged) }
}

fn digest(bytes: &[u8], pause: &mut dyn FnMut()) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for step in bytes.chunks(STEP_BYTES) {
        hasher.update(step);
        pause();
    }
    *hasher.finalize().as_bytes()
}

/// Checks all of what grows with facts or roles.
fn each<T>(
    all: impl IntoIterator<Item = T>,
    pause: &mut dyn FnMut(),
    mut check: impl FnMut(T) -> Result<(), Corrupt>,
) -> Result<(), Corrupt> {
    each_with_more(all, pause, |one| check(one).map(|()| 0))
}

/// The same of what has more to look at; `check` says how many records it was.
fn each_with_more<T>(
    all: impl IntoIterator<Item = T>,
    pause: &mut dyn FnMut(),
    mut check: impl FnMut(T) -> Result<usize, Corrupt>,
) -> Result<(), Corrupt> {
    let mut since = STEP_RECORDS;
    all.into_iter().try_for_each(|one| {
        if since >= STEP_RECORDS {
            pause();
            since = 0;
        }
        since += 1 + check(one)?;
        Ok(())
    })
}

fn ensure(holds: bool) -> Result<(), Corrupt> {
    if holds { Ok(()) } else { Err(Corrupt) }
}
