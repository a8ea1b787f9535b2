//! Conditions drawn at random, evaluated by Sidegate and by the `cel` crate.
//!
//! What we claim: our conditions are a subset of CEL. Where every value is present, both give the same answer. Where
//! values are missing, CEL has an error and we have "unknown", and `&&` and `||` are Kleene's in both.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use sidegate::decide;
use sidegate::document::{self, Source};
use sidegate::model::{Entity, Reason, Request, Timestamp};

/// A test, or tests joined by `!`, `&&` and `||`.
#[derive(Clone, Debug)]
pub enum Condition {
    /// One comparison, call or bool, as text.
    Test(String),
    /// The opposite.
    Not(Box<Condition>),
    /// Both.
    And(Box<Condition>, Box<Condition>),
    /// Either.
    Or(Box<Condition>, Box<Condition>),
}

impl Condition {
    /// As text, with no more parentheses than CEL's precedence needs.
    pub fn text(&self) -> String {
        match self {
            Self::Test(text) => text.clone(),
            Self::Not(inner) => format!("!({})", inner.text()),
            Self::And(left, right) => format!("{} && {}", left.within_and(), right.within_and()),
            Self::Or(left, right) => format!("{} || {}", left.text(), right.text()),
        }
    }

    fn within_and(&self) -> String {
        match self {
            Self::Or(..) => format!("({})", self.text()),
            Self::Test(_) | Self::Not(_) | Self::And(..) => self.text(),
        }
    }

    /// Kleene's value, when `test` says what each single test is.
    pub fn kleene(&self, test: &impl Fn(&str) -> Option<bool>) -> Option<bool> {
        match self {
            Self::Test(text) => test(text),
            Self::Not(inner) => inner.kleene(test).map(|value| !value),
            Self::And(left, right) => and(left.kleene(test), right.kleene(test)),
            Self::Or(left, right) => {
                and(left.kleene(test).map(|value| !value), right.kleene(test).map(|value| !value)).map(|value| !value)
            }
        }
    }
}

fn and(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

/// The attributes of the one resource, with their types; `since` and `note` are optional.
pub const ATTRIBUTES: [(&str, &str); 9] = [
    ("open", "bool"),
    ("closed", "bool"),
    ("rank", "int"),
    ("size", "int"),
    ("tag", "string"),
    ("note", "string"),
    ("tags", "list(string)"),
    ("ranks", "list(int)"),
    ("since", "timestamp"),
];

/// Whether an attribute may be known not to be there.
pub fn is_optional(attribute: &str) -> bool {
    matches!(attribute, "since" | "note")
}

/// What Sidegate says of a condition about a resource with these values; `None` is unknown.
///
/// # Panics
/// When the condition is refused, or the answer is none of a condition's.
pub fn ours(condition: &str, values: &Map<String, Value>) -> Option<bool> {
    let declared = ATTRIBUTES.iter().map(|(name, of)| (*name, json!({"type": of, "optional": is_optional(name)})));
    let source = json!({
        "sidegate": 1,
        "subject_types": {"user": {}},
        "types": {"thing": {"root": true, "attributes": declared.collect::<BTreeMap<_, _>>(), "actions": ["ask"]}},
        "roles": {"asker": {"at": "thing", "allow": [{"on": "thing", "actions": ["ask"], "when": condition}]}},
        "subjects": {"user/u": {}},
        "resources": {"thing/t": {"attributes": values}},
        "bindings": [{"subject": "user/u", "role": "asker", "at": "thing/t"}],
    });
    let source = Source { name: "condition.yaml".to_owned(), bytes: source.to_string().into_bytes() };
    let built = document::build(vec![source]).unwrap_or_else(|report| panic!("{condition}\n{report}"));
    let request = Request {
        subject: Entity { kind: "user", id: "u" },
        subject_properties: &[],
        action: "ask",
        action_properties: &[],
        resource: Entity { kind: "thing", id: "t" },
        parent: None,
        resource_properties: &[],
        context: &[],
    };
    match decide::authorize(&built.index, &request, Timestamp::EPOCH).map(|verdict| verdict.reason) {
        Ok(Reason::Granted) => Some(true),
        Ok(Reason::ConditionFalse) => Some(false),
        Ok(Reason::ConditionUnknown) => None,
        other => panic!("{condition}: {other:?}"),
    }
}

/// What the `cel` crate says; `None` is any error.
///
/// # Panics
/// When it cannot parse the condition, or the answer is no bool.
pub fn theirs(condition: &str, values: &Map<String, Value>) -> Option<bool> {
    let env = Arc::new(cel::Env::stdlib());
    let program = env.compile(condition).unwrap_or_else(|error| panic!("{condition}: {error}"));
    let mut context = cel::Context::with_env(env);
    let values: HashMap<String, cel::Value> =
        values.iter().map(|(name, value)| (name.clone(), cel_value(name, value))).collect();
    context.add_variable_from_value("resource", values);
    match program.execute(&context) {
        Ok(cel::Value::Bool(value)) => Some(value),
        Ok(other) => panic!("{condition}: {other:?}"),
        Err(_) => None,
    }
}

fn cel_value(name: &str, value: &Value) -> cel::Value {
    match value {
        Value::Bool(value) => cel::Value::Bool(*value),
        Value::Number(value) => cel::Value::Int(value.as_i64().expect("an int")),
        Value::String(text) if name == "since" => cel::Value::Timestamp(text.parse().expect("a moment")),
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(|item| cel_value("", item)).collect::<Vec<_>>().into(),
        Value::Null | Value::Object(_) => panic!("{name} cannot be {value}"),
    }
}
