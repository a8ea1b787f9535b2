//! Calls in front of the router and behind it: the same bytes of a message are answered alike, whatever they are.
//!
//! The front answers a message that comes in one frame. The same message in two frames goes to the router, so each
//! shape is sent both ways and everything that comes back is compared.

use std::collections::BTreeMap;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Method, Request};
use prost::Message;
use sidegate::service::proto::v1::{self, value::Kind};
use tokio::net::TcpStream;

use crate::support::{Daemon, block_on, good, question};

const PATH: &str = "/sidegate.v1.AuthorizationService/Authorize";
/// gRPC's prefix of a message.
const PREFIX: usize = 5;
/// The largest message of this daemon.
const LARGEST: usize = 4096;

/// Everything that came back, but for what differs from one moment to the next.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    message: Option<v1::AuthorizeResponse>,
    bytes: usize,
    trailers: BTreeMap<String, String>,
}

/// What is put in front of a plain call's headers.
type Head = (&'static str, fn(&mut Request<()>));

const HEADS: [Head; 18] = [
    ("plain", |_| ()),
    ("+proto", |request| set(request, "content-type", "application/grpc+proto")),
    ("+json", |request| set(request, "content-type", "application/grpc+json")),
    ("a parameter", |request| set(request, "content-type", "application/grpc; charset=utf-8")),
    ("no content type", |request| drop(request.headers_mut().remove("content-type"))),
    ("two content types", |request| {
        request.headers_mut().append("content-type", "application/json".parse().unwrap());
    }),
    ("identity", |request| set(request, "grpc-encoding", "identity")),
    ("gzip", |request| set(request, "grpc-encoding", "gzip")),
    ("an encoding that is none", |request| set(request, "grpc-encoding", "")),
    ("accepts gzip", |request| set(request, "grpc-accept-encoding", "gzip")),
    ("a deadline", |request| set(request, "grpc-timeout", "20S")),
    ("a deadline that is none", |request| set(request, "grpc-timeout", "soon")),
    ("no te", |request| drop(request.headers_mut().remove("te"))),
    ("a trace", |request| {
        set(request, "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    }),
    ("binary metadata", |request| set(request, "x-some-bin", "AAEC")),
    ("a query", |request| *request.uri_mut() = format!("http://localhost{PATH}?a=b").parse().unwrap()),
    ("another case", |request| {
        *request.uri_mut() = format!("http://localhost{}", PATH.to_lowercase()).parse().unwrap();
    }),
    ("GET", |request| *request.method_mut() = Method::GET),
];

fn set(request: &mut Request<()>, name: &'static str, value: &str) {
    request.headers_mut().insert(name, value.parse().unwrap());
}

/// Bodies by what is odd about them.
fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    [odd_bytes(), odd_requests()].concat()
}

/// Frames and messages that are odd as bytes.
fn odd_bytes() -> Vec<(&'static str, Vec<u8>)> {
    let encoded = question("ana", "access").encode_to_vec();
    let mut odd = vec![
        ("allowed", framed(&encoded)),
        ("denied", framed(&question("bob", "access").encode_to_vec())),
        ("nobody", framed(&question("eve", "access").encode_to_vec())),
        ("no such action", framed(&question("ana", "fly").encode_to_vec())),
        ("nothing at all", Vec::new()),
        ("half a prefix", vec![0, 0, 0]),
        ("no message in the prefix", framed(&[])),
        ("given twice", framed(&[&encoded[..], &encoded].concat())),
        ("an unknown field", framed(&[&encoded[..], &[0x78, 1]].concat())),
        ("a group", framed(&[&encoded[..], &[0x7b, 0x7c]].concat())),
        ("cut off", framed(&encoded[..encoded.len() - 3])),
        ("no protobuf", framed(&[0xff; 40])),
        ("not UTF-8", framed(&[0x32, 2, 0xc3, 0x28])),
        ("two messages", [framed(&encoded), framed(&encoded)].concat()),
        ("more behind it", [&framed(&encoded)[..], &[1, 2, 3]].concat()),
        ("said to be longer", [&[0, 0, 0, 1, 0][..], &encoded].concat()),
        ("said to be shorter", [&[0, 0, 0, 0, 9][..], &encoded].concat()),
        ("said to be 4 GiB", [&[0, 0xff, 0xff, 0xff, 0xff][..], &encoded].concat()),
        ("too large", framed(&vec![0x0a; LARGEST + 1])),
    ];
    for flag in [1, 2, 255] {
        let mut frame = framed(&encoded);
        frame[0] = flag;
        odd.push(("another flag", frame));
    }
    odd
}

/// Whole messages that ask something odd.
fn odd_requests() -> Vec<(&'static str, Vec<u8>)> {
    let plain = question("ana", "access");
    let with = |change: fn(&mut v1::AuthorizeRequest)| {
        let mut request = plain.clone();
        change(&mut request);
        framed(&request.encode_to_vec())
    };
    let value = |kind| v1::Value { kind: Some(kind) };
    let mut odd = vec![
        ("an empty id", with(|request| request.subject.as_mut().unwrap().id.clear())),
        ("no subject", with(|request| request.subject = None)),
        ("a control character", with(|request| request.resource.as_mut().unwrap().id = "a\tb".into())),
        ("a long id", with(|request| request.resource.as_mut().unwrap().id = "x".repeat(1025))),
        ("a long request id", with(|request| request.request_id = "x".repeat(1025))),
        ("a request id", with(|request| request.request_id = "\u{1F980} 7".into())),
        (
            "context",
            with(|request| {
                request.context.insert("mfa".into(), v1::Value { kind: Some(Kind::BoolValue(true)) });
            }),
        ),
        (
            "an undeclared property",
            with(|request| {
                request.context.insert("colour".into(), v1::Value { kind: Some(Kind::IntValue(-1)) });
            }),
        ),
        ("a null", with(|request| drop(request.context.insert("mfa".into(), v1::Value { kind: None })))),
        ("no name", with(|request| drop(request.context.insert(String::new(), v1::Value { kind: None })))),
        (
            "a moment that is none",
            with(|request| {
                let moment = prost_types::Timestamp { seconds: 0, nanos: -1 };
                request.context.insert("x".into(), v1::Value { kind: Some(Kind::TimestampValue(moment)) });
            }),
        ),
        (
            "a parent",
            with(|request| {
                request.resource.as_mut().unwrap().parent =
                    Some(v1::Entity { r#type: "account".into(), id: "orbit".into() });
            }),
        ),
        (
            "another parent",
            with(|request| {
                request.resource.as_mut().unwrap().parent =
                    Some(v1::Entity { r#type: "account".into(), id: "x".into() });
            }),
        ),
        (
            "a demand",
            with(|request| {
                let requirement = Some(v1::consistency::Requirement::ExactDigest(String::new()));
                request.consistency = Some(v1::Consistency { requirement });
            }),
        ),
    ];
    let list = v1::ListValue { values: vec![value(Kind::IntValue(1))] };
    let mut request = plain.clone();
    request.context.insert("x".into(), value(Kind::ListValue(list)));
    odd.push(("a list", framed(&request.encode_to_vec())));
    let mut request = plain.clone();
    request.context = (0..257).map(|number| (format!("{number}"), value(Kind::BoolValue(true)))).collect();
    odd.push(("257 properties", framed(&request.encode_to_vec())));
    odd
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

/// One call, its body in so many frames.
async fn call(
    sender: &mut SendRequest<Bytes>,
    change: fn(&mut Request<()>),
    body: &[u8],
    cut: Option<usize>,
) -> Answer {
    let mut request = Request::builder().method(Method::POST).uri(format!("http://localhost{PATH}")).body(()).unwrap();
    set(&mut request, "content-type", "application/grpc");
    set(&mut request, "te", "trailers");
    change(&mut request);
    std::future::poll_fn(|cx| sender.poll_ready(cx)).await.unwrap();
    let (response, mut sending) = sender.send_request(request, body.is_empty()).unwrap();
    let (first, rest) = body.split_at(cut.unwrap_or(body.len()));
    // A call may be refused before its body has been sent.
    if !body.is_empty() && sending.send_data(Bytes::copy_from_slice(first), rest.is_empty()).is_ok() && !rest.is_empty()
    {
        drop(sending.send_data(Bytes::copy_from_slice(rest), true));
    }
    let (head, mut body) = response.await.unwrap().into_parts();
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        bytes.extend_from_slice(&data);
    }
    let trailers = body.trailers().await.unwrap().unwrap_or_default();
    let message = bytes.get(PREFIX..).map(|message| {
        let mut answer = v1::AuthorizeResponse::decode(message).unwrap();
        assert!(answer.evaluated_at.is_some());
        answer.evaluated_at = None;
        answer
    });
    // The moment's nanoseconds take more or fewer bytes.
    let bytes = message.as_ref().map_or(bytes.len(), Message::encoded_len);
    Answer { status: head.status.as_u16(), headers: texts(&head.headers), message, bytes, trailers: texts(&trailers) }
}

fn texts(headers: &HeaderMap) -> BTreeMap<String, String> {
    let texts = headers.iter().filter(|(name, _)| *name != "date");
    texts.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect()
}

#[test]
fn a_call_in_front_of_the_router_is_answered_as_behind_it() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("sidegate.toml");
    std::fs::write(&config, format!("[limits]\nmessage_bytes = {LARGEST}\n")).unwrap();
    let daemon = Daemon::start_with(&good(), &["--config", config.to_str().unwrap()]).ready();
    block_on(async {
        let stream = TcpStream::connect(&daemon.data).await.unwrap();
        let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let (mut shapes, mut answered, mut refused) = (0, 0, 0);
        for (head, change) in HEADS {
            for (what, body) in bodies() {
                let front = call(&mut sender, change, &body, None).await;
                // Wherever it is cut, in the prefix or in the message, it is no plain call any more.
                for cut in [1, body.len().saturating_sub(1)] {
                    let router = call(&mut sender, change, &body, Some(cut.min(body.len()))).await;
                    assert_eq!(front, router, "{head}, {what}");
                }
                shapes += 1;
                match front.message {
                    Some(_) => answered += 1,
                    None => refused += 1,
                }
            }
        }
        assert!(shapes >= 200 && answered >= 50 && refused >= 50, "{shapes} {answered} {refused}");
    });
    assert_eq!(daemon.metric("sidegate_handler_panics_total"), 0);
}
