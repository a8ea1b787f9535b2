//! The vocabulary as tables: types, attributes, actions with what they declare, conditions.

use zerocopy::IntoBytes;
use zerocopy::little_endian::U32;

use crate::compile::condition::Conditions;
use crate::compile::intern::number;
use crate::compile::layout::{
    AlsoRecord, AttributeRecord, ChangeKind, ChangeRecord, NONE, NameKind, ParameterKind, ParameterRecord,
    PermissionRecord, Section, SupplierCode, TypeRecord, ValueKind, ValueRecord, also_mode, attribute_flags,
    change_flags, governor_source, header_flags, parameter_flags, permission_flags, type_flags,
};
use crate::compile::schema::{
    AttributeInfo, ChangeInfo, GovernorSource, Kind, ParameterType, PermissionInfo, Schema, TypeSort,
};
use crate::compile::values::{Literals, value};
use crate::model::{Change, Supplier};

use super::Tables;

impl Tables {
    /// Types, attributes and permissions. Forbids are added to the permissions by [`Tables::write_forbids`].
    pub(in crate::compile) fn write_schema(
        &mut self,
        schema: &Schema<'_>,
        literals: &Literals,
        defaults: &[u32],
        strict: bool,
    ) {
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
        literals: &mut Vec<ValueRecord>,
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
    pub(in crate::compile) fn write_conditions(&mut self, conditions: &Conditions) {
        self.push_bytes(Section::Programs, conditions.programs.as_bytes());
        self.push_bytes(Section::Instructions, conditions.instructions.as_bytes());
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
