//! What the holders of raise-only roles must hold besides, resolved once for each role or template that says so.

use std::collections::HashMap;
use std::rc::Rc;

use crate::model::{Policy, Requirement, Spanned};

use super::findings::Findings;
use super::intern::Runs;
use super::layout::RequirementRecord;
use super::roles::Roles;
use super::schema::Schema;

/// The requirements of all roles.
#[derive(Debug, Default)]
pub(super) struct Requirements {
    /// By role.
    by_role: Vec<Rc<[RequirementInfo]>>,
}

/// One requirement.
#[derive(Debug)]
pub(super) struct RequirementInfo {
    /// The type of scope on which the role is held for this to count.
    pub(super) held_at: u16,
    /// The type of the ancestor that is looked at.
    pub(super) on: u16,
    /// Of these one must be held there; empty for no demand.
    pub(super) has: Vec<u32>,
    /// Of these none may be held there or above.
    pub(super) has_no: Vec<u32>,
    /// The names behind `has`, in words.
    pub(super) has_text: String,
}

impl Requirements {
    /// Resolves the requirements of every role.
    pub(super) fn resolve(policy: &Policy, schema: &Schema<'_>, roles: &Roles<'_>, findings: &mut Findings) -> Self {
        let mut known: HashMap<*const Requirement, Rc<[RequirementInfo]>> = HashMap::new();
        let none: Rc<[RequirementInfo]> = Rc::from(Vec::new());
        let mut by_role = Vec::with_capacity(roles.list.len());
        let named = policy.roles.iter().map(|role| (role.name.value.as_str(), &role.at, &role.requires));
        let templates = policy.role_templates.iter();
        for (name, at, requires) in named.chain(templates.map(|one| (one.name.value.as_str(), &one.at, &one.requires)))
        {
            if let Some(first) = requires.first() {
                let list = requires.iter().filter_map(|one| resolve(name, at, one, policy, schema, roles, findings));
                known.insert(std::ptr::from_ref(first), list.collect());
            }
        }
        for role in &roles.list {
            let list = role.requires.first().and_then(|first| known.get(&std::ptr::from_ref(first)));
            by_role.push(Rc::clone(list.unwrap_or(&none)));
        }
        check_bases(policy, roles, findings);
        Self { by_role }
    }

    /// The requirements of a role.
    pub(super) fn of(&self, role: u32) -> &[RequirementInfo] {
        usize::try_from(role).ok().and_then(|role| self.by_role.get(role)).map_or(&[], |list| list)
    }

    /// The requirements of a role as records; their roles are added to the lists.
    pub(super) fn records(&self, role: u32, lists: &mut Runs<u32>) -> Vec<RequirementRecord> {
        let record = |one: &RequirementInfo, lists: &mut Runs<u32>| {
            let (has, has_end) = lists.intern(one.has.clone());
            let (has_no, has_no_end) = lists.intern(one.has_no.clone());
            RequirementRecord {
                held_at: one.held_at.into(),
                on: one.on.into(),
                has: has.into(),
                has_end: has_end.into(),
                has_no: has_no.into(),
                has_no_end: has_no_end.into(),
            }
        };
        self.of(role).iter().map(|one| record(one, lists)).collect()
    }
}

/// A base must be in force by itself, or one decision would lead to another.
fn check_bases(policy: &Policy, roles: &Roles<'_>, findings: &mut Findings) {
    let all = policy.roles.iter().flat_map(|role| &role.requires);
    let all = all.chain(policy.role_templates.iter().flat_map(|template| &template.requires));
    for name in all.flat_map(|requirement| requirement.has.iter().map(move |name| (requirement, name))) {
        let (requirement, name) = name;
        let bases = roles.list.iter().zip(0_u32..).filter(|(role, _)| is_named(name, role.name, role.definer));
        let chained = bases.flat_map(|(role, _)| role.requires).find(|own| own.held_at.value == requirement.on.value);
        if chained.is_some() {
            let message = format!(
                "`{}`, held on `{}`, itself has requirements there: it cannot be what another role requires",
                name.value, requirement.on.value
            );
            findings.error(name.at, message);
        }
    }
}

fn is_named(name: &Spanned<String>, role: &str, definer: Option<u32>) -> bool {
    if definer.is_none() { role == name.value } else { role.split('/').next() == Some(name.value.as_str()) }
}

fn resolve(
    role: &str,
    at: &[Spanned<String>],
    declared: &Requirement,
    policy: &Policy,
    schema: &Schema<'_>,
    roles: &Roles<'_>,
    findings: &mut Findings,
) -> Option<RequirementInfo> {
    let label = format!("the requirements of `{role}`");
    let Requirement { held_at, on, has, has_no } = declared;
    if !at.iter().any(|name| name.value == held_at.value) {
        findings.error(held_at.at, format!("{label}: `{role}` is never held at `{}`", held_at.value));
        return None;
    }
    let below = schema.type_number(&held_at.value)?;
    let above = schema.type_number(&on.value);
    let stands_above = |above: &u16| schema.type_info(below).is_some_and(|info| info.ancestors.contains(above));
    let Some(above) = above.filter(stands_above) else {
        findings.error(on.at, format!("{label}: no `{}` stands above a `{}`", on.value, held_at.value));
        return None;
    };
    let names: Vec<String> = has.iter().map(|name| format!("`{}`", name.value)).collect();
    Some(RequirementInfo {
        held_at: below,
        on: above,
        has: roles.named(has, policy, &label, findings),
        has_no: roles.named(has_no, policy, &label, findings),
        has_text: names.join(", "),
    })
}
