//! The shape of a test beside a policy: facts added, one question, what is wanted. Nothing here asks or answers.

use super::decode::{Decode, Entries, FromText, Many, OrEmpty, Turn, Turned, documents, refuse};
use super::fact::{
    AttributesDoc, BindingDoc, BlockDoc, CredentialDoc, GroupDoc, ResourceDoc, RoleForm, SubjectDoc, attributes,
};
use super::gather::FactSections;
use super::node::{Kind, Node};
use super::sink::{Sink, quote};
use super::suggest;
use super::text::{Id, plain};
use crate::model::{Ask, Case, Decision, EntityName, Facts, Position, Query, Reason, Spanned, Timestamp, Wanted};

documents! {
    /// One test: at most one question, and what is wanted.
    CaseDoc {
        name = "name": Spanned<Id>,
        given = "given": Option<OrEmpty<GivenDoc>>,
        at = "at": Option<Timestamp>,
        ask = "ask": Option<Spanned<AskDoc>>,
        list_actions = "list_actions": Option<Spanned<ListActionsDoc>>,
        list_resources = "list_resources": Option<Spanned<ListResourcesDoc>>,
        who_can = "who_can": Option<Spanned<WhoCanDoc>>,
        expect = "expect": Spanned<ExpectDoc>,
    }

    /// Facts for one test; what has the same name as a fact of the source replaces it.
    GivenDoc {
        subjects = "subjects": Option<Entries<EntityName, OrEmpty<SubjectDoc>>>,
        groups = "groups": Option<Entries<EntityName, OrEmpty<GroupDoc>>>,
        credentials = "credentials": Option<Entries<EntityName, CredentialDoc>>,
        resources = "resources": Option<Entries<EntityName, OrEmpty<ResourceDoc>>>,
        defined_roles = "defined_roles": Option<Entries<EntityName, Entries<Id, RoleForm>>>,
        bindings = "bindings": Option<Vec<Turned<BindingDoc>>>,
        blocks = "blocks": Option<Entries<Id, BlockDoc>>,
    }

    /// May the subject do the action on the resource?
    AskDoc {
        subject = "subject": EntityName,
        action = "action": Id,
        resource = "resource": EntityName,
        parent = "parent": Option<EntityName>,
        subject_properties = "subject_properties": Option<AttributesDoc>,
        parameters = "parameters": Option<AttributesDoc>,
        properties = "properties": Option<AttributesDoc>,
        context = "context": Option<AttributesDoc>,
    }

    /// What may the subject do on the resource?
    ListActionsDoc {
        subject = "subject": EntityName,
        resource = "resource": EntityName,
        parent = "parent": Option<EntityName>,
        subject_properties = "subject_properties": Option<AttributesDoc>,
        properties = "properties": Option<AttributesDoc>,
        context = "context": Option<AttributesDoc>,
    }

    /// On which resources of the type may the subject do the action?
    ListResourcesDoc {
        subject = "subject": EntityName,
        action = "action": Id,
        kind = "type": Id,
        within = "within": Option<EntityName>,
        subject_properties = "subject_properties": Option<AttributesDoc>,
        parameters = "parameters": Option<AttributesDoc>,
        context = "context": Option<AttributesDoc>,
    }

    /// Who may do the action on the resource?
    WhoCanDoc {
        action = "action": Id,
        resource = "resource": EntityName,
        kind = "subject_type": Option<Id>,
        parent = "parent": Option<EntityName>,
        parameters = "parameters": Option<AttributesDoc>,
        properties = "properties": Option<AttributesDoc>,
        context = "context": Option<AttributesDoc>,
    }

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
pub(super) enum ExpectDoc {
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
            let help = suggest::help(text, Self::ALL.map(|reason| reason.code()));
            sink.error_with(at, format!("{} is not a reason", quote(text)), help);
        }
        found
    }
}

impl Turn for CaseDoc {
    type Noun = Case;

