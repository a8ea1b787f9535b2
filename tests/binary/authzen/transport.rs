//! How it is asked: methods, paths, headers, sizes, and clients that take their time.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;
use tempfile::TempDir;

use super::{EVALUATION, EVALUATIONS, Http, question};
use crate::support::{Daemon, LIMIT, ana_may, good, until};

/// A daemon with this configuration.
fn configured(text: &str, more: &str) -> (Daemon, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sidegate.toml");
    fs::write(&file, more).unwrap();
    (Daemon::start_with(text, &["--config", file.to_str().unwrap()]).ready(), directory)
}

#[test]
fn what_is_not_json_is_refused_with_400() {
    let daemon = Daemon::start(&good()).ready();
    let http = Http::one(&daemon);
    let body = || question("ana", "access").to_string();
    for kind in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
        assert_eq!(
            http.send(http::Request::post(EVALUATION).header("content-type", kind), body()).json()["decision"],
            true
        );
    }
    for kind in ["text/plain", "application/jsonp", "application/grpc", "", "json"] {
        let answer = http.send(http::Request::post(EVALUATION).header("content-type", kind), body());
        assert!(answer.refused(400).starts_with("content-type:"), "{kind}");
    }
    assert!(http.send(http::Request::post(EVALUATION), body()).refused(400).starts_with("content-type:"));
    let twice = http::Request::post(EVALUATION).header("content-type", "application/json");
    assert!(http.send(twice.header("content-type", "text/plain"), body()).refused(400).starts_with("content-type:"));
    let packed = http::Request::post(EVALUATION).header("content-type", "application/json");
    assert!(http.send(packed.header("content-encoding", "gzip"), body()).refused(400).starts_with("content-encoding:"));
    let twice = r#"{"subject":{"type":"user","id":"bob","id":"ana"}}"#;
    let bodies = ["", " ", "{", "[]", "null", "{}{}", "{\"a\":1,}", "\u{feff}{}", "{\"subject\":\"ana\"}", twice];
    for body in bodies {
        http.post(EVALUATION, body).refused(400);
    }
    http.post(EVALUATION, &b"{\"subject\":{\"type\":\"user\",\"id\":\"\xff\"}}"[..]).refused(400);
    http.post(EVALUATION, "[".repeat(100_000)).refused(400);
    assert!(daemon.metric("sidegate_calls_total{method=\"authzen_evaluation\",code=\"INVALID_ARGUMENT\"}") > 10);
    assert!(ana_may(&daemon.client()));
    assert_eq!(daemon.metric("sidegate_handler_panics_total"), 0);
}

#[test]
fn every_path_has_its_method_and_near_misses_have_none() {
    let (daemon, _config) = configured(&good(), "[authzen]\nurl = \"https://pdp.example.org\"\n");
    let (one, two) = (Http::one(&daemon), Http::two(&daemon));
    for path in
        [EVALUATION, EVALUATIONS, "/access/v1/search/subject", "/access/v1/search/resource", "/access/v1/search/action"]
    {
        for http in [&one, &two] {
            let answer = http.send(http::Request::get(path).header("x-request-id", "r-1"), "");
            assert_eq!(answer.refused(405), "only POST is answered here");
            assert_eq!((answer.header("allow"), answer.header("x-request-id")), ("POST", "r-1"));
        }
        for method in ["PUT", "DELETE", "OPTIONS", "PATCH"] {
            one.send(http::Request::builder().method(method).uri(path), "").refused(405);
        }
    }
    let metadata = one.send(http::Request::get("/.well-known/authzen-configuration"), "").json();
    assert_eq!(metadata["policy_decision_point"], "https://pdp.example.org");
    assert_eq!(metadata["access_evaluation_endpoint"], "https://pdp.example.org/access/v1/evaluation");
    assert_eq!(metadata["search_action_endpoint"], "https://pdp.example.org/access/v1/search/action");
    let answer = one.post("/.well-known/authzen-configuration", "{}");
    assert_eq!((answer.refused(405), answer.header("allow")), ("only GET is answered here", "GET, HEAD"));
    for path in [
        "/access/v1/evaluation/",
        "/access/v1",
        "/access/v1/Evaluation",
        "/access/v1/search",
        "/access//v1/evaluation",
        "/access/v2/evaluation",
        "/.well-known/authzen-configuration/x",
        "/access/v1/evaluatio%6e",
    ] {
        for http in [&one, &two] {
            assert_eq!(http.post(path, question("ana", "access").to_string()).status, 404, "{path}");
        }
    }
    assert_eq!(one.post("/", "{}").status, 505);
    assert_eq!(two.post("/", "{}").status, 415);
    assert_eq!(two.send(http::Request::get("/metrics"), "").status, 405);
}

