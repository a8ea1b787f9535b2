//! A policy as its author wrote it: names not yet resolved, conditions still text.

use super::{BindingHolder, EntityName, HttpMapping, Lifetime, Literal, Position, Spanned};

/// A name and where it was written.
type Name = Spanned<String>;

/// Everything the policy sections of a source say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whether an undeclared property makes a request malformed instead of being ignored.
    pub strict_properties: bool,
    /// Who can ask.
    pub subject_types: Vec<SubjectType>,
    /// What subjects can be grouped in.
    pub group_types: Vec<GroupType>,
    /// What can ask in the name of a subject.
    pub credential_types: Vec<CredentialType>,
    /// What a request may say about its situation.
    pub context: Vec<Attribute>,
    /// The ladder of levels, lowest first; empty where the policy has none.
    pub levels: Vec<Name>,
    /// What levels are set on: paths such as `voice` and `voice/numbers`.
    pub governors: Vec<Name>,
    /// Groups of actions.
    pub operations: Vec<Operation>,
    /// Groups of types.
    pub classes: Vec<Class>,
    /// What can be asked about.
    pub types: Vec<Type>,
    /// Built-in roles.
    pub roles: Vec<Role>,
    /// What roles written as facts may be.
    pub role_templates: Vec<RoleTemplate>,
    /// Roles of which a subject holds at most one on a scope.
    pub exclusive: Vec<Exclusive>,
    /// Prohibitions.
    pub forbids: Vec<Forbid>,
    /// What is counted.
    pub seats: Vec<SeatClass>,
    /// Which request of HTTP asks what.
    pub http: HttpMapping,
}

/// A kind of group of subjects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupType {
    /// Its name, in one namespace with the types'.
    pub name: Name,
    /// The subject types and group types whose entities may be its members.
    pub members: Vec<Name>,
}

/// A kind of credential: it asks in the name of its owner, within a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialType {
    /// Its name, in one namespace with the types'.
    pub name: Name,
    /// Who may own one; never empty.
    pub owners: Vec<Holder>,
    /// What is known of each credential.
    pub attributes: Vec<Attribute>,
    /// The context keys that the request itself must send.
    pub demands: Vec<Name>,
    /// What one may be limited to; where there are any, each credential names at least one.
    pub scopes: Vec<CredentialScope>,
}

/// What a credential may be limited to. Everything that it states must cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialScope {
    /// Its name.
    pub name: Name,
    /// Context keys, each with the values of which it must equal one.
    pub context: Vec<(Name, Vec<Spanned<Literal>>)>,
    /// The permissions that it covers, as rules without conditions; `None` for all.
    pub allow: Option<Vec<Rule>>,
    /// Who may own a credential of this scope; empty for every owner of the type.
    pub owners: Vec<Holder>,
}

/// Who may hold a role, or own a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// A subject type, or a group type.
    pub kind: Name,
    /// Attributes, each with the values of which the subject's must equal one.
    pub when: Vec<(Name, Vec<Spanned<Literal>>)>,
}

/// A class of seats: whom it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatClass {
    /// Its name.
    pub name: Name,
    /// The types of scope that have seats; asked elsewhere, those below are counted together.
    pub per: Vec<Name>,
    /// The subject types that count; empty for all.
    pub subjects: Vec<Name>,
    /// Who takes a seat.
    pub who: Vec<SeatRule>,
}

/// One reason to take a seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatRule {
    /// Built-in roles, and templates for all of their roles.
    pub roles: Vec<Name>,
    /// Where such a role is held, as seen from the scope.
    pub held: Vec<Place>,
}

/// Where something is, as seen from a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// On it.
    Here,
    /// On one of its ancestors.
    Above,
    /// On one of its descendants.
    Below,
}

/// A kind of subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectType {
    /// Its name.
    pub name: Name,
    /// What is known of each subject.
    pub attributes: Vec<Attribute>,
}

/// A kind of resource. Scopes are resources on which a role can be held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type {
    /// Its name.
    pub name: Name,
    /// Types of which one is the parent's.
    pub parents: Vec<Name>,
    /// Whether it has no parent.
    pub root: bool,
    /// Whether a resource that the snapshot does not hold may be placed by the request, for every action.
    pub open: bool,
    /// Whether it has no instances and only governs actions of other types.
    pub is_virtual: bool,
    /// The governor whose level counts for its actions.
    pub governed_by: Option<GovernedBy>,
    /// What is known of each resource.
    pub attributes: Vec<Attribute>,
    /// What can be done to it.
    pub actions: Vec<Action>,
}

