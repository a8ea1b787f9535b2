//! Credentials: something asks in the name of a subject, and its scope filters every path.

use crate::compile::layout::{
    CredentialRecord, CredentialScopeRecord, DemandRecord, EntityRecord, ScopeRequirementRecord, Section, TypeRecord,
    entity_flags, type_flags,
};
use crate::index::{Corrupt, Index, Sought, optional};
use crate::model::{Entity, Properties, Reason, Timestamp};

use super::holders::in_force;
use super::question::{Question, Stop};
use super::truth::Truth;
use super::values::{holds, literal, of_context, sent_context};

/// The credential that asks.
#[derive(Clone, Copy)]
pub(super) struct Key<'q> {
    /// Which entity it is.
    pub(super) entity: u32,
    /// Its type.
    pub(super) kind: u16,
    /// What the request says about it.
    pub(super) sent: Properties<'q>,
    record: &'q CredentialRecord,
}

/// Who asks: the subject, and the credential that asks in its name.
pub(super) struct Asker<'q> {
    /// The subject; a credential's owner.
    pub(super) subject: u32,
    /// Its type.
    pub(super) kind: u16,
    /// The credential, if one asks.
    pub(super) key: Option<Key<'q>>,
}

/// What a credential's scope asks for, one behind another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// One of its scopes covers.
    Scopes,
    /// The resource is in its range.
    Within,
    /// Its list holds the permission.
    Permissions,
}

/// Somebody whose type is one of those who ask, and who is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking<'q> {
    pub(super) sought: Sought<'q>,
    /// Whether the type is a subject's; else it is a credential's.
    is_subject: bool,
}

impl<'q> Asking<'q> {
    /// Whoever is named, of whom nothing has been read yet.
    #[inline]
    pub(super) fn named(index: &Index, name: Entity<'q>) -> Result<Self, Stop> {
        let (kind, record) = index.type_named(name.kind)?.ok_or(Reason::UnknownSubject)?;
        let flags = record.flags.get();
        if flags & (type_flags::SUBJECT | type_flags::CREDENTIAL) == 0 {
            return Err(Reason::UnknownSubject.into());
        }
        Ok(Self { sought: index.seek(kind, name.id), is_subject: flags & type_flags::SUBJECT != 0 })
    }
}

impl<'q> Asker<'q> {
    /// Whoever is asking, if they may ask at all.
    #[inline]
    pub(super) fn find(
        index: &'q Index,
        asking: &Asking<'_>,
        sent: Properties<'q>,
        time: Timestamp,
    ) -> Result<Self, Stop> {
        let kind = asking.sought.kind();
        let entity = index.found(asking.sought)?.ok_or(Reason::UnknownSubject)?;
        let record: &EntityRecord = index.record(entity)?;
        if asking.is_subject {
            enabled(record)?;
            return Ok(Self { subject: entity, kind, key: None });
        }
        let key = Key { entity, kind, sent, record: index.credential(entity)? };
        enabled(record)?;
        if let Some(terms) = optional(key.record.terms)
            && !in_force(index, terms, time)?
        {
            return Err(Reason::Disabled.into());
        }
        let subject = optional(record.parent).ok_or(Corrupt)?;
        let owner: &EntityRecord = index.record(subject)?;
        let owner_type: &TypeRecord = index.record(u32::from(owner.kind.get()))?;
        if owner_type.flags.get() & type_flags::SUBJECT == 0 {
            return Err(Corrupt.into());
        }
        enabled(owner)?;
        Ok(Self { subject, kind: owner.kind.get(), key: Some(key) })
    }
}

fn enabled(record: &EntityRecord) -> Result<(), Stop> {
    if record.flags.get() & entity_flags::DISABLED == 0 { Ok(()) } else { Err(Reason::Disabled.into()) }
}

impl Key<'_> {
    /// The first context key that its type demands and the request does not send, or sends with a wrong type.
    pub(super) fn missing<'i>(
        &self,
        index: &'i Index,
        context: Properties<'_>,
    ) -> Result<Option<&'i DemandRecord>, Corrupt> {
        for demand in index.demands_of(self.kind)? {
            if !sent_context(index, context, demand.attribute.get())? {
                return Ok(Some(demand));
            }
        }
        Ok(None)
    }
}

impl Question<'_> {
    /// Whether the credential's scope covers what is asked; true where none asks.
    pub(super) fn in_credential_scope(&self) -> Result<Truth, Corrupt> {
        let Some(key) = &self.credential else { return Ok(Truth::True) };
        let mut covers = Truth::True;
        for part in [Part::Permissions, Part::Within, Part::Scopes] {
            covers = covers.and(self.part_covers(key, part)?);
            if covers == Truth::False {
                break;
            }
        }
        Ok(covers)
    }

    /// Whether one part of a credential's scope covers what is asked.
    pub(super) fn part_covers(&self, key: &Key<'_>, part: Part) -> Result<Truth, Corrupt> {
        match part {
            Part::Permissions => self.listed(key.record.permissions),
            Part::Within => self.within(key),
            Part::Scopes => {
                let scopes = self.named(key.record.scopes.get(), key.record.scopes_end.get())?;
                let mut covers = Truth::known(scopes.is_empty());
                for scope in scopes {
                    covers = covers.or(self.scope_covers(scope.get())?);
                }
                Ok(covers)
            }
        }
    }

    /// The names of the scopes of which one would have to cover.
    pub(super) fn credential_scopes(&self, key: &Key<'_>) -> Result<Vec<&str>, Corrupt> {
        let scopes = self.named(key.record.scopes.get(), key.record.scopes_end.get())?;
        scopes
            .iter()
            .map(|scope| self.index.text(self.index.record::<CredentialScopeRecord>(scope.get())?.name.get()))
            .collect()
    }

    /// The resources that a credential is limited to.
    pub(super) fn credential_range(&self, key: &Key<'_>) -> Result<Vec<String>, Corrupt> {
        let within = self.named(key.record.within.get(), key.record.within_end.get())?;
        within.iter().map(|node| self.index.entity_name(node.get())).collect()
    }

    fn named(&self, start: u32, end: u32) -> Result<&[zerocopy::little_endian::U32], Corrupt> {
        self.index.numbers(Section::CredentialLists, start, end)
    }

    fn listed(&self, set: zerocopy::little_endian::U32) -> Result<Truth, Corrupt> {
        optional(set).map_or(Ok(Truth::True), |set| Ok(Truth::known(self.index.in_set(set, self.permission)?)))
    }

    fn within(&self, key: &Key<'_>) -> Result<Truth, Corrupt> {
        let nodes = self.named(key.record.within.get(), key.record.within_end.get())?;
        if nodes.is_empty() {
            return Ok(Truth::True);
        }
        for scope in self.target.scopes(self.index) {
            let (scope, _) = scope?;
            if nodes.iter().any(|node| node.get() == scope) {
                return Ok(Truth::True);
            }
        }
        Ok(Truth::False)
    }

    /// Everything that a scope states must cover.
    fn scope_covers(&self, scope: u32) -> Result<Truth, Corrupt> {
        let scope: &CredentialScopeRecord = self.index.record(scope)?;
        let mut covers = self.listed(scope.permissions)?;
        let requirements: &[ScopeRequirementRecord] =
            self.index.records(scope.requirements.get(), scope.requirements_end.get())?;
        for requirement in requirements {
            let sent = of_context(self.index, self.context, requirement.attribute.get())?;
            let values = literal(self.index, requirement.values.get())?;
            covers = covers.and(holds(self.index, values, sent)?);
        }
        Ok(covers)
    }
}