#[test]
fn without_an_address_there_is_no_metadata_and_a_bad_one_is_refused() {
    let daemon = Daemon::start(&good()).ready();
    let http = Http::one(&daemon);
    let answer = http.send(http::Request::get("/.well-known/authzen-configuration").header("host", "evil.example"), "");
    assert_eq!(answer.status, 404);
    assert!(!answer.text.contains("evil") && answer.text.contains("`authzen.url`"), "{answer:?}");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sidegate.toml");
    fs::write(&file, "[authzen]\nurl = \"http://pdp.example.org\"\n").unwrap();
    let ended = crate::support::run(&["serve", "--snapshot", "x.yaml", "--config", file.to_str().unwrap()]);
    assert_eq!(ended.code, Some(78));
    assert!(ended.err.contains("authzen.url") && ended.err.contains("https://"), "{}", ended.err);
}

#[test]
fn turned_off_it_is_not_there() {
    let (daemon, _config) = configured(&good(), "[authzen]\nenabled = false\nurl = \"https://pdp.example.org\"\n");
    let (one, two) = (Http::one(&daemon), Http::two(&daemon));
    for path in [EVALUATION, "/access/v1/search/subject", "/.well-known/authzen-configuration"] {
        assert_eq!(one.post(path, question("ana", "access").to_string()).status, 505, "{path}");
        assert_eq!(two.post(path, question("ana", "access").to_string()).status, 415, "{path}");
    }
    assert!(ana_may(&daemon.client()));
}

#[test]
fn a_request_id_comes_back_as_it_was() {
    let daemon = Daemon::start(&good()).ready();
    for http in [Http::one(&daemon), Http::two(&daemon)] {
        let send = |id: &[u8], body: String| {
            let request = http::Request::post(EVALUATION).header("content-type", "application/json");
            http.send(request.header("x-request-id", http::HeaderValue::from_bytes(id).unwrap()), body)
        };
        for id in [&b"bfe9eb29-ab87-4ca3-be83-a1d5d8305716"[..], b" a  b ", b"\xe9\xff", b"%0d%0a"] {
            let trimmed = id.trim_ascii();
            let answer = send(id, question("ana", "access").to_string());
            assert_eq!((answer.status, answer.headers["x-request-id"].as_bytes().trim_ascii()), (200, trimmed));
            let answer = send(id, "{".to_owned());
            assert_eq!((answer.status, answer.headers["x-request-id"].as_bytes().trim_ascii()), (400, trimmed));
        }
        let answer = send(&[b'x'; 1025], question("ana", "access").to_string());
        assert!(answer.refused(400).starts_with("x-request-id: must not be longer"));
        assert_eq!(answer.header("x-request-id").len(), 1025);
        assert!(http.post(EVALUATION, question("ana", "access").to_string()).headers.get("x-request-id").is_none());
    }
}

#[test]
fn every_answer_has_one_date_and_grpc_has_none() {
    let daemon = Daemon::start(&good()).ready();
    for http in [Http::one(&daemon), Http::two(&daemon)] {
        let described = http.send(http::Request::get("/.well-known/authzen-configuration"), "");
        let answers =
            [http.post(EVALUATION, question("ana", "access").to_string()), http.post(EVALUATION, "{"), described];
        for answer in answers {
            let dates: Vec<_> = answer.headers.get_all("date").iter().collect();
            assert!(dates.len() == 1 && dates[0].to_str().unwrap().ends_with(" GMT"), "{answer:?}");
        }
    }
    let grpc =
        http::Request::post("/sidegate.v1.AuthorizationService/Authorize").header("content-type", "application/grpc");
    let answer = Http::two(&daemon).send(grpc, vec![0; 5]);
    assert_eq!((answer.header("grpc-status"), answer.header("date")), ("3", ""), "{answer:?}");
}

