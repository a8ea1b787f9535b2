//! A question as the messages of the wire. Renames and restructures, decides nothing.

use std::collections::BTreeMap;

use prost_types::Timestamp;
use sidegate::model::EntityName;
use sidegate::service::proto::v1::{self, value::Kind};

use super::question::{Props, Question, Val};

/// The question as `Authorize` takes it.
pub(crate) fn authorize(question: &Question) -> v1::AuthorizeRequest {
    v1::AuthorizeRequest {
        subject: Some(subject(question)),
        action: Some(action(question)),
        resource: Some(resource(question)),
        context: properties(&question.context),
        ..v1::AuthorizeRequest::default()
    }
}

/// The question as `ListActions` takes it: without its action.
pub(crate) fn list_actions(question: &Question) -> v1::ListActionsRequest {
    v1::ListActionsRequest {
        subject: Some(subject(question)),
        resource: Some(resource(question)),
        context: properties(&question.context),
        parameters: properties(&question.action_properties),
        ..v1::ListActionsRequest::default()
    }
}

/// The question as `ListResources` takes it: of every resource of its type.
pub(crate) fn list_resources(question: &Question) -> v1::ListResourcesRequest {
    v1::ListResourcesRequest {
        subject: Some(subject(question)),
        action: Some(action(question)),
        resource_type: question.resource.kind.clone(),
        context: properties(&question.context),
        ..v1::ListResourcesRequest::default()
    }
}

/// The question as `ListSubjects` takes it: of every subject of every type.
pub(crate) fn list_subjects(question: &Question) -> v1::ListSubjectsRequest {
    v1::ListSubjectsRequest {
        action: Some(action(question)),
        resource: Some(resource(question)),
        context: properties(&question.context),
        ..v1::ListSubjectsRequest::default()
    }
}

fn action(question: &Question) -> v1::Action {
    v1::Action { name: question.action.clone(), properties: properties(&question.action_properties) }
}

fn subject(question: &Question) -> v1::Subject {
    let EntityName { kind, id } = question.subject.clone();
    v1::Subject { r#type: kind, id, properties: properties(&question.subject_properties) }
}

fn resource(question: &Question) -> v1::Resource {
    let EntityName { kind, id } = question.resource.clone();
    let properties = properties(&question.resource_properties);
    v1::Resource { r#type: kind, id, parent: question.parent.as_ref().map(entity), properties }
}

pub(crate) fn entity(name: &EntityName) -> v1::Entity {
    v1::Entity { r#type: name.kind.clone(), id: name.id.clone() }
}

fn properties(properties: &Props) -> BTreeMap<String, v1::Value> {
    properties.iter().map(|(name, sent)| (name.clone(), value(sent))).collect()
}

fn value(sent: &Val) -> v1::Value {
    let kind = match sent {
        Val::Null => None,
        Val::Bool(flag) => Some(Kind::BoolValue(*flag)),
        Val::Int(number) => Some(Kind::IntValue(*number)),
        Val::Str(text) => Some(Kind::StringValue(text.clone())),
        Val::Time(moment) => {
            let nanos = i32::try_from(moment.nanos()).expect("below a thousand million");
            Some(Kind::TimestampValue(Timestamp { seconds: moment.seconds(), nanos }))
        }
        Val::List(items) => Some(Kind::ListValue(v1::ListValue { values: items.iter().map(value).collect() })),
        Val::Entity(name) => Some(Kind::EntityValue(entity(name))),
    };
    v1::Value { kind }
}
