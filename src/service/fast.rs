//! `Authorize` answered in front of the router, where the call is as plain as nearly every call is.
//!
//! Not another door: it reads the message in place, asks the [`Pdp`] and writes the answer or the refusal, as the
//! service behind the router does. Whatever is not plain goes on to the router as it came, before anything was counted.

mod body;
mod plain;

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version, header::CONTENT_TYPE};
use prost::Message;

use tonic::{Status, body::Body};

use super::{pdp::Pdp, registry::Connection};
pub(super) use body::{Gather, Gathered, Replay, Reply};
pub use plain::PlainQuestion;

const PATH: &str = "/sidegate.v1.AuthorizationService/Authorize";
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// gRPC's prefix of a message: a flag for compression and four bytes of length.
const PREFIX: usize = 5;

/// What answers plain calls.
#[derive(Debug, Clone)]
pub struct FastPath(Arc<Pdp>);

impl FastPath {
    /// Answers from a decision point.
    pub fn new(pdp: Arc<Pdp>) -> Self {
        Self(pdp)
    }

    /// Whether what is known before the body comes is plain.
    pub(super) fn takes<B>(request: &Request<B>) -> bool {
        request.uri().path() == PATH
            && request.method() == Method::POST
            && request.version() == Version::HTTP_2
            && request
                .headers()
                .get(CONTENT_TYPE)
                .is_some_and(|kind| matches!(kind.as_bytes(), b"application/grpc" | b"application/grpc+proto"))
            && request.headers().get("grpc-encoding").is_none_or(|encoding| encoding.as_bytes() == b"identity")
    }

    /// Whether a frame is one whole uncompressed message of a size that is allowed.
    pub(super) fn is_message(&self, frame: &[u8]) -> bool {
        let Some(([0, length @ ..], message)) = frame.split_first_chunk::<PREFIX>() else { return false };
        let most = self.0.gate().read(|live| live.message_bytes);
        u32::from_be_bytes(*length) as usize == message.len() && message.len() <= most
    }

    /// The answer to a frame that [is a message](Self::is_message); `None` leaves it to the router.
    pub(super) fn answer(&self, connection: &Connection, headers: &HeaderMap, frame: &[u8]) -> Option<Response<Reply>> {
        let question = PlainQuestion::read(frame.get(PREFIX..)?)?;
        let asked = (&question.request(), question.request_id);
        Some(match self.0.authorize_plain(connection, headers, asked) {
            Ok(answer) => {
                let mut response = Response::new(Reply::Message(framed(&answer)?));
                response.headers_mut().insert(CONTENT_TYPE, GRPC);
                response
            }
            Err(refusal) => Status::from(refusal).into_http::<Body>().map(Reply::Routed),
        })
    }
}

/// A message with its prefix.
fn framed(message: &impl Message) -> Option<Bytes> {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(PREFIX + length);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(length).ok()?);
    message.encode(&mut frame).ok()?;
    Some(frame.freeze())
}
