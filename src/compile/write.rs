//! Everything resolved → one buffer of tables.

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromZeros, Immutable, IntoBytes};

use crate::model::{Change, Supplier};

use super::condition::Conditions;
use super::credentials::Credentials;
use super::entities::{AttributeValues, Entities};
use super::forbids::Forbids;
use super::groups::Memberships;
use super::holdings::Holdings;
use super::intern::{Runs, Strings, number};
use super::layout::{
    AlsoRecord, AttributeRecord, ChangeKind, ChangeRecord, CredentialRecord, CredentialScopeRecord, EntityRecord,
    ExclusiveRecord, HeaderRecord, HolderRecord, MAGIC, NONE, NameKind, NameSlot, ParameterKind, ParameterRecord,
    PermissionRecord, RoleRecord, SECTIONS, SeatClassRecord, SeatRuleRecord, Section, SectionRecord, SupplierCode,
    TermsRecord, TypeRecord, VERSION, ValueKind, also_mode, attribute_flags, change_flags, entity_hash,
    governor_source, header_flags, name_hash, parameter_flags, permission_flags, role_flags, type_flags,
};
use super::requirements::Requirements;
use super::roles::Roles;
use super::schema::{AttributeInfo, ChangeInfo, GovernorSource, Kind, ParameterType, PermissionInfo, Schema, TypeSort};
use super::seats::SeatClassInfo;
use super::sets::PermissionSets;
use super::slots::{Slots, fill};
use super::values::{Literals, value};

/// The first seed of the name hash; names are few and the policy author's own.
const NAME_SEED: u64 = 0x51de_9a7e;

/// The tables while they grow.
#[derive(Debug)]
pub(super) struct Tables {
    /// Every text.
    pub(super) strings: Strings,
    sections: [Vec<u8>; SECTIONS],
    names: Vec<(NameKind, u32, String, u32)>,
    flags: u32,
    name_slots: Option<(u64, u32)>,
    entity_slots: Option<(u64, u32)>,
    problem: Option<String>,
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            strings: Strings::default(),
            sections: std::array::from_fn(|_| Vec::new()),
            names: Vec::new(),
            flags: 0,
            name_slots: None,
            entity_slots: None,
            problem: None,
        }
    }
}

impl Tables {
    fn push<T: IntoBytes + Immutable>(&mut self, section: Section, record: &T) {
        self.push_bytes(section, record.as_bytes());
    }

    fn push_bytes(&mut self, section: Section, bytes: &[u8]) {
        if let Some(table) = self.sections.get_mut(section as usize) {
            table.extend_from_slice(bytes);
        }
    }

    fn name(&mut self, kind: NameKind, owner: u32, name: &str, value: u32) -> U32 {
        self.names.push((kind, owner, name.to_owned(), value));
        self.strings.intern(name).into()
    }

    /// Types, attributes and permissions. Forbids are added to the permissions by [`Tables::write_forbids`].
    pub(super) fn write_schema(&mut self, schema: &Schema<'_>, literals: &Literals, defaults: &[u32], strict: bool) {
        self.flags = if strict { header_flags::STRICT_PROPERTIES } else { 0 };
        self.write_types(schema);
        self.write_levels(schema);
        let mut literals = literals.records.clone();
        for ((info, default), number) in schema.attributes.iter().zip(defaults).zip(0..) {
            let record = self.attribute(info, number, *default, &mut literals);
            self.push(Section::Attributes, &record);
        }
        self.push_bytes(Section::Literals, literals.as_bytes());
        let mut parameters = 0;
        let mut also = 0;
        for (info, number) in schema.permissions.iter().zip(0..) {
            let record = self.permission(info, number, &mut parameters, &mut also);
            self.push(Section::Permissions, &record);
        }
    }

