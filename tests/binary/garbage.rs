//! Bytes that are no question: none of them stops the daemon, or makes a handler panic.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use prost::Message as _;
use tonic::Code;

use crate::raw::{connect, frame, post, send};
use crate::support::{Daemon, LIMIT, ana_may, block_on, good, question};

const AUTHORIZE: &str = "/sidegate.v1.AuthorizationService/Authorize";
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The same bytes on every run.
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn bytes_that_are_no_http_do_not_stop_it() {
    let daemon = Daemon::start(&good()).ready();
    let client_hello = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &noise(1, 512)].concat();
    let mut inputs = vec![
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(),
        b"GET / HTTP/1.0\r\n\r\n".to_vec(),
        b"\r\n\r\n".to_vec(),
        b"PRI * HT".to_vec(),
        client_hello,
        vec![0; 100_000],
        [PREFACE, &[0xff; 64]].concat(),
        // A frame that says it is longer than any may be; a header frame for stream 0; a settings frame of 5 bytes.
        [PREFACE, &[0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]].concat(),
        [PREFACE, &[0, 0, 1, 1, 4, 0, 0, 0, 0, 0x82]].concat(),
        [PREFACE, &[0, 0, 5, 4, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5]].concat(),
    ];
    inputs.extend((1..40).map(|seed| noise(seed, 1 << (seed % 14))));
    inputs.extend((1..40).map(|seed| [PREFACE, &[0, 0, 0, 4, 0, 0, 0, 0, 0], &noise(seed, 300)].concat()));
    for input in &inputs {
        let mut stream = TcpStream::connect(&daemon.data).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        // Fails when the daemon has had enough: its right.
        drop(stream.write_all(input));
        drop(stream.shutdown(Shutdown::Write));
        drop(stream.read_to_end(&mut Vec::new()));
    }
    assert!(ana_may(&daemon.client()));
    assert_eq!(daemon.get("/livez").0, 200);
    assert_eq!(daemon.metric("sidegate_handler_panics_total"), 0);
    assert_eq!(daemon.terminate().code, Some(0));
}

#[test]
fn a_call_that_is_no_question_is_refused() {
    let daemon = Daemon::start(&good()).ready();
    let whole = frame(&question("ana", "access").encode_to_vec());
    let compressed = [&[1], &whole[1..]].concat();
    let mut too_long = whole.clone();
    too_long[1] = 0xff;
    let bad_text = frame(&[0x0a, 0x02, 0x0a, 0xff]);
    let cut: Vec<_> = (0..whole.len()).map(|end| whole[..end].to_vec()).collect();
    let mut bodies = vec![compressed, too_long, bad_text, frame(&[0xff; 40]), [0xff; 5].to_vec()];
    bodies.extend(cut);
    bodies.extend((1..40).map(|seed| frame(&noise(seed, 60))));
    block_on(async {
        let mut client = connect(&daemon.data).await.ready().await.unwrap();
        for body in bodies {
            let told = format!("{body:02x?}");
            let answer = send(&mut client, post(AUTHORIZE, "application/grpc"), body).await.unwrap();
            assert_eq!(answer.http, 200, "{told}");
            assert!(answer.grpc.is_some_and(|code| code != 0), "{answer:?} to {told}");
            assert_ne!(answer.grpc, Some(Code::Unknown as i32), "{answer:?} to {told}");
            assert!(answer.body.is_empty(), "{answer:?} to {told}");
        }
        let unknown = post("/sidegate.v1.AuthorizationService/Nothing", "application/grpc");
        assert_eq!(send(&mut client, unknown, frame(&[])).await.unwrap().grpc, Some(Code::Unimplemented as i32));
        for other in ["application/json", "application/grpc+json", "application/grpc-web", "text/plain"] {
            assert_eq!(send(&mut client, post(AUTHORIZE, other), whole.clone()).await.unwrap().http, 415, "{other}");
        }
        for path in ["/", "//", "/%00", "/sidegate.v1.AuthorizationService/"] {
            let answer = send(&mut client, post(path, "application/grpc"), whole.clone()).await.unwrap();
            assert_eq!(answer.grpc, Some(Code::Unimplemented as i32), "{path}");
        }
        let answer = send(&mut client, post(AUTHORIZE, "application/grpc"), whole).await.unwrap();
        assert_eq!(answer.grpc, Some(0), "the connection lives: {answer:?}");
    });
    assert_eq!(daemon.metric("sidegate_handler_panics_total"), 0);
}
