//! What an explanation hears while a decision is made. Deciding hears nothing and costs nothing.

use crate::model::Reason;

use super::purview::Outside;
use super::truth::Truth;

/// A path that was tested.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathSeen {
    /// The role.
    pub(super) role: u32,
    /// The scope on which it is held.
    pub(super) scope: u32,
    /// The group that holds it, where that is not the subject itself.
    pub(super) through: Option<u32>,
    /// The first filter that it failed; `Granted` for an open path.
    pub(super) reason: Reason,
    /// Whether that filter was unknown.
    pub(super) undetermined: bool,
    /// The condition that closed it.
    pub(super) program: Option<u32>,
    /// What lies outside its purview.
    pub(super) outside: Option<Outside>,
}

/// Listens to a decision.
pub(super) trait Trace {
    /// Whether every path is to be tested, also behind the one that decides.
    const EVERYTHING: bool;
    /// A path was tested.
    fn path(&mut self, path: PathSeen);
    /// A held role gives the permission nowhere.
    fn other_role(&mut self, role: u32, scope: u32, through: Option<u32>);
    /// A forbid was tested.
    fn forbid(&mut self, forbid: u32, applies: Truth);
}

/// Hears nothing.
pub(super) struct Silent;

impl Trace for Silent {
    const EVERYTHING: bool = false;

    #[inline]
    fn path(&mut self, _: PathSeen) {}

    #[inline]
    fn other_role(&mut self, _: u32, _: u32, _: Option<u32>) {}

    #[inline]
    fn forbid(&mut self, _: u32, _: Truth) {}
}