#[test]
fn bodies_are_bounded_before_they_are_held() {
    let (daemon, _config) = configured(&good(), "[limits]\nmessage_bytes = 2048\nbatch_bytes = 65536\n");
    for http in [Http::one(&daemon), Http::two(&daemon)] {
        let of = |bytes: usize| {
            let mut body = question("ana", "access");
            body["padding"] = "x".repeat(bytes).into();
            body.to_string()
        };
        assert_eq!(http.post(EVALUATION, of(1000)).json()["decision"], true);
        assert!(http.post(EVALUATION, of(2048)).refused(413).contains("`limits.message_bytes`"));
        assert_eq!(http.post(EVALUATIONS, of(2048)).json()["decision"], true);
        assert!(http.post(EVALUATIONS, of(65536)).refused(413).contains("`limits.batch_bytes`"));
        // Without a length that is said before.
        let chunks = (0..100).map(|_| Ok::<_, std::io::Error>("x".repeat(1000)));
        let body = axum::body::Body::from_stream(tokio_stream::iter(chunks));
        assert!(http.post(EVALUATION, body).refused(413).contains("`limits.message_bytes`"));
    }
    // What is said to be huge is refused before any of it has come.
    let head = "POST /access/v1/evaluation HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n";
    let answer = exchange(&daemon.data, head);
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("connection: close"), "{answer}");
    let headers = format!("POST {EVALUATION} HTTP/1.1\r\nhost: x\r\npadding: {}\r\n\r\n", "x".repeat(20_000));
    assert!(exchange(&daemon.data, &headers).starts_with("HTTP/1.1 431 "));
    let many = (0..100).fold(String::new(), |text, number| text + &format!("h{number}: x\r\n"));
    assert!(
        exchange(&daemon.data, &format!("POST {EVALUATION} HTTP/1.1\r\nhost: x\r\n{many}\r\n"))
            .starts_with("HTTP/1.1 431 ")
    );
}

/// Everything that comes back until the daemon closes.
fn exchange(address: &str, text: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    // Fails when it was refused before all of it was sent: the answer tells.
    drop(stream.write_all(text.as_bytes()));
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    // May end with a reset.
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        answer.extend_from_slice(&piece[..count]);
    }
    String::from_utf8(answer).unwrap()
}

