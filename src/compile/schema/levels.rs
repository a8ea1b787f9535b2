//! The ladder of levels, the tree of governors, and which level each action needs on which governor.

use std::collections::HashMap;

use crate::compile::findings::Findings;
use crate::compile::intern::number;
use crate::model::{GovernedBy, Policy, Spanned, order};

use super::{GovernorInfo, GovernorSource, Kind, Schema};

/// The most levels: a level is stored in a byte, and a ladder that long is a mistake.
const MOST_LEVELS: usize = 32;

/// Resolves the ladder and the governors.
pub(super) fn resolve<'p>(policy: &'p Policy, schema: &mut Schema<'p>, findings: &mut Findings) {
    for level in &policy.levels {
        if schema.levels.contains(&level.value.as_str()) {
            findings.error(level.at, format!("level `{}` is listed twice", level.value));
        }
        if schema.levels.len() == MOST_LEVELS {
            findings.error(level.at, format!("there are more than {MOST_LEVELS} levels"));
        }
        schema.levels.push(&level.value);
    }
    let mut declared: Vec<&Spanned<String>> = policy.governors.iter().collect();
    order::by(&mut declared, |a, b| a.value.cmp(&b.value));
    let places: HashMap<&str, usize> = declared.iter().map(|name| name.value.as_str()).zip(0..).collect();
    for (earlier, later) in declared.iter().zip(declared.iter().skip(1)) {
        if earlier.value == later.value {
            findings.error(later.at, format!("governor `{}` is declared twice", later.value));
        }
    }
    for name in declared {
        let above = name.value.rsplit_once('/').map(|(above, _)| above);
        let parent = above.and_then(|above| places.get(above).copied());
        if above.is_some() && parent.is_none() {
            findings.error(name.at, format!("governor `{}` stands under nothing that is declared", name.value));
        }
        schema.governors.push(GovernorInfo { path: &name.value, parent });
    }
}

/// Gives every action its level and what that is read on.
pub(super) fn of_permissions(policy: &Policy, schema: &mut Schema<'_>, findings: &mut Findings) {
    let resolved: Vec<(u8, GovernorSource)> =
        schema.permissions.iter().map(|info| needed(info, policy, schema, findings)).collect();
    for (info, (level, governor)) in schema.permissions.iter_mut().zip(resolved) {
        info.level = level;
        info.level_governor = governor;
    }
    check_governed_types(policy, schema, findings);
}

/// A misspelt governor is told also where no action needs a level yet.
fn check_governed_types(policy: &Policy, schema: &Schema<'_>, findings: &mut Findings) {
    for declared in &policy.types {
        match &declared.governed_by {
            Some(GovernedBy::Node(path)) if schema.governor(&path.value).is_none() => {
                findings.error(path.at, format!("`{}` is no governor", path.value));
            }
            Some(GovernedBy::Attribute(name)) if !declared.is_virtual => {
                let owner = schema.type_number(&declared.name.value);
                owner.and_then(|owner| attribute_source(owner, name, schema, findings));
            }
            _ => {}
        }
    }
}

fn needed(
    info: &super::PermissionInfo<'_>,
    policy: &Policy,
    schema: &Schema<'_>,
    findings: &mut Findings,
) -> (u8, GovernorSource) {
    let Some(name) = &info.action.level else { return (0, GovernorSource::Nothing) };
    let Some(level) = schema.level(&name.value) else {
        findings.error_with_help(name.at, format!("`{}` is no level", name.value), schema.levels_help());
        return (0, GovernorSource::Nothing);
    };
    let governing = schema.type_name(info.governor);
    let declared = policy.types.iter().find(|declared| declared.name.value == governing);
    let governor = match declared.and_then(|declared| declared.governed_by.as_ref()) {
        // A path that is no governor is told where the type is looked at.
        Some(GovernedBy::Node(path)) => schema.governor(&path.value).map(GovernorSource::Node),
        Some(GovernedBy::Attribute(attribute)) => attribute_source(info.owner, attribute, schema, findings),
        None => {
            let action = &info.action.name.value;
            findings.error_with_help(
                name.at,
                format!("action `{action}` needs a level, but type `{governing}` is governed by nothing"),
                "give the type `governed_by: <governor>`",
            );
            None
        }
    };
    (level, governor.unwrap_or(GovernorSource::Nothing))
}

fn attribute_source(
    owner: u16,
    name: &Spanned<String>,
    schema: &Schema<'_>,
    findings: &mut Findings,
) -> Option<GovernorSource> {
    let number = schema.attribute(owner, &name.value);
    let fits = number.filter(|n| schema.attribute_info(*n).is_some_and(|info| info.kind == Kind::Governor));
    if fits.is_none() {
        let message = format!("type `{}` has no attribute `{}` of type governor", schema.type_name(owner), name.value);
        findings.error(name.at, message);
    }
    fits.map(GovernorSource::Attribute)
}

impl Schema<'_> {
    /// A level as a step of the ladder.
    pub(in crate::compile) fn level(&self, name: &str) -> Option<u8> {
        self.levels.iter().position(|known| *known == name).and_then(|at| u8::try_from(at).ok())
    }

    /// A level's name.
    pub(in crate::compile) fn level_name(&self, level: u8) -> &str {
        self.levels.get(usize::from(level)).copied().unwrap_or("?")
    }

    /// The ladder, for an error about a level that is not on it.
    pub(in crate::compile) fn levels_help(&self) -> String {
        match self.levels.as_slice() {
            [] => "this policy declares no levels".to_owned(),
            levels => format!("the levels are {}", levels.join(", ")),
        }
    }

    /// A governor by its path.
    pub(in crate::compile) fn governor(&self, path: &str) -> Option<u32> {
        self.governors.binary_search_by(|info| info.path.cmp(path)).ok().map(number)
    }
}
