//! Verdicts of questions that came together: most of them are alike, and are written once. It knows equal verdicts,
//! never equal questions.

use super::Shown;
use crate::{index::Index, model::Verdict, service::caller::Reasons};

/// The bytes of the last verdict that denied, and of the last that allowed.
#[derive(Debug)]
pub(in crate::service) struct Alike<'i> {
    index: &'i Index,
    shown: Reasons,
    last: [(Option<Verdict>, Vec<u8>); 2],
}

impl<'i> Alike<'i> {
    pub(in crate::service) fn new(index: &'i Index, shown: Reasons) -> Self {
        Self { index, shown, last: Default::default() }
    }

    /// A verdict's bytes, as far as it is shown.
    pub(in crate::service) fn bytes(&mut self, verdict: &Verdict) -> &[u8] {
        let [denied, allowed] = &mut self.last;
        let (last, bytes) = if verdict.is_allow() { allowed } else { denied };
        if last.as_ref() != Some(verdict) {
            *last = Some(*verdict);
            *bytes = Shown::new(self.index, verdict, self.shown).bytes();
        }
        bytes
    }
}
