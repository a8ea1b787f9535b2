//! From the messages of gRPC to what `AuthZEN` sends: answers as JSON, refusals as a status with one line of text.

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderValue, Response, StatusCode,
        header::{ALLOW, CONNECTION, CONTENT_TYPE, DATE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
};
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::{Map, Value as Json, json};
use tonic::Code;

use super::REQUEST_ID;
use crate::{
    model::{Malformed, Timestamp},
    service::{
        pdp::Refusal,
        proto::v1::{self, batch_authorize_result::Outcome},
    },
};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct Fault {
    status: StatusCode,
    /// The same as gRPC says it: for the metrics.
    code: Code,
    message: String,
}

impl Fault {
    /// The request is no question.
    pub(super) fn malformed(field: &str, problem: &str) -> Self {
        Malformed::new(field, problem).into()
    }

    /// The request is larger than it may be.
    pub(super) fn too_large(key: &str, most: usize) -> Self {
        let message = format!("body: must not be larger than {most} bytes (`{key}`)");
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, code: Code::ResourceExhausted, message }
    }

    /// The request has not come in time.
    pub(super) fn slow() -> Self {
        let message = "the body has not come in time (`limits.handshake`)".to_owned();
        Self { status: StatusCode::REQUEST_TIMEOUT, code: Code::DeadlineExceeded, message }
    }

    /// The request broke off, or there was no room for it.
    pub(super) fn broken(status: &tonic::Status) -> Self {
        let is_full = status.code() == Code::ResourceExhausted;
        let http = if is_full { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::BAD_REQUEST };
        let message = if is_full { status.message().to_owned() } else { "body: broke off".to_owned() };
        Self { status: http, code: if is_full { status.code() } else { Code::Cancelled }, message }
    }

    /// The request ends where only its sender knows.
    pub(super) fn unknown_coding() -> Self {
        let message = "transfer-encoding: must be `chunked` and nothing else".to_owned();
        Self { status: StatusCode::NOT_IMPLEMENTED, code: Code::Unimplemented, message }
    }

    /// The request uses another method.
    pub(super) fn wrong_method(allowed: &str) -> Self {
        let message = format!("only {allowed} is answered here");
        Self { status: StatusCode::METHOD_NOT_ALLOWED, code: Code::Unimplemented, message }
    }

    /// A web page asks.
    pub(super) fn browser() -> Self {
        let message = "`origin`: web pages are not answered; ask from the service behind them".to_owned();
        Self { status: StatusCode::FORBIDDEN, code: Code::PermissionDenied, message }
    }

    /// The fault as a response; `allowed` names the method that a 405 allows.
    pub(super) fn into_response(self, allowed: HeaderValue) -> Response<Body> {
        let Self { status, code, mut message } = self;
        message.push('\n');
        let mut response = Response::new(Body::from(message));
        *response.status_mut() = status;
        response.extensions_mut().insert(code);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, TEXT);
        let more = match status {
            StatusCode::METHOD_NOT_ALLOWED => Some((ALLOW, allowed)),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Some((RETRY_AFTER, HeaderValue::from_static("1")))
            }
            // What proves who asks is the connection: there is nothing to send.
            StatusCode::UNAUTHORIZED => Some((WWW_AUTHENTICATE, HeaderValue::from_static("ClientCertificate"))),
            _ => None,
        };
        headers.extend(more);
        response
    }

    /// Whether the connection is of no further use: the rest of the request may still come, or be taken for another.
    pub(super) fn ends_connection(&self) -> bool {
        let ends = [StatusCode::REQUEST_TIMEOUT, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::NOT_IMPLEMENTED];
        ends.contains(&self.status)
    }
}

/// Tells an HTTP/1.1 client that its connection ends with this response.
pub(super) fn close(response: &mut Response<Body>) {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
}

impl From<Malformed> for Fault {
    fn from(malformed: Malformed) -> Self {
        Refusal::from(malformed).into()
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let refusal = match refusal {
            Refusal::Malformed(Malformed { field, problem }) => {
                Refusal::Malformed(Malformed { field: as_sent(field), problem })
            }
            other => other,
        };
        let message = refusal.to_string();
        let status = match &refusal {
            Refusal::Malformed(_) | Refusal::Unmeetable(_) => StatusCode::BAD_REQUEST,
            Refusal::NoSnapshot | Refusal::Stale | Refusal::Ending => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::NotYet(_) => StatusCode::PRECONDITION_FAILED,
            Refusal::NotFound(_) => StatusCode::NOT_FOUND,
            Refusal::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Refusal::NotAllowed(_) => StatusCode::FORBIDDEN,
            Refusal::Exhausted(_) => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Late(_) => StatusCode::GATEWAY_TIMEOUT,
            Refusal::Panicked | Refusal::Corrupt(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, code: tonic::Status::from(refusal).code(), message }
    }
}

/// A field of a message by the name that it has in `AuthZEN`.
fn as_sent(field: String) -> String {
    match &*field {
        "page_token" => "page.token".to_owned(),
        "resource_type" => "resource.type".to_owned(),
        "subject_type" => "subject.type".to_owned(),
        "request_id" => "x-request-id".to_owned(),
        _ => field,
    }
}

/// A whole answer.
pub(super) fn found(answer: &Json) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// What every answer has: the id of its request, and when it was made (RFC 9110, section 6.6.1).
pub(super) fn finish(response: &mut Response<Body>, asked: &HeaderMap) {
    if let Some(id) = asked.get(REQUEST_ID) {
        response.headers_mut().insert(REQUEST_ID, id.clone());
    }
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&jiff::Timestamp::now()).ok();
    if let Some(date) = date.and_then(|date| HeaderValue::try_from(date).ok()) {
        response.headers_mut().insert(DATE, date);
    }
}

