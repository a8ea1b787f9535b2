//! Credentials: in whose name each asks and what limits it. It holds nothing itself.

use std::collections::HashMap;

use crate::model::{Credential, CredentialScope, CredentialType, EntityName, Facts, Holder, Policy, Spanned, order};

use super::condition::Lowering;
use super::eligible::{Eligible, Known, typed_values};
use super::entities::Entities;
use super::findings::Findings;
use super::holdings::intern_terms;
use super::intern::{Runs, number};
use super::layout::{DemandRecord, NONE, ScopeRequirementRecord, TermsRecord};
use super::schema::{Kind, OperationsOf, Schema, TypeSort};

/// The credentials of a snapshot.
#[derive(Debug, Default)]
pub(super) struct Credentials<'p> {
    /// By entity.
    pub(super) list: Vec<CredentialInfo>,
    /// What they may be limited to, by type, then name.
    pub(super) scopes: Vec<ScopeInfo<'p>>,
    /// What the scopes want of the context.
    pub(super) requirements: Vec<ScopeRequirementRecord>,
    /// What the requests of each type must send.
    pub(super) demands: Vec<DemandRecord>,
    /// Scopes and resources that credentials name.
    pub(super) lists: Runs<u32>,
    /// Lifetimes, still numbered from 0.
    pub(super) terms: Runs<TermsRecord>,
    types: HashMap<u16, TypeRules<'p>>,
}

/// A credential, ready to ask.
#[derive(Debug)]
pub(super) struct CredentialInfo {
    /// Which entity it is.
    pub(super) entity: u32,
    /// Its lifetime, or [`NONE`].
    pub(super) terms: u32,
    /// The scopes that it names, as a range of the lists.
    pub(super) scopes: (u32, u32),
    /// The resources that it names, as a range of the lists.
    pub(super) within: (u32, u32),
    /// The permissions that it names.
    pub(super) permissions: Option<Vec<u32>>,
}

/// What a credential may be limited to.
#[derive(Debug)]
pub(super) struct ScopeInfo<'p> {
    /// Its name.
    pub(super) name: &'p str,
    /// A range of the requirements.
    pub(super) requirements: (u32, u32),
    /// The permissions that it covers.
    pub(super) permissions: Option<Vec<u32>>,
    owners: Eligible,
}

#[derive(Debug)]
struct TypeRules<'p> {
    owners: Eligible,
    scopes: HashMap<&'p str, u32>,
}

impl<'p> Credentials<'p> {
    /// Resolves the credential types and checks every credential against its own.
    pub(super) fn resolve(
        policy: &'p Policy,
        facts: &Facts,
        lowering: &mut Lowering<'_, 'p>,
        known: (&super::entities::AttributeValues, &[u32]),
        findings: &mut Findings,
    ) -> Self {
        let mut credentials = Self::default();
        let mut types: Vec<&CredentialType> = policy.credential_types.iter().collect();
        order::by(&mut types, |a, b| a.name.value.cmp(&b.name.value));
        for declared in types {
            credentials.add_type(declared, lowering, findings);
        }
        order::by_key(&mut credentials.demands, |record| (record.kind.get(), record.attribute.get()));
        credentials.demands.dedup();
        let known = Known { attributes: known.0, defaults: known.1, literals: lowering.literals };
        // What is interned is numbered in this order: it must not depend on the order of the source.
        let mut by_name: Vec<&Credential> = facts.credentials.iter().collect();
        order::by(&mut by_name, |a, b| a.name.value.cmp(&b.name.value));
        for credential in by_name {
            credentials.add(credential, lowering.schema, lowering.entities, &known, findings);
        }
        order::by_key(&mut credentials.list, |info| info.entity);
        credentials
    }

