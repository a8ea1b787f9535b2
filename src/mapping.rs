//! A request of HTTP → a question: which route it takes, who asks, what is said besides. Decides nothing.
//!
//! Pure, like the engine. What a request says is taken as it came or not at all: whatever two servers could read in two
//! ways is refused, never brought into order, so that what is decided is what the server behind will do.

mod headers;
mod path;
mod question;
mod route;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;
use std::fmt;

use crate::compile::layout::{HttpHeaderRecord, HttpHeaderSort, HttpRouteRecord, HttpTold};
use crate::index::{Corrupt, Index, optional};
use crate::model::Verdict;

pub use question::HttpQuestion;

/// A request of HTTP, as something in front of a server tells of it.
#[derive(Clone, Debug)]
pub struct HttpRequest<'r> {
    /// The method.
    pub method: &'r str,
    /// The path with the query.
    pub path: &'r str,
    /// The authority.
    pub host: &'r str,
    /// Every header; those of one name one by one, unless [`HttpRequest::is_joined`].
    pub headers: Vec<(&'r str, &'r [u8])>,
    /// Whether headers of one name are joined by commas, and bytes that are no text replaced by `!`.
    pub is_joined: bool,
    /// The name that the client's certificate proves; empty for none.
    pub principal: &'r str,
    /// What the configuration of what is in front says of the route.
    pub extensions: &'r BTreeMap<String, String>,
    /// The claims of a verified token.
    pub claims: &'r dyn Claims,
}

/// Where claims are looked up.
pub trait Claims: fmt::Debug {
    /// The claim at the end of a path of keys.
    fn find(&self, path: &mut dyn Iterator<Item = &str>) -> Option<Claim<'_>>;
}

/// One claim.
#[derive(Clone, Debug, PartialEq)]
pub enum Claim<'c> {
    /// `null`: the same as absent.
    Null,
    /// A bool.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(&'c str),
    /// Several.
    List(Vec<Claim<'c>>),
    /// A mapping, which no attribute can hold.
    Other,
}

/// Why a request is no question. Each is a denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unmapped {
    /// What asks is no request of HTTP.
    #[error("the message holds no request that can be read")]
    Unreadable,
    /// No route fits.
    #[error("no route of the policy's `http` fits the request")]
    NoRoute,
    /// The path can be read in two ways.
    #[error("the path {0}")]
    Path(&'static str),
    /// So can the method.
    #[error("the method {0}")]
    Method(&'static str),
    /// So can the host.
    #[error("the host {0}")]
    Host(&'static str),
    /// So can a header.
    #[error("a header {0}")]
    Header(&'static str),
    /// Nothing says who asks.
    #[error("nothing in the request says who asks")]
    NoSubject,
    /// A part of an id is missing.
    #[error("a part of the resource's id is missing")]
    Missing,
    /// The snapshot is inconsistent in itself.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

impl Unmapped {
    /// Every code.
    pub const CODES: [&str; 9] = [
        "UNREADABLE",
        "NO_ROUTE",
        "BAD_PATH",
        "BAD_METHOD",
        "BAD_HOST",
        "BAD_HEADER",
        "NO_SUBJECT",
        "MISSING_VALUE",
        "INTERNAL",
    ];

    /// A word for it, beside the reasons of decisions.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "UNREADABLE",
            Self::NoRoute => "NO_ROUTE",
            Self::Path(_) => "BAD_PATH",
            Self::Method(_) => "BAD_METHOD",
            Self::Host(_) => "BAD_HOST",
            Self::Header(_) => "BAD_HEADER",
            Self::NoSubject => "NO_SUBJECT",
            Self::Missing => "MISSING_VALUE",
            Self::Corrupt(_) => "INTERNAL",
        }
    }
}

/// The question that a request asks.
///
/// # Errors
/// Why it asks none.
pub fn question<'i>(index: &'i Index, request: &HttpRequest<'_>) -> Result<HttpQuestion<'i>, Unmapped> {
    headers::check(index, request)?;
    let segments = path::segments(request.path).map_err(Unmapped::Path)?;
    let route = route::find(index, request, &segments)?;
    question::of(index, route, request, &segments)
}

/// How many routes there are.
pub fn routes(index: &Index) -> u32 {
    index.count::<HttpRouteRecord>()
}

/// Whether a denied client may read why, as far as the policy has it.
pub fn tells_reason(index: &Index) -> bool {
    index.http_reasons()
}

/// What becomes of the headers of a request that goes on.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct HeaderChanges<'i> {
    /// These are removed.
    pub remove: Vec<&'i str>,
    /// These are set, in the place of whatever was sent.
    pub set: Vec<(&'i str, String)>,
}

/// What becomes of the headers of a request that was allowed.
///
/// # Errors
/// The snapshot is inconsistent in itself.
pub fn header_changes<'i>(
    index: &'i Index,
    question: &HttpQuestion<'_>,
    verdict: &Verdict,
    digest: &str,
) -> Result<HeaderChanges<'i>, Corrupt> {
    let mut changes = HeaderChanges::default();
    for header in index.records::<HttpHeaderRecord>(0, index.count::<HttpHeaderRecord>())? {
        let name = index.text(header.name.get())?;
        match HttpHeaderSort::from_code(header.sort).ok_or(Corrupt)? {
            HttpHeaderSort::Read => {}
            HttpHeaderSort::Remove => changes.remove.push(name),
            HttpHeaderSort::Set => {
                let value = match HttpTold::from_code(header.told).ok_or(Corrupt)? {
                    HttpTold::Text => index.text(optional(header.text).ok_or(Corrupt)?)?.to_owned(),
                    HttpTold::Subject => question.subject.to_string(),
                    HttpTold::SubjectId => question.subject.id.clone(),
                    HttpTold::Resource => question.resource.to_string(),
                    HttpTold::Decision => if verdict.is_allow() { "ALLOW" } else { "DENY" }.to_owned(),
                    HttpTold::Rule => index.rule_id(verdict.because).unwrap_or_default(),
                    HttpTold::Snapshot => digest.to_owned(),
                };
                changes.set.push((name, value));
            }
        }
    }
    Ok(changes)
}
