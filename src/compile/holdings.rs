//! Bindings: who holds which role where, checked and put in the order in which a decision looks them up.

mod carried;
mod exclusive;
mod expanded;
mod levels;
mod pins;
mod required;

use crate::model::{Binding, Facts, Lifetime, Position, order};

use super::eligible::Known;
use super::entities::Entities;
use super::findings::Findings;
use super::groups::{Memberships, expect_holder};
use super::intern::Runs;
use super::layout::{BindingRecord, NONE, TermsRecord, terms_flags};
use super::requirements::Requirements;
use super::roles::Roles;
use super::schema::{Schema, TypeSort};
use super::sets::PermissionSets;

use expanded::Expanded;

/// What bindings are checked against.
#[derive(Debug)]
pub(super) struct Stage<'a, 'p> {
    /// The vocabulary.
    pub(super) schema: &'a Schema<'p>,
    /// Holders and scopes.
    pub(super) entities: &'a Entities<'p>,
    /// What can be held.
    pub(super) roles: &'a Roles<'p>,
    /// What roles demand besides.
    pub(super) requirements: &'a Requirements,
    /// What holders are like.
    pub(super) known: &'a Known<'a>,
}

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
    /// Checks and orders the bindings, and adds who is in `members_of(...)`. The same binding twice is one.
    pub(super) fn resolve(
        stage: &Stage<'_, '_>,
        facts: &Facts,
        memberships: &mut Memberships,
        sets: &mut PermissionSets,
        findings: &mut Findings,
    ) -> Self {
        let mut terms = Runs::default();
        let mut level_sets = Runs::default();
        let mut list = Vec::with_capacity(facts.plain.len() + facts.bindings.len());
        facts.plain.each(|binding| {
            let Some((subject, scope, role)) = sound(binding, stage).or_else(|| check(binding, stage, findings)) else {
                return;
            };
            let record = BindingRecord { scope: scope.into(), role: role.into(), terms: NONE.into() };
            list.push((subject, record, binding.position));
        });
        for binding in in_order(&facts.bindings) {
            let Some((subject, scope, role)) = check(binding, stage, findings) else { continue };
            let flags = if binding.disabled { terms_flags::DISABLED } else { 0 };
            let role_info = stage.roles.info(role);
            let kind = stage.entities.info(scope).map(|info| info.kind);
            let levels = levels::of_binding(binding, role_info, stage.schema, &mut level_sets, findings);
            let pin = pins::of_binding(binding, role_info, kind, stage.schema, sets, findings);
            let terms = intern_terms(&binding.lifetime, flags, levels, pin, &mut terms);
            let record = BindingRecord { scope: scope.into(), role: role.into(), terms: terms.into() };
            list.push((subject, record, binding.position));
        }
        list.sort_by_key(|(subject, record, _)| (*subject, record.scope.get(), record.role.get(), record.terms.get()));
        list.dedup_by(|later, earlier| (later.0, later.1) == (earlier.0, earlier.1));
        let always = |binding: &BindingRecord| {
            binding.terms.get() == NONE && stage.requirements.of(binding.role.get()).is_empty()
        };
        memberships.add_members_of(&list, always, stage.schema, stage.entities, findings);
        let expanded = Expanded::new(&list, memberships);
        exclusive::check(stage, &expanded, findings);
        carried::check(stage, &expanded, findings);
        required::check(stage, &expanded, &terms.items, findings);
        Self { list, level_sets, terms }
    }
}

/// The bindings in an order in which their terms are numbered the same way however they were written. Most have none, and
/// are left where they stand.
fn in_order(bindings: &[Binding]) -> impl Iterator<Item = &Binding> {
    let has_terms = |binding: &&Binding| {
        let Binding { levels, customised, lifetime, disabled, .. } = binding;
        !levels.is_empty() || customised.is_some() || !lifetime.is_always() || *disabled
    };
    let mut with_terms: Vec<&Binding> = bindings.iter().filter(has_terms).collect();
    order::by_cached_key(&mut with_terms, |binding| {
        let Binding { subject, role, at, levels, customised, lifetime, disabled, .. } = binding;
        let mut levels: Vec<_> = levels.iter().map(|(path, level)| (&path.value, &level.value)).collect();
        order::natural(&mut levels);
        let customised = customised.as_ref().map(|list| {
            let mut permissions: Vec<&str> = list.permissions.iter().map(|name| name.as_str()).collect();
            order::natural(&mut permissions);
            (list.version.as_ref().map(|version| version.value), permissions)
        });
        let life = (lifetime.not_before, lifetime.expires);
        (&subject.value, &at.value, &role.value, *disabled, life, levels, customised)
    });
    bindings.iter().filter(move |binding| !has_terms(binding)).chain(with_terms)
}

/// What [`check`] gives for a binding that nothing is wrong with, without preparing to say so: most are like that.
fn sound(binding: &Binding, stage: &Stage<'_, '_>) -> Option<(u32, u32, u32)> {
    let Stage { schema, entities, roles, known, .. } = stage;
    let holder = entities.number(schema, binding.subject.value.one()?)?;
    let scope = entities.number(schema, &binding.at.value)?;
    let number = roles.seen_from(&binding.role.value, scope, entities)?;
    let (info, scope_info) = (roles.info(number)?, entities.info(scope)?);
    let may_hold = matches!(entities.sort(schema, holder)?, TypeSort::Subject | TypeSort::Group);
    let fits =
        may_hold && info.at.contains(&scope_info.kind) && info.holders.may_carry(holder, schema, entities, known);
    fits.then_some((holder, scope, number))
}

/// Subject, scope and role of a binding that may exist.
fn check(binding: &Binding, stage: &Stage<'_, '_>, findings: &mut Findings) -> Option<(u32, u32, u32)> {
    let Stage { schema, entities, roles, .. } = stage;
    let Binding { subject, role, at, .. } = binding;
    if role.value.is_empty() {
        let message = format!("binding of `{}` at `{}` names no role", subject.value, at.value);
        findings.error_with_help(binding.position, message, "say which: `role: <name>`");
        return None;
    }
    let whose = whose(binding);
    let holder = expect_holder(subject, schema, entities, &whose, findings);
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
    let (info, scope_info) = (roles.info(number)?, entities.info(scope)?);
    let before = findings.errors();
    if entities.sort(schema, holder) == Some(TypeSort::Credential) {
        let help = "a credential holds nothing itself: it asks in the name of its owner; bind the owner";
        findings.error_with_help(subject.at, format!("{whose}: `{}` is a credential", subject.value), help);
        return None;
    }
    if !info.at.contains(&scope_info.kind) {
        findings.error(at.at, format!("{whose}: that role is held at {}", schema.list_types(&info.at)));
    }
    if !info.holders.may_carry(holder, schema, entities, stage.known) {
        findings.error(subject.at, format!("{whose}: that role is held by {}", info.holders.text(schema)));
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
