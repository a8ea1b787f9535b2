//! Messages of every size, deadlines that cannot be met, and callers who change their mind or vanish.

use prost::Message as _;
use sidegate::service::proto::v1::{self, consistency::Requirement, value::Kind};
use tonic::Code;

use crate::flood::AUTHORIZE;
use crate::frames::{DATA, END_HEADERS, HEADERS, Wire, call, frame, whole_call};
use crate::raw::{self, connect, post, send};
use crate::support::{Daemon, block_on, good, question, until};
use crate::vitals::{connections, unharmed};

const BATCH: &str = "/sidegate.v1.AuthorizationService/BatchAuthorize";
const STREAM: &str = "/sidegate.v1.AuthorizationService/AuthorizeStream";
const LIST: &str = "/sidegate.v1.AuthorizationService/ListActions";
/// The cap of a question and that of a batch.
const CAPS: [(&str, usize); 2] = [(AUTHORIZE, 256 * 1024), (BATCH, 4 * 1024 * 1024)];
/// Every call of the data listener.
const CALLS: [&str; 16] = [
    AUTHORIZE,
    BATCH,
    STREAM,
    "/sidegate.v1.AuthorizationService/Explain",
    LIST,
    "/sidegate.v1.AuthorizationService/ListLevels",
    "/sidegate.v1.AuthorizationService/ListResources",
    "/sidegate.v1.AuthorizationService/ListSubjects",
    "/sidegate.v1.AuthorizationService/CheckGrant",
    "/sidegate.v1.AuthorizationService/CountSeats",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/List",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "/sidegate.v1.AuthorizationService/Nothing",
];
/// How a message over a cap is refused.
const TOO_LARGE: [Option<i32>; 2] = [Some(Code::OutOfRange as i32), Some(Code::ResourceExhausted as i32)];

/// Ana's question with so much chatter that its message has exactly this length.
fn of_length(length: usize) -> v1::AuthorizeRequest {
    let with = |count: usize| {
        let mut request = question("ana", "access");
        request.context.insert("x".into(), v1::Value { kind: Some(Kind::StringValue("x".repeat(count))) });
        request
    };
    (0..length).rev().map(with).find(|request| request.encoded_len() == length).unwrap()
}

/// A message of exactly this length for a path.
fn message(path: &str, length: usize) -> Vec<u8> {
    if path == AUTHORIZE {
        return of_length(length).encode_to_vec();
    }
    // Each item is a field of the batch, with its length before it.
    let whole = v1::BatchAuthorizeRequest { requests: vec![of_length(1024); length / 1027 - 1], ..Default::default() };
    let rest = length - whole.encoded_len();
    let last = v1::BatchAuthorizeRequest { requests: vec![of_length(rest - 3)], ..Default::default() };
    let message = [whole.encode_to_vec(), last.encode_to_vec()].concat();
    assert_eq!(message.len(), length);
    message
}

#[test]
fn a_message_may_be_as_long_as_the_cap_and_no_longer() {
    let (_directory, config) = many_items();
    let daemon = Daemon::start_with(&good(), &["--config", config.to_str().unwrap()]).ready();
    unharmed(&daemon, "messages of every size", || {
        block_on(async {
            let mut client = connect(&daemon.data).await.ready().await.unwrap();
            for (path, cap) in CAPS {
                let mut ask = async |body: Vec<u8>| {
                    let answer = send(&mut client, post(path, "application/grpc"), body).await.unwrap();
                    (answer.grpc, answer.body.len())
                };
                let (code, answered) = ask(raw::frame(&message(path, cap))).await;
                assert!(code == Some(0) && answered > 5, "{path}: {code:?}");
                for over in [1, 2, 100_000] {
                    let (code, _) = ask(raw::frame(&message(path, cap + over))).await;
                    assert!(TOO_LARGE.contains(&code), "{path}: {over} more: {code:?}");
                }
                assert_ne!(ask(raw::frame(&[0x0a])).await.0, Some(0), "{path}: one byte");
                assert_ne!(ask(Vec::new()).await.0, Some(0), "{path}: no message");
            }
            let empty = send(&mut client, post(AUTHORIZE, "application/grpc"), raw::frame(&[])).await.unwrap();
            assert_eq!(empty.grpc, Some(Code::InvalidArgument as i32), "an empty message");
            let twice = [raw::frame(&of_length(300).encode_to_vec()), raw::frame(&of_length(300).encode_to_vec())];
            let answer = send(&mut client, post(AUTHORIZE, "application/grpc"), twice.concat()).await.unwrap();
            println!("two messages where one is due: {:?}", answer.grpc);
        });
    });
}

