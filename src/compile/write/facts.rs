//! Entities, what they hold, and credentials as tables.

use zerocopy::little_endian::U32;
use zerocopy::{FromZeros, IntoBytes};

use crate::compile::credentials::Credentials;
use crate::compile::entities::{AttributeValues, Entities};
use crate::compile::groups::Memberships;
use crate::compile::holdings::Holdings;
use crate::compile::intern::{Runs, number};
use crate::compile::layout::{
    CredentialRecord, CredentialScopeRecord, EntityRecord, NONE, Section, TermsRecord, entity_flags,
};
use crate::compile::sets::PermissionSets;

use super::Tables;

impl Tables {
    /// Entities, their attributes and their bindings. Lifetimes of bindings stand behind those of forbids.
    pub(in crate::compile) fn write_entities(
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
        let held_on = held_on(entities.list.len(), holdings);
        for (((info, values), held_on), entity) in
            entities.list.iter().zip(&attributes.starts).zip(held_on).zip(0_u32..)
        {
            let record = EntityRecord {
                id: self.strings.push(info.id).into(),
                kind: info.kind.into(),
                flags: (info.flags | held_on).into(),
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
    pub(in crate::compile) fn write_credentials(&mut self, credentials: &Credentials<'_>, sets: &mut PermissionSets) {
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
}

/// For each entity, the flag that somebody holds something on it.
fn held_on(entities: usize, holdings: &Holdings) -> Vec<u16> {
    let mut flags = vec![0; entities];
    for (_, held, _) in &holdings.list {
        if let Some(flag) = usize::try_from(held.scope.get()).ok().and_then(|scope| flags.get_mut(scope)) {
            *flag = entity_flags::HELD_ON;
        }
    }
    flags
}
