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
