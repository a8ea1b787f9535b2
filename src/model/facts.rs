//! The facts of a snapshot: who and what there is, who holds what, who is blocked.

use std::fmt;

use super::{Entity, Grants, Literal, PlainBindings, Position, Spanned, Timestamp};

/// Everything the fact sections of a source say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The publisher's sequence number, where the source declares one.
    pub sequence: Option<Spanned<u64>>,
    /// Who can ask.
    pub subjects: Vec<Subject>,
    /// Who belongs together.
    pub groups: Vec<Group>,
    /// What asks in the name of a subject.
    pub credentials: Vec<Credential>,
    /// What can be asked about.
    pub resources: Vec<Resource>,
    /// Roles that tenants wrote.
    pub roles: Vec<DefinedRole>,
    /// Who holds which role where.
    pub bindings: Vec<Binding>,
    /// Further bindings, kept small. Only what is to be compiled at once has any: see [`Facts::unpacked`].
    pub plain: PlainBindings,
    /// Who may not do what, where and until when.
    pub blocks: Vec<Block>,
}

impl Facts {
    /// The same facts, with every binding among the others.
    #[must_use]
    pub fn unpacked(mut self) -> Self {
        let plain = std::mem::take(&mut self.plain);
        plain.each(|binding| self.bindings.push(binding.clone()));
        self
    }
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

/// A group of subjects and other groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Type and id.
    pub name: Spanned<EntityName>,
    /// Who is in it.
    pub members: Vec<Spanned<EntityName>>,
    /// Whether it passes nothing on for now.
    pub disabled: bool,
}

/// Something that asks in the name of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Type and id.
    pub name: Spanned<EntityName>,
    /// In whose name.
    pub owner: Spanned<EntityName>,
    /// The scopes of its type that it is limited to: one of them must cover.
    pub scopes: Vec<Spanned<String>>,
    /// The resources that it is limited to, with everything below them; empty for everywhere.
    pub within: Vec<Spanned<EntityName>>,
    /// The permissions that it is limited to, as `type.action`; `None` for all.
    pub permissions: Option<Vec<Spanned<String>>>,
    /// What is known.
    pub attributes: Attributes,
    /// Whether every question of it is denied.
    pub disabled: bool,
    /// When it may be used.
    pub lifetime: Lifetime,
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
    pub rules: RoleRules,
}

/// What a tenant's role gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleRules {
    /// These rules.
    Plain(Vec<DefinedRule>),
    /// The rules of the version that is current.
    Versioned {
        /// Which one is.
        current: Spanned<u64>,
        /// All that there are.
        versions: Vec<(Spanned<u64>, Vec<DefinedRule>)>,
    },
}

impl RoleRules {
    /// The rules that count: those of the current version, where there are versions; `None` where that one is missing.
    pub fn current(&self) -> Option<&[DefinedRule]> {
        match self {
            Self::Plain(rules) => Some(rules),
            Self::Versioned { current, versions } => {
                versions.iter().find(|(version, _)| version.value == current.value).map(|(_, rules)| rules.as_slice())
            }
        }
    }
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
    /// Who: a subject, a group, `all(<subject type>)` or `members_of(<scope>)`.
    pub subject: Spanned<BindingHolder>,
    /// Which role; empty where the source names none, which is an error that names the subject and the scope.
    pub role: Spanned<String>,
    /// On which scope.
    pub at: Spanned<EntityName>,
    /// The levels that it sets, by governor.
    pub levels: Vec<(Spanned<String>, Spanned<String>)>,
    /// The list of its own that the holder's rights are narrowed to.
    pub customised: Option<Customised>,
    /// When it is in force.
    pub lifetime: Lifetime,
    /// Whether it gives nothing for now.
    pub disabled: bool,
}

/// Who holds a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BindingHolder {
    /// This subject or group.
    One(EntityName),
    /// Every subject of a type.
    AllOf(String),
    /// Every subject with a binding in force at exactly this scope, own or through a group.
    MembersOf(EntityName),
}

impl BindingHolder {
    /// Reads `type/id`, `all(type)` or `members_of(type/id)`.
    pub fn parse(text: &str) -> Option<Self> {
        let inside = |word: &str| text.strip_prefix(word)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(kind) = inside("all") {
            return (!kind.is_empty() && !kind.contains('/')).then(|| Self::AllOf(kind.to_owned()));
        }
        if let Some(scope) = inside("members_of") {
            return EntityName::parse(scope).map(Self::MembersOf);
        }
        EntityName::parse(text).map(Self::One)
    }
}

impl BindingHolder {
    /// The subject or group that is named, if one is.
    pub fn one(&self) -> Option<&EntityName> {
        if let Self::One(name) = self { Some(name) } else { None }
    }
}

impl fmt::Display for BindingHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(name) => name.fmt(f),
            Self::AllOf(kind) => write!(f, "all({kind})"),
            Self::MembersOf(scope) => write!(f, "members_of({scope})"),
        }
    }
}

/// A list of permissions that a holder was narrowed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customised {
    /// The version of the role that it was cut from; `None` for a role without versions.
    pub version: Option<Spanned<u64>>,
    /// Its permissions, as `type.action`.
    pub permissions: Vec<Spanned<String>>,
}

/// A prohibition written as a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its id.
    pub id: Spanned<String>,
    /// Whom it binds, a subject, group, credential or `all(type)`; nobody named means everybody.
    pub subject: Option<Spanned<BindingHolder>>,
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
