//! Types and classes of types.

use std::collections::HashMap;

use crate::compile::findings::Findings;
use crate::compile::intern::number;
use crate::compile::layout::MAX_SCOPE_DEPTH;
use crate::model::{Policy, Spanned};

use super::{Schema, TypeInfo, TypeSort};

/// Names that mean something in conditions or in the language.
const RESERVED: [&str; 9] =
    ["all", "ancestor", "context", "credential", "members_of", "param", "request", "resource", "subject"];

/// The types in name order, and their numbers.
pub(super) fn resolve<'p>(
    policy: &'p Policy,
    built_in: &'p [Spanned<String>],
    findings: &mut Findings,
) -> (Vec<TypeInfo<'p>>, HashMap<&'p str, u16>) {
    let mut types: Vec<TypeInfo<'p>> = Vec::new();
    let subjects = policy.subject_types.iter().map(|subject| bare(&subject.name, TypeSort::Subject));
    types.extend(subjects);
    types.extend(policy.credential_types.iter().map(|credential| bare(&credential.name, TypeSort::Credential)));
    types.extend(policy.group_types.iter().map(|group| bare(&group.name, TypeSort::Group)));
    types.extend(built_in.iter().map(|name| bare(name, TypeSort::BuiltIn)));
    for declared in &policy.types {
        let sort = if declared.is_virtual { TypeSort::Virtual } else { TypeSort::Resource };
        types.push(TypeInfo { root: declared.root, open: declared.open, ..bare(&declared.name, sort) });
    }
    types.sort_by(|a, b| a.name.value.cmp(&b.name.value));
    for (earlier, later) in types.iter().zip(types.iter().skip(1)) {
        if earlier.name.value == later.name.value {
            findings.error(later.name.at, format!("type `{}` is declared twice", later.name.value));
        }
    }
    for info in &types {
        if info.sort != TypeSort::BuiltIn && RESERVED.contains(&info.name.value.as_str()) {
            findings.error(info.name.at, format!("`{}` is a reserved word and cannot name a type", info.name.value));
        }
    }
    // The last two numbers stand for "any type" and "any subject type".
    if types.len() > usize::from(u16::MAX - 2) {
        findings.error(policy.types.first().map_or_else(Default::default, |t| t.name.at), "there are too many types");
    }
    let numbers: HashMap<&str, u16> = types.iter().map(|info| info.name.value.as_str()).zip(0..).collect();
    for declared in &policy.types {
        let parents = parents_of(declared, &numbers, &types, findings);
        if let Some(info) = numbers.get(declared.name.value.as_str()).and_then(|n| types.get_mut(usize::from(*n))) {
            info.parents = parents;
        }
    }
    add_ancestors(&mut types);
    (types, numbers)
}

fn bare(name: &Spanned<String>, sort: TypeSort) -> TypeInfo<'_> {
    TypeInfo { name, parents: Vec::new(), sort, root: sort != TypeSort::Resource, open: false, ancestors: Vec::new() }
}

fn parents_of(
    declared: &crate::model::Type,
    numbers: &HashMap<&str, u16>,
    types: &[TypeInfo<'_>],
    findings: &mut Findings,
) -> Vec<u16> {
    let name = &declared.name;
    let has_parents = !declared.parents.is_empty();
    if declared.is_virtual {
        if has_parents
            || declared.root
            || declared.open
            || !declared.actions.is_empty()
            || !declared.attributes.is_empty()
        {
            findings.error_with_help(
                name.at,
                format!("virtual type `{}` has a parent, attributes or actions", name.value),
                "a virtual type has no instances: it only governs actions of other types",
            );
        }
        return Vec::new();
    }
    if has_parents == declared.root {
        let help = "give it `parent: <type>`, or `root: true` if it has none";
        let what = if has_parents { "is a root and has a parent" } else { "has no parent" };
        findings.error_with_help(name.at, format!("type `{}` {what}", name.value), help);
    }
    let mut parents = Vec::new();
    for parent in &declared.parents {
        let number = numbers.get(parent.value.as_str()).copied();
        let sort = number.and_then(|number| types.get(usize::from(number))).map(|info| info.sort);
        match (number, sort) {
            (Some(number), Some(TypeSort::Resource)) => parents.push(number),
            _ => findings
                .error(parent.at, format!("`{}`, the parent of `{}`, is no resource type", parent.value, name.value)),
        }
    }
    parents.sort_unstable();
    parents.dedup();
    parents
}

/// Types may stand above themselves (a folder in a folder): the depth of instances is capped when facts are read.
fn add_ancestors(types: &mut [TypeInfo<'_>]) {
    let parents: Vec<Vec<u16>> = types.iter().map(|info| info.parents.clone()).collect();
    for info in types.iter_mut() {
        let mut found = info.parents.clone();
        let mut next = 0;
        while let Some(current) = found.get(next).copied() {
            for parent in parents.get(usize::from(current)).into_iter().flatten() {
                if !found.contains(parent) {
                    found.push(*parent);
                }
            }
            next += 1;
        }
        found.sort_unstable();
        info.ancestors = found;
    }
}

/// The classes with the types in them.
pub(super) fn classes<'p>(
    policy: &'p Policy,
    schema: &Schema<'p>,
    findings: &mut Findings,
) -> HashMap<&'p str, Vec<u16>> {
    let mut declared: HashMap<&str, &crate::model::Class> = HashMap::new();
    for class in &policy.classes {
        let name = class.name.value.as_str();
        if schema.type_number(name).is_some() || RESERVED.contains(&name) {
            findings.error(class.name.at, format!("class `{name}` has the name of a type or a reserved word"));
        }
        if declared.insert(name, class).is_some() {
            findings.error(class.name.at, format!("class `{name}` is declared twice"));
        }
    }
    let mut resolved = HashMap::new();
    for class in &policy.classes {
        let mut members = Vec::new();
        expand(class, schema, &declared, &mut members, &mut vec![class.name.value.as_str()], findings);
        members.sort_unstable();
        members.dedup();
        resolved.insert(class.name.value.as_str(), members);
    }
    resolved
}

/// Adds a class's types. The open classes are the guard against a cycle and bound the depth.
fn expand<'p>(
    class: &'p crate::model::Class,
    schema: &Schema<'p>,
    declared: &HashMap<&str, &'p crate::model::Class>,
    members: &mut Vec<u16>,
    open: &mut Vec<&'p str>,
    findings: &mut Findings,
) {
    for member in &class.members {
        let name = member.value.as_str();
        if let Some(number) = schema.type_number(name) {
            if !matches!(schema.sort(number), Some(TypeSort::Resource | TypeSort::Virtual)) {
                let message = format!("`{name}` is no resource type and cannot be in class `{}`", class.name.value);
                findings.error(member.at, message);
            }
            members.push(number);
        } else if open.contains(&name) {
            findings.error(member.at, format!("class `{name}` contains itself: {}", open.join(" → ")));
        } else if open.len() >= MAX_SCOPE_DEPTH {
            findings.error(member.at, format!("classes are nested more than {} deep", number(MAX_SCOPE_DEPTH)));
        } else if let Some(inner) = declared.get(name) {
            open.push(&inner.name.value);
            expand(inner, schema, declared, members, open, findings);
            open.pop();
        } else {
            findings.error(member.at, format!("`{name}` in class `{}` is no type and no class", class.name.value));
        }
    }
}
