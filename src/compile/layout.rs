//! The tables: what every byte of a compiled snapshot means.
//!
//! Little-endian, unaligned, addressed by number: [`crate::compile`] writes them and [`crate::index`] reads them in
//! place. Nothing here looks anything up.
//!
//! A reference is the number of a record in its table; [`NONE`] stands for "no such thing". A range of records is
//! `[start, end)`.

use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The first bytes of a compiled body.
pub const MAGIC: [u8; 8] = *b"SIDEGATE";
/// The layout's version: any change of meaning raises it.
pub const VERSION: u32 = 1;
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
    /// [`U32`]s: entity numbers, hashed by type and id; [`NONE`] is an empty slot.
    EntitySlots,
    /// [`AttributeValueRecord`]s by entity, then attribute.
    AttributeValues,
    /// [`BindingRecord`]s by subject, then scope, then role.
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
}

/// How many tables there are.
pub const SECTIONS: usize = Section::PermissionSets as usize + 1;

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
}

/// What a name slot's name belongs to: names of different kinds or owners never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum NameKind {
    /// A resource or subject type; no owner.
    Type,
    /// An action, owned by its type.
    Permission,
    /// An attribute, owned by its type, or a context key, owned by [`ANY_TYPE`].
    Attribute,
    /// A parameter, owned by its permission.
    Parameter,
    /// A governor's path; no owner.
    Governor,
}

/// One name.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct NameSlot {
    /// The kind, as [`NameKind`].
    pub kind: u8,
    /// Nothing.
    pub reserved: [u8; 3],
    /// The owner's number.
    pub owner: U32,
    /// The name.
    pub name: U32,
    /// The number of what it names; [`NONE`] marks an empty slot.
    pub value: U32,
}

/// A type of resource or subject.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct TypeRecord {
    /// Its name.
    pub name: U32,
    /// [`type_flags`].
    pub flags: U32,
    /// First permission.
    pub permissions: U32,
    /// Behind the last permission.
    pub permissions_end: U32,
    /// First parent type.
    pub parents: U32,
    /// Behind the last parent type.
    pub parents_end: U32,
}

/// Flags of a type.
pub mod type_flags {
    /// It has no parent.
    pub const ROOT: u32 = 1;
    /// A resource that is not held may be placed by the request.
    pub const OPEN: u32 = 2;
    /// It has no instances.
    pub const VIRTUAL: u32 = 4;
    /// Its entities ask; they are not asked about.
    pub const SUBJECT: u32 = 8;
}

/// An attribute of a type, or a context key.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct AttributeRecord {
    /// Its name.
    pub name: U32,
    /// The type that has it, or [`ANY_TYPE`] for a context key.
    pub owner: U16,
    /// The type that a reference refers to, [`SUBJECT_TYPES`] for any subject.
    pub reference: U16,
    /// [`ValueKind`] of its values.
    pub kind: u8,
    /// [`ValueKind`] of a list's items.
    pub item_kind: u8,
    /// Who supplies it, as [`SupplierCode`].
    pub supplier: u8,
    /// [`attribute_flags`].
    pub flags: u8,
    /// Literal that stands for an absent value, or [`NONE`].
    pub default: U32,
    /// First of an enum's values among the literals.
    pub values: U32,
    /// Behind the last of them.
    pub values_end: U32,
}

/// Flags of an attribute.
pub mod attribute_flags {
    /// Its absence from a held entity is a fact.
    pub const OPTIONAL: u8 = 1;
    /// It is never printed.
    pub const SENSITIVE: u8 = 2;
}

/// Who supplies an attribute: [`crate::model::Supplier`] as a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SupplierCode {
    /// The snapshot alone.
    Snapshot,
    /// The request alone.
    Request,
    /// The snapshot first.
    SnapshotThenRequest,
    /// The request first.
    RequestThenSnapshot,
}

