//! A tonic server that answers every `Authorize` with the same words: what the transport costs when nothing is decided.
//!
//! Its answer has the shape and size of a real one. Nothing here is tuned: the generated code, the codec and the server
//! are stock.

use std::error::Error;
use std::net::SocketAddr;

use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

/// The messages, as the stock generator writes them.
pub mod v1 {
    tonic::include_proto!("sidegate.v1");
}

use v1::authorization_service_server::{AuthorizationService, AuthorizationServiceServer};

struct Echo;

#[tonic::async_trait]
impl AuthorizationService for Echo {
    async fn authorize(
        &self,
        request: Request<v1::AuthorizeRequest>,
    ) -> Result<Response<v1::AuthorizeResponse>, Status> {
        Ok(Response::new(v1::AuthorizeResponse {
            decision: v1::Decision::Allow.into(),
            reason: v1::Reason::Granted.into(),
            rule_id: "roles/writer/document.update".to_owned(),
            undetermined: false,
            snapshot: Some(v1::SnapshotRef {
                sequence: 0,
                digest: "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff".to_owned(),
                stale: false,
            }),
            evaluated_at: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 123_456_789 }),
            request_id: request.into_inner().request_id,
        }))
    }
}

/// Serves at `HOST:PORT` or `unix:PATH` until it is killed.
pub async fn serve(address: &str) -> Result<(), Box<dyn Error>> {
    let router = Server::builder().add_service(AuthorizationServiceServer::new(Echo));
    match address.strip_prefix("unix:") {
        Some(path) => router.serve_with_incoming(UnixListenerStream::new(UnixListener::bind(path)?)).await?,
        None => router.serve(address.parse::<SocketAddr>()?).await?,
    }
    Ok(())
}
