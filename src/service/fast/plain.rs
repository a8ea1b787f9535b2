//! An `AuthorizeRequest` read in place: no copy, and no allocation where there are no properties.
//!
//! Not a second decoder. Whatever is out of the ordinary (a field given twice, one that is not ours, a list, a demand on
//! the snapshot, anything malformed) is left to the generated one, which alone says what is wrong. What is read here is
//! read exactly as there: `tests` and a fuzz target hold the two against each other.

mod batch;

use std::str;

use crate::{
    model::{Entity, Properties, Request, Timestamp, Value},
    service::convert::MAX_PROPERTIES,
};

pub use batch::PlainBatch;

/// A property and its value.
type Property<'b> = (&'b str, Value<'b>);

/// A question that borrows from the bytes of its message.
#[derive(Debug, PartialEq)]
pub struct PlainQuestion<'b> {
    subject: Holder<'b>,
    action: Named<'b>,
    resource: Holder<'b>,
    parent: Option<Entity<'b>>,
    context: Vec<Property<'b>>,
    /// Returned unchanged.
    pub request_id: &'b str,
}

/// A subject or a resource.
#[derive(Debug, PartialEq)]
struct Holder<'b> {
    entity: Entity<'b>,
    properties: Vec<Property<'b>>,
}

/// An action.
#[derive(Debug, PartialEq)]
struct Named<'b> {
    name: &'b str,
    properties: Vec<Property<'b>>,
}

impl<'b> PlainQuestion<'b> {
    /// Reads a message; `None` leaves it to the generated decoder.
    pub fn read(message: &'b [u8]) -> Option<Self> {
        let (mut subject, mut action, mut resource, mut request_id) = (None, None, None, None);
        let (mut parent, mut context) = (None, Vec::new());
        fields(message, |number, field| match (number, field) {
            (1, Field::Bytes(bytes)) => once(&mut subject, holder(bytes, None)?),
            (2, Field::Bytes(bytes)) => once(&mut action, named(bytes)?),
            (3, Field::Bytes(bytes)) => once(&mut resource, holder(bytes, Some(&mut parent))?),
            (4, Field::Bytes(bytes)) => property(&mut context, bytes),
            (6, Field::Bytes(bytes)) => once(&mut request_id, text(bytes)?),
            _ => None,
        })?;
        Some(Self {
            subject: subject?,
            action: action?,
            resource: resource?,
            parent,
            context: in_order(context)?,
            request_id: request_id.unwrap_or_default(),
        })
    }

    /// The question as the engine takes it; it may still be malformed.
    pub fn request(&self) -> Request<'_> {
        fn slice<'a>(properties: &'a [Property<'_>]) -> Properties<'a> {
            properties
        }
        Request {
            subject: self.subject.entity,
            subject_properties: slice(&self.subject.properties),
            action: self.action.name,
            action_properties: slice(&self.action.properties),
            resource: self.resource.entity,
            parent: self.parent,
            resource_properties: slice(&self.resource.properties),
            context: slice(&self.context),
        }
    }
}

/// A `Subject` or, with the place of its parent, a `Resource`: the properties follow.
fn holder<'b>(message: &'b [u8], mut parent: Option<&mut Option<Entity<'b>>>) -> Option<Holder<'b>> {
    let (mut kind, mut id) = (None, None);
    let mut properties = Vec::new();
    fields(message, |number, field| match (number, field, &mut parent) {
        (1, Field::Bytes(bytes), _) => once(&mut kind, text(bytes)?),
        (2, Field::Bytes(bytes), _) => once(&mut id, text(bytes)?),
        (3, Field::Bytes(bytes), Some(parent)) => once(parent, entity(bytes)?),
        (3, Field::Bytes(bytes), None) | (4, Field::Bytes(bytes), Some(_)) => property(&mut properties, bytes),
        _ => None,
    })?;
    let entity = Entity { kind: kind.unwrap_or_default(), id: id.unwrap_or_default() };
    Some(Holder { entity, properties: in_order(properties)? })
}

fn named(message: &[u8]) -> Option<Named<'_>> {
    let mut name = None;
    let mut properties = Vec::new();
    fields(message, |number, field| match (number, field) {
        (1, Field::Bytes(bytes)) => once(&mut name, text(bytes)?),
        (2, Field::Bytes(bytes)) => property(&mut properties, bytes),
        _ => None,
    })?;
    Some(Named { name: name.unwrap_or_default(), properties: in_order(properties)? })
}

