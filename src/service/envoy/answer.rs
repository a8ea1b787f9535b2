//! A decision → what Envoy does with the request.

use prost_types::{Struct, Value, value::Kind};
use tonic::Code;

use crate::{
    index::Corrupt,
    mapping::{self, HeaderChanges, HttpQuestion},
    model::Verdict,
    service::{
        caller::Reasons,
        pdp::Refusal,
        proto::envoy_v3::{
            CheckResponse, DeniedHttpResponse, HeaderValue, HeaderValueOption, HttpStatus, OkHttpResponse, Status,
            check_response::HttpResponse,
        },
    },
    snapshot::Snapshot,
};

const FORBIDDEN: i32 = 403;

/// A denial without a decision: the request asks nothing, or nothing that may be asked.
pub(super) fn refused(code: &str, reasons: Reasons) -> CheckResponse {
    let mut metadata = vec![("decision", text("DENY"))];
    if reasons.show_code() {
        metadata.push(("reason", text(code)));
    }
    denied("denied\n".to_owned(), metadata)
}

/// A decision, as far as this caller is shown it.
pub(super) fn decided(
    snapshot: &Snapshot,
    question: &HttpQuestion<'_>,
    verdict: &Verdict,
    reasons: Reasons,
) -> Result<CheckResponse, Refusal> {
    let metadata = metadata(snapshot, verdict, reasons);
    if !verdict.is_allow() {
        let tells = reasons.show_code() && mapping::tells_reason(&snapshot.index);
        let body = if tells { format!("denied: {}\n", verdict.reason) } else { "denied\n".to_owned() };
        return Ok(denied(body, metadata));
    }
    let changes = mapping::header_changes(&snapshot.index, question, verdict, &snapshot.digest)?;
    Ok(CheckResponse {
        status: Some(status(Code::Ok, "")),
        http_response: Some(HttpResponse::OkResponse(allowed(changes)?)),
        dynamic_metadata: Some(structure(metadata)),
    })
}

fn allowed(changes: HeaderChanges<'_>) -> Result<OkHttpResponse, Corrupt> {
    let HeaderChanges { remove, set } = changes;
    let option = |(name, value): (&str, String)| {
        // What could end a header and begin another is no part of an id that was ever loaded.
        if value.chars().any(char::is_control) {
            return Err(Corrupt);
        }
        let header = HeaderValue { key: name.to_owned(), value, raw_value: Vec::new() };
        Ok(HeaderValueOption { header: Some(header), append: Some(false) })
    };
    Ok(OkHttpResponse {
        headers: set.into_iter().map(option).collect::<Result<_, _>>()?,
        headers_to_remove: remove.into_iter().map(str::to_owned).collect(),
    })
}

fn denied(body: String, metadata: Vec<(&str, Value)>) -> CheckResponse {
    let response = DeniedHttpResponse { status: Some(HttpStatus { code: FORBIDDEN }), headers: Vec::new(), body };
    CheckResponse {
        status: Some(status(Code::PermissionDenied, "denied")),
        http_response: Some(HttpResponse::DeniedResponse(response)),
        dynamic_metadata: Some(structure(metadata)),
    }
}

fn status(code: Code, message: &str) -> Status {
    Status { code: code.into(), message: message.to_owned() }
}

/// What the access log and other filters may read.
fn metadata(snapshot: &Snapshot, verdict: &Verdict, reasons: Reasons) -> Vec<(&'static str, Value)> {
    let decision = if verdict.is_allow() { "ALLOW" } else { "DENY" };
    let mut all = vec![("decision", text(decision)), ("snapshot", text(&snapshot.digest))];
    // As text: a number of JSON is not exact.
    all.push(("sequence", text(&snapshot.sequence.to_string())));
    if reasons.show_code() {
        all.push(("reason", text(verdict.reason.code())));
        all.push(("undetermined", Value { kind: Some(Kind::BoolValue(verdict.undetermined)) }));
    }
    if reasons.show_rules()
        && let Some(rule) = snapshot.index.rule_id(verdict.because)
    {
        all.push(("rule", text(&rule)));
    }
    all
}

fn text(text: &str) -> Value {
    Value { kind: Some(Kind::StringValue(text.to_owned())) }
}

fn structure(fields: Vec<(&str, Value)>) -> Struct {
    Struct { fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() }
}
