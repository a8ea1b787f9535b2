//! Bytes into messages, and a look at them first: two bytes can stand for a whole empty question, so a batch of a few
//! megabytes could unpack to hundreds. What would unpack to far more than it is refused before anything is allocated.
//!
//! Not the check of what a message says: that is for those who convert it.

mod shape;

use std::marker::PhantomData;

use bytes::Buf;
use prost::Message;
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder},
};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

use shape::{MOST_DEEP, Shape};

/// Messages up to so many bytes are not looked at: they cannot unpack to much.
const SMALL: usize = 4 * 1024;
/// Beside so many times its bytes, which depends on what it is, a message may unpack to so many more.
const SLACK: usize = 64 * 1024;

/// Protobuf as everywhere, behind [`check`].
#[derive(Debug)]
pub(super) struct Frugal<T, U>(PhantomData<(T, U)>);

/// Its reading half.
#[derive(Debug)]
pub(super) struct FrugalDecoder<U>(ProstDecoder<U>);

impl<T, U> Default for Frugal<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Message + 'static, U: Message + Default + 'static> Codec for Frugal<T, U> {
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = FrugalDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        FrugalDecoder(ProstCodec::<T, U>::raw_decoder(BufferSettings::default()))
    }
}

impl<U: Message + Default + 'static> Decoder for FrugalDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        if bytes.remaining() > SMALL {
            // The transport has put the whole message into one piece.
            let whole = bytes.chunk();
            if whole.len() < bytes.remaining() {
                return Err(Status::internal("the message came in pieces"));
            }
            check::<U>(whole).map_err(Status::invalid_argument)?;
        }
        self.0.decode(bytes)
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}

/// Decodes a message that did not come through the codec, as it would have been there.
pub(super) fn decode<M: Message + Default + 'static>(bytes: &[u8]) -> Result<M, Status> {
    if bytes.len() > SMALL {
        check::<M>(bytes).map_err(Status::invalid_argument)?;
    }
    M::decode(bytes).map_err(|error| Status::internal(error.to_string()))
}

/// Whether the bytes of a message, larger than what is not looked at, would unpack to far more than they are.
pub(super) fn is_bomb<U: 'static>(bytes: &[u8]) -> bool {
    bytes.len() > SMALL && check::<U>(bytes).is_err()
}

/// Refuses the bytes of a question, or of several, that would unpack to far more than they are. To be called by whoever
/// decodes one.
pub(super) fn check<U: 'static>(bytes: &[u8]) -> Result<(), &'static str> {
    let Some(shape) = Shape::of::<U>() else { return Ok(()) };
    let most = bytes.len().saturating_mul(shape.most_times()).saturating_add(SLACK);
    Walk { bytes, cost: 0, most }.all(shape)
}

const BROKEN: &str = "the message is not well formed";

/// A walk over the bytes of a message, without recursion.
struct Walk<'b> {
    bytes: &'b [u8],
    cost: usize,
    most: usize,
}

