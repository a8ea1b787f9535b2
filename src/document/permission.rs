//! The shape of the sections that say who may do what: roles, templates, forbids.

use super::decode::{Decode, Many, Turn, Turned, documents, nouns, refuse};
use super::holder::{HolderForm, holders};
use super::node::Node;
use super::purview::{RolesForm, SeatPlace, TargetDoc, purview};
use super::sink::Sink;
use super::text::{Condition, Name, plain, plain_all};
use crate::model::{
    BindingHolder, EntityName, Exclusive, Forbid, Grants, Lifetime, Limit, LimitKind, Position, Requirement, Role,
    RoleLevels, RoleTemplate, Rule, SeatClass, SeatRule, Spanned, TemplateConditions, Timestamp,
};

/// Names, one or several.
type Names = Many<Spanned<Name>>;

/// Names, where none would mean all.
type SomeNames = Many<Spanned<Name>, 1>;

documents! {
    /// A role.
    RoleDoc {
        at = "at": SomeNames,
        holders = "holders": Option<Many<HolderForm, 1>>,
        includes = "includes": Option<Names>,
        levels = "levels": Option<Spanned<Name>>,
        allow = "allow": Option<Vec<Turned<RuleDoc>>>,
        limits = "limits": Option<Vec<Turned<LimitDoc>>>,
        requires = "requires": Option<Many<Turned<RequirementDoc>, 1>>,
        customisable = "customisable": Option<bool>,
        superuser = "superuser": Option<bool>,
    }

    /// What the holder of a role must hold besides.
    RequirementDoc {
        held_at = "held_at": Spanned<Name>,
        on = "on": Spanned<Name>,
        has = "has": Option<SomeNames>,
        has_no = "has_no": Option<SomeNames>,
    }

    /// A class of seats.
    SeatsDoc {
        per = "per": SomeNames,
        subjects = "subjects": Option<SomeNames>,
        who = "who": Many<SeatRuleDoc, 1>,
    }

    /// One reason to take a seat.
    SeatRuleDoc {
        roles = "roles": SomeNames,
        held = "held": Many<SeatPlace, 1>,
    }

    /// One thing that a role allows.
    RuleDoc {
        on = "on": SomeNames,
        except = "except": Option<Names>,
        actions = "actions": Option<ActionNames>,
        operations = "operations": Option<Names>,
        held_at = "held_at": Option<SomeNames>,
        when = "when": Option<Spanned<Condition>>,
        assigns = "assigns": Option<RolesForm>,
        target = "target": Option<TargetDoc>,
        within = "within": Option<SomeNames>,
    }

    /// The most that a template's roles may give.
    MayDoc {
        on = "on": SomeNames,
        except = "except": Option<Names>,
        actions = "actions": Option<ActionNames>,
        operations = "operations": Option<Names>,
    }

    /// A ceiling (`only`) or a gate (`only_when`).
    LimitDoc {
        on = "on": SomeNames,
        except = "except": Option<Names>,
        only = "only": Option<Names>,
        actions = "actions": Option<ActionNames>,
        operations = "operations": Option<Names>,
        only_when = "only_when": Option<Spanned<Condition>>,
        held_at = "held_at": Option<SomeNames>,
    }

    /// What roles written as facts may be.
    TemplateDoc {
        defined_at = "defined_at": SomeNames,
        at = "at": SomeNames,
        holders = "holders": Option<Many<HolderForm, 1>>,
        requires = "requires": Option<Many<Turned<RequirementDoc>, 1>>,
        versioned = "versioned": Option<bool>,
        customisable = "customisable": Option<bool>,
        may = "may": Many<Turned<MayDoc>>,
        conditions = "conditions": Option<ConditionsDoc>,
    }

    /// Which conditions such a role may carry.
    ConditionsDoc {
        attributes_of = "attributes_of": Many<Spanned<Root>, 1>,
        most = "most": Spanned<u32>,
    }

    /// Roles of which a subject holds at most one on a scope.
    ExclusiveDoc {
        roles = "roles": SomeNames,
        at = "at": SomeNames,
    }

    /// A prohibition.
    ForbidDoc {
        on = "on": Option<SomeNames>,
        except = "except": Option<Names>,
        actions = "actions": Option<ActionNames>,
        operations = "operations": Option<Names>,
        subjects = "subjects": Option<Many<Spanned<BindingHolder>, 1>>,
        at = "at": Option<Many<Spanned<EntityName>, 1>>,
        when = "when": Option<Spanned<Condition>>,
        not_before = "not_before": Option<Spanned<Timestamp>>,
        expires = "expires": Option<Spanned<Timestamp>>,
    }
}

