//! Who and what there is: subjects and resources, numbered by type, then id, with their parents and attributes.

use std::collections::HashMap;

use crate::model::{Attributes, EntityName, Facts, Position, Spanned, Supplier};

use super::credentials::owner_of;
use super::findings::Findings;
use super::groups::BuiltIn;
use super::intern::{Strings, number};
use super::layout::{AttributeValueRecord, MAX_SCOPE_DEPTH, NONE, entity_flags};
use super::schema::{Schema, TypeSort};
use super::values::{Literals, Reading, describe};

/// The entities of a snapshot.
#[derive(Debug)]
pub(super) struct Entities<'f> {
    /// By type, then id.
    pub(super) list: Vec<EntityInfo<'f>>,
    numbers: HashMap<(u16, &'f str), u32>,
}

/// A subject or a resource.
#[derive(Debug)]
pub(super) struct EntityInfo<'f> {
    /// Its type.
    pub(super) kind: u16,
    /// Its id.
    pub(super) id: &'f str,
    /// Its parent, or [`NONE`].
    pub(super) parent: u32,
    /// [`entity_flags`].
    pub(super) flags: u16,
    name: &'f Spanned<EntityName>,
    declared_parent: Option<&'f Spanned<EntityName>>,
    attributes: &'f Attributes,
}

/// What is known of a group.
static NO_ATTRIBUTES: Attributes = Attributes::new();

/// Attribute values of all entities, one entity behind another.
#[derive(Debug, Default)]
pub(super) struct AttributeValues {
    /// By entity, then attribute.
    pub(super) records: Vec<AttributeValueRecord>,
    /// Where each entity's begin.
    pub(super) starts: Vec<u32>,
}

impl AttributeValues {
    /// One entity's.
    pub(super) fn of(&self, entity: u32) -> &[AttributeValueRecord] {
        let start = |at: usize| self.starts.get(at).and_then(|start| usize::try_from(*start).ok());
        let range = usize::try_from(entity).ok().and_then(|at| Some(start(at)?..start(at + 1)?));
        range.and_then(|range| self.records.get(range)).unwrap_or_default()
    }
}

impl EntityInfo<'_> {
    /// Where it was written.
    pub(super) fn place(&self) -> Position {
        self.name.at
    }
}

impl<'f> Entities<'f> {
    /// Numbers the entities and resolves their parents.
    pub(super) fn resolve(
        schema: &Schema<'_>,
        facts: &'f Facts,
        built_in: &'f BuiltIn,
        findings: &mut Findings,
    ) -> Self {
        let mut list = Vec::with_capacity(facts.subjects.len() + facts.resources.len());
        for subject in &facts.subjects {
            let flags = if subject.disabled { entity_flags::DISABLED } else { 0 };
            let kind = kind_of(schema, &subject.name, TypeSort::Subject, "subject type", findings);
            list.extend(kind.map(|kind| entity(kind, &subject.name, None, &subject.attributes, flags)));
        }
        for resource in &facts.resources {
            let kind = kind_of(schema, &resource.name, TypeSort::Resource, "resource type", findings);
            let parent = resource.parent.as_ref();
            list.extend(kind.map(|kind| entity(kind, &resource.name, parent, &resource.attributes, 0)));
        }
        for credential in &facts.credentials {
            let flags = if credential.disabled { entity_flags::DISABLED } else { 0 };
            let kind = kind_of(schema, &credential.name, TypeSort::Credential, "credential type", findings);
            let owner = Some(&credential.owner);
            list.extend(kind.map(|kind| entity(kind, &credential.name, owner, &credential.attributes, flags)));
        }
        for group in &facts.groups {
            let flags = if group.disabled { entity_flags::DISABLED } else { 0 };
            let kind = kind_of(schema, &group.name, TypeSort::Group, "group type", findings);
            list.extend(kind.map(|kind| entity(kind, &group.name, None, &NO_ATTRIBUTES, flags)));
        }
        for name in &built_in.names {
            let kind = schema.type_number(&name.value.kind);
            list.extend(kind.map(|kind| entity(kind, name, None, &NO_ATTRIBUTES, 0)));
        }
        list.sort_by(|a, b| (a.kind, a.id, a.name.at).cmp(&(b.kind, b.id, b.name.at)));
        for (earlier, later) in list.iter().zip(list.iter().skip(1)) {
            if (earlier.kind, earlier.id) == (later.kind, later.id) {
                findings.error(later.name.at, format!("`{}` is declared twice", later.name.value));
            }
        }
        let numbers = list.iter().zip(0..).map(|(info, number)| ((info.kind, info.id), number)).collect();
        let mut entities = Self { list, numbers };
        entities.resolve_parents(schema, findings);
        entities.check_depth(findings);
        entities.place_members_of(schema, built_in);
        entities
    }

    /// The number of an entity.
    pub(super) fn number(&self, schema: &Schema<'_>, name: &EntityName) -> Option<u32> {
        let kind = schema.type_number(&name.kind)?;
        self.numbers.get(&(kind, name.id.as_str())).copied()
    }

