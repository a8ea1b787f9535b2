//! The whole daemon in one process, with a stand-in for the policy language.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use tonic::Code;

use super::{ExitReason, Running, start_with};
use crate::{
    client::{Blocking, ClientError},
    config::Config,
    service::proto::{
        health_v1::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient},
        v1::{
            self, BatchAuthorizeSemantics as Semantics, authorization_service_client::AuthorizationServiceClient,
            authorize_stream_response::Outcome as Streamed, batch_authorize_result::Outcome, consistency::Requirement,
            snapshot_service_client::SnapshotServiceClient,
        },
    },
    snapshot::testing,
};

const LIMIT: Duration = Duration::from_secs(20);

struct Daemon {
    directory: tempfile::TempDir,
    running: Running,
}

fn daemon(text: &str) -> Daemon {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("policy.yaml"), text).unwrap();
    let running = start_with(&config(directory.path()), testing::builder(), false, None).unwrap();
    Daemon { directory, running }
}

fn config(directory: &Path) -> Config {
    Config {
        snapshot: Some(directory.join("policy.yaml")),
        listen: Some(([127, 0, 0, 1], 0).into()),
        ops_listen: Some(([127, 0, 0, 1], 0).into()),
        uds: Some(directory.join("data.sock")),
        admin_listen: Some(([127, 0, 0, 1], 0).into()),
        admin_uds: Some(directory.join("admin.sock")),
        workers: 2,
        drain: Duration::from_secs(5),
        ..Config::default()
    }
}

impl Daemon {
    fn client(&self) -> Blocking {
        Blocking::connect(&self.running.addresses().data.unwrap().to_string(), LIMIT).unwrap()
    }

    fn ready(self) -> Self {
        assert!(self.running.ready(LIMIT));
        self
    }

    fn write(&self, text: &str) {
        let next = self.directory.path().join("next");
        fs::write(&next, text).unwrap();
        fs::rename(next, self.directory.path().join("policy.yaml")).unwrap();
    }

    fn ops(&self, path: &str) -> (u16, String) {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(self.running.addresses().ops.unwrap()).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: ops\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let status = text.split(' ').nth(1).unwrap().parse().unwrap();
        (status, text)
    }
}

