//! What is read in place against what the generated decoder reads: drawn messages, whole and damaged.

use proptest::{collection::btree_map, option, prelude::*, sample::Index};
use prost::Message;

use super::{PlainBatch, PlainQuestion};
use crate::{
    model::Malformed,
    service::{
        convert::Question,
        proto::v1::{self, value::Kind},
    },
};

/// What a message says, in words, and whether it demands a snapshot; `None` where it is malformed.
fn generated(bytes: &[u8]) -> Option<(String, String, bool)> {
    let message = v1::AuthorizeRequest::decode(bytes).ok()?;
    let question = Question::of(&message).ok()?;
    let text = question.ask(|request| Ok::<_, Malformed>(format!("{request:?}"))).ok()?;
    Some((text, message.request_id.clone(), message.consistency.is_some()))
}

/// Whether it was read in place; panics where that differs from what was generated.
fn read_alike(bytes: &[u8]) -> bool {
    let Some(question) = PlainQuestion::read(bytes) else { return false };
    let read = (format!("{:?}", question.request()), question.request_id.to_owned(), false);
    // A request id that is too long is refused by who asks the question.
    if question.request_id.len() <= crate::model::MAX_ID_BYTES {
        assert_eq!(Some(read), generated(bytes));
    }
    true
}

/// The same of a batch, and of a message of a stream.
fn several_read_alike(bytes: &[u8]) -> bool {
    let streamed = PlainQuestion::read_streamed(bytes);
    if let Some(question) = &streamed {
        let message = v1::AuthorizeStreamRequest::decode(bytes).unwrap().request.unwrap();
        same(question, &message);
    }
    let Some(batch) = PlainBatch::read(bytes, MOST) else { return streamed.is_some() };
    let message = v1::BatchAuthorizeRequest::decode(bytes).unwrap();
    assert_eq!(batch.questions.len(), message.requests.len());
    batch.questions.iter().zip(&message.requests).for_each(|(question, message)| same(question, message));
    assert_eq!((batch.semantics, batch.request_id), (message.semantics, &*message.request_id));
    assert_eq!(message.consistency, None);
    true
}

fn same(question: &PlainQuestion<'_>, message: &v1::AuthorizeRequest) {
    let asked = Question::of(message).unwrap().ask(|request| Ok::<_, Malformed>(format!("{request:?}"))).unwrap();
    assert_eq!(format!("{:?}", question.request()), asked);
    assert_eq!((question.request_id, &message.consistency), (&*message.request_id, &None));
}

/// The most questions of a drawn batch.
const MOST: usize = 3;

fn name() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-z]{0,3}", 1 => "\\PC{0,4}", 1 => "[a-z]{120,140}"]
}

