//! Envoy's door without Envoy: what is an answer and what an error, what a caller's rule shows, and what no message gets
//! past.

use std::fs;

use prost::Message;
use prost_types::value::Kind;
use sidegate::service::proto::envoy_v3::{
    AttributeContext, CheckRequest, CheckResponse, HeaderMap, HeaderValue, attribute_context,
    authorization_client::AuthorizationClient, check_response::HttpResponse,
};
use tonic::Code;

use crate::raw::{connect, frame, post, send};
use crate::support::{BINDING, Daemon, POLICY, block_on, until};

const PATH: &str = "/envoy.service.auth.v3.Authorization/Check";

/// Who asks stands in a header.
const HTTP: &str = "\
http:
  subject: user/{header.x-user}
  context: {mfa: \"{header.x-mfa}\"}
  set_headers: {x-who: \"{subject.id}\"}
  remove_headers: [x-user]
  routes:
    GET /ws/{workspace}: {action: access, on: \"workspace/{workspace}\"}
";

fn policy() -> String {
    format!("{POLICY}{BINDING}{HTTP}")
}

fn check(user: &str, path: &str) -> CheckRequest {
    let headers = [("x-user".to_owned(), user.to_owned()), ("x-request-id".to_owned(), "r-1".to_owned())].into();
    of(attribute_context::HttpRequest {
        method: "GET".to_owned(),
        path: path.to_owned(),
        host: "app.example".to_owned(),
        headers,
        ..Default::default()
    })
}

fn of(http: attribute_context::HttpRequest) -> CheckRequest {
    let request = attribute_context::Request { time: None, http: Some(http) };
    CheckRequest { attributes: Some(AttributeContext { request: Some(request), ..Default::default() }) }
}

fn ask(daemon: &Daemon, request: CheckRequest) -> Result<CheckResponse, tonic::Status> {
    block_on(async {
        let mut client = AuthorizationClient::connect(format!("http://{}", daemon.data)).await.unwrap();
        client.check(request).await.map(tonic::Response::into_inner)
    })
}

fn told(answer: &CheckResponse, name: &str) -> Option<String> {
    match answer.dynamic_metadata.as_ref()?.fields.get(name)?.kind.as_ref()? {
        Kind::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

/// The reason of a denial, which is an answer.
fn denied(answer: &CheckResponse) -> Option<String> {
    assert_eq!(answer.status.as_ref().unwrap().code, Code::PermissionDenied as i32, "{answer:?}");
    let Some(HttpResponse::DeniedResponse(response)) = &answer.http_response else { panic!("{answer:?}") };
    assert_eq!(response.status.unwrap().code, 403);
    assert!(response.headers.is_empty());
    assert_eq!(told(answer, "decision").as_deref(), Some("DENY"));
    told(answer, "reason")
}

#[test]
fn a_decision_is_an_answer_that_names_its_snapshot() {
    let daemon = Daemon::start(&policy()).ready();
    let answer = ask(&daemon, check("ana", "/ws/prod?a=b")).unwrap();
    assert_eq!(answer.status.as_ref().unwrap().code, 0);
    let Some(HttpResponse::OkResponse(ok)) = &answer.http_response else { panic!("{answer:?}") };
    let set: Vec<_> = ok.headers.iter().map(|option| (option.header.clone().unwrap(), option.append)).collect();
    let header = HeaderValue { key: "x-who".to_owned(), value: "ana".to_owned(), raw_value: Vec::new() };
    assert_eq!(set, [(header, Some(false))]);
    assert_eq!(ok.headers_to_remove, ["x-user"]);
    assert_eq!(told(&answer, "reason").as_deref(), Some("GRANTED"));
    assert_eq!(told(&answer, "rule").as_deref(), Some("roles/member/workspace.access"));
    assert_eq!(told(&answer, "snapshot").map(|digest| digest.len()), Some(64));
    let answer = ask(&daemon, check("bob", "/ws/prod")).unwrap();
    assert_eq!(denied(&answer).as_deref(), Some("NO_GRANT"));
    let Some(HttpResponse::DeniedResponse(response)) = &answer.http_response else { panic!("{answer:?}") };
    assert_eq!(response.body, "denied\n");
    assert_eq!(daemon.metric("sidegate_calls_total{method=\"Check\",code=\"OK\"}"), 2);
}

#[test]
fn what_asks_nothing_is_denied_and_counted() {
    let daemon = Daemon::start(&policy()).ready();
    let plain = check("ana", "/ws/prod");
    let change = |change: fn(&mut attribute_context::HttpRequest)| {
        let mut request = plain.clone();
        change(request.attributes.as_mut().unwrap().request.as_mut().unwrap().http.as_mut().unwrap());
        request
    };
    let raw = |values: &[&[u8]]| {
        let header =
            |value: &&[u8]| HeaderValue { key: "x-user".into(), value: String::new(), raw_value: value.to_vec() };
        let headers = values.iter().map(header).collect();
        let mut request = change(|http| http.headers.clear());
        let http = request.attributes.as_mut().unwrap().request.as_mut().unwrap().http.as_mut().unwrap();
        http.header_map = Some(HeaderMap { headers });
        request
    };
    assert!(ask(&daemon, raw(&[b"ana"])).unwrap().status.unwrap().code == 0);
    let all = [
        ("UNREADABLE", CheckRequest::default()),
        ("UNREADABLE", CheckRequest { attributes: Some(AttributeContext::default()) }),
        ("UNREADABLE", change(|http| http.fragment = "x".into())),
        ("NO_ROUTE", change(|http| http.path = "/admin".into())),
        ("NO_ROUTE", change(|http| http.method = "POST".into())),
        ("BAD_PATH", change(|http| http.path = "/ws/../ws/prod".into())),
        ("BAD_PATH", change(|http| http.path = String::new())),
        ("BAD_METHOD", change(|http| http.method = "get".into())),
        ("NO_SUBJECT", change(|http| http.headers.clear())),
        ("BAD_HEADER", check("ana,bob", "/ws/prod")),
        ("BAD_HEADER", check("al!ce", "/ws/prod")),
        ("BAD_HEADER", change(|http| drop(http.headers.insert("x_user".into(), "bob".into())))),
        ("BAD_HEADER", raw(&[b"ana", b"ana"])),
        ("BAD_HEADER", raw(&[b"al\xffce"])),
        ("MALFORMED", change(|http| http.path = format!("/ws/{}", "x".repeat(1025)))),
    ];
    for (reason, request) in all {
        let answer = ask(&daemon, request.clone()).unwrap();
        assert_eq!(denied(&answer).as_deref(), Some(reason), "{request:?}");
    }
    assert_eq!(daemon.metric("sidegate_http_unmapped_total{why=\"BAD_HEADER\"}"), 5);
    assert_eq!(daemon.metric("sidegate_malformed_requests_total"), 1);
    assert_eq!(daemon.metric("sidegate_handler_panics_total"), 0);
}

/// As an error each of these would open an Envoy with `failure_mode_allow`.
#[test]
fn a_message_that_cannot_be_read_is_denied() {
    let daemon = Daemon::start(&policy()).ready();
    let plain = check("ana", "/ws/prod").encode_to_vec();
    let text = b"/ws/prod";
    let at = plain.windows(text.len()).position(|bytes| bytes == text).unwrap();
    let mut no_text = plain.clone();
    no_text[at + 4] = 0xff;
    let large = check(&"x".repeat(300 * 1024), "/ws/prod").encode_to_vec();
    let bodies = [no_text, plain[..plain.len() - 3].to_vec(), vec![0xff; 40], vec![0x0b], large];
    for body in bodies {
        let answer = block_on(async {
            let mut client = connect(&daemon.data).await;
            send(&mut client, post(PATH, "application/grpc"), frame(&body)).await.unwrap()
        });
        assert_eq!((answer.http, answer.grpc), (200, Some(0)), "{} bytes", body.len());
        let answer = CheckResponse::decode(answer.body.get(5..).unwrap()).unwrap();
        assert_eq!(denied(&answer).as_deref(), Some("UNREADABLE"));
    }
}

#[test]
fn no_other_spelling_of_the_call_is_answered() {
    let daemon = Daemon::start(&policy()).ready();
    let asked = |path: &str| {
        block_on(async {
            let mut client = connect(&daemon.data).await;
            let body = frame(&check("ana", "/ws/prod").encode_to_vec());
            send(&mut client, post(path, "application/grpc"), body).await.unwrap()
        })
    };
    assert_eq!(asked(PATH).grpc, Some(0));
    for path in [
        "/envoy.service.auth.v3.Authorization/check",
        "/Envoy.Service.Auth.V3.Authorization/Check",
        "//envoy.service.auth.v3.Authorization/Check",
        "/envoy.service.auth.v3.Authorization/Check/",
        "/envoy.service.auth.v3.Authorization/%43heck",
        "/envoy.service.auth.v2.Authorization/Check",
        "/sidegate.v1.AuthorizationService/Check",
    ] {
        let answer = asked(path);
        assert_eq!((answer.grpc, answer.body.len()), (Some(Code::Unimplemented as i32), 0), "{path}");
    }
}

#[test]
fn what_the_daemon_lacks_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("policy.yaml");
    fs::write(&source, "broken").unwrap();
    let daemon = Daemon::serve(directory, &source, &[]);
    until("it answers", || ask(&daemon, check("ana", "/ws/prod")).is_err());
    assert_eq!(ask(&daemon, check("ana", "/ws/prod")).unwrap_err().code(), Code::Unavailable);
    daemon.write(&format!("{POLICY}{BINDING}"));
    until("it serves", || ask(&daemon, check("ana", "/ws/prod")).is_ok());
    let answer = ask(&daemon, check("ana", "/ws/prod")).unwrap();
    assert_eq!(denied(&answer).as_deref(), Some("NO_ROUTE"), "a policy without `http` maps nothing");
    daemon.write(&policy());
    until("a new mapping is served", || ask(&daemon, check("ana", "/ws/prod")).unwrap().status.unwrap().code == 0);
}

#[test]
fn a_caller_is_shown_and_may_ask_what_its_rule_says() {
    let rule = |more: &str| format!("[[callers]]\nname = \"proxy\"\nanyone = true\n{more}");
    let answers = |more: &str, user: &str| {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("policy.yaml");
        fs::write(&source, policy().replace("http:\n", "http:\n  tell_reason: true\n")).unwrap();
        let config = directory.path().join("sidegate.toml");
        fs::write(&config, rule(more)).unwrap();
        let daemon = Daemon::serve(directory, &source, &["--config", config.to_str().unwrap()]).ready();
        ask(&daemon, check(user, "/ws/prod"))
    };
    let body = |answer: &CheckResponse| match &answer.http_response {
        Some(HttpResponse::DeniedResponse(response)) => response.body.clone(),
        other => panic!("{other:?}"),
    };
    let answer = answers("reasons = \"none\"\n", "bob").unwrap();
    assert_eq!((denied(&answer), told(&answer, "rule"), body(&answer).as_str()), (None, None, "denied\n"));
    let answer = answers("reasons = \"code\"\n", "bob").unwrap();
    assert_eq!((denied(&answer).as_deref(), body(&answer).as_str()), (Some("NO_GRANT"), "denied: NO_GRANT\n"));
    let answer = answers("subject_types = [\"robot\"]\n", "ana").unwrap();
    assert_eq!(denied(&answer).as_deref(), Some("NOT_ALLOWED"));
}