    /// An entity by number.
    pub(super) fn info(&self, number: u32) -> Option<&EntityInfo<'f>> {
        self.list.get(usize::try_from(number).ok()?)
    }

    /// An entity's name, `type/id`.
    pub(super) fn name(&self, schema: &Schema<'_>, number: u32) -> String {
        self.info(number).map_or_else(|| "?".to_owned(), |info| format!("{}/{}", schema.type_name(info.kind), info.id))
    }

    /// What an entity is for.
    pub(super) fn sort(&self, schema: &Schema<'_>, number: u32) -> Option<TypeSort> {
        self.info(number).and_then(|info| schema.sort(info.kind))
    }

    /// A holder's name as facts write it: `type/id`, `all(type)` or `members_of(type/id)`.
    pub(super) fn holder_name(&self, schema: &Schema<'_>, number: u32) -> String {
        let Some(info) = self.info(number) else { return "?".to_owned() };
        match schema.sort(info.kind) {
            Some(TypeSort::BuiltIn) => format!("{}({})", schema.type_name(info.kind), info.id),
            _ => self.name(schema, number),
        }
    }

    /// Where an entity is declared.
    pub(super) fn position(&self, number: u32) -> Position {
        self.info(number).map_or_else(Position::default, |info| info.name.at)
    }

    /// A resource and everything above it, nearest first.
    pub(super) fn chain(&self, from: u32) -> impl Iterator<Item = u32> + '_ {
        let above = |number: &u32| self.info(*number).map(|info| info.parent).filter(|parent| *parent != NONE);
        std::iter::successors(Some(from), above).take(MAX_SCOPE_DEPTH)
    }

    fn resolve_parents(&mut self, schema: &Schema<'_>, findings: &mut Findings) {
        let parents: Vec<u32> = self.list.iter().map(|info| self.parent_of(schema, info, findings)).collect();
        for (info, parent) in self.list.iter_mut().zip(parents) {
            info.parent = parent;
        }
    }

    /// The entity `members_of(scope)` stands under its scope: so a decision finds the scope.
    fn place_members_of(&mut self, schema: &Schema<'_>, built_in: &BuiltIn) {
        for name in &built_in.names {
            let scope = BuiltIn::scope_of(&name.value).and_then(|scope| self.number(schema, &scope));
            let own = self.number(schema, &name.value).and_then(|own| usize::try_from(own).ok());
            if let (Some(scope), Some(info)) = (scope, own.and_then(|own| self.list.get_mut(own))) {
                info.parent = scope;
            }
        }
    }

    fn parent_of(&self, schema: &Schema<'_>, info: &EntityInfo<'_>, findings: &mut Findings) -> u32 {
        let Some(kind) = schema.type_info(info.kind) else { return NONE };
        let name = &info.name.value;
        if let (TypeSort::Credential, Some(owner)) = (kind.sort, info.declared_parent) {
            return owner_of(name, owner, schema, self, findings);
        }
        match (info.declared_parent, kind.root) {
            (None, true) => NONE,
            (None, false) => {
                let help = format!("a `{}` stands under {}", kind.name.value, schema.list_types(&kind.parents));
                findings.error_with_help(info.name.at, format!("`{name}` has no parent"), help);
                NONE
            }
            (Some(parent), true) => {
                findings.error(parent.at, format!("`{name}` has a parent, but `{}` is a root", kind.name.value));
                NONE
            }
            (Some(parent), false) => {
                let fits = schema.type_number(&parent.kind).is_some_and(|above| kind.parents.contains(&above));
                let number = self.number(schema, &parent.value);
                match (fits, number) {
                    (true, Some(number)) => return number,
                    (true, None) => findings
                        .error(parent.at, format!("the parent `{}` of `{name}` is not in this snapshot", parent.value)),
                    (false, _) => findings.error(
                        parent.at,
                        format!(
                            "`{}` cannot be the parent of `{name}`: a `{}` stands under {}",
                            parent.value,
                            kind.name.value,
                            schema.list_types(&kind.parents)
                        ),
                    ),
                }
                NONE
            }
        }
    }

    /// Refuses cycles and chains that are too long; every walk upwards is bounded by this.
    fn check_depth(&mut self, findings: &mut Findings) {
        // 0: not looked at yet; otherwise the number of nodes from here to the root, ends included.
        let mut depths = vec![0_usize; self.list.len()];
        for start in 0..self.list.len() {
            let mut chain = vec![];
            let mut current = Some(start);
            let mut known = 0;
            while let Some(at) = current {
                known = depths.get(at).copied().unwrap_or(0);
                if known > 0 || chain.len() > MAX_SCOPE_DEPTH {
                    break;
                }
                chain.push(at);
                current = self
                    .list
                    .get(at)
                    .and_then(|info| usize::try_from(info.parent).ok())
                    .filter(|p| *p < self.list.len());
            }
            if chain.len() + known > MAX_SCOPE_DEPTH {
                self.report_depth(start, findings);
                // Counted as checked, so that one cycle is one error.
                for at in chain {
                    if let Some(depth) = depths.get_mut(at) {
                        *depth = 1;
                    }
                }
                continue;
            }
            for (above, at) in chain.into_iter().rev().enumerate() {
                if let Some(depth) = depths.get_mut(at) {
                    *depth = known + above + 1;
                }
            }
        }
    }

    fn report_depth(&self, start: usize, findings: &mut Findings) {
        let Some(info) = self.list.get(start) else { return };
        let chain: Vec<u32> = self.chain(number(start)).collect();
        let cycle = chain.iter().skip(1).position(|above| *above == number(start));
        let names = |count: usize| -> String {
            let shown: Vec<String> =
                chain.iter().take(count).filter_map(|n| self.info(*n)).map(|i| i.name.value.to_string()).collect();
            shown.join(" → ")
        };
        let at = info.declared_parent.map_or(info.name.at, |parent| parent.at);
        match cycle {
            Some(length) => {
                findings.error(at, format!("`{}` stands above itself: {}", info.name.value, names(length + 2)));
            }
            None => findings
                .error(at, format!("`{}` stands more than {MAX_SCOPE_DEPTH} deep: {} …", info.name.value, names(4))),
        }
    }

    /// The attribute values of every entity.
    pub(super) fn attribute_values(
        &self,
        schema: &Schema<'f>,
        literals: &mut Literals,
        strings: &mut Strings,
        findings: &mut Findings,
    ) -> AttributeValues {
        let mut values = AttributeValues::default();
        for info in &self.list {
            values.starts.push(number(values.records.len()));
            let first = values.records.len();
            for (name, literal) in info.attributes {
                let Some(attribute) = schema.attribute(info.kind, &name.value) else {
                    let known = schema.attribute_names(info.kind).join(", ");
                    let message = format!(
                        "`{}` has an attribute `{}` that `{}` does not declare",
                        info.name.value,
                        name.value,
                        schema.type_name(info.kind)
                    );
                    let help = if known.is_empty() {
                        "the type declares none".to_owned()
                    } else {
                        format!("it declares {known}")
                    };
                    findings.error_with_help(name.at, message, help);
                    continue;
                };
                let Some(declared) = schema.attribute_info(attribute) else { continue };
                if declared.declared.from == Supplier::Request {
                    let message = format!(
                        "`{}` stores attribute `{}`, which only a request may supply",
                        info.name.value, name.value
                    );
                    findings.error(name.at, message);
                    continue;
                }
                let reading = Reading { schema, entities: self, strings, literals };
                match reading.typed(literal, &declared.kind) {
                    Ok(Some(value)) => values.records.push(AttributeValueRecord { attribute: attribute.into(), value }),
                    Ok(None) => {}
                    Err(problem) => {
                        // What is wrong is said with the value, which a `sensitive` one must not be.
                        let problem = if declared.declared.sensitive {
                            let wanted = describe(schema, &declared.kind);
                            format!(
                                "is not {wanted}, or cannot be one here; it is `sensitive`, so its value is not shown"
                            )
                        } else {
                            problem
                        };
                        findings.error(
                            literal.at,
                            format!("attribute `{}` of `{}` {problem}", name.value, info.name.value),
                        );
                    }
                }
            }
            if let Some(mine) = values.records.get_mut(first..) {
                mine.sort_by_key(|record| record.attribute.get());
            }
        }
        values.starts.push(number(values.records.len()));
        values
    }

    /// The number of an entity that a fact names, or an error that names both.
    pub(super) fn expect(
        &self,
        schema: &Schema<'_>,
        name: &Spanned<EntityName>,
        whose: &str,
        findings: &mut Findings,
    ) -> Option<u32> {
        let found = self.number(schema, &name.value);
        if found.is_none() {
            let known = schema.type_number(&name.value.kind).is_some();
            let why = if known { "is not in this snapshot" } else { "is of no declared type" };
            findings.error(name.at, format!("{whose}: `{}` {why}", name.value));
        }
        found
    }
}

fn entity<'f>(
    kind: u16,
    name: &'f Spanned<EntityName>,
    declared_parent: Option<&'f Spanned<EntityName>>,
    attributes: &'f Attributes,
    flags: u16,
) -> EntityInfo<'f> {
    EntityInfo { kind, id: &name.value.id, parent: NONE, flags, name, declared_parent, attributes }
}

fn kind_of(
    schema: &Schema<'_>,
    name: &Spanned<EntityName>,
    sort: TypeSort,
    what: &str,
    findings: &mut Findings,
) -> Option<u16> {
    let number = schema.type_number(&name.value.kind);
    let fits = number.filter(|n| schema.type_info(*n).is_some_and(|info| info.sort == sort));
    if fits.is_none() {
        findings.error(name.at, format!("`{}`: `{}` is no {what} of this policy", name.value, name.value.kind));
    }
    fits
}
