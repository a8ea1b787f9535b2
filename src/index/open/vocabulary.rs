//! What opening checks of the vocabulary: names, types, actions with what they declare, levels.

use zerocopy::FromBytes;
use zerocopy::little_endian::U32;

use crate::compile::layout::{
    AlsoRecord, AttributeRecord, ChangeKind, ChangeRecord, ForbidRecord, MAX_PARAMETERS, NONE, NameSlot, ParameterKind,
    ParameterRecord, PermissionRecord, Section, SupplierCode, TermsRecord, TypeRecord, ValueKind, ValueRecord,
    governor_source,
};
use crate::index::Index;
use crate::index::read::{Corrupt, optional};

use super::{each, ensure};

impl Index {
    pub(super) fn check_names(&self, pause: &mut dyn FnMut()) -> Result<(), Corrupt> {
        let slots = self.all::<NameSlot>()?;
        // An empty slot must exist, or a look-up could not end early; the probe bound ends it in any case.
        ensure(slots.iter().any(|slot| slot.value.get() == NONE))?;
        each(slots.iter().filter(|slot| slot.value.get() != NONE), pause, |slot| self.text(slot.name.get()).map(drop))
    }

    pub(super) fn check_types(&self) -> Result<(), Corrupt> {
        let parents = <[U32]>::ref_from_bytes(self.section(Section::Parents)).map_err(|_| Corrupt)?;
        ensure(parents.iter().all(|parent| parent.get() < self.count::<TypeRecord>()))?;
        for kind in self.all::<TypeRecord>()? {
            self.text(kind.name.get())?;
            self.records::<PermissionRecord>(kind.permissions.get(), kind.permissions_end.get())?;
            self.numbers(Section::Parents, kind.parents.get(), kind.parents_end.get())?;
        }
        for attribute in self.all::<AttributeRecord>()? {
            self.text(attribute.name.get())?;
            ValueKind::from_code(attribute.kind).ok_or(Corrupt)?;
            ValueKind::from_code(attribute.item_kind).ok_or(Corrupt)?;
            SupplierCode::from_code(attribute.supplier).ok_or(Corrupt)?;
            self.optional_record::<ValueRecord>(attribute.default)?;
            self.records::<ValueRecord>(attribute.values.get(), attribute.values_end.get())?;
        }
        Ok(())
    }

    pub(super) fn check_permissions(&self) -> Result<(), Corrupt> {
        for permission in self.all::<PermissionRecord>()? {
            self.text(permission.name.get())?;
            self.record::<TypeRecord>(u32::from(permission.owner.get()))?;
            let parameters: &[ParameterRecord] =
                self.records(permission.parameters.get(), permission.parameters_end.get())?;
            ensure(parameters.len() <= MAX_PARAMETERS)?;
            for parameter in parameters {
                self.text(parameter.name.get())?;
                ParameterKind::from_code(parameter.kind).ok_or(Corrupt)?;
            }
            self.optional_record::<AlsoRecord>(permission.also)?;
            self.check_governor(permission)?;
            self.check_change(permission, parameters)?;
            self.numbers(Section::GeneralForbids, permission.forbids.get(), permission.forbids_end.get())?;
        }
        let forbids = <[U32]>::ref_from_bytes(self.section(Section::GeneralForbids)).map_err(|_| Corrupt)?;
        ensure(forbids.iter().all(|forbid| forbid.get() < self.count::<ForbidRecord>()))?;
        for also in self.all::<AlsoRecord>()? {
            let second: &PermissionRecord = self.record(also.permission.get())?;
            // Not nested: the second decision has no second of its own.
            ensure(second.also.get() == NONE)?;
        }
        Ok(())
    }

    /// The parameters that a change speaks of are of fitting kinds.
    fn check_change(&self, permission: &PermissionRecord, parameters: &[ParameterRecord]) -> Result<(), Corrupt> {
        let Some(change) = optional(permission.change) else { return Ok(()) };
        let change: &ChangeRecord = self.record(change)?;
        ChangeKind::from_code(change.kind).ok_or(Corrupt)?;
        let is = |place: U32, kind: ParameterKind| {
            let parameter = usize::try_from(place.get()).ok().and_then(|place| parameters.get(place));
            parameter.is_some_and(|parameter| parameter.kind == kind as u8)
        };
        ensure(is(change.target, ParameterKind::Entity))?;
        ensure(change.role.get() == NONE || is(change.role, ParameterKind::Role))?;
        ensure(change.permissions.get() == NONE || is(change.permissions, ParameterKind::Permissions))
    }

    fn check_governor(&self, permission: &PermissionRecord) -> Result<(), Corrupt> {
        let governor = permission.governor.get();
        match permission.governor_source {
            governor_source::NOTHING => Ok(()),
            governor_source::NODE => ensure(governor < self.governors()),
            governor_source::ATTRIBUTE => self.record::<AttributeRecord>(governor).map(drop),
            _ => Err(Corrupt),
        }
    }

    pub(super) fn check_levels(&self, pause: &mut dyn FnMut()) -> Result<(), Corrupt> {
        for section in [Section::Levels, Section::Governors] {
            let names = <[U32]>::ref_from_bytes(self.section(section)).map_err(|_| Corrupt)?;
            names.iter().try_for_each(|name| self.text(name.get()).map(drop))?;
        }
        each(self.all::<TermsRecord>()?, pause, |terms| {
            if terms.levels.get() != NONE && self.governors() > 0 {
                self.levels_on(terms.levels.get(), self.governors() - 1)?;
            }
            if terms.pin.get() != NONE {
                self.in_set(terms.pin.get(), self.count::<PermissionRecord>().saturating_sub(1))?;
            }
            Ok(())
        })
    }
}