/// The governor of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GovernedBy {
    /// The same for every instance.
    Node(Name),
    /// What this attribute of the instance says.
    Attribute(Name),
}

/// Roles of which a subject holds at most one on a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclusive {
    /// Its name.
    pub name: Name,
    /// Built-in roles, and templates for all of their roles.
    pub roles: Vec<Name>,
    /// The types of scope on which it counts.
    pub at: Vec<Name>,
}

/// Something that is known of an entity, or of the situation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: Name,
    /// The type of its values.
    pub value_type: ValueType,
    /// Who says it.
    pub from: Supplier,
    /// The value where nobody says it.
    pub default: Option<Spanned<Literal>>,
    /// Whether its absence from a held entity is a fact.
    pub optional: bool,
    /// Whether it is never printed, logged or asserted against.
    pub sensitive: bool,
}

/// The type of an attribute's values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// `true` or `false`.
    Bool,
    /// A 64-bit signed integer.
    Int,
    /// Text.
    String,
    /// A moment.
    Timestamp,
    /// One of these texts.
    Enum(Vec<Name>),
    /// Several values of one scalar type.
    List(Box<ValueType>),
    /// An entity of this type; the name `subject` stands for every subject type.
    Reference(Name),
    /// The path of a governor.
    Governor,
    /// A role, by name; of parameters alone.
    Role,
    /// A permission, as `type.action`; of parameters alone.
    Permission,
}

/// Who may say a value, and who wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Supplier {
    /// The snapshot alone; a request may repeat it.
    #[default]
    Snapshot,
    /// The request alone.
    Request,
    /// The snapshot; where it has none, the request.
    SnapshotThenRequest,
    /// The request; where it has none, the snapshot.
    RequestThenSnapshot,
}

/// Something that can be done to a resource of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Its name.
    pub name: Name,
    /// The operation it belongs to, where that differs from the `operations` section's.
    pub operation: Option<Name>,
    /// The type whose rules on operations (and levels) govern it, where that is not its own.
    pub governed_by: Option<Name>,
    /// The level that it needs.
    pub level: Option<Name>,
    /// Whether it may be asked of a resource that does not exist yet.
    pub creates: bool,
    /// What the request must or may name besides the resource.
    pub parameters: Vec<Parameter>,
    /// A second object on which the same subject must also be allowed to act.
    pub also: Option<Also>,
    /// The change of facts that it stands for.
    pub change: Option<Spanned<Change>>,
    /// Whether the facts after that change must satisfy what loading demands of them (`result: valid`).
    pub valid_result: Option<Position>,
}

/// A change of who holds what, on the target that a parameter names and on the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The target gets the role.
    Grant,
    /// The target loses the role, or every role where the action has no role parameter.
    Revoke,
    /// The role takes the place of everything that the target holds.
    Replace,
    /// The target's one role is narrowed to a list of its permissions.
    Customise,
}

/// Something that an action's request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub value_type: ValueType,
    /// Whether the request may leave it out.
    pub optional: bool,
}

/// One further decision that an action needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Also {
    /// The action on the second object.
    pub action: Name,
    /// Which object.
    pub target: AlsoTarget,
}

/// The second object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlsoTarget {
    /// The entity that this parameter names.
    On(Name),
    /// A new resource of the action's own type, with the same attributes, under the entity that this parameter names.
    Under(Name),
}

/// A group of actions, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its name.
    pub name: Name,
    /// Its actions.
    pub actions: Vec<Name>,
}

/// A group of types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// Its name, in one namespace with the types'.
    pub name: Name,
    /// Types and other classes.
    pub members: Vec<Name>,
}

/// A role: rules and limits, and where it may be held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: Name,
    /// The types of scope on which it is held.
    pub at: Vec<Name>,
    /// Who may hold it; empty for everybody.
    pub holders: Vec<Holder>,
    /// Roles whose rules it copies, together with their limits.
    pub includes: Vec<Name>,
    /// Where its levels come from; without, it has the lowest everywhere.
    pub levels: Option<RoleLevels>,
    /// What it gives.
    pub rules: Vec<Rule>,
    /// What filters everything it gives.
    pub limits: Vec<Limit>,
    /// What its holder must hold besides, by where it is held.
    pub requires: Vec<Requirement>,
    /// Whether a binding to it may carry a list of its own.
    pub customisable: bool,
    /// Whether it gives every declared action.
    pub superuser: bool,
}

