//! Who may hold a role: subject types, with values that their attributes must have, and group types.
//!
//! Subject types say who may have it in the end, group types which groups may carry it. Only what the snapshot alone
//! supplies is looked at, so that the answer is the same at load and at any time.

use crate::model::{Holder, Literal, Spanned, Supplier};

use super::condition::Lowering;
use super::entities::{AttributeValues, Entities};
use super::findings::Findings;
use super::intern::Runs;
use super::layout::{HolderRecord, HolderValueRecord, NONE, ValueRecord};
use super::schema::{Kind, Schema, TypeSort};
use super::values::{Literals, Reading};

/// Who may hold a role.
#[derive(Debug, Default)]
pub(super) struct Eligible {
    /// Whether nothing is said: everybody and every group.
    anybody: bool,
    subjects: Vec<Kin>,
    groups: Vec<u16>,
}

/// Subjects of a type, with what their attributes must be.
#[derive(Debug)]
struct Kin {
    kind: u16,
    /// Attributes, each with the values of which it must be one: where they are stored, and themselves.
    when: Vec<(HolderValueRecord, Vec<ValueRecord>)>,
    /// In words.
    text: String,
}

/// What the snapshot knows of its subjects.
#[derive(Debug)]
pub(super) struct Known<'a> {
    /// Stored values.
    pub(super) attributes: &'a AttributeValues,
    /// Defaults, by attribute.
    pub(super) defaults: &'a [u32],
    /// What defaults refer to.
    pub(super) literals: &'a Literals,
}

impl Known<'_> {
    fn value(&self, entity: u32, attribute: u32) -> Option<ValueRecord> {
        let place = usize::try_from(entity).ok()?;
        let range = |at: usize| self.attributes.starts.get(at).and_then(|start| usize::try_from(*start).ok());
        let stored = self.attributes.records.get(range(place)?..range(place + 1)?)?;
        if let Some(record) = stored.iter().find(|record| record.attribute.get() == attribute) {
            return Some(record.value);
        }
        let default = self.defaults.get(usize::try_from(attribute).ok()?)?;
        self.literals.records.get(usize::try_from(*default).ok()?).copied()
    }
}

impl Eligible {
    /// Resolves a list of holders; an empty one stands for everybody. `owner` names whose they are, for the errors.
    pub(super) fn resolve(
        holders: &[Holder],
        owner: &str,
        lowering: &mut Lowering<'_, '_>,
        findings: &mut Findings,
    ) -> Self {
        let mut eligible = Self { anybody: holders.is_empty(), ..Self::default() };
        for holder in holders {
            let number = lowering.schema.type_number(&holder.kind.value);
            match (number, number.and_then(|number| lowering.schema.sort(number))) {
                (Some(kind), Some(TypeSort::Subject)) => {
                    let when: Vec<(HolderValueRecord, Vec<ValueRecord>)> = holder
                        .when
                        .iter()
                        .filter_map(|(name, values)| demanded(kind, name, values, owner, lowering, findings))
                        .collect();
                    eligible.subjects.push(Kin { kind, when, text: words(holder) });
                }
                (Some(kind), Some(TypeSort::Group)) => {
                    if let Some((name, _)) = holder.when.first() {
                        let message = format!("{owner}: a group type such as `{}` takes no `where`", holder.kind.value);
                        findings.error(name.at, message);
                    }
                    eligible.groups.push(kind);
                }
                _ => {
                    let message = format!("{owner}: `{}` is no subject type and no group type", holder.kind.value);
                    findings.error(holder.kind.at, message);
                }
            }
        }
        eligible
    }

    /// Whether nobody can be unfit.
    pub(super) fn is_anybody(&self) -> bool {
        self.subjects.is_empty()
    }

    /// Whether groups alone carry it.
    pub(super) fn is_for_groups_alone(&self) -> bool {
        self.subjects.is_empty() && !self.anybody
    }

    /// Who may have it in the end, as records; none stand for everybody.
    pub(super) fn records(&self, values: &mut Runs<HolderValueRecord>) -> Vec<HolderRecord> {
        let record = |kin: &Kin| {
            let (start, end) = values.intern(kin.when.iter().map(|(stored, _)| *stored).collect());
            HolderRecord { kind: kin.kind.into(), reserved: 0.into(), values: start.into(), values_end: end.into() }
        };
        self.subjects.iter().map(record).collect()
    }