    fn add_type(&mut self, declared: &'p CredentialType, lowering: &mut Lowering<'_, 'p>, findings: &mut Findings) {
        let whose = format!("credential type `{}`", declared.name.value);
        let Some(kind) = lowering.schema.type_number(&declared.name.value) else { return };
        let owners = owners(&declared.owners, &whose, lowering, findings);
        for name in &declared.demands {
            match lowering.schema.context_key(&name.value) {
                Some(key) => self.demands.push(DemandRecord { kind: u32::from(kind).into(), attribute: key.into() }),
                None => {
                    findings.error(name.at, format!("{whose} demands `{}`, which is no context key", name.value));
                }
            }
        }
        let mut declared_scopes: Vec<&CredentialScope> = declared.scopes.iter().collect();
        order::by(&mut declared_scopes, |a, b| a.name.value.cmp(&b.name.value));
        let mut scopes = HashMap::new();
        for scope in declared_scopes {
            let place = number(self.scopes.len());
            if scopes.insert(scope.name.value.as_str(), place).is_some() {
                findings.error(scope.name.at, format!("scope `{}` of {whose} is declared twice", scope.name.value));
            }
            self.add_scope(scope, &whose, lowering, findings);
        }
        self.types.insert(kind, TypeRules { owners, scopes });
    }

    fn add_scope(
        &mut self,
        scope: &'p CredentialScope,
        whose: &str,
        lowering: &mut Lowering<'_, 'p>,
        findings: &mut Findings,
    ) {
        let whose = format!("scope `{}` of {whose}", scope.name.value);
        let first = number(self.requirements.len());
        let mut context: Vec<_> = scope.context.iter().collect();
        order::by(&mut context, |(a, _), (b, _)| a.value.cmp(&b.value));
        for (name, values) in context {
            let key = lowering.schema.context_key(&name.value);
            let kind = key.and_then(|key| lowering.schema.attribute_info(key)).map(|info| info.kind.clone());
            let (Some(key), Some(kind)) = (key, kind) else {
                findings.error(name.at, format!("{whose}: there is no context key `{}`", name.value));
                continue;
            };
            if matches!(kind, Kind::List(_)) {
                findings.error(name.at, format!("{whose}: context key `{}` is a list", name.value));
                continue;
            }
            let label = format!("{whose}: context key `{}`", name.value);
            let values = typed_values(values, &kind, &label, lowering, findings);
            let list = lowering.literals.list(&values);
            let values = lowering.literals.intern(list);
            self.requirements.push(ScopeRequirementRecord { attribute: key.into(), values: values.into() });
        }
        let permissions = scope.allow.as_ref().map(|rules| {
            let mut covered = Vec::new();
            for rule in rules {
                let types = lowering.schema.types_of(&rule.on, &rule.except, findings);
                let of = OperationsOf::Governor;
                covered.extend(lowering.schema.select(&types, &rule.grants, of, &whose, findings));
            }
            sorted(covered)
        });
        let owners = owners(&scope.owners, &whose, lowering, findings);
        let requirements = (first, number(self.requirements.len()));
        self.scopes.push(ScopeInfo { name: &scope.name.value, requirements, permissions, owners });
    }

    fn add(
        &mut self,
        credential: &Credential,
        schema: &Schema<'_>,
        entities: &Entities<'_>,
        known: &Known<'_>,
        findings: &mut Findings,
    ) {
        let name = &credential.name.value;
        let Some(entity) = entities.number(schema, name) else { return };
        let Some(kind) = schema.type_number(&name.kind) else { return };
        let owner = entities.info(entity).map(|info| info.parent).filter(|owner| *owner != NONE);
        let Some(rules) = self.types.get(&kind) else { return };
        let scopes = scopes_of(credential, rules, findings);
        if let Some(owner) = owner {
            check_owner(credential, owner, (rules, &scopes, &self.scopes), entities, known, findings);
        }
        let whose = format!("credential `{name}`");
        let within: Vec<u32> = credential
            .within
            .iter()
            .filter_map(|scope| {
                let found = entities.expect(schema, scope, &whose, findings)?;
                let sort = entities.info(found).and_then(|info| schema.sort(info.kind));
                if sort != Some(TypeSort::Resource) {
                    findings.error(scope.at, format!("{whose}: it cannot be within `{}`, no resource", scope.value));
                }
                Some(found)
            })
            .collect();
        let permissions = credential.permissions.as_ref().map(|names| {
            sorted(names.iter().filter_map(|name| permission_of(name, &whose, schema, findings)).collect())
        });
        let terms = intern_terms(&credential.lifetime, 0, NONE, NONE, &mut self.terms);
        let (scopes, within) = (self.lists.intern(scopes), self.lists.intern(sorted(within)));
        self.list.push(CredentialInfo { entity, terms, scopes, within, permissions });
    }
}