/// What the holder of a role must hold besides: the role only raises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The type of scope on which the role is held for this to count.
    pub held_at: Name,
    /// The type of the ancestor that is looked at: the nearest.
    pub on: Name,
    /// Roles and templates of which the subject must hold one there; empty for no demand.
    pub has: Vec<Name>,
    /// Roles and templates of which the subject may hold none there or above.
    pub has_no: Vec<Name>,
}

/// Where a role's levels come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleLevels {
    /// Each binding sets its own.
    PerBinding,
    /// The same on every governor.
    All(Name),
}

/// One thing that a role allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Types and classes.
    pub on: Vec<Name>,
    /// Types and classes left out.
    pub except: Vec<Name>,
    /// Which actions.
    pub grants: Grants,
    /// The scope types on which the role must be held for this rule; empty for all.
    pub held_at: Vec<Name>,
    /// The condition, as text.
    pub when: Option<Spanned<String>>,
    /// What the parameters of its actions may name.
    pub purview: Purview,
}

/// What the parameters of a rule's actions may name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purview {
    /// The roles that may be assigned.
    pub assigns: Option<RoleSet>,
    /// What the target may hold.
    pub target: Option<TargetHolds>,
    /// The parameters that must lie at or below the scope on which the role is held.
    pub within: Vec<Name>,
}

/// Some roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleSet {
    /// Every role.
    All,
    /// Built-in roles, and templates for all of their roles.
    Named(Vec<Name>),
}

/// What the target of an administrative action may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetHolds {
    /// Nothing but these.
    pub holds_only: RoleSet,
    /// Where that is looked at, as seen from the resource; never empty.
    pub look: Vec<Place>,
    /// The parameter that names the target, where that is not the action's only subject.
    pub parameter: Option<Name>,
}

/// Which actions a rule, limit or forbid speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grants {
    /// Every declared action of the types.
    All,
    /// These actions of the types.
    Actions(Vec<Name>),
    /// The actions of these operations: for a rule those that the types govern, for a limit, forbid or block those of the
    /// types themselves.
    Operations(Vec<Name>),
}

/// What keeps a role's rules from giving too much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Types and classes.
    pub on: Vec<Name>,
    /// Types and classes left out.
    pub except: Vec<Name>,
    /// Ceiling or gate.
    pub kind: LimitKind,
    /// The scope types on which the role must be held for this limit to count; empty for all.
    pub held_at: Vec<Name>,
}

/// The two kinds of limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitKind {
    /// Of the types' actions only these, whatever the rules say.
    Only(Vec<Name>),
    /// These actions only when a condition holds.
    Gate {
        /// Which actions.
        grants: Grants,
        /// The condition, as text.
        only_when: Spanned<String>,
    },
}

/// What roles written as facts may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleTemplate {
    /// Its name; its roles are named `template/name`.
    pub name: Name,
    /// The types of scope at which such a role is defined.
    pub defined_at: Vec<Name>,
    /// The types of scope on which such a role is held.
    pub at: Vec<Name>,
    /// Who may hold one; empty for everybody.
    pub holders: Vec<Holder>,
    /// The most that one may give.
    pub may: Vec<Rule>,
    /// Which conditions one may carry; `None` for none at all.
    pub conditions: Option<TemplateConditions>,
    /// What the holder of one must hold besides.
    pub requires: Vec<Requirement>,
    /// Whether one has versions, of which one is current.
    pub versioned: bool,
    /// Whether a binding to one may carry a list of its own.
    pub customisable: bool,
}

/// Which conditions a role written as a fact may carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateConditions {
    /// `resource`, `subject`, `context`: whose attributes may be read.
    pub roots: Vec<Name>,
    /// The largest number of terms in one rule.
    pub most: Spanned<u32>,
}

/// A prohibition. Nothing overrides it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbid {
    /// Its id.
    pub id: Name,
    /// Types and classes; empty for every type.
    pub on: Vec<Name>,
    /// Types and classes left out.
    pub except: Vec<Name>,
    /// Which actions.
    pub grants: Grants,
    /// The subjects, groups, credentials and `all(type)` that it binds; empty for everybody.
    pub subjects: Vec<Spanned<BindingHolder>>,
    /// The scopes in which it holds; empty for everywhere.
    pub scopes: Vec<Spanned<EntityName>>,
    /// The condition, as text. Unknown counts as true.
    pub when: Option<Spanned<String>>,
    /// When it holds.
    pub lifetime: Lifetime,
}
