//! What nobody may read anywhere: values of properties, tokens of callers, in no log, metric, error or explanation.
//! And texts that would be more than text where they are printed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use prost::Message as _;
use serde_json::Value as Json;
use sidegate::client::Blocking;
use sidegate::service::proto::v1::{self, authorization_service_client::AuthorizationServiceClient, value::Kind};
use tempfile::TempDir;
use tonic::{Code, Request};

use crate::flood::AUTHORIZE;
use crate::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, Wire, field, frame};
use crate::raw;
use crate::support::{Daemon, LIMIT, block_on, good, question, refusal};

/// In every secret.
const CANARY: &str = "canary-5f3b";

/// Ana's key and the workspace's are secret, her team is not; the rule reads all of them.
const POLICY: &str = "\
sidegate: 1
subject_types: {user: {attributes: {key: {type: string, sensitive: true}, team: string}}}
context: {token: {type: string, sensitive: true}, note: string}
types:
  account: {root: true}
  workspace:
    parent: account
    attributes: {secret: {type: string, sensitive: true}, pin: {type: int, sensitive: true}, mood: {type: string, from: request}}
    actions: [access, leave]
roles:
  member:
    at: workspace
    allow:
      - {on: workspace, actions: [access]}
      - {on: workspace, actions: [leave], when: subject.key == context.token && resource.secret == context.note && resource.mood == 'good'}
subjects: {user/ana: {attributes: {key: canary-5f3b-key, team: red}}, user/bob: {}}
resources:
  account/orbit: {}
  workspace/prod: {parent: account/orbit, attributes: {secret: canary-5f3b-secret, pin: 17}}
bindings: [{subject: user/ana, role: member, at: workspace/prod}]
";

/// A daemon that logs every decision and all that it has to say, with all that it may.
fn talkative(text: &str) -> (Daemon, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sidegate.toml");
    let log = directory.path().join("decisions");
    let properties = "subject.key, resource.secret, resource.pin, context.token";
    let config = format!(
        "[log]\nfilter = \"info,sidegate=trace\"\n[decision_log]\nmode = \"all\"\nto = \"file:{}\"\nproperties = \"{properties}\"\n",
        log.display()
    );
    fs::write(&file, config).unwrap();
    (Daemon::start_with(text, &["--config", file.to_str().unwrap()]).ready(), directory)
}

fn text(of: &str) -> v1::Value {
    v1::Value { kind: Some(Kind::StringValue(format!("{CANARY}-{of}"))) }
}

/// A question in which everything that is not a name is a secret.
fn secretive(user: &str, action: &str) -> v1::AuthorizeRequest {
    let mut asked = question(user, action);
    asked.context =
        [("token".into(), text("token")), ("note".into(), text("note")), ("unknown".into(), text("x"))].into();
    asked.subject.as_mut().unwrap().properties = [("key".into(), text("key")), ("unknown".into(), text("x"))].into();
    let resource = asked.resource.as_mut().unwrap();
    resource.properties = [("mood".into(), text("mood")), ("secret".into(), text("secret"))].into();
    asked
}

fn with_token<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    for name in ["authorization", "cookie", "x-api-key", "traceparent", "tracestate", "user-agent"] {
        request.metadata_mut().insert(name, format!("Bearer {CANARY}-header").parse().unwrap());
    }
    request
}

/// Asks at every door and notes all that is said.
async fn ask_everywhere(address: &str, said: &mut Vec<String>) {
    let mut client = AuthorizationServiceClient::connect(format!("http://{address}")).await.unwrap();
    for (user, action) in [("ana", "access"), ("ana", "leave"), ("bob", "leave"), ("ana", "fly"), ("zoe", "access")] {
        let asked = secretive(user, action);
        said.push(format!("{:?}", client.authorize(with_token(asked.clone())).await));
        let explain = v1::ExplainRequest { request: Some(asked.clone()) };
        said.push(format!("{:?}", client.explain(with_token(explain)).await));
        let batch = v1::BatchAuthorizeRequest { requests: vec![asked.clone(); 3], ..Default::default() };
        said.push(format!("{:?}", client.batch_authorize(with_token(batch)).await));
        let list = v1::ListActionsRequest {
            subject: asked.subject.clone(),
            resource: asked.resource.clone(),
            context: asked.context.clone(),
            ..Default::default()
        };
        said.push(format!("{:?}", client.list_actions(with_token(list)).await));
        // Malformed: what is wrong is named, what was sent is not.
        let mut malformed = asked;
        malformed.subject.as_mut().unwrap().id = format!("{CANARY}\n");
        said.push(format!("{:?}", client.authorize(with_token(malformed)).await));
    }
}

#[test]
fn no_secret_is_told_anywhere() {
    let (daemon, directory) = talkative(POLICY);
    let mut said = Vec::new();
    block_on(ask_everywhere(&daemon.data, &mut said));
    said.push(daemon.get("/metrics").1);
    // A mistake in a secret, and one beside it.
    daemon.write(&POLICY.replace("pin: 17", "pin: canary-5f3b-pin, mod: 1"));
    let refused = daemon.logged("the source was refused").to_string();
    assert!(refused.contains("policy.yaml:19:") && refused.contains("`pin`") && refused.contains("`mod`"), "{refused}");
    let ended = daemon.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let decisions = fs::read_to_string(directory.path().join("decisions")).unwrap();
    assert!(decisions.lines().count() >= 25, "they are logged:\n{decisions}");
    said.extend([ended.out, ended.err, decisions]);
    for text in said {
        let told: Vec<_> = text.lines().filter(|line| line.contains(CANARY)).collect();
        assert!(told.is_empty(), "{}", told.join("\n"));
    }
}

