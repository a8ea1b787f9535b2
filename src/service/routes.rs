//! Which services the gRPC listeners serve, and how large a message each call may carry.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use http::{Request, Response};
use tonic::{body::Body, server::NamedService, service::Routes};
use tonic_reflection::server::Builder as Reflection;
use tower::Service;

use super::{
    authorization::Authorization,
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
pub const DATA_SERVICES: [&str; 2] = ["", AuthorizationServiceServer::<Authorization>::NAME];

/// The largest messages a caller may send.
#[derive(Debug, Clone, Copy)]
pub struct MessageLimits {
    /// Of one question.
    pub single: usize,
    /// Of a batch.
    pub batch: usize,
}

/// Authorization, health and both versions of reflection.
///
/// # Errors
/// The built-in descriptors are broken.
pub fn data_routes(
    authorization: &Authorization,
    health: HealthService,
    limits: MessageLimits,
) -> Result<Routes, tonic_reflection::server::Error> {
    let MessageLimits { single, batch } = limits;
    let of_size = |most| AuthorizationServiceServer::new(authorization.clone()).max_decoding_message_size(most);
    let names = [AuthorizationServiceServer::<Authorization>::NAME, HealthServer::<HealthService>::NAME];
    Ok(Routes::new(BySize { single: of_size(single), batch: of_size(batch) })
        .add_service(HealthServer::new(health).max_decoding_message_size(single))
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

/// The same service twice: tonic's bound on messages is one for all calls of a service.
#[derive(Debug, Clone)]
struct BySize {
    single: AuthorizationServiceServer<Authorization>,
    batch: AuthorizationServiceServer<Authorization>,
}

impl NamedService for BySize {
    const NAME: &'static str = AuthorizationServiceServer::<Authorization>::NAME;
}

impl Service<Request<Body>> for BySize {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = <AuthorizationServiceServer<Authorization> as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.uri().path().ends_with("/BatchAuthorize") {
            self.batch.call(request)
        } else {
            self.single.call(request)
        }
    }
}
