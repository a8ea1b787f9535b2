//! Envoy's message → a request of HTTP as the mapping takes it: borrows, and judges nothing but whether it is one.

use prost_types::{Struct, Value, value::Kind};

use crate::{
    mapping::{Claim, Claims, HttpRequest},
    model::MAX_ID_BYTES,
    service::proto::envoy_v3::{AttributeContext, CheckRequest, HeaderValue, attribute_context},
};

/// Under which name Envoy's filter for tokens leaves what it has verified.
const JWT: &str = "envoy.filters.http.jwt_authn";

/// A request, as far as it was told.
pub(super) struct Told<'m> {
    http: &'m attribute_context::HttpRequest,
    attributes: &'m AttributeContext,
    claims: Verified<'m>,
}

/// The claims of a verified token.
#[derive(Debug)]
struct Verified<'m>(Option<&'m Struct>);

/// The request in a message and the id that it is logged under; `None` where it holds none.
pub(super) fn read(check: &CheckRequest) -> Option<(Told<'_>, &str)> {
    let attributes = check.attributes.as_ref()?;
    let http = attributes.request.as_ref()?.http.as_ref()?;
    if !http.fragment.is_empty() {
        return None;
    }
    let found = attributes.metadata_context.as_ref().and_then(|metadata| metadata.filter_metadata.get(JWT));
    let told = Told { http, attributes, claims: Verified(found) };
    // Envoy's own id is a number of its own.
    let sent = http.headers.get("x-request-id").map(String::as_str);
    let id = sent.or_else(|| {
        let headers = &http.header_map.as_ref()?.headers;
        std::str::from_utf8(value(headers.iter().find(|header| header.key == "x-request-id")?)).ok()
    });
    let fits = |id: &&str| !id.is_empty() && id.len() <= MAX_ID_BYTES && !id.chars().any(char::is_control);
    Some((told, id.filter(fits).unwrap_or(&http.id)))
}

impl Told<'_> {
    /// As the mapping takes it.
    pub(super) fn as_mapped(&self) -> HttpRequest<'_> {
        let Self { http, attributes, claims } = self;
        let raw = http.header_map.as_ref().filter(|map| !map.headers.is_empty());
        let joined = http.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let headers = match raw {
            // Whoever says a header in two places says it twice.
            Some(map) => map.headers.iter().flat_map(values).chain(joined).collect(),
            None => joined.collect(),
        };
        HttpRequest {
            method: &http.method,
            path: &http.path,
            host: &http.host,
            headers,
            is_joined: raw.is_none() || !http.headers.is_empty(),
            principal: attributes.source.as_ref().map_or("", |peer| &peer.principal),
            extensions: &attributes.context_extensions,
            claims,
        }
    }
}

/// A header by each of the values that it says.
fn values(header: &HeaderValue) -> impl Iterator<Item = (&str, &[u8])> {
    let also = Some(header.value.as_bytes()).filter(|value| !value.is_empty() && !header.raw_value.is_empty());
    std::iter::once(value(header)).chain(also).map(|value| (header.key.as_str(), value))
}

fn value(header: &HeaderValue) -> &[u8] {
    if header.raw_value.is_empty() { header.value.as_bytes() } else { &header.raw_value }
}

impl Claims for Verified<'_> {
    fn find(&self, path: &mut dyn Iterator<Item = &str>) -> Option<Claim<'_>> {
        let mut fields = &self.0?.fields;
        let mut name = path.next()?;
        loop {
            let found = fields.get(name)?.kind.as_ref()?;
            name = match (path.next(), found) {
                (None, found) => return Some(claim(found)),
                (Some(next), Kind::StructValue(inner)) => {
                    fields = &inner.fields;
                    next
                }
                (Some(_), _) => return None,
            };
        }
    }
}

/// A value; of a list, its scalars.
fn claim(kind: &Kind) -> Claim<'_> {
    match kind {
        Kind::ListValue(list) => Claim::List(list.values.iter().map(item).collect()),
        scalar => of_scalar(scalar),
    }
}

fn item(value: &Value) -> Claim<'_> {
    value.kind.as_ref().map_or(Claim::Other, of_scalar)
}

fn of_scalar(kind: &Kind) -> Claim<'_> {
    match kind {
        Kind::NullValue(_) => Claim::Null,
        Kind::BoolValue(flag) => Claim::Bool(*flag),
        Kind::NumberValue(number) => Claim::Number(*number),
        Kind::StringValue(text) => Claim::Text(text),
        Kind::StructValue(_) | Kind::ListValue(_) => Claim::Other,
    }
}
