//! Names → numbers, and what belongs to a number.

use std::cmp::Ordering;

use crate::compile::layout::{
    ANY_TYPE, AttributeRecord, AttributeValueRecord, BindingRecord, CredentialRecord, DemandRecord, EntityRecord,
    MembershipRecord, NONE, NameKind, NameSlot, PermissionRecord, RoleRecord, RuleRecord, SeatClassRecord, Section,
    TargetedForbidRecord, TypeRecord, ValueRecord, first_slot, name_hash, type_flags,
};

use super::held::Held;
use super::read::{Corrupt, same};
use super::{Counts, Index};

/// The forbids that bind one holder, by scope.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Forbidden<'i>(&'i [TargetedForbidRecord]);

impl<'i> Forbidden<'i> {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of a scope; [`NONE`] stands for everywhere.
    pub(crate) fn at(&self, scope: u32) -> &'i [TargetedForbidRecord] {
        let from = self.0.partition_point(|record| record.scope.get() < scope);
        let rest = self.0.get(from..).unwrap_or_default();
        let mine = rest.partition_point(|record| record.scope.get() == scope);
        rest.get(..mine).unwrap_or_default()
    }
}

impl Index {
    /// The type of a name, of resources or of subjects.
    pub(crate) fn type_named(&self, name: &str) -> Result<Option<(u16, &TypeRecord)>, Corrupt> {
        let Some(number) = self.named(NameKind::Type, 0, name.as_bytes())? else { return Ok(None) };
        let number = u16::try_from(number).map_err(|_| Corrupt)?;
        Ok(Some((number, self.record(u32::from(number))?)))
    }

    /// The action of a type.
    pub(crate) fn permission_named(&self, owner: u16, action: &str) -> Result<Option<u32>, Corrupt> {
        self.named(NameKind::Permission, u32::from(owner), action.as_bytes())
    }

    /// The attribute of a type.
    pub(crate) fn attribute_named(&self, owner: u16, name: &str) -> Result<Option<u32>, Corrupt> {
        self.named(NameKind::Attribute, u32::from(owner), name.as_bytes())
    }

    /// The context key of a name.
    pub(crate) fn context_key_named(&self, name: &str) -> Result<Option<u32>, Corrupt> {
        self.attribute_named(ANY_TYPE, name)
    }

    /// The place of a permission's parameter, from 0.
    pub(crate) fn parameter_named(&self, permission: u32, name: &str) -> Result<Option<u32>, Corrupt> {
        self.named(NameKind::Parameter, permission, name.as_bytes())
    }

    /// The role of a name that a scope defines, or a built-in one where that is [`NONE`].
    pub(crate) fn role_defined_at(&self, definer: u32, name: &str) -> Result<Option<u32>, Corrupt> {
        self.named(NameKind::Role, definer, name.as_bytes())
    }

    /// Whether any scope defines a role of this name.
    pub(crate) fn is_role_somewhere(&self, name: &str) -> Result<bool, Corrupt> {
        Ok(self.named(NameKind::RoleSomewhere, 0, name.as_bytes())?.is_some())
    }

    /// The permission that is written `type.action`.
    pub(crate) fn permission_of_name(&self, name: &str) -> Result<Option<u32>, Corrupt> {
        let Some((kind, action)) = name.split_once('.') else { return Ok(None) };
        match self.type_named(kind)? {
            Some((owner, _)) => self.permission_named(owner, action),
            None => Ok(None),
        }
    }

    fn named(&self, kind: NameKind, owner: u32, name: &[u8]) -> Result<Option<u32>, Corrupt> {
        let slots = self.count::<NameSlot>();
        let mut at = first_slot(name_hash(self.name_seed, kind, owner, name), slots);
        let mut left = self.name_probes;
        loop {
            let slot: &NameSlot = self.record(at)?;
            if slot.value.get() == NONE {
                return Ok(None);
            }
            let of_same = slot.kind == kind as u8 && slot.owner.get() == owner;
            if of_same && same(self.text_bytes(slot.name.get())?, name) {
                return Ok(Some(slot.value.get()));
            }
            let Some(fewer) = left.checked_sub(1) else { return Ok(None) };
            left = fewer;
            at = if at + 1 == slots { 0 } else { at + 1 };
        }
    }

    /// The governor of a path.
    pub(crate) fn governor_named(&self, path: &[u8]) -> Result<Option<u32>, Corrupt> {
        self.named(NameKind::Governor, 0, path)
    }

