//! All generated code: messages, clients and server traits of `proto/`, and the descriptors for reflection.

/// `sidegate.v1`.
#[expect(
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]
pub mod v1 {
    tonic::include_proto!("sidegate.v1");
}

/// `grpc.health.v1`.
#[expect(
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]
pub mod health_v1 {
    tonic::include_proto!("grpc.health.v1");
}

/// `envoy.service.auth.v3`, as far as it is read.
#[expect(clippy::pedantic, clippy::allow_attributes, clippy::allow_attributes_without_reason, reason = "generated")]
pub mod envoy_v3 {
    include!(concat!(env!("OUT_DIR"), "/lenient/envoy.service.auth.v3.rs"));
}

/// The descriptors of everything served, as server reflection hands them out.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
