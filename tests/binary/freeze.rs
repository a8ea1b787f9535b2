//! A daemon that is stopped and goes on: late answers, but right ones, from what is true by then.

use prost::Message as _;
use rustix::process::Signal;
use sidegate::client::Client;
use sidegate::service::proto::v1::{
    self, authorization_service_client::AuthorizationServiceClient, authorize_stream_response::Outcome,
};
use std::time::Duration;
use tokio::task::JoinSet;
use tonic::Code;

use crate::flood::AUTHORIZE;
use crate::frames::{DATA, END_HEADERS, HEADERS, PREFACE, WINDOW_UPDATE, Wire, call, frame, settings};
use crate::raw;
use crate::support::{Daemon, LIMIT, POLICY, ana_may, block_on, good, question, until};
use crate::vitals::{Baseline, Bystanders, connections, state};

const STREAM: &str = "/sidegate.v1.AuthorizationService/AuthorizeStream";

#[test]
fn calls_made_while_it_is_stopped_are_answered_when_it_goes_on() {
    let daemon = Daemon::start(&good()).ready();
    let baseline = Baseline::of(&daemon);
    block_on(async {
        let client = Client::connect(&daemon.data, LIMIT).await.unwrap();
        for _ in 0..3 {
            client.authorize(question("ana", "access")).await.unwrap();
            daemon.process.stop();
            let mut calls = JoinSet::new();
            for number in 0..300 {
                let client = client.clone();
                let user = if number % 2 == 0 { "ana" } else { "bob" };
                calls.spawn(async move { (user, client.authorize(question(user, "access")).await) });
            }
            // A call whose caller gives up meanwhile; one on a connection that is not accepted yet.
            let hasty = raw::connect(&daemon.data).await;
            let late = tokio::spawn(async move {
                let mut hasty = hasty.ready().await.unwrap();
                let mut request = raw::post(AUTHORIZE, "application/grpc");
                request.headers_mut().insert("grpc-timeout", "1m".parse().unwrap());
                let body = raw::frame(&question("ana", "access").encode_to_vec());
                raw::send(&mut hasty, request, body).await.unwrap()
            });
            tokio::task::yield_now().await;
            assert_eq!(state(&daemon), 'T');
            daemon.process.signal(Signal::CONT);
            let mut answered = 0;
            while let Some(call) = calls.join_next().await {
                let (user, answer) = call.unwrap();
                assert_eq!(sidegate::client::allows(&answer.unwrap()), user == "ana", "{user}");
                answered += 1;
            }
            assert_eq!(answered, 300);
            let late = Code::from_i32(late.await.unwrap().grpc.unwrap());
            assert!(matches!(late, Code::Ok | Code::DeadlineExceeded), "{late:?}");
        }
    });
    baseline.is_reached_again(&daemon, "stopped and gone on");
}

#[test]
fn what_changed_while_it_was_stopped_is_served_when_it_goes_on() {
    let daemon = Daemon::start(&good()).ready();
    let client = daemon.client();
    for round in 0..4 {
        let may = round % 2 == 0;
        assert_eq!(ana_may(&client), may);
        daemon.process.stop();
        daemon.write(if may { POLICY } else { "sidegate: 1\nrolls: {}\n" });
        if !may {
            daemon.write(&good());
        }
        daemon.process.signal(Signal::CONT);
        until("the change is served", || ana_may(&client) != may);
        assert_eq!(daemon.get("/livez").0, 200);
    }
}

/// Whoever keeps to the windows that the daemon gives has done nothing wrong, however much piles up meanwhile.
#[test]
fn streams_that_fill_their_windows_meanwhile_are_answered() {
    let daemon = Daemon::start(&good()).ready();
    let each = 2_000;
    block_on(async {
        let client = AuthorizationServiceClient::connect(format!("http://{}", daemon.data)).await.unwrap();
        let mut streams = JoinSet::new();
        let mut tellers = Vec::new();
        for _ in 0..4 {
            let mut client = client.clone();
            let (ask, asked) = tokio::sync::mpsc::channel(each);
            ask.send(v1::AuthorizeStreamRequest { request: Some(question("ana", "access")) }).await.unwrap();
            let mut answers =
                client.authorize_stream(tokio_stream::wrappers::ReceiverStream::new(asked)).await.unwrap().into_inner();
            answers.message().await.unwrap().unwrap();
            tellers.push(ask);
            streams.spawn(async move {
                for number in 0..each {
                    let answer = answers.message().await.unwrap_or_else(|error| panic!("{number}: {error}"));
                    let Some(Outcome::Response(answer)) = answer.unwrap().outcome else { panic!("{number}") };
                    assert!(sidegate::client::allows(&answer));
                }
            });
        }
        daemon.process.stop();
        for ask in &tellers {
            for _ in 0..each {
                ask.send(v1::AuthorizeStreamRequest { request: Some(question("ana", "access")) }).await.unwrap();
            }
        }
        // Lets the connection write what it may.
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        daemon.process.signal(Signal::CONT);
        while let Some(stream) = streams.join_next().await {
            stream.unwrap();
        }
    });
}

#[test]
fn a_termination_among_those_who_do_not_come_to_the_point_is_in_time() {
    let daemon = Daemon::start(&good()).ready();
    let mut open = Vec::new();
    for _ in 0..50 {
        for bytes in [
            [PREFACE, &settings(&[]), &frame(HEADERS, 0, 1, &call(AUTHORIZE))].concat(),
            [PREFACE, &settings(&[]), &frame(HEADERS, END_HEADERS, 1, &call(AUTHORIZE))[..20]].concat(),
            PREFACE.to_vec(),
            Vec::new(),
        ] {
            let mut wire = Wire::open(&daemon.data);
            assert!(wire.write(&bytes));
            open.push(wire);
        }
    }
    until("they are taken", || connections(&daemon) >= 200);
    let others = Bystanders::ask(&daemon.data, false);
    others.end();
    let ended = daemon.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("\"reason\":\"stopped\""), "none had to be cut: {}", ended.err);
}

#[test]
fn small_messages_within_the_windows_are_borne() {
    let daemon = Daemon::start(&good()).ready();
    let asked = v1::AuthorizeStreamRequest { request: Some(question("ana", "access")) };
    let message = raw::frame(&asked.encode_to_vec());
    // Room for every answer: what is tested is the way there.
    let mut wire = Wire::hello(&daemon.data, &[(4, 1 << 20)]);
    assert!(wire.write(&frame(WINDOW_UPDATE, 0, 0, &(1_u32 << 24).to_be_bytes())));
    let listening = wire.listen();
    let streams = 3;
    for stream in 0..streams {
        wire.write(&frame(HEADERS, END_HEADERS, stream * 2 + 1, &call(STREAM)));
    }
    wire.write(&frame(DATA, 0, 1, &message));
    until("the first is answered", || listening.so_far().frames[0] > 0);
    daemon.process.stop();
    // As many as one stream's window of 64 KiB has room for.
    let each = 700;
    for number in 0..streams * each {
        assert!(wire.write(&frame(DATA, 0, (number % streams) * 2 + 1, &message)));
    }
    daemon.process.signal(Signal::CONT);
    until("all are answered", || {
        let heard = listening.so_far();
        assert_eq!(heard.goaway, None, "taken for a flood");
        // A few names are split between two frames.
        heard.payloads.windows(12).filter(|bytes| bytes == b"roles/member").count() > 2_000
    });
}
