//! Numbers → the names that an author wrote, for people.

use crate::compile::layout::{EntityRecord, ForbidRecord, PermissionRecord, RoleRecord, Section, TypeRecord};
use crate::model::Because;

use super::Index;
use super::read::Corrupt;

impl Index {
    /// The id of what decided: `roles/developer/bot.update`, `forbids/freeze`, `blocks/suspend-ana`. Built from names,
    /// never from positions, so that it survives every reordering. `None` for [`Because::Nothing`].
    pub fn rule_id(&self, because: Because) -> Option<String> {
        self.rule_id_parts(because).map(|parts| parts.concat())
    }

    /// The same in the pieces that it is put together from.
    pub(crate) fn rule_id_parts(&self, because: Because) -> Option<[&str; 6]> {
        match because {
            Because::Nothing => None,
            Because::Rule { role, permission } => {
                let role = self.role_name(role).ok()?;
                let record: &PermissionRecord = self.record(permission).ok()?;
                let (kind, action) = (self.type_name(record.owner.get()).ok()?, self.text(record.name.get()).ok()?);
                Some(["roles/", role, "/", kind, ".", action])
            }
            Because::Forbid(forbid) => {
                let record: &ForbidRecord = self.record(forbid).ok()?;
                Some([self.text(record.id.get()).ok()?, "", "", "", "", ""])
            }
        }
    }

    /// A role's name.
    pub(crate) fn role_name(&self, role: u32) -> Result<&str, Corrupt> {
        let record: &RoleRecord = self.record(role)?;
        self.text(record.name.get())
    }

    /// A type's name.
    pub(crate) fn type_name(&self, kind: u16) -> Result<&str, Corrupt> {
        let record: &TypeRecord = self.record(u32::from(kind))?;
        self.text(record.name.get())
    }

    /// An action's name.
    pub(crate) fn action_name(&self, permission: u32) -> Result<&str, Corrupt> {
        let record: &PermissionRecord = self.record(permission)?;
        self.text(record.name.get())
    }

    /// A level's name.
    pub(crate) fn level_name(&self, level: u8) -> Result<&str, Corrupt> {
        self.text(self.number_at(Section::Levels, usize::from(level))?)
    }

    /// A governor's path.
    pub(crate) fn governor_path(&self, governor: u32) -> Result<&str, Corrupt> {
        self.text(self.number_at(Section::Governors, usize::try_from(governor).map_err(|_| Corrupt)?)?)
    }

    /// `type.action`.
    pub(crate) fn permission_name(&self, permission: u32) -> Result<String, Corrupt> {
        let record: &PermissionRecord = self.record(permission)?;
        Ok(format!("{}.{}", self.type_name(record.owner.get())?, self.text(record.name.get())?))
    }

    /// A holder as facts write it: `type/id`, `all(type)` or `members_of(type/id)`.
    pub(crate) fn holder_name(&self, holder: u32) -> Result<String, Corrupt> {
        let record: &EntityRecord = self.record(holder)?;
        let kind = self.type_name(record.kind.get())?;
        match kind {
            "all" | "members_of" => Ok(format!("{kind}({})", self.text(record.id.get())?)),
            _ => self.entity_name(holder),
        }
    }

    /// `type/id`.
    pub(crate) fn entity_name(&self, entity: u32) -> Result<String, Corrupt> {
        let record: &EntityRecord = self.record(entity)?;
        Ok(format!("{}/{}", self.type_name(record.kind.get())?, self.text(record.id.get())?))
    }
}
