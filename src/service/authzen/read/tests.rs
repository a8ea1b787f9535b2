//! Which value a piece of JSON is, and that a question is the same whichever way it was written.

use proptest::{collection::btree_map, prelude::*};
use prost::Message;
use serde_json::{Value as Text, json};

use super::{super::json, *};

fn value(text: &Text) -> v1::Value {
    property(json::read(text.to_string().as_bytes()).unwrap())
}

fn of(kind: Kind) -> v1::Value {
    v1::Value { kind: Some(kind) }
}

fn list(values: Vec<v1::Value>) -> v1::Value {
    of(Kind::ListValue(v1::ListValue { values }))
}

fn named(kind: &str, id: &str) -> v1::Entity {
    v1::Entity { r#type: kind.into(), id: id.into() }
}

#[test]
fn a_value_has_the_type_that_it_is_written_with() {
    assert_eq!(value(&Text::Null), v1::Value::default());
    assert_eq!(value(&json!(true)), of(Kind::BoolValue(true)));
    assert_eq!(value(&json!(-3)), of(Kind::IntValue(-3)));
    assert_eq!(value(&json!("3")), of(Kind::StringValue("3".into())));
    assert_eq!(value(&json!({"id": "a", "type": "user"})), of(Kind::EntityValue(named("user", "a"))));
    assert_eq!(value(&json!([1, "a"])), list(vec![of(Kind::IntValue(1)), of(Kind::StringValue("a".into()))]));
    assert_eq!(value(&json!([])), list(Vec::new()));
}

#[test]
fn what_no_type_has_is_there_and_has_no_type() {
    let strange = [
        json!(1.5),
        json!(1.0),
        json!(u64::MAX),
        json!({}),
        json!({"type": "user"}),
        json!({"type": "user", "id": 7}),
        json!({"type": "user", "id": ""}),
        json!({"type": "user", "id": "a\u{7}"}),
        json!({"type": "user", "id": "a", "properties": {}}),
    ];
    for text in strange {
        assert_eq!(value(&text), list(vec![v1::Value::default()]), "{text}");
    }
    // One such item spoils a list, because a list is of its type only if every item is.
    assert_eq!(value(&json!([1, [2]])), list(vec![of(Kind::IntValue(1)), v1::Value::default()]));
    assert_eq!(value(&json!([1.5, 1])), list(vec![v1::Value::default(), of(Kind::IntValue(1))]));
}

fn question(text: &Text) -> Result<v1::AuthorizeRequest, Malformed> {
    super::super::read_question(text.to_string().as_bytes())
}

fn plain() -> Text {
    json!({
        "subject": {"type": "user", "id": "ana"},
        "action": {"name": "view"},
        "resource": {"type": "bot", "id": "b"},
    })
}

/// The same question with one place set, or taken out.
fn with(path: &str, value: Text) -> Text {
    let mut text = plain();
    let (owner, name) = path.rsplit_once('/').unwrap();
    let owner = text.pointer_mut(owner).unwrap().as_object_mut().unwrap();
    owner.insert(name.to_owned(), value);
    text
}

#[test]
fn each_wrong_field_is_named() {
    let wrong = [
        ("/subject", json!("ana"), "subject: must be an object"),
        ("/subject", Text::Null, "subject: is missing"),
        ("/subject/type", Text::Null, "subject.type: is missing"),
        ("/subject/id", json!(1), "subject.id: must be a string"),
        ("/subject/properties", json!([]), "subject.properties: must be an object"),
        ("/action/name", json!(["view"]), "action.name: must be a string"),
        ("/action", json!({}), "action.name: is missing"),
        ("/resource/id", json!({}), "resource.id: must be a string"),
        ("/resource/parent", json!("a/b"), "resource.parent: must be an object"),
        ("/resource/parent", json!({"type": "a"}), "resource.parent.id: is missing"),
        ("/context", json!("x"), "context: must be an object"),
        ("/consistency", json!(7), "consistency: must be an object"),
        ("/consistency", json!({"at_least_sequence": -1}), "consistency.at_least_sequence: must be a whole number"),
        ("/consistency", json!({"at_least": 1}), "consistency: knows no `at_least`"),
        ("/consistency", json!({"at_least_sequence": 1, "exact_digest": "x"}), "consistency: must be one of"),
    ];
    for (path, value, wanted) in wrong {
        let error = question(&with(path, value.clone())).unwrap_err().to_string();
        assert!(error.starts_with(wanted), "{path} = {value}: {error}");
    }
    for body in ["[]", "\"x\"", "7", "null"] {
        let error = super::super::read_question(body.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "body: must be a JSON object", "{body}");
    }
}

#[test]
fn what_is_unknown_is_ignored() {
    let wanted = question(&plain()).unwrap();
    for (path, value) in [("/foo", json!("bar")), ("/subject/foo", json!({"a": [1.5]})), ("/action/x", json!(1))] {
        assert_eq!(question(&with(path, value)).unwrap(), wanted, "{path}");
    }
    assert_eq!(question(&with("/context", Text::Null)).unwrap(), wanted);
}

/// A value of the wire and the JSON that means it.
fn both() -> impl Strategy<Value = (v1::Value, Text)> {
    let scalar = || {
        prop_oneof![
            any::<bool>().prop_map(|flag| (of(Kind::BoolValue(flag)), json!(flag))),
            any::<i64>().prop_map(|number| (of(Kind::IntValue(number)), json!(number))),
            any::<String>().prop_map(|text| (of(Kind::StringValue(text.clone())), json!(text))),
            ("[a-z]{1,4}", "\\PC{1,8}")
                .prop_map(|(kind, id)| { (of(Kind::EntityValue(named(&kind, &id))), json!({"type": kind, "id": id})) }),
            Just((v1::Value::default(), Text::Null)),
        ]
    };
    prop_oneof![
        3 => scalar(),
        1 => prop::collection::vec(scalar(), 0..5).prop_map(|items| {
            let (values, texts): (Vec<_>, Vec<_>) = items.into_iter().unzip();
            (list(values), Text::from(texts))
        }),
    ]
}

fn maps() -> impl Strategy<Value = (Map, Text)> {
    btree_map("\\PC{0,6}", both(), 0..5).prop_map(|map| {
        let values = map.iter().map(|(name, (value, _))| (name.clone(), value.clone())).collect();
        let texts = map.into_iter().map(|(name, (_, text))| (name, text)).collect();
        (values, Text::Object(texts))
    })
}

proptest! {
    #[test]
    fn json_and_the_wire_ask_the_same(
        ids in prop::array::uniform5("\\PC{0,6}"),
        parent in prop::option::of(("\\PC{0,3}", "\\PC{0,3}")),
        maps in prop::array::uniform4(maps()),
        demand in prop::option::of(prop_oneof![
            (0..=i64::MAX).prop_map(|number| (Requirement::AtLeastSequence(number.cast_unsigned()), json!({"at_least_sequence": number}))),
            any::<String>().prop_map(|digest| (Requirement::ExactDigest(digest.clone()), json!({"exact_digest": digest}))),
        ]),
    ) {
        let [subject_type, subject_id, action, resource_type, resource_id] = ids;
        let [(of_subject, a), (of_action, b), (of_resource, c), (context, d)] = maps;
        let mut text = json!({
            "subject": {"type": subject_type, "id": subject_id, "properties": a},
            "action": {"name": action, "properties": b},
            "resource": {"type": resource_type, "id": resource_id, "properties": c},
            "context": d,
        });
        if let Some((kind, id)) = &parent {
            text["resource"]["parent"] = json!({"type": kind, "id": id});
        }
        if let Some((_, demand)) = &demand {
            text["consistency"] = demand.clone();
        }
        let wanted = v1::AuthorizeRequest {
            subject: Some(v1::Subject { r#type: subject_type, id: subject_id, properties: of_subject }),
            action: Some(v1::Action { name: action, properties: of_action }),
            resource: Some(v1::Resource {
                r#type: resource_type,
                id: resource_id,
                parent: parent.map(|(kind, id)| named(&kind, &id)),
                properties: of_resource,
            }),
            context,
            consistency: demand.map(|(requirement, _)| v1::Consistency { requirement: Some(requirement) }),
            request_id: String::new(),
        };
        let read = question(&text).unwrap();
        prop_assert_eq!(&read, &wanted);
        // To the last bit: what the engine is asked is made of nothing else.
        prop_assert_eq!(read.encode_to_vec(), wanted.encode_to_vec());
    }
}
