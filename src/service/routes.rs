//! Which services the gRPC listeners serve, and how large a message each call may carry.

use std::{
    convert::Infallible,
    future::ready,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tonic::{
    body::Body,
    server::{Grpc, NamedService},
    service::Routes,
};
use tonic_reflection::server::Builder as Reflection;
use tower::Service;

use super::{
    authorization::Authorization,
    direct::{Batches, Raw},
    envoy::{Bounded, Envoy},
    fast::is_identity,
    health::HealthService,
    proto::{
        DESCRIPTORS,
        health_v1::health_server::HealthServer,
        v1::{
            authorization_service_server::AuthorizationServiceServer, snapshot_service_server::SnapshotServiceServer,
        },
    },
    snapshot_service::Snapshots,
};

/// The full names of the services whose health is that of the snapshot; empty is the daemon as a whole.
pub const DATA_SERVICES: [&str; 3] = ["", AuthorizationServiceServer::<Authorization>::NAME, Bounded::NAME];

/// The largest question about health: a service's name.
const HEALTH_BYTES: usize = 64 * 1024;

/// Authorization, health and both versions of reflection.
///
/// # Errors
/// The built-in descriptors are broken.
pub fn data_routes(
    authorization: &Authorization,
    health: HealthService,
) -> Result<Routes, tonic_reflection::server::Error> {
    let names = [AuthorizationServiceServer::<Authorization>::NAME, Bounded::NAME, HealthServer::<HealthService>::NAME];
    let server = AuthorizationServiceServer::new(authorization.clone());
    Ok(Routes::new(Calls { server, authorization: authorization.clone() })
        .add_service(Bounded::new(Envoy::new(Arc::clone(authorization.pdp()))))
        .add_service(HealthServer::new(health).max_decoding_message_size(HEALTH_BYTES))
        .add_service(reflection(&names).build_v1()?)
        .add_service(reflection(&names).build_v1alpha()?)
        .prepare())
}

/// Snapshots, health and both versions of reflection.
///
/// # Errors
/// The built-in descriptors are broken.
pub fn admin_routes(snapshots: Snapshots, health: HealthService) -> Result<Routes, tonic_reflection::server::Error> {
    let names = [SnapshotServiceServer::<Snapshots>::NAME, HealthServer::<HealthService>::NAME];
    Ok(Routes::new(SnapshotServiceServer::new(snapshots))
        .add_service(HealthServer::new(health))
        .add_service(reflection(&names).build_v1()?)
        .add_service(reflection(&names).build_v1alpha()?)
        .prepare())
}

/// Lists what is served here and nothing else that the descriptors hold.
fn reflection(names: &[&str]) -> Reflection<'static> {
    let every =
        names.iter().chain(&["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]);
    let registered = Reflection::configure().register_encoded_file_descriptor_set(DESCRIPTORS);
    every.fold(registered, |builder, name| builder.with_service_name(*name))
}

/// Bounds messages by call and by the live settings: tonic's bound is one for all calls of a service, for ever. Takes
/// batches and streams past the generated messages.
#[derive(Debug, Clone)]
struct Calls {
    server: AuthorizationServiceServer<Authorization>,
    authorization: Authorization,
}

impl NamedService for Calls {
    const NAME: &'static str = AuthorizationServiceServer::<Authorization>::NAME;
}

impl Service<Request<Body>> for Calls {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let gate = self.authorization.gate();
        match request.uri().path() {
            "/sidegate.v1.AuthorizationService/BatchAuthorize" => {
                let most = gate.read(|live| live.batch_bytes);
                let mut grpc = Grpc::new(Raw).apply_max_message_size_config(Some(most), None);
                let batches = Batches(self.authorization.clone());
                Box::pin(async move { Ok(grpc.unary(batches, request).await) })
            }
            // What is encoded is refused behind the router, as it is of every call.
            "/sidegate.v1.AuthorizationService/AuthorizeStream" if is_identity(request.headers()) => {
                Box::pin(ready(Ok(self.authorization.stream(request))))
            }
            _ => {
                let most = gate.read(|live| live.message_bytes);
                self.server.clone().max_decoding_message_size(most).call(request)
            }
        }
    }
}
