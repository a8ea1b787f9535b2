//! One decision as it waits to be written: numbers of what the snapshot holds, and of everything else the text, cut.
//!
//! The numbers mean something in one snapshot only, so the record holds on to it. Of fixed size, made without allocating.

use std::{
    fmt::{self, Write},
    sync::Arc,
};

use super::{
    Entry, Origin, json,
    property::{Owner, PropertyName},
};
use crate::{
    index::Index,
    model::{Entity, Properties, Request, Timestamp, Verdict},
    snapshot::Snapshot,
};

/// The most bytes of one text that the snapshot does not hold.
const TEXT_BYTES: usize = 255;
/// The bytes for all texts and values of one decision.
const ALL_BYTES: usize = 768;
/// The most properties that are written of one decision.
const MOST_PROPERTIES: usize = 8;

/// A text in the record.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Text {
    start: u16,
    length: u16,
    /// Whether it goes on.
    pub(super) cut: bool,
}

/// A subject or a resource.
#[derive(Debug, Clone, Copy)]
pub(super) enum Who {
    /// The snapshot holds it.
    Held(u32),
    /// It does not.
    Said { kind: Text, id: Text },
}

/// An action.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// The resource's type has it.
    Held(u32),
    /// It does not.
    Said(Text),
}

/// A property that may be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    /// Its place in the list of those that may.
    pub(super) name: u16,
    /// Its value, as JSON.
    pub(super) value: Text,
}

/// One decision.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) verdict: Verdict,
    pub(super) time: Timestamp,
    pub(super) origin: Origin,
    pub(super) subject: Who,
    pub(super) action: What,
    pub(super) resource: Who,
    pub(super) request_id: Text,
    properties: [Option<Sent>; MOST_PROPERTIES],
    /// How many properties were sent and stand not among them.
    pub(super) withheld: usize,
    texts: Texts,
}

impl Record {
    /// Takes down a decision. Of its properties it takes those on the list.
    pub(super) fn new(entry: &Entry<'_>, allowed: &[PropertyName]) -> Self {
        let Entry { snapshot, request, verdict, time, request_id, origin } = *entry;
        let index = &snapshot.index;
        let mut texts = Texts { bytes: [0; ALL_BYTES], used: 0 };
        let subject = texts.who(index, kind(index, request.subject), request.subject);
        let of = kind(index, request.resource);
        let resource = texts.who(index, of, request.resource);
        let action = match of.and_then(|kind| index.permission_named(kind, request.action).ok().flatten()) {
            Some(number) => What::Held(number),
            None => What::Said(texts.put(request.action)),
        };
        let request_id = texts.put(request_id);
        let (properties, withheld) = texts.properties(request, allowed);
        Self {
            snapshot: Arc::clone(snapshot),
            verdict,
            time,
            origin,
            subject,
            action,
            resource,
            request_id,
            properties,
            withheld,
            texts,
        }
    }

    /// A text of it.
    pub(super) fn text(&self, text: Text) -> &str {
        let start = usize::from(text.start);
        let bytes = self.texts.bytes.get(start..start + usize::from(text.length));
        bytes.and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// The properties that were taken down.
    pub(super) fn properties(&self) -> impl Iterator<Item = &Sent> {
        self.properties.iter().flatten()
    }
}

/// The type of an entity, if there is such a type. A damaged snapshot knows none: then the text is taken.
fn kind(index: &Index, entity: Entity<'_>) -> Option<u16> {
    index.type_named(entity.kind).ok().flatten().map(|(number, _)| number)
}

#[derive(Debug)]
struct Texts {
    bytes: [u8; ALL_BYTES],
    used: usize,
}

impl Texts {
    fn who(&mut self, index: &Index, kind: Option<u16>, entity: Entity<'_>) -> Who {
        match kind.and_then(|kind| index.entity_named(kind, entity.id).ok().flatten()) {
            Some(number) => Who::Held(number),
            None => Who::Said { kind: self.put(entity.kind), id: self.put(entity.id) },
        }
    }

    /// Takes a text, or as much of it as there is room for.
    fn put(&mut self, text: &str) -> Text {
        let room = TEXT_BYTES.min(ALL_BYTES - self.used);
        let length = (0..=text.len().min(room)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let kept = text.get(..length).unwrap_or_default();
        let start = self.used;
        // It fits: that is how long it was made.
        let put = self.write_str(kept);
        Text { cut: kept.len() < text.len() || put.is_err(), ..self.since(start) }
    }

    fn since(&self, start: usize) -> Text {
        let narrow = |number: usize| u16::try_from(number).unwrap_or(0);
        Text { start: narrow(start), length: narrow(self.used.saturating_sub(start)), cut: false }
    }

    /// Takes the values that may be written and fit whole; how many it did not take.
    fn properties(
        &mut self,
        request: &Request<'_>,
        allowed: &[PropertyName],
    ) -> ([Option<Sent>; MOST_PROPERTIES], usize) {
        let owners: [(Owner, Properties<'_>); 4] = [
            (Owner::Subject, request.subject_properties),
            (Owner::Action, request.action_properties),
            (Owner::Resource, request.resource_properties),
            (Owner::Context, request.context),
        ];
        let mut taken = [None; MOST_PROPERTIES];
        let mut free = taken.iter_mut();
        let mut withheld = owners.iter().map(|(_, sent)| sent.len()).sum();
        if allowed.is_empty() {
            return (taken, withheld);
        }
        for (whose, sent) in owners {
            for (name, value) in sent {
                let is_it = |allowed: &PropertyName| allowed.owner == whose && allowed.name == *name;
                let place = allowed.iter().position(is_it).and_then(|place| u16::try_from(place).ok());
                let Some(place) = place else { continue };
                let start = self.used;
                if json::value(self, value).is_err() {
                    self.used = start;
                    continue;
                }
                let Some(slot) = free.next() else { continue };
                *slot = Some(Sent { name: place, value: self.since(start) });
                withheld -= 1;
            }
        }
        (taken, withheld)
    }
}

impl Write for Texts {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.used + text.len();
        self.bytes.get_mut(self.used..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.used = end;
        Ok(())
    }
}
