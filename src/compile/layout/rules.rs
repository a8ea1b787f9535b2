//! What rests on roles beside paths: what a role demands besides, and whom a class of seats counts.

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What the holder of a role must hold besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct RequirementRecord {
    /// The type of scope on which the role is held for this to count.
    pub held_at: U16,
    /// The type of the ancestor that is looked at: the nearest.
    pub on: U16,
    /// First of the roles of which one must be held there, among the lists; none for no demand.
    pub has: U32,
    /// Behind the last of them.
    pub has_end: U32,
    /// First of the roles of which none may be held there or above, among the lists. Loading saw to it.
    pub has_no: U32,
    /// Behind the last of them.
    pub has_no_end: U32,
}

/// A class of seats.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct SeatClassRecord {
    /// Its name.
    pub name: U32,
    /// First of the types of scope that have seats, among the lists.
    pub per: U32,
    /// Behind the last of them.
    pub per_end: U32,
    /// First of the subject types that count, among the lists.
    pub subjects: U32,
    /// Behind the last of them.
    pub subjects_end: U32,
    /// First rule.
    pub rules: U32,
    /// Behind the last rule.
    pub rules_end: U32,
}

/// A reason to take a seat.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct SeatRuleRecord {
    /// First role, among the lists.
    pub roles: U32,
    /// Behind the last role.
    pub roles_end: U32,
    /// [`seat_places`].
    pub places: U32,
}

/// Where a role is held, as seen from the scope of a seat.
pub mod seat_places {
    /// On it.
    pub const HERE: u32 = 1;
    /// On one of its ancestors.
    pub const ABOVE: u32 = 2;
    /// On one of its descendants.
    pub const BELOW: u32 = 4;
}
