//! What opening checks of roles and forbids: whatever they name exists, and what is searched stands in order.

use zerocopy::FromBytes;
use zerocopy::little_endian::U32;

use crate::compile::layout::{
    AttributeRecord, ExclusiveRecord, ForbidRecord, HolderRecord, HolderValueRecord, LimitRecord, NONE, ParameterKind,
    ParameterRecord, PermissionRecord, ProgramRecord, PurviewRecord, RoleRecord, RuleRecord, Section,
    TargetedForbidRecord, TermsRecord, TypeRecord, ValueRecord,
};
use crate::index::Index;
use crate::index::read::{Corrupt, optional};

use super::{each, each_with_more, ensure};

impl Index {
    pub(super) fn check_roles(&self, pause: &mut dyn FnMut()) -> Result<(), Corrupt> {
        each(self.all::<LimitRecord>()?, pause, |limit| self.optional_record::<ProgramRecord>(limit.when))?;
        let lists = <[U32]>::ref_from_bytes(self.section(Section::RoleLists)).map_err(|_| Corrupt)?;
        ensure(lists.iter().all(|role| role.get() < self.count::<RoleRecord>()))?;
        let kinds = <[U32]>::ref_from_bytes(self.section(Section::TypeLists)).map_err(|_| Corrupt)?;
        ensure(kinds.iter().all(|kind| kind.get() < self.count::<TypeRecord>()))?;
        let (mut role_lists, mut type_lists) = (self.ranges_of(Section::RoleLists), self.ranges_of(Section::TypeLists));
        for set in self.all::<ExclusiveRecord>()? {
            self.text(set.name.get())?;
            self.check_order(Section::RoleLists, set.roles, set.roles_end, &mut role_lists)?;
            self.check_order(Section::TypeLists, set.scopes, set.scopes_end, &mut type_lists)?;
        }
        each(self.all::<PurviewRecord>()?, pause, |purview| {
            self.check_order(Section::RoleLists, purview.assigns, purview.assigns_end, &mut role_lists)?;
            self.check_order(Section::RoleLists, purview.holds, purview.holds_end, &mut role_lists)
        })?;
        each(self.all::<HolderRecord>()?, pause, |holder| {
            self.record::<TypeRecord>(u32::from(holder.kind.get()))?;
            self.records::<HolderValueRecord>(holder.values.get(), holder.values_end.get()).map(drop)
        })?;
        each(self.all::<HolderValueRecord>()?, pause, |demand| {
            self.record::<AttributeRecord>(demand.attribute.get())?;
            self.records::<ValueRecord>(demand.values.get(), demand.values_end.get()).map(drop)
        })?;
        let mut rule_ranges = self.ranges::<RuleRecord>();
        each_with_more(self.all::<RoleRecord>()?, pause, |role| {
            self.text(role.name.get())?;
            self.check_order(Section::TypeLists, role.scopes, role.scopes_end, &mut type_lists)?;
            self.records::<HolderRecord>(role.holders.get(), role.holders_end.get())?;
            let rules: &[RuleRecord] = self.records(role.rules.get(), role.rules_end.get())?;
            if !rule_ranges.is_new(role.rules.get(), role.rules_end.get())? {
                return Ok(0);
            }
            ensure(rules.is_sorted_by_key(|rule| rule.permission.get()))?;
            rules.iter().try_for_each(|rule| self.check_rule(rule))?;
            Ok(rules.len())
        })
    }

    fn check_rule(&self, rule: &RuleRecord) -> Result<(), Corrupt> {
        self.record::<PermissionRecord>(rule.permission.get())?;
        self.optional_record::<ProgramRecord>(rule.when)?;
        self.records::<LimitRecord>(rule.limits.get(), rule.limits_end.get())?;
        self.check_purview(rule)
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

    pub(super) fn check_forbids(&self, pause: &mut dyn FnMut()) -> Result<(), Corrupt> {
        each(self.all::<ForbidRecord>()?, pause, |forbid| {
            self.text(forbid.id.get())?;
            self.optional_record::<ProgramRecord>(forbid.when)?;
            self.optional_record::<TermsRecord>(forbid.terms)?;
            self.in_set(forbid.permissions.get(), self.count::<PermissionRecord>().saturating_sub(1)).map(drop)
        })?;
        let targeted = self.all::<TargetedForbidRecord>()?;
        let is_entity = |number: U32| number.get() == NONE || number.get() < self.entities();
        let mut earlier = None;
        each(targeted, pause, |record| {
            let place = Some((record.holder.get(), record.scope.get(), record.forbid.get()));
            ensure(earlier <= place)?;
            earlier = place;
            ensure(is_entity(record.holder) && is_entity(record.scope))?;
            self.record::<ForbidRecord>(record.forbid.get()).map(drop)
        })
    }
}
