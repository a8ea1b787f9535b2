//! Texts and claims → values of the declared types. What does not fit is sent as what it is: wrongly typed, so unknown,
//! and never the default.

use crate::compile::layout::{HttpValueRecord, ValueKind};
use crate::index::{Corrupt, Index, optional};
use crate::model::{Entity, Timestamp, Value};

use super::Claim;

/// The most items of a list.
const MOST_ITEMS: usize = 1024;
/// The largest whole number of which no other is stored in its place.
const LARGEST: f64 = 9_007_199_254_740_991.0;

/// A value, owned.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said<'i> {
    Bool(bool),
    Int(i64),
    Text(String),
    Moment(Timestamp),
    Entity(&'i str, String),
    List(Vec<Said<'i>>),
}

impl Said<'_> {
    /// What a list holds.
    pub(super) fn items(&self) -> Vec<Value<'_>> {
        if let Self::List(items) = self { items.iter().map(|item| item.value(&[])).collect() } else { Vec::new() }
    }

    /// As a request carries it; `items` are [its own](Said::items).
    pub(super) fn value<'v>(&'v self, items: &'v [Value<'v>]) -> Value<'v> {
        match self {
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Int(number) => Value::Int(*number),
            Self::Text(text) => Value::String(text),
            Self::Moment(moment) => Value::Timestamp(*moment),
            Self::Entity(kind, id) => Value::Entity(Entity { kind, id }),
            Self::List(_) => Value::List(items),
        }
    }
}

/// How a value is declared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Declared<'i> {
    kind: ValueKind,
    item: ValueKind,
    reference: Option<&'i str>,
}

impl<'i> Declared<'i> {
    pub(super) fn of(index: &'i Index, record: &HttpValueRecord) -> Result<Self, Corrupt> {
        let reference = optional(record.reference).map(|kind| index.text(kind)).transpose()?;
        let kind = ValueKind::from_code(record.kind).ok_or(Corrupt)?;
        Ok(Self { kind, item: ValueKind::from_code(record.item_kind).ok_or(Corrupt)?, reference })
    }

    /// A text as a value.
    pub(super) fn of_text(self, text: &str) -> Said<'i> {
        let read = match self.kind {
            ValueKind::Bool => match text {
                "true" => Some(Said::Bool(true)),
                "false" => Some(Said::Bool(false)),
                _ => None,
            },
            ValueKind::Int => text.parse().ok().filter(|number: &i64| number.to_string() == text).map(Said::Int),
            ValueKind::Timestamp => Timestamp::parse(text).map(Said::Moment),
            // An empty id would make the whole question malformed.
            ValueKind::Reference if !text.is_empty() => self.reference.map(|kind| Said::Entity(kind, text.to_owned())),
            _ => None,
        };
        read.unwrap_or_else(|| Said::Text(text.to_owned()))
    }

    /// A claim as a value; `None` where it says nothing.
    pub(super) fn of_claim(self, claim: &Claim<'_>) -> Option<Said<'i>> {
        Some(match (self.kind, claim) {
            (_, Claim::Null) => return None,
            (ValueKind::List, Claim::List(items)) if items.len() <= MOST_ITEMS => {
                let item = Self { kind: self.item, item: ValueKind::Absent, reference: self.reference };
                let items = items.iter().map(|one| item.of_scalar(one).unwrap_or_else(|| item.wrong()));
                Said::List(items.collect())
            }
            _ => self.of_scalar(claim).unwrap_or_else(|| self.wrong()),
        })
    }

    fn of_scalar(self, claim: &Claim<'_>) -> Option<Said<'i>> {
        match (self.kind, claim) {
            (ValueKind::List, _) | (_, Claim::Null | Claim::List(_) | Claim::Other) => None,
            (_, Claim::Bool(flag)) => Some(Said::Bool(*flag)),
            // A token's text is no bool and no number, whatever it looks like.
            (ValueKind::Bool | ValueKind::Int, Claim::Text(text)) => Some(Said::Text((*text).to_owned())),
            (_, Claim::Text(text)) => Some(self.of_text(text)),
            (ValueKind::Timestamp, Claim::Number(number)) => Timestamp::new(whole(*number)?, 0).map(Said::Moment),
            (_, Claim::Number(number)) => whole(*number).map(Said::Int),
        }
    }

    /// A value that is of no such type.
    fn wrong(self) -> Said<'i> {
        if self.kind == ValueKind::Bool { Said::Int(0) } else { Said::Bool(false) }
    }
}

/// A whole number that is exactly what was written.
fn whole(number: f64) -> Option<i64> {
    if number.is_finite() && number.fract() == 0.0 && number.abs() <= LARGEST {
        // The text of such a number is its digits.
        format!("{number:.0}").parse().ok()
    } else {
        None
    }
}
