//! Envoy's door without Envoy: what is an answer and what an error, what a caller's rule shows, and what no message gets
//! past.

mod messages;

use std::fs;

use prost_types::value::Kind;
use sidegate::service::proto::envoy_v3::{
    AttributeContext, CheckRequest, CheckResponse, HeaderMap, HeaderValue, Metadata, attribute_context,
    authorization_client::AuthorizationClient, check_response::HttpResponse,
};
use tonic::Code;

use crate::support::{BINDING, Daemon, POLICY, block_on, until};

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
    // One header with two values, and one that is only among those that were joined.
    let mut twofold = raw(&[b"ana"]);
    let http = |request: &mut CheckRequest, change: fn(&mut attribute_context::HttpRequest)| {
        change(request.attributes.as_mut().unwrap().request.as_mut().unwrap().http.as_mut().unwrap());
    };
    http(&mut twofold, |http| http.header_map.as_mut().unwrap().headers[0].value = "bob".into());
    let mut mixed = raw(&[]);
    http(&mut mixed, |http| {
        let other = HeaderValue { key: "y".into(), value: "z".into(), raw_value: Vec::new() };
        http.header_map = Some(HeaderMap { headers: vec![other] });
        http.headers = [("x-user".to_owned(), "al!ce".to_owned())].into();
    });
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
        ("BAD_HEADER", twofold),
        ("BAD_HEADER", mixed),
        ("MALFORMED", change(|http| http.path = format!("/ws/{}", "x".repeat(1025)))),
    ];
    for (reason, request) in all {
        let answer = ask(&daemon, request.clone()).unwrap();
        assert_eq!(denied(&answer).as_deref(), Some(reason), "{request:?}");
    }
    assert_eq!(daemon.metric("sidegate_http_unmapped_total{why=\"BAD_HEADER\"}"), 7);
    assert_eq!(daemon.metric("sidegate_malformed_requests_total"), 1);
    assert_eq!(daemon.metric("sidegate_handler_panics_total"), 0);
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

/// What the message says beside the request: who the certificate names, what the route's configuration says, a claim.
#[test]
fn principal_extension_and_claim_are_read_where_envoy_puts_them() {
    let mapping = "\
http:
  subject: [\"user/{claim.who.name}\", \"user/{principal}\"]
  context: {mfa: \"{claim.mfa}\"}
  routes:
    GET /here: {action: access, on: \"workspace/{extension.workspace}\"}
";
    let conditional = POLICY.replace("actions: [access]}]}", "actions: [access], when: context.mfa == true}]}");
    let daemon = Daemon::start(&format!("{conditional}{BINDING}{mapping}")).ready();
    let asked = |change: fn(&mut AttributeContext)| {
        let mut request = check("ignored", "/here");
        let attributes = request.attributes.as_mut().unwrap();
        attributes.context_extensions = [("workspace".to_owned(), "prod".to_owned())].into();
        attributes.source = Some(attribute_context::Peer { principal: "bob".into() });
        let claims = |name: Kind, mfa: Kind| {
            let one = |name: &str, kind: Kind| (name.to_owned(), prost_types::Value { kind: Some(kind) });
            let object = |fields: Vec<_>| prost_types::Struct { fields: fields.into_iter().collect() };
            let payload = object(vec![one("who", Kind::StructValue(object(vec![one("name", name)]))), one("mfa", mfa)]);
            object(vec![one("payload", Kind::StructValue(payload))])
        };
        let token = claims(Kind::StringValue("ana".into()), Kind::BoolValue(true));
        let filter_metadata = [("envoy.filters.http.jwt_authn".to_owned(), token)].into();
        attributes.metadata_context = Some(Metadata { filter_metadata });
        change(attributes);
        let answer = ask(&daemon, request).unwrap();
        if answer.status.as_ref().unwrap().code == 0 { "ALLOW".to_owned() } else { denied(&answer).unwrap() }
    };
    assert_eq!(asked(|_| ()), "ALLOW");
    // Without a token it is bob, of the certificate; without either nobody.
    assert_eq!(asked(|all| all.metadata_context = None), "NO_GRANT");
    assert_eq!(asked(|all| (all.metadata_context, all.source) = (None, None)), "NO_SUBJECT");
    // Of where Envoy's filter does not put it, nothing is a claim; neither is what is said of the one who is asked.
    assert_eq!(
        asked(|all| {
            let metadata = all.metadata_context.as_mut().unwrap();
            let (_, token) = metadata.filter_metadata.pop_first().unwrap();
            metadata.filter_metadata.insert("other".into(), token);
            (all.destination, all.source) = (all.source.take(), None);
        }),
        "NO_SUBJECT"
    );
    assert_eq!(asked(|all| all.context_extensions.clear()), "MISSING_VALUE");
}

#[test]
fn a_caller_is_shown_and_may_ask_what_its_rule_says() {
    let rule = |more: &str| format!("[[callers]]\nname = \"proxy\"\nanyone = true\n{more}");
    let serve = |more: &str| {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("policy.yaml");
        fs::write(&source, policy().replace("http:\n", "http:\n  tell_reason: true\n")).unwrap();
        let config = directory.path().join("sidegate.toml");
        fs::write(&config, rule(more)).unwrap();
        Daemon::serve(directory, &source, &["--config", config.to_str().unwrap()]).ready()
    };
    let answers = |more: &str, user: &str| ask(&serve(more), check(user, "/ws/prod"));
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
    for refusing in ["tenants = [\"account/other\"]\n", "assert = [\"context.other\"]\n"] {
        let daemon = serve(refusing);
        let mut request = check("ana", "/ws/prod");
        let http = request.attributes.as_mut().unwrap().request.as_mut().unwrap().http.as_mut().unwrap();
        http.headers.insert("x-mfa".into(), "true".into());
        assert_eq!(denied(&ask(&daemon, request).unwrap()).as_deref(), Some("NOT_ALLOWED"), "{refusing}");
    }
    // What the daemon has no room for is no decision.
    let daemon = serve("rate = 1\nburst = 1\n");
    let codes = [(); 3].map(|()| ask(&daemon, check("ana", "/ws/prod")).map_err(|status| status.code()).err());
    assert_eq!(codes[0], None);
    assert!(codes.contains(&Some(Code::ResourceExhausted)), "{codes:?}");
}
