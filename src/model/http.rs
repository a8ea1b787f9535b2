//! How a request of HTTP becomes a question, as its author wrote it: patterns and templates are still text.

use super::{Attributes, Spanned};

/// Everything that the `http` sections of a source say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpMapping {
    /// Who asks, where a route does not say it: templates, of which the first that is there counts.
    pub subject: Vec<Spanned<String>>,
    /// Under which key the verified token's claims stand.
    pub claims: Option<Spanned<String>>,
    /// What is said of every subject.
    pub subject_properties: Attributes,
    /// What is said of every situation.
    pub context: Attributes,
    /// Headers that the server behind must not see.
    pub remove_headers: Vec<Spanned<String>>,
    /// Headers that the server behind is told something by.
    pub set_headers: Attributes,
    /// Whether a denied client may read why.
    pub tell_reason: bool,
    /// Which request asks what.
    pub routes: Vec<HttpRoute>,
}

/// A pattern and the question that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRoute {
    /// Methods, host and path: `GET|HEAD api.example.org/ws/{workspace}`.
    pub pattern: Spanned<String>,
    /// What for.
    pub action: Spanned<String>,
    /// On what: a template.
    pub on: Spanned<String>,
    /// Where the resource would stand: a template.
    pub parent: Option<Spanned<String>>,
    /// Who asks, where that differs.
    pub subject: Vec<Spanned<String>>,
    /// What is said of the subject.
    pub subject_properties: Attributes,
    /// What the action's parameters name.
    pub parameters: Attributes,
    /// What is said of the resource.
    pub properties: Attributes,
    /// What is said of the situation.
    pub context: Attributes,
}
