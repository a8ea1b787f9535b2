//! What a test wants: a decision with as much of the why as is written, a list, or a refusal.

use crate::document::decode::{Decode, FromText, Many, documents, refuse};
use crate::document::node::{Kind, Node};
use crate::document::sink::{Sink, quote};
use crate::document::suggest;
use crate::document::text::Id;
use crate::model::{Decision, Position, Reason, Spanned, Wanted};

documents! {
    /// What is wanted, in full: of a decision, what is left out may be anything.
    ExpectDetailDoc {
        decision = "decision": Option<Spanned<Decision>>,
        reason = "reason": Option<Spanned<Reason>>,
        rule = "rule": Option<Spanned<Id>>,
        undetermined = "undetermined": Option<Spanned<bool>>,
        malformed = "malformed": Option<Spanned<Id>>,
        invalid = "invalid": Option<Spanned<Many<Spanned<Id>, 1>>>,
    }
}

/// What is wanted.
#[derive(Debug)]
pub(in crate::document) enum ExpectDoc {
    Word(Decision),
    Names(Vec<Spanned<Id>>),
    Detail(Box<ExpectDetailDoc>),
}

impl Decode for ExpectDoc {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        match node.kind {
            Kind::String(_) => Decision::decode(node, sink).map(Self::Word),
            Kind::List(_) => Vec::decode(node, sink).map(Self::Names),
            Kind::Map(_) => ExpectDetailDoc::decode(node, sink).map(|detail| Self::Detail(Box::new(detail))),
            Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Refused => {
                refuse(node, "`allow`, `deny`, a list of names or a mapping", sink)
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
    /// What it wants of a question that is a list or a decision.
    pub(super) fn into_wanted(self, at: Position, is_list: bool, sink: &mut Sink<'_>) -> Option<Wanted> {
        let wanted = match self {
            Self::Word(decision) => Wanted::Decision { decision, reason: None, rule: None, undetermined: None },
            Self::Names(names) => Wanted::Names(names.into_iter().map(|name| name.value.into()).collect()),
            Self::Detail(detail) => detail.into_wanted(at, sink)?,
        };
        match (&wanted, is_list) {
            (Wanted::Decision { .. }, true) => {
                sink.error_with(at, "a list is wanted, not a decision", "write `[...]`, or ask with `ask`");
                None
            }
            (Wanted::Names(_), false) => {
                sink.error_with(at, "a decision is wanted, not a list", "write `allow` or `deny`, or ask for a list");
                None
            }
            _ => Some(wanted),
        }
    }
}

impl ExpectDetailDoc {
    fn into_wanted(self, at: Position, sink: &mut Sink<'_>) -> Option<Wanted> {
        let Self { decision, reason, rule, undetermined, malformed, invalid } = self;
        let about_decision = decision.is_some() || reason.is_some() || rule.is_some() || undetermined.is_some();
        let decision = match (malformed, invalid, about_decision) {
            (Some(field), None, false) => return Some(Wanted::Malformed(field.value.into())),
            (None, Some(names), false) => {
                return Some(Wanted::Invalid(names.value.0.into_iter().map(|name| name.value.into()).collect()));
            }
            (None, None, _) => decided(decision.as_ref(), reason.as_ref(), at, sink)?,
            _ => {
                sink.error(at, "`malformed` and `invalid` stand alone: there is no decision then");
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
            sink.error(at, "one of `decision`, `reason`, `malformed`, `invalid` must be written");
            None
        }
    }
}