#[test]
fn thirty_thousand_names_make_no_series() {
    let daemon = Daemon::start(&good()).ready();
    let client = daemon.client();
    for round in 0..30 {
        let requests = (0..1000).map(|number| {
            let mut asked = question(&format!("{CANARY}-{round}-{number}"), &format!("{CANARY}-{number}"));
            asked.resource.as_mut().unwrap().id = format!("{CANARY}-{round}-{number}");
            asked.request_id = format!("{CANARY}-{round}-{number}");
            match number % 3 {
                0 => asked.subject.as_mut().unwrap().id = "ana".into(),
                1 => asked.action.as_mut().unwrap().name = "access".into(),
                _ => asked.resource.as_mut().unwrap().r#type = format!("{CANARY}-{number}"),
            }
            asked
        });
        let batch = v1::BatchAuthorizeRequest { requests: requests.collect(), ..Default::default() };
        assert_eq!(client.call(|client| client.batch(batch)).unwrap().results.len(), 1000);
    }
    let (_, text) = daemon.get("/metrics");
    let series = text.lines().filter(|line| line.starts_with("sidegate")).count();
    println!("{series} series");
    assert!(series <= 500 && !text.contains(CANARY), "{text}");
}

/// Texts that are more than text to a terminal, to JSON, to a reader of lines.
const HOSTILE: [&str; 9] = [
    "a\nb",
    "a\r\n{\"timestamp\":\"now\",\"level\":\"ERROR\"}",
    "\u{1b}[2J\u{1b}[31mred",
    "quote\" back\\slash",
    "\",\"decision\":\"ALLOW",
    "\u{202e}turned",
    "nul\0",
    "line\u{2028}separator\u{85}",
    "emoji\u{1f600}{}[]:,",
];

fn json_lines(path: &Path) -> Vec<Json> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"))).collect()
}

#[test]
fn hostile_texts_stay_texts() {
    let (daemon, directory) = talkative(&good());
    let client = daemon.client();
    let decisions = directory.path().join("decisions");
    let mut sent = BTreeSet::new();
    for hostile in HOSTILE {
        for place in 0..5 {
            let mut asked = question("ana", "access");
            match place {
                0 => asked.subject.as_mut().unwrap().id = hostile.into(),
                1 => asked.resource.as_mut().unwrap().id = hostile.into(),
                2 => asked.action.as_mut().unwrap().name = hostile.into(),
                3 => asked.request_id = hostile.into(),
                _ => drop(asked.context.insert(hostile.into(), text("x"))),
            }
            // Control characters are refused; the rest is answered, and logged as it is.
            match client.call(|client| client.authorize(asked)) {
                Ok(_) => drop(sent.insert(hostile)),
                answer => assert_eq!(refusal(answer).0, Code::InvalidArgument, "{hostile:?}"),
            }
        }
    }
    assert!(sent.len() >= 3, "{sent:?}");
    headers_are_no_lines(&daemon);
    let ended = daemon.terminate();
    let logged = json_lines(&decisions);
    let whole = logged.iter().map(Json::to_string).collect::<String>();
    for line in ended.err.lines() {
        let object: Json = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        assert!(object["fields"]["message"].is_string(), "{line}");
    }
    for text in [&ended.err, &fs::read_to_string(decisions).unwrap()] {
        let moves = |letter: char| letter.is_control() && letter != '\n' || matches!(letter, '\u{202e}' | '\u{2028}');
        assert!(!text.contains(moves), "{text:?}");
    }
    assert!(whole.contains("back\\\\slash"), "kept as it was sent: {whole}");
}

/// Names and ids of a mebibyte, and headers that HTTP forbids.
fn headers_are_no_lines(daemon: &Daemon) {
    let client = Blocking::connect(&daemon.data, LIMIT).unwrap();
    let long = "x".repeat(1 << 20);
    for mut asked in [question(&long, "access"), question("ana", &long)] {
        asked.request_id.clone_from(&long);
        let (code, message, _) = refusal(client.call(|client| client.authorize(asked)));
        assert!(matches!(code, Code::OutOfRange | Code::ResourceExhausted | Code::InvalidArgument), "{code:?}");
        assert!(message.len() < 1000, "told in short: {}", message.len());
    }
    let body = raw::frame(&question("ana", "access").encode_to_vec());
    for hostile in HOSTILE {
        for name in ["traceparent", "user-agent", "grpc-timeout", ":authority", "x-forwarded-for"] {
            let mut wire = Wire::hello(&daemon.data, &[]);
            let headers = [(":method", "POST"), (":scheme", "http"), (":path", AUTHORIZE), (name, hostile)];
            let headers = headers.into_iter().chain([("content-type", "application/grpc"), ("te", "trailers")]);
            let block: Vec<u8> = headers.flat_map(|(name, value)| field(name, value)).collect();
            wire.write(&[frame(HEADERS, END_HEADERS, 1, &block), frame(DATA, END_STREAM, 1, &body)].concat());
            let listening = wire.listen();
            wire.finish();
            listening.end();
        }
    }
}
