//! Between the wire and the model: borrows, never clones, and says by name which field is malformed. Decides nothing.

use std::{collections::BTreeMap, slice};

use super::{
    caller::Reasons,
    proto::v1::{self, value::Kind},
};
use crate::{
    decide::{Consideration, Explanation},
    index::Index,
    model::{Decision, Entity, MAX_ID_BYTES, Malformed, Reason, Request, Timestamp, Value, Verdict},
    snapshot::Snapshot,
};

/// The most properties in one map: checking them for duplicates is quadratic.
pub(super) const MAX_PROPERTIES: usize = 256;

/// The most items in one list.
const MAX_LIST_ITEMS: usize = 1024;

/// A map of properties as generated.
type Map = BTreeMap<String, v1::Value>;

/// What every question has, whichever message it came in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'w> {
    subject: &'w v1::Subject,
    action: &'w str,
    parameters: &'w Map,
    resource: &'w v1::Resource,
    context: &'w Map,
}

impl<'w> Question<'w> {
    /// The question of an `AuthorizeRequest`.
    pub(super) fn of(request: &'w v1::AuthorizeRequest) -> Result<Self, Malformed> {
        let v1::AuthorizeRequest { subject, action, resource, context, consistency: _, request_id } = request;
        check_request_id(request_id)?;
        let subject = subject.as_ref().ok_or_else(|| missing("subject"))?;
        let action = action.as_ref().ok_or_else(|| missing("action"))?;
        let resource = resource.as_ref().ok_or_else(|| missing("resource"))?;
        Ok(Self::from_parts(subject, action, resource, context))
    }

    /// The question of a `ListActionsRequest`, which names no action.
    pub(super) fn of_every_action(request: &'w v1::ListActionsRequest) -> Result<Self, Malformed> {
        let v1::ListActionsRequest { subject, resource, context, consistency: _, request_id, parameters } = request;
        check_request_id(request_id)?;
        Ok(Self {
            subject: subject.as_ref().ok_or_else(|| missing("subject"))?,
            // Never looked at, and never empty.
            action: "every",
            parameters,
            resource: resource.as_ref().ok_or_else(|| missing("resource"))?,
            context,
        })
    }

    /// The question of a list, which puts a name in the place of the resource's id or of the subject.
    pub(super) fn from_parts(
        subject: &'w v1::Subject,
        action: &'w v1::Action,
        resource: &'w v1::Resource,
        context: &'w Map,
    ) -> Self {
        let v1::Action { name, properties } = action;
        Self { subject, action: name, parameters: properties, resource, context }
    }

