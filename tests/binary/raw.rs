//! HTTP/2 without gRPC's manners, for what a well-behaved client never sends and never shows.

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request};
use tokio::net::TcpStream;

/// A connection; its driver ends with it.
pub(crate) async fn connect(address: &str) -> SendRequest<Bytes> {
    let (client, connection) = h2::client::handshake(TcpStream::connect(address).await.unwrap()).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    client
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) http: u16,
    /// From the trailers, or from the headers of an answer without a body.
    pub(crate) grpc: Option<i32>,
    pub(crate) body: Vec<u8>,
}

/// The frame in which gRPC sends a message.
pub(crate) fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat()
}

pub(crate) fn post(path: &str, content_type: &str) -> Request<()> {
    let request = Request::post(format!("http://sidegate{path}")).header("content-type", content_type);
    request.header("te", "trailers").body(()).unwrap()
}

/// Sends a request with a body and waits for all of the answer.
pub(crate) async fn send(
    client: &mut SendRequest<Bytes>,
    request: Request<()>,
    body: Vec<u8>,
) -> Result<Answer, h2::Error> {
    let (response, mut sender) = client.send_request(request, false)?;
    // Fails when it was refused before all of it was sent: the answer tells.
    drop(sender.send_data(body.into(), true));
    let response = response.await?;
    let code = |headers: &HeaderMap| headers.get("grpc-status")?.to_str().ok()?.parse().ok();
    let (http, mut grpc) = (response.status().as_u16(), code(response.headers()));
    let (mut stream, mut bytes) = (response.into_body(), Vec::new());
    while let Some(chunk) = stream.data().await {
        let chunk = chunk?;
        stream.flow_control().release_capacity(chunk.len())?;
        bytes.extend_from_slice(&chunk);
    }
    if let Some(trailers) = stream.trailers().await? {
        grpc = grpc.or_else(|| code(&trailers));
    }
    Ok(Answer { http, grpc, body: bytes })
}
