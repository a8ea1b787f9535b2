//! The decision log of the real program: to a file, a socket and standard output; whole, or with every gap counted.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;

use rustix::process::Signal;
use serde_json::Value as Json;
use sidegate::service::proto::v1::{
    self, authorization_service_client::AuthorizationServiceClient, batch_authorize_result::Outcome,
};
use tempfile::TempDir;
use tonic::Request;

use crate::support::{Daemon, Process, block_on, command, good, question, run, until};

const WRITTEN: &str = "sidegate_decision_log_written_total";
const DROPPED: &str = "sidegate_decision_log_dropped_total";
const ERRORS: &str = "sidegate_decision_log_errors_total";
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A daemon with these lines in its configuration; `DIR` stands for a directory of its own.
fn logging(lines: &str) -> (Daemon, TempDir) {
    logging_of(&good(), lines)
}

/// The same with another policy.
fn logging_of(policy: &str, lines: &str) -> (Daemon, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sidegate.toml");
    let lines = lines.replace("DIR", directory.path().to_str().unwrap());
    fs::write(&file, format!("[decision_log]\n{lines}\n")).unwrap();
    (Daemon::start_with(policy, &["--config", file.to_str().unwrap()]).ready(), directory)
}

fn lines(path: &Path) -> Vec<Json> {
    parsed(fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned))
}

