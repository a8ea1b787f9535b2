//! What can stand in a message more than once, and what each of it takes once unpacked: by number, as on the wire.
//!
//! Fields that are single, or of which only bytes are kept, are left out: they take what they are.

use std::{any::TypeId, mem::size_of};

use crate::service::proto::{envoy_v3, v1};

/// The most messages within messages, of any shape; the decoder itself takes no more.
pub(super) const MOST_DEEP: usize = 100;

/// A message, as far as something repeated can stand in it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    Batch,
    Wrapped,
    Request,
    Subject,
    Action,
    Resource,
    Entry,
    Value,
    List,
    /// What Envoy asks, and what is in it.
    Check,
    Attributes,
    Told,
    Http,
    Headers,
    Metadata,
    Filter,
    Claims,
    Claim,
    ClaimValue,
    ClaimList,
    /// Nothing in it matters.
    Other,
}

impl Shape {
    /// The shape of a message; `None` for one that is not looked at.
    pub(super) fn of<U: 'static>() -> Option<Self> {
        let kind = TypeId::of::<U>();
        let wrapped = [
            TypeId::of::<v1::AuthorizeStreamRequest>(),
            TypeId::of::<v1::ExplainRequest>(),
            TypeId::of::<v1::CheckGrantRequest>(),
        ];
        if kind == TypeId::of::<v1::BatchAuthorizeRequest>() {
            Some(Self::Batch)
        } else if kind == TypeId::of::<v1::AuthorizeRequest>() {
            Some(Self::Request)
        } else if kind == TypeId::of::<envoy_v3::CheckRequest>() {
            Some(Self::Check)
        } else {
            wrapped.contains(&kind).then_some(Self::Wrapped)
        }
    }

    /// How many times its bytes such a message may unpack to.
    pub(super) fn most_times(self) -> usize {
        match self {
            // A header of ten bytes takes seven times as much; most are longer, and few have no value.
            Self::Check => 8,
            // The smallest sensible question takes fourteen.
            _ => 16,
        }
    }

    /// How deep its messages may be nested.
    pub(super) fn most_deep(self) -> usize {
        match self {
            // Claims are nested as their issuer likes.
            Self::Check => MOST_DEEP,
            // An honest question takes seven.
            _ => 12,
        }
    }

    /// The message in a field, and what it takes once unpacked beside what stands in it.
    pub(super) fn field(self, number: u64) -> (Self, usize) {
        // The tree of a map may be half empty.
        const ENTRY: usize = 2 * (size_of::<String>() + size_of::<v1::Value>());
        const TEXT: usize = 2 * 2 * size_of::<String>();
        const FILTER: usize = 2 * (size_of::<String>() + size_of::<prost_types::Struct>());
        const CLAIM: usize = 2 * (size_of::<String>() + size_of::<prost_types::Value>());
        match (self, number) {
            (Self::Batch, 1) => (Self::Request, size_of::<v1::AuthorizeRequest>()),
            (Self::Wrapped, 1) => (Self::Request, 0),
            (Self::Request, 1) => (Self::Subject, 0),
            (Self::Request, 2) => (Self::Action, 0),
            (Self::Request, 3) => (Self::Resource, 0),
            (Self::Request | Self::Resource, 4) | (Self::Subject, 3) | (Self::Action, 2) => (Self::Entry, ENTRY),
            (Self::Entry, 2) => (Self::Value, 0),
            (Self::Value, 5) => (Self::List, 0),
            (Self::List, 1) => (Self::Value, size_of::<v1::Value>()),
            (Self::Check, 1) => (Self::Attributes, 0),
            (Self::Attributes, 4) => (Self::Told, 0),
            (Self::Attributes, 11) => (Self::Metadata, 0),
            (Self::Told, 2) => (Self::Http, 0),
            (Self::Attributes, 10) | (Self::Http, 3) => (Self::Other, TEXT),
            (Self::Http, 13) => (Self::Headers, 0),
            (Self::Headers, 1) => (Self::Other, size_of::<envoy_v3::HeaderValue>()),
            (Self::Metadata, 1) => (Self::Filter, FILTER),
            (Self::Filter, 2) | (Self::ClaimValue, 5) => (Self::Claims, 0),
            (Self::Claims, 1) => (Self::Claim, CLAIM),
            (Self::Claim, 2) => (Self::ClaimValue, 0),
            (Self::ClaimValue, 6) => (Self::ClaimList, 0),
            (Self::ClaimList, 1) => (Self::ClaimValue, size_of::<prost_types::Value>()),
            _ => (Self::Other, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::super::check;
    use crate::service::proto::envoy_v3::{
        self, AttributeContext, CheckRequest, HeaderMap, HeaderValue, attribute_context,
    };

    fn told(http: attribute_context::HttpRequest, claims: Vec<prost_types::Value>) -> CheckRequest {
        let list = prost_types::value::Kind::ListValue(prost_types::ListValue { values: claims });
        let mut inner = prost_types::Struct::default();
        inner.fields.insert("roles".into(), prost_types::Value { kind: Some(list) });
        // As deep as a token of Keycloak's, and then some.
        for name in ["a", "b", "realm_access", "payload"] {
            let nested = prost_types::value::Kind::StructValue(std::mem::take(&mut inner));
            inner.fields.insert(name.into(), prost_types::Value { kind: Some(nested) });
        }
        let metadata = envoy_v3::Metadata { filter_metadata: [("jwt".to_owned(), inner)].into() };
        let request = attribute_context::Request { http: Some(http), ..Default::default() };
        let context_extensions = (0..100).map(|n| (format!("key-{n}"), "value".to_owned())).collect();
        let (request, metadata_context) = (Some(request), Some(metadata));
        let attributes = AttributeContext { request, metadata_context, context_extensions, ..Default::default() };
        CheckRequest { attributes: Some(attributes) }
    }

    #[test]
    fn what_envoy_tells_is_held_to_its_size() {
        let header = |n: i32| HeaderValue { key: format!("x-{n}"), value: String::new(), raw_value: b"v".to_vec() };
        let text = |n: i32| prost_types::Value { kind: Some(prost_types::value::Kind::StringValue(n.to_string())) };
        let raw = |headers| Some(HeaderMap { headers });
        let claims = || (0..1024).map(text).collect();
        let path = format!("/{}", "x".repeat(60_000));
        let http = attribute_context::HttpRequest {
            path,
            header_map: raw((0..512).map(header).collect()),
            ..Default::default()
        };
        assert_eq!(check::<CheckRequest>(&told(http, claims()).encode_to_vec()), Ok(()));
        let headers = (0..512).map(|n| (format!("x-{n}"), "v".to_owned())).collect();
        let http = attribute_context::HttpRequest { headers, ..Default::default() };
        assert_eq!(check::<CheckRequest>(&told(http, claims()).encode_to_vec()), Ok(()));

        let header_map = raw(vec![HeaderValue::default(); 100_000]);
        let http = attribute_context::HttpRequest { header_map, ..Default::default() };
        let empty = vec![prost_types::Value::default(); 100_000];
        let names = (0..60_000).map(|n: u32| (char::from_u32(0x10000 + n).unwrap_or('x').to_string(), String::new()));
        let headers = attribute_context::HttpRequest { headers: names.clone().collect(), ..Default::default() };
        let mut extended = told(attribute_context::HttpRequest::default(), Vec::new());
        extended.attributes.as_mut().unwrap().context_extensions = names.collect();
        let bombs = [
            told(http, Vec::new()),
            told(attribute_context::HttpRequest::default(), empty),
            told(headers, Vec::new()),
            extended,
        ];
        for (number, bomb) in bombs.iter().enumerate() {
            let refused = check::<CheckRequest>(&bomb.encode_to_vec());
            assert!(refused.is_err_and(|problem| problem.contains("far more")), "{number}: {refused:?}");
        }
    }
}
