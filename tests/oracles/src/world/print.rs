//! A world as a source of ours, and our answers about it.

use serde_json::{Map, Value, json};
use sidegate::decide;
use sidegate::document::{self, Source};
use sidegate::index::Index;
use sidegate::model::{Entity as Named, Reason, Request, Timestamp, Value as Sent};

use super::{ATTRIBUTES, Grants, Lifetime, Limit, MOODS, Name, OPERATIONS, Question, Rule, TYPES, Val, Values, World};

impl World {
    /// The policy with its facts. JSON is YAML.
    pub fn source(&self) -> String {
        let mut types = Map::new();
        for (kind, actions) in TYPES {
            let mut body = json!({"attributes": declared(true), "actions": actions});
            match kind {
                "org" => body["root"] = json!(true),
                "space" => body["parent"] = json!(["org", "space"]),
                _ => body["parent"] = json!("space"),
            }
            types.insert(kind.to_owned(), body);
        }
        let source = json!({
            "sidegate": 1,
            "subject_types": {"user": {"attributes": declared(true)}, "robot": {"attributes": declared(true)}},
            "context": declared(false),
            "types": types,
            "operations": OPERATIONS.iter().map(|(name, actions)| ((*name).to_owned(), json!(actions))).collect::<Map<_, _>>(),
            "roles": self.roles.iter().map(|role| (role.name.clone(), json!({
                "at": role.at,
                "includes": role.includes,
                "allow": role.rules.iter().map(rule).collect::<Vec<_>>(),
                "limits": role.limits.iter().map(limit).collect::<Vec<_>>(),
            }))).collect::<Map<_, _>>(),
            "forbids": self.forbids.iter().map(|own| (own.id.clone(), spans(own.lifetime, with(&own.grants, json!({
                "on": own.on,
                "subjects": own.subjects.iter().map(Name::to_string).collect::<Vec<_>>(),
                "at": own.scopes.iter().map(Name::to_string).collect::<Vec<_>>(),
                "when": own.when.as_ref().map(super::Condition::text),
            }))))).collect::<Map<_, _>>(),
            "subjects": self.subjects.iter().map(|own| {
                (own.name.to_string(), json!({"attributes": stored(&own.values), "disabled": own.disabled}))
            }).collect::<Map<_, _>>(),
            "resources": self.resources.iter().map(|own| {
                let parent = own.parent.as_ref().map(Name::to_string);
                (own.name.to_string(), json!({"attributes": stored(&own.values), "parent": parent}))
            }).collect::<Map<_, _>>(),
            "bindings": self.bindings.iter().map(|own| spans(own.lifetime, json!({
                "subject": own.subject.to_string(), "role": own.role, "at": own.at.to_string(), "disabled": own.disabled,
            }))).collect::<Vec<_>>(),
        });
        serde_json::to_string_pretty(&slim(source)).expect("a source")
    }

    /// The index of the source.
    ///
    /// # Panics
    /// When the source is refused: then the draw is wrong.
    pub fn index(&self) -> Index {
        let source = self.source();
        let built = document::build(vec![Source { name: "world.yaml".to_owned(), bytes: source.clone().into_bytes() }]);
        built.unwrap_or_else(|report| panic!("{report}\n{source}")).index
    }

    /// Our answer: whether it is allowed, and why.
    ///
    /// # Panics
    /// When the question is malformed.
    pub fn ask(&self, index: &Index, question: &Question) -> (bool, Reason) {
        let context = &self.contexts[question.context];
        let lists: Vec<Vec<Sent<'_>>> = context.values().map(items).collect();
        let context: Vec<_> =
            context.iter().zip(&lists).map(|((name, value), list)| (*name, sent(value, list))).collect();
        let request = Request {
            subject: named(&question.subject),
            subject_properties: &[],
            action: question.action,
            action_properties: &[],
            resource: named(&question.resource),
            parent: None,
            resource_properties: &[],
            context: &context,
        };
        let now = Timestamp::new(self.now, 0).expect("a moment");
        let verdict = decide::authorize(index, &request, now).unwrap_or_else(|error| panic!("{question:?}: {error}"));
        (verdict.is_allow(), verdict.reason)
    }
}

fn declared(held: bool) -> Value {
    let mut all = json!({
        "flag": "bool", "num": "int", "word": "string", "tags": "list(string)", "owner": "ref(subject)",
    });
    if held {
        all["mood"] = json!({"type": "enum", "values": MOODS, "default": MOODS[0]});
        all["note"] = json!({"type": "string", "optional": true});
        all["rank"] = json!({"type": "int", "optional": true});
    }
    debug_assert!(ATTRIBUTES.iter().all(|name| !held || all.get(name).is_some()));
    all
}

fn rule(rule: &Rule) -> Value {
    let when = rule.when.as_ref().map(super::Condition::text);
    with(&rule.grants, json!({"on": rule.on, "held_at": rule.held_at, "when": when}))
}

fn limit(limit: &Limit) -> Value {
    match limit {
        Limit::Only(on, actions) => json!({"on": on, "only": actions}),
        Limit::Gate(on, grants, condition) => with(grants, json!({"on": on, "only_when": condition.text()})),
    }
}

fn with(grants: &Grants, mut body: Value) -> Value {
    match grants {
        Grants::All => body["actions"] = json!("all"),
        Grants::Actions(names) => body["actions"] = json!(names),
        Grants::Operations(names) => body["operations"] = json!(names),
    }
    body
}

fn spans(lifetime: Lifetime, mut body: Value) -> Value {
    let moment = |seconds: i64| Timestamp::new(seconds, 0).map(|moment| moment.to_string());
    body["not_before"] = json!(lifetime.from.and_then(moment));
    body["expires"] = json!(lifetime.until.and_then(moment));
    body
}

fn stored(values: &Values) -> Value {
    let value = |value: &Val| match value {
        Val::Bool(value) => json!(value),
        Val::Int(value) => json!(value),
        Val::Text(value) => json!(value),
        Val::Texts(value) => json!(value),
        Val::Subject(value) => json!(value.to_string()),
    };
    values.iter().map(|(name, own)| ((*name).to_owned(), value(own))).collect()
}

/// Without what says nothing: null, `false`, and empty lists other than a value of an attribute.
fn slim(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let says = |name: &str, value: &Value| match value {
                Value::Null => false,
                Value::Bool(flag) => *flag || name != "disabled",
                Value::Array(items) => !items.is_empty() || name == "tags",
                Value::Number(_) | Value::String(_) | Value::Object(_) => true,
            };
            map.into_iter().filter(|(name, value)| says(name, value)).map(|(name, value)| (name, slim(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(slim).collect(),
        other => other,
    }
}

fn named(name: &Name) -> Named<'_> {
    Named { kind: name.kind, id: name.id }
}

fn items(value: &Val) -> Vec<Sent<'_>> {
    if let Val::Texts(texts) = value { texts.iter().map(|text| Sent::String(text)).collect() } else { Vec::new() }
}

fn sent<'a>(value: &'a Val, list: &'a [Sent<'a>]) -> Sent<'a> {
    match value {
        Val::Bool(value) => Sent::Bool(*value),
        Val::Int(value) => Sent::Int(*value),
        Val::Text(text) => Sent::String(text),
        Val::Texts(_) => Sent::List(list),
        Val::Subject(name) => Sent::Entity(named(name)),
    }
}
