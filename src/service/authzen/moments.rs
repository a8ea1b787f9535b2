//! JSON has no moments: a text is one where the policy declares a timestamp, and is a text everywhere else.
//!
//! Read by the snapshot that answers. A text that is no moment stays a text, which is of a wrong type there.

use std::collections::BTreeMap;

use crate::{
    compile::layout::ValueKind,
    index::{Corrupt, Index},
    model::Timestamp,
    service::{
        convert,
        proto::v1::{self, value::Kind},
    },
};

type Map = BTreeMap<String, v1::Value>;

/// Reads the moments of one question.
pub(super) fn of_question(index: &Index, question: &mut v1::AuthorizeRequest) -> Result<(), Corrupt> {
    let v1::AuthorizeRequest { subject, action: _, resource, context, .. } = question;
    of_all(index, subject, resource, context)
}

/// Reads those of every item.
pub(super) fn of_batch(index: &Index, batch: &mut v1::BatchAuthorizeRequest) -> Result<(), Corrupt> {
    batch.requests.iter_mut().try_for_each(|question| of_question(index, question))
}

/// Reads those of a list of actions.
pub(super) fn of_action_list(index: &Index, list: &mut v1::ListActionsRequest) -> Result<(), Corrupt> {
    let v1::ListActionsRequest { subject, resource, context, .. } = list;
    of_all(index, subject, resource, context)
}

/// Reads those of a list of resources.
pub(super) fn of_resource_list(index: &Index, list: &mut v1::ListResourcesRequest) -> Result<(), Corrupt> {
    of_all(index, &mut list.subject, &mut None, &mut list.context)
}

/// Reads those of a list of subjects.
pub(super) fn of_subject_list(index: &Index, list: &mut v1::ListSubjectsRequest) -> Result<(), Corrupt> {
    of_all(index, &mut None, &mut list.resource, &mut list.context)
}

fn of_all(
    index: &Index,
    subject: &mut Option<v1::Subject>,
    resource: &mut Option<v1::Resource>,
    context: &mut Map,
) -> Result<(), Corrupt> {
    if let Some(v1::Subject { r#type, properties, .. }) = subject {
        of_type(index, r#type, properties)?;
    }
    if let Some(v1::Resource { r#type, properties, .. }) = resource {
        of_type(index, r#type, properties)?;
    }
    of(index, context, |name| index.context_key_named(name))
}

fn of_type(index: &Index, kind: &str, properties: &mut Map) -> Result<(), Corrupt> {
    if properties.is_empty() {
        return Ok(());
    }
    let Some((kind, _)) = index.type_named(kind)? else { return Ok(()) };
    of(index, properties, |name| index.attribute_named(kind, name))
}

fn of(
    index: &Index,
    properties: &mut Map,
    declared: impl Fn(&str) -> Result<Option<u32>, Corrupt>,
) -> Result<(), Corrupt> {
    for (name, value) in properties {
        if !matches!(value.kind, Some(Kind::StringValue(_) | Kind::ListValue(_))) {
            continue;
        }
        let Some(number) = declared(name)? else { continue };
        let attribute = index.attribute(number)?;
        let is_moment = |code| ValueKind::from_code(code) == Some(ValueKind::Timestamp);
        match &mut value.kind {
            Some(Kind::ListValue(v1::ListValue { values })) if is_moment(attribute.item_kind) => {
                values.iter_mut().for_each(moment);
            }
            Some(Kind::StringValue(_)) if is_moment(attribute.kind) => moment(value),
            _ => {}
        }
    }
    Ok(())
}

fn moment(value: &mut v1::Value) {
    if let Some(Kind::StringValue(text)) = &value.kind
        && let Some(moment) = Timestamp::parse(text)
    {
        value.kind = Some(Kind::TimestampValue(convert::timestamp(moment)));
    }
}
