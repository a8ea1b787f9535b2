//! What a test wants: a decision with as much of the why as is written, a list, or a refusal.

use crate::document::decode::{Decode, Entries, FromText, Many, documents, refuse};
use crate::document::node::{Kind, Node};
use crate::document::sink::{Sink, quote};
use crate::document::suggest;
use crate::document::text::{Id, Name};
use crate::model::{Decision, Position, Query, Reason, Spanned, Wanted};

documents! {
    /// What is wanted, in full: of a decision, what is left out may be anything.
    ExpectDetailDoc {
        decision = "decision": Option<Spanned<Decision>>,
        reason = "reason": Option<Spanned<Reason>>,
        rule = "rule": Option<Spanned<Id>>,
        undetermined = "undetermined": Option<Spanned<bool>>,
        malformed = "malformed": Option<Spanned<Id>>,
        invalid = "invalid": Option<Spanned<Many<Spanned<Id>, 1>>>,
        levels = "levels": Option<Spanned<Entries<Id, Spanned<Name>>>>,
    }
}

/// What is wanted.
#[derive(Debug)]
pub(in crate::document) enum ExpectDoc {
    Word(Decision),
    Names(Vec<Spanned<Id>>),
    Count(u64),
    Detail(Box<ExpectDetailDoc>),
}

impl Decode for ExpectDoc {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        match node.kind {
            Kind::String(_) => Decision::decode(node, sink).map(Self::Word),
            Kind::List(_) => Vec::decode(node, sink).map(Self::Names),
            Kind::Map(_) => ExpectDetailDoc::decode(node, sink).map(|detail| Self::Detail(Box::new(detail))),
            Kind::Int(_) => u64::decode(node, sink).map(Self::Count),
            Kind::Null | Kind::Bool(_) | Kind::Refused => {
                refuse(node, "`allow`, `deny`, a list of names, a number or a mapping", sink)
            }
        }
    }
}

impl FromText for Decision {
    const WANTED: &'static str = "`allow` or `deny`";

    fn from_text(text: &str, at: Position, sink: &mut Sink<'_>) -> Option<Self> {
        match text {
            "allow" => Some(Self::Allow),
            "deny" => Some(Self::Deny),
            _ => {
                let help = suggest::help(text, ["allow", "deny"]);
                sink.error_with(at, format!("{} is not a decision", quote(text)), help);
                None
            }
        }
    }
}

impl FromText for Reason {
    const WANTED: &'static str = "a reason, like `NO_GRANT`";

    fn from_text(text: &str, at: Position, sink: &mut Sink<'_>) -> Option<Self> {
        let found = Self::ALL.into_iter().find(|reason| reason.code() == text);
        if found.is_none() {
            let help = suggest::help(text, Self::ALL.map(Self::code));
            sink.error_with(at, format!("{} is not a reason", quote(text)), help);
        }
        found
    }
}

impl ExpectDoc {
    /// What it wants of a question.
    pub(super) fn into_wanted(self, at: Position, query: Option<&Query>, sink: &mut Sink<'_>) -> Option<Wanted> {
        let wanted = match self {
            Self::Word(decision) => Wanted::Decision { decision, reason: None, rule: None, undetermined: None },
            Self::Names(names) => Wanted::Names(names.into_iter().map(|name| name.value.into()).collect()),
            Self::Count(number) => Wanted::Count(number),
            Self::Detail(detail) => detail.into_wanted(at, sink)?,
        };
        let (fits, wants) = match query {
            None => (true, ""),
            Some(Query::Nothing | Query::Decide(_) | Query::Http(_)) => {
                (matches!(wanted, Wanted::Decision { .. }), "a decision is wanted: `allow`, `deny` or a mapping")
            }
            Some(Query::Actions(_) | Query::Resources(..) | Query::Subjects(_)) => {
                (matches!(wanted, Wanted::Names(_)), "a list is wanted: `[...]`")
            }
            Some(Query::Levels { .. }) => (matches!(wanted, Wanted::Levels(_)), "levels are wanted: `{levels: {...}}`"),
            Some(Query::Seats { .. }) => (matches!(wanted, Wanted::Count(_)), "a number is wanted"),
        };
        if !fits && !matches!(wanted, Wanted::Malformed(_) | Wanted::Invalid(_)) {
            sink.error(at, wants);
            return None;
        }
        Some(wanted)
    }
}

impl ExpectDetailDoc {
    fn into_wanted(self, at: Position, sink: &mut Sink<'_>) -> Option<Wanted> {
        let Self { decision, reason, rule, undetermined, malformed, invalid, levels } = self;
        let about_decision = decision.is_some() || reason.is_some() || rule.is_some() || undetermined.is_some();
        let decision = match (malformed, invalid, levels, about_decision) {
            (Some(field), None, None, false) => return Some(Wanted::Malformed(field.value.into())),
            (None, Some(names), None, false) => {
                return Some(Wanted::Invalid(names.value.0.into_iter().map(|name| name.value.into()).collect()));
            }
            (None, None, Some(levels), false) => {
                let pair = |(governor, level): (Spanned<Id>, Spanned<Name>)| (governor.value.into(), level.value.0);
                return Some(Wanted::Levels(levels.value.0.into_iter().map(pair).collect()));
            }
            (None, None, None, _) => decided(decision.as_ref(), reason.as_ref(), at, sink)?,
            _ => {
                sink.error(at, "`malformed`, `invalid` and `levels` each stand alone");
                return None;
            }
        };
        Some(Wanted::Decision {
            decision,
            reason: reason.map(|reason| reason.value),
            rule: rule.map(|rule| rule.value.into()),
            undetermined: undetermined.map(|flag| flag.value),
        })
    }
}

/// The decision, which a reason says as well.
fn decided(
    decision: Option<&Spanned<Decision>>,
    reason: Option<&Spanned<Reason>>,
    at: Position,
    sink: &mut Sink<'_>,
) -> Option<Decision> {
    let said = reason.map(|reason| {
        let decision = if reason.value == Reason::Granted { Decision::Allow } else { Decision::Deny };
        (reason, decision)
    });
    match (decision, said) {
        (Some(decision), Some((reason, other))) if decision.value != other => {
            sink.error(reason.at, format!("`{}` never comes with that decision", reason.value));
            None
        }
        (Some(decision), _) => Some(decision.value),
        (None, Some((_, decision))) => Some(decision),
        (None, None) => {
            sink.error(at, "one of `decision`, `reason`, `malformed`, `invalid`, `levels` must be written");
            None
        }
    }
}
