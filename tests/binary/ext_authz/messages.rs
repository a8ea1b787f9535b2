//! Messages that no Envoy sends, and calls that are none.

use prost::Message;
use prost_types::value::Kind;
use sidegate::service::proto::envoy_v3::{CheckResponse, HeaderMap, HeaderValue, Metadata};
use tonic::Code;

use super::{ask, check, denied, policy};
use crate::raw::{connect, frame, post, send};
use crate::support::{Daemon, block_on};

const PATH: &str = "/envoy.service.auth.v3.Authorization/Check";

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

/// Two bytes of a message can stand for an empty header or claim that takes many times as much.
#[test]
fn a_message_that_would_unpack_to_far_more_is_denied() {
    let daemon = Daemon::start(&policy()).ready();
    let http = |count: usize| {
        let mut request = check("ana", "/ws/prod");
        let http = request.attributes.as_mut().unwrap().request.as_mut().unwrap().http.as_mut().unwrap();
        http.header_map = Some(HeaderMap { headers: vec![HeaderValue::default(); count] });
        http.header_map.as_mut().unwrap().headers.push(HeaderValue { key: "x".into(), ..Default::default() });
        request
    };
    let claims = |count: usize| {
        let values = vec![prost_types::Value::default(); count];
        let list = prost_types::Value { kind: Some(Kind::ListValue(prost_types::ListValue { values })) };
        let told = prost_types::Struct { fields: [("list".to_owned(), list)].into() };
        let mut request = check("ana", "/ws/prod");
        request.attributes.as_mut().unwrap().metadata_context =
            Some(Metadata { filter_metadata: [("other".to_owned(), told)].into() });
        request
    };
    assert_eq!(ask(&daemon, http(500)).unwrap().status.unwrap().code, 0);
    assert_eq!(ask(&daemon, claims(1000)).unwrap().status.unwrap().code, 0);
    for bomb in [http(100_000), claims(100_000)] {
        assert_eq!(denied(&ask(&daemon, bomb).unwrap()).as_deref(), Some("UNREADABLE"));
    }
    assert_eq!(daemon.metric("sidegate_http_unmapped_total{why=\"UNREADABLE\"}"), 2);
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