/// `all`, or names of actions.
#[derive(Debug)]
pub(super) enum ActionNames {
    All,
    Named(Names),
}

/// Whose attributes a tenant's condition may read.
#[derive(Debug)]
pub(super) struct Root(String);

impl From<Root> for String {
    fn from(root: Root) -> Self {
        root.0
    }
}

impl Decode for ActionNames {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        match (node.text(), node.items()) {
            (Some("all"), _) => Some(Self::All),
            (None, None) => refuse(node, "`all` or names of actions", sink),
            _ => Many::decode(node, sink).map(Self::Named),
        }
    }
}

impl Decode for Root {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        match node.text() {
            Some(text @ ("resource" | "subject" | "context")) => Some(Self(text.to_owned())),
            _ => refuse(node, "`resource`, `subject` or `context`", sink),
        }
    }
}

/// Which actions are meant, where exactly one of two keys must say it.
pub(super) fn grants(
    actions: Option<ActionNames>,
    operations: Option<Names>,
    at: Position,
    sink: &mut Sink<'_>,
) -> Option<Grants> {
    if actions.is_none() && operations.is_none() {
        sink.error_with(
            at,
            "neither `actions` nor `operations` is written",
            "write one; `actions: all` means every action",
        );
        return None;
    }
    grants_or_all(actions, operations, at, sink)
}

/// Which actions are meant, where leaving both keys out means all.
pub(super) fn grants_or_all(
    actions: Option<ActionNames>,
    operations: Option<Names>,
    at: Position,
    sink: &mut Sink<'_>,
) -> Option<Grants> {
    match (actions, operations) {
        (None | Some(ActionNames::All), None) => Some(Grants::All),
        (Some(ActionNames::Named(names)), None) => Some(Grants::Actions(plain_all(names.0))),
        (None, Some(names)) => Some(Grants::Operations(plain_all(names.0))),
        (Some(_), Some(_)) => {
            sink.error_with(at, "both `actions` and `operations` are written", "write two entries, one with each");
            None
        }
    }
}

/// Joins the ends of a lifetime, which must not be empty.
pub(super) fn lifetime(
    not_before: Option<Spanned<Timestamp>>,
    expires: Option<Spanned<Timestamp>>,
    sink: &mut Sink<'_>,
) -> Lifetime {
    if let (Some(begin), Some(end)) = (&not_before, &expires)
        && begin.value >= end.value
    {
        let message = format!("`expires` ({}) is not after `not_before` ({})", end.value, begin.value);
        sink.error_with(end.at, message, "it would never be in force: change or remove one of the two");
    }
    Lifetime { not_before: not_before.map(|at| at.value), expires: expires.map(|at| at.value) }
}

fn names<const MIN: usize>(names: Option<Many<Spanned<Name>, MIN>>) -> Vec<Spanned<String>> {
    plain_all(Many::or_none(names))
}

impl RoleDoc {
    pub(super) fn into_role(self, name: Spanned<String>) -> Role {
        Role {
            name,
            at: plain_all(self.at.0),
            holders: holders(self.holders),
            includes: names(self.includes),
            levels: self.levels.map(role_levels),
            rules: nouns(self.allow.unwrap_or_default()),
            limits: nouns(self.limits.unwrap_or_default()),
            requires: nouns(Many::or_none(self.requires)),
            customisable: self.customisable.unwrap_or(false),
            superuser: self.superuser.unwrap_or(false),
        }
    }
}

/// What a role writes for "each binding sets its own"; no level may have this name.
pub(super) const PER_BINDING: &str = "per_binding";

fn role_levels(written: Spanned<Name>) -> RoleLevels {
    if written.value.0 == PER_BINDING { RoleLevels::PerBinding } else { RoleLevels::All(plain(written)) }
}

