//! What there can be: names, types, attributes, actions and their parameters.

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What a name slot's name belongs to: names of different kinds or owners never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum NameKind {
    /// A resource or subject type; no owner.
    Type,
    /// An action, owned by its type.
    Permission,
    /// An attribute, owned by its type, or a context key, owned by [`super::ANY_TYPE`].
    Attribute,
    /// A parameter, owned by its permission.
    Parameter,
    /// A governor's path; no owner.
    Governor,
    /// A role, owned by the scope that defines it, or [`super::NONE`] for a built-in one.
    Role,
    /// The name of a role that some scope defines; no owner. Its value is one of those roles.
    RoleSomewhere,
    /// A class of seats; no owner.
    Seats,
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
    /// The number of what it names; [`super::NONE`] marks an empty slot.
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
    /// Its entities hold what their members hold; they neither ask nor are asked about.
    pub const GROUP: u32 = 16;
    /// Its entities ask in the name of a subject, their parent; they are not asked about.
    pub const CREDENTIAL: u32 = 32;
}

/// An attribute of a type, or a context key.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct AttributeRecord {
    /// Its name.
    pub name: U32,
    /// The type that has it, or [`super::ANY_TYPE`] for a context key.
    pub owner: U16,
    /// The type that a reference refers to, [`super::SUBJECT_TYPES`] for any subject.
    pub reference: U16,
    /// [`super::ValueKind`] of its values.
    pub kind: u8,
    /// [`super::ValueKind`] of a list's items.
    pub item_kind: u8,
    /// Who supplies it, as [`super::SupplierCode`].
    pub supplier: u8,
    /// [`attribute_flags`].
    pub flags: u8,
    /// Literal that stands for an absent value, or [`super::NONE`].
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

/// A context key that a credential's request itself must send.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct DemandRecord {
    /// The type of credential.
    pub kind: U32,
    /// The context key.
    pub attribute: U32,
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
    /// The second decision it needs, or [`super::NONE`].
    pub also: U32,
    /// The level it needs; 0, the lowest, needs nothing.
    pub level: u8,
    /// [`governor_source`].
    pub governor_source: u8,
    /// Nothing.
    pub reserved: U16,
    /// The governor, or the attribute that names it.
    pub governor: U32,
    /// The change of facts that it stands for, or [`super::NONE`].
    pub change: U32,
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

/// A parameter of an action.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct ParameterRecord {
    /// Its name.
    pub name: U32,
    /// The type that it refers to, [`super::SUBJECT_TYPES`] for any subject; nothing where it names no entity.
    pub reference: U16,
    /// [`ParameterKind`].
    pub kind: u8,
    /// [`parameter_flags`].
    pub flags: u8,
}

/// What a parameter names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ParameterKind {
    /// An entity.
    Entity,
    /// A role.
    Role,
    /// Several roles.
    Roles,
    /// A permission.
    Permission,
    /// Several permissions.
    Permissions,
}

impl ParameterKind {
    /// The kind of a byte.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Entity, Self::Role, Self::Roles, Self::Permission, Self::Permissions]
            .into_iter()
            .find(|kind| *kind as u8 == code)
    }
}

/// Flags of a parameter.
pub mod parameter_flags {
    /// The request may leave it out.
    pub const OPTIONAL: u8 = 1;
}

/// A change of who holds what.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct ChangeRecord {
    /// [`ChangeKind`].
    pub kind: u8,
    /// [`change_flags`].
    pub flags: u8,
    /// Nothing.
    pub reserved: U16,
    /// Which parameter names the target, from 0.
    pub target: U32,
    /// Which parameter names the role, or [`super::NONE`].
    pub role: U32,
    /// Which parameter lists the permissions, or [`super::NONE`].
    pub permissions: U32,
}

/// Which change: [`crate::model::Change`] as a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ChangeKind {
    /// The target gets the role.
    Grant,
    /// The target loses the role, or every role.
    Revoke,
    /// The role takes the place of everything that the target holds.
    Replace,
    /// The target's one role is narrowed to a list of its permissions.
    Customise,
}

impl ChangeKind {
    /// The kind of a byte.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Grant, Self::Revoke, Self::Replace, Self::Customise].into_iter().find(|kind| *kind as u8 == code)
    }
}

/// Flags of a change.
pub mod change_flags {
    /// The facts after it must satisfy what loading demands of them.
    pub const VALID: u8 = 1;
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
