//! Attributes, context keys and the types of their values.

use crate::compile::findings::Findings;
use crate::compile::layout::{ANY_TYPE, SUBJECT_TYPES, ValueKind};
use crate::model::{Attribute, Policy, Spanned, Supplier, ValueType, order};

use super::{AttributeInfo, Schema, TypeSort};

/// The type of a value, resolved.
#[derive(Clone, Debug, Eq)]
pub(in crate::compile) enum Kind<'p> {
    /// A bool.
    Bool,
    /// An int.
    Int,
    /// A text.
    String,
    /// One of these texts.
    Enum(&'p [Spanned<String>]),
    /// A moment.
    Timestamp,
    /// An entity of this type, or of any subject type.
    Reference(u16),
    /// The path of a governor.
    Governor,
    /// Several scalars.
    List(Box<Kind<'p>>),
}

impl PartialEq for Kind<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            // Where the values were written is no part of the type.
            (Self::Enum(own), Self::Enum(others)) => {
                own.iter().map(|name| &name.value).eq(others.iter().map(|name| &name.value))
            }
            (Self::Reference(own), Self::Reference(other)) => own == other,
            (Self::List(own), Self::List(other)) => own == other,
            _ => self.code() == other.code(),
        }
    }
}

impl Kind<'_> {
    /// The kind's code.
    pub(in crate::compile) fn code(&self) -> ValueKind {
        match self {
            Self::Bool => ValueKind::Bool,
            Self::Int => ValueKind::Int,
            Self::String => ValueKind::String,
            Self::Enum(_) => ValueKind::Enum,
            Self::Timestamp => ValueKind::Timestamp,
            Self::Reference(_) => ValueKind::Reference,
            Self::List(_) => ValueKind::List,
            Self::Governor => ValueKind::Governor,
        }
    }
}

/// All attributes and context keys, by owner, then name.
pub(super) fn resolve<'p>(policy: &'p Policy, schema: &Schema<'p>, findings: &mut Findings) -> Vec<AttributeInfo<'p>> {
    let mut list = Vec::new();
    let subjects = policy.subject_types.iter().map(|declared| (&declared.name, &declared.attributes));
    let resources = policy.types.iter().map(|declared| (&declared.name, &declared.attributes));
    let credentials = policy.credential_types.iter().map(|declared| (&declared.name, &declared.attributes));
    for (name, attributes) in subjects.chain(credentials).chain(resources) {
        let Some(owner) = schema.type_number(&name.value) else { continue };
        for declared in attributes {
            list.extend(one(owner, declared, schema, findings));
        }
    }
    for declared in &policy.context {
        if declared.optional {
            findings.error_with_help(
                declared.name.at,
                format!("context key `{}` is `optional`", declared.name.value),
                "only a value of the snapshot can be known to be absent; remove `optional`",
            );
        }
        list.extend(one(ANY_TYPE, declared, schema, findings));
    }
    order::by(&mut list, |a: &AttributeInfo<'_>, b| {
        a.owner.cmp(&b.owner).then_with(|| a.declared.name.value.cmp(&b.declared.name.value))
    });
    for (earlier, later) in list.iter().zip(list.iter().skip(1)) {
        if earlier.owner == later.owner && earlier.declared.name.value == later.declared.name.value {
            findings.error(later.declared.name.at, format!("`{}` is declared twice", later.declared.name.value));
        }
    }
    list
}

fn one<'p>(
    owner: u16,
    declared: &'p Attribute,
    schema: &Schema<'p>,
    findings: &mut Findings,
) -> Option<AttributeInfo<'p>> {
    let name = &declared.name;
    if declared.optional && declared.from == Supplier::Request && owner != ANY_TYPE {
        findings.error_with_help(
            name.at,
            format!("attribute `{}` is `optional` but only the request supplies it", name.value),
            "its absence is never a fact; remove `optional`",
        );
    }
    let kind = kind_of(&declared.value_type, name, schema, findings)?;
    Some(AttributeInfo { owner, declared, kind })
}

/// Resolves the type of a value.
pub(super) fn kind_of<'p>(
    value_type: &'p ValueType,
    name: &Spanned<String>,
    schema: &Schema<'p>,
    findings: &mut Findings,
) -> Option<Kind<'p>> {
    Some(match value_type {
        ValueType::Bool => Kind::Bool,
        ValueType::Int => Kind::Int,
        ValueType::String => Kind::String,
        ValueType::Timestamp => Kind::Timestamp,
        ValueType::Governor => Kind::Governor,
        ValueType::Role | ValueType::Permission => {
            let message = format!("`{}` is a role or a permission: only an action's parameter can be one", name.value);
            findings.error(name.at, message);
            return None;
        }
        ValueType::Enum(values) => {
            if values.is_empty() {
                findings.error(name.at, format!("enum `{}` lists no values", name.value));
            }
            Kind::Enum(values)
        }
        ValueType::List(item) => match kind_of(item, name, schema, findings)? {
            Kind::List(_) => {
                findings.error(name.at, format!("`{}` is a list of lists; lists hold scalars", name.value));
                return None;
            }
            item => Kind::List(Box::new(item)),
        },
        ValueType::Reference(target) => Kind::Reference(reference(target, schema, findings)?),
    })
}

/// The type that a reference refers to.
pub(super) fn reference(target: &Spanned<String>, schema: &Schema<'_>, findings: &mut Findings) -> Option<u16> {
    if target.value == "subject" {
        return Some(SUBJECT_TYPES);
    }
    let number = schema.type_number(&target.value);
    let usable = number
        .filter(|n| matches!(schema.sort(*n), Some(TypeSort::Resource | TypeSort::Subject | TypeSort::Credential)));
    if usable.is_none() {
        findings.error(target.at, format!("`ref({})` names no type that has entities", target.value));
    }
    usable
}
