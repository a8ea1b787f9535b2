//! Bytes into messages for a door where an error can be taken for a yes: what cannot be read is a message that says
//! nothing, which is denied like any other that asks nothing. So is one that would unpack to far more than it is.

use std::marker::PhantomData;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, header::CONTENT_TYPE};
use http_body::Frame;
use prost::Message;
use tonic::{
    Status,
    body::Body,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder},
};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

use crate::service::{headers::GRPC_STATUS, wire::is_bomb};

/// Protobuf, of which nothing is an error.
#[derive(Debug)]
pub(in crate::service) struct Lenient<T, U>(PhantomData<(T, U)>);

/// Its reading half.
#[derive(Debug)]
pub(in crate::service) struct LenientDecoder<U>(ProstDecoder<U>);

impl<T, U> Default for Lenient<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Message + 'static, U: Message + Default + 'static> Codec for Lenient<T, U> {
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = LenientDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        LenientDecoder(ProstCodec::<T, U>::raw_decoder(BufferSettings::default()))
    }
}

impl<U: Message + Default + 'static> Decoder for LenientDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // The transport has put the whole message into one piece.
        let whole = bytes.chunk().len() == bytes.remaining() && !is_bomb::<U>(bytes.chunk());
        let read = if whole { self.0.decode(bytes).ok().flatten().unwrap_or_default() } else { U::default() };
        // What is left of a message that could not be read is not the beginning of another.
        bytes.advance(bytes.remaining());
        Ok(Some(read))
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}

/// A whole answer of gRPC with this message; `None` where it is too long to be one.
pub(super) fn reply(message: &impl Message) -> Option<Response<Body>> {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(5 + length);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(length).ok()?);
    message.encode(&mut frame).ok()?;
    let mut trailers = HeaderMap::new();
    trailers.insert(&GRPC_STATUS, HeaderValue::from_static("0"));
    let frames = [Ok::<_, Status>(Frame::data(frame.freeze())), Ok(Frame::trailers(trailers))];
    let mut response = Response::new(Body::new(Frames(frames.into_iter().collect())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    Some(response)
}

/// A body of frames that are all there.
struct Frames(std::collections::VecDeque<Result<Frame<Bytes>, Status>>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Status>>> {
        std::task::Poll::Ready(self.0.pop_front())
    }
}