    /// The class of seats of a name.
    pub(crate) fn seat_class_named(&self, name: &str) -> Result<Option<&SeatClassRecord>, Corrupt> {
        self.named(NameKind::Seats, 0, name.as_bytes())?.map(|class| self.record(class)).transpose()
    }

    /// How many governors there are.
    pub(crate) fn governors(&self) -> u32 {
        u32::try_from(self.section(Section::Governors).len() / 4).unwrap_or(u32::MAX)
    }

    /// How many levels there are.
    pub(crate) fn levels(&self) -> u8 {
        u8::try_from(self.section(Section::Levels).len() / 4).unwrap_or(u8::MAX)
    }

    /// A set's level on a governor: without overrides, and with them.
    pub(crate) fn levels_on(&self, set: u32, governor: u32) -> Result<(u8, u8), Corrupt> {
        let width = u64::from(self.governors());
        let first = u64::from(set).checked_mul(width * 2).and_then(|first| first.checked_add(u64::from(governor)));
        let first = first.ok_or(Corrupt)?;
        let at = |place: u64| -> Result<u8, Corrupt> {
            let place = usize::try_from(place).map_err(|_| Corrupt)?;
            self.section(Section::LevelSets).get(place).copied().ok_or(Corrupt)
        };
        if governor >= self.governors() {
            Err(Corrupt)
        } else {
            Ok((at(first)?, at(first.checked_add(width).ok_or(Corrupt)?)?))
        }
    }

    /// How many entities there are; the table has one record more.
    pub(crate) fn entities(&self) -> u32 {
        self.count::<EntityRecord>().saturating_sub(1)
    }

