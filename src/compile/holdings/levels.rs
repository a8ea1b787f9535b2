//! The levels that a binding sets, resolved on every governor: an override only narrows.

use crate::compile::findings::Findings;
use crate::compile::intern::Runs;
use crate::compile::layout::{NONE, role_levels};
use crate::compile::roles::RoleInfo;
use crate::compile::schema::Schema;
use crate::model::Binding;

/// The number of a binding's set of levels, [`NONE`] for "the lowest everywhere".
///
/// On a governor counts the smallest level of itself and everything above it; one that is not set takes its parent's, and
/// a root that is not set the lowest. A wider override is an error, and would be clamped all the same.
pub(super) fn of_binding(
    binding: &Binding,
    role: Option<&RoleInfo<'_>>,
    schema: &Schema<'_>,
    sets: &mut Runs<u8>,
    findings: &mut Findings,
) -> u32 {
    if binding.levels.is_empty() {
        return NONE;
    }
    let whose = super::whose(binding);
    if role.is_some_and(|role| role.levels.0 != role_levels::PER_BINDING) {
        findings.error_with_help(
            binding.levels.first().map_or(binding.position, |(path, _)| path.at),
            format!("{whose} sets levels, but that role takes none"),
            "only a role with `levels: per_binding` takes them; remove them",
        );
        return NONE;
    }
    let set = stated(binding, &whose, schema, findings);
    let mut without: Vec<u8> = Vec::with_capacity(set.len());
    let mut effective: Vec<u8> = Vec::with_capacity(set.len());
    // Governors stand in path order: a parent is resolved before its children.
    for (governor, stated) in schema.governors.iter().zip(&set) {
        let above = governor.parent.and_then(|parent| Some((*without.get(parent)?, *effective.get(parent)?)));
        let (root, limit) = above.unwrap_or((stated.unwrap_or(0), stated.unwrap_or(0)));
        let wanted = stated.unwrap_or(limit);
        if wanted > limit {
            let parent =
                governor.parent.and_then(|parent| schema.governors.get(parent)).map_or("?", |parent| parent.path);
            let at = binding
                .levels
                .iter()
                .find(|(path, _)| path.value == governor.path)
                .map_or(binding.position, |(_, level)| level.at);
            findings.error_with_help(
                at,
                format!(
                    "{whose}: `{}` is set to `{}`, but `{parent}` above it is `{}`",
                    governor.path,
                    schema.level_name(wanted),
                    schema.level_name(limit)
                ),
                "an override only narrows: raise the level above it, or lower this one",
            );
        }
        without.push(root);
        effective.push(wanted.min(limit));
    }
    let width = without.len().saturating_mul(2).max(1);
    without.append(&mut effective);
    sets.intern(without).0 / u32::try_from(width).unwrap_or(u32::MAX)
}

/// What the binding says, by governor.
fn stated(binding: &Binding, whose: &str, schema: &Schema<'_>, findings: &mut Findings) -> Vec<Option<u8>> {
    let mut set = vec![None; schema.governors.len()];
    for (path, level) in &binding.levels {
        let place = schema.governor(&path.value).and_then(|governor| set.get_mut(usize::try_from(governor).ok()?));
        let Some(place) = place else {
            findings.error(path.at, format!("{whose}: `{}` is no governor", path.value));
            continue;
        };
        *place = schema.level(&level.value);
        if place.is_none() {
            let message = format!("{whose}: `{}` of `{}` is no level", level.value, path.value);
            findings.error_with_help(level.at, message, schema.levels_help());
        }
    }
    set
}
