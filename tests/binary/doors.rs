//! Which door leads where: paths that are spelt otherwise, listeners that serve nothing of one another, addresses that
//! others could reach.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use prost::Message as _;
use tonic::Code;

use crate::flood::AUTHORIZE;
use crate::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, Wire, field, frame};
use crate::raw::{self, connect, post, send};
use crate::support::{Daemon, LIMIT, ana_may, block_on, command, good, question, run, until};

/// Asks ana's question under some pseudo-headers; what came back before the connection ended.
fn ask(address: &str, pseudo: &[(&str, &str)]) -> Vec<u8> {
    let mut wire = Wire::hello(address, &[]);
    let listening = wire.listen();
    let headers = [pseudo, &[("content-type", "application/grpc"), ("te", "trailers")]].concat();
    let block: Vec<u8> = headers.into_iter().flat_map(|(name, value)| field(name, value)).collect();
    let body = raw::frame(&question("ana", "access").encode_to_vec());
    wire.write(&[frame(HEADERS, END_HEADERS, 1, &block), frame(DATA, END_STREAM, 1, &body)].concat());
    until("it is answered or refused", || {
        let heard = listening.so_far();
        heard.frames[1] > 0 || heard.frames[3] > 0 || heard.goaway.is_some()
    });
    // Answers are short: what follows the headers has been sent with them, or comes before the farewell.
    wire.finish();
    listening.end().payloads
}

fn is_answered(payloads: &[u8]) -> bool {
    payloads.windows(12).any(|bytes| bytes == b"roles/member")
}

#[test]
fn no_other_spelling_of_a_path_is_answered() {
    let daemon = Daemon::start(&good()).ready();
    let usual = [(":method", "POST"), (":scheme", "http"), (":authority", "sidegate")];
    let spelt = |path: &str| ask(&daemon.data, &[&usual[..], &[(":path", path)]].concat());
    until("the right path is answered", || is_answered(&spelt(AUTHORIZE)));
    let other = [
        "",
        "*",
        "/",
        "sidegate.v1.AuthorizationService/Authorize",
        "//sidegate.v1.AuthorizationService/Authorize",
        "/sidegate.v1.AuthorizationService//Authorize",
        "/sidegate.v1.AuthorizationService/Authorize/",
        "/sidegate.v1.AuthorizationService/Authorize//",
        "/sidegate.v1.AuthorizationService/./Authorize",
        "/x/../sidegate.v1.AuthorizationService/Authorize",
        "/sidegate.v1.AuthorizationService/authorize",
        "/SIDEGATE.V1.AUTHORIZATIONSERVICE/AUTHORIZE",
        "/sidegate.v1.AuthorizationService/Authorize ",
        "/sidegate.v1.AuthorizationService/Authorize;x",
        "/sidegate.v1.AuthorizationService/Authorize%00",
        "/sidegate.v1.AuthorizationService/%41uthorize",
        "/sidegate%2Ev1.AuthorizationService/Authorize",
        "\\sidegate.v1.AuthorizationService\\Authorize",
        "/sidegate.v1.AuthorizationService",
        "/Authorize",
        "/sidegate.v2.AuthorizationService/Authorize",
    ];
    for path in other {
        assert!(!is_answered(&spelt(path)), "{path:?}");
    }
    let path = (":path", AUTHORIZE);
    let malformed = [
        vec![(":method", "GET"), (":scheme", "http"), path],
        vec![(":method", "CONNECT"), path],
        vec![(":method", "CONNECT"), (":authority", "sidegate")],
        vec![(":method", "POST"), (":scheme", "http")],
        vec![(":method", "POST"), path, path, (":scheme", "http")],
        vec![(":method", "POST"), (":path", "/x"), path, (":scheme", "http")],
        vec![(":method", "POST"), (":scheme", "http"), ("x", "y"), path],
        vec![(":method", "POST"), (":scheme", "http"), (":PATH", AUTHORIZE)],
        vec![(":method", "POST"), (":scheme", "http"), path, ("connection", "close")],
        vec![(":method", "POST"), (":scheme", "http"), path, ("x", "a\r\nb")],
    ];
    for pseudo in malformed {
        assert!(!is_answered(&ask(&daemon.data, &pseudo)), "{pseudo:?}");
    }
    assert!(ana_may(&daemon.client()));
    assert_eq!(daemon.metric("sidegate_handler_panics_total"), 0);
}

/// What an HTTP/1.1 client gets.
fn plainly(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    // May end with a reset: nothing more is said then.
    drop(stream.read_to_string(&mut answer));
    answer
}

