//! Purviews: what the parameters of a rule's actions may name. Roles are looked up when all of them have their numbers.

use crate::model::{DefinedRule, Place, Position, Purview, RoleSet, Rule, Spanned};

use super::findings::Findings;
use super::intern::{Runs, number};
use super::layout::{NONE, PurviewRecord, SUBJECT_TYPES, purview_flags};
use super::roles::Roles;
use super::schema::{ParameterType, PermissionInfo, Schema, TypeSort};

/// The purviews of a policy's rules.
#[derive(Debug, Default)]
pub(super) struct Purviews<'p> {
    /// As written, with the name of the role whose rule it is.
    written: Vec<(&'p Purview, String)>,
    /// Each for one permission.
    list: Vec<Placed>,
}

/// A purview on one action: which of its parameters are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Placed {
    written: usize,
    target: u32,
    within: u8,
}

impl<'p> Purviews<'p> {
    /// The purview of a rule on each of its permissions; [`NONE`] for a rule without one.
    pub(super) fn of_rule(
        &mut self,
        rule: &'p Rule,
        permissions: &[u32],
        label: &str,
        schema: &Schema<'_>,
        findings: &mut Findings,
    ) -> Vec<u32> {
        let at = rule.on.first().map_or_else(Position::default, |on| on.at);
        let purview = &rule.purview;
        check_assigns(purview.assigns.is_some(), permissions, label, at, schema, findings);
        if *purview == Purview::default() {
            return vec![NONE; permissions.len()];
        }
        check_target(purview, permissions, label, at, schema, findings);
        self.written.push((purview, label.to_owned()));
        let infos = permissions.iter().map(|permission| schema.permission_info(*permission));
        infos.map(|info| info.map_or(NONE, |info| self.placed(purview, info, label, schema, findings))).collect()
    }

    fn placed(
        &mut self,
        purview: &Purview,
        info: &PermissionInfo<'_>,
        label: &str,
        schema: &Schema<'_>,
        findings: &mut Findings,
    ) -> u32 {
        let mut within = 0;
        for name in &purview.within {
            within |=
                parameter(name, info, label, schema, findings).map_or(0, |place| 1_u8.checked_shl(place).unwrap_or(0));
        }
        let target = match &purview.target {
            None => None,
            Some(target) => match &target.parameter {
                Some(name) => subject_parameter(name, info, label, schema, findings),
                None => only_subject(info, label, at_of(purview), schema, findings),
            },
        };
        let placed = Placed { written: self.written.len().saturating_sub(1), target: target.unwrap_or(NONE), within };
        let known = self.list.iter().rposition(|known| *known == placed);
        number(known.unwrap_or_else(|| {
            self.list.push(placed);
            self.list.len() - 1
        }))
    }

    /// The purviews as records.
    pub(super) fn records(
        &self,
        roles: &Roles<'_>,
        policy: &crate::model::Policy,
        lists: &mut Runs<u32>,
        findings: &mut Findings,
    ) -> Vec<PurviewRecord> {
        let mut range = |set: &RoleSet, whose: String| match set {
            RoleSet::All => (0, 0),
            RoleSet::Named(names) => lists.intern(roles.named(names, policy, &whose, findings)),
        };
        let mut ranges = Vec::with_capacity(self.written.len());
        for (purview, label) in &self.written {
            let assigns = purview.assigns.as_ref().map_or((0, 0), |set| range(set, format!("`assigns` of {label}")));
            let holds = purview.target.as_ref().map(|target| &target.holds_only);
            let holds = holds.map_or((0, 0), |set| range(set, format!("`holds_only` of {label}")));
            ranges.push((assigns, holds, flags(purview)));
        }
        let placed = self.list.iter().filter_map(|placed| Some((placed, ranges.get(placed.written)?)));
        let records = placed.map(|(placed, (assigns, holds, flags))| PurviewRecord {
            assigns: assigns.0.into(),
            assigns_end: assigns.1.into(),
            holds: holds.0.into(),
            holds_end: holds.1.into(),
            target: placed.target.into(),
            within: placed.within,
            flags: *flags,
            reserved: 0.into(),
        });
        records.collect()
    }
}

/// A tenant's rule has no purview: on an action that assigns roles it could give nothing.
pub(super) fn needs_none(
    rule: &DefinedRule,
    permissions: &[u32],
    label: &str,
    schema: &Schema<'_>,
    findings: &mut Findings,
) {
    check_assigns(false, permissions, label, rule.on.at, schema, findings);
}

fn flags(purview: &Purview) -> u8 {
    let assigns = match purview.assigns {
        None => 0,
        Some(RoleSet::Named(_)) => purview_flags::ASSIGNS,
        Some(RoleSet::All) => purview_flags::ASSIGNS | purview_flags::ASSIGNS_ALL,
    };
    let Some(target) = &purview.target else { return assigns };
    let holds = if target.holds_only == RoleSet::All { purview_flags::HOLDS_ALL } else { 0 };
    target.look.iter().fold(assigns | holds, |flags, place| {
        flags
            | match place {
                Place::Here => purview_flags::HERE,
                Place::Above => purview_flags::ABOVE,
                Place::Below => purview_flags::BELOW,
            }
    })
}

