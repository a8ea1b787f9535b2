//! An answer as it is printed, whether it was decided here or by a daemon.

use serde_json::{Value as Json, json};

use crate::decide::{Consideration, Explanation};
use crate::document::Built;
use crate::model::{Timestamp, Verdict};
use crate::service::proto::v1;

use super::Exit;
use super::snapshot::identity;

/// A decision and what belongs to it.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// Whether it is an allow.
    pub(super) allowed: bool,
    /// The reason's code.
    pub(super) reason: String,
    /// What decided; empty for nothing.
    pub(super) rule_id: String,
    /// Whether a missing value decided.
    pub(super) undetermined: bool,
    /// The snapshot.
    pub(super) snapshot: Json,
    /// The moment.
    pub(super) evaluated_at: String,
}

impl Answer {
    /// From a verdict made here.
    pub(super) fn decided(built: &Built, verdict: &Verdict, time: Timestamp) -> Self {
        Self {
            allowed: verdict.is_allow(),
            reason: verdict.reason.code().to_owned(),
            rule_id: built.index.rule_id(verdict.because).unwrap_or_default(),
            undetermined: verdict.undetermined,
            snapshot: identity(built),
            evaluated_at: time.to_string(),
        }
    }

    /// From a daemon's response. Nothing but a clear allow is one.
    pub(super) fn received(response: &v1::AuthorizeResponse) -> Self {
        let snapshot = response.snapshot.clone().unwrap_or_default();
        Self {
            allowed: response.decision() == v1::Decision::Allow,
            reason: code(response.reason()),
            rule_id: response.rule_id.clone(),
            undetermined: response.undetermined,
            snapshot: json!({"sequence": snapshot.sequence, "digest": snapshot.digest}),
            evaluated_at: moment(response.evaluated_at.as_ref()),
        }
    }

    /// The exit code that tells it.
    pub(super) fn exit(&self) -> Exit {
        if self.allowed { Exit::Yes } else { Exit::No }
    }

    /// One line.
    pub(super) fn line(&self) -> String {
        let decision = if self.allowed { "ALLOW" } else { "DENY" };
        let rule = if self.rule_id.is_empty() { String::new() } else { format!(" {}", self.rule_id) };
        let undetermined = if self.undetermined { " (a missing value decided)" } else { "" };
        format!("{decision} {}{rule}{undetermined}", self.reason)
    }

    /// For machines.
    pub(super) fn json(&self) -> Json {
        json!({
            "decision": if self.allowed { "ALLOW" } else { "DENY" },
            "reason": self.reason,
            "rule_id": self.rule_id,
            "undetermined": self.undetermined,
            "snapshot": self.snapshot,
            "evaluated_at": self.evaluated_at,
        })
    }
}

/// An explanation as it is printed.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// One line.
    pub(super) summary: String,
    /// What was looked at: rule, scope, reason, in words.
    pub(super) considered: Vec<[String; 4]>,
    /// Undeclared properties.
    pub(super) ignored: Vec<String>,
}

impl Told {
    /// From an explanation made here.
    pub(super) fn decided(explanation: &Explanation) -> Self {
        let one = |told: &Consideration| {
            [told.rule_id.clone(), told.scope.clone(), told.reason.code().to_owned(), told.text.clone()]
        };
        Self {
            summary: explanation.summary.clone(),
            considered: explanation.considered.iter().map(one).collect(),
            ignored: explanation.ignored_properties.clone(),
        }
    }

    /// From a daemon's response.
    pub(super) fn received(response: &v1::ExplainResponse) -> Self {
        let one = |told: &v1::Consideration| {
            [told.rule_id.clone(), told.scope.clone(), code(told.reason()), told.text.clone()]
        };
        Self {
            summary: response.summary.clone(),
            considered: response.considered.iter().map(one).collect(),
            ignored: response.ignored_properties.clone(),
        }
    }

    /// For people.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.summary.clone()];
        // One alone is what the summary says already.
        let others = if self.considered.len() > 1 { self.considered.as_slice() } else { &[] };
        lines.extend(others.iter().map(|[_, _, reason, text]| format!("  {reason:<18} {text}")));
        lines.extend(
            self.ignored.iter().map(|field| format!("  ignored            `{field}` is not declared by the policy")),
        );
        lines
    }

    /// For machines.
    pub(super) fn json(&self, answer: &Answer) -> Json {
        let considered: Vec<Json> = self
            .considered
            .iter()
            .map(|[rule, scope, reason, text]| json!({"rule_id": rule, "scope": scope, "reason": reason, "text": text}))
            .collect();
        json!({"answer": answer.json(), "summary": self.summary, "considered": considered, "ignored_properties": self.ignored})
    }
}

/// A moment of the wire as the command line prints it; empty for none.
pub(super) fn moment(wire: Option<&prost_types::Timestamp>) -> String {
    let time = wire.and_then(|at| Timestamp::new(at.seconds, u32::try_from(at.nanos).ok()?));
    time.map_or_else(String::new, |time| time.to_string())
}

/// A reason of the wire as the command line prints it.
pub(super) fn code(reason: v1::Reason) -> String {
    reason.as_str_name().trim_start_matches("REASON_").to_owned()
}
