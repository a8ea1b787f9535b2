//! Turns a case's facts and request into Sidegate's own, by renaming and restructuring only.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sidegate::model::EntityName;

use super::question::{Props, Question, Val};

/// The facts of a fixture, in the forms that a source may have.
pub(crate) struct FactsText {
    pub(crate) yaml: String,
    pub(crate) json_lines: String,
}

/// Renames a fixture's facts. A key that has no counterpart is kept as it is, so that loading it fails and names it.
pub(crate) fn facts(fixture: &Value) -> FactsText {
    let (mut sections, mut lines) = (Map::from_iter([("sidegate".to_owned(), json!(1))]), Vec::new());
    for (key, body) in object(fixture) {
        match key.as_str() {
            "principals" => {
                let (subjects, bindings) = principals(body);
                lines.extend(subjects.iter().map(|(id, body)| line("subject", "id", id, body)));
                lines.extend(bindings.iter().map(|binding| with_kind("binding", binding)));
                sections.insert("subjects".into(), subjects.into());
                sections.insert("bindings".into(), bindings.into());
            }
            "resources" => {
                let resources: Map<_, _> =
                    object(body).map(|(id, body)| (id.clone(), rename(body, RESOURCE))).collect();
                lines.extend(resources.iter().map(|(id, body)| line("resource", "id", id, body)));
                sections.insert("resources".into(), resources.into());
            }
            "custom_roles" => {
                let scopes: Map<_, _> =
                    object(body).map(|(scope, roles)| (scope.clone(), defined_roles(roles))).collect();
                for (scope, roles) in &scopes {
                    let role = |(name, rules): (&String, &Value)| json!({"kind": "role", "at": scope, "name": name, "rules": rules});
                    lines.extend(object(roles).map(role));
                }
                sections.insert("defined_roles".into(), scopes.into());
            }
            _ => {
                lines.push(json!({"kind": key, "body": body}));
                sections.insert(key.clone(), body.clone());
            }
        }
    }
    FactsText {
        yaml: Value::Object(sections).to_string(),
        json_lines: lines.iter().fold(String::new(), |text, line| format!("{text}{line}\n")),
    }
}

const RESOURCE: &[(&str, &str)] = &[("attrs", "attributes")];

fn principals(body: &Value) -> (Map<String, Value>, Vec<Value>) {
    let (mut subjects, mut bindings) = (Map::new(), Vec::new());
    for (id, body) in object(body) {
        for (scope, held) in object(&body["roles"]) {
            let roles = match held {
                Value::Array(roles) => roles.as_slice(),
                Value::Null => &[],
                Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => std::slice::from_ref(held),
            };
            bindings.extend(roles.iter().map(|role| binding(id, role, scope, &body["levels"][scope])));
        }
        let mut subject = rename(body, RESOURCE);
        if let Some(subject) = subject.as_object_mut() {
            subject.remove("roles");
            subject.remove("levels");
        }
        subjects.insert(id.clone(), subject);
    }
    (subjects, bindings)
}

fn binding(subject: &str, role: &Value, scope: &str, levels: &Value) -> Value {
    let mut binding = json!({"subject": subject, "role": role, "at": scope});
    if !levels.is_null() {
        binding["levels"] = levels.clone();
    }
    binding
}

/// Role names to types to what is switched on.
fn defined_roles(roles: &Value) -> Value {
    let role = |rules: &Value| object(rules).map(|(kind, rule)| (kind.clone(), defined_rule(rule))).collect::<Value>();
    object(roles).map(|(name, rules)| (name.clone(), role(rules))).collect()
}

fn defined_rule(rule: &Value) -> Value {
    let mut rule = rename(rule, &[("ops", "operations")]);
    for terms in rule.get_mut("when").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        for term in terms.as_array_mut().into_iter().flatten() {
            for key in ["attr", "eq_attr"] {
                if let Some(Value::String(path)) = term.get_mut(key) {
                    *path = attribute_path(path);
                }
            }
        }
    }
    rule
}

fn attribute_path(path: &str) -> String {
    match path.strip_prefix("principal.") {
        Some("id") => "subject".to_owned(),
        Some(attribute) => format!("subject.{attribute}"),
        None => path.to_owned(),
    }
}

fn rename(value: &Value, names: &[(&str, &str)]) -> Value {
    let Value::Object(map) = value else { return value.clone() };
    let new_name =
        |key: &String| names.iter().find(|(from, _)| from == key).map_or(key.clone(), |(_, to)| (*to).to_owned());
    map.iter().map(|(key, value)| (new_name(key), value.clone())).collect()
}

fn line(kind: &str, key: &str, id: &str, body: &Value) -> Value {
    let mut line = with_kind(kind, body);
    line[key] = json!(id);
    line
}

fn with_kind(kind: &str, body: &Value) -> Value {
    let mut line = body.as_object().cloned().unwrap_or_default();
    line.insert("kind".to_owned(), json!(kind));
    Value::Object(line)
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// Who is asked about where a query lists everybody.
const NOBODY: &str = "nobody/any";

/// How a file's requests are read.
pub(crate) struct Vocabulary<'a> {
    /// Types whose `type/id` strings are entities.
    pub(crate) entity_types: Vec<&'a str>,
    /// The parameters that each (type, action) declares.
    pub(crate) parameters: BTreeMap<(String, String), Vec<String>>,
}

impl Vocabulary<'_> {
    /// Restructures a check or a query. `list-actions` has no action: all parameters of the type are its own;
    /// `list-resources` names the type only, `who-can` no principal: what is missing is asked of nobody.
    pub(crate) fn question(&self, request: &Value) -> Question {
        let resource = &request["resource"];
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("not a string: {value}")).to_owned();
        let kind = request.get("type").map_or_else(|| text(&resource["type"]), text);
        let action = request["action"].as_str();
        let principal = request.get("principal").map_or_else(|| NOBODY.to_owned(), text);
        let declared = |name: &str| {
            let actions = self.parameters.iter().filter(|((on, _), _)| *on == kind);
            let mut actions = actions.filter(|((_, name), _)| action.is_none_or(|action| action == name));
            actions.any(|(_, names)| names.iter().any(|parameter| parameter == name))
        };
        let (action_properties, context) =
            self.properties(&request["context"]).into_iter().partition(|(name, _)| declared(name));
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
