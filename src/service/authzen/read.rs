//! From a body to the messages of gRPC, by one rule for every value. Decides nothing; names the field that is wrong.

use std::collections::BTreeMap;

use super::json::{Json, shown};
use crate::{
    model::{Malformed, name_problem},
    service::{
        convert::missing,
        proto::v1::{self, consistency::Requirement, value::Kind},
    },
};

/// A map of properties as generated.
type Map = BTreeMap<String, v1::Value>;

/// The members of an object, of which the known ones are taken out by name. Others are ignored.
#[derive(Debug, Default)]
pub(super) struct Members {
    field: String,
    members: Vec<(String, Json)>,
}

impl Members {
    /// The members of a whole body.
    pub(super) fn of_body(body: Json) -> Result<Self, Malformed> {
        match body {
            Json::Object(members) => Ok(Self { field: String::new(), members }),
            _ => Err(Malformed::new("body", "must be a JSON object")),
        }
    }

    /// The members of an object; `field` names it in errors.
    pub(super) fn of(value: Json, field: String) -> Result<Self, Malformed> {
        match value {
            Json::Object(members) => Ok(Self { field, members }),
            _ => Err(Malformed::new(field, "must be an object")),
        }
    }

    /// A member's value; `null` is the same as none.
    pub(super) fn take(&mut self, name: &str) -> Option<Json> {
        let at = self.members.iter().position(|(known, _)| known == name)?;
        let (_, value) = self.members.swap_remove(at);
        (value != Json::Null).then_some(value)
    }

    /// A member that is an object.
    pub(super) fn object(&mut self, name: &str) -> Result<Option<Self>, Malformed> {
        let field = self.path(name);
        self.take(name).map(|value| Self::of(value, field)).transpose()
    }

    /// A text that must be there.
    pub(super) fn text(&mut self, name: &str) -> Result<String, Malformed> {
        let field = self.path(name);
        self.optional_text(name)?.ok_or_else(|| missing(&field))
    }

    /// A text that may be there.
    pub(super) fn optional_text(&mut self, name: &str) -> Result<Option<String>, Malformed> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(_) => Err(Malformed::new(self.path(name), "must be a string")),
        }
    }

    /// A whole number, zero or more, that may be there.
    pub(super) fn optional_count(&mut self, name: &str) -> Result<Option<u64>, Malformed> {
        let count = match self.take(name) {
            None => return Ok(None),
            Some(Json::Int(number)) => u64::try_from(number).ok(),
            Some(_) => None,
        };
        count.map(Some).ok_or_else(|| Malformed::new(self.path(name), "must be a whole number, zero or more"))
    }

    /// The properties in a member, none where it is left out.
    pub(super) fn properties(&mut self, name: &str) -> Result<Map, Malformed> {
        Ok(self.object(name)?.map(Self::into_properties).unwrap_or_default())
    }

    /// All of them as properties.
    pub(super) fn into_properties(self) -> Map {
        self.members.into_iter().map(|(name, value)| (name, property(value))).collect()
    }

    /// The member that is left, if any.
    fn rest(&self) -> Option<&str> {
        self.members.first().map(|(name, _)| &**name)
    }

    fn path(&self, name: &str) -> String {
        if self.field.is_empty() { name.to_owned() } else { format!("{}.{name}", self.field) }
    }
}

/// Who asks.
pub(super) fn subject(mut members: Members) -> Result<v1::Subject, Malformed> {
    Ok(v1::Subject {
        r#type: members.text("type")?,
        id: members.text("id")?,
        properties: members.properties("properties")?,
    })
}

/// What is to be done.
pub(super) fn action(mut members: Members) -> Result<v1::Action, Malformed> {
    Ok(v1::Action { name: members.text("name")?, properties: members.properties("properties")? })
}

/// What it is done to.
pub(super) fn resource(mut members: Members) -> Result<v1::Resource, Malformed> {
    Ok(v1::Resource {
        r#type: members.text("type")?,
        id: members.text("id")?,
        parent: members.object("parent")?.map(entity).transpose()?,
        properties: members.properties("properties")?,
    })
}

