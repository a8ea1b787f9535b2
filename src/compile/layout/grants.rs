//! Who may do what: roles, rules and limits, bindings and their terms, forbids.

use zerocopy::little_endian::{I64, U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

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
    /// The scope that defines it, or [`super::NONE`] for a built-in role.
    pub definer: U32,
    /// [`role_levels`].
    pub levels: u8,
    /// The level on every governor, where that is the same.
    pub level: u8,
    /// [`role_flags`].
    pub flags: U16,
    /// First type of scope on which it is held.
    pub scopes: U32,
    /// Behind the last of them.
    pub scopes_end: U32,
    /// First sort of subjects that may hold it; none for every subject.
    pub holders: U32,
    /// Behind the last of them.
    pub holders_end: U32,
    /// First requirement.
    pub requirements: U32,
    /// Behind the last requirement.
    pub requirements_end: U32,
}

/// Flags of a role.
pub mod role_flags {
    /// It gives every declared action; levels and purviews do not filter it.
    pub const SUPERUSER: u16 = 1;
    /// A binding to it may carry a list of its own.
    pub const CUSTOMISABLE: u16 = 2;
    /// Groups alone carry it.
    pub const GROUPS_ALONE: u16 = 4;
}

/// Subjects that may hold a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct HolderRecord {
    /// Their type.
    pub kind: U16,
    /// Nothing.
    pub reserved: U16,
    /// First of the attributes that they must have, all of them.
    pub values: U32,
    /// Behind the last of them.
    pub values_end: U32,
}

/// An attribute that the holder of a role must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct HolderValueRecord {
    /// The attribute.
    pub attribute: U32,
    /// First literal of which it must be one.
    pub values: U32,
    /// Behind the last of them.
    pub values_end: U32,
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
    /// The condition, or [`super::NONE`].
    pub when: U32,
    /// First limit that filters it.
    pub limits: U32,
    /// Behind the last limit.
    pub limits_end: U32,
    /// What the parameters may name, or [`super::NONE`] for everything.
    pub purview: U32,
    /// The type of scope on which the role must be held, or [`super::ANY_TYPE`].
    pub held_at: U16,
    /// Nothing.
    pub reserved: U16,
}

/// Roles of which a subject holds at most one on a scope.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct ExclusiveRecord {
    /// Its name.
    pub name: U32,
    /// First role.
    pub roles: U32,
    /// Behind the last role.
    pub roles_end: U32,
    /// First type of scope on which it counts.
    pub scopes: U32,
    /// Behind the last of them.
    pub scopes_end: U32,
}

/// What the parameters of a rule's action may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct PurviewRecord {
    /// First role that may be assigned.
    pub assigns: U32,
    /// Behind the last of them.
    pub assigns_end: U32,
    /// First role that the target may hold.
    pub holds: U32,
    /// Behind the last of them.
    pub holds_end: U32,
    /// Which parameter is the target, from 0, or [`super::NONE`] where nothing is asked of one.
    pub target: U32,
    /// The parameters that must lie at or below the scope on which the role is held: bit 0 is the first one.
    pub within: u8,
    /// [`purview_flags`].
    pub flags: u8,
    /// Nothing.
    pub reserved: U16,
}

/// Flags of a purview.
pub mod purview_flags {
    /// The roles that may be assigned are limited at all.
    pub const ASSIGNS: u8 = 1;
    /// Every role may be assigned.
    pub const ASSIGNS_ALL: u8 = 2;
    /// The target may hold every role.
    pub const HOLDS_ALL: u8 = 4;
    /// What the target holds on the resource counts.
    pub const HERE: u8 = 8;
    /// What the target holds on the resource's ancestors counts.
    pub const ABOVE: u8 = 16;
    /// What the target holds on the resource's descendants counts.
    pub const BELOW: u8 = 32;
}

/// A ceiling or a gate.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct LimitRecord {
    /// The gate's condition, or [`super::NONE`] for a ceiling.
    pub when: U32,
    /// The type of scope on which the role must be held for the limit to count, or [`super::ANY_TYPE`].
    pub held_at: U16,
    /// Nothing.
    pub reserved: U16,
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
    /// Lifetime and switches, or [`super::NONE`].
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
    /// The set of levels, or [`super::NONE`] for the lowest everywhere.
    pub levels: U32,
    /// The holder's own list, as the number of a bitmap of permissions, or [`super::NONE`] for a binding without one.
    pub pin: U32,
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
    /// Its condition, or [`super::NONE`].
    pub when: U32,
    /// Its lifetime, or [`super::NONE`].
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
    /// Whom it binds, or [`super::NONE`] for everybody.
    pub holder: U32,
    /// In which scope it holds, or [`super::NONE`] for everywhere.
    pub scope: U32,
    /// Which forbid.
    pub forbid: U32,
}
