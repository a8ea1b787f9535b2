//! Values: what an author wrote, given the type that the schema says.

use std::collections::HashMap;

use crate::model::{EntityName, Literal, Spanned, Timestamp};

use super::entities::Entities;
use super::findings::Findings;
use super::intern::{Strings, number};
use super::layout::{NONE, SUBJECT_TYPES, ValueKind, ValueRecord};
use super::schema::{Kind, Schema, TypeSort};

/// The largest number of items in a list: a condition may look at each of them.
const MOST_ITEMS: usize = 256;

/// The values that conditions, defaults and lists refer to by number.
#[derive(Debug, Default)]
pub(super) struct Literals {
    /// All of them.
    pub(super) records: Vec<ValueRecord>,
    known: HashMap<ValueRecord, u32>,
    lists: HashMap<Vec<ValueRecord>, usize>,
}

impl Literals {
    /// The number of a value.
    pub(super) fn intern(&mut self, value: ValueRecord) -> u32 {
        if let Some(known) = self.known.get(&value) {
            return *known;
        }
        let number = number(self.records.len());
        self.records.push(value);
        self.known.insert(value, number);
        number
    }

    /// A list of values, whose items stand one behind another.
    pub(super) fn list(&mut self, items: &[ValueRecord]) -> ValueRecord {
        let first = *self.lists.entry(items.to_vec()).or_insert_with(|| {
            self.records.extend_from_slice(items);
            self.records.len() - items.len()
        });
        value(ValueKind::List, number(items.len()), signed(first))
    }

    /// The default of every attribute and context key, by attribute number.
    pub(super) fn defaults(
        &mut self,
        schema: &Schema<'_>,
        entities: &Entities<'_>,
        strings: &mut Strings,
        findings: &mut Findings,
    ) -> Vec<u32> {
        let mut defaults = Vec::with_capacity(schema.attributes.len());
        for info in &schema.attributes {
            let typed = info.declared.default.as_ref().and_then(|literal| {
                let reading = Reading { schema, entities, strings, literals: self };
                let value = reading.typed(literal, &info.kind);
                value
                    .map_err(|problem| {
                        let name = &info.declared.name.value;
                        findings.error(literal.at, format!("the default of `{name}` {problem}"));
                    })
                    .ok()
                    .flatten()
            });
            defaults.push(typed.map_or(NONE, |value| self.intern(value)));
        }
        defaults
    }
}

/// Everything that is needed to give a value its type.
pub(super) struct Reading<'a, 'p> {
    /// The vocabulary.
    pub(super) schema: &'a Schema<'p>,
    /// What references refer to.
    pub(super) entities: &'a Entities<'p>,
    /// Texts.
    pub(super) strings: &'a mut Strings,
    /// Lists.
    pub(super) literals: &'a mut Literals,
}

impl Reading<'_, '_> {
    /// The value of a type; `None` for null, which is the same as absent.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence that begins with what it is the value of.
    pub(super) fn typed(mut self, literal: &Spanned<Literal>, kind: &Kind<'_>) -> Result<Option<ValueRecord>, String> {
        if literal.value == Literal::Null {
            return Ok(None);
        }
        self.present(literal, kind).map(Some)
    }

