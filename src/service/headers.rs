//! Names of headers that every call is asked for: as a text each would be looked up letter by letter first.

use http::HeaderName;

/// How the messages of a call are compressed.
pub(super) static GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
/// How a call ended.
pub(super) static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// The trace that a call is a part of.
pub(super) static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