fn parsed(lines: impl IntoIterator<Item = String>) -> Vec<Json> {
    lines.into_iter().map(|line| serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

/// What is asked by each door: ana may, bob may not.
async fn ask_everywhere(address: String) {
    let mut client = AuthorizationServiceClient::connect(address).await.unwrap();
    let named = |user: &str, id: &str| v1::AuthorizeRequest { request_id: id.into(), ..question(user, "access") };
    for (user, id) in [("ana", "single-ana"), ("bob", "single-bob")] {
        let mut request = Request::new(named(user, id));
        request.metadata_mut().insert("traceparent", TRACE.parse().unwrap());
        client.authorize(request).await.unwrap();
    }
    let malformed = v1::AuthorizeRequest::default();
    let requests = vec![named("ana", ""), malformed, named("bob", "item")];
    let batch = v1::BatchAuthorizeRequest { requests, request_id: "batch".into(), ..Default::default() };
    client.batch_authorize(batch).await.unwrap();
    let questions = ["ana", "bob"].map(|user| v1::AuthorizeStreamRequest { request: Some(named(user, "message")) });
    let mut answers = client.authorize_stream(tokio_stream::iter(questions)).await.unwrap().into_inner();
    while answers.message().await.unwrap().is_some() {}
    client.explain(v1::ExplainRequest { request: Some(named("bob", "why")) }).await.unwrap();
}

#[test]
fn every_door_leaves_the_same_line() {
    let (daemon, directory) = logging("mode = \"all\"\nto = \"file:DIR/log\"\n");
    block_on(ask_everywhere(format!("http://{}", daemon.data)));
    let snapshot =
        daemon.client().call(|client| client.authorize(question("cleo", "access"))).unwrap().snapshot.unwrap();
    let ended = daemon.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let logged = lines(&directory.path().join("log"));
    let found: Vec<[&str; 4]> = logged
        .iter()
        .map(|line| {
            let text = |field: &str| line[field].as_str().unwrap_or_default();
            [text("door"), line["subject"]["id"].as_str().unwrap(), text("decision"), text("request_id")]
        })
        .collect();
    let expected = [
        ["authorize", "ana", "ALLOW", "single-ana"],
        ["authorize", "bob", "DENY", "single-bob"],
        ["batch", "ana", "ALLOW", "batch"],
        ["batch", "bob", "DENY", "item"],
        ["stream", "ana", "ALLOW", "message"],
        ["stream", "bob", "DENY", "message"],
        ["explain", "bob", "DENY", "why"],
        ["authorize", "cleo", "DENY", ""],
    ];
    assert_eq!(found, expected);
    assert_eq!(logged[0]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(
        (&logged[0]["rule_id"], &logged[1]["reason"]),
        (&"roles/member/workspace.access".into(), &"NO_GRANT".into())
    );
    for line in &logged {
        assert_eq!(
            (&line["snapshot"]["digest"], &line["snapshot"]["generation"]),
            (&snapshot.digest.clone().into(), &1.into())
        );
        assert_eq!(line["resource"], serde_json::json!({"type": "workspace", "id": "prod"}));
    }
    assert_eq!(logged[7]["reason"], "UNKNOWN_SUBJECT");
}

#[test]
fn a_grant_that_is_asked_about_is_logged() {
    let policy = "\
sidegate: 1
subject_types: {user: {}}
types:
  account: {root: true, actions: {assign: {parameters: {target: ref(user), role: role}, change: grant, result: valid}}}
roles:
  admin: {at: account, allow: [{on: account, actions: [assign], assigns: [admin]}]}
subjects: {user/ada: {}, user/sam: {}}
resources: {account/orbit: {}}
bindings: [{subject: user/ada, role: admin, at: account/orbit}]
";
    let (daemon, directory) = logging_of(policy, "mode = \"all\"\nto = \"file:DIR/log\"\n");
    let text = |text: &str| v1::Value { kind: Some(v1::value::Kind::StringValue(text.into())) };
    let target = v1::Entity { r#type: "user".into(), id: "sam".into() };
    let target = v1::Value { kind: Some(v1::value::Kind::EntityValue(target)) };
    let properties = [("target".to_owned(), target), ("role".to_owned(), text("admin"))].into();
    for (user, id) in [("ada", "may"), ("sam", "may-not")] {
        let request = v1::AuthorizeRequest {
            subject: Some(v1::Subject { r#type: "user".into(), id: user.into(), ..Default::default() }),
            action: Some(v1::Action { name: "assign".into(), properties: BTreeMap::clone(&properties) }),
            resource: Some(v1::Resource { r#type: "account".into(), id: "orbit".into(), ..Default::default() }),
            request_id: id.into(),
            ..Default::default()
        };
        daemon.client().call(|client| client.check_grant(request)).unwrap();
    }
    assert_eq!(daemon.terminate().code, Some(0));
    let logged = lines(&directory.path().join("log"));
    let found = logged
        .iter()
        .map(|line| [&line["door"], &line["request_id"], &line["decision"]].map(|text| text.as_str().unwrap()));
    assert_eq!(found.collect::<Vec<_>>(), [["check_grant", "may", "ALLOW"], ["check_grant", "may-not", "DENY"]]);
}

#[test]
fn denials_alone_go_to_standard_output() {
    let (daemon, _directory) = logging("mode = \"denials\"");
    let client = daemon.client();
    for _ in 0..10 {
        for user in ["ana", "bob"] {
            client.call(|client| client.authorize(question(user, "access"))).unwrap();
        }
    }
    until("they are written", || daemon.metric(WRITTEN) == 10);
    let ended = daemon.terminate();
    let logged = parsed(ended.out.lines().map(str::to_owned));
    assert_eq!(logged.len(), 10);
    assert!(logged.iter().all(|line| line["decision"] == "DENY" && line["subject"]["id"] == "bob"));
    assert!(ended.err.contains("the decision log is closed"), "{}", ended.err);
}

#[test]
fn a_hangup_opens_the_file_anew() {
    let (daemon, directory) = logging("mode = \"all\"\nto = \"file:DIR/log\"");
    let client = daemon.client();
    let (path, moved) = (directory.path().join("log"), directory.path().join("log.1"));
    for number in 1..=5 {
        client.call(|client| client.authorize(question("ana", "access"))).unwrap();
        until("it is written", || daemon.metric(WRITTEN) == number);
        assert_eq!(lines(&path).len(), 1);
        fs::rename(&path, &moved).unwrap();
        daemon.process.signal(Signal::HUP);
        until("it was heeded", || daemon.metric("sidegate_reloads_total{result=\"unchanged\"}") >= number);
        assert_eq!(lines(&moved).len(), 1);
    }
    assert_eq!(daemon.metric(DROPPED), 0);
}

#[test]
fn a_deaf_socket_holds_up_nobody_and_every_drop_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let (daemon, _config) = logging(&format!("mode = \"all\"\nqueue = 1024\nto = \"unix:{}\"", path.display()));
    let client = daemon.client();
    let requests = vec![question("ana", "access"); 1000];
    let batch = v1::BatchAuthorizeRequest { requests, ..Default::default() };
    let mut decided = 0;
    until("it drops", || {
        let answer = client.call(|client| client.batch(batch.clone())).unwrap();
        assert_eq!(answer.results.len(), 1000);
        assert!(answer.results.iter().all(|result| matches!(&result.outcome, Some(Outcome::Verdict(_)))));
        decided += 1000;
        daemon.metric(DROPPED) > 1000
    });
    daemon.logged("the decision log cannot keep up");
    // Nor does it hold on to snapshots: two that are replaced and in use would stop the next reload.
    let applied = "sidegate_reloads_total{result=\"applied\"}";
    for number in 2..=6 {
        daemon.write(&good().replace("orbit", &format!("orbit-{number}")));
        until("it is live", || daemon.metric(applied) == number);
        client.call(|client| client.batch(batch.clone())).unwrap();
        decided += 1000;
    }
    // The reader wakes up: what waited arrives whole, and the lines tell of every gap but the one behind the last.
    let (socket, _) = listener.accept().unwrap();
    let reader = thread::spawn(move || parsed(BufReader::new(socket).lines().map(Result::unwrap)));
    until("all is written", || daemon.metric(WRITTEN) + daemon.metric(DROPPED) == decided);
    let dropped = daemon.metric(DROPPED);
    client.call(|client| client.authorize(question("bob", "access"))).unwrap();
    let ended = daemon.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let logged = reader.join().unwrap();
    let gaps: u64 = logged.iter().filter_map(|line| line["dropped"].as_u64()).sum();
    assert_eq!((logged.len() as u64 + dropped, gaps), (decided + 1, dropped));
    assert_eq!(logged.last().unwrap()["subject"]["id"], "bob");
}

#[test]
fn what_cannot_be_written_to_is_told_once_and_holds_up_nobody() {
    for to in ["file:/dev/full", "file:DIR/missing/log", "unix:DIR/nobody"] {
        let (daemon, _directory) = logging(&format!("mode = \"all\"\nto = \"{to}\""));
        let client = daemon.client();
        until("it was tried again", || {
            client.call(|client| client.authorize(question("ana", "access"))).unwrap();
            daemon.metric(ERRORS) >= 3
        });
        assert_eq!(daemon.log("the decision log cannot be written").len(), 1);
        assert_eq!(daemon.get("/readyz").0, 200);
        let ended = daemon.terminate();
        assert_eq!(ended.code, Some(0), "{}", ended.err);
    }
}

#[test]
fn each_line_speaks_of_the_snapshot_that_answered() {
    let (daemon, directory) = logging("mode = \"all\"\nto = \"file:DIR/log\"\nproperties = \"context.mfa\"");
    let client = daemon.client();
    let ask = || {
        let said = |value| v1::Value { kind: Some(value) };
        let mut asked = question("ana", "access");
        asked.context.insert("mfa".into(), said(v1::value::Kind::BoolValue(true)));
        asked.context.insert("token".into(), said(v1::value::Kind::StringValue("hunter2".into())));
        client.call(|client| client.authorize(asked.clone())).unwrap().snapshot.unwrap().digest
    };
    let first = ask();
    // Numbers mean something else now: there are others before.
    daemon.write(
        &good()
            .replace("user/ana: {}", "user/abe: {}, user/ana: {}")
            .replace("account/orbit: {}", "account/a: {}\n  account/orbit: {}"),
    );
    until("it is served", || ask() != first);
    let second = ask();
    daemon.terminate();
    let text = fs::read_to_string(directory.path().join("log")).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    let logged = lines(&directory.path().join("log"));
    let digests = [first, second].map(Json::from);
    for line in &logged {
        assert_eq!(line["subject"], serde_json::json!({"type": "user", "id": "ana"}));
        let generation = digests.iter().position(|digest| *digest == line["snapshot"]["digest"]).unwrap() + 1;
        assert_eq!(line["snapshot"]["generation"], generation);
        assert_eq!(
            (&line["properties"], &line["properties_withheld"]),
            (&serde_json::json!({"context.mfa": true}), &1.into())
        );
    }
    assert_eq!(logged.last().unwrap()["snapshot"]["generation"], 2);
}

#[test]
fn one_in_so_many_is_sampled_and_off_is_off() {
    let (daemon, directory) = logging("mode = \"sampled\"\none_in = 7\nto = \"file:DIR/log\"");
    let requests = vec![question("ana", "access"); 70];
    let batch = v1::BatchAuthorizeRequest { requests, ..Default::default() };
    daemon.client().call(|client| client.batch(batch.clone())).unwrap();
    daemon.terminate();
    let logged = lines(&directory.path().join("log"));
    assert_eq!(logged.len(), 10);
    assert!(logged.iter().all(|line| line["one_in"] == 7));
    let (daemon, directory) = logging("to = \"file:DIR/log\"");
    daemon.client().call(|client| client.batch(batch)).unwrap();
    assert!(daemon.terminate().out.is_empty());
    assert!(!directory.path().join("log").exists());
}

#[test]
fn a_wrong_configuration_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sidegate.toml");
    let wrong = "[decision_log]\nmode = \"some\"\nto = \"tcp:1\"\none_in = 0\nproperties = \"mfa\"\n";
    fs::write(&file, wrong).unwrap();
    let ended = run(&["serve", "--snapshot", "p.yaml", "--config", file.to_str().unwrap()]);
    assert_eq!(ended.code, Some(78), "{}", ended.err);
    for key in ["mode", "to", "one_in", "properties"] {
        assert!(ended.err.contains(&format!("`decision_log.{key}` must be")), "{key}: {}", ended.err);
    }
}

#[test]
fn a_variable_turns_it_on() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("policy.yaml");
    fs::write(&source, good()).unwrap();
    let arguments = ["serve", "--snapshot", source.to_str().unwrap(), "--listen", "127.0.0.1:0", "--ops-listen", ""];
    let mut command = command(&[&arguments[..], &["--log-format", "json"]].concat());
    let process = Process::spawn(command.env("SIDEGATE_DECISION_LOG", "all"));
    let daemon = Daemon::of(directory, process);
    until("it answers", || daemon.client().call(|client| client.authorize(question("ana", "access"))).is_ok());
    let ended = daemon.terminate();
    assert_eq!(parsed(ended.out.lines().map(str::to_owned))[0]["decision"], "ALLOW");
}