fn entity(message: &[u8]) -> Option<Entity<'_>> {
    let (mut kind, mut id) = (None, None);
    fields(message, |number, field| match (number, field) {
        (1, Field::Bytes(bytes)) => once(&mut kind, text(bytes)?),
        (2, Field::Bytes(bytes)) => once(&mut id, text(bytes)?),
        _ => None,
    })?;
    Some(Entity { kind: kind.unwrap_or_default(), id: id.unwrap_or_default() })
}

/// One entry of a map.
fn property<'b>(properties: &mut Vec<Property<'b>>, message: &'b [u8]) -> Option<()> {
    // What is too much for the other decoder is too much here.
    if properties.len() == MAX_PROPERTIES {
        return None;
    }
    let (mut name, mut held) = (None, None);
    fields(message, |number, field| match (number, field) {
        (1, Field::Bytes(bytes)) => once(&mut name, text(bytes)?),
        (2, Field::Bytes(bytes)) => once(&mut held, value(bytes)?),
        _ => None,
    })?;
    properties.push((name.unwrap_or_default(), held.unwrap_or(Value::Null)));
    Some(())
}

fn value(message: &[u8]) -> Option<Value<'_>> {
    let mut held = None;
    fields(message, |number, field| match (number, field) {
        (1, Field::Bytes(bytes)) => once(&mut held, Value::String(text(bytes)?)),
        // Two's complement, as the wire has it.
        (2, Field::Varint(number)) => once(&mut held, Value::Int(number.cast_signed())),
        (3, Field::Varint(number)) => once(&mut held, Value::Bool(number != 0)),
        (4, Field::Bytes(bytes)) => once(&mut held, Value::Timestamp(timestamp(bytes)?)),
        (6, Field::Bytes(bytes)) => once(&mut held, Value::Entity(entity(bytes)?)),
        _ => None,
    })?;
    Some(held.unwrap_or(Value::Null))
}

fn timestamp(message: &[u8]) -> Option<Timestamp> {
    let (mut seconds, mut nanos) = (None, None);
    fields(message, |number, field| match (number, field) {
        (1, Field::Varint(number)) => once(&mut seconds, number.cast_signed()),
        // What is negative or too large for 32 bits is malformed at best.
        (2, Field::Varint(number)) => once(&mut nanos, u32::try_from(number).ok()?),
        _ => None,
    })?;
    Timestamp::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
}

/// The order in which the generated map would have them; `None` where one is given twice.
#[inline]
fn in_order(mut properties: Vec<Property<'_>>) -> Option<Vec<Property<'_>>> {
    if properties.len() < 2 {
        return Some(properties);
    }
    properties.sort_unstable_by_key(|(name, _)| *name);
    let twice = properties.windows(2).any(|pair| matches!(pair, [(one, _), (other, _)] if one == other));
    (!twice).then_some(properties)
}

fn once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

fn text(bytes: &[u8]) -> Option<&str> {
    str::from_utf8(bytes).ok()
}

/// One field of a message, in the wire types that our messages use.
enum Field<'b> {
    Varint(u64),
    Bytes(&'b [u8]),
}

/// Calls for every field in turn; `None` as soon as it does not want one, or the bytes are no such fields.
fn fields<'b>(mut bytes: &'b [u8], mut each: impl FnMut(u32, Field<'b>) -> Option<()>) -> Option<()> {
    while !bytes.is_empty() {
        let key = u32::try_from(varint(&mut bytes)?).ok()?;
        let field = match key & 7 {
            0 => Field::Varint(varint(&mut bytes)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (field, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                Field::Bytes(field)
            }
            _ => return None,
        };
        each(key >> 3, field)?;
    }
    Some(())
}

/// The longest varint: 64 bits in groups of seven.
const VARINT_BYTES: u32 = 10;

/// Nearly all of them are one byte.
#[inline]
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    if let [byte @ ..0x80, rest @ ..] = *bytes {
        *bytes = rest;
        return Some(u64::from(*byte));
    }
    long_varint(bytes)
}

fn long_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for group in 0..VARINT_BYTES {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let low = u64::from(byte & 0x7f);
        // Of the tenth group one bit is left.
        if group == VARINT_BYTES - 1 && byte > 1 {
            return None;
        }
        value |= low << (7 * group);
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests;
