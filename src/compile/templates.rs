//! Roles written as facts: each within the bounds of a template, off unless it says otherwise.

mod versions;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use crate::model::{DefinedRole, DefinedRule, Facts, Grants, Policy, RoleTemplate, Spanned, Term, TermScope, order};

use super::condition::{Conditions, Lowering, TermOwner, condition_of_terms};
use super::eligible::Eligible;
use super::findings::Findings;
use super::intern::Runs;
use super::layout::{ANY_TYPE, NONE, role_levels};
use super::purviews;
use super::roles::{FlatRule, RoleInfo, flags_of, records};
use super::schema::OperationsOf;

/// A template, resolved.
struct Bounds<'p> {
    template: &'p RoleTemplate,
    defined_at: Vec<u16>,
    at: Vec<u16>,
    holders: Rc<Eligible>,
    may: Vec<u32>,
}

/// The roles that the facts define.
pub(super) fn defined<'p>(
    policy: &'p Policy,
    facts: &'p Facts,
    lowering: &mut Lowering<'_, 'p>,
    conditions: &mut Conditions,
    findings: &mut Findings,
) -> Vec<RoleInfo<'p>> {
    let bounds = templates(policy, lowering, findings);
    let mut list: Vec<RoleInfo<'p>> = Vec::with_capacity(facts.roles.len());
    let mut seen = HashSet::new();
    // Values and conditions are numbered in this order: it must not depend on the order of the source.
    let mut by_name: Vec<&DefinedRole> = facts.roles.iter().collect();
    order::by_key(&mut by_name, |role| (&role.at.value, &role.name.value));
    for role in by_name {
        let name = &role.name;
        if !seen.insert((&role.at.value, name.value.as_str())) {
            findings.error(name.at, format!("role `{}` of `{}` is defined twice", name.value, role.at.value));
        }
        let Some(bounds) = template_of(role, policy, &bounds, findings) else { continue };
        let label = format!("role `{}`", name.value);
        let Some(definer) = lowering.entities.expect(lowering.schema, &role.at, &label, findings) else { continue };
        let kind = lowering.entities.info(definer).map(|info| info.kind);
        if !kind.is_some_and(|kind| bounds.defined_at.contains(&kind)) {
            let wanted = lowering.schema.list_types(&bounds.defined_at);
            findings.error(
                role.at.at,
                format!("{label} is defined at `{}`; its template's roles are defined at {wanted}", role.at.value),
            );
            continue;
        }
        let (rules, versions) = versions::rules(role, bounds, lowering, conditions, findings);
        list.push(RoleInfo {
            name: &name.value,
            definer: Some(definer),
            at: bounds.at.clone(),
            holders: Rc::clone(&bounds.holders),
            requires: &bounds.template.requires,
            levels: (role_levels::LOWEST, 0),
            flags: flags_of(false, bounds.template.customisable),
            // No limits: everything a template would limit is not in its `may`.
            rules: records(rules, &mut Runs::default()),
            versions,
        });
    }
    list
}

fn templates<'p>(
    policy: &'p Policy,
    lowering: &mut Lowering<'_, 'p>,
    findings: &mut Findings,
) -> HashMap<&'p str, Bounds<'p>> {
    let mut bounds = HashMap::new();
    let schema = lowering.schema;
    for template in &policy.role_templates {
        let label = format!("role template `{}`", template.name.value);
        let mut may = Vec::new();
        for rule in &template.may {
            let types = schema.types_of(&rule.on, &rule.except, findings);
            may.extend(schema.select(&types, &rule.grants, OperationsOf::Governor, &label, findings));
        }
        let resolved = Bounds {
            template,
            defined_at: schema.scope_types(&template.defined_at, &label, findings),
            at: schema.scope_types(&template.at, &label, findings),
            holders: Rc::new(Eligible::resolve(&template.holders, &label, lowering, findings)),
            may,
        };
        if bounds.insert(template.name.value.as_str(), resolved).is_some() {
            findings.error(template.name.at, format!("{label} is declared twice"));
        }
    }
    bounds
}

fn template_of<'b, 'p>(
    role: &DefinedRole,
    policy: &Policy,
    bounds: &'b HashMap<&'p str, Bounds<'p>>,
    findings: &mut Findings,
) -> Option<&'b Bounds<'p>> {
    let name = role.name.value.as_str();
    if policy.roles.iter().any(|known| known.name.value == name) {
        findings.error_with_help(
            role.name.at,
            format!("`{name}` of `{}` takes the name of a built-in role", role.at.value),
            "built-in names are reserved: name it `<template>/<name>`",
        );
        return None;
    }
    let found = name.split_once('/').and_then(|(template, _)| bounds.get(template));
    if found.is_none() {
        let mut known: Vec<String> = bounds.keys().map(|template| format!("`{template}/…`")).collect();
        order::natural(&mut known);
        let help = if known.is_empty() {
            "this policy has no role templates".to_owned()
        } else {
            format!("name it {}", known.join(" or "))
        };
        findings.error_with_help(
            role.name.at,
            format!("role `{name}` of `{}` belongs to no role template", role.at.value),
            help,
        );
    }
    found
}

