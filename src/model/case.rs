//! A test that an author wrote beside a policy: facts added, a question, and what is wanted. It is no part of a snapshot.

use std::collections::BTreeMap;

use super::{Attributes, Decision, EntityName, Facts, PlainBindings, Reason, Spanned, Timestamp, order};

/// One test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What it says, unique within a source.
    pub name: Spanned<String>,
    /// Facts for this test alone, as [`Facts::with`] adds them.
    pub given: Facts,
    /// The time of decision; without, [`Case::TIME`].
    pub time: Option<Timestamp>,
    /// What is asked.
    pub query: Query,
    /// What is wanted.
    pub wanted: Wanted,
}

impl Case {
    /// The time of decision where a test names none: 2026-01-01T00:00:00Z, and never the clock's.
    pub const TIME: Timestamp = Timestamp::NEW_YEAR_2026;

    /// The time of decision.
    pub fn time(&self) -> Timestamp {
        self.time.unwrap_or(Self::TIME)
    }
}

/// What a test asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// One decision.
    Decide(Ask),
    /// The actions that are allowed; the question's own action is empty.
    Actions(Ask),
    /// The resources of the question's resource type that are allowed; its resource id is empty.
    Resources(Ask, Option<EntityName>),
    /// The subjects of the question's subject type, or of all where that is empty, who are allowed; its subject id is
    /// empty.
    Subjects(Ask),
    /// The levels that a subject reaches at a scope, governor by governor.
    Levels {
        /// Whose.
        subject: EntityName,
        /// Where.
        at: EntityName,
    },
    /// How many seats are taken.
    Seats {
        /// Of which class.
        class: String,
        /// Where.
        at: EntityName,
    },
    /// What the policy makes of a request of HTTP.
    Http(HttpAsk),
    /// Nothing: the snapshot itself is what is looked at.
    Nothing,
}

/// A request of HTTP, as something in front of a server tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpAsk {
    /// The method.
    pub method: String,
    /// The path with the query.
    pub path: String,
    /// The authority.
    pub host: String,
    /// Headers, one by one.
    pub headers: Vec<(String, String)>,
    /// Claims of a verified token, by their names with dots between them.
    pub claims: Attributes,
    /// The name that the client's certificate proves; empty for none.
    pub principal: String,
    /// What the configuration of what is in front says of the route.
    pub extensions: BTreeMap<String, String>,
}

/// A question as a request asks it. A list leaves empty what it asks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Who asks.
    pub subject: EntityName,
    /// What the request says about the subject.
    pub subject_properties: Attributes,
    /// What for.
    pub action: String,
    /// What the action's parameters name.
    pub parameters: Attributes,
    /// On what.
    pub resource: EntityName,
    /// Where the resource would stand.
    pub parent: Option<EntityName>,
    /// What the request says about the resource.
    pub properties: Attributes,
    /// What the request says about the situation.
    pub context: Attributes,
}

/// What a test wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// This decision; what is `None` may be anything.
    Decision {
        /// Allow or deny.
        decision: Decision,
        /// Why.
        reason: Option<Reason>,
        /// What decided; empty for nothing.
        rule: Option<String>,
        /// Whether a missing value decided.
        undetermined: Option<bool>,
    },
    /// The question is malformed, because of this field.
    Malformed(String),
    /// Exactly these names, in any order.
    Names(Vec<String>),
    /// On these governors exactly these levels; on others any.
    Levels(Vec<(String, String)>),
    /// This number.
    Count(u64),
    /// The snapshot is refused, and what is told names all of these.
    Invalid(Vec<String>),
}

impl Facts {
    /// These facts with others on top: what has the same name (a binding: the same subject, role and scope) is replaced,
    /// everything else is added.
    #[must_use]
    pub fn with(&self, given: &Self) -> Self {
        if !self.plain.is_empty() || !given.plain.is_empty() {
            return self.clone().unpacked().with(&given.clone().unpacked());
        }
        Self {
            sequence: self.sequence.clone(),
            subjects: over(&self.subjects, &given.subjects, |one| &one.name.value),
            groups: over(&self.groups, &given.groups, |one| &one.name.value),
            credentials: over(&self.credentials, &given.credentials, |one| &one.name.value),
            resources: over(&self.resources, &given.resources, |one| &one.name.value),
            roles: over(&self.roles, &given.roles, |one| (&one.at.value, &one.name.value)),
            bindings: over(&self.bindings, &given.bindings, |one| (&one.subject.value, &one.role.value, &one.at.value)),
            plain: PlainBindings::default(),
            blocks: over(&self.blocks, &given.blocks, |one| &one.id.value),
        }
    }
}

/// What is below and has no namesake above, and everything above.
fn over<'f, T: Clone, K: Ord>(below: &'f [T], above: &'f [T], key: impl Fn(&'f T) -> K) -> Vec<T> {
    let mut replaced: Vec<K> = above.iter().map(&key).collect();
    order::natural(&mut replaced);
    below.iter().filter(|one| replaced.binary_search(&key(one)).is_err()).chain(above).cloned().collect()
}