    /// Whether a subject may have it in the end.
    pub(super) fn fits(&self, subject: u32, entities: &Entities<'_>, known: &Known<'_>) -> bool {
        let Some(info) = entities.info(subject) else { return false };
        self.subjects.is_empty()
            || self.subjects.iter().any(|kin| {
                kin.kind == info.kind
                    && kin.when.iter().all(|(stored, values)| {
                        known.value(subject, stored.attribute.get()).is_some_and(|value| values.contains(&value))
                    })
            })
    }

    /// Whether a binding may name this holder; of a group its members are not looked at.
    pub(super) fn may_carry(
        &self,
        holder: u32,
        schema: &Schema<'_>,
        entities: &Entities<'_>,
        known: &Known<'_>,
    ) -> bool {
        let groups_alone = self.is_for_groups_alone();
        match entities.sort(schema, holder) {
            Some(TypeSort::Subject) => !groups_alone && self.fits(holder, entities, known),
            Some(TypeSort::Group) => {
                self.anybody || entities.info(holder).is_some_and(|info| self.groups.contains(&info.kind))
            }
            Some(TypeSort::BuiltIn) => !groups_alone,
            _ => false,
        }
    }

    /// Who may hold it, in words.
    pub(super) fn text(&self, schema: &Schema<'_>) -> String {
        let mut texts: Vec<String> = self.subjects.iter().map(|kin| kin.text.clone()).collect();
        texts.extend(self.groups.iter().map(|group| format!("`{}`", schema.type_name(*group))));
        texts.join(", ")
    }
}

/// One attribute and the values that it may have.
fn demanded(
    kind: u16,
    name: &Spanned<String>,
    values: &[Spanned<Literal>],
    owner: &str,
    lowering: &mut Lowering<'_, '_>,
    findings: &mut Findings,
) -> Option<(HolderValueRecord, Vec<ValueRecord>)> {
    let schema = lowering.schema;
    let attribute = schema.attribute(kind, &name.value);
    let Some((attribute, info)) = attribute.and_then(|number| Some((number, schema.attribute_info(number)?))) else {
        findings.error(name.at, format!("{owner}: `{}` has no attribute `{}`", schema.type_name(kind), name.value));
        return None;
    };
    if info.declared.from != Supplier::Snapshot || matches!(info.kind, Kind::List(_)) {
        findings.error_with_help(
            name.at,
            format!("{owner}: `where` cannot look at attribute `{}`", name.value),
            "it looks at single values that the snapshot alone supplies (`from: snapshot`)",
        );
        return None;
    }
    let mut typed = Vec::new();
    for literal in values {
        let reading =
            Reading { schema, entities: lowering.entities, strings: lowering.strings, literals: lowering.literals };
        match reading.typed(literal, &info.kind) {
            Ok(Some(value)) => typed.push(value),
            Ok(None) => findings.error(literal.at, format!("{owner}: `{}` is compared with null", name.value)),
            Err(problem) => findings.error(literal.at, format!("{owner}: a value of `{}` {problem}", name.value)),
        }
    }
    let list = lowering.literals.list(&typed);
    let first = u32::try_from(list.payload.get()).unwrap_or(NONE);
    let stored = HolderValueRecord {
        attribute: attribute.into(),
        values: first.into(),
        values_end: first.saturating_add(list.extra.get()).into(),
    };
    Some((stored, typed))
}

/// `user` or `user` with `kind` `account` or `provider`.
fn words(holder: &Holder) -> String {
    let demands: Vec<String> = holder
        .when
        .iter()
        .map(|(name, values)| {
            let values: Vec<String> = values.iter().map(|value| shown(&value.value)).collect();
            format!("`{}` {}", name.value, values.join(" or "))
        })
        .collect();
    if demands.is_empty() {
        format!("`{}`", holder.kind.value)
    } else {
        format!("`{}` with {}", holder.kind.value, demands.join(" and "))
    }
}

fn shown(value: &Literal) -> String {
    match value {
        Literal::String(text) => format!("`{text}`"),
        Literal::Bool(flag) => format!("`{flag}`"),
        Literal::Int(int) => format!("`{int}`"),
        Literal::Null | Literal::List(_) => "…".to_owned(),
    }
}
