//! The shape of a test beside a policy: facts added, one question, what is wanted. Nothing here asks or answers.

mod expect;

use super::decode::{Entries, Many, OrEmpty, Turn, Turned, documents};
use super::fact::{
    AttributesDoc, BindingDoc, BlockDoc, CredentialDoc, GroupDoc, ResourceDoc, RoleForm, SubjectDoc, attributes,
};
use super::gather::FactSections;
use super::sink::Sink;
use super::text::{Id, plain};
use crate::model::{Ask, Case, EntityName, Facts, HttpAsk, Literal, Position, Query, Spanned, Timestamp, Wanted};

#[cfg(test)]
pub(super) use expect::ExpectDetailDoc;
pub(super) use expect::ExpectDoc;

documents! {
    /// One test: at most one question, and what is wanted.
    CaseDoc {
        name = "name": Spanned<Id>,
        given = "given": Option<OrEmpty<GivenDoc>>,
        at = "at": Option<Timestamp>,
        ask = "ask": Option<Spanned<AskDoc>>,
        http = "http": Option<Spanned<HttpAskDoc>>,
        list_actions = "list_actions": Option<Spanned<ListActionsDoc>>,
        list_resources = "list_resources": Option<Spanned<ListResourcesDoc>>,
        who_can = "who_can": Option<Spanned<WhoCanDoc>>,
        levels = "levels": Option<Spanned<LevelsAtDoc>>,
        seats = "seats": Option<Spanned<SeatsAtDoc>>,
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

    /// What does the policy make of a request of HTTP?
    HttpAskDoc {
        request = "request": Spanned<Id>,
        host = "host": Option<Spanned<Id>>,
        headers = "headers": Option<Entries<Id, Many<Spanned<Id>>>>,
        claims = "claims": Option<Entries<Id, Spanned<Literal>>>,
        principal = "principal": Option<Spanned<Id>>,
        extensions = "extensions": Option<Entries<Id, Spanned<Id>>>,
    }

    /// What may the subject do on the resource?
    ListActionsDoc {
        subject = "subject": EntityName,
        resource = "resource": EntityName,
        parent = "parent": Option<EntityName>,
        subject_properties = "subject_properties": Option<AttributesDoc>,
        parameters = "parameters": Option<AttributesDoc>,
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

    /// Which levels does the subject reach at the scope?
    LevelsAtDoc {
        subject = "subject": EntityName,
        at = "at": EntityName,
    }

    /// How many seats of the class are taken at the scope?
    SeatsAtDoc {
        class = "class": Id,
        at = "at": EntityName,
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
}

impl Turn for CaseDoc {
    type Noun = Case;

    fn turn(self, position: Position, sink: &mut Sink<'_>) -> Option<Case> {
        let Self { name, given, at, ask, http, list_actions, list_resources, who_can, levels, seats, expect } = self;
        let asked = [
            ask.map(|doc| Spanned::new(doc.value.into_query(), doc.at)),
            http.and_then(|doc| Some(Spanned::new(doc.value.into_query(sink)?, doc.at))),
            list_actions.map(|doc| Spanned::new(doc.value.into_query(), doc.at)),
            list_resources.map(|doc| Spanned::new(doc.value.into_query(), doc.at)),
            who_can.map(|doc| Spanned::new(doc.value.into_query(), doc.at)),
            levels.map(|doc| Spanned::new(doc.value.into_query(), doc.at)),
            seats.map(|doc| Spanned::new(doc.value.into_query(), doc.at)),
        ];
        let mut asked = asked.into_iter().flatten();
        let (query, second) = (asked.next(), asked.next());
        if let Some(second) = second {
            sink.error_with(second.at, "a second question in one test", "write a test of its own for it");
            return None;
        }
        let place = expect.at;
        let wanted = expect.value.into_wanted(place, query.as_ref().map(|query| &query.value), sink)?;
        let query = match (query, &wanted) {
            (None, Wanted::Invalid(_)) => Query::Nothing,
            (Some(query), Wanted::Invalid(_)) => {
                let help = "of a snapshot that is refused nothing can be asked: leave the question out";
                sink.error_with(query.at, "a question beside `invalid`", help);
                return None;
            }
            (Some(query), _) => query.value,
            (None, _) => {
                let help = "write one of `ask`, `http`, `list_actions`, `list_resources`, `who_can`, `levels`, `seats`";
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
    /// The question.
    pub(super) fn into_ask(self) -> Ask {
        Ask {
            subject: self.subject,
            subject_properties: attributes(self.subject_properties),
            action: self.action.into(),
            parameters: attributes(self.parameters),
            resource: self.resource,
            parent: self.parent,
            properties: attributes(self.properties),
            context: attributes(self.context),
        }
    }

    fn into_query(self) -> Query {
        Query::Decide(self.into_ask())
    }
}

impl HttpAskDoc {
    fn into_query(self, sink: &mut Sink<'_>) -> Option<Query> {
        let text = |text: Option<Spanned<Id>>| text.map_or_else(String::new, |text| text.value.into());
        let Some((method, path)) = self.request.value.0.split_once(' ') else {
            sink.error_with(self.request.at, "the request has no path", "write it like `GET /ws/prod`");
            return None;
        };
        let headers = Entries::or_none(self.headers).into_iter();
        let headers = headers.flat_map(|(name, values)| {
            let name: String = name.value.into();
            values.0.into_iter().map(move |value| (name.clone(), value.value.into()))
        });
        let extensions = Entries::or_none(self.extensions).into_iter();
        let claims = Entries::or_none(self.claims).into_iter();
        Some(Query::Http(HttpAsk {
            method: method.to_owned(),
            path: path.to_owned(),
            host: text(self.host),
            headers: headers.collect(),
            claims: claims.map(|(name, value)| (plain(name), value)).collect(),
            principal: text(self.principal),
            extensions: extensions.map(|(name, value)| (name.value.into(), value.value.into())).collect(),
        }))
    }
}

impl ListActionsDoc {
    fn into_query(self) -> Query {
        Query::Actions(Ask {
            subject: self.subject,
            subject_properties: attributes(self.subject_properties),
            action: String::new(),
            parameters: attributes(self.parameters),
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

impl LevelsAtDoc {
    fn into_query(self) -> Query {
        Query::Levels { subject: self.subject, at: self.at }
    }
}

impl SeatsAtDoc {
    fn into_query(self) -> Query {
        Query::Seats { class: self.class.into(), at: self.at }
    }
}