    /// What a subject holds.
    pub(crate) fn held_by(&self, subject: u32) -> Result<Held<'_>, Corrupt> {
        let (start, end) = self.entity_and_next(subject)?;
        Ok(Held(self.records(start.bindings.get(), end.bindings.get())?))
    }

    /// The group of everybody who holds something on a scope, if anything is bound to it.
    pub(crate) fn members_of(&self, scope: u32) -> Result<Option<u32>, Corrupt> {
        let Some((kind, _)) = self.type_named("members_of")? else { return Ok(None) };
        let scope = self.entity(scope)?;
        let mut range = self.entities_of(kind)?;
        // Its id is the scope's whole name, which is nowhere in one piece.
        while !range.is_empty() {
            let middle = range.start + (range.end - range.start) / 2;
            let record: &EntityRecord = self.record(middle)?;
            let whole = scope.kind.bytes().chain(*b"/").chain(scope.id.bytes());
            match self.text_bytes(record.id.get())?.iter().copied().cmp(whole) {
                Ordering::Equal => return Ok(Some(middle)),
                Ordering::Less => range.start = middle + 1,
                Ordering::Greater => range.end = middle,
            }
        }
        Ok(None)
    }

    /// A credential by its entity.
    pub(crate) fn credential(&self, entity: u32) -> Result<&CredentialRecord, Corrupt> {
        let all: &[CredentialRecord] = self.records(0, self.count::<CredentialRecord>())?;
        let place = all.binary_search_by_key(&entity, |record| record.entity.get()).map_err(|_| Corrupt)?;
        all.get(place).ok_or(Corrupt)
    }

    /// The context keys that a type of credential demands.
    pub(crate) fn demands_of(&self, kind: u16) -> Result<&[DemandRecord], Corrupt> {
        let all: &[DemandRecord] = self.records(0, self.count::<DemandRecord>())?;
        let kind = u32::from(kind);
        let from = all.partition_point(|record| record.kind.get() < kind);
        let rest = all.get(from..).unwrap_or_default();
        let mine = rest.partition_point(|record| record.kind.get() == kind);
        Ok(rest.get(..mine).unwrap_or_default())
    }

    /// What a subject holds, and the groups that it is in.
    #[inline]
    pub(crate) fn held_and_groups(&self, subject: u32) -> Result<(Held<'_>, &[MembershipRecord]), Corrupt> {
        let (start, end) = self.entity_and_next(subject)?;
        let held = Held(self.records(start.bindings.get(), end.bindings.get())?);
        Ok((held, self.records(start.memberships.get(), end.memberships.get())?))
    }

    /// The groups that a subject is in.
    pub(crate) fn memberships(&self, subject: u32) -> Result<&[MembershipRecord], Corrupt> {
        let (start, end) = self.entity_and_next(subject)?;
        self.records(start.memberships.get(), end.memberships.get())
    }

    /// The value of an entity's attribute, if it has one.
    pub(crate) fn stored(&self, entity: u32, attribute: u32) -> Result<Option<&ValueRecord>, Corrupt> {
        let (start, end) = self.entity_and_next(entity)?;
        let values: &[AttributeValueRecord] = self.records(start.values.get(), end.values.get())?;
        Ok(values.iter().find(|value| value.attribute.get() == attribute).map(|value| &value.value))
    }

    #[inline]
    pub(super) fn entity_and_next(&self, entity: u32) -> Result<(&EntityRecord, &EntityRecord), Corrupt> {
        let next = entity.checked_add(1).ok_or(Corrupt)?;
        Ok((self.record(entity)?, self.record(next)?))
    }

    /// The rules of a role on a permission.
    #[inline]
    pub(crate) fn rules_on(&self, role: u32, permission: u32) -> Result<&[RuleRecord], Corrupt> {
        self.rules_of(self.record(role)?, permission)
    }

    /// The same of a role that is at hand.
    #[inline]
    pub(crate) fn rules_of(&self, role: &RoleRecord, permission: u32) -> Result<&[RuleRecord], Corrupt> {
        let rules: &[RuleRecord] = self.records(role.rules.get(), role.rules_end.get())?;
        let from = rules.partition_point(|rule| rule.permission.get() < permission);
        let rest = rules.get(from..).unwrap_or_default();
        let mine = rest.iter().take_while(|rule| rule.permission.get() == permission).count();
        Ok(rest.get(..mine).unwrap_or_default())
    }

    /// The forbids that bind a holder, by scope; [`NONE`] stands for everybody.
    pub(crate) fn forbids_of(&self, holder: u32) -> Result<Forbidden<'_>, Corrupt> {
        let all: &[TargetedForbidRecord] = self.records(0, self.count::<TargetedForbidRecord>())?;
        let from = all.partition_point(|record| record.holder.get() < holder);
        let rest = all.get(from..).unwrap_or_default();
        let mine = rest.partition_point(|record| record.holder.get() == holder);
        Ok(Forbidden(rest.get(..mine).unwrap_or_default()))
    }

    /// Whether any forbid binds somebody or holds somewhere.
    pub(crate) fn has_targeted_forbids(&self) -> bool {
        !self.section(Section::TargetedForbids).is_empty()
    }

    /// Whether a permission is in a set.
    pub(crate) fn in_set(&self, set: u32, permission: u32) -> Result<bool, Corrupt> {
        let width = self.count::<PermissionRecord>().div_ceil(8).max(1);
        let at = u64::from(set) * u64::from(width) + u64::from(permission / 8);
        let byte =
            usize::try_from(at).ok().and_then(|at| self.section(Section::PermissionSets).get(at)).ok_or(Corrupt)?;
        Ok(byte & (1 << (permission % 8)) != 0)
    }

    /// Whether a type may stand under another.
    pub(crate) fn fits_under(&self, kind: &TypeRecord, above: u16) -> Result<bool, Corrupt> {
        let parents = self.numbers(Section::Parents, kind.parents.get(), kind.parents_end.get())?;
        Ok(parents.iter().any(|parent| parent.get() == u32::from(above)))
    }

    /// How much there is.
    pub fn counts(&self) -> Counts {
        let is_subject = |flags: u32| flags & type_flags::SUBJECT != 0;
        let no_resource = type_flags::SUBJECT | type_flags::CREDENTIAL | type_flags::GROUP | type_flags::VIRTUAL;
        let is_resource = |flags: u32| flags & no_resource == 0;
        let types: &[TypeRecord] = self.records(0, self.count::<TypeRecord>()).unwrap_or_default();
        let wide = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        Counts {
            types: types.iter().filter(|kind| is_resource(kind.flags.get())).count(),
            roles: wide(self.count::<RoleRecord>()),
            // Opening has found all of the entities in order: nothing is damaged here.
            subjects: self.count_entities(is_subject).unwrap_or_default(),
            resources: self.count_entities(is_resource).unwrap_or_default(),
            bindings: wide(self.count::<BindingRecord>()),
            forbids: wide(self.count::<crate::compile::layout::ForbidRecord>()),
        }
    }

    /// The attributes of an owner, by number.
    pub(crate) fn attribute(&self, number: u32) -> Result<&AttributeRecord, Corrupt> {
        self.record(number)
    }
}
