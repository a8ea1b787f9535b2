//! What one holder holds, found by scope.

use crate::compile::layout::BindingRecord;

use super::search::first_not_below;

/// A subject's bindings, by scope.
#[derive(Debug, Clone, Copy)]
pub struct Held<'i>(pub(super) &'i [BindingRecord]);

impl<'i> Held<'i> {
    /// The bindings on one scope.
    #[inline]
    pub fn at(&self, scope: u32) -> &'i [BindingRecord] {
        // Most subjects hold a few roles: then counting beats a search, because it never guesses wrong what comes next.
        const FEW: usize = 8;
        let (from, mine) = if self.0.len() <= FEW {
            self.0.iter().fold((0, 0), |(below, mine), binding| {
                let own = binding.scope.get();
                (below + usize::from(own < scope), mine + usize::from(own == scope))
            })
        } else {
            let from = first_not_below(self.0, scope, |binding| binding.scope.get());
            let rest = self.0.get(from..).unwrap_or_default();
            (from, rest.iter().take_while(|binding| binding.scope.get() == scope).count())
        };
        self.0.get(from..from + mine).unwrap_or_default()
    }

    /// All of them.
    pub fn all(&self) -> &'i [BindingRecord] {
        self.0
    }

    /// Whether they stand in the order that a look-up needs.
    pub(super) fn is_sorted(&self) -> bool {
        self.0.is_sorted_by_key(|binding| binding.scope.get())
    }
}
