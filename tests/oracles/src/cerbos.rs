//! Worlds as Cerbos policies, and a real Cerbos on loopback that answers.
//!
//! Each world has resource kinds of its own (`w7_item`), so that one server holds many. A role held at a scope becomes a
//! derived role; the roles that somebody holds, and where, come with the principal, the scopes of a resource with the
//! resource, as Cerbos wants it: it keeps no facts. Its condition language is CEL, as ours is.
//!
//! In a world in which every value is there, conditions are written as the author did. Where values are missing, Cerbos
//! skips a rule that has an error, also one that denies; there each test is guarded by `has`, so that Kleene's logic is
//! written out. Numbers are small: JSON's are doubles.

mod policy;
mod server;

pub use server::{Asked, Server};

use serde_json::{Map, Value, json};

use crate::world::{Entity, Name, Question, Val, Values, World};

/// How one world is known to the server.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The world.
    pub world: World,
    /// Its number, which names its kinds.
    pub number: usize,
    /// Whether conditions are written as the author did.
    pub plain: bool,
}

impl Scene {
    /// The policies, as files: names and contents.
    pub fn policies(&self) -> Vec<(String, Value)> {
        policy::policies(self)
    }

    fn kind(&self, kind: &str) -> String {
        format!("w{}_{kind}", self.number)
    }

    /// Somebody in a situation, with what they hold at the moment.
    fn principal(&self, subject: &Entity, context: usize) -> Value {
        let mut holds: Map<String, Value> = Map::new();
        for own in self.world.bindings.iter().filter(|own| own.subject == subject.name) {
            if !own.disabled && own.lifetime.holds_at(self.world.now) {
                let scopes = holds.entry(own.role.clone()).or_insert_with(|| json!([]));
                scopes.as_array_mut().expect("a list").push(json!(own.at.to_string()));
            }
        }
        let mut context = attributes(&self.world.contexts[context]);
        context.insert("now".to_owned(), json!(self.world.now));
        let mut values = with_default(&subject.values);
        values.insert("holds".to_owned(), Value::Object(holds));
        values.insert("context".to_owned(), Value::Object(context));
        values.insert("disabled".to_owned(), json!(subject.disabled));
        json!({"id": subject.name.to_string(), "roles": ["somebody"], "attr": values})
    }

    fn resource(&self, resource: &Entity) -> Value {
        let mut values = with_default(&resource.values);
        let mut scopes = Vec::new();
        for (distance, above) in self.world.chain(resource).enumerate() {
            scopes.push(above.name.to_string());
            if distance > 0 {
                let key = format!("in_{}", above.name.kind);
                values.entry(key).or_insert_with(|| Value::Object(with_default(&above.values)));
            }
        }
        values.insert("scopes".to_owned(), json!(scopes));
        json!({"kind": self.kind(resource.name.kind), "id": resource.name.to_string(), "attr": values})
    }

    /// The bodies of the requests that ask every question about held entities, with the questions they ask.
    pub fn requests(&self) -> Vec<(Value, Vec<Question>)> {
        let mut requests = Vec::new();
        for subject in &self.world.subjects {
            for context in 0..self.world.contexts.len() {
                let mut questions = Vec::new();
                let mut resources = Vec::new();
                for resource in &self.world.resources {
                    let actions = crate::world::actions_of(resource.name.kind);
                    questions.extend(actions.iter().map(|action| {
                        let (subject, resource) = (subject.name.clone(), resource.name.clone());
                        Question { subject, action, resource, context }
                    }));
                    resources.push(json!({"actions": actions, "resource": self.resource(resource)}));
                }
                let principal = self.principal(subject, context);
                let body = json!({"requestId": "x", "principal": principal, "resources": resources});
                requests.push((body, questions));
            }
        }
        requests
    }
}

fn with_default(values: &Values) -> Map<String, Value> {
    let mut attributes = attributes(values);
    attributes.entry("mood").or_insert_with(|| json!(crate::world::MOODS[0]));
    attributes
}

fn attributes(values: &Values) -> Map<String, Value> {
    let value = |value: &Val| match value {
        Val::Bool(value) => json!(value),
        Val::Int(value) => json!(value),
        Val::Text(value) => json!(value),
        Val::Texts(value) => json!(value),
        Val::Subject(Name { kind, id }) => json!(format!("{kind}/{id}")),
    };
    values.iter().map(|(name, own)| ((*name).to_owned(), value(own))).collect()
}
