//! Bindings: who holds which role where, checked and put in the order in which a decision looks them up.

mod exclusive;
mod levels;
mod pins;

use crate::model::{Binding, BindingHolder, Facts, Lifetime, Policy, Position, Spanned};

use super::entities::Entities;
use super::findings::Findings;
use super::intern::Runs;
use super::layout::{BindingRecord, NONE, TermsRecord, terms_flags};
use super::roles::Roles;
use super::schema::{Schema, TypeSort};
use super::sets::PermissionSets;

/// The bindings of a snapshot.
#[derive(Debug)]
pub(super) struct Holdings {
    /// By subject, then scope, then role; each with where it was written.
    pub(super) list: Vec<(u32, BindingRecord, Position)>,
    /// Sets of levels, each as long as two governor trees.
    pub(super) level_sets: Runs<u8>,
    /// Lifetimes and switches, still numbered from 0.
    pub(super) terms: Runs<TermsRecord>,
}

impl Holdings {
    /// Checks and orders the bindings. The same binding twice is one.
    pub(super) fn resolve(
        schema: &Schema<'_>,
        entities: &Entities<'_>,
        roles: &Roles<'_>,
        policy: &Policy,
        facts: &Facts,
        sets: &mut PermissionSets,
        findings: &mut Findings,
    ) -> Self {
        let mut terms = Runs::default();
        let mut level_sets = Runs::default();
        let mut list = Vec::with_capacity(facts.bindings.len());
        for binding in &facts.bindings {
            let Some((subject, scope, role)) = check(binding, schema, entities, roles, findings) else { continue };
            let flags = if binding.disabled { terms_flags::DISABLED } else { 0 };
            let levels = levels::of_binding(binding, roles.info(role), schema, &mut level_sets, findings);
            let pin = pins::of_binding(binding, roles.info(role), schema, sets, findings);
            let terms = intern_terms(&binding.lifetime, flags, levels, pin, &mut terms);
            let record = BindingRecord { scope: scope.into(), role: role.into(), terms: terms.into() };
            list.push((subject, record, binding.position));
        }
        list.sort_by_key(|(subject, record, _)| (*subject, record.scope.get(), record.role.get(), record.terms.get()));
        list.dedup_by(|later, earlier| (later.0, later.1) == (earlier.0, earlier.1));
        exclusive::check(policy, &list, schema, entities, roles, findings);
        Self { list, level_sets, terms }
    }
}

/// Subject, scope and role of a binding that may exist.
fn check(
    binding: &Binding,
    schema: &Schema<'_>,
    entities: &Entities<'_>,
    roles: &Roles<'_>,
    findings: &mut Findings,
) -> Option<(u32, u32, u32)> {
    let Binding { subject, role, at, .. } = binding;
    if role.value.is_empty() {
        let message = format!("binding of `{}` at `{}` names no role", subject.value, at.value);
        findings.error_with_help(binding.position, message, "say which: `role: <name>`");
        return None;
    }
    let whose = whose(binding);
    let BindingHolder::One(name) = &subject.value else { return None };
    let holder = entities.expect(schema, &Spanned::new(name.clone(), subject.at), &whose, findings);
    let scope = entities.expect(schema, at, &whose, findings);
    let (holder, scope) = (holder?, scope?);
    let Some(number) = roles.seen_from(&role.value, scope, entities) else {
        let definers: Vec<String> = roles
            .definers(&role.value)
            .into_iter()
            .filter_map(|node| entities.info(node))
            .map(|info| format!("`{}/{}`", schema.type_name(info.kind), info.id))
            .collect();
        let why = if definers.is_empty() {
            "there is no such role".to_owned()
        } else {
            format!("that role is defined at {}, which is not at or above `{}`", definers.join(", "), at.value)
        };
        findings.error(role.at, format!("{whose}: {why}"));
        return None;
    };
    let (info, holder_info, scope_info) = (roles.info(number)?, entities.info(holder)?, entities.info(scope)?);
    let before = findings.errors();
    if schema.sort(holder_info.kind) == Some(TypeSort::Credential) {
        let help = "a credential holds nothing itself: it asks in the name of its owner; bind the owner";
        findings.error_with_help(subject.at, format!("{whose}: `{}` is a credential", subject.value), help);
        return None;
    }
    if !info.at.contains(&scope_info.kind) {
        findings.error(at.at, format!("{whose}: that role is held at {}", schema.list_types(&info.at)));
    }
    if !info.holders.contains(&holder_info.kind) {
        findings.error(subject.at, format!("{whose}: that role is held by {}", schema.list_types(&info.holders)));
    }
    (findings.errors() == before).then_some((holder, scope, number))
}

/// A binding, by name, for an error.
fn whose(binding: &Binding) -> String {
    format!("binding of `{}` to role `{}` at `{}`", binding.subject.value, binding.role.value, binding.at.value)
}

/// The number of a lifetime with its switches, levels and pin, [`NONE`] for "always, enabled, lowest and whole".
pub(super) fn intern_terms(
    lifetime: &Lifetime,
    flags: u32,
    levels: u32,
    pin: u32,
    terms: &mut Runs<TermsRecord>,
) -> u32 {
    if lifetime.is_always() && flags == 0 && levels == NONE && pin == NONE {
        return NONE;
    }
    let begins = lifetime.not_before.map_or(0, |_| terms_flags::BEGINS);
    let ends = lifetime.expires.map_or(0, |_| terms_flags::ENDS);
    let record = TermsRecord {
        not_before_seconds: lifetime.not_before.map_or(0, crate::model::Timestamp::seconds).into(),
        expires_seconds: lifetime.expires.map_or(0, crate::model::Timestamp::seconds).into(),
        not_before_nanos: lifetime.not_before.map_or(0, crate::model::Timestamp::nanos).into(),
        expires_nanos: lifetime.expires.map_or(0, crate::model::Timestamp::nanos).into(),
        flags: (flags | begins | ends).into(),
        levels: levels.into(),
        pin: pin.into(),
    };
    terms.intern(vec![record]).0
}