fn sorted(mut list: Vec<u32>) -> Vec<u32> {
    order::natural(&mut list);
    list.dedup();
    list
}

/// The scopes that a credential names; at least one where its type has any.
fn scopes_of(credential: &Credential, rules: &TypeRules<'_>, findings: &mut Findings) -> Vec<u32> {
    let Credential { name, scopes, .. } = credential;
    let mut known: Vec<&str> = rules.scopes.keys().copied().collect();
    order::natural(&mut known);
    let help = match known.as_slice() {
        [] => format!("`{}` declares no scopes", name.value.kind),
        known => format!("the scopes of `{}` are {}", name.value.kind, known.join(", ")),
    };
    if scopes.is_empty() && !known.is_empty() {
        let message = format!("credential `{}` names no scope", name.value);
        findings.error_with_help(name.at, message, help.as_str());
    }
    let mut found = Vec::new();
    for scope in scopes {
        if let Some(number) = rules.scopes.get(scope.value.as_str()) {
            found.push(*number);
        } else {
            let message = format!("credential `{}` names scope `{}`, which there is not", name.value, scope.value);
            findings.error_with_help(scope.at, message, help.as_str());
        }
    }
    sorted(found)
}

/// The owner must fit the type and every scope that the credential names.
fn check_owner(
    credential: &Credential,
    owner: u32,
    (rules, scopes, all): (&TypeRules<'_>, &[u32], &[ScopeInfo<'_>]),
    entities: &Entities<'_>,
    known: &Known<'_>,
    findings: &mut Findings,
) {
    let Credential { name, owner: written, .. } = credential;
    let refuse = |of: &str, findings: &mut Findings| {
        findings.error_with_help(
            written.at,
            format!("credential `{}`: `{}` may not own one {of}", name.value, written.value),
            "see `owners` of the credential type and of its scopes; what `where` asks for must be among the facts",
        );
    };
    if !rules.owners.fits(owner, entities, known) {
        refuse(&format!("of type `{}`", name.value.kind), findings);
    }
    for scope in scopes.iter().filter_map(|scope| all.get(usize::try_from(*scope).ok()?)) {
        if !scope.owners.fits(owner, entities, known) {
            refuse(&format!("of scope `{}`", scope.name), findings);
        }
    }
}

/// Who may own a credential: subjects, never groups.
fn owners(declared: &[Holder], whose: &str, lowering: &mut Lowering<'_, '_>, findings: &mut Findings) -> Eligible {
    for holder in declared {
        let sort = lowering.schema.type_number(&holder.kind.value).and_then(|kind| lowering.schema.sort(kind));
        if sort == Some(TypeSort::Group) {
            findings
                .error(holder.kind.at, format!("{whose}: `{}` is a group type: no group owns one", holder.kind.value));
        }
    }
    Eligible::resolve(declared, whose, lowering, findings)
}

/// The permission that `type.action` names.
fn permission_of(name: &Spanned<String>, whose: &str, schema: &Schema<'_>, findings: &mut Findings) -> Option<u32> {
    let found = schema.permission_named(&name.value);
    if found.is_none() {
        let message = format!("{whose}: `{}` is no permission", name.value);
        findings.error_with_help(name.at, message, "a permission is written `type.action`");
    }
    found
}

/// The owner of a credential: a subject of this snapshot.
pub(super) fn owner_of(
    credential: &EntityName,
    owner: &Spanned<EntityName>,
    schema: &Schema<'_>,
    entities: &Entities<'_>,
    findings: &mut Findings,
) -> u32 {
    let sort = schema.type_number(&owner.value.kind).and_then(|kind| schema.sort(kind));
    let number = entities.number(schema, &owner.value);
    let why = match (sort, number) {
        (Some(TypeSort::Subject), Some(number)) => return number,
        (Some(TypeSort::Subject), None) => "is not in this snapshot",
        (Some(TypeSort::Credential), _) => "is itself a credential",
        _ => "is no subject",
    };
    let message = format!("the owner `{}` of credential `{credential}` {why}", owner.value);
    findings.error_with_help(owner.at, message, "a credential asks in the name of a subject");
    NONE
}
