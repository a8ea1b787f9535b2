//! Roles, seats and forbids as tables.

use zerocopy::IntoBytes;
use zerocopy::little_endian::U32;

use crate::compile::forbids::Forbids;
use crate::compile::intern::{Runs, number};
use crate::compile::layout::{
    ExclusiveRecord, HolderRecord, NONE, NameKind, PermissionRecord, RoleRecord, SeatClassRecord, SeatRuleRecord,
    Section, role_flags,
};
use crate::compile::requirements::Requirements;
use crate::compile::roles::Roles;
use crate::compile::seats::SeatClassInfo;
use crate::compile::sets::PermissionSets;

use super::Tables;

impl Tables {
    /// Roles, rules and limits.
    pub(in crate::compile) fn write_roles(
        &mut self,
        roles: &Roles<'_>,
        requirements: &Requirements,
        lists: &mut Runs<u32>,
    ) {
        let mut rules = 0;
        let mut required = 0;
        let mut earlier = None;
        let mut types: Runs<u32> = Runs::default();
        let mut holders: Runs<HolderRecord> = Runs::default();
        let mut values = Runs::default();
        for (role, place) in roles.list.iter().zip(0..) {
            let required_here = requirements.records(place, lists);
            let required_end = required + number(required_here.len());
            self.push_bytes(Section::Requirements, required_here.as_bytes());
            let end = rules + number(role.rules.len());
            if role.definer.is_some() && earlier != Some(role.name) {
                self.name(NameKind::RoleSomewhere, 0, role.name, place);
                earlier = Some(role.name);
            }
            let groups_alone = if role.holders.is_for_groups_alone() { role_flags::GROUPS_ALONE } else { 0 };
            let (scopes, scopes_end) = types.intern(role.at.iter().copied().map(u32::from).collect());
            let (holders_start, holders_end) = holders.intern(role.holders.records(&mut values));
            let record = RoleRecord {
                name: self.name(NameKind::Role, role.definer.unwrap_or(NONE), role.name, place),
                rules: rules.into(),
                rules_end: end.into(),
                definer: role.definer.unwrap_or(NONE).into(),
                levels: role.levels.0,
                level: role.levels.1,
                flags: (role.flags | groups_alone).into(),
                scopes: scopes.into(),
                scopes_end: scopes_end.into(),
                holders: holders_start.into(),
                holders_end: holders_end.into(),
                requirements: required.into(),
                requirements_end: required_end.into(),
            };
            required = required_end;
            self.push(Section::Roles, &record);
            self.push_bytes(Section::Rules, role.rules.as_bytes());
            rules = end;
        }
        self.push_bytes(Section::Limits, roles.limits.items.as_bytes());
        self.push_bytes(Section::Purviews, roles.purviews.as_bytes());
        for set in &roles.exclusives {
            let (roles, roles_end) = set.roles;
            let (scopes, scopes_end) = types.intern(set.at.iter().copied().map(u32::from).collect());
            let record = ExclusiveRecord {
                name: self.strings.intern(set.name).into(),
                roles: roles.into(),
                roles_end: roles_end.into(),
                scopes: scopes.into(),
                scopes_end: scopes_end.into(),
            };
            self.push(Section::Exclusives, &record);
        }
        self.push_bytes(Section::Holders, holders.items.as_bytes());
        self.push_bytes(Section::HolderValues, values.items.as_bytes());
        for kind in types.items {
            self.push(Section::TypeLists, &U32::new(kind));
        }
        for role in &roles.role_lists.items {
            self.push(Section::RoleLists, &U32::new(*role));
        }
    }

    /// Classes of seats.
    pub(in crate::compile) fn write_seats(&mut self, classes: &[SeatClassInfo<'_>], lists: &mut Runs<u32>) {
        let mut rules = 0;
        for (class, place) in classes.iter().zip(0_u32..) {
            let (per, per_end) = lists.intern(class.per.clone());
            let (subjects, subjects_end) = lists.intern(class.subjects.clone());
            let record = SeatClassRecord {
                name: self.name(NameKind::Seats, 0, class.name, place),
                per: per.into(),
                per_end: per_end.into(),
                subjects: subjects.into(),
                subjects_end: subjects_end.into(),
                rules: rules.into(),
                rules_end: (rules + number(class.rules.len())).into(),
            };
            self.push(Section::SeatClasses, &record);
            for (roles, places) in &class.rules {
                let (start, end) = lists.intern(roles.clone());
                let record = SeatRuleRecord { roles: start.into(), roles_end: end.into(), places: (*places).into() };
                self.push(Section::SeatRules, &record);
                rules += 1;
            }
        }
    }

    /// The lists that other records name.
    pub(in crate::compile) fn write_lists(&mut self, lists: &Runs<u32>) {
        for item in &lists.items {
            self.push(Section::Lists, &U32::new(*item));
        }
    }

    /// Forbids, the sets of permissions that they take, and where to look for them.
    pub(in crate::compile) fn write_forbids(
        &mut self,
        forbids: &Forbids,
        permissions: usize,
        sets: &mut PermissionSets,
    ) {
        for info in &forbids.list {
            let set = sets.intern(&info.permissions);
            let id = self.strings.intern(&info.id);
            self.push(Section::Forbids, &Forbids::record(info, id, set));
        }
        self.push_bytes(Section::TargetedForbids, forbids.targeted().as_bytes());
        let mut listed: u32 = 0;
        for permission in 0..number(permissions) {
            let first = listed;
            for forbid in forbids.general(permission) {
                self.push(Section::GeneralForbids, &U32::new(forbid));
                listed += 1;
            }
            self.patch_permission(permission, first, listed);
        }
    }

    /// The sets of permissions that everything else refers to.
    pub(in crate::compile) fn write_sets(&mut self, sets: &PermissionSets) {
        self.push_bytes(Section::PermissionSets, sets.bytes());
    }

    /// Where a permission's general forbids stand.
    fn patch_permission(&mut self, permission: u32, first: u32, end: u32) {
        let size = size_of::<PermissionRecord>();
        let start = usize::try_from(permission).unwrap_or(0) * size;
        let table = self.sections.get_mut(Section::Permissions as usize);
        // The two ranges are the record's last eight bytes.
        if let Some(bytes) = table.and_then(|table| table.get_mut(start + size - 8..start + size)) {
            let (low, high) = bytes.split_at_mut(4);
            low.copy_from_slice(&first.to_le_bytes());
            high.copy_from_slice(&end.to_le_bytes());
        }
    }
}
