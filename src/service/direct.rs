//! Batches, whose messages are read in place and whose answers are written as they are made. Between tonic's framing,
//! which stays as it is, and the [`Authorization`] service, which has the last word on every message that is out of the
//! ordinary. Not another door: the same function decides.

use std::pin::Pin;

use bytes::{Buf, BufMut, Bytes};
use prost::Message;
use tonic::{
    Request, Response, Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::UnaryService,
};

use super::{
    authorization::{Authorization, INLINE_BATCH},
    fast::PlainBatch,
    proto::v1::authorization_service_server::AuthorizationService,
    wire,
};

/// Messages as they are on the wire.
#[derive(Debug, Default)]
pub(super) struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Status>> + Send>>;

/// `BatchAuthorize`.
#[derive(Debug, Clone)]
pub(super) struct Batches(pub(super) Authorization);

impl UnaryService<Bytes> for Batches {
    type Response = Bytes;
    type Future = Answering;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let Self(service) = self.clone();
        Box::pin(async move {
            if let Some(batch) = PlainBatch::read(request.get_ref(), INLINE_BATCH) {
                return Ok(Response::new(service.batch_in_place(&request, &batch)?));
            }
            let (metadata, extensions, message) = request.into_parts();
            let batch = wire::decode(&message)?;
            let answer = service.batch_authorize(Request::from_parts(metadata, extensions, batch)).await?;
            Ok(answer.map(|answer| answer.encode_to_vec().into()))
        })
    }
}
