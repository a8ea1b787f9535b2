//! A second evaluator of DESIGN section 2, as naive as can be: linear scans over the parsed policy and facts, one
//! function per sentence. It shares the model's types with the engine and nothing else, and it knows no error: what
//! compile refuses is never asked here.

mod book;
mod change;
pub(crate) mod condition;
mod counts;
mod credentials;
mod forbids;
mod groups;
mod holders;
mod levels;
mod load;
mod look_up;
mod paths;
mod pins;
mod purview;
mod question;
mod requires;
mod roles;
mod values;

use std::ops::Deref;

use book::Book;
use condition::State;
use sidegate::model::{Binding, Decision, EntityName, Facts, Policy, Reason, Request, Resource, Timestamp, Type};

/// What the reference answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) decision: Decision,
    pub(crate) reason: Reason,
    pub(crate) rule: Option<String>,
    pub(crate) undetermined: bool,
}

impl Outcome {
    fn deny(reason: Reason) -> Self {
        Self { decision: Decision::Deny, reason, rule: None, undetermined: false }
    }
}

/// The request is malformed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotAsked;

/// Decides.
pub(crate) fn decide(
    policy: &Policy,
    facts: &Facts,
    request: &Request<'_>,
    time: Timestamp,
) -> Result<Outcome, NotAsked> {
    request.check().map_err(|_| NotAsked)?;
    let world = World { book: Book { policy, facts }, request, time };
    if policy.strict_properties && world.vocabulary().is_ok() && world.says_undeclared() {
        return Err(NotAsked);
    }
    Ok(world.decide().unwrap_or_else(Outcome::deny))
}

/// Whether the facts break what loading demands of them, given a policy that has nothing wrong in itself.
pub(crate) fn refuses(policy: &Policy, facts: &Facts) -> bool {
    !Book { policy, facts }.is_valid()
}

/// The permissions that a binding's role gives where it is held, or gave in a version.
pub(crate) fn given(policy: &Policy, facts: &Facts, binding: &Binding, version: Option<u64>) -> Vec<String> {
    Book { policy, facts }.given(binding, version)
}

/// The permissions that a binding's role gives now where it is held.
pub(crate) fn gives(policy: &Policy, facts: &Facts, binding: &Binding) -> Vec<String> {
    let book = Book { policy, facts };
    book.given(binding, book.current_version(binding))
}

/// Who takes a seat of a class in a scope, or in those below it.
pub(crate) fn seats(policy: &Policy, facts: &Facts, class: &str, scope: &EntityName, time: Timestamp) -> usize {
    Book { policy, facts }.seats(class, scope, time)
}

/// The level that a subject has on each governor in a scope, as a step of the ladder.
pub(crate) fn levels<'p>(
    policy: &'p Policy,
    facts: &'p Facts,
    subject: &EntityName,
    scope: &EntityName,
    time: Timestamp,
) -> Vec<(&'p str, usize)> {
    Book { policy, facts }.levels(subject, scope, time)
}

/// A question about a book, at a moment.
struct World<'a> {
    book: Book<'a>,
    request: &'a Request<'a>,
    time: Timestamp,
}

impl<'a> Deref for World<'a> {
    type Target = Book<'a>;

    fn deref(&self) -> &Book<'a> {
        &self.book
    }
}

/// The resource of a decision: the asked one, or the second one.
struct Object<'a> {
    kind: &'a Type,
    /// The held resource itself, if it is held, then its ancestors, nearest first.
    chain: Vec<&'a Resource>,
    held: bool,
    values: Vec<(String, State)>,
}

/// An answer, or the reason of a denial that comes before any path.
type Denied<T> = Result<T, Reason>;

impl<'a> Object<'a> {
    fn own(&self) -> Option<&'a Resource> {
        self.chain.first().copied().filter(|_| self.held)
    }

    fn is_within(&self, scope: &EntityName) -> bool {
        self.chain.iter().any(|resource| *resource.name == *scope)
    }
}