/// An entity by name.
pub(super) fn entity(mut members: Members) -> Result<v1::Entity, Malformed> {
    Ok(v1::Entity { r#type: members.text("type")?, id: members.text("id")? })
}

/// A part of a question that must be there.
pub(super) fn part<T>(
    members: &mut Members,
    name: &str,
    read: impl FnOnce(Members) -> Result<T, Malformed>,
) -> Result<T, Malformed> {
    read(members.object(name)?.ok_or_else(|| missing(name))?)
}

/// One whole question; `request_id` is that of the call.
pub(super) fn question(members: &mut Members, request_id: &str) -> Result<v1::AuthorizeRequest, Malformed> {
    Ok(v1::AuthorizeRequest {
        subject: Some(part(members, "subject", subject)?),
        action: Some(part(members, "action", action)?),
        resource: Some(part(members, "resource", resource)?),
        context: members.properties("context")?,
        consistency: consistency(members)?,
        request_id: request_id.to_owned(),
    })
}

/// Which snapshot may answer. A demand that is not understood is refused: the caller relies on it.
pub(super) fn consistency(members: &mut Members) -> Result<Option<v1::Consistency>, Malformed> {
    let Some(mut demand) = members.object("consistency")? else { return Ok(None) };
    let sequence = demand.optional_count("at_least_sequence")?.map(Requirement::AtLeastSequence);
    let digest = demand.optional_text("exact_digest")?.map(Requirement::ExactDigest);
    if let Some(name) = demand.rest() {
        return Err(Malformed::new("consistency", format!("knows no `{}`", shown(name))));
    }
    match (sequence, digest) {
        (Some(_), Some(_)) => {
            Err(Malformed::new("consistency", "must be one of `at_least_sequence` and `exact_digest`"))
        }
        (sequence, digest) => Ok(Some(v1::Consistency { requirement: sequence.or(digest) })),
    }
}

/// The value of a property. What has no type in any policy becomes a value of no type: present, never equal to anything,
/// never a default.
pub(super) fn property(value: Json) -> v1::Value {
    let kind = match value {
        Json::Null => None,
        Json::Bool(flag) => Some(Kind::BoolValue(flag)),
        Json::Int(number) => Some(Kind::IntValue(number)),
        Json::Text(text) => Some(Kind::StringValue(text)),
        Json::List(items) => {
            let values = items.into_iter().map(item).collect();
            Some(Kind::ListValue(v1::ListValue { values }))
        }
        Json::Object(members) => Some(reference(members).map_or_else(of_no_type, Kind::EntityValue)),
        Json::Number => Some(of_no_type()),
    };
    v1::Value { kind }
}

/// An item of a list; one that is no scalar makes the list one of no type.
fn item(value: Json) -> v1::Value {
    match value {
        Json::List(_) | Json::Number => v1::Value::default(),
        Json::Object(members) => v1::Value { kind: reference(members).map(Kind::EntityValue) },
        scalar => property(scalar),
    }
}

/// An object that is `type` and `id` and nothing else names an entity.
fn reference(members: Vec<(String, Json)>) -> Option<v1::Entity> {
    let mut named = v1::Entity::default();
    let count = members.len();
    for (name, value) in members {
        let (Json::Text(text), place) = (
            value,
            match &*name {
                "type" => &mut named.r#type,
                "id" => &mut named.id,
                _ => return None,
            },
        ) else {
            return None;
        };
        *place = text;
    }
    let fits = count == 2 && name_problem(&named.r#type).is_none() && name_problem(&named.id).is_none();
    fits.then_some(named)
}

/// A list with nothing in it that has a type: no declared type has such a value.
fn of_no_type() -> Kind {
    Kind::ListValue(v1::ListValue { values: vec![v1::Value::default()] })
}

#[cfg(test)]
mod tests;
