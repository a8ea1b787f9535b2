//! `ext_authz`: each shape of a question is a route, the resource's id its path, and the rest headers, claims and what
//! Envoy's configuration adds.

use std::collections::BTreeMap;

use prost_types::{ListValue, Struct, Value, value::Kind};
use serde_json::{Map, Value as Json, json};
use sidegate::model::{Attribute, Supplier, ValueType};
use sidegate::service::proto::envoy_v3::{
    AttributeContext, CheckRequest, CheckResponse, Metadata, attribute_context,
    authorization_client::AuthorizationClient, check_response::HttpResponse,
};

use super::{Answer, Asked, Door, Target};
use crate::support::question::{Props, Question, Val};
use crate::universe::Universe;

/// `Check`.
pub(super) struct Check;

#[tonic::async_trait]
impl Door for Check {
    fn name(&self) -> &'static str {
        "Check"
    }

    async fn ask(&self, daemon: &Target, asked: &Asked) -> Vec<Answer> {
        let shapes = shapes(asked);
        let mut client = AuthorizationClient::new(daemon.channel.clone());
        let mut answers = Vec::new();
        for question in &asked.questions {
            let shape = shapes[&route(question).to_string()];
            let told = client.check(request(question, shape)).await;
            let told = told.unwrap_or_else(|status| panic!("{} says {status} to {question:?}", daemon.data));
            answers.push(answer(&told.into_inner()));
        }
        answers
    }
}

/// The section `http` of a world: a route for each shape of its questions.
pub(super) fn section(asked: &Asked) -> String {
    let shapes = shapes(asked);
    let routes: Map<String, Json> = shapes
        .iter()
        .map(|(route, number)| (format!("POST /{number}/{{id*}}"), serde_json::from_str(route).unwrap()))
        .collect();
    format!("http: {}\n", json!({"routes": routes}))
}

/// Shapes by their routes.
fn shapes(asked: &Asked) -> BTreeMap<String, usize> {
    let mut shapes = BTreeMap::new();
    for question in &asked.questions {
        let next = shapes.len();
        shapes.entry(route(question).to_string()).or_insert(next);
    }
    shapes
}

/// Everything of a question but ids and values.
fn route(question: &Question) -> Json {
    let named = |owner: &str, properties: &Props| -> Json {
        let all = properties.iter().map(|(name, _)| (name.clone(), json!(format!("{{claim.{owner}.{name}}}"))));
        Json::Object(all.collect())
    };
    let mut route = json!({
        "action": question.action,
        "on": format!("{}/{{id}}", question.resource.kind),
        "subject": format!("{}/{{header.x-subject}}", question.subject.kind),
        "subject_properties": named("subject", &question.subject_properties),
        "parameters": named("action", &question.action_properties),
        "properties": named("resource", &question.resource_properties),
        "context": named("context", &question.context),
    });
    if let Some(parent) = &question.parent {
        route["parent"] = json!(format!("{}/{{extension.parent}}", parent.kind));
    }
    route
}

fn request(question: &Question, shape: usize) -> CheckRequest {
    let encode = |segment: &str| segment.replace(' ', "%20");
    let http = attribute_context::HttpRequest {
        method: "POST".to_owned(),
        path: format!("/{shape}/{}?ignored=/../", encode(&question.resource.id)),
        host: "example.org".to_owned(),
        headers: [("x-subject".to_owned(), question.subject.id.clone())].into(),
        ..Default::default()
    };
    let owners = [
        ("subject", &question.subject_properties),
        ("action", &question.action_properties),
        ("resource", &question.resource_properties),
        ("context", &question.context),
    ];
    let payload = owners.map(|(owner, own)| {
        let fields = own.iter().map(|(name, value)| (name.clone(), claim(value))).collect();
        (owner.to_owned(), structure(fields))
    });
    let payload = [("payload".to_owned(), structure(payload.into()))].into();
    let metadata = [("envoy.filters.http.jwt_authn".to_owned(), Struct { fields: payload })].into();
    let parent = question.parent.iter().map(|parent| ("parent".to_owned(), parent.id.clone()));
    CheckRequest {
        attributes: Some(AttributeContext {
            request: Some(attribute_context::Request { time: None, http: Some(http) }),
            context_extensions: parent.collect(),
            metadata_context: Some(Metadata { filter_metadata: metadata }),
            ..Default::default()
        }),
    }
}

fn structure(fields: BTreeMap<String, Value>) -> Value {
    Value { kind: Some(Kind::StructValue(Struct { fields })) }
}

