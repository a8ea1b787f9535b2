//! Small worlds: a policy, its facts and every question about them, in what Sidegate, Cedar and Cerbos can all say.
//!
//! The restriction: types `org` › `space` (› `space`) › `item`, all resources held; attributes from the snapshot and
//! context from the request, well typed or missing; conditions of comparisons, `in`, text functions and `has` (of
//! optional attributes) under `!`, `&&`, `||`; roles with `held_at`, `includes`, ceilings and gates; forbids and blocks;
//! lifetimes and `disabled`. Left out, because no other engine has a word for it: levels, parameters, second objects,
//! creating, roles written as facts, and what a request may say about an entity.

mod condition;
mod draw;
mod flat;
mod print;

pub use condition::{Condition, Operand, Root, Test, call, literal};
pub use draw::Random;
pub use flat::FlatRule;

use std::collections::BTreeMap;

/// The types of resources, root first, each with its actions.
pub const TYPES: [(&str, &[&str]); 3] =
    [("org", &["open", "manage"]), ("space", &["open", "edit"]), ("item", &["view", "edit", "remove"])];

/// Groups of actions.
pub const OPERATIONS: [(&str, &[&str]); 2] = [("read", &["open", "view"]), ("write", &["manage", "edit", "remove"])];

/// Ids, the same for every type; some look like syntax.
pub const IDS: [&str; 4] = ["a", "b", "a/b", "*"];

/// What every type and the context declare.
pub const ATTRIBUTES: [&str; 6] = ["flag", "num", "word", "tags", "owner", "mood"];

/// What every type declares as optional.
pub const OPTIONAL: [&str; 2] = ["note", "rank"];

/// Values of `mood`; the first is its default.
pub const MOODS: [&str; 2] = ["calm", "wild"];

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Val {
    /// A bool.
    Bool(bool),
    /// An int.
    Int(i64),
    /// A text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// A subject.
    Subject(Name),
}

/// A type and an id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// The type.
    pub kind: &'static str,
    /// The id.
    pub id: &'static str,
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

/// Values by attribute.
pub type Values = BTreeMap<&'static str, Val>;

/// A subject or a resource.
#[derive(Clone, Debug)]
pub struct Entity {
    /// Type and id.
    pub name: Name,
    /// What it stands under.
    pub parent: Option<Name>,
    /// What is known.
    pub values: Values,
    /// Whether a subject is denied everything.
    pub disabled: bool,
}

/// Which actions.
#[derive(Clone, Debug)]
pub enum Grants {
    /// All of the types.
    All,
    /// These.
    Actions(Vec<&'static str>),
    /// Those of these operations.
    Operations(Vec<&'static str>),
}

/// `[from, until)` in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lifetime {
    /// Not before.
    pub from: Option<i64>,
    /// Expires.
    pub until: Option<i64>,
}

/// What a role gives.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Types.
    pub on: Vec<&'static str>,
    /// Actions.
    pub grants: Grants,
    /// The type on which the role must be held.
    pub held_at: Option<&'static str>,
    /// The condition.
    pub when: Option<Condition>,
}

/// What filters a role.
#[derive(Clone, Debug)]
pub enum Limit {
    /// Of these types nothing but these actions.
    Only(Vec<&'static str>, Vec<&'static str>),
    /// These actions of these types only while a condition is true.
    Gate(Vec<&'static str>, Grants, Condition),
}

/// A role.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Where it may be held.
    pub at: Vec<&'static str>,
    /// Earlier roles that it includes.
    pub includes: Vec<String>,
    /// What it gives.
    pub rules: Vec<Rule>,
    /// What it never lets through.
    pub limits: Vec<Limit>,
}

/// A role held by somebody somewhere.
#[derive(Clone, Debug)]
pub struct Binding {
    /// Who.
    pub subject: Name,
    /// Which role.
    pub role: String,
    /// Where.
    pub at: Name,
    /// When.
    pub lifetime: Lifetime,
    /// Not now.
    pub disabled: bool,
}

/// A prohibition.
#[derive(Clone, Debug)]
pub struct Forbid {
    /// Its id.
    pub id: String,
    /// Types; empty for all.
    pub on: Vec<&'static str>,
    /// Actions.
    pub grants: Grants,
    /// Whom it binds; empty for all.
    pub subjects: Vec<Name>,
    /// Where; empty for everywhere.
    pub scopes: Vec<Name>,
    /// The condition.
    pub when: Option<Condition>,
    /// When.
    pub lifetime: Lifetime,
}

/// A policy, its facts, and the moment at which everything is asked.
#[derive(Clone, Debug)]
pub struct World {
    /// Roles.
    pub roles: Vec<Role>,
    /// Forbids.
    pub forbids: Vec<Forbid>,
    /// Subjects.
    pub subjects: Vec<Entity>,
    /// Resources, parents first.
    pub resources: Vec<Entity>,
    /// Bindings.
    pub bindings: Vec<Binding>,
    /// The situations in which everything is asked.
    pub contexts: Vec<Values>,
    /// The moment, in seconds.
    pub now: i64,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Who.
    pub subject: Name,
    /// What.
    pub action: &'static str,
    /// On what.
    pub resource: Name,
    /// The number of the context.
    pub context: usize,
}

impl World {
    /// Every question, and a few about somebody and something that are not there.
    pub fn questions(&self) -> Vec<Question> {
        let mut questions = Vec::new();
        let mut ask = |subject: &Name, resource: &Name, context| {
            for action in actions_of(resource.kind) {
                questions.push(Question { subject: subject.clone(), action, resource: resource.clone(), context });
            }
        };
        for subject in &self.subjects {
            for resource in &self.resources {
                (0..self.contexts.len()).for_each(|context| ask(&subject.name, &resource.name, context));
            }
            ask(&subject.name, &Name { kind: "item", id: "nothing" }, 0);
        }
        for resource in self.resources.iter().take(3) {
            ask(&Name { kind: "user", id: "nobody" }, &resource.name, 0);
        }
        questions
    }

    /// A resource and everything above it, nearest first.
    pub fn chain<'a>(&'a self, of: &'a Entity) -> impl Iterator<Item = &'a Entity> {
        let above = |of: &&'a Entity| self.resources.iter().find(|own| Some(&own.name) == of.parent.as_ref());
        std::iter::successors(Some(of), above)
    }
}

/// The actions of a type.
pub fn actions_of(kind: &str) -> &'static [&'static str] {
    TYPES.iter().find(|(own, _)| *own == kind).map_or(&[], |(_, actions)| actions)
}

/// The operation of an action.
pub fn operation_of(action: &str) -> &'static str {
    OPERATIONS.iter().find(|(_, actions)| actions.contains(&action)).map_or("", |(name, _)| name)
}

impl Grants {
    /// Whether they hold an action.
    pub fn hold(&self, action: &str) -> bool {
        match self {
            Self::All => true,
            Self::Actions(names) => names.contains(&action),
            Self::Operations(names) => names.contains(&operation_of(action)),
        }
    }
}

impl Lifetime {
    /// Whether it holds at a moment.
    pub fn holds_at(self, now: i64) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }
}

/// Whether a type is meant.
pub fn covers(on: &[&str], kind: &str) -> bool {
    on.is_empty() || on.contains(&kind)
}