fn post(body: &str, more: &str) -> String {
    format!(
        "POST {EVALUATION} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{more}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let daemon = Daemon::start(&good()).ready();
    let one = |number: usize| {
        let user = if number.is_multiple_of(3) { "ana" } else { "bob" };
        post(&question(user, "access").to_string(), &format!("x-request-id: {number}\r\n"))
    };
    let last = post("{", "connection: close\r\nx-request-id: last\r\n");
    let answers = exchange(&daemon.data, &((0..50).map(one).collect::<String>() + &last));
    let ids: Vec<_> = answers.lines().filter_map(|line| line.strip_prefix("x-request-id: ")).collect();
    let wanted: Vec<_> = (0..50).map(|number| number.to_string()).chain(["last".to_owned()]).collect();
    assert_eq!(ids, wanted);
    assert_eq!(answers.matches("\"decision\":true").count(), 17, "{answers}");
    assert_eq!(answers.matches("\"decision\":false").count(), 33);
}

/// What one in front could read differently: where the request ends, and whom it is for.
#[test]
fn a_request_has_one_end_and_one_host() {
    let daemon = Daemon::start(&good()).ready();
    let body = question("ana", "access").to_string();
    let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let head = |lines: &str| {
        format!("POST {EVALUATION} HTTP/1.1\r\ncontent-type: application/json\r\nconnection: close\r\n{lines}\r\n")
    };
    for lines in ["host: x\r\ntransfer-encoding: chunked\r\n", "Host: x\r\nTransfer-Encoding: Chunked\r\n"] {
        let answer = exchange(&daemon.data, &(head(lines) + &chunks));
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"decision\":true"), "{answer}");
    }
    for (lines, problem) in [
        ("transfer-encoding: chunked\r\n", "host:"),
        ("host: x\r\nhost: y\r\ntransfer-encoding: chunked\r\n", "host:"),
        ("host: x\r\ntransfer-encoding: chunked, identity\r\n", ""),
        ("host: x\r\ntransfer-encoding: xchunked\r\n", ""),
        ("host: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n", ""),
        ("host: x\r\ncontent-length: +5\r\n", ""),
    ] {
        let answer = exchange(&daemon.data, &(head(lines) + &chunks));
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains(problem), "{lines}: {answer}");
    }
    // Another coding, or both lengths: whatever is answered, nothing behind it is another request.
    for (lines, status) in [
        ("transfer-encoding: chunked\r\ncontent-length: 5\r\n", 200),
        ("content-length: 5\r\ntransfer-encoding: chunked\r\n", 200),
        ("transfer-encoding: gzip, chunked\r\n", 501),
        ("transfer-encoding: identity, chunked\r\n", 501),
        ("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", 501),
    ] {
        let first = head(&format!("host: x\r\n{lines}")).replace("connection: close\r\n", "");
        let answer = exchange(&daemon.data, &(first + &chunks + &post(&body, "")));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{lines}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{lines}: {answer}");
    }
    assert_eq!(daemon.metric("sidegate_handler_panics_total"), 0);
}

#[test]
fn who_does_not_come_to_the_point_is_let_go() {
    let (daemon, _config) = configured(&good(), "[limits]\nhandshake = \"1s\"\n");
    let whole = post(&question("ana", "access").to_string(), "");
    let up_to = |bytes: usize| whole.get(..bytes).unwrap();
    let half = up_to(whole.len() - 10);
    let beginnings = ["", "POST /acc", up_to(60), up_to(whole.find('{').unwrap()), half];
    let open: Vec<_> = beginnings
        .iter()
        .map(|text| {
            let mut stream = TcpStream::connect(&daemon.data).unwrap();
            stream.set_read_timeout(Some(LIMIT)).unwrap();
            stream.write_all(text.as_bytes()).unwrap();
            stream
        })
        .collect();
    for (mut stream, text) in open.into_iter().zip(beginnings) {
        let mut answer = String::new();
        // It ends, with a word or without.
        stream.read_to_string(&mut answer).unwrap_or_default();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{text}: {answer}");
    }
    // Also who has been heard: a body that stops coming ends its connection.
    let answer = exchange(&daemon.data, &(whole.clone() + half));
    let (first, second) = (answer.find("HTTP/1.1 200 ").unwrap(), answer.find("HTTP/1.1 408 ").unwrap());
    assert!(
        first < second && answer.contains("`limits.handshake`") && answer.contains("connection: close"),
        "{answer}"
    );
    until("nobody is left", || daemon.metric("sidegate_connections{listener=\"data\"}") == 0);
}

#[test]
fn a_web_page_is_not_answered() {
    let daemon = Daemon::start(&good()).ready();
    let request = http::Request::post(EVALUATION).header("content-type", "application/json");
    let answer =
        Http::one(&daemon).send(request.header("origin", "http://127.0.0.1"), question("ana", "access").to_string());
    assert!(answer.refused(403).starts_with("`origin`"));
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control")));
}

#[test]
fn without_a_snapshot_there_is_no_decision() {
    let daemon = Daemon::start("sidegate: 1\nnonsense: 1\n");
    let answer = Http::one(&daemon).post(EVALUATION, question("ana", "access").to_string());
    assert_eq!(answer.refused(503), "no policy snapshot is loaded yet");
    assert_eq!(answer.header("retry-after"), "1");
    let batch = json!({"evaluations": [question("ana", "access")]});
    Http::one(&daemon).post(EVALUATIONS, batch.to_string()).refused(503);
}