    /// Lends the model's form of the question, which borrows from the message.
    pub(super) fn ask<R, E: From<Malformed>>(&self, ask: impl FnOnce(&Request<'_>) -> Result<R, E>) -> Result<R, E> {
        let v1::Subject { r#type: subject_type, id: subject_id, properties: subject_map } = self.subject;
        let v1::Resource { r#type: resource_type, id: resource_id, parent, properties: resource_map } = self.resource;
        let maps = [
            ("subject.properties", subject_map),
            ("action.properties", self.parameters),
            ("resource.properties", resource_map),
            ("context", self.context),
        ];
        // Lists first: the properties borrow them.
        let mut lists = Vec::new();
        for (field, map) in maps {
            collect_lists(field, map, &mut lists)?;
        }
        let mut remaining = lists.iter();
        let [subject_properties, action_properties, resource_properties, context] =
            maps.map(|(field, map)| properties(field, map, &mut remaining));
        ask(&Request {
            subject: Entity { kind: subject_type, id: subject_id },
            subject_properties: &subject_properties?,
            action: self.action,
            action_properties: &action_properties?,
            resource: Entity { kind: resource_type, id: resource_id },
            parent: parent.as_ref().map(entity),
            resource_properties: &resource_properties?,
            context: &context?,
        })
    }
}

/// The bound of what is returned unchanged.
pub(super) fn check_request_id(request_id: &str) -> Result<(), Malformed> {
    if request_id.len() > MAX_ID_BYTES {
        Err(Malformed::new("request_id", "must not be longer than 1024 bytes"))
    } else {
        Ok(())
    }
}

/// What of a request id is returned: all, or nothing of one that is over that bound.
pub(super) fn returned_request_id(request_id: &str) -> &str {
    if check_request_id(request_id).is_ok() { request_id } else { "" }
}

impl v1::BatchAuthorizeSemantics {
    /// Whether a batch ends with an item that was allowed, or was not.
    pub(super) fn stops_after(self, allowed: bool) -> bool {
        match self {
            Self::Unspecified | Self::ExecuteAll => false,
            Self::DenyOnFirstDeny => !allowed,
            Self::PermitOnFirstPermit => allowed,
        }
    }
}

/// A message that must be there and is not.
pub(super) fn missing(field: &str) -> Malformed {
    Malformed::new(field, "is missing")
}

/// A name on the wire.
pub(super) fn entity(wire: &v1::Entity) -> Entity<'_> {
    let v1::Entity { r#type, id } = wire;
    Entity { kind: r#type, id }
}

fn collect_lists<'w>(field: &str, map: &'w Map, lists: &mut Vec<Vec<Value<'w>>>) -> Result<(), Malformed> {
    if map.len() > MAX_PROPERTIES {
        return Err(Malformed::new(field, "must not hold more than 256 properties"));
    }
    for (name, value) in map {
        if let Some(Kind::ListValue(v1::ListValue { values })) = &value.kind {
            if values.len() > MAX_LIST_ITEMS {
                return Err(Malformed::new(format!("{field}.{name}"), "must not hold more than 1024 items"));
            }
            lists.push(values.iter().map(|value| scalar(field, name, value)).collect::<Result<_, _>>()?);
        }
    }
    Ok(())
}

/// The properties of one map; `lists` yields the converted lists in the order in which they were met.
fn properties<'a>(
    field: &str,
    map: &'a Map,
    lists: &mut slice::Iter<'a, Vec<Value<'a>>>,
) -> Result<Vec<(&'a str, Value<'a>)>, Malformed> {
    map.iter()
        .map(|(name, value)| {
            let value = match value.kind {
                Some(Kind::ListValue(_)) => Value::List(lists.next().map_or(&[][..], Vec::as_slice)),
                _ => scalar(field, name, value)?,
            };
            Ok((name.as_str(), value))
        })
        .collect()
}

fn scalar<'w>(field: &str, name: &str, value: &'w v1::Value) -> Result<Value<'w>, Malformed> {
    Ok(match &value.kind {
        None => Value::Null,
        Some(Kind::StringValue(text)) => Value::String(text),
        Some(Kind::IntValue(number)) => Value::Int(*number),
        Some(Kind::BoolValue(flag)) => Value::Bool(*flag),
        Some(Kind::TimestampValue(prost_types::Timestamp { seconds, nanos })) => {
            let moment = u32::try_from(*nanos).ok().and_then(|nanos| Timestamp::new(*seconds, nanos));
            Value::Timestamp(moment.ok_or_else(|| {
                Malformed::new(format!("{field}.{name}"), "is not a moment between the years 1 and 9999")
            })?)
        }
        Some(Kind::ListValue(_)) => {
            return Err(Malformed::new(format!("{field}.{name}"), "must not hold a list within a list"));
        }
        Some(Kind::EntityValue(wire)) => Value::Entity(entity(wire)),
    })
}

/// The snapshot that answered at a moment.
pub(super) fn snapshot_ref(snapshot: &Snapshot, time: Timestamp) -> v1::SnapshotRef {
    let Snapshot { sequence, digest, fresh, .. } = snapshot;
    v1::SnapshotRef { sequence: *sequence, digest: digest.clone(), stale: fresh.is_over(time) }
}

/// A moment on the wire.
pub(super) fn timestamp(moment: Timestamp) -> prost_types::Timestamp {
    let nanos = i32::try_from(moment.nanos()).unwrap_or(0);
    prost_types::Timestamp { seconds: moment.seconds(), nanos }
}

