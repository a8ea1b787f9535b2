//! `Authorize` answered in front of the router, where the call is as plain as nearly every call is.
//!
//! Not another door: it reads the message in place, asks the [`Pdp`] and writes the answer or the refusal, as the
//! service behind the router does. Whatever is not plain goes on to the router as it came, before anything was counted.

mod body;
mod plain;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, Version, header::CONTENT_TYPE, request::Parts};
use tonic::{Status, body::Body};

use super::{
    framing::{Next, PREFIX, prefix},
    headers::GRPC_ENCODING,
    pdp::Pdp,
    registry::Connection,
    written::{response, response_length},
};
pub(super) use body::{Gather, Replay, Reply};
pub use plain::{PlainBatch, PlainQuestion};

const PATH: &str = "/sidegate.v1.AuthorizationService/Authorize";
pub(super) const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// What answers plain calls.
#[derive(Debug, Clone)]
pub struct FastPath(Arc<Pdp>);

impl FastPath {
    /// Answers from a decision point.
    pub fn new(pdp: Arc<Pdp>) -> Self {
        Self(pdp)
    }

    /// Whether what is known before the body comes is plain.
    pub(super) fn takes(head: &Parts) -> bool {
        head.uri.path() == PATH
            && head.method == Method::POST
            && head.version == Version::HTTP_2
            && head
                .headers
                .get(CONTENT_TYPE)
                .is_some_and(|kind| matches!(kind.as_bytes(), b"application/grpc" | b"application/grpc+proto"))
            && is_identity(&head.headers)
    }

    /// Whether a frame is one whole uncompressed message of a size that is allowed.
    pub(super) fn is_message(&self, frame: &[u8]) -> bool {
        let most = self.0.gate().read(|live| live.message_bytes);
        Next::of(frame, most) == Next::Whole(frame.len())
    }

    /// The answer to a frame that [is a message](Self::is_message); `None` leaves it to the router.
    pub(super) fn answer(&self, connection: &Connection, headers: &HeaderMap, frame: &[u8]) -> Option<Response<Reply>> {
        let question = PlainQuestion::read(frame.get(PREFIX..)?)?;
        let answer = self.0.authorize_plain(connection, headers, &question, |shown, stamp| {
            framed(response_length(shown, stamp, question.request_id), |frame| {
                response(frame, shown, stamp, question.request_id);
            })
        });
        Some(match answer {
            Ok(frame) => {
                let mut response = Response::new(Reply::Message(frame));
                response.headers_mut().insert(CONTENT_TYPE, GRPC);
                response
            }
            Err(refusal) => Status::from(refusal).into_http::<Body>().map(Reply::Routed),
        })
    }
}

/// Whether the messages of a call are said to be as they are.
pub(super) fn is_identity(headers: &HeaderMap) -> bool {
    headers.get(&GRPC_ENCODING).is_none_or(|encoding| encoding.as_bytes() == b"identity")
}

/// A message of this length with its prefix.
fn framed(length: usize, write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut frame = Vec::with_capacity(PREFIX + length);
    frame.extend_from_slice(&prefix(length));
    write(&mut frame);
    frame.into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use http::{HeaderMap, Method, Request, Version, request::Parts};
    use prost::Message;

    use super::{FastPath, PATH};
    use crate::{
        observe::metrics::Metrics,
        service::{Pdp, Registry, peer::Peer, proto::v1},
        snapshot::Store,
    };

    fn framed(message: &impl Message) -> Bytes {
        super::framed(message.encoded_len(), |frame| message.encode(frame).unwrap())
    }

    fn head(change: impl FnOnce(&mut Request<()>)) -> Parts {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = format!("http://localhost{PATH}").parse().unwrap();
        request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        change(&mut request);
        request.into_parts().0
    }

    #[test]
    fn takes_plain_calls_and_no_others() {
        assert!(FastPath::takes(&head(|_| ())));
        assert!(FastPath::takes(&head(|request| {
            request.headers_mut().insert("grpc-encoding", "identity".parse().unwrap());
        })));
        let others: [fn(&mut Request<()>); 5] = [
            |request| *request.method_mut() = Method::PUT,
            |request| *request.version_mut() = Version::HTTP_11,
            |request| *request.uri_mut() = "http://localhost/grpc.health.v1.Health/Check".parse().unwrap(),
            |request| drop(request.headers_mut().insert("content-type", "application/grpc+json".parse().unwrap())),
            |request| drop(request.headers_mut().insert("grpc-encoding", "gzip".parse().unwrap())),
        ];
        assert!(others.into_iter().all(|change| !FastPath::takes(&head(change))));
    }

    #[test]
    fn answers_a_plain_message_and_leaves_the_rest() {
        let metrics = Arc::new(Metrics::default());
        let fast = FastPath::new(Arc::new(Pdp::new(Arc::new(Store::default()), Arc::clone(&metrics)).unwrap()));
        let registered = Arc::new(Registry::new(1, metrics)).register(Peer::Unknown, "data").unwrap();
        let plain = v1::AuthorizeRequest {
            subject: Some(v1::Subject { r#type: "user".into(), id: "ana".into(), ..Default::default() }),
            action: Some(v1::Action { name: "view".into(), ..Default::default() }),
            resource: Some(v1::Resource { r#type: "bot".into(), id: "b".into(), ..Default::default() }),
            ..Default::default()
        };
        let frame = framed(&plain);
        assert!(fast.is_message(&frame));
        let answer = fast.answer(registered.connection(), &HeaderMap::new(), &frame).unwrap();
        assert_eq!(answer.headers()["grpc-status"], "14", "no snapshot is loaded");
        let requirement = Some(v1::consistency::Requirement::AtLeastSequence(1));
        let other = v1::AuthorizeRequest { consistency: Some(v1::Consistency { requirement }), ..plain };
        let frame = framed(&other);
        assert!(fast.is_message(&frame));
        assert!(fast.answer(registered.connection(), &HeaderMap::new(), &frame).is_none());
        for odd in [&frame[..frame.len() - 1], &[&frame[..], &[0]].concat(), &[1, 0, 0, 0, 0], &[0, 0, 0, 0], &[]] {
            assert!(!fast.is_message(odd), "{odd:?}");
        }
    }
}
