//! `/.well-known/authzen-configuration`: where callers find what. The address is the operator's word, never a request's:
//! a `Host` header is whatever its sender likes.

use std::fmt;

use axum::{
    body::Body,
    http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE},
};
use serde_json::json;
use tonic::Code;

use super::{
    Endpoint, PATHS,
    answer::{self, Fault},
};

/// Where it is found.
pub(super) const PATH: &str = "/.well-known/authzen-configuration";

/// The longest address.
const MAX_BYTES: usize = 512;

/// Where callers reach the daemon: `https://`, a host and perhaps a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

/// An address that cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be `https://` with a host and perhaps a port, as `https://pdp.example.org`, and nothing behind it")]
pub struct NotBaseUrl;

impl BaseUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// It is not of that form.
    pub fn parse(text: &str) -> Result<Self, NotBaseUrl> {
        let authority = text.strip_prefix("https://").ok_or(NotBaseUrl)?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']' | b'_');
        let parsed: http::uri::Authority = authority.parse().map_err(|_| NotBaseUrl)?;
        let has_port = authority.rsplit_once(']').map_or(authority, |(_, behind)| behind).contains(':');
        let whole = authority.bytes().all(fits) && !parsed.host().is_empty() && text.len() <= MAX_BYTES;
        if whole && has_port == parsed.port_u16().is_some() { Ok(Self(text.to_owned())) } else { Err(NotBaseUrl) }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The document, as it is sent.
#[derive(Debug)]
pub(super) struct Metadata(String);

impl Metadata {
    /// Of a daemon at an address.
    pub(super) fn of(BaseUrl(base): &BaseUrl) -> Self {
        let mut document = json!({"policy_decision_point": base});
        for (path, endpoint) in PATHS {
            let name = match endpoint {
                Endpoint::Evaluation => "access_evaluation_endpoint",
                Endpoint::Evaluations => "access_evaluations_endpoint",
                Endpoint::Subjects => "search_subject_endpoint",
                Endpoint::Resources => "search_resource_endpoint",
                Endpoint::Actions => "search_action_endpoint",
            };
            if let Some(members) = document.as_object_mut() {
                members.insert(name.to_owned(), format!("{base}{path}").into());
            }
        }
        Self(document.to_string())
    }
}

/// The response.
pub(super) fn answer(metadata: Option<&Metadata>, request: &Request<Body>) -> Response<Body> {
    let mut response = match metadata {
        _ if !matches!(*request.method(), Method::GET | Method::HEAD) => {
            Fault::wrong_method("GET").into_response(HeaderValue::from_static("GET, HEAD"))
        }
        Some(Metadata(document)) => {
            let mut response = Response::new(Body::from(document.clone()));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        None => {
            let mut response =
                Response::new(Body::from("`authzen.url` is not set: the daemon does not know its address\n"));
            *response.status_mut() = StatusCode::NOT_FOUND;
            response.extensions_mut().insert(Code::NotFound);
            response
        }
    };
    answer::finish(&mut response, request.headers());
    response
}

#[cfg(test)]
mod tests {
    use super::BaseUrl;

    #[test]
    fn an_address_is_https_and_a_host() {
        for good in
            ["https://pdp.example.org", "https://pdp.example.org:8443", "https://127.0.0.1", "https://[::1]:8443"]
        {
            assert_eq!(BaseUrl::parse(good).map(|url| url.to_string()).as_deref(), Ok(good));
        }
        let bad = [
            "",
            "https://",
            "http://pdp.example.org",
            "pdp.example.org",
            "https://pdp.example.org/",
            "https://a/b",
            "https://a?b",
            "https://a#b",
            "https://user@a",
            "https://a b",
            "https://a\r\nx: y",
            "https://é",
            "https://:1",
            "https://a:b",
        ];
        for bad in bad {
            assert!(BaseUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
