//! A question as it is typed: subjects and resources are written `type/id`.

use clap::Args;

use crate::model::{Entity, EntityName, Request, Value};

use super::Exit;
use super::output::Trouble;
use super::value::OwnedValue;

/// What the caller says besides subject, action and resource.
#[derive(Debug, Args)]
pub(super) struct Details {
    /// A property, as subject.NAME=VALUE, action.NAME=VALUE or resource.NAME=VALUE
    ///
    /// VALUE is true, false, an integer, an RFC 3339 time, @type/id for an entity, [a, b] for a list, or a text
    /// ("quoted" to force one).
    #[arg(long = "property", value_name = "OWNER.NAME=VALUE", value_parser = property)]
    properties: Vec<Property>,
    /// Something about the situation
    #[arg(long = "context", value_name = "NAME=VALUE", value_parser = context)]
    context: Vec<Property>,
    /// Where the resource would stand, if the snapshot does not hold it
    #[arg(long, value_name = "TYPE/ID", value_parser = entity)]
    parent: Option<EntityName>,
}

#[derive(Clone, Debug)]
struct Property {
    owner: String,
    name: String,
    value: OwnedValue,
}

impl Details {
    /// Whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        self.properties.is_empty() && self.context.is_empty() && self.parent.is_none()
    }

    /// Refuses what a list cannot say, because it asks about many at once.
    pub(super) fn refuse(&self, owner: &str, why: &str) -> Result<(), Trouble> {
        let unwanted = self.properties.iter().find(|property| property.owner == owner);
        match (unwanted, &self.parent) {
            (Some(property), _) => {
                Err(Trouble::new(Exit::Usage, format!("`{owner}.{}` cannot be given: {why}", property.name)))
            }
            (None, Some(_)) if owner == "resource" => {
                Err(Trouble::new(Exit::Usage, format!("`--parent` cannot be given: {why}")))
            }
            (None, _) => Ok(()),
        }
    }
}

/// A question, owned.
#[derive(Debug)]
pub(super) struct Question<'a> {
    /// Who asks.
    pub(super) subject: &'a EntityName,
    /// What for.
    pub(super) action: &'a str,
    /// On what.
    pub(super) resource: &'a EntityName,
    /// The rest.
    pub(super) details: &'a Details,
}

impl Question<'_> {
    /// Hands the question on as a request.
    pub(super) fn with<T>(&self, ask: impl FnOnce(&Request<'_>) -> T) -> T {
        let Details { properties, context, parent } = self.details;
        let all: Vec<&Property> = properties.iter().chain(context).collect();
        let items: Vec<Vec<Value<'_>>> = all.iter().map(|property| property.value.items()).collect();
        let of = |owner: &str| -> Vec<(&str, Value<'_>)> {
            let mine = all.iter().zip(&items).filter(|(property, _)| property.owner == owner);
            mine.map(|(property, items)| (property.name.as_str(), property.value.borrow(items))).collect()
        };
        let (subject, action, resource, context) = (of("subject"), of("action"), of("resource"), of("context"));
        ask(&Request {
            subject: self.subject.as_entity(),
            subject_properties: &subject,
            action: self.action,
            action_properties: &action,
            resource: self.resource.as_entity(),
            parent: parent.as_ref().map(EntityName::as_entity),
            resource_properties: &resource,
            context: &context,
        })
    }
}

/// Reads `type/id`.
pub(super) fn entity(text: &str) -> Result<EntityName, String> {
    let entity = Entity::parse(text).ok_or_else(|| "write it as type/id".to_owned())?;
    Ok(EntityName { kind: entity.kind.to_owned(), id: entity.id.to_owned() })
}

fn property(text: &str) -> Result<Property, String> {
    let (path, value) = text.split_once('=').ok_or("write it as OWNER.NAME=VALUE")?;
    let (owner, name) = path.split_once('.').ok_or("write it as OWNER.NAME=VALUE")?;
    if !["subject", "action", "resource"].contains(&owner) {
        return Err(format!("`{owner}` has no properties; subject, action and resource have"));
    }
    Ok(Property { owner: owner.to_owned(), name: name.to_owned(), value: OwnedValue::parse(value)? })
}

fn context(text: &str) -> Result<Property, String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok(Property { owner: "context".to_owned(), name: name.to_owned(), value: OwnedValue::parse(value)? })
}
