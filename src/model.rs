//! The nouns: what a policy, a fact, a request and a decision are.
//!
//! Data and the constructors that keep its invariants. No look-up, no rule about who wins, no file format and no wire
//! format: [`crate::compile`] gives a policy its meaning, [`crate::document`] reads one from text.

mod case;
mod diagnostic;
mod facts;
mod http;
pub(crate) mod order;
mod plain;
mod policy;
mod request;
mod time;
mod value;
mod verdict;

pub use case::{Ask, Case, HttpAsk, Query, Wanted};
pub use diagnostic::{Diagnostic, Position, Severity, SourceId, Spanned};
pub use facts::{
    Attributes, Binding, BindingHolder, Block, Credential, Customised, DefinedRole, DefinedRule, EntityName, Facts,
    Group, Lifetime, Resource, RoleRules, Subject, Term, TermOperator, TermScope,
};
pub use http::{HttpMapping, HttpRoute};
pub use plain::PlainBindings;
pub use policy::{
    Action, Also, AlsoTarget, Attribute, Change, Class, CredentialScope, CredentialType, Exclusive, Forbid, GovernedBy,
    Grants, GroupType, Holder, Limit, LimitKind, Operation, Parameter, Place, Policy, Purview, Requirement, Role,
    RoleLevels, RoleSet, RoleTemplate, Rule, SeatClass, SeatRule, SubjectType, Supplier, TargetHolds,
    TemplateConditions, Type, ValueType,
};
pub(crate) use request::name_problem;
pub use request::{Entity, MAX_ID_BYTES, Malformed, Properties, Request};
pub use time::Timestamp;
pub use value::{Literal, Value};
pub use verdict::{Because, Decision, Reason, Verdict};
