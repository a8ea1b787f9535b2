//! Values: what they can be, who says them, and how one is stored.

use zerocopy::little_endian::{I64, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

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

/// A value: a literal, a default, or one side of an [`super::AttributeValueRecord`].
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