    fn turn(self, position: Position, sink: &mut Sink<'_>) -> Option<Case> {
        let Self { name, given, at, ask, list_actions, list_resources, who_can, expect } = self;
        let asked = [
            ask.map(|doc| Spanned::new(doc.value.into_query(), doc.at)),
            list_actions.map(|doc| Spanned::new(doc.value.into_query(), doc.at)),
            list_resources.map(|doc| Spanned::new(doc.value.into_query(), doc.at)),
            who_can.map(|doc| Spanned::new(doc.value.into_query(), doc.at)),
        ];
        let mut asked = asked.into_iter().flatten();
        let (query, second) = (asked.next(), asked.next());
        if let Some(second) = second {
            sink.error_with(second.at, "a second question in one test", "write a test of its own for it");
            return None;
        }
        let is_list = query.as_ref().is_some_and(|query| !matches!(query.value, Query::Decide(_)));
        let place = expect.at;
        let wanted = expect.value.into_wanted(place, is_list, sink)?;
        let query = match (query, &wanted) {
            (None, Wanted::Invalid(_)) => Query::Nothing,
            (Some(query), Wanted::Invalid(_)) => {
                let help = "of a snapshot that is refused nothing can be asked: leave the question out";
                sink.error_with(query.at, "a question beside `invalid`", help);
                return None;
            }
            (Some(query), _) => query.value,
            (None, _) => {
                let help = "write one of `ask`, `list_actions`, `list_resources`, `who_can`";
                sink.error_with(position, "the test asks nothing", help);
                return None;
            }
        };
        let mut facts = Facts::default();
        if let Some(given) = given {
            sink.within("given", |sink| given.0.into_sections().add_to(&mut facts, sink));
        }
        Some(Case { name: plain(name), given: facts, time: at, query, wanted })
    }
}

impl GivenDoc {
    fn into_sections(self) -> FactSections {
        FactSections {
            subjects: self.subjects,
            groups: self.groups,
            credentials: self.credentials,
            resources: self.resources,
            defined_roles: self.defined_roles,
            bindings: self.bindings.unwrap_or_default(),
            blocks: self.blocks,
        }
    }
}

impl AskDoc {
    fn into_query(self) -> Query {
        Query::Decide(Ask {
            subject: self.subject,
            subject_properties: attributes(self.subject_properties),
            action: self.action.into(),
            parameters: attributes(self.parameters),
            resource: self.resource,
            parent: self.parent,
            properties: attributes(self.properties),
            context: attributes(self.context),
        })
    }
}

impl ListActionsDoc {
    fn into_query(self) -> Query {
        Query::Actions(Ask {
            subject: self.subject,
            subject_properties: attributes(self.subject_properties),
            action: String::new(),
            parameters: Vec::new(),
            resource: self.resource,
            parent: self.parent,
            properties: attributes(self.properties),
            context: attributes(self.context),
        })
    }
}

impl ListResourcesDoc {
    fn into_query(self) -> Query {
        let ask = Ask {
            subject: self.subject,
            subject_properties: attributes(self.subject_properties),
            action: self.action.into(),
            parameters: attributes(self.parameters),
            resource: EntityName { kind: self.kind.into(), id: String::new() },
            parent: None,
            properties: Vec::new(),
            context: attributes(self.context),
        };
        Query::Resources(ask, self.within)
    }
}

impl WhoCanDoc {
    fn into_query(self) -> Query {
        Query::Subjects(Ask {
            subject: EntityName { kind: self.kind.map_or_else(String::new, Into::into), id: String::new() },
            subject_properties: Vec::new(),
            action: self.action.into(),
            parameters: attributes(self.parameters),
            resource: self.resource,
            parent: self.parent,
            properties: attributes(self.properties),
            context: attributes(self.context),
        })
    }
}

impl ExpectDoc {
    fn into_wanted(self, at: Position, is_list: bool, sink: &mut Sink<'_>) -> Option<Wanted> {
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
        let wanted = match (malformed, invalid, about_decision) {
            (Some(field), None, false) => return Some(Wanted::Malformed(field.value.into())),
            (None, Some(names), false) => {
                return Some(Wanted::Invalid(names.value.0.into_iter().map(|name| name.value.into()).collect()));
            }
            (None, None, _) => decided(decision.as_ref(), reason.as_ref(), sink)?,
            _ => {
                sink.error(at, "`malformed` and `invalid` stand alone: there is no decision then");
                return None;
            }
        };
        let Some(decision) = wanted else {
            sink.error(at, "one of `decision`, `reason`, `malformed`, `invalid` must be written");
            return None;
        };
        Some(Wanted::Decision {
            decision,
            reason: reason.map(|reason| reason.value),
            rule: rule.map(|rule| rule.value.into()),
            undetermined: undetermined.map(|flag| flag.value),
        })
    }
}

/// The decision, which a reason says as well: `None` within where neither is written, nothing after a report.
fn decided(
    decision: Option<&Spanned<Decision>>,
    reason: Option<&Spanned<Reason>>,
    sink: &mut Sink<'_>,
) -> Option<Option<Decision>> {
    let said =
        reason.map(|reason| (reason, if reason.value == Reason::Granted { Decision::Allow } else { Decision::Deny }));
    match (decision, said) {
        (Some(decision), Some((reason, other))) if decision.value != other => {
            sink.error(reason.at, format!("`{}` never comes with that decision", reason.value));
            None
        }
        (Some(decision), _) => Some(Some(decision.value)),
        (None, said) => Some(said.map(|(_, decision)| decision)),
    }
}
