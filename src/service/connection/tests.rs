//! One connection each, over a socket pair.

use std::{os::unix::net::UnixStream, sync::Arc, time::Duration};

use axum::routing::{get, post as post_to};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Semaphore, watch},
    time::timeout,
};
use tonic::service::Routes;

use super::{Connected, HttpLimits, Kind, Stream};
use crate::{
    observe::metrics::Metrics,
    service::{Registry, peer::Peer},
};

const LIMIT: Duration = Duration::from_secs(20);

struct Bench {
    registry: Arc<Registry>,
    metrics: Arc<Metrics>,
    drain: watch::Sender<bool>,
    connected: Connected,
    release: Arc<Semaphore>,
}

impl Bench {
    fn new(kind: Kind, handshake: Duration) -> Self {
        let metrics = Arc::new(Metrics::default());
        let release = Arc::new(Semaphore::new(0));
        let (gate, post_gate) = (Arc::clone(&release), Arc::clone(&release));
        let router = axum::Router::new()
            .route("/ok", get(async || "fine"))
            .route("/echo", post_to(async |body: bytes::Bytes| body))
            .route("/panic", get(async || -> &'static str { panic!("a bug in a handler") }))
            .route(
                "/slow",
                get(async move || gate.acquire().await.map(|_| "at last").unwrap_or_default())
                    .post(async move || post_gate.acquire().await.map(|_| "at last").unwrap_or_default()),
            );
        let (drain, draining) = watch::channel(false);
        let limits = HttpLimits { handshake, ..HttpLimits::default() };
        let connected =
            Connected { routes: Routes::from(router), fast: None, kind, limits, tls: None, drain: draining };
        let registry = Arc::new(Registry::new(10, Arc::clone(&metrics)));
        Self { registry, metrics, drain, connected, release }
    }

    fn connect(&self) -> tokio::net::UnixStream {
        let (ours, theirs) = UnixStream::pair().unwrap();
        for stream in [&ours, &theirs] {
            stream.set_nonblocking(true).unwrap();
        }
        let registered = self.registry.register(Peer::Unknown, "data").unwrap();
        tokio::spawn(self.connected.clone().serve(Stream::Unix(theirs), registered));
        tokio::net::UnixStream::from_std(ours).unwrap()
    }
}

async fn ask(stream: &mut tokio::net::UnixStream, path: &str) {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n").as_bytes()).await.unwrap();
}

/// Reads until the text ends with this, or the stream ends.
async fn read(stream: &mut tokio::net::UnixStream, end: &str) -> String {
    let mut text = Vec::new();
    let reading = async {
        while !text.ends_with(end.as_bytes()) || end.is_empty() {
            match stream.read_u8().await {
                Ok(byte) => text.push(byte),
                Err(_) => break,
            }
        }
    };
    timeout(LIMIT, reading).await.unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn a_panic_is_internal_and_the_connection_goes_on() {
    let bench = Bench::new(Kind::Any, LIMIT);
    let mut stream = bench.connect();
    ask(&mut stream, "/panic").await;
    let head = read(&mut stream, "\r\n\r\n").await;
    assert!(head.contains("grpc-status: 13\r\n"), "{head}");
    ask(&mut stream, "/ok").await;
    assert!(read(&mut stream, "fine").await.starts_with("HTTP/1.1 200"));
    assert!(bench.metrics.render().contains("sidegate_handler_panics_total 1"));
    let open = bench.registry.open();
    assert_eq!(open[0].calls.load(std::sync::atomic::Ordering::Relaxed), 2);
    assert_eq!(open[0].in_flight.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_client_without_a_request_is_let_go() {
    let bench = Bench::new(Kind::Any, Duration::from_millis(30));
    let mut silent = bench.connect();
    let mut half = bench.connect();
    half.write_all(b"PRI * HTTP/2.0").await.unwrap();
    let mut slow = bench.connect();
    slow.write_all(b"GET /ok HTTP/1.1\r\nhost: ").await.unwrap();
    for stream in [&mut silent, &mut half, &mut slow] {
        assert_eq!(read(stream, "").await, "");
    }
    while bench.registry.count() > 0 {
        tokio::task::yield_now().await;
    }
    let text = bench.metrics.render();
    assert!(text.contains("sidegate_connections_closed_total{listener=\"data\",why=\"no_request\"} 3"), "{text}");
}

/// An HTTP/2 client of a connection whose answers nobody needs.
async fn http2(stream: tokio::net::UnixStream) -> h2::client::SendRequest<bytes::Bytes> {
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    client.ready().await.unwrap()
}

fn post(path: &str) -> http::Request<()> {
    http::Request::post(format!("http://test{path}")).body(()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn headers_without_a_body_are_no_request() {
    let bench = Bench::new(Kind::Any, Duration::from_secs(5));
    let mut client = http2(bench.connect()).await;
    // The route waits for the body.
    let (answer, _body) = client.send_request(post("/echo"), false).unwrap();
    assert!(timeout(LIMIT, answer).await.unwrap().is_err());
    let text = bench.metrics.render();
    assert!(text.contains("why=\"no_request\"} 1"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_client_is_told_to_go_and_a_busy_one_stays() {
    let bench = Bench::new(Kind::Any, Duration::from_secs(5));
    let mut idle = http2(bench.connect()).await;
    let mut busy = http2(bench.connect()).await;
    for client in [&mut idle, &mut busy] {
        let (answer, _) = client.send_request(post("/echo"), true).unwrap();
        assert_eq!(answer.await.unwrap().status(), 200);
    }
    let (slow, _) = busy.send_request(post("/slow"), true).unwrap();
    while bench.registry.count() > 1 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(bench.metrics.render().contains("why=\"idle\"} 1"));
    assert!(idle.ready().await.is_err());
    tokio::time::sleep(Duration::from_secs(600)).await;
    bench.release.add_permits(1);
    assert_eq!(slow.await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_ends_its_calls_and_takes_no_more() {
    let mut bench = Bench::new(Kind::Any, Duration::from_secs(5));
    bench.connected.limits.max_age = Duration::from_secs(100);
    let mut client = http2(bench.connect()).await;
    let (answer, _) = client.send_request(post("/slow"), true).unwrap();
    tokio::time::sleep(Duration::from_secs(112)).await;
    assert!(client.send_request(post("/echo"), true).is_err(), "it was told to go elsewhere");
    bench.release.add_permits(1);
    assert_eq!(answer.await.unwrap().status(), 200);
    while bench.registry.count() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(bench.metrics.render().contains("why=\"age\"} 1"));
}

#[tokio::test]
async fn what_is_no_grpc_is_refused_by_a_grpc_listener() {
    let bench = Bench::new(Kind::Grpc, LIMIT);
    let mut stream = bench.connect();
    ask(&mut stream, "/ok").await;
    assert!(read(&mut stream, "\r\n\r\n").await.starts_with("HTTP/1.1 505"));
}

#[tokio::test]
async fn a_drain_answers_what_is_in_flight_and_closes_what_is_idle() {
    let bench = Bench::new(Kind::Any, LIMIT);
    let mut idle = bench.connect();
    let mut busy = bench.connect();
    for stream in [&mut idle, &mut busy] {
        ask(stream, "/ok").await;
        read(stream, "fine").await;
    }
    ask(&mut busy, "/slow").await;
    let in_flight =
        || bench.registry.open().iter().any(|open| open.in_flight.load(std::sync::atomic::Ordering::Relaxed) > 0);
    while !in_flight() {
        tokio::task::yield_now().await;
    }
    bench.drain.send_replace(true);
    assert_eq!(read(&mut idle, "").await, "");
    bench.release.add_permits(1);
    assert!(read(&mut busy, "").await.ends_with("at last"));
    while bench.registry.count() > 0 {
        tokio::task::yield_now().await;
    }
}
