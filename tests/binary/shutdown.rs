//! The end: told first, then drained, nothing lost.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use prost::Message as _;
use rustix::process::Signal;
use sidegate::client::{Client, ClientError};
use sidegate::service::proto::{
    health_v1::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient},
    v1::{self, authorization_service_client::AuthorizationServiceClient, consistency::Requirement},
};
use tokio::task::JoinSet;
use tonic::Code;

use crate::raw::{connect, frame, post, send};
use crate::support::{Daemon, LIMIT, block_on, good, question, until};

const CONNECTIONS: usize = 4;
const IN_FLIGHT: usize = 8;

/// What became of the calls.
#[derive(Default)]
struct Tally {
    answered: AtomicUsize,
    /// Told that it was not taken: the caller may ask elsewhere.
    refused: AtomicUsize,
    lost: AtomicUsize,
}

/// Calls again and again until the daemon takes no more.
async fn load(mut client: SendRequest<Bytes>, body: Vec<u8>, tally: Arc<Tally>) {
    loop {
        // A connection that ends before a call is sent loses none.
        let Ok(mut ready) = client.ready().await else { return };
        let request = post("/sidegate.v1.AuthorizationService/Authorize", "application/grpc");
        match send(&mut ready, request, body.clone()).await {
            Ok(answer) if answer.grpc == Some(0) && !answer.body.is_empty() => tally.answered.fetch_add(1, SeqCst),
            Err(error) if error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM) => {
                tally.refused.fetch_add(1, SeqCst);
                return;
            }
            other => {
                println!("lost: {other:?}");
                tally.lost.fetch_add(1, SeqCst);
                return;
            }
        };
        client = ready;
    }
}

#[test]
fn a_termination_under_load_loses_nothing() {
    let daemon = Daemon::start(&good()).ready();
    let tally = Arc::new(Tally::default());
    block_on(async {
        let body = frame(&question("ana", "access").encode_to_vec());
        let mut calls = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let client = connect(&daemon.data).await;
            for _ in 0..IN_FLIGHT {
                calls.spawn(load(client.clone(), body.clone(), Arc::clone(&tally)));
            }
        }
        let begun = Instant::now();
        while tally.answered.load(SeqCst) < 2_000 {
            assert!(begun.elapsed() < LIMIT);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        daemon.process.signal(Signal::TERM);
        calls.join_all().await;
    });
    let ended = daemon.process.end();
    let [answered, refused, lost] = [&tally.answered, &tally.refused, &tally.lost].map(|count| count.load(SeqCst));
    println!("{answered} answered, {refused} refused, {lost} lost");
    assert_eq!(lost, 0, "{}", ended.err);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("\"reason\":\"stopped\""), "no connection was cut: {}", ended.err);
}

#[test]
fn calls_in_flight_are_answered_after_health_says_no() {
    let daemon = Daemon::start(&format!("{}sequence: 1\n", good())).ready();
    block_on(async {
        let mut health = HealthClient::connect(format!("http://{}", daemon.ops)).await.unwrap();
        let mut watch = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
        while watch.message().await.unwrap().unwrap().status() != ServingStatus::Serving {}
        // Calls that wait: for a second at most, unless the snapshot that they demand comes.
        let client = Client::connect(&daemon.data, LIMIT).await.unwrap();
        let consistency = Some(v1::Consistency { requirement: Some(Requirement::AtLeastSequence(2)) });
        let mut calls = JoinSet::new();
        for _ in 0..20 {
            let (client, request) = (client.clone(), question("ana", "access"));
            let request = v1::AuthorizeRequest { consistency: consistency.clone(), ..request };
            calls.spawn(async move { client.authorize(request).await });
        }
        // Sent on the same connection after them: its answer says that they have arrived.
        tokio::task::yield_now().await;
        client.authorize(question("ana", "access")).await.unwrap();
        daemon.process.signal(Signal::TERM);
        assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
        daemon.write(&format!("{}sequence: 2\n", good()));
        let mut waited_in_vain = 0;
        for answer in calls.join_all().await {
            match answer {
                Ok(answer) => assert_eq!(answer.snapshot.unwrap().sequence, 2),
                Err(ClientError::Refused { code: Code::FailedPrecondition, .. }) => waited_in_vain += 1,
                Err(error) => panic!("lost: {error}"),
            }
        }
        println!("{waited_in_vain} of 20 waited for a second in vain");
        assert!(watch.message().await.unwrap().is_none(), "let go at the end");
    });
    let ended = daemon.process.end();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
}

#[test]
fn what_a_stream_has_brought_is_answered_before_the_end() {
    let daemon = Daemon::start(&good()).ready();
    block_on(async {
        let mut client = AuthorizationServiceClient::connect(format!("http://{}", daemon.data)).await.unwrap();
        let (ask, asked) = tokio::sync::mpsc::channel(64);
        let questions = tokio_stream::wrappers::ReceiverStream::new(asked);
        let mut answers = client.authorize_stream(questions).await.unwrap().into_inner();
        for number in 0..50 {
            let request = v1::AuthorizeRequest { request_id: number.to_string(), ..question("ana", "access") };
            ask.send(v1::AuthorizeStreamRequest { request: Some(request) }).await.unwrap();
        }
        for number in 0..50 {
            if number == 25 {
                daemon.process.signal(Signal::TERM);
            }
            assert_eq!(answers.message().await.unwrap().unwrap().request_id, number.to_string());
        }
        assert_eq!(answers.message().await.unwrap_err().code(), Code::Unavailable);
    });
    assert_eq!(daemon.process.end().code, Some(0));
}

#[test]
fn clients_that_do_not_listen_do_not_hold_up_the_end() {
    let daemon = Daemon::start(&good()).ready();
    // One says nothing, one stops in the middle of the preface, one sends settings and reads no more.
    let words = [&b""[..], b"PRI * HT", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"];
    let open = words.map(|words| {
        let mut stream = TcpStream::connect(&daemon.data).unwrap();
        stream.write_all(words).unwrap();
        stream
    });
    until("they are taken", || daemon.metric("sidegate_connections{listener=\"data\"}") >= 3);
    let ended = daemon.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("\"reason\":\"stopped\""), "none had to be cut: {}", ended.err);
    drop(open);
}

#[test]
fn a_second_signal_cuts_what_does_not_end() {
    let daemon = Daemon::start(&good()).ready();
    let ended = block_on(async {
        // A call whose body never ends.
        let mut client = connect(&daemon.data).await.ready().await.unwrap();
        let request = post("/sidegate.v1.AuthorizationService/Authorize", "application/grpc");
        let (_response, _sender) = client.send_request(request, false).unwrap();
        let mut after = client.clone().ready().await.unwrap();
        let body = frame(&question("ana", "access").encode_to_vec());
        let request = post("/sidegate.v1.AuthorizationService/Authorize", "application/grpc");
        send(&mut after, request, body).await.unwrap();
        daemon.process.signal(Signal::TERM);
        daemon.logged("draining");
        daemon.process.signal(Signal::TERM);
        daemon.process.end()
    });
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("1 connections were cut"), "{}", ended.err);
}