/// A configuration that lets a batch have as many items as its cap has room for.
fn many_items() -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sidegate.toml");
    std::fs::write(&file, "[limits]\nbatch_items = 10000\n").unwrap();
    (directory, file)
}

#[test]
fn a_length_over_the_cap_is_refused_before_the_message_comes() {
    let daemon = Daemon::start(&good()).ready();
    unharmed(&daemon, "lengths of 4 GiB", || {
        block_on(async {
            for path in CALLS {
                for flag in [0, 1, 255] {
                    let mut client = connect(&daemon.data).await.ready().await.unwrap();
                    let (response, mut sender) = client.send_request(post(path, "application/grpc"), false).unwrap();
                    sender.send_data(vec![flag, 255, 255, 255, 255].into(), false).unwrap();
                    // The body never ends: the answer does not wait for it.
                    let response = response.await.unwrap();
                    let mut code = response.headers().get("grpc-status").cloned();
                    let mut body = response.into_body();
                    while code.is_none() {
                        assert!(body.data().await.is_none(), "{path}: an answer");
                        code = body.trailers().await.unwrap().unwrap().get("grpc-status").cloned();
                    }
                    let code = Code::from_bytes(code.unwrap().as_bytes());
                    // Reflection ends its stream without a word.
                    let right = if path.contains("Reflection") {
                        !matches!(code, Code::Unknown)
                    } else if flag == 0 && !path.ends_with("Nothing") {
                        matches!(code, Code::OutOfRange | Code::ResourceExhausted)
                    } else {
                        !matches!(code, Code::Ok | Code::Unknown)
                    };
                    assert!(right, "{path}: flag {flag}: {code:?}");
                }
            }
        });
    });
}

#[test]
fn lengths_that_are_promised_and_never_come_take_no_memory() {
    let daemon = Daemon::start(&good()).ready();
    unharmed(&daemon, "promised lengths", || {
        let mut wires = Vec::new();
        for _ in 0..8 {
            let mut wire = Wire::hello(&daemon.data, &[]);
            let promised = [&[0][..], &(4_u32 * 1024 * 1024).to_be_bytes()].concat();
            for number in 0..100 {
                let stream = number * 2 + 1;
                wire.write(
                    &[frame(HEADERS, END_HEADERS, stream, &call(BATCH)), frame(DATA, 0, stream, &promised)].concat(),
                );
            }
            wires.push(wire);
        }
        // All of it has arrived when a call behind it is answered.
        for wire in &mut wires {
            let listening = wire.listen();
            wire.write(&whole_call(1001, AUTHORIZE, &raw::frame(&question("ana", "access").encode_to_vec())));
            until("the call behind is answered", || !listening.so_far().payloads.is_empty());
            wire.finish();
            listening.end();
        }
    });
}