/// One decision.
pub(super) fn decision(answer: v1::AuthorizeResponse) -> Json {
    let v1::AuthorizeResponse { decision, reason, rule_id, undetermined, snapshot, evaluated_at, request_id: _ } =
        answer;
    let mut context = why(&v1::Verdict { decision, reason, rule_id, undetermined });
    context.extend(circumstances(snapshot, evaluated_at));
    json!({"decision": is_allow(decision), "context": context})
}

/// The decisions of a batch. An item that `broken` names was no question, for that reason.
pub(super) fn decisions(answer: v1::BatchAuthorizeResponse, broken: &[(usize, Malformed)]) -> Json {
    let v1::BatchAuthorizeResponse { results, snapshot, evaluated_at, request_id: _ } = answer;
    let items = results.into_iter().enumerate().map(|(number, result)| {
        let said = broken.iter().find(|(at, _)| *at == number).map(|(_, malformed)| malformed);
        item(result.outcome, said)
    });
    json!({"evaluations": items.collect::<Vec<_>>(), "context": circumstances(snapshot, evaluated_at)})
}

fn item(outcome: Option<Outcome>, broken: Option<&Malformed>) -> Json {
    let error = |status: StatusCode, message: &str| json!({"decision": false, "context": {"error": {"status": status.as_u16(), "message": message}}});
    match (outcome, broken) {
        (Some(Outcome::Verdict(verdict)), None) => {
            json!({"decision": is_allow(verdict.decision), "context": why(&verdict)})
        }
        (Some(Outcome::Error(_)), Some(malformed)) => error(StatusCode::BAD_REQUEST, &malformed.to_string()),
        (Some(Outcome::Error(v1::ItemError { code, message, field: _ })), None) => error(status(code), &message),
        // Never made: a result without an outcome denies.
        (Some(Outcome::Verdict(_)), Some(_)) | (None, _) => {
            error(StatusCode::INTERNAL_SERVER_ERROR, "the item has no answer")
        }
    }
}

/// The status of an item that could not be asked.
fn status(code: i32) -> StatusCode {
    match Code::from_i32(code) {
        Code::InvalidArgument => StatusCode::BAD_REQUEST,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A page of resources.
pub(super) fn resources(page: v1::ListResourcesResponse) -> Json {
    let v1::ListResourcesResponse { resources, next_page_token, undetermined_count, snapshot, evaluated_at, .. } = page;
    entities(resources, &next_page_token, undetermined_count, circumstances(snapshot, evaluated_at))
}

/// A page of subjects.
pub(super) fn subjects(page: v1::ListSubjectsResponse) -> Json {
    let v1::ListSubjectsResponse { subjects, next_page_token, undetermined_count, snapshot, evaluated_at, .. } = page;
    entities(subjects, &next_page_token, undetermined_count, circumstances(snapshot, evaluated_at))
}

/// The actions that are allowed: always all of them.
pub(super) fn actions(list: v1::ListActionsResponse) -> Json {
    let v1::ListActionsResponse { actions, undetermined_count, snapshot, evaluated_at, request_id: _ } = list;
    let allowed =
        actions.into_iter().filter(|action| action.verdict.as_ref().is_some_and(|verdict| is_allow(verdict.decision)));
    let results = allowed.map(|action| json!({"name": action.action})).collect();
    page(results, "", undetermined_count, circumstances(snapshot, evaluated_at))
}

fn entities(listed: Vec<v1::Entity>, next: &str, undetermined: u32, context: Map<String, Json>) -> Json {
    page(
        listed.into_iter().map(|found| json!({"type": found.r#type, "id": found.id})).collect(),
        next,
        undetermined,
        context,
    )
}

fn page(results: Vec<Json>, next: &str, undetermined: u32, mut context: Map<String, Json>) -> Json {
    if undetermined > 0 {
        context.insert("undetermined_count".to_owned(), undetermined.into());
    }
    let page = json!({"next_token": next, "count": results.len()});
    json!({"page": page, "context": context, "results": Json::Array(results)})
}

/// Whether it is an allow: nothing else allows.
fn is_allow(decision: i32) -> bool {
    decision == i32::from(v1::Decision::Allow)
}

/// As much of the why as the caller is shown.
fn why(verdict: &v1::Verdict) -> Map<String, Json> {
    let mut context = Map::new();
    let reason = verdict.reason();
    if reason != v1::Reason::Unspecified {
        let name = reason.as_str_name();
        context.insert("reason".to_owned(), name.strip_prefix("REASON_").unwrap_or(name).into());
    }
    if !verdict.rule_id.is_empty() {
        context.insert("rule_id".to_owned(), verdict.rule_id.as_str().into());
    }
    if verdict.undetermined {
        context.insert("undetermined".to_owned(), true.into());
    }
    context
}

/// Which snapshot answered, and when.
fn circumstances(snapshot: Option<v1::SnapshotRef>, at: Option<prost_types::Timestamp>) -> Map<String, Json> {
    let mut context = Map::new();
    if let Some(v1::SnapshotRef { sequence, digest, stale }) = snapshot {
        let snapshot = json!({"sequence": sequence, "digest": digest, "stale": stale});
        context.insert("snapshot".to_owned(), snapshot);
    }
    let moment = at.and_then(|at| Timestamp::new(at.seconds, u32::try_from(at.nanos).ok()?));
    if let Some(moment) = moment {
        context.insert("evaluated_at".to_owned(), moment.to_string().into());
    }
    context
}
