//! What loading would refuse, in the words of a person who has to mend it.

use crate::compile::layout::ExclusiveRecord;
use crate::index::{Corrupt, Index};

use super::Violation;

impl Violation {
    /// In words, with ids.
    pub(in crate::decide) fn words(&self, index: &Index) -> Result<String, Corrupt> {
        let role = |role: u32| -> Result<String, Corrupt> { Ok(format!("`{}`", index.role_name(role)?)) };
        let entity = |entity: u32| -> Result<String, Corrupt> { Ok(format!("`{}`", index.entity_name(entity)?)) };
        Ok(match *self {
            Self::Unnamed => "the request does not name a parameter that the change needs".to_owned(),
            Self::NotThere => "the resource does not exist yet: nothing is held on it".to_owned(),
            Self::NotHeldAt { role: which, scope } => format!("{} is not held at {}", role(which)?, entity(scope)?),
            Self::NotHeldBy { role: which, holder } => {
                format!("{} may not be held by {}", role(which)?, entity(holder)?)
            }
            Self::Exclusive { set, roles: (one, other), scope } => {
                let set: &ExclusiveRecord = index.record(set)?;
                let set = index.text(set.name.get())?;
                format!(
                    "{} and {} at {}: of `{set}` only one is held on a scope",
                    role(one)?,
                    role(other)?,
                    entity(scope)?
                )
            }
            Self::NoBase { role: which, scope } => {
                format!("{} at {} rests on a role that would not be held above it", role(which)?, entity(scope)?)
            }
            Self::RuledOut { role: which, scope, other, at } => format!(
                "{} at {} rules out {}, which would be held at {}",
                role(which)?,
                entity(scope)?,
                role(other)?,
                entity(at)?
            ),
            Self::NotOne { holder, scope } => {
                format!("{} does not hold exactly one role at {}", entity(holder)?, entity(scope)?)
            }
            Self::NotCustomisable { role: which } => format!("{} is not customisable", role(which)?),
            Self::NotGiven { role: which, permission } => {
                format!("{} does not give `{}`", role(which)?, index.permission_name(permission)?)
            }
        })
    }
}
