//! `AuthZEN` over HTTP, asked by a real HTTP client of the real daemon.

mod bodies;
mod certification;
mod interop;
mod searches;
mod transport;

use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;

use crate::support::{Daemon, LIMIT};

pub(crate) const EVALUATION: &str = "/access/v1/evaluation";
pub(crate) const EVALUATIONS: &str = "/access/v1/evaluations";

/// An HTTP client that keeps its connections.
pub(crate) struct Http {
    runtime: Runtime,
    client: Client<HttpConnector, axum::body::Body>,
    address: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body of an answer that must be one.
    pub(crate) fn json(&self) -> Json {
        assert_eq!((self.status, self.header("content-type")), (200, "application/json"), "{self:?}");
        serde_json::from_str(&self.text).unwrap()
    }

    /// What a refusal says; it must be one of this status.
    pub(crate) fn refused(&self, status: u16) -> &str {
        assert_eq!((self.status, self.header("content-type")), (status, "text/plain; charset=utf-8"), "{self:?}");
        assert!(self.text.ends_with('\n') && self.text.len() < 300, "{self:?}");
        self.text.trim_end()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

impl Http {
    /// Speaks HTTP/1.1.
    pub(crate) fn one(daemon: &Daemon) -> Self {
        Self::over(daemon, Client::builder(TokioExecutor::new()).build_http())
    }

    /// Speaks HTTP/2.
    pub(crate) fn two(daemon: &Daemon) -> Self {
        Self::over(daemon, Client::builder(TokioExecutor::new()).http2_only(true).build_http())
    }

    fn over(daemon: &Daemon, client: Client<HttpConnector, axum::body::Body>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, client, address: daemon.data.clone() }
    }

    /// Sends any request whose target is a path.
    pub(crate) fn send(&self, request: http::request::Builder, body: impl Into<axum::body::Body>) -> Answer {
        let mut request = request.body(body.into()).unwrap();
        *request.uri_mut() = format!("http://{}{}", self.address, request.uri()).parse().unwrap();
        let sending = async {
            let (head, body) = self.client.request(request).await.unwrap().into_parts();
            let bytes = axum::body::to_bytes(axum::body::Body::new(body), 64 << 20).await.unwrap();
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            Answer { status: head.status.as_u16(), headers: head.headers, text }
        };
        self.runtime.block_on(async { tokio::time::timeout(LIMIT, sending).await.expect("within the limit") })
    }

    /// Posts a body that says it is JSON.
    pub(crate) fn post(&self, path: &str, body: impl Into<axum::body::Body>) -> Answer {
        self.send(http::Request::post(path).header("content-type", "application/json"), body)
    }

    /// Asks, for an answer that must come.
    pub(crate) fn ask(&self, path: &str, body: &Json) -> Json {
        self.post(path, body.to_string()).json()
    }
}

/// May the user do this on `workspace/prod`?
pub(crate) fn question(user: &str, action: &str) -> Json {
    json!({
        "subject": {"type": "user", "id": user},
        "action": {"name": action},
        "resource": {"type": "workspace", "id": "prod"},
    })
}
