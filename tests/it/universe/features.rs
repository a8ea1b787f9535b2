//! Parts of the language that universes may have. One that the engine refuses as not supported yet is not drawn.

use super::Draw;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    /// Groups, as members, holders and those whom a forbid names.
    Groups,
    /// `all(...)` and `members_of(...)`.
    Wildcards,
    /// Holders with `where`.
    Where,
    /// Raise-only roles.
    Requires,
    Superuser,
    Versions,
    /// Customised holders.
    Pins,
    /// Roles and permissions as parameters, and rules on them.
    Purview,
    /// Actions that stand for a change.
    Change,
    Credentials,
    Seats,
}

/// What the engine knows.
const KNOWN: &[Feature] = &[
    Feature::Groups,
    Feature::Wildcards,
    Feature::Where,
    Feature::Requires,
    Feature::Seats,
    Feature::Superuser,
    Feature::Versions,
    Feature::Pins,
    Feature::Credentials,
    Feature::Purview,
    Feature::Change,
];

impl Feature {
    pub(crate) fn is_known(self) -> bool {
        KNOWN.contains(&self)
    }
}

impl Draw<'_> {
    /// Yes, in so many of a hundred, if the engine knows the feature.
    pub(crate) fn uses(&mut self, feature: Feature, percent: usize) -> bool {
        feature.is_known() && self.chance(percent)
    }
}
