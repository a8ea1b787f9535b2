//! Bytes → an index: what is checked once, so that a damaged or foreign file is refused as a whole.

use zerocopy::FromBytes;
use zerocopy::little_endian::U32;

use crate::compile::layout::{
    AlsoRecord, AttributeRecord, AttributeValueRecord, BindingRecord, ChangeKind, ChangeRecord, CredentialRecord,
    CredentialScopeRecord, DemandRecord, EntityRecord, ExclusiveRecord, ForbidRecord, HeaderRecord, HolderRecord,
    HolderValueRecord, InstructionRecord, LimitRecord, MAGIC, MAX_PARAMETERS, MembershipRecord, NONE, NameSlot,
    OperandKind, OperandRecord, Operation, ParameterKind, ParameterRecord, PermissionRecord, ProgramRecord,
    PurviewRecord, RequirementRecord, RoleRecord, RuleRecord, SECTIONS, SUBJECT_TYPES, ScopeRequirementRecord,
    SeatClassRecord, SeatRuleRecord, Section, SupplierCode, TargetedForbidRecord, TermsRecord, TypeRecord, VERSION,
    ValueKind, ValueRecord, governor_source,
};

mod credentials;
mod holders;

use super::Index;
use super::read::{Corrupt, Record, optional};

/// Why bytes are not an index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// They do not begin as an index does.
    #[error("this is not a compiled snapshot")]
    Foreign,
    /// They were written by another version of the layout.
    #[error("this is a compiled snapshot of layout {found}; this program reads layout {VERSION}")]
    Version {
        /// What they say.
        found: u32,
    },
    /// They are damaged.
    #[error("the compiled snapshot is damaged: {what}")]
    Damaged {
        /// What does not fit.
        what: &'static str,
    },
}

/// A check of one kind of table.
type Check = fn(&Index) -> Result<(), Corrupt>;

impl Index {
    /// Opens and validates.
    ///
    /// # Errors
    /// Bytes that are foreign, of another version, cut, or inconsistent in any reference.
    pub fn open(bytes: Vec<u8>) -> Result<Self, OpenError> {
        Self::open_behind(bytes, 0)
    }

    /// As [`Index::open`], for bytes of which the first `start` are not its own: a large file is never copied.
    pub(super) fn open_behind(bytes: Vec<u8>, start: usize) -> Result<Self, OpenError> {
        let own = bytes.get(start..).unwrap_or_default();
        let (header, _) = HeaderRecord::ref_from_prefix(own).map_err(|_| OpenError::Foreign)?;
        if header.magic != MAGIC {
            return Err(OpenError::Foreign);
        }
        if header.version.get() != VERSION {
            return Err(OpenError::Version { found: header.version.get() });
        }
        let sections = sections(header, own.len())?.map(|(from, to)| (start + from, start + to));
        let digest = *blake3::hash(own).as_bytes();
        let index = Self {
            sections,
            flags: header.flags.get(),
            name_seed: header.name_seed.get(),
            entity_seed: header.entity_seed.get(),
            name_probes: header.name_probes.get(),
            entity_probes: header.entity_probes.get(),
            digest,
            start,
            bytes,
        };
        index.validate()?;
        Ok(index)
    }

