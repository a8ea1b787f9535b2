//! One record, one text, one range: the only places where bytes become anything.

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::compile::layout::{
    AlsoRecord, AttributeRecord, AttributeValueRecord, BindingRecord, ChangeRecord, CredentialRecord,
    CredentialScopeRecord, DemandRecord, EntityRecord, EntitySlot, ExclusiveRecord, ForbidRecord, HolderRecord,
    HolderValueRecord, HttpHeaderRecord, HttpPartRecord, HttpRouteRecord, HttpTemplateRecord, HttpValueRecord,
    InstructionRecord, LimitRecord, MembershipRecord, NONE, NameSlot, ParameterRecord, PermissionRecord, ProgramRecord,
    PurviewRecord, RequirementRecord, RoleRecord, RuleRecord, ScopeRequirementRecord, SeatClassRecord, SeatRuleRecord,
    Section, TargetedForbidRecord, TermsRecord, TypeRecord, ValueRecord,
};

use super::Index;

/// A reference that leads nowhere: the snapshot is inconsistent in itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the snapshot is inconsistent in itself")]
pub struct Corrupt;

/// A record that stands in a table of its own.
pub(crate) trait Record: FromBytes + Immutable + KnownLayout + Unaligned {
    /// The table.
    const SECTION: Section;
}

macro_rules! records {
    ($($record:ty => $section:ident),* $(,)?) => {
        $(impl Record for $record {
            const SECTION: Section = Section::$section;
        })*
    };
}

records! {
    NameSlot => Names,
    TypeRecord => Types,
    AttributeRecord => Attributes,
    PermissionRecord => Permissions,
    ParameterRecord => Parameters,
    AlsoRecord => Also,
    ValueRecord => Literals,
    ProgramRecord => Programs,
    InstructionRecord => Instructions,
    RoleRecord => Roles,
    RuleRecord => Rules,
    LimitRecord => Limits,
    PurviewRecord => Purviews,
    ChangeRecord => Changes,
    ExclusiveRecord => Exclusives,
    HolderRecord => Holders,
    HolderValueRecord => HolderValues,
    EntityRecord => Entities,
    EntitySlot => EntitySlots,
    AttributeValueRecord => AttributeValues,
    MembershipRecord => Memberships,
    BindingRecord => Bindings,
    TermsRecord => Terms,
    ForbidRecord => Forbids,
    TargetedForbidRecord => TargetedForbids,
    RequirementRecord => Requirements,
    SeatClassRecord => SeatClasses,
    SeatRuleRecord => SeatRules,
    CredentialRecord => Credentials,
    CredentialScopeRecord => CredentialScopes,
    ScopeRequirementRecord => ScopeRequirements,
    DemandRecord => Demands,
    HttpRouteRecord => HttpRoutes,
    HttpTemplateRecord => HttpTemplates,
    HttpPartRecord => HttpParts,
    HttpValueRecord => HttpValues,
    HttpHeaderRecord => HttpHeaders,
}

impl Index {
    /// A table's bytes.
    #[inline]
    pub(super) fn section(&self, section: Section) -> &[u8] {
        self.sections.get(section as usize).map_or(&[], |table| table)
    }

    /// A record by number.
    #[inline]
    pub(crate) fn record<T: Record>(&self, number: u32) -> Result<&T, Corrupt> {
        record_at(self.section(T::SECTION), number)
    }

    /// The records `[start, end)`.
    #[inline]
    pub(crate) fn records<T: Record>(&self, start: u32, end: u32) -> Result<&[T], Corrupt> {
        run(self.section(T::SECTION), start, end)
    }

    /// How many records a table has.
    #[inline]
    pub(crate) fn count<T: Record>(&self) -> u32 {
        let size = size_of::<T>().max(1);
        u32::try_from(self.section(T::SECTION).len() / size).unwrap_or(u32::MAX)
    }

    /// Plain numbers of a table that holds nothing else.
    #[inline]
    pub(crate) fn numbers(&self, section: Section, start: u32, end: u32) -> Result<&[U32], Corrupt> {
        run(self.section(section), start, end)
    }

    /// One plain number.
    #[inline]
    pub(super) fn number_at(&self, section: Section, at: usize) -> Result<u32, Corrupt> {
        let start = at.checked_mul(4).ok_or(Corrupt)?;
        let bytes = self.section(section).get(start..).and_then(<[u8]>::first_chunk).ok_or(Corrupt)?;
        Ok(u32::from_le_bytes(*bytes))
    }

    /// A text's bytes.
    #[inline]
    pub(crate) fn text_bytes(&self, text: u32) -> Result<&[u8], Corrupt> {
        let table = self.section(Section::Strings);
        let rest = usize::try_from(text).ok().and_then(|start| table.get(start..)).ok_or(Corrupt)?;
        let (length, rest) = rest.split_first_chunk::<2>().ok_or(Corrupt)?;
        rest.get(..usize::from(u16::from_le_bytes(*length))).ok_or(Corrupt)
    }

    /// A text, for people.
    pub(crate) fn text(&self, text: u32) -> Result<&str, Corrupt> {
        std::str::from_utf8(self.text_bytes(text)?).map_err(|_| Corrupt)
    }
}

/// A reference that may be absent.
#[inline]
pub(crate) fn optional(number: U32) -> Option<u32> {
    Some(number.get()).filter(|number| *number != NONE)
}

/// Whether two texts are the same. Most are short: comparing them word by word costs less than a call would.
#[inline]
pub(super) fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        false
    } else if left.len() > 16 {
        left == right
    } else if let (Some(left), Some(right)) = (ends::<8>(left), ends::<8>(right)) {
        left.map(u64::from_le_bytes) == right.map(u64::from_le_bytes)
    } else if let (Some(left), Some(right)) = (ends::<4>(left), ends::<4>(right)) {
        left.map(u32::from_le_bytes) == right.map(u32::from_le_bytes)
    } else {
        left.iter().eq(right)
    }
}

/// The first and the last bytes; they overlap in a text that is shorter than both.
#[inline]
fn ends<const N: usize>(text: &[u8]) -> Option<[[u8; N]; 2]> {
    Some([*text.first_chunk()?, *text.last_chunk()?])
}

#[inline]
fn record_at<T: FromBytes + Immutable + KnownLayout + Unaligned>(table: &[u8], number: u32) -> Result<&T, Corrupt> {
    let start = usize::try_from(number).ok().and_then(|number| number.checked_mul(size_of::<T>())).ok_or(Corrupt)?;
    let end = start.checked_add(size_of::<T>()).ok_or(Corrupt)?;
    table.get(start..end).and_then(|bytes| T::ref_from_bytes(bytes).ok()).ok_or(Corrupt)
}

#[inline]
fn run<T: FromBytes + Immutable + KnownLayout + Unaligned>(
    table: &[u8],
    start: u32,
    end: u32,
) -> Result<&[T], Corrupt> {
    let place = |number: u32| usize::try_from(number).ok().and_then(|number| number.checked_mul(size_of::<T>()));
    let (start, end) = (place(start).ok_or(Corrupt)?, place(end).ok_or(Corrupt)?);
    table.get(start..end).and_then(|bytes| <[T]>::ref_from_bytes(bytes).ok()).ok_or(Corrupt)
}
