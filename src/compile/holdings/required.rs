//! Raise-only roles: whoever holds one, itself or through a group, must hold what it requires and nothing that it rules
//! out. Lifetimes do not count; what is disabled does not help, and rules out all the same.

use std::collections::HashMap;

use crate::compile::findings::Findings;
use crate::compile::layout::{NONE, TermsRecord, membership_flags, terms_flags};
use crate::compile::requirements::RequirementInfo;
use crate::compile::schema::TypeSort;

use super::Stage;
use super::expanded::{Expanded, Held};

/// Reports every binding whose holder, or a member of it, does not meet what the role requires.
pub(super) fn check(stage: &Stage<'_, '_>, expanded: &Expanded<'_>, terms: &[TermsRecord], findings: &mut Findings) {
    let look = Look { stage, expanded, terms };
    // Many bindings share holder, requirement and the scope that is looked at.
    let mut known: HashMap<(u32, *const RequirementInfo, u32), Option<String>> = HashMap::new();
    for (holder, record, at) in expanded.list {
        let scope = record.scope.get();
        let Some(kind) = stage.entities.info(scope).map(|info| info.kind) else { continue };
        for requirement in stage.requirements.of(record.role.get()).iter().filter(|one| one.held_at == kind) {
            let above = stage
                .entities
                .chain(scope)
                .skip(1)
                .find(|above| stage.entities.info(*above).is_some_and(|info| info.kind == requirement.on));
            let base = above.unwrap_or(NONE);
            let problem = known
                .entry((*holder, std::ptr::from_ref(requirement), base))
                .or_insert_with(|| look.problem(*holder, requirement, above));
            if let Some(problem) = problem {
                let message = format!(
                    "binding of `{}` to role `{}` at `{}`: {problem}",
                    stage.entities.holder_name(stage.schema, *holder),
                    stage.roles.info(record.role.get()).map_or("?", |role| role.name),
                    stage.entities.name(stage.schema, scope),
                );
                findings.error(*at, message);
            }
        }
    }
}

struct Look<'a, 'p> {
    stage: &'a Stage<'a, 'p>,
    expanded: &'a Expanded<'a>,
    terms: &'a [TermsRecord],
}

impl Look<'_, '_> {
    /// What is wrong with the first subject that has the role through this holder.
    fn problem(&self, holder: u32, requirement: &RequirementInfo, above: Option<u32>) -> Option<String> {
        if self.stage.entities.sort(self.stage.schema, holder) == Some(TypeSort::Subject) {
            return self.subject(holder, requirement, above);
        }
        self.expanded.members(holder).find_map(|subject| self.subject(subject, requirement, above))
    }

    fn subject(&self, subject: u32, requirement: &RequirementInfo, above: Option<u32>) -> Option<String> {
        let name = |entity: u32| self.stage.entities.name(self.stage.schema, entity);
        if !requirement.has.is_empty() && !above.is_some_and(|above| self.has(subject, requirement, above)) {
            let scope = match above {
                Some(above) => format!("`{}`", name(above)),
                None => format!("a `{}` above it", self.stage.schema.type_name(requirement.on)),
            };
            return Some(format!("`{}` holds none of {} on {scope}", name(subject), requirement.has_text));
        }
        let nodes = above.into_iter().flat_map(|above| self.stage.entities.chain(above));
        for node in nodes.filter(|_| !requirement.has_no.is_empty()) {
            let through = self.expanded.groups(subject).map(|membership| membership.group.get());
            for holder in std::iter::once(subject).chain(through) {
                let held = self.expanded.at(holder, node).iter();
                let ruled_out = held.map(|(_, record, _)| record.role.get());
                let Some(role) = ruled_out.into_iter().find(|role| requirement.has_no.binary_search(role).is_ok())
                else {
                    continue;
                };
                let role = self.stage.roles.info(role).map_or("?", |role| role.name);
                let via = if holder == subject {
                    String::new()
                } else {
                    format!(" (through `{}`)", self.stage.entities.holder_name(self.stage.schema, holder))
                };
                return Some(format!(
                    "`{}` holds `{role}`{via} on `{}`, which rules it out",
                    name(subject),
                    name(node)
                ));
            }
        }
        None
    }

    /// Whether a subject holds one of the bases, itself, through a live group or through `all(...)`.
    fn has(&self, subject: u32, requirement: &RequirementInfo, above: u32) -> bool {
        let through = self.expanded.groups(subject).filter(|membership| {
            let flags = membership.flags.get();
            flags & membership_flags::LIVE != 0 && flags & membership_flags::MEMBERS_OF == 0
        });
        let mut holders = std::iter::once(subject).chain(through.map(|membership| membership.group.get()));
        holders.any(|holder| {
            let mut held = self.expanded.at(holder, above).iter();
            held.any(|held| requirement.has.binary_search(&held.1.role.get()).is_ok() && self.is_enabled(held))
        })
    }

    fn is_enabled(&self, (_, record, _): &Held) -> bool {
        let terms = usize::try_from(record.terms.get()).ok().and_then(|terms| self.terms.get(terms));
        terms.is_none_or(|terms| terms.flags.get() & terms_flags::DISABLED == 0)
    }
}