fn question(resource_type: &str) -> v1::AuthorizeRequest {
    v1::AuthorizeRequest {
        subject: Some(v1::Subject { r#type: "user".into(), id: "a".into(), ..v1::Subject::default() }),
        action: Some(v1::Action { name: "access".into(), ..v1::Action::default() }),
        resource: Some(v1::Resource { r#type: resource_type.into(), id: "x".into(), ..v1::Resource::default() }),
        request_id: "r1".into(),
        ..v1::AuthorizeRequest::default()
    }
}

fn demanding(requirement: Requirement) -> v1::AuthorizeRequest {
    let consistency = Some(v1::Consistency { requirement: Some(requirement) });
    v1::AuthorizeRequest { consistency, ..question("nothing") }
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> (Code, String, Option<String>) {
    let error = answer.unwrap_err();
    let ClientError::Refused { code, message, field } = error else { panic!("{error}") };
    (code, message, field)
}

/// Health follows the first snapshot a moment later.
fn until_serving(client: &Blocking) {
    let begun = Instant::now();
    while client.call(|client| client.health("")).unwrap() != ServingStatus::Serving {
        assert!(begun.elapsed() < LIMIT, "a snapshot is live, and health does not say so");
    }
}

#[test]
fn answers_over_tcp_and_a_unix_socket() {
    let daemon = daemon("a 7").ready();
    let uds = format!("unix:{}", daemon.directory.path().join("data.sock").display());
    for client in [daemon.client(), Blocking::connect(&uds, LIMIT).unwrap()] {
        let answer = client.call(|client| client.authorize(question("nothing"))).unwrap();
        assert_eq!(answer.decision(), v1::Decision::Deny);
        assert_eq!(answer.reason(), v1::Reason::UnknownType);
        assert_eq!(answer.request_id, "r1");
        assert_eq!(answer.snapshot.as_ref().unwrap().sequence, 7);
        assert!(answer.evaluated_at.unwrap().seconds > 1_700_000_000);
        until_serving(&client);
        let explained = client.call(|client| client.explain(question("nothing"))).unwrap();
        assert_eq!(explained.response.unwrap().reason(), v1::Reason::UnknownType);
    }
    assert!(daemon.directory.path().join("data.sock").exists());
    daemon.running.shutdown();
    let Daemon { directory, running } = daemon;
    assert_eq!(running.wait(), ExitReason::Stopped { cut: 0 });
    assert!(!directory.path().join("data.sock").exists());
}

#[test]
fn says_what_is_malformed_and_what_is_not_built() {
    let daemon = daemon("a").ready();
    let client = daemon.client();
    let (code, _, field) = refusal(client.call(|client| client.authorize(question(""))));
    assert_eq!((code, field.as_deref()), (Code::InvalidArgument, Some("resource.type")));
    let empty = v1::AuthorizeRequest::default();
    let (code, _, field) = refusal(client.call(|client| client.explain(empty)));
    assert_eq!((code, field.as_deref()), (Code::InvalidArgument, Some("subject")));
    let batch =
        v1::BatchAuthorizeRequest { requests: vec![question("x"); 1001], ..v1::BatchAuthorizeRequest::default() };
    let (code, _, field) = refusal(client.call(|client| client.batch(batch)));
    assert_eq!((code, field.as_deref()), (Code::InvalidArgument, Some("requests")));
    let (code, ..) = refusal(client.call(|client| client.health("no.such.Service")));
    assert_eq!(code, Code::NotFound);
}

#[test]
fn a_batch_stops_where_its_semantics_say() {
    let daemon = daemon("a").ready();
    let client = daemon.client();
    let run = |semantics: Semantics, count: usize| {
        let mut requests = vec![question("")];
        requests.extend(vec![question("nothing"); count]);
        let batch =
            v1::BatchAuthorizeRequest { requests, semantics: semantics.into(), ..v1::BatchAuthorizeRequest::default() };
        client.call(|client| client.batch(batch)).unwrap().results
    };
    let all = run(Semantics::ExecuteAll, 1);
    assert_eq!(all.len(), 2);
    let Some(Outcome::Error(error)) = &all[0].outcome else { panic!("{all:?}") };
    assert_eq!((error.code, error.field.as_str()), (Code::InvalidArgument as i32, "resource.type"));
    let Some(Outcome::Verdict(verdict)) = &all[1].outcome else { panic!("{all:?}") };
    assert_eq!(verdict.decision(), v1::Decision::Deny);
    assert_eq!(run(Semantics::DenyOnFirstDeny, 1).len(), 1, "a malformed item is a denial");
    assert_eq!(run(Semantics::PermitOnFirstPermit, 1).len(), 2);
    assert_eq!(run(Semantics::ExecuteAll, 500).len(), 501, "on the thread for expensive calls");
}

#[test]
fn without_a_snapshot_it_stays_up_and_mends() {
    let daemon = daemon("bad");
    let client = daemon.client();
    let (code, ..) = refusal(client.call(|client| client.authorize(question("nothing"))));
    assert_eq!(code, Code::Unavailable);
    assert_eq!(client.call(|client| client.health("")).unwrap(), ServingStatus::NotServing);
    assert_eq!(daemon.ops("/readyz").0, 503);
    assert_eq!(daemon.ops("/livez").0, 200);
    daemon.write("good");
    let daemon = daemon.ready();
    assert!(client.call(|client| client.authorize(question("nothing"))).is_ok());
    assert_eq!(daemon.ops("/readyz").0, 200);
    // The news of a swap follows it.
    let metrics = || daemon.ops("/metrics").1;
    let begun = Instant::now();
    while !metrics().contains("sidegate_reloads_total{result=\"applied\"} 1") {
        assert!(begun.elapsed() < LIMIT, "{}", metrics());
    }
    let metrics = metrics();
    assert!(metrics.contains("sidegate_decisions_total{decision=\"deny\",reason=\"UNKNOWN_TYPE\"} 1"), "{metrics}");
    assert_eq!(daemon.ops("/other").0, 200, "gRPC's own way to say UNIMPLEMENTED");
}

#[test]
fn fail_fast_ends_with_65() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("policy.yaml"), "bad").unwrap();
    let config = Config { fail_fast: true, ..config(directory.path()) };
    let reason = start_with(&config, testing::builder(), false, None).unwrap().wait();
    assert!(matches!(reason, ExitReason::FailedFast(_)), "{reason}");
    assert_eq!(reason.code(), 65);
}

#[test]
fn a_taken_address_ends_the_start() {
    let daemon = daemon("a");
    let taken = Config { listen: daemon.running.addresses().data, ..config(daemon.directory.path()) };
    let error = start_with(&taken, testing::builder(), false, None).unwrap_err();
    assert!(error.to_string().starts_with("cannot listen on `127.0.0.1:"), "{error}");
    assert!(error.to_string().ends_with("; stop what listens there, or choose another address"), "{error}");
    assert_eq!(error.code(), 70);
}

#[test]
fn a_demanded_snapshot_is_waited_for() {
    let daemon = daemon("a 5").ready();
    let client = daemon.client();
    let ask = |requirement| client.call(|client| client.authorize(demanding(requirement)));
    assert!(ask(Requirement::AtLeastSequence(5)).is_ok());
    let (code, message, _) = refusal(ask(Requirement::AtLeastSequence(6)));
    assert_eq!(code, Code::FailedPrecondition, "{message}");
    let (code, ..) = refusal(ask(Requirement::ExactDigest("00".into())));
    assert_eq!(code, Code::FailedPrecondition);
    let (code, _, field) = refusal(ask(Requirement::ExactDigest(String::new())));
    assert_eq!((code, field.as_deref()), (Code::InvalidArgument, Some("consistency.exact_digest")));
    daemon.write("b 6");
    let answer = (0..20).find_map(|_| ask(Requirement::AtLeastSequence(6)).ok()).unwrap();
    assert_eq!(answer.snapshot.unwrap().sequence, 6);
    daemon.write("c");
    let unmeetable = (0..20).find_map(|_| match ask(Requirement::AtLeastSequence(7)) {
        Err(ClientError::Refused { message, .. }) if message.contains("declares none") => Some(message),
        _ => None,
    });
    assert!(unmeetable.is_some());
}

#[test]
fn a_watch_is_told_of_the_end_and_lets_the_drain_pass() {
    let daemon = daemon("a").ready();
    let address = format!("http://{}", daemon.running.addresses().data.unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut health = HealthClient::connect(address).await.unwrap();
        let request = HealthCheckRequest { service: "sidegate.v1.AuthorizationService".into() };
        let mut watch = health.watch(request).await.unwrap().into_inner();
        let mut next = async || tokio::time::timeout(LIMIT, watch.message()).await.unwrap().unwrap();
        let mut status = next().await.unwrap().status();
        if status == ServingStatus::NotServing {
            // Health follows the snapshot a moment later.
            status = next().await.unwrap().status();
        }
        assert_eq!(status, ServingStatus::Serving);
        daemon.running.shutdown();
        assert_eq!(next().await.unwrap().status(), ServingStatus::NotServing);
        assert!(next().await.is_none());
    });
    assert_eq!(daemon.running.wait(), ExitReason::Stopped { cut: 0 });
}

#[test]
fn admin_tells_and_reloads() {
    let daemon = daemon("a 3").ready();
    let socket = format!("unix:{}", daemon.directory.path().join("admin.sock").display());
    let loopback = format!("http://{}", daemon.running.addresses().admin.unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for address in [socket, loopback] {
        runtime.block_on(told_and_reloaded(address));
    }
    let data = format!("http://{}", daemon.running.addresses().data.unwrap());
    let code = runtime.block_on(async {
        let mut data = SnapshotServiceClient::connect(data).await.unwrap();
        data.get_snapshot(v1::GetSnapshotRequest {}).await.unwrap_err().code()
    });
    assert_eq!(code, Code::Unimplemented, "not for those who may only ask");
}

async fn told_and_reloaded(address: String) {
    let mut admin = SnapshotServiceClient::connect(address).await.unwrap();
    let status = admin.get_snapshot(v1::GetSnapshotRequest {}).await.unwrap().into_inner().status.unwrap();
    let live = status.live.unwrap();
    assert_eq!((live.generation, live.snapshot.unwrap().sequence), (1, 3));
    let reloaded = admin.reload_snapshot(v1::ReloadSnapshotRequest {}).await.unwrap().into_inner();
    assert_eq!(reloaded.outcome(), v1::ReloadOutcome::Unchanged);
    let code = admin.diff_snapshot(v1::DiffSnapshotRequest::default()).await.unwrap_err().code();
    assert_eq!(code, Code::Unimplemented);
}

#[test]
fn a_stream_answers_each_question_and_ends_with_the_daemon() {
    let daemon = daemon("a").ready();
    let address = format!("http://{}", daemon.running.addresses().data.unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (ask, asked) = tokio::sync::mpsc::channel(8);
        let mut client = AuthorizationServiceClient::connect(address).await.unwrap();
        for (id, kind) in [("1", "nothing"), ("2", "")] {
            let request = Some(v1::AuthorizeRequest { request_id: id.into(), ..question(kind) });
            ask.send(v1::AuthorizeStreamRequest { request }).await.unwrap();
        }
        let questions = tokio_stream::wrappers::ReceiverStream::new(asked);
        let mut answers = client.authorize_stream(questions).await.unwrap().into_inner();
        let first = answers.message().await.unwrap().unwrap();
        assert_eq!(first.request_id, "1");
        assert!(matches!(first.outcome, Some(Streamed::Response(_))));
        let second = answers.message().await.unwrap().unwrap();
        assert!(matches!(second.outcome, Some(Streamed::Error(_))));
        daemon.running.shutdown();
        let end = tokio::time::timeout(LIMIT, answers.message()).await.unwrap().unwrap_err();
        assert_eq!(end.code(), Code::Unavailable);
    });
    assert_eq!(daemon.running.wait(), ExitReason::Stopped { cut: 0 });
}
