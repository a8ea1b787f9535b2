//! An `AuthorizeRequest` read in place: no copy, and no allocation where there are no properties.
//!
//! Not a second decoder. Whatever is out of the ordinary (a field given twice, one that is not ours, a list, a demand on
//! the snapshot, anything malformed) is left to the generated one, which alone says what is wrong. What is read here is
//! read exactly as there: `tests` and a fuzz target hold the two against each other.

mod batch;

use std::str;

use crate::{
    model::{Entity, Request, Timestamp, Value},
    service::convert::MAX_PROPERTIES,
};

pub use batch::PlainBatch;

/// A property and its value.
type Property<'b> = (&'b str, Value<'b>);

/// A question that borrows from the bytes of its message. Small: a batch holds many.
#[derive(Debug, PartialEq)]
pub struct PlainQuestion<'b> {
    subject: Entity<'b>,
    action: &'b str,
    resource: Entity<'b>,
    parent: Option<Entity<'b>>,
    /// Most questions send no properties.
    sent: Option<Box<Sent<'b>>>,
    /// Returned unchanged.
    pub request_id: &'b str,
}

/// The properties of a question, in their order.
#[derive(Debug, Default, PartialEq)]
struct Sent<'b> {
    subject: Vec<Property<'b>>,
    action: Vec<Property<'b>>,
    resource: Vec<Property<'b>>,
    context: Vec<Property<'b>>,
}

static NOTHING: Sent<'static> =
    Sent { subject: Vec::new(), action: Vec::new(), resource: Vec::new(), context: Vec::new() };

impl Sent<'_> {
    fn sort(&mut self) -> Option<()> {
        let Self { subject, action, resource, context } = self;
        [subject, action, resource, context].into_iter().try_for_each(sort)
    }
}

impl<'b> PlainQuestion<'b> {
    /// Reads a message; `None` leaves it to the generated decoder.
    pub fn read(message: &'b [u8]) -> Option<Self> {
        let (mut subject, mut action, mut resource, mut request_id) = (None, None, None, None);
        let (mut parent, mut sent) = (None, None::<Box<Sent<'b>>>);
        fields(message, |number, field| match (number, field) {
            (1, Field::Bytes(bytes)) => {
                let property = |bytes| property(&mut sent.get_or_insert_default().subject, bytes);
                once(&mut subject, holder(bytes, None, property)?)
            }
            (2, Field::Bytes(bytes)) => {
                let property = |bytes| property(&mut sent.get_or_insert_default().action, bytes);
                once(&mut action, named(bytes, property)?)
            }
            (3, Field::Bytes(bytes)) => {
                let property = |bytes| property(&mut sent.get_or_insert_default().resource, bytes);
                once(&mut resource, holder(bytes, Some(&mut parent), property)?)
            }
            (4, Field::Bytes(bytes)) => property(&mut sent.get_or_insert_default().context, bytes),
            (6, Field::Bytes(bytes)) => once(&mut request_id, text(bytes)?),
            _ => None,
        })?;
        if let Some(sent) = &mut sent {
            sent.sort()?;
        }
        Some(Self {
            subject: subject?,
            action: action?,
            resource: resource?,
            parent,
            sent,
            request_id: request_id.unwrap_or_default(),
        })
    }

    /// The question as the engine takes it; it may still be malformed.
    pub fn request(&self) -> Request<'_> {
        let sent = self.sent.as_deref().unwrap_or(&NOTHING);
        Request {
            subject: self.subject,
            subject_properties: &sent.subject,
            action: self.action,
            action_properties: &sent.action,
            resource: self.resource,
            parent: self.parent,
            resource_properties: &sent.resource,
            context: &sent.context,
        }
    }
}

/// A `Subject` or, with the place of its parent, a `Resource`: the properties follow.
fn holder<'b>(
    message: &'b [u8],
    mut parent: Option<&mut Option<Entity<'b>>>,
    mut property: impl FnMut(&'b [u8]) -> Option<()>,
) -> Option<Entity<'b>> {
    let (mut kind, mut id) = (None, None);
    fields(message, |number, field| match (number, field, &mut parent) {
        (1, Field::Bytes(bytes), _) => once(&mut kind, text(bytes)?),
        (2, Field::Bytes(bytes), _) => once(&mut id, text(bytes)?),
        (3, Field::Bytes(bytes), Some(parent)) => once(parent, entity(bytes)?),
        (3, Field::Bytes(bytes), None) | (4, Field::Bytes(bytes), Some(_)) => property(bytes),
        _ => None,
    })?;
    Some(Entity { kind: kind.unwrap_or_default(), id: id.unwrap_or_default() })
}

/// An `Action`.
fn named<'b>(message: &'b [u8], mut property: impl FnMut(&'b [u8]) -> Option<()>) -> Option<&'b str> {
    let mut name = None;
    fields(message, |number, field| match (number, field) {
        (1, Field::Bytes(bytes)) => once(&mut name, text(bytes)?),
        (2, Field::Bytes(bytes)) => property(bytes),
        _ => None,
    })?;
    Some(name.unwrap_or_default())
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

/// Into the order in which the generated map would have them; `None` where one is given twice.
fn sort(properties: &mut Vec<Property<'_>>) -> Option<()> {
    properties.sort_unstable_by_key(|(name, _)| *name);
    let twice = properties.windows(2).any(|pair| matches!(pair, [(one, _), (other, _)] if one == other));
    (!twice).then_some(())
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