fn rules_of(
    rule: &DefinedRule,
    whose: &str,
    bounds: &Bounds<'_>,
    lowering: &mut Lowering<'_, '_>,
    conditions: &mut Conditions,
    findings: &mut Findings,
) -> Vec<FlatRule> {
    let label = format!("{whose} on `{}`", rule.on.value);
    let types = lowering.schema.types_of(std::slice::from_ref(&rule.on), &[], findings);
    let permissions = lowering.schema.select(&types, &rule.grants, OperationsOf::Governor, &label, findings);
    let beyond: Vec<String> = permissions
        .iter()
        .filter(|permission| !bounds.may.contains(permission))
        .map(|permission| format!("`{}`", lowering.schema.permission_name(*permission)))
        .collect();
    if !beyond.is_empty() {
        let message = format!(
            "{label} gives {}, which template `{}` does not let it give",
            beyond.join(", "),
            bounds.template.name.value
        );
        findings.error(rule.on.at, message);
        return Vec::new();
    }
    let before = findings.errors();
    purviews::needs_none(rule, &permissions, &label, lowering.schema, findings);
    check_terms(rule, &types, &label, bounds, lowering, findings);
    if findings.errors() > before {
        return Vec::new();
    }
    let roots = bounds.template.conditions.as_ref().map(|allowed| allowed.roots.as_slice()).unwrap_or_default();
    let owner = TermOwner { name: &label, roots };
    let mut flat = Vec::new();
    for (terms, permissions) in by_terms(rule, &permissions, lowering) {
        let programs = if terms.is_empty() {
            Some(vec![NONE; permissions.len()])
        } else {
            condition_of_terms(&terms, &owner, &permissions, lowering, conditions, findings)
        };
        let programs = programs.into_iter().flatten();
        flat.extend(permissions.iter().zip(programs).map(|(permission, when)| FlatRule {
            permission: *permission,
            when,
            held_at: ANY_TYPE,
            purview: NONE,
            limits: Vec::new(),
        }));
    }
    flat
}

/// Every scope must exist, every term must be sound, even where it restricts nothing that is enabled.
fn check_terms(
    rule: &DefinedRule,
    types: &[u16],
    label: &str,
    bounds: &Bounds<'_>,
    lowering: &mut Lowering<'_, '_>,
    findings: &mut Findings,
) {
    let terms: usize = rule.when.iter().map(|(_, terms)| terms.len()).sum();
    let Some(allowed) = &bounds.template.conditions else {
        if let Some((scope, _)) = rule.when.first() {
            findings.error(
                scope.at,
                format!("{label} has conditions; template `{}` allows none", bounds.template.name.value),
            );
        }
        return;
    };
    if terms > usize::try_from(allowed.most.value).unwrap_or(usize::MAX) {
        let message = format!(
            "{label} has {terms} conditions; template `{}` allows {}",
            bounds.template.name.value, allowed.most.value
        );
        findings.error(rule.on.at, message);
    }
    let owner = TermOwner { name: label, roots: &allowed.roots };
    for (scope, terms) in &rule.when {
        let guarded = match &scope.value {
            TermScope::All => lowering.schema.select(types, &Grants::All, OperationsOf::Governor, label, findings),
            TermScope::Named(name) => named(name, scope, types, label, lowering, findings),
        };
        let terms: Vec<&Term> = terms.iter().collect();
        if !terms.is_empty() {
            // Lowered into a scratch list: only mistakes matter here.
            condition_of_terms(&terms, &owner, &guarded, lowering, &mut Conditions::default(), findings);
        }
    }
}

/// The permissions of a condition's scope: an operation, or else one action.
fn named(
    name: &str,
    scope: &Spanned<TermScope>,
    types: &[u16],
    label: &str,
    lowering: &Lowering<'_, '_>,
    findings: &mut Findings,
) -> Vec<u32> {
    let name = [Spanned::new(name.to_owned(), scope.at)];
    let is_action = types.iter().any(|kind| lowering.schema.permission(*kind, &name[0].value).is_some());
    let grants = if is_action { Grants::Actions(name.to_vec()) } else { Grants::Operations(name.to_vec()) };
    lowering.schema.select(types, &grants, OperationsOf::Governor, label, findings)
}

/// The permissions, grouped by the terms that guard them.
fn by_terms<'r>(
    rule: &'r DefinedRule,
    permissions: &[u32],
    lowering: &Lowering<'_, '_>,
) -> Vec<(Vec<&'r Term>, Vec<u32>)> {
    let mut groups: Vec<(Vec<&Term>, Vec<u32>)> = Vec::new();
    for permission in permissions {
        let guards = rule.when.iter().filter(|(scope, _)| applies(&scope.value, *permission, lowering));
        let terms: Vec<&Term> = guards.flat_map(|(_, terms)| terms).collect();
        match groups.iter_mut().find(|(known, _)| same(known, &terms)) {
            Some((_, members)) => members.push(*permission),
            None => groups.push((terms, vec![*permission])),
        }
    }
    groups
}

fn same(left: &[&Term], right: &[&Term]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(a, b)| std::ptr::eq(*a, *b))
}

fn applies(scope: &TermScope, permission: u32, lowering: &Lowering<'_, '_>) -> bool {
    let TermScope::Named(name) = scope else { return true };
    let Some(info) = lowering.schema.permission_info(permission) else { return true };
    info.action.name.value == *name
        || info.operation.is_some_and(|number| lowering.schema.operation_name(number) == Some(name))
}
