//! Where a value comes from while deciding: the snapshot, the request, or a default; and whether two are equal.

use std::cmp::Ordering;

use crate::compile::layout::{
    AttributeRecord, EntityRecord, OperandKind, OperandRecord, SupplierCode, ValueKind, ValueRecord, attribute_flags,
};
use crate::index::{Corrupt, Index, optional};
use crate::model::{Properties, Timestamp, Value};

use super::credentials::Key;
use super::parameters::Parameter;
use super::placement::Target;
use super::question::{Question, refers_to};
use super::truth::Truth;

/// A value that a condition looks at.
#[derive(Clone, Copy)]
pub(super) enum Seen<'q> {
    /// Missing, or of a wrong type.
    Unknown,
    /// A bool.
    Bool(bool),
    /// An int.
    Int(i64),
    /// A text.
    Text(&'q [u8]),
    /// A moment.
    Time(Timestamp),
    /// An entity: type and id.
    Entity(u16, &'q [u8]),
    /// A list of the snapshot.
    Stored(&'q [ValueRecord]),
    /// A list of the request, every item of the declared type.
    Sent(&'q [Value<'q>], &'q AttributeRecord),
}

impl<'q> Question<'q> {
    /// The value of an operand.
    pub(super) fn see(&'q self, operand: &OperandRecord) -> Result<Seen<'q>, Corrupt> {
        let value = self.see_whole(operand)?;
        Ok(if operand.size == 0 { value } else { size(value) })
    }

    fn see_whole(&'q self, operand: &OperandRecord) -> Result<Seen<'q>, Corrupt> {
        let number = operand.number.get();
        match OperandKind::from_code(operand.kind).ok_or(Corrupt)? {
            OperandKind::Nothing => Ok(Seen::Unknown),
            OperandKind::Literal => stored(self.index, self.index.record(number)?),
            OperandKind::Resource => of_target(self.index, &self.target, number),
            OperandKind::Ancestor => match self.ancestor(operand.ancestor.get())? {
                Some(entity) => of_entity(self.index, entity, number),
                None => Ok(Seen::Unknown),
            },
            OperandKind::Subject => match self.own_attribute(number, self.subject_kind)? {
                Some(number) => supplied(self.index, Some(self.subject), self.subject_properties, number),
                None => Ok(Seen::Unknown),
            },
            OperandKind::Credential => match self.key_attribute(number)? {
                Some((key, number)) => supplied(self.index, Some(key.entity), key.sent, number),
                None => Ok(Seen::Unknown),
            },
            OperandKind::Context => of_context(self.index, self.context, number),
            OperandKind::Parameter => match self.parameters.at(number) {
                Some(Parameter::Entity(entity)) => seen_entity(self.index, entity),
                _ => Ok(Seen::Unknown),
            },
            OperandKind::SubjectItself => seen_entity(self.index, self.subject),
            OperandKind::ResourceItself => Ok(match self.target.id {
                // A copy that does not exist yet is no entity.
                "" => Seen::Unknown,
                id => Seen::Entity(self.target.kind, id.as_bytes()),
            }),
            OperandKind::RequestTime => Ok(Seen::Time(self.time)),
            OperandKind::ByCredential => Ok(Seen::Bool(self.credential.is_some())),
        }
    }

    /// `has(x)`: true when x is there (a default is), false only where its absence from a held entity is a fact.
    pub(super) fn has(&'q self, operand: &OperandRecord) -> Result<Truth, Corrupt> {
        if !matches!(self.see_whole(operand)?, Seen::Unknown) {
            return Ok(Truth::True);
        }
        let kind = OperandKind::from_code(operand.kind).ok_or(Corrupt)?;
        let number = operand.number.get();
        let held = match kind {
            OperandKind::Resource => self.target.like.unwrap_or(&self.target).entity.map(|_| number),
            OperandKind::Ancestor => self.ancestor(operand.ancestor.get())?.map(|_| number),
            // The subject's own type says whether its absence is a fact, not the type that the condition was lowered on.
            OperandKind::Subject => self.own_attribute(number, self.subject_kind)?,
            OperandKind::Credential => self.key_attribute(number)?.map(|(_, number)| number),
            _ => None,
        };
        let attribute = held.map(|number| self.index.attribute(number)).transpose()?;
        let is_fact = attribute.is_some_and(|attribute| {
            attribute.flags & attribute_flags::OPTIONAL != 0 && attribute.supplier == SupplierCode::Snapshot as u8
        });
        Ok(if is_fact { Truth::False } else { Truth::Unknown })
    }

    /// The nearest ancestor of a type; the resource itself is none.
    fn ancestor(&self, kind: u16) -> Result<Option<u32>, Corrupt> {
        for scope in self.target.scopes(self.index).skip(usize::from(self.target.entity.is_some())) {
            let (entity, record) = scope?;
            if record.kind.get() == kind {
                return Ok(Some(entity));
            }
        }
        Ok(None)
    }

    /// The credential and its own attribute, where one asks and has such an attribute.
    fn key_attribute(&self, number: u32) -> Result<Option<(&Key<'q>, u32)>, Corrupt> {
        let Some(key) = &self.credential else { return Ok(None) };
        Ok(self.own_attribute(number, key.kind)?.map(|number| (key, number)))
    }

    /// A type's own attribute of the name that a condition resolved on another type.
    fn own_attribute(&self, number: u32, kind: u16) -> Result<Option<u32>, Corrupt> {
        let attribute = self.index.attribute(number)?;
        if attribute.owner.get() == kind {
            return Ok(Some(number));
        }
        self.index.attribute_named(kind, self.index.text(attribute.name.get())?)
    }
}

/// The value of a context key.
pub(super) fn of_context<'q>(index: &'q Index, context: Properties<'q>, number: u32) -> Result<Seen<'q>, Corrupt> {
    supplied(index, None, context, number)
}

/// Whether the request itself sends a context key, with a value of its type; a default does not count.
pub(super) fn sent_context(index: &Index, context: Properties<'_>, number: u32) -> Result<bool, Corrupt> {
    let attribute = index.attribute(number)?;
    let name = index.text(attribute.name.get())?;
    let Some((_, value)) = context.iter().find(|(sent, _)| *sent == name) else { return Ok(false) };
    Ok(!matches!(typed(index, attribute, value)?, Seen::Unknown))
}

/// A literal of the policy.
pub(super) fn literal(index: &Index, number: u32) -> Result<Seen<'_>, Corrupt> {
    stored(index, index.record(number)?)
}

/// Whether a request says of an entity what the snapshot knows to be otherwise.
#[inline]
pub(super) fn contradicts(
    index: &Index,
    kind: u16,
    entity: Option<u32>,
    sent: Properties<'_>,
) -> Result<bool, Corrupt> {
    if sent.is_empty() { Ok(false) } else { some_contradicts(index, kind, entity, sent) }
}

fn some_contradicts(index: &Index, kind: u16, entity: Option<u32>, sent: Properties<'_>) -> Result<bool, Corrupt> {
    for (name, value) in sent {
        let Some(number) = index.attribute_named(kind, name)? else { continue };
        if *value == Value::Null {
            continue;
        }
        let attribute = index.attribute(number)?;
        let known = match entity {
            Some(entity) => index.stored(entity, number)?,
            None => None,
        };
        let supplier = SupplierCode::from_code(attribute.supplier).ok_or(Corrupt)?;
        let contradiction = match (supplier, known) {
            (SupplierCode::Request | SupplierCode::RequestThenSnapshot, _)
            | (SupplierCode::SnapshotThenRequest, None) => false,
            (SupplierCode::Snapshot, None) => true,
            // Comparing would tell the caller what the value is.
            (_, Some(_)) if attribute.flags & attribute_flags::SENSITIVE != 0 => true,
            (_, Some(known)) => equal(index, stored(index, known)?, typed(index, attribute, value)?)? != Truth::True,
        };
        if contradiction {
            return Ok(true);
        }
    }
    Ok(false)
}

/// An attribute of the resource.
pub(super) fn of_target<'q>(index: &'q Index, target: &'q Target<'q>, number: u32) -> Result<Seen<'q>, Corrupt> {
    let target = target.like.unwrap_or(target);
    supplied(index, target.entity, target.sent, number)
}

/// An attribute of an entity about which the request says nothing.
fn of_entity(index: &Index, entity: u32, number: u32) -> Result<Seen<'_>, Corrupt> {
    supplied(index, Some(entity), &[], number)
}

