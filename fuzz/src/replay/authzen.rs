//! Bodies of `AuthZEN`, from whatever bytes.

use serde_json::{Map, Value as Json, json};
use sidegate::model::Timestamp;
use sidegate::service::proto::v1::{self, consistency::Requirement, value::Kind};
use sidegate::service::{read_question, read_questions};

/// The bytes are a body. It is refused with the field that is wrong, or it is a question that reads the same when it is
/// written again; as a body of several it holds at most as much as it says.
///
/// # Panics
/// When a question reads otherwise the second time.
pub fn authzen(data: &[u8]) {
    match read_question(data) {
        Ok(question) => {
            let again = written(&question).to_string();
            assert_eq!(read_question(roomy(&again).as_bytes()).as_ref(), Ok(&question), "{again}");
            let several = format!("{{\"evaluations\":[{again},{{}},{again}]}}");
            // What an item says of consistency does not count, and an empty one is decided as malformed.
            let one = v1::AuthorizeRequest { consistency: None, ..question };
            let read = read_questions(roomy(&several).as_bytes());
            assert_eq!(read, Ok(vec![one.clone(), v1::AuthorizeRequest::default(), one]), "{several}");
        }
        Err(malformed) => {
            assert!(!malformed.field.is_empty() && !malformed.problem.is_empty(), "refused without a word");
            assert!(malformed.to_string().len() < 1_000, "a refusal that repeats what it refuses");
        }
    }
    if let Ok(several) = read_questions(data) {
        assert!(several.len() <= data.len().div_ceil(2), "more questions than there can be");
    }
}

/// The same with room behind it: how many values a body may hold depends on its size.
fn roomy(text: &str) -> String {
    format!("{text}{}", " ".repeat(4 * text.len()))
}

fn written(question: &v1::AuthorizeRequest) -> Json {
    let v1::AuthorizeRequest { subject, action, resource, context, consistency, request_id: _ } = question.clone();
    let (subject, action, resource) =
        (subject.unwrap_or_default(), action.unwrap_or_default(), resource.unwrap_or_default());
    let mut text = json!({
        "subject": {"type": subject.r#type, "id": subject.id, "properties": object(subject.properties)},
        "action": {"name": action.name, "properties": object(action.properties)},
        "resource": {"type": resource.r#type, "id": resource.id, "properties": object(resource.properties)},
        "context": object(context),
    });
    if let Some(v1::Entity { r#type, id }) = resource.parent {
        text["resource"]["parent"] = json!({"type": r#type, "id": id});
    }
    if let Some(v1::Consistency { requirement }) = consistency {
        text["consistency"] = match requirement {
            Some(Requirement::AtLeastSequence(sequence)) => json!({"at_least_sequence": sequence}),
            Some(Requirement::ExactDigest(digest)) => json!({"exact_digest": digest}),
            None => json!({}),
        };
    }
    text
}

fn object(properties: impl IntoIterator<Item = (String, v1::Value)>) -> Map<String, Json> {
    properties.into_iter().map(|(name, sent)| (name, value(sent))).collect()
}

fn value(sent: v1::Value) -> Json {
    match sent.kind {
        None => Json::Null,
        Some(Kind::BoolValue(flag)) => json!(flag),
        Some(Kind::IntValue(number)) => json!(number),
        Some(Kind::StringValue(text)) => json!(text),
        Some(Kind::TimestampValue(moment)) => {
            let moment = Timestamp::new(moment.seconds, moment.nanos.unsigned_abs()).unwrap_or(Timestamp::EPOCH);
            json!(moment.to_string())
        }
        Some(Kind::ListValue(list)) => list.values.into_iter().map(value).collect(),
        Some(Kind::EntityValue(v1::Entity { r#type, id })) => json!({"type": r#type, "id": id}),
    }
}