    fn write_types(&mut self, schema: &Schema<'_>) {
        let mut parents = 0;
        for (info, number) in schema.types.iter().zip(0_u16..) {
            let sort = match info.sort {
                TypeSort::Resource => 0,
                TypeSort::Subject => type_flags::SUBJECT,
                TypeSort::Credential => type_flags::CREDENTIAL,
                TypeSort::Virtual => type_flags::VIRTUAL,
                TypeSort::Group | TypeSort::BuiltIn => type_flags::GROUP,
            };
            let root = if info.root { type_flags::ROOT } else { 0 };
            let open = if info.open { type_flags::OPEN } else { 0 };
            let mine = schema.permissions.iter().zip(0_u32..).filter(|(permission, _)| permission.owner == number);
            let mine: Vec<u32> = mine.map(|(_, permission)| permission).collect();
            let first = mine.first().copied().unwrap_or(0);
            let parents_end = parents + u32::try_from(info.parents.len()).unwrap_or(0);
            let record = TypeRecord {
                name: self.name(NameKind::Type, 0, &info.name.value, u32::from(number)),
                flags: (sort | root | open).into(),
                permissions: first.into(),
                permissions_end: mine.last().map_or(first, |last| last + 1).into(),
                parents: parents.into(),
                parents_end: parents_end.into(),
            };
            self.push(Section::Types, &record);
            for parent in &info.parents {
                self.push(Section::Parents, &U32::new(u32::from(*parent)));
            }
            parents = parents_end;
        }
    }

    fn write_levels(&mut self, schema: &Schema<'_>) {
        for level in &schema.levels {
            let name = U32::new(self.strings.intern(level));
            self.push(Section::Levels, &name);
        }
        for (info, governor) in schema.governors.iter().zip(0..) {
            let path = self.name(NameKind::Governor, 0, info.path, governor);
            self.push(Section::Governors, &path);
        }
    }

    fn attribute(
        &mut self,
        info: &AttributeInfo<'_>,
        attribute: u32,
        default: u32,
        literals: &mut Vec<super::layout::ValueRecord>,
    ) -> AttributeRecord {
        let declared = info.declared;
        let item = match &info.kind {
            Kind::List(item) => item.as_ref(),
            scalar => scalar,
        };
        let reference = if let Kind::Reference(target) = item { *target } else { 0 };
        let values = number(literals.len());
        if let Kind::Enum(texts) = item {
            for text in *texts {
                let text = self.strings.intern(&text.value);
                literals.push(value(ValueKind::Enum, 0, i64::from(text)));
            }
        }
        let supplier = match declared.from {
            Supplier::Snapshot => SupplierCode::Snapshot,
            Supplier::Request => SupplierCode::Request,
            Supplier::SnapshotThenRequest => SupplierCode::SnapshotThenRequest,
            Supplier::RequestThenSnapshot => SupplierCode::RequestThenSnapshot,
        };
        let optional = if declared.optional { attribute_flags::OPTIONAL } else { 0 };
        let sensitive = if declared.sensitive { attribute_flags::SENSITIVE } else { 0 };
        AttributeRecord {
            name: self.name(NameKind::Attribute, u32::from(info.owner), &declared.name.value, attribute),
            owner: info.owner.into(),
            reference: reference.into(),
            kind: info.kind.code() as u8,
            item_kind: item.code() as u8,
            supplier: supplier as u8,
            flags: optional | sensitive,
            default: default.into(),
            values: values.into(),
            values_end: number(literals.len()).into(),
        }
    }

