//! Clients that say little, say it slowly, or do not listen: they hold a place for a while, and nobody else up.

use std::fs;

use bytes::Bytes;
use h2::RecvStream;
use prost::Message as _;
use sidegate::client::{Blocking, allows};
use sidegate::service::proto::v1::{
    self, authorization_service_client::AuthorizationServiceClient, authorize_stream_response::Outcome,
};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::flood::AUTHORIZE;
use crate::frames::{END_HEADERS, HEADERS, PREFACE, Wire, call, frame, settings, whole_call};
use crate::raw;
use crate::support::{Daemon, LIMIT, block_on, good, question, until};
use crate::vitals::{Baseline, Bystanders, connections, raise_descriptors, unharmed};

/// A daemon with these limits.
fn limited(text: &str, limits: &str) -> (Daemon, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sidegate.toml");
    fs::write(&file, format!("[limits]\n{limits}\n")).unwrap();
    (Daemon::start_with(text, &["--config", file.to_str().unwrap()]).ready(), directory)
}

/// As many as the descriptors of this process and of its children allow, and no more than this.
fn at_most(wanted: usize) -> usize {
    let possible = usize::try_from(raise_descriptors() / 4).unwrap();
    wanted.min(possible)
}

/// The ways not to come to the point.
fn beginnings() -> [(&'static str, Vec<u8>); 7] {
    let hello = [PREFACE, &settings(&[])].concat();
    let headers = frame(HEADERS, END_HEADERS, 1, &call(AUTHORIZE));
    let client_hello = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    [
        ("silent", Vec::new()),
        ("half a preface", PREFACE[..12].to_vec()),
        ("half of TLS's hello", client_hello.to_vec()),
        ("a preface alone", PREFACE.to_vec()),
        ("settings alone", hello.clone()),
        ("half of the headers", [&hello, &headers[..headers.len() / 2]].concat()),
        ("headers without end", [&hello[..], &frame(HEADERS, 0, 1, &call(AUTHORIZE))].concat()),
    ]
}

#[test]
fn who_never_asks_is_let_go() {
    let (daemon, _config) = limited(&good(), "handshake = \"3s\"\nconnections = 20000");
    let each = at_most(1_400) / beginnings().len();
    let baseline = Baseline::of(&daemon);
    let others = Bystanders::ask(&daemon.data, true);
    let mut open = Vec::new();
    for (what, bytes) in beginnings() {
        for _ in 0..each {
            let mut wire = Wire::open(&daemon.data);
            // Fails when the daemon has had enough already: its right.
            wire.write(&bytes);
            open.push((what, wire));
        }
    }
    others.wait();
    // Those who never ask are gone while those who do are not.
    for (what, mut wire) in open {
        until(what, || wire.is_closed());
    }
    others.wait();
    others.end();
    baseline.is_reached_again(&daemon, "connections that do not come to the point");
}

#[test]
fn idle_connections_over_the_cap_are_closed_at_once() {
    let (daemon, _config) = limited(&good(), "connections = 100\nhandshake = \"60s\"");
    let baseline = Baseline::of(&daemon);
    let others = Bystanders::ask(&daemon.data, false);
    let mut open: Vec<_> = (0..at_most(600)).map(|_| Wire::open(&daemon.data)).collect();
    until("those over the cap are closed", || {
        open.retain_mut(|wire| !wire.is_closed());
        open.len() <= 98
    });
    assert_eq!(connections(&daemon), 100);
    assert_eq!(open.len(), 98, "those within it are not");
    others.wait();
    assert!(daemon.metric("sidegate_shed_total{what=\"connection\"}") >= 500);
    assert_eq!(daemon.get("/livez").0, 200, "the ops listener has places of its own");
    // A place that is given up is there for the next one.
    drop(open);
    until("there is room again", || {
        Blocking::connect(&daemon.data, LIMIT)
            .is_ok_and(|client| client.call(|client| client.authorize(question("ana", "access"))).is_ok())
    });
    others.end();
    baseline.is_reached_again(&daemon, "idle connections over the cap");
}

#[test]
fn asking_byte_by_byte_is_answered_or_cut() {
    let (daemon, _config) = limited(&good(), "handshake = \"60s\"");
    let body = raw::frame(&question("ana", "access").encode_to_vec());
    let bytes = [PREFACE, &settings(&[]), &whole_call(1, AUTHORIZE, &body)].concat();
    unharmed(&daemon, "byte by byte", || {
        let mut wire = Wire::open(&daemon.data);
        let listening = wire.listen();
        for byte in bytes {
            assert!(wire.write(&[byte]));
        }
        until("it is answered", || !listening.so_far().payloads.is_empty());
        wire.finish();
        listening.end();
    });
}

/// A snapshot whose lists are long: a megabyte.
fn long_lists() -> String {
    let mut text = good();
    let ids = (0..1000).map(|number| format!("  workspace/{number:0>1000}: {{parent: account/orbit}}\n"));
    let at = text.find("bindings:").unwrap();
    text.insert_str(at, &ids.collect::<String>());
    text.replace("{at: workspace, allow", "{at: account, allow").replace("at: workspace/prod}", "at: account/orbit}")
}

/// The call that is answered with it.
fn long_list() -> Vec<u8> {
    let subject = Some(v1::Subject { r#type: "user".into(), id: "ana".into(), ..Default::default() });
    let action = Some(v1::Action { name: "access".into(), ..Default::default() });
    let resource_type = "workspace".to_owned();
    let list = v1::ListResourcesRequest { subject, action, resource_type, page_size: 1000, ..Default::default() };
    raw::frame(&list.encode_to_vec())
}

/// Opens a connection with so little room for each answer and calls as often as it may at once; how many were heeded.
async fn ask_and_do_not_listen(address: &str, window: u32, path: &str, body: &[u8]) -> (usize, Vec<RecvStream>) {
    let stream = TcpStream::connect(address).await.unwrap();
    let handshake = h2::client::Builder::new().initial_window_size(window).handshake::<_, Bytes>(stream);
    let (client, connection) = handshake.await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    let (mut heeded, mut held) = (0, Vec::new());
    for _ in 0..24 {
        let Ok(mut client) = client.clone().ready().await else { break };
        let (response, mut sender) = client.send_request(raw::post(path, "application/grpc"), false).unwrap();
        drop(sender.send_data(body.to_vec().into(), true));
        // The headers of the answer need no window: they tell that the rest is there.
        let Ok(response) = response.await else { break };
        heeded += usize::from(!response.headers().contains_key("grpc-status"));
        held.push(response.into_body());
    }
    (heeded, held)
}

#[test]
fn answers_that_nobody_takes_do_not_pile_up() {
    let path = "/sidegate.v1.AuthorizationService/ListResources";
    // Room for one byte, and all of an answer is on its way.
    for window in [0, 1] {
        let daemon = Daemon::start(&long_lists()).ready();
        unharmed(&daemon, "answers that nobody takes", || {
            block_on(async {
                let mut open = Vec::new();
                for _ in 0..2 {
                    open.push(ask_and_do_not_listen(&daemon.data, window, path, &long_list()).await);
                }
                // On a slow machine the first of them are cut before the last have come.
                println!("{} of 48 calls were heeded", open.iter().map(|(heeded, _)| heeded).sum::<usize>());
            });
        });
        let slow = "sidegate_connections_closed_total{listener=\"data\",why=\"slow\"}";
        assert!(daemon.metric("sidegate_shed_total{what=\"room\"}") + daemon.metric(slow) > 0);
    }
}

#[test]
fn messages_that_never_come_whole_do_not_pile_up() {
    let daemon = Daemon::start(&good()).ready();
    // A batch may have 4 MiB: each of these stops at three.
    let begun = [&[0][..], &(4_u32 << 20).to_be_bytes(), &vec![0; 3 << 20]].concat();
    let path = "/sidegate.v1.AuthorizationService/BatchAuthorize";
    unharmed(&daemon, "messages that never come whole", || {
        block_on(async {
            let (client, mut open, mut refused) = (raw::connect(&daemon.data).await, Vec::new(), 0);
            for _ in 0..8 {
                let Ok(mut client) = client.clone().ready().await else { break };
                let (mut response, mut sender) =
                    client.send_request(raw::post(path, "application/grpc"), false).unwrap();
                sender.send_data(begun.clone().into(), false).unwrap();
                // Either all of it is taken, or it is refused; on a slow machine the connection may be cut for it.
                sender.reserve_capacity(1);
                let taken = async {
                    while sender.capacity() == 0 {
                        if std::future::poll_fn(|cx| sender.poll_capacity(cx)).await.is_none() {
                            break;
                        }
                    }
                };
                tokio::select! {
                    biased;
                    answer = &mut response => {
                        let Ok(answer) = answer else { break };
                        assert_eq!(answer.headers()["grpc-status"], "8", "RESOURCE_EXHAUSTED");
                        refused += 1;
                    }
                    () = taken => open.push((response, sender)),
                }
            }
            println!("{} are held, {refused} refused", open.len());
        });
    });
    let slow = "sidegate_connections_closed_total{listener=\"data\",why=\"slow\"}";
    assert!(daemon.metric("sidegate_shed_total{what=\"room\"}") + daemon.metric(slow) > 0);
}

#[test]
fn a_stream_may_last_however_much_it_sends_in_all() {
    const QUESTIONS: usize = 250;
    let daemon = Daemon::start(&good()).ready();
    // What is not declared is ignored: only the bytes matter. All streams together send more than may be held at once.
    let mut large = question("ana", "access");
    let padding = v1::Value { kind: Some(v1::value::Kind::StringValue("x".repeat(60_000))) };
    large.context.insert("padding".to_owned(), padding);
    let asked = v1::AuthorizeStreamRequest { request: Some(large) };
    block_on(async {
        let stub = AuthorizationServiceClient::connect(format!("http://{}", daemon.data)).await.unwrap();
        let streams = (0..4).map(|_| {
            let (mut stub, asked) = (stub.clone(), asked.clone());
            tokio::spawn(async move {
                let asked = tokio_stream::iter(std::iter::repeat_n(asked, QUESTIONS));
                let mut answers = stub.authorize_stream(asked).await.unwrap().into_inner();
                let mut count = 0;
                while let Some(answer) = answers.message().await.unwrap() {
                    assert!(matches!(answer.outcome, Some(Outcome::Response(answer)) if allows(&answer)));
                    count += 1;
                }
                count
            })
        });
        for stream in streams.collect::<Vec<_>>() {
            assert_eq!(stream.await.unwrap(), QUESTIONS);
        }
    });
    assert_eq!(daemon.metric("sidegate_shed_total{what=\"room\"}"), 0);
}

/// A large frame of answers would be held against a client who does not read for a while, with its connection and all that
/// goes over it.
#[test]
fn the_answers_of_a_stream_go_in_small_frames() {
    const QUESTIONS: usize = 3_000;
    let daemon = Daemon::start(&good()).ready();
    let asked = v1::AuthorizeStreamRequest { request: Some(question("ana", "access")) };
    let body = raw::frame(&asked.encode_to_vec()).repeat(QUESTIONS);
    let sizes: Vec<usize> = block_on(async {
        let stream = TcpStream::connect(&daemon.data).await.unwrap();
        let handshake = h2::client::Builder::new().initial_window_size(1 << 24).handshake::<_, Bytes>(stream);
        let (client, connection) = handshake.await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        let post = raw::post("/sidegate.v1.AuthorizationService/AuthorizeStream", "application/grpc");
        let (response, mut sender) = client.ready().await.unwrap().send_request(post, false).unwrap();
        sender.send_data(body.into(), true).unwrap();
        let mut answers = response.await.unwrap().into_body();
        let mut sizes = Vec::new();
        while let Some(data) = answers.data().await {
            let size = data.unwrap().len();
            answers.flow_control().release_capacity(size).unwrap();
            sizes.push(size);
        }
        assert_eq!(answers.trailers().await.unwrap().unwrap()["grpc-status"], "0");
        sizes
    });
    assert!(sizes.iter().sum::<usize>() > 100 * QUESTIONS, "{sizes:?}");
    // What HTTP/2 sends at once, unless told otherwise, and what is not counted.
    assert!(sizes.iter().all(|size| *size < 16 * 1024), "{sizes:?}");
}
