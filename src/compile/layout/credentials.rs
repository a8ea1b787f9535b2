//! What asks in the name of a subject, and what it is limited to.

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// A credential. Its owner is its entity's parent.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct CredentialRecord {
    /// Which entity it is.
    pub entity: U32,
    /// Its lifetime, or [`super::NONE`].
    pub terms: U32,
    /// First of the scopes of which one must cover, among the credential lists; none for no demand.
    pub scopes: U32,
    /// Behind the last of them.
    pub scopes_end: U32,
    /// First of the resources that it is limited to, among the credential lists; none for everywhere.
    pub within: U32,
    /// Behind the last of them.
    pub within_end: U32,
    /// The permissions that it is limited to, as the number of a bitmap, or [`super::NONE`] for all.
    pub permissions: U32,
}

/// What a credential may be limited to: everything that it states must cover.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct CredentialScopeRecord {
    /// Its name.
    pub name: U32,
    /// First requirement.
    pub requirements: U32,
    /// Behind the last requirement.
    pub requirements_end: U32,
    /// The permissions that it covers, as the number of a bitmap, or [`super::NONE`] for all.
    pub permissions: U32,
}

/// A context key that must equal one of several values.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct ScopeRequirementRecord {
    /// The context key.
    pub attribute: U32,
    /// The literal that is the list of its values.
    pub values: U32,
}