    fn permission(
        &mut self,
        info: &PermissionInfo<'_>,
        permission: u32,
        parameters: &mut u32,
        also: &mut u32,
    ) -> PermissionRecord {
        let first = *parameters;
        for (parameter, (declared, target)) in (0..).zip(info.action.parameters.iter().zip(&info.parameters)) {
            let record = ParameterRecord {
                name: self.name(NameKind::Parameter, permission, &declared.name.value, parameter),
                reference: if let ParameterType::Entity(target) = *target { target } else { 0 }.into(),
                kind: parameter_kind(*target) as u8,
                flags: if declared.optional { parameter_flags::OPTIONAL } else { 0 },
            };
            self.push(Section::Parameters, &record);
            *parameters += 1;
        }
        let second = info.also.map_or(NONE, |(parameter, second, under)| {
            let mode = if under { also_mode::UNDER } else { also_mode::ON };
            self.push(
                Section::Also,
                &AlsoRecord { parameter: parameter.into(), permission: second.into(), mode: mode.into() },
            );
            *also += 1;
            *also - 1
        });
        let change = info.change.map_or(NONE, |change| self.change(change));
        let (source, governor) = match info.level_governor {
            GovernorSource::Nothing => (governor_source::NOTHING, NONE),
            GovernorSource::Node(node) => (governor_source::NODE, node),
            GovernorSource::Attribute(attribute) => (governor_source::ATTRIBUTE, attribute),
        };
        PermissionRecord {
            name: self.name(NameKind::Permission, u32::from(info.owner), &info.action.name.value, permission),
            owner: info.owner.into(),
            flags: if info.action.creates { permission_flags::CREATES } else { 0 }.into(),
            parameters: first.into(),
            parameters_end: (*parameters).into(),
            also: second.into(),
            level: info.level,
            governor_source: source,
            reserved: 0.into(),
            governor: governor.into(),
            change: change.into(),
            forbids: 0.into(),
            forbids_end: 0.into(),
        }
    }

    fn change(&mut self, change: ChangeInfo) -> u32 {
        let kind = match change.kind {
            Change::Grant => ChangeKind::Grant,
            Change::Revoke => ChangeKind::Revoke,
            Change::Replace => ChangeKind::Replace,
            Change::Customise => ChangeKind::Customise,
        };
        let record = ChangeRecord {
            kind: kind as u8,
            flags: if change.valid { change_flags::VALID } else { 0 },
            reserved: 0.into(),
            target: change.target.into(),
            role: change.role.unwrap_or(NONE).into(),
            permissions: change.permissions.unwrap_or(NONE).into(),
        };
        let place = self.sections.get(Section::Changes as usize).map_or(0, Vec::len) / size_of::<ChangeRecord>();
        self.push(Section::Changes, &record);
        number(place)
    }

    /// Programs and their instructions.
    pub(super) fn write_conditions(&mut self, conditions: &Conditions) {
        self.push_bytes(Section::Programs, conditions.programs.as_bytes());
        self.push_bytes(Section::Instructions, conditions.instructions.as_bytes());
    }

