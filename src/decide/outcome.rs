//! How a path ended: open, or the filter that closed it. Not who wins among several.

use crate::model::Reason;

use super::purview::Outside;

/// How a path ended.
#[derive(Clone, Copy)]
pub(super) struct Outcome {
    /// The first filter that it failed; `Granted` for an open path.
    pub(super) reason: Reason,
    /// Whether that filter was unknown.
    pub(super) undetermined: bool,
    /// The condition that closed it.
    pub(super) program: Option<u32>,
    /// What lies outside its purview.
    pub(super) outside: Option<Outside>,
}

/// An open path.
pub(super) const OPEN: Outcome = Outcome { reason: Reason::Granted, undetermined: false, program: None, outside: None };