/// A rule says which roles may be assigned where one can be, and only there.
fn check_assigns(
    written: bool,
    permissions: &[u32],
    label: &str,
    at: Position,
    schema: &Schema<'_>,
    findings: &mut Findings,
) {
    let assigning = permissions.iter().filter(|permission| {
        schema.permission_info(**permission).is_some_and(|info| info.parameters.iter().any(|kind| names_roles(*kind)))
    });
    let names: Vec<String> = assigning.map(|number| format!("`{}`", schema.permission_name(*number))).collect();
    if written && names.is_empty() && !permissions.is_empty() {
        findings.error_with_help(
            at,
            format!("{label} says which roles may be assigned, but none of its actions names one"),
            "`assigns` belongs to a rule on an action with a parameter of type `role`",
        );
    }
    if !written && !names.is_empty() {
        findings.error_with_help(
            at,
            format!("{label} gives {}, but no role that could be assigned by it", names.join(", ")),
            "say which: `assigns: [<roles>]`, or `assigns: all`; a role written as a fact cannot",
        );
    }
}

fn names_roles(kind: ParameterType) -> bool {
    matches!(kind, ParameterType::Role | ParameterType::Roles)
}

/// A target that no action of the rule has is a mistake; one that some have is looked at there.
fn check_target(
    purview: &Purview,
    permissions: &[u32],
    label: &str,
    at: Position,
    schema: &Schema<'_>,
    findings: &mut Findings,
) {
    let implied = purview.target.as_ref().is_some_and(|target| target.parameter.is_none());
    let has_subject =
        |number: &u32| schema.permission_info(*number).is_some_and(|info| subjects(info, schema).next().is_some());
    if implied && !permissions.is_empty() && !permissions.iter().any(has_subject) {
        findings.error_with_help(
            at,
            format!("{label} says what the target may hold, but none of its actions names a subject"),
            "`target` belongs to a rule on an action with a parameter that refers to a subject",
        );
    }
}

/// The place of a parameter that names an entity.
fn parameter(
    name: &Spanned<String>,
    info: &PermissionInfo<'_>,
    label: &str,
    schema: &Schema<'_>,
    findings: &mut Findings,
) -> Option<u32> {
    let declared = info.action.parameters.iter().zip(&info.parameters).zip(0_u32..);
    let found = declared.into_iter().find(|((parameter, _), _)| parameter.name.value == name.value);
    let action = format!("{}.{}", schema.type_name(info.owner), info.action.name.value);
    match found {
        Some(((_, ParameterType::Entity(_)), place)) => Some(place),
        Some(_) => {
            findings.error(name.at, format!("{label}: parameter `{}` of `{action}` names no entity", name.value));
            None
        }
        None => {
            findings.error_with_help(
                name.at,
                format!("{label}: `{action}` has no parameter `{}`", name.value),
                "write a rule of its own for the actions that have it",
            );
            None
        }
    }
}

/// The same, of one that names a subject.
fn subject_parameter(
    name: &Spanned<String>,
    info: &PermissionInfo<'_>,
    label: &str,
    schema: &Schema<'_>,
    findings: &mut Findings,
) -> Option<u32> {
    let place = parameter(name, info, label, schema, findings)?;
    if subjects(info, schema).any(|subject| subject == place) {
        return Some(place);
    }
    findings.error(name.at, format!("{label}: parameter `{}` names no subject", name.value));
    None
}

/// The one parameter of an action that names a subject, if it has any.
fn only_subject(
    info: &PermissionInfo<'_>,
    label: &str,
    at: Option<Position>,
    schema: &Schema<'_>,
    findings: &mut Findings,
) -> Option<u32> {
    let mut all = subjects(info, schema);
    let first = all.next();
    if all.next().is_some() {
        findings.error_with_help(
            at.unwrap_or(info.action.name.at),
            format!(
                "{label}: `{}.{}` names more than one subject",
                schema.type_name(info.owner),
                info.action.name.value
            ),
            "say which one is the target: `parameter: <name>`",
        );
    }
    first
}

fn at_of(purview: &Purview) -> Option<Position> {
    match purview.target.as_ref().map(|target| &target.holds_only) {
        Some(RoleSet::Named(names)) => names.first().map(|name| name.at),
        Some(RoleSet::All) | None => None,
    }
}

/// The places of the parameters that name a subject.
pub(super) fn subjects<'a>(info: &'a PermissionInfo<'_>, schema: &'a Schema<'_>) -> impl Iterator<Item = u32> + 'a {
    let is_subject = |kind: &ParameterType| match kind {
        ParameterType::Entity(SUBJECT_TYPES) => true,
        ParameterType::Entity(kind) => schema.type_info(*kind).is_some_and(|info| info.sort == TypeSort::Subject),
        _ => false,
    };
    info.parameters.iter().zip(0..).filter(move |(kind, _)| is_subject(kind)).map(|(_, place)| place)
}
