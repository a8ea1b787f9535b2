//! The shape of the section `http`: which request asks what.

use super::decode::{Entries, FromText, Many, documents};
use super::fact::{AttributesDoc, attributes};
use super::gather::once;
use super::sink::Sink;
use super::text::{Id, Name, plain, plain_all};
use crate::model::{HttpMapping, HttpRoute, Literal, Position, Spanned};

documents! {
    /// How a request of HTTP becomes a question.
    HttpDoc {
        /// Who asks: `user/{claim.sub}`, `user/{header.x-user}` or `service/{principal}`; of several the first that is
        /// there.
        subject = "subject": Option<Spanned<Many<Spanned<Id>, 1>>>,
        /// Under which key Envoy's `jwt_authn` leaves the claims (`payload_in_metadata`); `payload` where nothing is said.
        claims = "claims": Option<Spanned<Id>>,
        subject_properties = "subject_properties": Option<AttributesDoc>,
        context = "context": Option<AttributesDoc>,
        /// Headers that the server behind must not see.
        remove_headers = "remove_headers": Option<Many<Spanned<Id>>>,
        /// Headers for the server behind: a text, or one of `{subject}`, `{subject.id}`, `{resource}`, `{decision}`,
        /// `{rule}` and `{snapshot}`.
        set_headers = "set_headers": Option<Entries<HeaderName, Spanned<Literal>>>,
        /// Whether a denied client may read the reason's code, if the caller rule lets Envoy see it.
        tell_reason = "tell_reason": Option<Spanned<bool>>,
        /// By methods, host and path: `GET|HEAD api.example.org/ws/{workspace}`.
        routes = "routes": Option<Entries<Pattern, HttpRouteDoc>>,
    }

    /// The question that a request asks.
    HttpRouteDoc {
        action = "action": Spanned<Name>,
        on = "on": Spanned<Id>,
        parent = "parent": Option<Spanned<Id>>,
        subject = "subject": Option<Many<Spanned<Id>, 1>>,
        subject_properties = "subject_properties": Option<AttributesDoc>,
        parameters = "parameters": Option<AttributesDoc>,
        properties = "properties": Option<AttributesDoc>,
        context = "context": Option<AttributesDoc>,
    }
}

/// A pattern of requests; what it means is looked at when it is compiled.
#[derive(Debug)]
pub(super) struct Pattern(pub(super) String);

/// A header's name.
#[derive(Debug)]
pub(super) struct HeaderName(pub(super) String);

impl FromText for Pattern {
    const WANTED: &'static str = "methods and a path";

    fn from_text(text: &str, at: Position, sink: &mut Sink<'_>) -> Option<Self> {
        Id::from_text(text, at, sink).map(|id| Self(id.0))
    }
}

impl FromText for HeaderName {
    const WANTED: &'static str = "a header's name";

    fn from_text(text: &str, at: Position, sink: &mut Sink<'_>) -> Option<Self> {
        Id::from_text(text, at, sink).map(|id| Self(id.0))
    }
}

/// What is written once in all files.
#[derive(Debug, Default)]
pub(super) struct Once {
    subject: Option<Spanned<Vec<Spanned<String>>>>,
    claims: Option<Spanned<String>>,
    tell_reason: Option<Spanned<bool>>,
}

impl HttpDoc {
    /// Adds one file's section to what the others say.
    pub(super) fn add_to(self, mapping: &mut HttpMapping, said: &mut Once, sink: &mut Sink<'_>) {
        if let Some(subject) = self.subject {
            let templates = Spanned::new(plain_all(subject.value.0), subject.at);
            once("http.subject", &mut said.subject, templates, sink);
        }
        if let Some(claims) = self.claims {
            once("http.claims", &mut said.claims, plain(claims), sink);
        }
        if let Some(tell) = self.tell_reason {
            once("http.tell_reason", &mut said.tell_reason, tell, sink);
        }
        mapping.subject_properties.extend(attributes(self.subject_properties));
        mapping.context.extend(attributes(self.context));
        mapping.remove_headers.extend(plain_all(Many::or_none(self.remove_headers)));
        let set = Entries::or_none(self.set_headers).into_iter();
        mapping.set_headers.extend(set.map(|(name, value)| (Spanned::new(name.value.0, name.at), value)));
        let routes = Entries::or_none(self.routes).into_iter();
        mapping.routes.extend(routes.map(|(pattern, doc)| doc.into_route(Spanned::new(pattern.value.0, pattern.at))));
    }
}

impl Once {
    /// The last word.
    pub(super) fn finish(self, mapping: &mut HttpMapping) {
        mapping.subject = self.subject.map_or_else(Vec::new, |subject| subject.value);
        mapping.claims = self.claims;
        mapping.tell_reason = self.tell_reason.is_some_and(|tell| tell.value);
    }
}

impl HttpRouteDoc {
    fn into_route(self, pattern: Spanned<String>) -> HttpRoute {
        HttpRoute {
            pattern,
            action: plain(self.action),
            on: plain(self.on),
            parent: self.parent.map(plain),
            subject: plain_all(Many::or_none(self.subject)),
            subject_properties: attributes(self.subject_properties),
            parameters: attributes(self.parameters),
            properties: attributes(self.properties),
            context: attributes(self.context),
        }
    }
}