    fn validate(&self) -> Result<(), OpenError> {
        self.check_sizes()?;
        let checks: [(&'static str, Check); 12] = [
            ("levels", Self::check_levels),
            ("names", Self::check_names),
            ("types", Self::check_types),
            ("permissions", Self::check_permissions),
            ("values", Self::check_values),
            ("conditions", Self::check_conditions),
            ("roles", Self::check_roles),
            ("requirements", Self::check_requirements),
            ("seats", Self::check_seats),
            ("entities", Self::check_entities),
            ("forbids", Self::check_forbids),
            ("credentials", Self::check_credentials),
        ];
        for (what, check) in checks {
            check(self).map_err(|Corrupt| OpenError::Damaged { what })?;
        }
        Ok(())
    }

    /// Every table is a whole number of records.
    fn check_sizes(&self) -> Result<(), OpenError> {
        let whole = [
            self.is_whole::<NameSlot>(),
            self.is_whole::<TypeRecord>(),
            self.is_whole::<AttributeRecord>(),
            self.is_whole::<PermissionRecord>(),
            self.is_whole::<ParameterRecord>(),
            self.is_whole::<AlsoRecord>(),
            self.is_whole::<ValueRecord>(),
            self.is_whole::<ProgramRecord>(),
            self.is_whole::<InstructionRecord>(),
            self.is_whole::<RoleRecord>(),
            self.is_whole::<RuleRecord>(),
            self.is_whole::<LimitRecord>(),
            self.is_whole::<PurviewRecord>(),
            self.is_whole::<ChangeRecord>(),
            self.is_whole::<ExclusiveRecord>(),
            self.is_whole::<HolderRecord>(),
            self.is_whole::<HolderValueRecord>(),
            self.section(Section::TypeLists).len().is_multiple_of(4),
            self.section(Section::RoleLists).len().is_multiple_of(4),
            self.is_whole::<EntityRecord>(),
            self.is_whole::<AttributeValueRecord>(),
            self.is_whole::<MembershipRecord>(),
            self.is_whole::<BindingRecord>(),
            self.is_whole::<TermsRecord>(),
            self.is_whole::<ForbidRecord>(),
            self.is_whole::<TargetedForbidRecord>(),
            self.is_whole::<RequirementRecord>(),
            self.is_whole::<SeatClassRecord>(),
            self.is_whole::<SeatRuleRecord>(),
            self.section(Section::Lists).len().is_multiple_of(4),
            self.is_whole::<CredentialRecord>(),
            self.is_whole::<CredentialScopeRecord>(),
            self.is_whole::<ScopeRequirementRecord>(),
            self.is_whole::<DemandRecord>(),
            self.section(Section::CredentialLists).len().is_multiple_of(4),
            self.section(Section::Parents).len().is_multiple_of(4),
            self.section(Section::EntitySlots).len().is_multiple_of(4),
            self.section(Section::GeneralForbids).len().is_multiple_of(4),
            self.count::<TypeRecord>() < u32::from(SUBJECT_TYPES),
        ];
        if whole.contains(&false) { Err(OpenError::Damaged { what: "the sizes of its tables" }) } else { Ok(()) }
    }

    fn is_whole<T: Record>(&self) -> bool {
        self.section(T::SECTION).len().is_multiple_of(size_of::<T>())
    }

    fn all<T: Record>(&self) -> Result<&[T], Corrupt> {
        self.records(0, self.count::<T>())
    }

    fn check_names(&self) -> Result<(), Corrupt> {
        let slots = self.all::<NameSlot>()?;
        // An empty slot must exist, or a look-up could not end early; the probe bound ends it in any case.
        ensure(slots.iter().any(|slot| slot.value.get() == NONE))?;
        slots.iter().filter(|slot| slot.value.get() != NONE).try_for_each(|slot| self.text(slot.name.get()).map(drop))
    }

    fn check_types(&self) -> Result<(), Corrupt> {
        for kind in self.all::<TypeRecord>()? {
            self.text(kind.name.get())?;
            self.records::<PermissionRecord>(kind.permissions.get(), kind.permissions_end.get())?;
            for parent in self.numbers(Section::Parents, kind.parents.get(), kind.parents_end.get())? {
                self.record::<TypeRecord>(parent.get())?;
            }
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

    fn check_permissions(&self) -> Result<(), Corrupt> {
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
            for forbid in
                self.numbers(Section::GeneralForbids, permission.forbids.get(), permission.forbids_end.get())?
            {
                self.record::<ForbidRecord>(forbid.get())?;
            }
        }
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

    fn check_levels(&self) -> Result<(), Corrupt> {
        for section in [Section::Levels, Section::Governors] {
            let names = <[U32]>::ref_from_bytes(self.section(section)).map_err(|_| Corrupt)?;
            names.iter().try_for_each(|name| self.text(name.get()).map(drop))?;
        }
        for terms in self.all::<TermsRecord>()? {
            if terms.levels.get() != NONE && self.governors() > 0 {
                self.levels_on(terms.levels.get(), self.governors() - 1)?;
            }
            if terms.pin.get() != NONE {
                self.in_set(terms.pin.get(), self.count::<PermissionRecord>().saturating_sub(1))?;
            }
        }
        Ok(())
    }

    fn check_values(&self) -> Result<(), Corrupt> {
        self.all::<ValueRecord>()?.iter().try_for_each(|value| self.check_value(value))
    }

    fn check_value(&self, value: &ValueRecord) -> Result<(), Corrupt> {
        let payload = || u32::try_from(value.payload.get()).map_err(|_| Corrupt);
        match ValueKind::from_code(value.kind).ok_or(Corrupt)? {
            ValueKind::String | ValueKind::Enum | ValueKind::Governor => self.text(payload()?).map(drop),
            ValueKind::Reference => ensure(payload()? < self.entities()),
            ValueKind::List => {
                let start = payload()?;
                let items: &[ValueRecord] =
                    self.records(start, start.checked_add(value.extra.get()).ok_or(Corrupt)?)?;
                ensure(items.iter().all(|item| item.kind != ValueKind::List as u8))
            }
            ValueKind::Absent | ValueKind::Bool | ValueKind::Int | ValueKind::Timestamp => Ok(()),
        }
    }

    fn check_conditions(&self) -> Result<(), Corrupt> {
        for program in self.all::<ProgramRecord>()? {
            self.text(program.text.get())?;
            let instructions: &[InstructionRecord] = self.records(program.start.get(), program.end.get())?;
            self.check_program(instructions)?;
        }
        Ok(())
    }

    /// Every operand exists and the stack of truths ends with exactly one.
    fn check_program(&self, instructions: &[InstructionRecord]) -> Result<(), Corrupt> {
        let mut depth: u32 = 0;
        for instruction in instructions {
            self.check_operand(&instruction.left)?;
            self.check_operand(&instruction.right)?;
            depth = match Operation::from_code(instruction.operation).ok_or(Corrupt)? {
                Operation::Not => depth.checked_sub(1).ok_or(Corrupt)? + 1,
                Operation::And | Operation::Or => depth.checked_sub(2).ok_or(Corrupt)? + 1,
                _ => depth + 1,
            };
            ensure(depth <= 64)?;
        }
        ensure(depth == 1)
    }

    fn check_operand(&self, operand: &OperandRecord) -> Result<(), Corrupt> {
        let number = operand.number.get();
        match OperandKind::from_code(operand.kind).ok_or(Corrupt)? {
            OperandKind::Literal => self.record::<ValueRecord>(number).map(drop),
            OperandKind::Resource
            | OperandKind::Ancestor
            | OperandKind::Subject
            | OperandKind::Credential
            | OperandKind::Context => self.record::<AttributeRecord>(number).map(drop),
            OperandKind::Parameter => ensure(usize::try_from(number).is_ok_and(|number| number < MAX_PARAMETERS)),
            OperandKind::Nothing
            | OperandKind::SubjectItself
            | OperandKind::ResourceItself
            | OperandKind::RequestTime
            | OperandKind::ByCredential => Ok(()),
        }
    }

    fn check_roles(&self) -> Result<(), Corrupt> {
        for limit in self.all::<LimitRecord>()? {
            self.optional_record::<ProgramRecord>(limit.when)?;
        }
        let lists = <[U32]>::ref_from_bytes(self.section(Section::RoleLists)).map_err(|_| Corrupt)?;
        ensure(lists.iter().all(|role| role.get() < self.count::<RoleRecord>()))?;
        let kinds = <[U32]>::ref_from_bytes(self.section(Section::TypeLists)).map_err(|_| Corrupt)?;
        ensure(kinds.iter().all(|kind| kind.get() < self.count::<TypeRecord>()))?;
        for set in self.all::<ExclusiveRecord>()? {
            self.text(set.name.get())?;
            self.check_order(Section::RoleLists, set.roles, set.roles_end)?;
            self.check_order(Section::TypeLists, set.scopes, set.scopes_end)?;
        }
        for purview in self.all::<PurviewRecord>()? {
            self.check_order(Section::RoleLists, purview.assigns, purview.assigns_end)?;
            self.check_order(Section::RoleLists, purview.holds, purview.holds_end)?;
        }
        for holder in self.all::<HolderRecord>()? {
            self.record::<TypeRecord>(u32::from(holder.kind.get()))?;
            self.records::<HolderValueRecord>(holder.values.get(), holder.values_end.get())?;
        }
        for demand in self.all::<HolderValueRecord>()? {
            self.record::<AttributeRecord>(demand.attribute.get())?;
            self.records::<ValueRecord>(demand.values.get(), demand.values_end.get())?;
        }
        for role in self.all::<RoleRecord>()? {
            self.text(role.name.get())?;
            self.check_order(Section::TypeLists, role.scopes, role.scopes_end)?;
            self.records::<HolderRecord>(role.holders.get(), role.holders_end.get())?;
            let rules: &[RuleRecord] = self.records(role.rules.get(), role.rules_end.get())?;
            ensure(rules.is_sorted_by_key(|rule| rule.permission.get()))?;
            for rule in rules {
                self.record::<PermissionRecord>(rule.permission.get())?;
                self.optional_record::<ProgramRecord>(rule.when)?;
                self.records::<LimitRecord>(rule.limits.get(), rule.limits_end.get())?;
                self.check_purview(rule)?;
            }
        }
        Ok(())
    }

    /// The parameters that a purview speaks of are those of the rule's action, and of a fitting kind.
    fn check_purview(&self, rule: &RuleRecord) -> Result<(), Corrupt> {
        let Some(purview) = optional(rule.purview) else { return Ok(()) };
        let purview: &PurviewRecord = self.record(purview)?;
        let action: &PermissionRecord = self.record(rule.permission.get())?;
        let parameters: &[ParameterRecord] = self.records(action.parameters.get(), action.parameters_end.get())?;
        let names_an_entity = |place: u32| {
            let parameter = usize::try_from(place).ok().and_then(|place| parameters.get(place));
            parameter.is_some_and(|parameter| parameter.kind == ParameterKind::Entity as u8)
        };
        ensure(optional(purview.target).is_none_or(names_an_entity))?;
        ensure((0..u8::BITS).filter(|place| purview.within & (1 << place) != 0).all(names_an_entity))
    }

    fn check_entities(&self) -> Result<(), Corrupt> {
        ensure(self.count::<EntityRecord>() > 0)?;
        let roles = self.count::<RoleRecord>();
        let entities = self.entities();
        let mut earlier = None;
        for entity in 0..entities {
            let record: &EntityRecord = self.record(entity)?;
            // By type, then id, none twice: what lists find by search is what a look-up by name finds.
            let place = Some((record.kind.get(), self.text(record.id.get())?.as_bytes()));
            ensure(earlier < place)?;
            earlier = place;
            self.record::<TypeRecord>(u32::from(record.kind.get()))?;
            ensure(record.parent.get() == NONE || record.parent.get() < entities)?;
            ensure(self.held_by(entity)?.is_sorted())?;
            let next: &EntityRecord = self.record(entity + 1)?;
            self.records::<AttributeValueRecord>(record.values.get(), next.values.get())?;
            self.check_memberships(entity)?;
        }
        for binding in self.all::<BindingRecord>()? {
            ensure(binding.scope.get() < entities && binding.role.get() < roles)?;
            self.optional_record::<TermsRecord>(binding.terms)?;
        }
        for value in self.all::<AttributeValueRecord>()? {
            self.record::<AttributeRecord>(value.attribute.get())?;
            self.check_value(&value.value)?;
        }
        let slots = self.section(Section::EntitySlots);
        let slots = <[U32]>::ref_from_bytes(slots).map_err(|_| Corrupt)?;
        ensure(slots.iter().any(|slot| slot.get() == NONE))?;
        ensure(slots.iter().all(|slot| slot.get() == NONE || slot.get() < entities))
    }

    fn check_forbids(&self) -> Result<(), Corrupt> {
        for forbid in self.all::<ForbidRecord>()? {
            self.text(forbid.id.get())?;
            self.optional_record::<ProgramRecord>(forbid.when)?;
            self.optional_record::<TermsRecord>(forbid.terms)?;
            self.in_set(forbid.permissions.get(), self.count::<PermissionRecord>().saturating_sub(1))?;
        }
        let targeted = self.all::<TargetedForbidRecord>()?;
        let key = |record: &TargetedForbidRecord| (record.holder.get(), record.scope.get(), record.forbid.get());
        ensure(targeted.is_sorted_by_key(key))?;
        let is_entity = |number: U32| number.get() == NONE || number.get() < self.entities();
        ensure(targeted.iter().all(|record| is_entity(record.holder) && is_entity(record.scope)))?;
        targeted.iter().try_for_each(|record| self.record::<ForbidRecord>(record.forbid.get()).map(drop))
    }

    /// A list in which a look-up may search: in order, none twice.
    fn check_order(&self, section: Section, start: U32, end: U32) -> Result<(), Corrupt> {
        let list = self.numbers(section, start.get(), end.get())?;
        ensure(list.is_sorted_by(|a, b| a.get() < b.get()))
    }

    fn optional_record<T: Record>(&self, number: U32) -> Result<(), Corrupt> {
        if number.get() == NONE { Ok(()) } else { self.record::<T>(number.get()).map(drop) }
    }
}

/// Where each table stands; the tables fill the body without gaps, in order.
fn sections(header: &HeaderRecord, length: usize) -> Result<[(usize, usize); SECTIONS], OpenError> {
    let damaged = OpenError::Damaged { what: "the places of its tables" };
    let mut sections = [(0, 0); SECTIONS];
    let mut expected = size_of::<HeaderRecord>();
    for (place, section) in header.sections.iter().zip(&mut sections) {
        let start = usize::try_from(place.start.get()).map_err(|_| damaged.clone())?;
        let bytes = usize::try_from(place.length.get()).map_err(|_| damaged.clone())?;
        let end = start.checked_add(bytes).filter(|end| *end <= length).ok_or_else(|| damaged.clone())?;
        if start != expected {
            return Err(damaged);
        }
        *section = (start, end);
        expected = end;
    }
    if expected == length { Ok(sections) } else { Err(damaged) }
}

fn ensure(holds: bool) -> Result<(), Corrupt> {
    if holds { Ok(()) } else { Err(Corrupt) }
}
