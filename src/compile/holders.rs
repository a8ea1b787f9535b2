//! Who may hold a role or own a credential: types, each with values that the entity's own attributes must have.
//!
//! Fitting is a matter of facts: an attribute that a request may supply cannot decide it.

use crate::model::{Holder, Literal, Spanned, Supplier};

use super::condition::Lowering;
use super::entities::AttributeValues;
use super::findings::Findings;
use super::layout::{NONE, ValueRecord};
use super::schema::{Kind, TypeSort};
use super::values::Reading;

/// A list of holders, resolved.
#[derive(Clone, Debug, Default)]
pub(super) struct Holders(Vec<HolderInfo>);

/// One entry of such a list.
#[derive(Clone, Debug)]
struct HolderInfo {
    kind: u16,
    values: Vec<(u32, Vec<ValueRecord>)>,
}

/// What is known of the entities that may fit.
pub(super) struct Known<'a> {
    /// What the facts say.
    pub(super) attributes: &'a AttributeValues,
    /// The literal that stands where they say nothing, by attribute.
    pub(super) defaults: &'a [u32],
    /// All literals.
    pub(super) literals: &'a [ValueRecord],
}

impl Holders {
    /// Resolves a list whose types are of these sorts. `whose` begins the sentence of an error, `what` names the sorts.
    pub(super) fn resolve(
        declared: &[Holder],
        sorts: &[TypeSort],
        (whose, what): (&str, &str),
        lowering: &mut Lowering<'_, '_>,
        findings: &mut Findings,
    ) -> Self {
        let mut list = Vec::with_capacity(declared.len());
        for holder in declared {
            let number = lowering.schema.type_number(&holder.kind.value);
            let sort = number.and_then(|number| lowering.schema.sort(number));
            let Some(kind) = number.filter(|_| sort.is_some_and(|sort| sorts.contains(&sort))) else {
                findings.error(holder.kind.at, format!("{whose}: `{}` is no {what}", holder.kind.value));
                continue;
            };
            let when = holder.when.iter();
            let values = when.filter_map(|one| wanted(kind, one, whose, lowering, findings)).collect();
            list.push(HolderInfo { kind, values });
        }
        Self(list)
    }

    /// Whether an entity fits one of the entries; a missing value never fits. An empty list names nobody.
    pub(super) fn fit(&self, entity: u32, kind: u16, known: &Known<'_>) -> bool {
        let has = |(attribute, values): &(u32, Vec<ValueRecord>)| {
            known.value(entity, *attribute).is_some_and(|value| values.contains(&value))
        };
        self.0.iter().any(|entry| entry.kind == kind && entry.values.iter().all(has))
    }
}

impl Known<'_> {
    fn value(&self, entity: u32, attribute: u32) -> Option<ValueRecord> {
        let stored = self.attributes.of(entity).iter().find(|record| record.attribute.get() == attribute);
        stored.map(|record| record.value).or_else(|| {
            let default = self.defaults.get(usize::try_from(attribute).ok()?).filter(|default| **default != NONE)?;
            self.literals.get(usize::try_from(*default).ok()?).copied()
        })
    }
}

/// An attribute and the values of which it must have one.
fn wanted(
    kind: u16,
    (name, values): &(Spanned<String>, Vec<Spanned<Literal>>),
    whose: &str,
    lowering: &mut Lowering<'_, '_>,
    findings: &mut Findings,
) -> Option<(u32, Vec<ValueRecord>)> {
    let owner = lowering.schema.type_name(kind);
    let found = lowering.schema.attribute(kind, &name.value);
    let info = found.and_then(|number| lowering.schema.attribute_info(number));
    let (Some(number), Some(info)) = (found, info) else {
        let known = lowering.schema.attribute_names(kind).join(", ");
        let help = if known.is_empty() { "the type declares none".to_owned() } else { format!("it declares {known}") };
        findings.error_with_help(name.at, format!("{whose}: `{owner}` has no attribute `{}`", name.value), help);
        return None;
    };
    if info.declared.from != Supplier::Snapshot {
        findings.error_with_help(
            name.at,
            format!("{whose}: attribute `{}` of `{owner}` may come from a request", name.value),
            "`where` compares what the snapshot alone says (`from: snapshot`)",
        );
        return None;
    }
    if matches!(info.kind, Kind::List(_)) {
        findings.error(name.at, format!("{whose}: attribute `{}` of `{owner}` is a list", name.value));
        return None;
    }
    let label = format!("{whose}: `{}`", name.value);
    Some((number, typed_values(values, &info.kind, &label, lowering, findings)))
}

/// Values of one type; each that is of another is an error that `label` begins.
pub(super) fn typed_values(
    values: &[Spanned<Literal>],
    kind: &Kind<'_>,
    label: &str,
    lowering: &mut Lowering<'_, '_>,
    findings: &mut Findings,
) -> Vec<ValueRecord> {
    let mut list = Vec::with_capacity(values.len());
    for value in values {
        let reading = Reading {
            schema: lowering.schema,
            entities: lowering.entities,
            strings: lowering.strings,
            literals: lowering.literals,
        };
        match reading.typed(value, kind) {
            Ok(Some(value)) => list.push(value),
            Ok(None) => findings.error(value.at, format!("{label} is compared with null: name a value")),
            Err(problem) => findings.error(value.at, format!("{label} {problem}")),
        }
    }
    list
}
