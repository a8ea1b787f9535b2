//! The tables: what every byte of a compiled snapshot means.
//!
//! Little-endian, unaligned, addressed by number: [`crate::compile`] writes them and [`crate::index`] reads them in
//! place. Nothing here looks anything up.
//!
//! A reference is the number of a record in its table; [`NONE`] stands for "no such thing". A range of records is
//! `[start, end)`.

mod conditions;
mod credentials;
mod entities;
mod grants;
mod http;
mod rules;
mod values;
mod vocabulary;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

pub use conditions::*;
pub use credentials::*;
pub use entities::*;
pub use grants::*;
pub use http::*;
pub use rules::*;
pub use values::*;
pub use vocabulary::*;

/// The first bytes of a compiled body.
pub const MAGIC: [u8; 8] = *b"SIDEGATE";
/// The layout's version: any change of meaning raises it.
pub const VERSION: u32 = 5;
/// "No such thing" where a reference may be absent.
pub const NONE: u32 = u32::MAX;
/// "Any type" where a type may be left open; also the owner of context keys.
pub const ANY_TYPE: u16 = u16::MAX;
/// "Any subject type" in a reference's type.
pub const SUBJECT_TYPES: u16 = u16::MAX - 1;
/// The longest chain of a resource and its ancestors, both ends included (DESIGN section 2, "Caps").
pub const MAX_SCOPE_DEPTH: usize = 32;
/// The largest number of parameters of one action: they are held in a fixed array while deciding.
pub const MAX_PARAMETERS: usize = 8;

/// The tables, in the order in which they stand in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Section {
    /// Every text: two bytes of length, then UTF-8.
    Strings,
    /// [`NameSlot`]s, hashed by kind, owner and name.
    Names,
    /// [`TypeRecord`]s, in name order.
    Types,
    /// [`U32`]s: the types that may be a type's parent.
    Parents,
    /// [`AttributeRecord`]s, by owner, then name.
    Attributes,
    /// [`PermissionRecord`]s, by type, then action name.
    Permissions,
    /// [`ParameterRecord`]s, by permission.
    Parameters,
    /// [`AlsoRecord`]s.
    Also,
    /// [`ValueRecord`]s that conditions, defaults and enum types name; list items stand behind their list.
    Literals,
    /// [`ProgramRecord`]s: the conditions.
    Programs,
    /// [`InstructionRecord`]s of all programs.
    Instructions,
    /// [`RoleRecord`]s, in name order, so that a smaller number is a smaller rule id.
    Roles,
    /// [`RuleRecord`]s by role, then permission.
    Rules,
    /// [`LimitRecord`]s; equal lists are stored once.
    Limits,
    /// [`EntityRecord`]s by type, then id; one more than there are entities, to end the last one's ranges.
    Entities,
    /// [`EntitySlot`]s, hashed by type and id.
    EntitySlots,
    /// [`AttributeValueRecord`]s by entity, then attribute.
    AttributeValues,
    /// [`MembershipRecord`]s by subject, then group.
    Memberships,
    /// [`BindingRecord`]s by holder, then scope, then role.
    Bindings,
    /// [`TermsRecord`]s: lifetimes and switches of the few bindings and forbids that have any.
    Terms,
    /// [`ForbidRecord`]s, in the order of their rule ids.
    Forbids,
    /// [`U32`]s by permission: the forbids that bind everybody everywhere.
    GeneralForbids,
    /// [`TargetedForbidRecord`]s by holder, then scope, then forbid.
    TargetedForbids,
    /// [`U32`]s: the names of the levels, lowest first.
    Levels,
    /// [`U32`]s: the paths of the governors, in path order, so that a parent stands before its children.
    Governors,
    /// Bytes: for each set of levels, one per governor without overrides, then one per governor with them; equal sets are
    /// stored once.
    LevelSets,
    /// Bitmaps over permissions, each as long as there are permissions, rounded up to bytes; equal ones are stored once.
    PermissionSets,
    /// [`PurviewRecord`]s.
    Purviews,
    /// [`U32`]s: lists of roles, each in order; equal lists are stored once.
    RoleLists,
    /// [`U32`]s: lists of types, each in order; equal lists are stored once.
    TypeLists,
    /// [`ChangeRecord`]s.
    Changes,
    /// [`ExclusiveRecord`]s.
    Exclusives,
    /// [`HolderRecord`]s; equal lists are stored once.
    Holders,
    /// [`HolderValueRecord`]s; equal lists are stored once.
    HolderValues,
    /// [`CredentialRecord`]s by entity.
    Credentials,
    /// [`U32`]s: what credentials are limited to, scopes and resources.
    CredentialLists,
    /// [`CredentialScopeRecord`]s by type, then name.
    CredentialScopes,
    /// [`ScopeRequirementRecord`]s by scope.
    ScopeRequirements,
    /// [`DemandRecord`]s by type, then context key.
    Demands,
    /// [`RequirementRecord`]s by role.
    Requirements,
    /// [`SeatClassRecord`]s by name.
    SeatClasses,
    /// [`SeatRuleRecord`]s by class.
    SeatRules,
    /// [`U32`]s: roles and types that other records name, each list in order.
    Lists,
    /// [`HttpRouteRecord`]s by method, then from the narrower to the wider.
    HttpRoutes,
    /// [`HttpTemplateRecord`]s.
    HttpTemplates,
    /// [`HttpPartRecord`]s.
    HttpParts,
    /// [`HttpValueRecord`]s.
    HttpValues,
    /// [`HttpHeaderRecord`]s by sort, then name.
    HttpHeaders,
}