/// A verdict beside which snapshot and moment stand, as far as it is shown.
pub(super) fn verdict(index: &Index, verdict: &Verdict, shown: Reasons) -> v1::Verdict {
    let rule_id = if shown.show_rules() { index.rule_id(verdict.because).unwrap_or_default() } else { String::new() };
    let reason = if shown.show_code() { reason(verdict.reason) } else { v1::Reason::Unspecified };
    v1::Verdict {
        decision: decision(verdict.decision).into(),
        reason: reason.into(),
        rule_id,
        undetermined: verdict.undetermined && shown.show_code(),
    }
}

/// A whole answer, as far as it is shown.
pub(super) fn response(
    snapshot: &Snapshot,
    of: &Verdict,
    time: Timestamp,
    id: &str,
    shown: Reasons,
) -> v1::AuthorizeResponse {
    let v1::Verdict { decision, reason, rule_id, undetermined } = verdict(&snapshot.index, of, shown);
    v1::AuthorizeResponse {
        decision,
        reason,
        rule_id,
        undetermined,
        snapshot: Some(snapshot_ref(snapshot, time)),
        evaluated_at: Some(timestamp(time)),
        request_id: id.to_owned(),
    }
}

/// A whole explanation: for callers who are shown everything.
pub(super) fn explanation(
    snapshot: &Snapshot,
    explanation: Explanation,
    time: Timestamp,
    id: &str,
) -> v1::ExplainResponse {
    let Explanation { verdict, summary, considered, ignored_properties } = explanation;
    v1::ExplainResponse {
        response: Some(response(snapshot, &verdict, time, id, Reasons::Full)),
        summary,
        considered: considered.into_iter().map(consideration).collect(),
        ignored_properties,
    }
}

fn consideration(considered: Consideration) -> v1::Consideration {
    let Consideration { rule_id, scope, reason: why, undetermined, text } = considered;
    v1::Consideration { rule_id, scope, reason: reason(why).into(), undetermined, text }
}

pub(super) fn decision(decision: Decision) -> v1::Decision {
    match decision {
        Decision::Allow => v1::Decision::Allow,
        Decision::Deny => v1::Decision::Deny,
    }
}

pub(super) fn reason(reason: Reason) -> v1::Reason {
    match reason {
        Reason::Granted => v1::Reason::Granted,
        Reason::UnknownType => v1::Reason::UnknownType,
        Reason::UnknownAction => v1::Reason::UnknownAction,
        Reason::UnknownSubject => v1::Reason::UnknownSubject,
        Reason::Disabled => v1::Reason::Disabled,
        Reason::MissingParameter => v1::Reason::MissingParameter,
        Reason::UnknownParameter => v1::Reason::UnknownParameter,
        Reason::UnknownResource => v1::Reason::UnknownResource,
        Reason::ContradictsSnapshot => v1::Reason::ContradictsSnapshot,
        Reason::NoGrant => v1::Reason::NoGrant,
        Reason::Expired => v1::Reason::Expired,
        Reason::LevelTooLow => v1::Reason::LevelTooLow,
        Reason::Narrowed => v1::Reason::Narrowed,
        Reason::NotInCustomSet => v1::Reason::NotInCustomSet,
        Reason::Ceiling => v1::Reason::Ceiling,
        Reason::Plan => v1::Reason::Plan,
        Reason::OutOfPurview => v1::Reason::OutOfPurview,
        Reason::ConditionFalse => v1::Reason::ConditionFalse,
        Reason::ConditionUnknown => v1::Reason::ConditionUnknown,
        Reason::CredentialScope => v1::Reason::CredentialScope,
        Reason::SecondObject => v1::Reason::SecondObject,
        Reason::Forbidden => v1::Reason::Forbidden,
        Reason::Internal => v1::Reason::Internal,
    }
}

#[cfg(test)]
mod tests;