impl SupplierCode {
    /// The supplier of a byte.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Snapshot, Self::Request, Self::SnapshotThenRequest, Self::RequestThenSnapshot]
            .into_iter()
            .find(|supplier| *supplier as u8 == code)
    }
}

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum ValueKind {
    /// Nothing.
    Absent,
    /// A bool.
    Bool,
    /// An int.
    Int,
    /// A text.
    String,
    /// One of a list of texts.
    Enum,
    /// A moment.
    Timestamp,
    /// An entity.
    Reference,
    /// Several values.
    List,
    /// The path of a governor.
    Governor,
}

impl ValueKind {
    /// The kind of a byte.
    pub fn from_code(code: u8) -> Option<Self> {
        [
            Self::Absent,
            Self::Bool,
            Self::Int,
            Self::String,
            Self::Enum,
            Self::Timestamp,
            Self::Reference,
            Self::List,
            Self::Governor,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == code)
    }
}

/// An action of a type.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct PermissionRecord {
    /// The action's name.
    pub name: U32,
    /// The type.
    pub owner: U16,
    /// [`permission_flags`].
    pub flags: U16,
    /// First parameter.
    pub parameters: U32,
    /// Behind the last parameter.
    pub parameters_end: U32,
    /// The second decision it needs, or [`NONE`].
    pub also: U32,
    /// The level it needs; 0, the lowest, needs nothing.
    pub level: u8,
    /// [`governor_source`].
    pub governor_source: u8,
    /// Nothing.
    pub reserved: U16,
    /// The governor, or the attribute that names it.
    pub governor: U32,
    /// First of the forbids that bind everybody everywhere.
    pub forbids: U32,
    /// Behind the last of them.
    pub forbids_end: U32,
}

/// Flags of a permission.
pub mod permission_flags {
    /// It may be asked of a resource that does not exist yet.
    pub const CREATES: u16 = 1;
}

/// Where a permission's governor comes from.
pub mod governor_source {
    /// There is none: no level suffices.
    pub const NOTHING: u8 = 0;
    /// It is the same for every instance.
    pub const NODE: u8 = 1;
    /// An attribute of the resource names it.
    pub const ATTRIBUTE: u8 = 2;
}

/// A parameter of an action: a reference to an entity.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct ParameterRecord {
    /// Its name.
    pub name: U32,
    /// The type that it refers to, [`SUBJECT_TYPES`] for any subject.
    pub reference: U16,
    /// [`parameter_flags`].
    pub flags: U16,
}

/// Flags of a parameter.
pub mod parameter_flags {
    /// The request may leave it out.
    pub const OPTIONAL: u16 = 1;
}

/// A second decision.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct AlsoRecord {
    /// Which of the action's parameters names the object, from 0.
    pub parameter: U32,
    /// The permission that is decided on it.
    pub permission: U32,
    /// [`also_mode`].
    pub mode: U32,
}

/// How a parameter gives the second object.
pub mod also_mode {
    /// The entity itself.
    pub const ON: u32 = 0;
    /// A new resource under the entity.
    pub const UNDER: u32 = 1;
}

/// A value: a literal, a default, or one side of an [`AttributeValueRecord`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct ValueRecord {
    /// [`ValueKind`].
    pub kind: u8,
    /// Nothing.
    pub reserved: [u8; 3],
    /// Nanoseconds of a moment; how many items a list has.
    pub extra: U32,
    /// 0 or 1, the int, the text, the seconds of a moment, the entity, or the first item among the literals.
    pub payload: I64,
}

/// A condition.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct ProgramRecord {
    /// First instruction.
    pub start: U32,
    /// Behind the last instruction.
    pub end: U32,
    /// The condition as its author wrote it.
    pub text: U32,
}

/// One step of a condition: postfix over a stack of truths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct InstructionRecord {
    /// [`Operation`].
    pub operation: u8,
    /// Nothing.
    pub reserved: [u8; 3],
    /// The left or only operand.
    pub left: OperandRecord,
    /// The right operand.
    pub right: OperandRecord,
}