/// A value, by the rule of who supplies it. A request's value of a wrong type is unknown: it never falls back to the
/// default.
fn supplied<'q>(index: &'q Index, entity: Option<u32>, sent: Properties<'q>, number: u32) -> Result<Seen<'q>, Corrupt> {
    let attribute = index.attribute(number)?;
    let supplier = SupplierCode::from_code(attribute.supplier).ok_or(Corrupt)?;
    let from_snapshot = || match entity {
        Some(entity) => index.stored(entity, number),
        None => Ok(None),
    };
    let from_request = || -> Result<Option<&'q Value<'q>>, Corrupt> {
        if sent.is_empty() {
            return Ok(None);
        }
        let name = index.text(attribute.name.get())?;
        Ok(sent.iter().find(|(sent, _)| *sent == name).map(|(_, value)| value).filter(|value| **value != Value::Null))
    };
    let request_first = matches!(supplier, SupplierCode::Request | SupplierCode::RequestThenSnapshot);
    if request_first && let Some(value) = from_request()? {
        return typed(index, attribute, value);
    }
    if supplier != SupplierCode::Request
        && let Some(value) = from_snapshot()?
    {
        return stored(index, value);
    }
    if supplier == SupplierCode::SnapshotThenRequest
        && let Some(value) = from_request()?
    {
        return typed(index, attribute, value);
    }
    match optional(attribute.default) {
        Some(default) => stored(index, index.record(default)?),
        None => Ok(Seen::Unknown),
    }
}

