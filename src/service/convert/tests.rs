//! What arrives, and which field is named where it does not.

use super::*;
use crate::model::Properties;

fn value(kind: Kind) -> v1::Value {
    v1::Value { kind: Some(kind) }
}

fn plain() -> v1::AuthorizeRequest {
    v1::AuthorizeRequest {
        subject: Some(v1::Subject { r#type: "user".into(), id: "ana".into(), properties: Map::new() }),
        action: Some(v1::Action { name: "view".into(), properties: Map::new() }),
        resource: Some(v1::Resource { r#type: "bot".into(), id: "b".into(), ..v1::Resource::default() }),
        ..v1::AuthorizeRequest::default()
    }
}

fn ask(request: &v1::AuthorizeRequest) -> Result<String, Malformed> {
    Question::of(request)?.ask(|request| {
        request.check()?;
        Ok(format!("{request:?}"))
    })
}

#[test]
fn every_kind_of_value_arrives() {
    let mut request = plain();
    let list = |values| Kind::ListValue(v1::ListValue { values });
    let properties = [
        ("a", Kind::StringValue("x".into())),
        ("b", list(vec![value(Kind::IntValue(1)), value(Kind::BoolValue(true))])),
        ("c", Kind::TimestampValue(prost_types::Timestamp { seconds: 1, nanos: 2 })),
        ("d", Kind::EntityValue(v1::Entity { r#type: "user".into(), id: "u".into() })),
        ("e", list(Vec::new())),
    ];
    request.context = properties.into_iter().map(|(name, kind)| (name.to_owned(), value(kind))).collect();
    request.context.insert("f".into(), v1::Value { kind: None });
    request.subject.as_mut().unwrap().properties.insert("g".into(), value(list(vec![value(Kind::IntValue(9))])));
    Question::of(&request)
        .unwrap()
        .ask(|request| {
            let moment = Value::Timestamp(Timestamp::new(1, 2).unwrap());
            let expected: Properties<'_> = &[
                ("a", Value::String("x")),
                ("b", Value::List(&[Value::Int(1), Value::Bool(true)])),
                ("c", moment),
                ("d", Value::Entity(Entity { kind: "user", id: "u" })),
                ("e", Value::List(&[])),
                ("f", Value::Null),
            ];
            assert_eq!(request.context, expected);
            assert_eq!(request.subject_properties, [("g", Value::List(&[Value::Int(9)]))]);
            assert!(request.parent.is_none());
            Ok::<_, Malformed>(())
        })
        .unwrap();
}

#[test]
fn names_the_malformed_field() {
    assert!(ask(&plain()).is_ok());
    let field = |change: fn(&mut v1::AuthorizeRequest)| {
        let mut request = plain();
        change(&mut request);
        ask(&request).unwrap_err().field
    };
    assert_eq!(field(|request| request.subject = None), "subject");
    assert_eq!(field(|request| request.action = None), "action");
    assert_eq!(field(|request| request.resource = None), "resource");
    assert_eq!(field(|request| request.request_id = "x".repeat(1025)), "request_id");
    assert_eq!(field(|request| request.resource.as_mut().unwrap().id.clear()), "resource.id");
    assert_eq!(
        field(|request| request.resource.as_mut().unwrap().parent = Some(v1::Entity::default())),
        "resource.parent.type"
    );
    assert_eq!(
        field(|request| {
            let moment = prost_types::Timestamp { seconds: 0, nanos: -1 };
            request.context.insert("t".into(), value(Kind::TimestampValue(moment)));
        }),
        "context.t"
    );
    assert_eq!(
        field(|request| {
            let inner = value(Kind::ListValue(v1::ListValue::default()));
            request.context.insert("l".into(), value(Kind::ListValue(v1::ListValue { values: vec![inner] })));
        }),
        "context.l"
    );
    assert_eq!(
        field(|request| {
            for number in 0..257 {
                request.context.insert(number.to_string(), v1::Value { kind: None });
            }
        }),
        "context"
    );
}

#[test]
fn reasons_keep_their_names() {
    for code in Reason::ALL {
        assert_eq!(reason(code).as_str_name(), format!("REASON_{}", code.code()));
    }
}