    /// Roles, rules and limits.
    pub(super) fn write_roles(&mut self, roles: &Roles<'_>, requirements: &Requirements, lists: &mut Runs<u32>) {
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
    pub(super) fn write_seats(&mut self, classes: &[SeatClassInfo<'_>], lists: &mut Runs<u32>) {
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
    pub(super) fn write_lists(&mut self, lists: &Runs<u32>) {
        for item in &lists.items {
            self.push(Section::Lists, &U32::new(*item));
        }
    }

    /// Forbids, the sets of permissions that they take, and where to look for them.
    pub(super) fn write_forbids(&mut self, forbids: &Forbids, permissions: usize, sets: &mut PermissionSets) {
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
    pub(super) fn write_sets(&mut self, sets: &PermissionSets) {
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

    /// Entities, their attributes and their bindings. Lifetimes of bindings stand behind those of forbids.
    pub(super) fn write_entities(
        &mut self,
        entities: &Entities<'_>,
        attributes: &AttributeValues,
        memberships: &Memberships,
        holdings: &Holdings,
        forbid_terms: &Runs<TermsRecord>,
    ) {
        self.push_bytes(Section::Terms, forbid_terms.items.as_bytes());
        self.push_bytes(Section::Terms, holdings.terms.items.as_bytes());
        self.push_bytes(Section::LevelSets, &holdings.level_sets.items);
        let first_terms = number(forbid_terms.items.len());
        let mut bindings = holdings.list.iter().peekable();
        let mut binding = 0;
        let mut groups = memberships.all().iter().peekable();
        let mut membership: u32 = 0;
        for ((info, values), entity) in entities.list.iter().zip(&attributes.starts).zip(0_u32..) {
            let record = EntityRecord {
                id: self.strings.push(info.id).into(),
                kind: info.kind.into(),
                flags: info.flags.into(),
                parent: info.parent.into(),
                values: (*values).into(),
                bindings: binding.into(),
                memberships: membership.into(),
            };
            self.push(Section::Entities, &record);
            while let Some((_, group)) = groups.next_if(|(subject, _)| *subject == entity) {
                self.push(Section::Memberships, group);
                membership += 1;
            }
            while let Some((_, held, _)) = bindings.next_if(|(subject, ..)| *subject == entity) {
                let mut held = *held;
                if held.terms.get() != NONE {
                    held.terms = (held.terms.get() + first_terms).into();
                }
                self.push(Section::Bindings, &held);
                binding += 1;
            }
        }
        let mut last = EntityRecord::new_zeroed();
        last.values = attributes.starts.last().copied().unwrap_or(0).into();
        last.bindings = binding.into();
        last.memberships = membership.into();
        self.push(Section::Entities, &last);
        self.push_bytes(Section::AttributeValues, attributes.records.as_bytes());
        self.write_entity_slots(entities);
    }

    /// Credentials, their scopes and what they demand. Their lifetimes stand behind all others, so that this comes last.
    pub(super) fn write_credentials(&mut self, credentials: &Credentials<'_>, sets: &mut PermissionSets) {
        let terms = self.sections.get(Section::Terms as usize).map_or(0, Vec::len) / size_of::<TermsRecord>();
        self.push_bytes(Section::Terms, credentials.terms.items.as_bytes());
        for list in &credentials.lists.items {
            self.push(Section::CredentialLists, &U32::new(*list));
        }
        for info in &credentials.list {
            let set = info.permissions.as_ref().map_or(NONE, |set| sets.intern(set));
            let record = CredentialRecord {
                entity: info.entity.into(),
                terms: if info.terms == NONE { NONE } else { info.terms + number(terms) }.into(),
                scopes: info.scopes.0.into(),
                scopes_end: info.scopes.1.into(),
                within: info.within.0.into(),
                within_end: info.within.1.into(),
                permissions: set.into(),
            };
            self.push(Section::Credentials, &record);
        }
        for info in &credentials.scopes {
            let set = info.permissions.as_ref().map_or(NONE, |set| sets.intern(set));
            let record = CredentialScopeRecord {
                name: self.strings.intern(info.name).into(),
                requirements: info.requirements.0.into(),
                requirements_end: info.requirements.1.into(),
                permissions: set.into(),
            };
            self.push(Section::CredentialScopes, &record);
        }
        self.push_bytes(Section::ScopeRequirements, credentials.requirements.as_bytes());
        self.push_bytes(Section::Demands, credentials.demands.as_bytes());
    }

    fn write_entity_slots(&mut self, entities: &Entities<'_>) {
        let mut ids = blake3::Hasher::new();
        for info in &entities.list {
            ids.update(&info.kind.to_le_bytes());
            ids.update(&number(info.id.len()).to_le_bytes());
            ids.update(info.id.as_bytes());
        }
        let seed = ids.finalize().as_bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let hash =
            |seed, at: usize| entities.list.get(at).map_or(0, |info| entity_hash(seed, info.kind, info.id.as_bytes()));
        match fill(entities.list.len(), seed, hash) {
            Ok(Slots { seed, probes, keys }) => {
                self.entity_slots = Some((seed, probes));
                for slot in keys {
                    self.push(Section::EntitySlots, &U32::new(slot));
                }
            }
            Err(problem) => self.problem = Some(problem),
        }
    }

    fn write_names(&mut self) {
        let names = std::mem::take(&mut self.names);
        let hash = |seed, at: usize| {
            names.get(at).map_or(0, |(kind, owner, name, _)| name_hash(seed, *kind, *owner, name.as_bytes()))
        };
        match fill(names.len(), NAME_SEED, hash) {
            Ok(Slots { seed, probes, keys }) => {
                self.name_slots = Some((seed, probes));
                for slot in keys {
                    let named = usize::try_from(slot).ok().and_then(|at| names.get(at));
                    let record = named.map_or(
                        NameSlot { value: NONE.into(), ..NameSlot::new_zeroed() },
                        |(kind, owner, name, value)| NameSlot {
                            kind: *kind as u8,
                            reserved: [0; 3],
                            owner: (*owner).into(),
                            name: self.strings.intern(name).into(),
                            value: (*value).into(),
                        },
                    );
                    self.push(Section::Names, &record);
                }
            }
            Err(problem) => self.problem = Some(problem),
        }
    }

    /// The body.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, String> {
        self.write_names();
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        let (name_seed, name_probes) = self.name_slots.unwrap_or_default();
        let (entity_seed, entity_probes) = self.entity_slots.unwrap_or_default();
        let mut sections = self.sections;
        if let Some(table) = sections.get_mut(Section::Strings as usize) {
            *table = self.strings.finish()?;
        }
        if sections.iter().enumerate().any(|(section, table)| is_too_long(section, table.len())) {
            return Err("the tables of this snapshot have more records than can be numbered".to_owned());
        }
        let mut start = size_of::<HeaderRecord>();
        let places = std::array::from_fn(|at| {
            let length = sections.get(at).map_or(0, Vec::len);
            let place = SectionRecord { start: wide(start), length: wide(length) };
            start += length;
            place
        });
        let header = HeaderRecord {
            magic: MAGIC,
            version: VERSION.into(),
            flags: self.flags.into(),
            name_seed: name_seed.into(),
            entity_seed: entity_seed.into(),
            name_probes: name_probes.into(),
            entity_probes: entity_probes.into(),
            sections: places,
        };
        let mut body = Vec::with_capacity(start);
        body.extend_from_slice(header.as_bytes());
        for section in &sections {
            body.extend_from_slice(section);
        }
        Ok(body)
    }
}

fn parameter_kind(declared: ParameterType) -> ParameterKind {
    match declared {
        ParameterType::Entity(_) => ParameterKind::Entity,
        ParameterType::Role => ParameterKind::Role,
        ParameterType::Roles => ParameterKind::Roles,
        ParameterType::Permission => ParameterKind::Permission,
        ParameterType::Permissions => ParameterKind::Permissions,
    }
}

/// Whether a table has more than can be numbered; a reference beyond that would be another's.
fn is_too_long(section: usize, bytes: usize) -> bool {
    let is_of_bytes = section == Section::LevelSets as usize || section == Section::PermissionSets as usize;
    // No record is smaller than a number.
    let most = bytes / if is_of_bytes { 1 } else { size_of::<U32>() };
    u32::try_from(most).map_or(true, |most| most == NONE)
}

fn wide(count: usize) -> U64 {
    U64::new(u64::try_from(count).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_with_more_than_can_be_numbered_is_too_long() {
        let most = usize::try_from(NONE).unwrap();
        for (section, unit) in [(Section::PermissionSets, 1), (Section::LevelSets, 1), (Section::Lists, 4)] {
            assert!(!is_too_long(section as usize, (most - 1) * unit), "{section:?}");
            assert!(is_too_long(section as usize, most * unit), "{section:?}");
            assert!(is_too_long(section as usize, (most + 1) * unit), "{section:?}");
        }
    }
}
