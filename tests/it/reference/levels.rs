//! The reference's levels: what an action needs, and what a binding has on what governs the resource.

use sidegate::model::{Action, Binding, GovernedBy, Reason, RoleLevels};

use super::book::Book;
use super::condition::{Known, State};
use super::{Object, World};

impl World<'_> {
    /// Whether a binding reaches the level that an action needs: if not, the reason, and whether it is not known.
    pub(super) fn level(&self, binding: &Binding, object: &Object<'_>, action: &Action) -> Result<(), (Reason, bool)> {
        let Some(needed) = &action.level else { return Ok(()) };
        let needed = self.step(needed);
        // Everybody has at least the lowest everywhere: whatever governs the resource, it suffices.
        if needed == 0 {
            return Ok(());
        }
        let Some(governor) = self.governor(object, action) else { return Err((Reason::LevelTooLow, true)) };
        if self.effective(binding, &governor) >= needed {
            Ok(())
        } else if self.without_overrides(binding, &governor) >= needed {
            Err((Reason::Narrowed, false))
        } else {
            Err((Reason::LevelTooLow, false))
        }
    }

    /// The governor of the type that governs the action: a constant, or what the resource itself says.
    fn governor(&self, object: &Object<'_>, action: &Action) -> Option<String> {
        let governing = self.kind(action.governed_by.as_ref().unwrap_or(&object.kind.name))?;
        match governing.governed_by.as_ref()? {
            GovernedBy::Node(path) => Some(path.value.clone()),
            GovernedBy::Attribute(name) => {
                let (_, state) = object.values.iter().find(|(own, _)| *own == name.value)?;
                match state {
                    State::Present(Known::Text(path)) => Some(path.clone()),
                    State::Present(_) | State::Absent | State::Unknown => None,
                }
            }
        }
    }
}

impl Book<'_> {
    /// Whether an override is wider than what counts above it; what is not set above is the lowest.
    pub(super) fn widens(&self, binding: &Binding) -> bool {
        binding.levels.iter().any(|(path, level)| {
            let above = binding.levels.iter().filter(|(above, _)| path.starts_with(&format!("{}/", **above)));
            let is_set = |top: &str| binding.levels.iter().any(|(path, _)| **path == *top);
            let floor = path.split_once('/').filter(|(top, _)| !is_set(top)).map(|_| 0);
            above.map(|(_, level)| self.step(level)).chain(floor).any(|above| self.step(level) > above)
        })
    }

    /// The smallest level of a governor and everything above it; what is not set takes its parent's.
    pub(super) fn effective(&self, binding: &Binding, governor: &str) -> usize {
        let own = self.stated(binding, governor);
        match governor.rsplit_once('/') {
            Some((above, _)) => {
                let above = self.effective(binding, above);
                own.map_or(above, |own| own.min(above))
            }
            None => own.unwrap_or(0),
        }
    }

    /// The level of the governor at the top: all that stands below is an override.
    fn without_overrides(&self, binding: &Binding, governor: &str) -> usize {
        let top = governor.split('/').next().unwrap_or(governor);
        self.stated(binding, top).unwrap_or(0)
    }

    fn stated(&self, binding: &Binding, governor: &str) -> Option<usize> {
        let role = self.role(&binding.role)?;
        match role.levels.as_ref()? {
            RoleLevels::All(level) => Some(self.step(level)),
            RoleLevels::PerBinding => {
                binding.levels.iter().find(|(path, _)| **path == *governor).map(|(_, level)| self.step(level))
            }
        }
    }

    fn step(&self, level: &str) -> usize {
        self.policy.levels.iter().position(|known| **known == *level).expect("a level of the ladder")
    }
}