impl ExclusiveDoc {
    pub(super) fn into_exclusive(self, name: Spanned<String>) -> Exclusive {
        Exclusive { name, roles: plain_all(self.roles.0), at: plain_all(self.at.0) }
    }
}

impl Turn for RuleDoc {
    type Noun = Rule;

    fn turn(self, at: Position, sink: &mut Sink<'_>) -> Option<Rule> {
        Some(Rule {
            grants: grants(self.actions, self.operations, at, sink)?,
            on: plain_all(self.on.0),
            except: names(self.except),
            held_at: names(self.held_at),
            when: self.when.map(plain),
            purview: purview(self.assigns, self.target, self.within),
        })
    }
}

impl Turn for RequirementDoc {
    type Noun = Requirement;

    fn turn(self, at: Position, sink: &mut Sink<'_>) -> Option<Requirement> {
        if self.has.is_none() && self.has_no.is_none() {
            let help = "`has` names roles of which one must be held, `has_no` roles of which none may be";
            sink.error_with(at, "a requirement needs `has`, `has_no` or both", help);
            return None;
        }
        let (held_at, on) = (plain(self.held_at), plain(self.on));
        Some(Requirement { held_at, on, has: names(self.has), has_no: names(self.has_no) })
    }
}

impl SeatsDoc {
    pub(super) fn into_seat_class(self, name: Spanned<String>) -> SeatClass {
        let who = self.who.0.into_iter().map(|rule| SeatRule {
            roles: plain_all(rule.roles.0),
            held: rule.held.0.into_iter().map(|place| place.0).collect(),
        });
        SeatClass { name, per: plain_all(self.per.0), subjects: names(self.subjects), who: who.collect() }
    }
}

impl Turn for MayDoc {
    type Noun = Rule;

    fn turn(self, at: Position, sink: &mut Sink<'_>) -> Option<Rule> {
        let Self { on, except, actions, operations } = self;
        let (held_at, when, assigns, target, within) = (None, None, None, None, None);
        RuleDoc { on, except, actions, operations, held_at, when, assigns, target, within }.turn(at, sink)
    }
}

impl Turn for LimitDoc {
    type Noun = Limit;

    fn turn(self, at: Position, sink: &mut Sink<'_>) -> Option<Limit> {
        let kind = match (self.only, self.only_when) {
            (Some(only), None) if self.actions.is_none() && self.operations.is_none() => {
                LimitKind::Only(plain_all(only.0))
            }
            (Some(_), None) => {
                sink.error_with(at, "a ceiling (`only`) names its actions itself", "remove `actions` and `operations`");
                return None;
            }
            (None, Some(only_when)) => {
                let grants = grants(self.actions, self.operations, at, sink)?;
                LimitKind::Gate { grants, only_when: plain(only_when) }
            }
            (Some(_), Some(_)) | (None, None) => {
                let help = "`only` is a ceiling, `only_when` a gate on `actions` or `operations`";
                sink.error_with(at, "a limit needs exactly one of `only` and `only_when`", help);
                return None;
            }
        };
        Some(Limit { on: plain_all(self.on.0), except: names(self.except), kind, held_at: names(self.held_at) })
    }
}

impl TemplateDoc {
    pub(super) fn into_template(self, name: Spanned<String>) -> RoleTemplate {
        RoleTemplate {
            name,
            defined_at: plain_all(self.defined_at.0),
            at: plain_all(self.at.0),
            holders: holders(self.holders),
            requires: nouns(Many::or_none(self.requires)),
            versioned: self.versioned.unwrap_or(false),
            customisable: self.customisable.unwrap_or(false),
            may: nouns(self.may.0),
            conditions: self.conditions.map(|conditions| TemplateConditions {
                roots: plain_all(conditions.attributes_of.0),
                most: conditions.most,
            }),
        }
    }
}

impl ForbidDoc {
    pub(super) fn into_forbid(self, id: Spanned<String>, sink: &mut Sink<'_>) -> Option<Forbid> {
        let lifetime = lifetime(self.not_before, self.expires, sink);
        Some(Forbid {
            grants: grants_or_all(self.actions, self.operations, id.at, sink)?,
            id,
            on: names(self.on),
            except: names(self.except),
            subjects: Many::or_none(self.subjects),
            scopes: Many::or_none(self.at),
            when: self.when.map(plain),
            lifetime,
        })
    }
}
