//! How much of an answer a caller is shown. The decision, the snapshot and the moment always are.

use super::{super::proto::v1, Reasons};

impl Reasons {
    /// Whether the reason's code is shown.
    pub(in crate::service) fn show_code(self) -> bool {
        self >= Self::Code
    }

    /// Whether rules are named.
    pub(in crate::service) fn show_rules(self) -> bool {
        self == Self::Full
    }

    /// How many values were missing: a part of the why.
    pub(in crate::service) fn count(self, undetermined: u32) -> u32 {
        if self.show_code() { undetermined } else { 0 }
    }

    /// A level, of which the level itself is the answer.
    pub(in crate::service) fn level(self, level: v1::EffectiveLevel) -> v1::EffectiveLevel {
        let v1::EffectiveLevel { governor, level, narrowed, rule_id } = level;
        let rule_id = if self.show_rules() { rule_id } else { String::new() };
        v1::EffectiveLevel { governor, level, narrowed: narrowed && self.show_code(), rule_id }
    }
}
