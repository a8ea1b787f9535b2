//! The facts of a snapshot: who and what there is, who holds what, who is blocked.

use std::fmt;

use super::{Entity, Grants, Literal, Position, Spanned, Timestamp};

/// Everything the fact sections of a source say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The publisher's sequence number, where the source declares one.
    pub sequence: Option<Spanned<u64>>,
    /// Who can ask.
    pub subjects: Vec<Subject>,
    /// What can be asked about.
    pub resources: Vec<Resource>,
    /// Roles that tenants wrote.
    pub roles: Vec<DefinedRole>,
    /// Who holds which role where.
    pub bindings: Vec<Binding>,
    /// Who may not do what, where and until when.
    pub blocks: Vec<Block>,
}

/// An entity by name, owned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityName {
    /// The type's name.
    pub kind: String,
    /// The id within the type.
    pub id: String,
}

impl EntityName {
    /// Splits `type/id` at the first slash.
    pub fn parse(text: &str) -> Option<Self> {
        Entity::parse(text).map(|entity| Self { kind: entity.kind.to_owned(), id: entity.id.to_owned() })
    }

    /// The same name, borrowed.
    pub fn as_entity(&self) -> Entity<'_> {
        Entity { kind: &self.kind, id: &self.id }
    }
}

impl fmt::Display for EntityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_entity().fmt(f)
    }
}

/// Attribute names with their values.
pub type Attributes = Vec<(Spanned<String>, Spanned<Literal>)>;

/// Somebody who can ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Type and id.
    pub name: Spanned<EntityName>,
    /// What is known.
    pub attributes: Attributes,
    /// Whether every question of this subject is denied.
    pub disabled: bool,
}

/// Something that can be asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Type and id.
    pub name: Spanned<EntityName>,
    /// Its parent, unless its type is a root.
    pub parent: Option<Spanned<EntityName>>,
    /// What is known.
    pub attributes: Attributes,
}

/// A role that a tenant wrote within a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinedRole {
    /// The scope that defines it: it can be held there and below.
    pub at: Spanned<EntityName>,
    /// `template/name`, whole.
    pub name: Spanned<String>,
    /// What it gives; everything else is off.
    pub rules: Vec<DefinedRule>,
}

/// What a tenant's role gives on one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinedRule {
    /// The type.
    pub on: Spanned<String>,
    /// Which actions.
    pub grants: Grants,
    /// Its conditions: those of a scope are tested for the actions in that scope, all of them must hold.
    pub when: Vec<(Spanned<TermScope>, Vec<Term>)>,
}

/// Which of a rule's actions a term restricts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TermScope {
    /// All of them.
    All,
    /// Those of one operation, or one action.
    Named(String),
}

/// One comparison in a tenant's role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// The attribute, as a path (`resource.tag`).
    pub attribute: Spanned<String>,
    /// What it is compared with: exactly one is meaningful, any other number is an error that names the role.
    pub operators: Vec<(Position, TermOperator)>,
}

/// The comparison of a term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TermOperator {
    /// Equal to a value.
    Eq(Spanned<Literal>),
    /// Not equal to a value; a missing attribute is not "not equal".
    Ne(Spanned<Literal>),
    /// One of several values.
    In(Vec<Spanned<Literal>>),
    /// Equal to another attribute, or to `subject`.
    EqAttribute(Spanned<String>),
}

/// A role held by a subject on a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Where it was written.
    pub position: Position,
    /// Who.
    pub subject: Spanned<EntityName>,
    /// Which role.
    pub role: Spanned<String>,
    /// On which scope.
    pub at: Spanned<EntityName>,
    /// The levels that it sets, by governor.
    pub levels: Vec<(Spanned<String>, Spanned<String>)>,
    /// When it is in force.
    pub lifetime: Lifetime,
    /// Whether it gives nothing for now.
    pub disabled: bool,
}

/// A prohibition written as a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its id.
    pub id: Spanned<String>,
    /// Whom it binds; nobody named means everybody.
    pub subject: Option<Spanned<EntityName>>,
    /// In which scope; none named means everywhere.
    pub at: Option<Spanned<EntityName>>,
    /// Types and classes; empty for every type.
    pub on: Vec<Spanned<String>>,
    /// Which actions.
    pub grants: Grants,
    /// When it holds.
    pub lifetime: Lifetime,
}

/// `[not_before, expires)`; an end left out is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifetime {
    /// In force from here on.
    pub not_before: Option<Timestamp>,
    /// No longer in force from here on.
    pub expires: Option<Timestamp>,
}

impl Lifetime {
    /// Whether it never begins and never ends.
    pub fn is_always(&self) -> bool {
        self.not_before.is_none() && self.expires.is_none()
    }
}
