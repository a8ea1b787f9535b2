//! A collector that keeps what it is sent, and the daemon that sends it.

use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use sidegate::service::proto::v1::authorization_service_client::AuthorizationServiceClient;

use crate::support::{Daemon, block_on, good, question, until};

const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const NOT_SAMPLED: &str = "00-5bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

type Taken = Arc<Mutex<Vec<u8>>>;

/// Listens on a thread of its own, which ends with the test's process.
fn collect() -> (SocketAddr, Taken) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let taken = Taken::default();
    let shared = Arc::clone(&taken);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let take = service_fn(move |request| answer(request, Arc::clone(&shared)));
                    let builder = auto::Builder::new(TokioExecutor::new());
                    drop(builder.serve_connection(TokioIo::new(stream), take).await);
                });
            }
        });
    });
    (address, taken)
}

async fn answer(mut request: Request<Incoming>, taken: Taken) -> Result<Response<Answer>, Infallible> {
    assert_eq!(request.uri().path(), "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(request.body_mut()).poll_frame(cx)).await {
        if let Ok(data) = frame.unwrap().into_data() {
            taken.lock().unwrap().extend_from_slice(&data);
        }
    }
    let mut response = Response::new(Answer(0));
    response.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    Ok(response)
}

/// An empty message, and that all is well.
struct Answer(u8);

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0 += 1;
        Poll::Ready(match self.0 {
            1 => Some(Ok(Frame::data(Bytes::from_static(&[0; 5])))),
            2 => {
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", "0".parse().unwrap());
                Some(Ok(Frame::trailers(trailers)))
            }
            _ => None,
        })
    }
}

fn holds(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).filter(|window| *window == part).count()
}

#[test]
fn only_calls_of_sampled_traces_are_spans() {
    let (address, taken) = collect();
    let directory = tempfile::tempdir().unwrap();
    let (source, file) = (directory.path().join("policy.yaml"), directory.path().join("sidegate.toml"));
    fs::write(&source, good()).unwrap();
    fs::write(&file, format!("[otlp]\nendpoint = \"http://{address}\"\n")).unwrap();
    let daemon = Daemon::serve(directory, &source, &["--config", file.to_str().unwrap()]).ready();
    block_on(async {
        let mut client = AuthorizationServiceClient::connect(format!("http://{}", daemon.data)).await.unwrap();
        for traceparent in [Some(NOT_SAMPLED), Some(SAMPLED), None, Some("nonsense")] {
            let mut request = tonic::Request::new(question("ana", "access"));
            if let Some(traceparent) = traceparent {
                request.metadata_mut().insert("traceparent", traceparent.parse().unwrap());
            }
            client.authorize(request).await.unwrap();
        }
    });
    until("it is exported", || daemon.metric("sidegate_spans_exported_total") == 1);
    let bytes = taken.lock().unwrap().clone();
    let trace = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes();
    assert_eq!(holds(&bytes, &trace), 1);
    assert_eq!(holds(&bytes, &0x00f0_67aa_0ba9_02b7_u64.to_be_bytes()), 1, "the caller's span is the parent");
    assert_eq!(holds(&bytes, &0x5bf9_2f35_77b3_4da6_u64.to_be_bytes()), 0);
    assert_eq!(holds(&bytes, b"Authorize"), 2, "as name and as method");
    assert_eq!(holds(&bytes, b"ana"), 0, "no id leaves");
    assert_eq!(daemon.metric("sidegate_spans_dropped_total"), 0);

    // What has ended is sent before the process ends.
    block_on(async {
        let mut client = AuthorizationServiceClient::connect(format!("http://{}", daemon.data)).await.unwrap();
        let mut request = tonic::Request::new(question("ana", "access"));
        request.metadata_mut().insert("traceparent", SAMPLED.parse().unwrap());
        client.authorize(request).await.unwrap();
    });
    assert_eq!(daemon.terminate().code, Some(0));
    assert_eq!(holds(&taken.lock().unwrap(), &trace), 2);
}

#[test]
fn a_collector_that_is_not_there_holds_nothing_up() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (source, file) = (directory.path().join("policy.yaml"), directory.path().join("sidegate.toml"));
    fs::write(&source, good()).unwrap();
    fs::write(&file, format!("[otlp]\nendpoint = \"http://{unused}\"\n")).unwrap();
    let daemon = Daemon::serve(directory, &source, &["--config", file.to_str().unwrap()]).ready();
    block_on(async {
        let mut client = AuthorizationServiceClient::connect(format!("http://{}", daemon.data)).await.unwrap();
        let mut request = tonic::Request::new(question("ana", "access"));
        request.metadata_mut().insert("traceparent", SAMPLED.parse().unwrap());
        client.authorize(request).await.unwrap();
    });
    until("it is dropped", || daemon.metric("sidegate_spans_dropped_total") == 1);
    daemon.logged("the collector does not take spans; they are dropped");
    assert_eq!(daemon.terminate().code, Some(0));
}