/// Where a value of a condition comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct OperandRecord {
    /// [`OperandKind`].
    pub kind: u8,
    /// 1 to take the value's size instead of the value.
    pub size: u8,
    /// The type of an ancestor.
    pub ancestor: U16,
    /// The attribute, literal or parameter.
    pub number: U32,
}

/// What an instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Operation {
    /// Pushes a bool operand.
    Truth,
    /// Pushes `left == right`.
    Equal,
    /// Pushes `left != right`.
    NotEqual,
    /// Pushes `left < right`.
    Less,
    /// Pushes `left <= right`.
    LessOrEqual,
    /// Pushes `left > right`.
    Greater,
    /// Pushes `left >= right`.
    GreaterOrEqual,
    /// Pushes `left in right`.
    In,
    /// Pushes `left.startsWith(right)`.
    StartsWith,
    /// Pushes `left.endsWith(right)`.
    EndsWith,
    /// Pushes `left.contains(right)`.
    Contains,
    /// Pushes `has(left)`.
    Has,
    /// Replaces the top by its negation.
    Not,
    /// Replaces the two topmost by their conjunction.
    And,
    /// Replaces the two topmost by their disjunction.
    Or,
}

impl Operation {
    /// The operation of a byte.
    pub fn from_code(code: u8) -> Option<Self> {
        const ALL: [Operation; 15] = [
            Operation::Truth,
            Operation::Equal,
            Operation::NotEqual,
            Operation::Less,
            Operation::LessOrEqual,
            Operation::Greater,
            Operation::GreaterOrEqual,
            Operation::In,
            Operation::StartsWith,
            Operation::EndsWith,
            Operation::Contains,
            Operation::Has,
            Operation::Not,
            Operation::And,
            Operation::Or,
        ];
        ALL.get(usize::from(code)).copied()
    }
}

/// Where an operand's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OperandKind {
    /// No operand.
    Nothing,
    /// A literal.
    Literal,
    /// An attribute of the resource.
    Resource,
    /// An attribute of the nearest ancestor of a type.
    Ancestor,
    /// An attribute of the subject.
    Subject,
    /// A context key.
    Context,
    /// A parameter.
    Parameter,
    /// The subject itself.
    SubjectItself,
    /// The resource itself.
    ResourceItself,
    /// The time of the decision.
    RequestTime,
    /// Whether a credential asks.
    ByCredential,
}

impl OperandKind {
    /// The kind of a byte.
    pub fn from_code(code: u8) -> Option<Self> {
        const ALL: [OperandKind; 11] = [
            OperandKind::Nothing,
            OperandKind::Literal,
            OperandKind::Resource,
            OperandKind::Ancestor,
            OperandKind::Subject,
            OperandKind::Context,
            OperandKind::Parameter,
            OperandKind::SubjectItself,
            OperandKind::ResourceItself,
            OperandKind::RequestTime,
            OperandKind::ByCredential,
        ];
        ALL.get(usize::from(code)).copied()
    }
}

/// A role, built in or defined by a tenant.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct RoleRecord {
    /// Its name (`developer`, `custom/own_bots`).
    pub name: U32,
    /// First rule.
    pub rules: U32,
    /// Behind the last rule.
    pub rules_end: U32,
    /// The scope that defines it, or [`NONE`] for a built-in role.
    pub definer: U32,
    /// [`role_levels`].
    pub levels: u8,
    /// The level on every governor, where that is the same.
    pub level: u8,
    /// Nothing.
    pub reserved: U16,
}

/// Where a role's levels come from.
pub mod role_levels {
    /// It has the lowest everywhere.
    pub const LOWEST: u8 = 0;
    /// Each binding has its own.
    pub const PER_BINDING: u8 = 1;
    /// It has one level everywhere.
    pub const ALL: u8 = 2;
}