#[test]
fn a_deadline_that_cannot_be_met_is_a_refusal_and_never_a_wrong_answer() {
    let daemon = Daemon::start(&good()).ready();
    let message = raw::frame(&question("ana", "access").encode_to_vec());
    let list = v1::ListActionsRequest {
        subject: question("ana", "access").subject,
        resource: question("ana", "access").resource,
        ..Default::default()
    };
    let list = raw::frame(&list.encode_to_vec());
    unharmed(&daemon, "deadlines", || {
        block_on(async {
            let mut client = connect(&daemon.data).await.ready().await.unwrap();
            let mut seen = std::collections::BTreeMap::<_, usize>::new();
            for timeout in ["1u", "1n", "0n", "0S", "99999999H", "", "soon", "-1S", "1.5S", "999999999S", "5 S"] {
                for (path, body) in [(AUTHORIZE, &message), (BATCH, &raw::frame(&[])), (LIST, &list)] {
                    let mut request = post(path, "application/grpc");
                    request.headers_mut().insert("grpc-timeout", timeout.parse().unwrap());
                    let answer = send(&mut client, request, body.clone()).await.unwrap();
                    let code = Code::from_i32(answer.grpc.unwrap());
                    let refused = matches!(code, Code::DeadlineExceeded | Code::InvalidArgument | Code::Internal);
                    assert!(code == Code::Ok || refused, "{path} within {timeout:?}: {answer:?}");
                    *seen.entry((timeout, format!("{code:?}"))).or_default() += 1;
                }
            }
            println!("{seen:?}");
        });
    });
}

/// Ana's question, to be answered by a snapshot that does not come: it waits for a second.
fn waiting() -> Vec<u8> {
    let consistency = Some(v1::Consistency { requirement: Some(Requirement::AtLeastSequence(99)) });
    raw::frame(&v1::AuthorizeRequest { consistency, ..question("ana", "access") }.encode_to_vec())
}

#[test]
fn storms_of_cancelled_calls_leave_nothing_behind() {
    let daemon = Daemon::start(&format!("{}sequence: 1\n", good())).ready();
    unharmed(&daemon, "cancelled calls", || {
        block_on(async {
            let client = connect(&daemon.data).await;
            for _ in 0..50 {
                let mut open = Vec::new();
                for (path, body) in
                    [(AUTHORIZE, Some(waiting())), (BATCH, None), (STREAM, Some(waiting())), (LIST, None)]
                {
                    for _ in 0..10 {
                        let mut client = client.clone().ready().await.unwrap();
                        let (response, mut sender) =
                            client.send_request(post(path, "application/grpc"), false).unwrap();
                        if let Some(body) = &body {
                            sender.send_data(body.clone().into(), path == AUTHORIZE).unwrap();
                        }
                        open.push((response, sender));
                    }
                }
                // Its answer says that all before it has arrived.
                let mut last = client.clone().ready().await.unwrap();
                let body = raw::frame(&question("ana", "access").encode_to_vec());
                let answer = send(&mut last, post(AUTHORIZE, "application/grpc"), body).await.unwrap();
                assert_eq!(answer.grpc, Some(0));
                for (_, sender) in &mut open {
                    sender.send_reset(h2::Reason::CANCEL);
                }
            }
        });
    });
}

#[test]
fn clients_that_vanish_in_the_middle_of_a_call_leave_nothing_behind() {
    let daemon = Daemon::start(&format!("{}sequence: 1\n", good())).ready();
    let body = raw::frame(&question("ana", "access").encode_to_vec());
    unharmed(&daemon, "vanished clients", || {
        for _ in 0..50 {
            for bytes in [
                frame(HEADERS, END_HEADERS, 1, &call(AUTHORIZE)),
                [frame(HEADERS, END_HEADERS, 1, &call(AUTHORIZE)), frame(DATA, 0, 1, &body[..20])].concat(),
                whole_call(1, AUTHORIZE, &body),
                whole_call(1, AUTHORIZE, &waiting()),
                [frame(HEADERS, END_HEADERS, 1, &call(STREAM)), frame(DATA, 0, 1, &body)].concat(),
                whole_call(1, "/grpc.health.v1.Health/Watch", &raw::frame(&[])),
                whole_call(1, AUTHORIZE, &body)[..60].to_vec(),
            ] {
                assert!(Wire::hello(&daemon.data, &[]).write(&bytes));
            }
        }
        // The others' connections alone remain.
        until("they are gone", || connections(&daemon) <= 3);
    });
}
