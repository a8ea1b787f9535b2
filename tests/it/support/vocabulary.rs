//! Turns a case's request into a question, by renaming and restructuring only.

use serde_json::{Map, Value};
use sidegate::model::EntityName;

use super::pack::Pack;
use super::question::{Props, Question, Val};
use super::translate::{permission, role_name};

/// Who is asked about where a query lists everybody.
const NOBODY: &str = "nobody/any";

/// How a case's request is read.
pub(crate) struct Vocabulary<'a> {
    /// Types whose `type/id` strings are entities.
    pub(crate) entity_types: &'a [&'a str],
    /// Where parameters are declared.
    pub(crate) pack: &'a Pack,
    /// The facts, which define roles.
    pub(crate) facts: &'a Value,
}

impl Vocabulary<'_> {
    /// Restructures a check or a list: what the action declares as a parameter is one. `list-actions` has no action: all
    /// parameters of the type are its own; `list-resources` names the type only, `who-can` no principal: what is missing
    /// is asked of nobody.
    pub(crate) fn question(&self, request: &Value) -> Question {
        let resource = &request["resource"];
        let kind = request.get("type").map_or_else(|| text(&resource["type"]), text);
        let action = request["action"].as_str();
        let principal = request.get("principal").map_or_else(|| NOBODY.to_owned(), text);
        let declared = self.pack.parameters(&kind, action);
        let (mut action_properties, mut context) = (Props::new(), Props::new());
        for (name, value) in object(&request["context"]) {
            match declared.get(name.as_str()) {
                Some(written_type) => {
                    action_properties.push((name.clone(), self.value(&self.parameter(value, written_type, &kind))));
                }
                None => context.push((name.clone(), self.value(value))),
            }
        }
        Question {
            subject: EntityName::parse(&principal).expect("a principal is written type/id"),
            subject_properties: Props::new(),
            action: action.unwrap_or("any").to_owned(),
            action_properties,
            resource: EntityName { id: resource.get("id").map_or_else(|| "any".to_owned(), text), kind },
            parent: resource["parent"].as_str().and_then(EntityName::parse),
            resource_properties: self.properties(&resource["attributes"]),
            context,
        }
    }

    /// The scope of a query that has one.
    pub(crate) fn scope(request: &Value) -> EntityName {
        EntityName::parse(&text(&request["scope"])).expect("a scope is written type/id")
    }

    fn parameter(&self, value: &Value, written_type: &str, kind: &str) -> Value {
        match (written_type, value) {
            ("role", _) => role_name(value, self.facts, self.pack.versioned().as_ref()),
            ("permission", _) => permission(value, kind),
            ("list(role)", Value::Array(items)) => {
                items.iter().map(|item| self.parameter(item, "role", kind)).collect()
            }
            ("list(permission)", Value::Array(items)) => items.iter().map(|item| permission(item, kind)).collect(),
            _ => value.clone(),
        }
    }

    fn properties(&self, values: &Value) -> Props {
        object(values).map(|(name, value)| (name.clone(), self.value(value))).collect()
    }

    fn value(&self, value: &Value) -> Val {
        match value {
            Value::Null => Val::Null,
            Value::Bool(value) => Val::Bool(*value),
            Value::Number(number) => Val::Int(number.as_i64().unwrap_or_else(|| panic!("not an int: {number}"))),
            Value::String(text) => match EntityName::parse(text) {
                Some(name) if self.entity_types.contains(&name.kind.as_str()) => Val::Entity(name),
                _ => Val::Str(text.clone()),
            },
            Value::Array(items) => Val::List(items.iter().map(|item| self.value(item)).collect()),
            Value::Object(_) => panic!("a property cannot be a mapping: {value}"),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value}")).to_owned()
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}