fn claim(value: &Val) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "only small numbers are sayable")]
    let kind = match value {
        Val::Null => Kind::NullValue(0),
        Val::Bool(flag) => Kind::BoolValue(*flag),
        Val::Int(number) => Kind::NumberValue(*number as f64),
        Val::Str(text) => Kind::StringValue(text.clone()),
        Val::Time(time) => Kind::StringValue(time.to_string()),
        Val::Entity(name) => Kind::StringValue(name.id.clone()),
        Val::List(items) => Kind::ListValue(ListValue { values: items.iter().map(claim).collect() }),
    };
    Value { kind: Some(kind) }
}

fn answer(response: &CheckResponse) -> Answer {
    let fields = &response.dynamic_metadata.as_ref().unwrap().fields;
    let text = |name: &str| match fields.get(name).and_then(|value| value.kind.as_ref()) {
        Some(Kind::StringValue(text)) => text.clone(),
        Some(other) => panic!("{name}: {other:?}"),
        None => String::new(),
    };
    let allow = response.status.as_ref().unwrap().code == 0;
    assert_eq!(text("decision"), if allow { "ALLOW" } else { "DENY" });
    match &response.http_response {
        Some(HttpResponse::OkResponse(_)) => assert!(allow),
        Some(HttpResponse::DeniedResponse(denied)) => {
            assert!(!allow);
            assert_eq!((denied.status.unwrap().code, denied.body.as_str()), (403, "denied\n"));
        }
        None => panic!("{response:?}"),
    }
    if text("reason") == "MALFORMED" {
        return Answer::Malformed;
    }
    let undetermined = fields.get("undetermined").and_then(|value| value.kind.as_ref());
    Answer::Verdict {
        allow,
        reason: text("reason"),
        rule: text("rule"),
        undetermined: undetermined == Some(&Kind::BoolValue(true)),
        digest: text("snapshot"),
    }
}

/// What is left of a question that a request of HTTP can say: declared names with values of their types, which a request
/// may say at all.
pub(super) fn sayable(universe: &Universe, question: Question) -> Option<Question> {
    let policy = &universe.policy;
    let kind = policy.types.iter().find(|kind| *kind.name == question.resource.kind && !kind.is_virtual)?;
    let action = kind.actions.iter().find(|action| *action.name == question.action)?;
    let users = policy.subject_types.iter().map(|own| (&own.name, &own.attributes));
    let mut subjects = users.chain(policy.credential_types.iter().map(|own| (&own.name, &own.attributes)));
    let (_, about) = subjects.find(|(name, _)| ***name == *question.subject.kind)?;
    let parent = question.parent.filter(|parent| kind.parents.iter().any(|own| *own.value == parent.kind));
    // A parameter that must be named is named by every route, also where its value says nothing.
    let parameters = action.parameters.iter().filter_map(|parameter| {
        let said = question.action_properties.iter().find(|(name, _)| *name == *parameter.name);
        let fits = said.filter(|(_, value)| is_of(value, &parameter.value_type));
        fits.cloned().or_else(|| (!parameter.optional).then(|| (parameter.name.value.clone(), Val::Null)))
    });
    let parameters: Props = parameters.collect();
    let unsayable = |parameter: &sidegate::model::Parameter| names_any_subject(&parameter.value_type);
    if action.parameters.iter().any(unsayable) || question.resource.id.is_empty() || question.subject.id.is_empty() {
        return None;
    }
    Some(Question {
        subject_properties: said(about, question.subject_properties),
        action_properties: parameters,
        resource_properties: said(&kind.attributes, question.resource_properties),
        context: said(&policy.context, question.context),
        parent,
        ..question
    })
}

fn said(declared: &[Attribute], properties: Props) -> Props {
    let is_said = |name: &str, value: &Val| {
        declared.iter().any(|own| {
            *own.name == name && own.from != Supplier::Snapshot && !own.sensitive && is_of(value, &own.value_type)
        })
    };
    properties.into_iter().filter(|(name, value)| is_said(name, value)).collect()
}

fn names_any_subject(kind: &ValueType) -> bool {
    match kind {
        ValueType::Reference(target) => *target.value == *"subject",
        ValueType::List(item) => names_any_subject(item),
        _ => false,
    }
}

fn is_of(value: &Val, kind: &ValueType) -> bool {
    if names_any_subject(kind) || *kind == ValueType::Governor {
        return false;
    }
    match (value, kind) {
        (Val::Null, _)
        | (Val::Bool(_), ValueType::Bool)
        | (Val::Time(_), ValueType::Timestamp)
        | (Val::Str(_), ValueType::String | ValueType::Enum(_) | ValueType::Role | ValueType::Permission) => true,
        (Val::Int(number), ValueType::Int) => number.unsigned_abs() < 1 << 50,
        (Val::Entity(name), ValueType::Reference(target)) => name.kind == target.value && !name.id.is_empty(),
        (Val::List(items), ValueType::List(item)) => items.iter().all(|one| *one != Val::Null && is_of(one, item)),
        _ => false,
    }
}