impl Section {
    /// Every table, in order.
    pub const ALL: [Self; SECTIONS] = [
        Self::Strings,
        Self::Names,
        Self::Types,
        Self::Parents,
        Self::Attributes,
        Self::Permissions,
        Self::Parameters,
        Self::Also,
        Self::Literals,
        Self::Programs,
        Self::Instructions,
        Self::Roles,
        Self::Rules,
        Self::Limits,
        Self::Entities,
        Self::EntitySlots,
        Self::AttributeValues,
        Self::Memberships,
        Self::Bindings,
        Self::Terms,
        Self::Forbids,
        Self::GeneralForbids,
        Self::TargetedForbids,
        Self::Levels,
        Self::Governors,
        Self::LevelSets,
        Self::PermissionSets,
        Self::Purviews,
        Self::RoleLists,
        Self::TypeLists,
        Self::Changes,
        Self::Exclusives,
        Self::Holders,
        Self::HolderValues,
        Self::Credentials,
        Self::CredentialLists,
        Self::CredentialScopes,
        Self::ScopeRequirements,
        Self::Demands,
        Self::Requirements,
        Self::SeatClasses,
        Self::SeatRules,
        Self::Lists,
        Self::HttpRoutes,
        Self::HttpTemplates,
        Self::HttpParts,
        Self::HttpValues,
        Self::HttpHeaders,
    ];
}

/// How many tables there are.
pub const SECTIONS: usize = Section::HttpHeaders as usize + 1;

/// Where a table stands in the body.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct SectionRecord {
    /// Its first byte.
    pub start: U64,
    /// How many bytes.
    pub length: U64,
}

/// The head of the body.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct HeaderRecord {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// [`VERSION`].
    pub version: U32,
    /// [`header_flags`].
    pub flags: U32,
    /// Seed of the name hash.
    pub name_seed: U64,
    /// Seed of the entity hash, derived from the ids.
    pub entity_seed: U64,
    /// The longest run of slots that a name look-up may visit.
    pub name_probes: U32,
    /// The longest run of slots that an entity look-up may visit.
    pub entity_probes: U32,
    /// The tables.
    pub sections: [SectionRecord; SECTIONS],
}

/// Flags of the header.
pub mod header_flags {
    /// An undeclared property makes a request malformed.
    pub const STRICT_PROPERTIES: u32 = 1;
    /// Who is denied over HTTP may read why.
    pub const HTTP_REASONS: u32 = 2;
}

/// The hash of a name slot.
#[inline]
pub fn name_hash(seed: u64, kind: NameKind, owner: u32, name: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(name, seed ^ (u64::from(kind as u8) << 32 | u64::from(owner)))
}

/// The hash of an entity.
#[inline]
pub fn entity_hash(seed: u64, kind: u16, id: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(id, seed ^ (u64::from(kind) << 48))
}

/// What an entity's slot keeps of its hash: other bits than those that choose the slot.
#[inline]
pub fn entity_tag(hash: u64) -> u32 {
    let [a, b, c, d, ..] = hash.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// The slot at which a look-up begins.
#[inline]
pub fn first_slot(hash: u64, slots: u32) -> u32 {
    u32::try_from((u128::from(hash) * u128::from(slots)) >> 64).unwrap_or(0)
}