#[test]
fn the_data_listener_speaks_no_plain_http() {
    let daemon = Daemon::start(&good()).ready();
    for line in
        ["GET /metrics", "GET /livez", "GET /readyz", "GET /", "POST /sidegate.v1.AuthorizationService/Authorize"]
    {
        for version in ["1.1", "1.0"] {
            let answer = plainly(
                &daemon.data,
                &format!("{line} HTTP/{version}\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"),
            );
            assert!(answer.starts_with("HTTP/1.") && answer.contains(" 505 "), "{line}: {answer}");
        }
    }
    let upgrade = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close, upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n";
    let answer = plainly(&daemon.data, upgrade);
    assert!(answer.contains(" 505 "), "{answer}");
    let smuggled = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nhost: x\r\n\r\n";
    assert!(!plainly(&daemon.data, smuggled).contains("sidegate_"));
    assert!(ana_may(&daemon.client()));
}

#[test]
fn no_listener_serves_what_is_anothers() {
    let directory = tempfile::tempdir().unwrap();
    let admin = directory.path().join("admin.sock");
    let daemon = Daemon::start_with(&good(), &["--admin-uds", admin.to_str().unwrap()]).ready();
    let unimplemented = Some(Code::Unimplemented as i32);
    block_on(async {
        let ask = async |address: &str, path: &str| {
            let mut client = connect(address).await.ready().await.unwrap();
            let answer = send(&mut client, post(path, "application/grpc"), raw::frame(&[])).await.unwrap();
            (answer.http, answer.grpc)
        };
        for call in ["GetSnapshot", "WatchSnapshot", "ReloadSnapshot", "DiffSnapshot"] {
            let path = format!("/sidegate.v1.SnapshotService/{call}");
            assert_eq!(ask(&daemon.data, &path).await.1, unimplemented, "{call} on data");
            let (http, grpc) = ask(&daemon.ops, &path).await;
            assert!(http == 404 || grpc == unimplemented, "{call} on ops: {http} {grpc:?}");
        }
        for call in ["Authorize", "BatchAuthorize", "AuthorizeStream", "Explain", "ListActions", "ListResources"] {
            let (http, grpc) = ask(&daemon.ops, &format!("/sidegate.v1.AuthorizationService/{call}")).await;
            assert!(http == 404 || grpc == unimplemented, "{call} on ops: {http} {grpc:?}");
        }
        for path in ["/metrics", "/livez", "/readyz"] {
            assert_eq!(ask(&daemon.data, path).await.1, unimplemented, "{path} on data");
        }
        let reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
        let (http, grpc) = ask(&daemon.ops, reflection).await;
        assert!(http == 404 || grpc == unimplemented, "reflection on ops: {http} {grpc:?}");
        // The admin socket serves its own and no decisions.
        let stream = tokio::net::UnixStream::connect(&admin).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        for (path, served) in
            [("/sidegate.v1.SnapshotService/GetSnapshot", true), (AUTHORIZE, false), ("/metrics", false)]
        {
            let mut client = client.clone().ready().await.unwrap();
            let answer = send(&mut client, post(path, "application/grpc"), raw::frame(&[])).await.unwrap();
            assert_eq!(answer.grpc != unimplemented, served, "{path}: {answer:?}");
        }
    });
    let ops = daemon.get("/metrics").1;
    for id in ["ana", "bob", "prod", "orbit"] {
        assert!(!ops.contains(id), "{id} in\n{ops}");
    }
}

#[test]
fn addresses_that_others_reach_are_refused_however_they_are_said() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("policy.yaml");
    fs::write(&source, good()).unwrap();
    let source = source.to_str().unwrap();
    let wide = ["0.0.0.0:0", "[::]:0", "[::ffff:0.0.0.0]:0", "192.0.2.1:8650", "[2001:db8::1]:8650", "169.254.0.1:1"];
    for address in wide {
        let ended = run(&["serve", "--snapshot", source, "--listen", address]);
        assert_eq!(ended.code, Some(78), "{address}: {}", ended.err);
        assert!(ended.err.contains("listen.data"), "{address}: {}", ended.err);
        let file = directory.path().join("sidegate.toml");
        fs::write(&file, format!("[listen]\ndata = \"{address}\"\n")).unwrap();
        let ended = run(&["serve", "--snapshot", source, "--config", file.to_str().unwrap()]);
        assert_eq!(ended.code, Some(78), "{address} in a file: {}", ended.err);
        let mut command = command(&["serve", "--snapshot", source]);
        let ended = crate::support::Process::spawn(command.env("SIDEGATE_LISTEN", address)).end();
        assert_eq!(ended.code, Some(78), "{address} in a variable: {}", ended.err);
    }
}
