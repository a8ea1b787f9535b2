//! The levels of one subject at one scope, governor by governor: what paints a whole screen at once.
//!
//! It allocates and is not for the hot path. In force is what it is for a decision.

use crate::compile::layout::{EntityRecord, entity_flags, type_flags};
use crate::index::{Corrupt, Index};
use crate::model::{Entity, Timestamp};

use super::holders::Holders;
use super::levels::of_role;

/// What a subject reaches on one governor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GovernorLevel {
    /// The governor's path.
    pub governor: String,
    /// The greatest effective level; the lowest where nothing gives more.
    pub level: String,
    /// Whether it would be greater without overrides.
    pub narrowed: bool,
    /// The role that gives it (`roles/developer`), the smallest by name; `None` for the lowest level.
    pub rule_id: Option<String>,
}

/// Why there are no levels to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LevelsError {
    /// The snapshot holds no such subject.
    #[error("the snapshot holds no such subject")]
    UnknownSubject,
    /// The snapshot holds no such scope.
    #[error("the snapshot holds no such scope")]
    UnknownScope,
    /// The snapshot is broken.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

/// The best so far on one governor.
#[derive(Clone, Copy, Default)]
struct Best {
    effective: u8,
    without: u8,
    role: Option<u32>,
}

/// What a subject reaches on every governor, over what it holds in force on a scope and everything above it, in the
/// order of the governors' paths. A disabled subject reaches the lowest.
///
/// # Errors
/// An unknown subject or scope, or a broken snapshot.
pub fn list_levels(
    index: &Index,
    subject: Entity<'_>,
    scope: Entity<'_>,
    time: Timestamp,
) -> Result<Vec<GovernorLevel>, LevelsError> {
    let subject = subject_named(index, subject)?.ok_or(LevelsError::UnknownSubject)?;
    let scope = super::scope_named(index, scope)?.ok_or(LevelsError::UnknownScope)?;
    let mut best: Vec<Best> = (0..index.governors()).map(|_| Best::default()).collect();
    let record: &EntityRecord = index.record(subject)?;
    if record.flags.get() & entity_flags::DISABLED == 0 {
        gather(index, subject, scope, time, &mut best)?;
    }
    let mut levels = Vec::with_capacity(best.len());
    for (best, governor) in best.iter().zip(0..) {
        let role = best.role.filter(|_| best.effective > 0);
        levels.push(GovernorLevel {
            governor: index.governor_path(governor)?.to_owned(),
            level: index.level_name(best.effective)?.to_owned(),
            narrowed: best.without > best.effective,
            rule_id: role.map(|role| Ok::<_, Corrupt>(format!("roles/{}", index.role_name(role)?))).transpose()?,
        });
    }
    Ok(levels)
}

fn gather(index: &Index, subject: u32, scope: u32, time: Timestamp, best: &mut [Best]) -> Result<(), Corrupt> {
    let holders = Holders::of(index, subject, time)?;
    for node in super::placement::chain(index, scope) {
        let (node, record) = node?;
        for held in holders.at(node) {
            let (through, bindings) = held?;
            for binding in bindings {
                let role = binding.role.get();
                let role_record = index.record(role)?;
                if !holders.in_force(through, binding, role_record, record)? {
                    continue;
                }
                for (best, governor) in best.iter_mut().zip(0..) {
                    let (without, effective) = of_role(index, binding, role_record, governor)?;
                    best.without = best.without.max(without);
                    // Roles are numbered in name order.
                    let is_smaller = best.role.is_none_or(|known| role < known);
                    if effective > best.effective || (effective == best.effective && is_smaller) {
                        (best.effective, best.role) = (effective, Some(role));
                    }
                }
            }
        }
    }
    Ok(())
}

/// The subject of a name; a credential is none: ask about its owner.
fn subject_named(index: &Index, name: Entity<'_>) -> Result<Option<u32>, Corrupt> {
    match index.type_named(name.kind)? {
        Some((kind, record)) if record.flags.get() & type_flags::SUBJECT != 0 => index.entity_named(kind, name.id),
        _ => Ok(None),
    }
}
