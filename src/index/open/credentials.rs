//! What opening checks of credentials: each belongs to one entity and one owner, and everything it names exists.

use zerocopy::little_endian::U32;

use crate::compile::layout::{
    ANY_TYPE, CredentialRecord, CredentialScopeRecord, DemandRecord, EntityRecord, NONE, PermissionRecord,
    ScopeRequirementRecord, Section, TermsRecord, TypeRecord, ValueKind, ValueRecord, type_flags,
};
use crate::index::Index;
use crate::index::read::Corrupt;

use super::{Ranges, each, ensure};

impl Index {
    pub(super) fn check_credentials(&self, pause: &mut dyn FnMut()) -> Result<(), Corrupt> {
        let all = self.all::<CredentialRecord>()?;
        // Of scopes and of resources apart: the same numbers may be both.
        let mut scopes = self.ranges_of(Section::CredentialLists);
        let mut within = self.ranges_of(Section::CredentialLists);
        let mut earlier = None;
        each(all, pause, |record| {
            // One of each entity.
            ensure(earlier < Some(record.entity.get()))?;
            earlier = Some(record.entity.get());
            ensure(self.sort_of(record.entity.get())? & type_flags::CREDENTIAL != 0)?;
            self.check_credential(record, &mut scopes, &mut within)
        })?;
        // Each record has an entity of its own; so as many entities as records means that none is left out. They stand by
        // type, as has been checked.
        ensure(self.count_entities(|flags| flags & type_flags::CREDENTIAL != 0)? == all.len())?;
        each(self.all::<CredentialScopeRecord>()?, pause, |scope| self.check_scope(scope))?;
        for requirement in self.all::<ScopeRequirementRecord>()? {
            ensure(self.attribute(requirement.attribute.get())?.owner.get() == ANY_TYPE)?;
            let values: &ValueRecord = self.record(requirement.values.get())?;
            ensure(values.kind == ValueKind::List as u8)?;
        }
        let demands = self.all::<DemandRecord>()?;
        ensure(demands.is_sorted())?;
        for demand in demands {
            let kind: &TypeRecord = self.record(demand.kind.get())?;
            ensure(kind.flags.get() & type_flags::CREDENTIAL != 0)?;
            ensure(self.attribute(demand.attribute.get())?.owner.get() == ANY_TYPE)?;
        }
        Ok(())
    }

    fn check_credential(
        &self,
        record: &CredentialRecord,
        seen_scopes: &mut Ranges,
        seen_within: &mut Ranges,
    ) -> Result<(), Corrupt> {
        let entity: &EntityRecord = self.record(record.entity.get())?;
        ensure(self.sort_of(entity.parent.get())? & type_flags::SUBJECT != 0)?;
        self.optional_record::<TermsRecord>(record.terms)?;
        let check = |start: U32, end: U32, bound: u32, seen: &mut Ranges| {
            let list = self.numbers(Section::CredentialLists, start.get(), end.get())?;
            ensure(!seen.is_new(start.get(), end.get())? || list.iter().all(|one| one.get() < bound))
        };
        check(record.scopes, record.scopes_end, self.count::<CredentialScopeRecord>(), seen_scopes)?;
        check(record.within, record.within_end, self.entities(), seen_within)?;
        self.check_set(record.permissions)
    }

    fn check_scope(&self, scope: &CredentialScopeRecord) -> Result<(), Corrupt> {
        self.text(scope.name.get())?;
        self.records::<ScopeRequirementRecord>(scope.requirements.get(), scope.requirements_end.get())?;
        self.check_set(scope.permissions)
    }

    fn check_set(&self, set: U32) -> Result<(), Corrupt> {
        if set.get() == NONE {
            return Ok(());
        }
        self.in_set(set.get(), self.count::<PermissionRecord>().saturating_sub(1)).map(drop)
    }

    pub(super) fn sort_of(&self, entity: u32) -> Result<u32, Corrupt> {
        ensure(entity < self.entities())?;
        let record: &EntityRecord = self.record(entity)?;
        Ok(self.record::<TypeRecord>(u32::from(record.kind.get()))?.flags.get())
    }
}