    fn present(&mut self, literal: &Spanned<Literal>, kind: &Kind<'_>) -> Result<ValueRecord, String> {
        match (kind, &literal.value) {
            (Kind::Bool, Literal::Bool(flag)) => Ok(value(ValueKind::Bool, 0, i64::from(*flag))),
            (Kind::Int, Literal::Int(int)) => Ok(value(ValueKind::Int, 0, *int)),
            (Kind::String, Literal::String(text)) => self.text(ValueKind::String, text),
            (Kind::Enum(values), Literal::String(text)) if values.iter().any(|known| known.value == *text) => {
                self.text(ValueKind::Enum, text)
            }
            (Kind::Enum(values), Literal::String(text)) => {
                Err(format!("is `{text}`, which is not one of {}", names(values)))
            }
            (Kind::Governor, Literal::String(text)) if self.schema.governor(text).is_some() => {
                self.text(ValueKind::Governor, text)
            }
            (Kind::Governor, Literal::String(text)) => Err(format!("is `{text}`, which is no governor")),
            (Kind::Timestamp, Literal::String(text)) => match Timestamp::parse(text) {
                Some(time) => Ok(value(ValueKind::Timestamp, time.nanos(), time.seconds())),
                None => Err(format!("is `{text}`, which is no RFC 3339 time such as 2026-01-31T09:00:00Z")),
            },
            (Kind::Reference(target), Literal::String(text)) => self.reference(*target, text),
            (Kind::List(item), Literal::List(items)) => self.list(items, item),
            (wanted, Literal::Null) => Err(format!("is null where {} is wanted", describe(self.schema, wanted))),
            (wanted, other) => {
                let shown = match other {
                    Literal::String(text) => format!(" \"{}\"", text.escape_debug()),
                    _ => String::new(),
                };
                Err(format!("is {}{shown}, not {}", other.kind(), describe(self.schema, wanted)))
            }
        }
    }

    fn text(&mut self, kind: ValueKind, text: &str) -> Result<ValueRecord, String> {
        if u16::try_from(text.len()).is_err() {
            return Err("is longer than 65,535 bytes".to_owned());
        }
        Ok(value(kind, 0, i64::from(self.strings.intern(text))))
    }

    fn reference(&mut self, target: u16, text: &str) -> Result<ValueRecord, String> {
        let wanted = describe(self.schema, &Kind::Reference(target));
        let Some(name) = EntityName::parse(text) else {
            return Err(format!("is `{text}`, not {wanted} written as `type/id`"));
        };
        let fits = self.schema.type_number(&name.kind).is_some_and(|kind| refers_to(self.schema, target, kind));
        if !fits {
            return Err(format!("is `{text}`, not {wanted}"));
        }
        match self.entities.number(self.schema, &name) {
            Some(entity) => Ok(value(ValueKind::Reference, 0, i64::from(entity))),
            None => Err(format!("is `{text}`, which this snapshot does not hold")),
        }
    }

    fn list(&mut self, items: &[Spanned<Literal>], kind: &Kind<'_>) -> Result<ValueRecord, String> {
        if items.len() > MOST_ITEMS {
            return Err(format!("has {} items; {MOST_ITEMS} is the most", items.len()));
        }
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            values.push(self.present(item, kind).map_err(|problem| format!("has an item that {problem}"))?);
        }
        Ok(self.literals.list(&values))
    }
}

/// Whether a reference to `target` may name an entity of type `kind`.
pub(super) fn refers_to(schema: &Schema<'_>, target: u16, kind: u16) -> bool {
    if target == SUBJECT_TYPES {
        schema.type_info(kind).is_some_and(|info| info.sort == TypeSort::Subject)
    } else {
        target == kind
    }
}

/// A value's type in words.
pub(super) fn describe(schema: &Schema<'_>, kind: &Kind<'_>) -> String {
    match kind {
        Kind::Bool => "a bool (true or false)".to_owned(),
        Kind::Int => "an int".to_owned(),
        Kind::String => "a string".to_owned(),
        Kind::Enum(values) => format!("one of {}", names(values)),
        Kind::Timestamp => "a timestamp".to_owned(),
        Kind::Governor => "the path of a governor".to_owned(),
        Kind::Reference(SUBJECT_TYPES) => "a subject".to_owned(),
        Kind::Reference(target) => format!("a `{}`", schema.type_name(*target)),
        Kind::List(item) => format!("a list, each item {}", describe(schema, item)),
    }
}

fn names(values: &[Spanned<String>]) -> String {
    let quoted: Vec<String> = values.iter().map(|known| format!("`{}`", known.value)).collect();
    quoted.join(", ")
}

/// A value of a kind.
pub(super) fn value(kind: ValueKind, extra: u32, payload: i64) -> ValueRecord {
    ValueRecord { kind: kind as u8, reserved: [0; 3], extra: extra.into(), payload: payload.into() }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