/// One permission that a role gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct RuleRecord {
    /// The permission.
    pub permission: U32,
    /// The condition, or [`NONE`].
    pub when: U32,
    /// First limit that filters it.
    pub limits: U32,
    /// Behind the last limit.
    pub limits_end: U32,
    /// The type of scope on which the role must be held, or [`ANY_TYPE`].
    pub held_at: U16,
    /// Nothing.
    pub reserved: U16,
}

/// A ceiling or a gate.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct LimitRecord {
    /// The gate's condition, or [`NONE`] for a ceiling.
    pub when: U32,
    /// The type of scope on which the role must be held for the limit to count, or [`ANY_TYPE`].
    pub held_at: U16,
    /// Nothing.
    pub reserved: U16,
}

/// A subject or a resource.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct EntityRecord {
    /// Its id.
    pub id: U32,
    /// Its type.
    pub kind: U16,
    /// [`entity_flags`].
    pub flags: U16,
    /// Its parent, or [`NONE`].
    pub parent: U32,
    /// First attribute value; the next record's is behind the last.
    pub values: U32,
    /// First binding; the next record's is behind the last.
    pub bindings: U32,
}

/// Flags of an entity.
pub mod entity_flags {
    /// Every question of this subject is denied.
    pub const DISABLED: u16 = 1;
}

/// What an entity's attribute is.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct AttributeValueRecord {
    /// The attribute.
    pub attribute: U32,
    /// The value.
    pub value: ValueRecord,
}

/// A role held on a scope by the subject whose range this stands in.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct BindingRecord {
    /// The scope.
    pub scope: U32,
    /// The role.
    pub role: U32,
    /// Lifetime and switches, or [`NONE`].
    pub terms: U32,
}

/// Lifetime and switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct TermsRecord {
    /// In force from this second on.
    pub not_before_seconds: I64,
    /// No longer in force from this second on.
    pub expires_seconds: I64,
    /// Nanoseconds of the begin.
    pub not_before_nanos: U32,
    /// Nanoseconds of the end.
    pub expires_nanos: U32,
    /// [`terms_flags`].
    pub flags: U32,
    /// The set of levels, or [`NONE`] for the lowest everywhere.
    pub levels: U32,
}

/// Flags of terms.
pub mod terms_flags {
    /// It gives nothing for now.
    pub const DISABLED: u32 = 1;
    /// It has a begin.
    pub const BEGINS: u32 = 2;
    /// It has an end.
    pub const ENDS: u32 = 4;
}

/// A forbid of the policy, or a block among the facts.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct ForbidRecord {
    /// Its whole rule id (`forbids/freeze`, `blocks/suspend-ana`).
    pub id: U32,
    /// Its condition, or [`NONE`].
    pub when: U32,
    /// Its lifetime, or [`NONE`].
    pub terms: U32,
    /// The permissions that it takes, as the number of a bitmap.
    pub permissions: U32,
}

/// A forbid that binds somebody, or holds somewhere.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct TargetedForbidRecord {
    /// Whom it binds, or [`NONE`] for everybody.
    pub holder: U32,
    /// In which scope it holds, or [`NONE`] for everywhere.
    pub scope: U32,
    /// Which forbid.
    pub forbid: U32,
}

/// The hash of a name slot.
pub fn name_hash(seed: u64, kind: NameKind, owner: u32, name: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(name, seed ^ (u64::from(kind as u8) << 32 | u64::from(owner)))
}

/// The hash of an entity.
pub fn entity_hash(seed: u64, kind: u16, id: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(id, seed ^ (u64::from(kind) << 48))
}

/// The slot at which a look-up begins.
pub fn first_slot(hash: u64, slots: usize) -> usize {
    let slots = u128::try_from(slots).unwrap_or(0);
    usize::try_from((u128::from(hash) * slots) >> 64).unwrap_or(0)
}