/// A request's value as the attribute's type, unknown if it is of another.
fn typed<'q>(index: &'q Index, attribute: &'q AttributeRecord, value: &'q Value<'q>) -> Result<Seen<'q>, Corrupt> {
    let kind = ValueKind::from_code(attribute.kind).ok_or(Corrupt)?;
    if let (ValueKind::List, Value::List(items)) = (kind, value) {
        let item_kind = ValueKind::from_code(attribute.item_kind).ok_or(Corrupt)?;
        for item in *items {
            if matches!(scalar(index, attribute, item_kind, item)?, Seen::Unknown) {
                return Ok(Seen::Unknown);
            }
        }
        return Ok(Seen::Sent(items, attribute));
    }
    scalar(index, attribute, kind, value)
}

fn scalar<'q>(
    index: &'q Index,
    attribute: &AttributeRecord,
    kind: ValueKind,
    value: &Value<'q>,
) -> Result<Seen<'q>, Corrupt> {
    Ok(match (kind, value) {
        (ValueKind::Bool, Value::Bool(flag)) => Seen::Bool(*flag),
        (ValueKind::Int, Value::Int(int)) => Seen::Int(*int),
        (ValueKind::String, Value::String(text)) => Seen::Text(text.as_bytes()),
        (ValueKind::Enum, Value::String(text)) if is_enum_value(index, attribute, text)? => Seen::Text(text.as_bytes()),
        (ValueKind::Governor, Value::String(text)) if index.governor_named(text.as_bytes())?.is_some() => {
            Seen::Text(text.as_bytes())
        }
        (ValueKind::Timestamp, Value::Timestamp(time)) => Seen::Time(*time),
        (ValueKind::Reference, Value::Entity(entity)) => match index.type_named(entity.kind)? {
            Some((kind, record)) if refers_to(attribute.reference.get(), kind, record) => {
                Seen::Entity(kind, entity.id.as_bytes())
            }
            _ => Seen::Unknown,
        },
        _ => Seen::Unknown,
    })
}

fn is_enum_value(index: &Index, attribute: &AttributeRecord, text: &str) -> Result<bool, Corrupt> {
    let values: &[ValueRecord] = index.records(attribute.values.get(), attribute.values_end.get())?;
    for value in values {
        if let Seen::Text(known) = stored(index, value)?
            && known == text.as_bytes()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A value of the snapshot.
fn stored<'q>(index: &'q Index, value: &ValueRecord) -> Result<Seen<'q>, Corrupt> {
    let payload = value.payload.get();
    let number = || u32::try_from(payload).map_err(|_| Corrupt);
    Ok(match ValueKind::from_code(value.kind).ok_or(Corrupt)? {
        ValueKind::Absent => Seen::Unknown,
        ValueKind::Bool => Seen::Bool(payload != 0),
        ValueKind::Int => Seen::Int(payload),
        ValueKind::String | ValueKind::Enum | ValueKind::Governor => Seen::Text(index.text_bytes(number()?)?),
        ValueKind::Timestamp => Seen::Time(Timestamp::new(payload, value.extra.get()).ok_or(Corrupt)?),
        ValueKind::Reference => seen_entity(index, number()?)?,
        ValueKind::List => {
            let start = number()?;
            Seen::Stored(index.records(start, start.checked_add(value.extra.get()).ok_or(Corrupt)?)?)
        }
    })
}

