//! Who and what there is: subjects and resources, and what is known of them.

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::values::ValueRecord;

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
    /// Its parent, or [`super::NONE`].
    pub parent: U32,
    /// First attribute value; the next record's is behind the last.
    pub values: U32,
    /// First binding; the next record's is behind the last.
    pub bindings: U32,
    /// First membership; the next record's is behind the last.
    pub memberships: U32,
}

/// Where an entity is looked up.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct EntitySlot {
    /// [`super::entity_tag`]: all others are passed over without a look at their entity.
    pub tag: U32,
    /// The entity; [`super::NONE`] marks an empty slot.
    pub entity: U32,
}

/// A group that a subject is in, itself or through other groups.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct MembershipRecord {
    /// The group.
    pub group: U32,
    /// [`membership_flags`].
    pub flags: U32,
}

/// Flags of a membership.
pub mod membership_flags {
    /// The group passes on what it holds: some chain of enabled groups leads to it.
    pub const LIVE: u32 = 1;
    /// The group is everybody with a role on one scope: whether it passes on is decided anew each time.
    pub const MEMBERS_OF: u32 = 2;
    /// The group is everybody of a subject type.
    pub const ALL: u32 = 4;
}

/// Flags of an entity.
pub mod entity_flags {
    /// Every question of this subject is denied.
    pub const DISABLED: u16 = 1;
    /// Somebody holds something on it: elsewhere no path needs to be looked for.
    pub const HELD_ON: u16 = 2;
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