impl Walk<'_> {
    fn all(mut self, shape: Shape) -> Result<(), &'static str> {
        // What is left of the bytes where each open message ends.
        let mut open = [(Shape::Other, 0); MOST_DEEP];
        let deepest = shape.most_deep();
        let mut depth = 0_usize;
        let mut here = (shape, 0);
        loop {
            while self.bytes.len() == here.1 {
                let Some(outer) = depth.checked_sub(1) else { return Ok(()) };
                depth = outer;
                here = *open.get(depth).ok_or(BROKEN)?;
            }
            let Some((shape, length)) = self.next_message(here.0)? else { continue };
            let end = self.bytes.len().checked_sub(length).filter(|end| *end >= here.1).ok_or(BROKEN)?;
            let place = open.get_mut(depth).filter(|_| depth < deepest);
            *place.ok_or("messages are nested too deep")? = here;
            depth += 1;
            here = (shape, end);
        }
    }

    /// Steps over a field, or into it if it is a message that matters: its shape and length.
    fn next_message(&mut self, shape: Shape) -> Result<Option<(Shape, usize)>, &'static str> {
        let key = self.number()?;
        let fixed = match key & 7 {
            0 => self.number().map(|_| 0)?,
            1 => 8,
            5 => 4,
            2 => {
                let length = usize::try_from(self.number()?).map_err(|_| BROKEN)?;
                let (inner, cost) = shape.field(key >> 3);
                self.cost = self.cost.saturating_add(cost);
                if self.cost > self.most {
                    return Err("the message would unpack to far more than its size");
                }
                if !matches!(inner, Shape::Other) {
                    return Ok(Some((inner, length)));
                }
                length
            }
            // Groups are of a time before these messages.
            _ => return Err(BROKEN),
        };
        self.bytes = self.bytes.get(fixed..).ok_or(BROKEN)?;
        Ok(None)
    }

    fn number(&mut self) -> Result<u64, &'static str> {
        let mut number = 0_u64;
        for place in 0..10 {
            let (byte, rest) = self.bytes.split_first().ok_or(BROKEN)?;
            self.bytes = rest;
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(BROKEN)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use prost::Message;

    use super::check;
    use crate::service::proto::v1::{self, value::Kind};

    fn smallest() -> v1::AuthorizeRequest {
        v1::AuthorizeRequest {
            subject: Some(v1::Subject { r#type: "u".into(), id: "a".into(), ..v1::Subject::default() }),
            action: Some(v1::Action { name: "a".into(), ..v1::Action::default() }),
            resource: Some(v1::Resource { r#type: "r".into(), id: "b".into(), ..v1::Resource::default() }),
            ..v1::AuthorizeRequest::default()
        }
    }

    fn batch(requests: Vec<v1::AuthorizeRequest>) -> Vec<u8> {
        v1::BatchAuthorizeRequest { requests, ..v1::BatchAuthorizeRequest::default() }.encode_to_vec()
    }

    fn value(kind: Kind) -> v1::Value {
        v1::Value { kind: Some(kind) }
    }

    fn list(values: Vec<v1::Value>) -> v1::Value {
        value(Kind::ListValue(v1::ListValue { values }))
    }

    #[test]
    fn honest_messages_pass_whatever_they_hold() {
        assert_eq!(check::<v1::BatchAuthorizeRequest>(&batch(vec![smallest(); 100_000])), Ok(()));
        let mut request = smallest();
        let flags = vec![value(Kind::BoolValue(true)); 1024];
        let maps: BTreeMap<_, _> = (0..256).map(|n| (n.to_string(), value(Kind::IntValue(n)))).collect();
        request.context = maps.clone();
        request.context.insert("list".into(), list(flags));
        request.subject.as_mut().unwrap().properties = maps.clone();
        request.resource.as_mut().unwrap().properties = maps.clone();
        request.action.as_mut().unwrap().properties = maps;
        request.resource.as_mut().unwrap().parent = Some(v1::Entity { r#type: "p".into(), id: "q".into() });
        assert_eq!(check::<v1::AuthorizeRequest>(&request.encode_to_vec()), Ok(()));
        let explain = v1::ExplainRequest { request: Some(request.clone()) };
        assert_eq!(check::<v1::ExplainRequest>(&explain.encode_to_vec()), Ok(()));
        assert_eq!(check::<v1::BatchAuthorizeRequest>(&batch(vec![request; 100])), Ok(()));
    }

    #[test]
    fn what_unpacks_to_far_more_than_it_is_is_refused() {
        let bombs = [
            batch(vec![v1::AuthorizeRequest::default(); 100_000]),
            batch(vec![v1::AuthorizeRequest {
                context: [("x".to_owned(), list(vec![v1::Value::default(); 100_000]))].into(),
                ..smallest()
            }]),
        ];
        for bomb in bombs {
            let refused = check::<v1::BatchAuthorizeRequest>(&bomb);
            assert!(refused.is_err_and(|problem| problem.contains("far more")), "{} bytes", bomb.len());
        }
        let request = v1::AuthorizeRequest {
            context: [("x".to_owned(), list(vec![v1::Value::default(); 100_000]))].into(),
            ..smallest()
        };
        assert!(check::<v1::AuthorizeRequest>(&request.encode_to_vec()).is_err());
    }

    #[test]
    fn whatever_is_no_message_ends_the_walk() {
        let mut deep = v1::Value::default();
        for _ in 0..20 {
            deep = list(vec![deep]);
        }
        let request = v1::AuthorizeRequest { context: [("x".to_owned(), deep)].into(), ..smallest() };
        assert!(check::<v1::AuthorizeRequest>(&request.encode_to_vec()).is_err_and(|problem| problem.contains("deep")));
        // A group, a length beyond the end, one beyond the message around it, a number without an end.
        for bytes in [&[0x0b][..], &[0x0a, 5, 0], &[0x0a, 2, 0x0a, 5, 0, 0, 0, 0, 0], &[0xff; 11], &[0x09, 0]] {
            assert!(check::<v1::AuthorizeRequest>(bytes).is_err(), "{bytes:?}");
        }
        let whole = batch(vec![smallest(); 3]);
        let cut = (0..whole.len()).filter(|end| check::<v1::BatchAuthorizeRequest>(&whole[..*end]).is_ok());
        assert_eq!(cut.count(), 3, "only what ends between two questions");
    }
}