fn entity() -> impl Strategy<Value = v1::Entity> {
    (name(), name()).prop_map(|(r#type, id)| v1::Entity { r#type, id })
}

fn value() -> impl Strategy<Value = v1::Value> {
    let kind = prop_oneof![
        name().prop_map(Kind::StringValue),
        any::<i64>().prop_map(Kind::IntValue),
        any::<bool>().prop_map(Kind::BoolValue),
        (-70_000_000_000_i64..300_000_000_000, -1..1_000_000_001)
            .prop_map(|(seconds, nanos)| Kind::TimestampValue(prost_types::Timestamp { seconds, nanos })),
        entity().prop_map(Kind::EntityValue),
    ];
    option::weighted(0.9, kind).prop_map(|kind| v1::Value { kind })
}

type Map = std::collections::BTreeMap<String, v1::Value>;

fn properties() -> impl Strategy<Value = Map> {
    prop_oneof![2 => Just(Map::new()), 3 => btree_map(name(), value(), 0..4)]
}

prop_compose! {
    fn request()(
        subject in (name(), name(), properties()),
        action in (name(), properties()),
        resource in (name(), name(), option::of(entity()), properties()),
        context in properties(),
        request_id in name(),
    ) -> v1::AuthorizeRequest {
        let (subject_type, subject_id, subject_properties) = subject;
        let (action, action_properties) = action;
        let (resource_type, resource_id, parent, resource_properties) = resource;
        v1::AuthorizeRequest {
            subject: Some(v1::Subject { r#type: subject_type, id: subject_id, properties: subject_properties }),
            action: Some(v1::Action { name: action, properties: action_properties }),
            resource: Some(v1::Resource {
                r#type: resource_type,
                id: resource_id,
                parent,
                properties: resource_properties,
            }),
            context,
            consistency: None,
            request_id,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn what_is_plain_is_read_and_as_prost_reads_it(request in request()) {
        let bytes = request.encode_to_vec();
        // Only a moment that is none keeps it from being read.
        prop_assert_eq!(read_alike(&bytes), generated(&bytes).is_some());
    }

    #[test]
    fn several_are_read_as_prost_reads_them_or_left(
        requests in proptest::collection::vec(request(), 0..=MOST),
        semantics in -1..5_i32,
        request_id in name(),
        damage in proptest::collection::vec((any::<Index>(), any::<u8>()), 0..3),
    ) {
        let one = v1::AuthorizeStreamRequest { request: requests.first().cloned() };
        let batch = v1::BatchAuthorizeRequest { requests, semantics, consistency: None, request_id };
        let is_plain = |request: &v1::AuthorizeRequest| PlainQuestion::read(&request.encode_to_vec()).is_some();
        let cases = [
            (batch.encode_to_vec(), semantics >= 0 && batch.requests.iter().all(is_plain)),
            // Nothing at all is a batch too.
            (one.encode_to_vec(), one.request.as_ref().is_none_or(is_plain)),
        ];
        for (mut bytes, is_plain) in cases {
            prop_assert_eq!(several_read_alike(&bytes), is_plain);
            for (at, byte) in &damage {
                let at = at.index(bytes.len().max(1));
                if let Some(old) = bytes.get_mut(at) {
                    *old = *byte;
                }
            }
            several_read_alike(&bytes);
        }
    }

    #[test]
    fn whatever_is_damaged_is_read_as_prost_reads_it_or_left(
        request in request(),
        damage in proptest::collection::vec((any::<Index>(), any::<u8>(), 0..4_u8), 1..4),
    ) {
        let mut bytes = request.encode_to_vec();
        for (at, byte, how) in damage {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => bytes.truncate(at.max(1)),
                _ => bytes.extend_from_within(at..),
            }
        }
        read_alike(&bytes);
    }
}

#[test]
fn what_is_out_of_the_ordinary_is_left() {
    let plain = v1::AuthorizeRequest {
        subject: Some(v1::Subject { r#type: "user".into(), id: "ana".into(), ..Default::default() }),
        action: Some(v1::Action { name: "view".into(), ..Default::default() }),
        resource: Some(v1::Resource { r#type: "bot".into(), id: "b".into(), ..Default::default() }),
        ..Default::default()
    };
    let bytes = plain.encode_to_vec();
    assert!(read_alike(&bytes));
    let requirement = Some(v1::consistency::Requirement::AtLeastSequence(1));
    let demanding = v1::AuthorizeRequest { consistency: Some(v1::Consistency { requirement }), ..plain.clone() };
    let list = v1::Value { kind: Some(Kind::ListValue(v1::ListValue::default())) };
    let listing = v1::AuthorizeRequest { context: [("x".to_owned(), list)].into(), ..plain };
    for other in [demanding.encode_to_vec(), listing.encode_to_vec(), [&bytes[..], &bytes].concat(), Vec::new()] {
        assert!(PlainQuestion::read(&other).is_none());
    }
    for unknown in [&[0x3a, 0][..], &[0x38, 1], &[0x3d, 0, 0, 0, 0], &[0x08, 1], &[0x0b, 0x0c]] {
        assert!(PlainQuestion::read(&[&bytes, unknown].concat()).is_none(), "{unknown:?}");
    }
}
