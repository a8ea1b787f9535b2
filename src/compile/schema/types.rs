//! Types and classes of types.

use std::collections::HashMap;

use crate::compile::findings::Findings;
use crate::compile::layout::MAX_SCOPE_DEPTH;
use crate::model::{Class, Policy, Spanned, order};

use super::{Schema, TypeInfo, TypeSort};

/// Names that mean something in conditions or in the language.
const RESERVED: [&str; 9] =
    ["all", "ancestor", "context", "credential", "members_of", "param", "request", "resource", "subject"];

/// How many types there may be. Each may stand below every other, and what may stand above a type is listed for it.
const MOST_TYPES: usize = 4_096;

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
    order::by(&mut types, |a, b| a.name.value.cmp(&b.name.value));
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
    if types.len() > MOST_TYPES {
        let at = policy.types.first().map_or_else(Default::default, |declared| declared.name.at);
        findings.error(at, format!("there are {} types; {MOST_TYPES} is the most", types.len()));
        types.truncate(MOST_TYPES);
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
    order::natural(&mut parents);
    parents.dedup();
    parents
}

/// Types may stand above themselves (a folder in a folder): the depth of instances is capped when facts are read.
fn add_ancestors(types: &mut [TypeInfo<'_>]) {
    let parents: Vec<Vec<u16>> = types.iter().map(|info| info.parents.clone()).collect();
    for info in types.iter_mut() {
        let mut found = info.parents.clone();
        let mut is_found = vec![false; parents.len()];
        for parent in &found {
            is_found.get_mut(usize::from(*parent)).into_iter().for_each(|seen| *seen = true);
        }
        let mut next = 0;
        while let Some(current) = found.get(next).copied() {
            for parent in parents.get(usize::from(current)).into_iter().flatten() {
                if is_found.get_mut(usize::from(*parent)).is_some_and(|seen| !std::mem::replace(seen, true)) {
                    found.push(*parent);
                }
            }
            next += 1;
        }
        order::natural(&mut found);
        info.ancestors = found;
    }
}

/// The classes with the types in them, innermost first: each is looked at once, in however many others it stands.
pub(super) fn classes<'p>(
    policy: &'p Policy,
    schema: &Schema<'p>,
    findings: &mut Findings,
) -> HashMap<&'p str, Vec<u16>> {
    let mut declared: HashMap<&str, &'p Class> = HashMap::new();
    for class in &policy.classes {
        let name = class.name.value.as_str();
        if schema.type_number(name).is_some() || RESERVED.contains(&name) {
            findings.error(class.name.at, format!("class `{name}` has the name of a type or a reserved word"));
        }
        if declared.insert(name, class).is_some() {
            findings.error(class.name.at, format!("class `{name}` is declared twice"));
        }
    }
    let mut nesting = Nesting::of(policy, declared, schema, findings);
    while let Some(name) = nesting.ready.pop() {
        nesting.resolve(name, schema, findings);
    }
    nesting.report_cycles(policy, findings);
    nesting.resolved.into_iter().map(|(name, (members, _))| (name, members)).collect()
}

/// Which class stands in which, while they are resolved.
struct Nesting<'p> {
    declared: HashMap<&'p str, &'p Class>,
    /// The classes in which a class stands.
    around: HashMap<&'p str, Vec<&'p str>>,
    /// How many classes in a class are not resolved yet.
    waiting: HashMap<&'p str, usize>,
    /// Classes that wait for nothing.
    ready: Vec<&'p str>,
    /// The types in a class, and how deep its classes are nested.
    resolved: HashMap<&'p str, (Vec<u16>, usize)>,
}

impl<'p> Nesting<'p> {
    fn of(
        policy: &'p Policy,
        declared: HashMap<&'p str, &'p Class>,
        schema: &Schema<'_>,
        findings: &mut Findings,
    ) -> Self {
        let (mut around, mut waiting) = (HashMap::<_, Vec<_>>::new(), HashMap::new());
        let mut ready = Vec::new();
        // Not in the order of a map: findings are kept as they come. Of two of one name the last one counts.
        let counts =
            |class: &&Class| declared.get(class.name.value.as_str()).is_some_and(|own| std::ptr::eq(*own, *class));
        for class in policy.classes.iter().filter(counts) {
            let name = class.name.value.as_str();
            let mut inner = 0;
            for member in &class.members {
                let member_name = member.value.as_str();
                if schema.type_number(member_name).is_some() {
                    continue;
                }
                if declared.contains_key(member_name) {
                    around.entry(member_name).or_default().push(name);
                    inner += 1;
                } else {
                    findings.error(member.at, format!("`{member_name}` in class `{name}` is no type and no class"));
                }
            }
            waiting.insert(name, inner);
            ready.extend((inner == 0).then_some(name));
        }
        Self { declared, around, waiting, ready, resolved: HashMap::new() }
    }

    /// The types of a class whose inner classes are resolved.
    fn resolve(&mut self, name: &'p str, schema: &Schema<'_>, findings: &mut Findings) {
        let Some(class) = self.declared.get(name) else { return };
        let (mut members, mut depth) = (Vec::new(), 1);
        for member in &class.members {
            if let Some(number) = schema.type_number(&member.value) {
                if !matches!(schema.sort(number), Some(TypeSort::Resource | TypeSort::Virtual)) {
                    let message = format!("`{}` is no resource type and cannot be in class `{name}`", member.value);
                    findings.error(member.at, message);
                }
                members.push(number);
            } else if let Some((types, below)) = self.resolved.get(member.value.as_str()) {
                members.extend(types);
                depth = depth.max(below + 1);
                if depth == MAX_SCOPE_DEPTH + 1 {
                    findings.error(member.at, format!("classes are nested more than {MAX_SCOPE_DEPTH} deep"));
                }
            }
        }
        order::natural(&mut members);
        members.dedup();
        self.resolved.insert(name, (members, depth));
        for outer in self.around.get(name).into_iter().flatten() {
            if let Some(left) = self.waiting.get_mut(outer) {
                *left -= 1;
                self.ready.extend((*left == 0).then_some(*outer));
            }
        }
    }

    /// What still waits contains itself, or something that does: each cycle is named once.
    fn report_cycles(&self, policy: &'p Policy, findings: &mut Findings) {
        let mut walked: Vec<&str> = Vec::new();
        let waits = |name: &str| self.declared.contains_key(name) && !self.resolved.contains_key(name);
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for class in policy.classes.iter().filter(|class| waits(&class.name.value)) {
            let first = walked.len();
            let mut next = Some(class.name.value.as_str());
            while let Some(name) = next.filter(|name| !seen.contains_key(name)) {
                seen.insert(name, walked.len());
                walked.push(name);
                let members = self.declared.get(name).into_iter().flat_map(|class| &class.members);
                next = members.map(|member| member.value.as_str()).find(|member| waits(member));
            }
            let closed = next.and_then(|name| Some((name, *seen.get(name)?))).filter(|(_, at)| *at >= first);
            if let Some((name, at)) = closed
                && let Some(class) = self.declared.get(name)
            {
                let cycle = walked.get(at..).unwrap_or_default().join(" → ");
                findings.error(class.name.at, format!("class `{name}` contains itself: {cycle}"));
            }
        }
    }
}