fn seen_entity(index: &Index, entity: u32) -> Result<Seen<'_>, Corrupt> {
    let record: &EntityRecord = index.record(entity)?;
    Ok(Seen::Entity(record.kind.get(), index.text_bytes(record.id.get())?))
}

/// How many items a list has, or characters a text.
fn size(value: Seen<'_>) -> Seen<'_> {
    let count = match value {
        // CEL counts code points.
        Seen::Text(text) => std::str::from_utf8(text).ok().map(|text| text.chars().count()),
        Seen::Stored(items) => Some(items.len()),
        Seen::Sent(items, _) => Some(items.len()),
        Seen::Unknown | Seen::Bool(_) | Seen::Int(_) | Seen::Time(_) | Seen::Entity(..) => None,
    };
    count.and_then(|count| i64::try_from(count).ok()).map_or(Seen::Unknown, Seen::Int)
}

/// Whether two values are the same.
pub(super) fn equal(index: &Index, left: Seen<'_>, right: Seen<'_>) -> Result<Truth, Corrupt> {
    match (left, right) {
        (Seen::Stored(_) | Seen::Sent(..), Seen::Stored(_) | Seen::Sent(..)) => same_items(index, left, right),
        _ => Ok(scalar_equal(left, right)),
    }
}

/// How two values stand to each other in order.
pub(super) fn order(left: Seen<'_>, right: Seen<'_>) -> Option<Ordering> {
    match (left, right) {
        (Seen::Int(a), Seen::Int(b)) => Some(a.cmp(&b)),
        (Seen::Text(a), Seen::Text(b)) => Some(a.cmp(b)),
        (Seen::Time(a), Seen::Time(b)) => Some(a.cmp(&b)),
        _ => None,
    }
}

/// Whether a list holds a value.
pub(super) fn holds(index: &Index, list: Seen<'_>, value: Seen<'_>) -> Result<Truth, Corrupt> {
    let mut found = match (list, value) {
        (Seen::Stored(_) | Seen::Sent(..), Seen::Unknown) | (_, Seen::Stored(_) | Seen::Sent(..)) => {
            return Ok(Truth::Unknown);
        }
        (Seen::Stored(_) | Seen::Sent(..), _) => Truth::False,
        _ => return Ok(Truth::Unknown),
    };
    for at in 0.. {
        let Some(item) = item(index, list, at)? else { break };
        found = found.or(equal(index, item, value)?);
        if found == Truth::True {
            break;
        }
    }
    Ok(found)
}

fn same_items(index: &Index, left: Seen<'_>, right: Seen<'_>) -> Result<Truth, Corrupt> {
    let mut same = Truth::True;
    for at in 0.. {
        same = match (item(index, left, at)?, item(index, right, at)?) {
            (None, None) => return Ok(same),
            (Some(a), Some(b)) => same.and(scalar_equal(a, b)),
            _ => return Ok(Truth::False),
        };
    }
    Ok(same)
}

/// As [`equal`], of scalars. Items of a list are never lists, so that comparing two lists does not recurse.
fn scalar_equal(left: Seen<'_>, right: Seen<'_>) -> Truth {
    match (left, right) {
        (Seen::Bool(a), Seen::Bool(b)) => Truth::known(a == b),
        (Seen::Int(a), Seen::Int(b)) => Truth::known(a == b),
        (Seen::Text(a), Seen::Text(b)) => Truth::known(a == b),
        (Seen::Time(a), Seen::Time(b)) => Truth::known(a == b),
        (Seen::Entity(a, a_id), Seen::Entity(b, b_id)) => Truth::known(a == b && a_id == b_id),
        _ => Truth::Unknown,
    }
}

fn item<'q>(index: &'q Index, list: Seen<'q>, at: usize) -> Result<Option<Seen<'q>>, Corrupt> {
    match list {
        Seen::Stored(items) => items.get(at).map(|item| stored(index, item)).transpose(),
        Seen::Sent(items, attribute) => {
            let kind = ValueKind::from_code(attribute.item_kind).ok_or(Corrupt)?;
            items.get(at).map(|item| scalar(index, attribute, kind, item)).transpose()
        }
        Seen::Unknown | Seen::Bool(_) | Seen::Int(_) | Seen::Text(_) | Seen::Time(_) | Seen::Entity(..) => Ok(None),
    }
}
