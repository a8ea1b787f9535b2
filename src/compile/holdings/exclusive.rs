//! Roles of which a subject holds at most one on a scope, itself or through groups. Lifetimes and switches do not count:
//! what may come into force later is a conflict now.

use std::collections::HashMap;

use crate::compile::findings::Findings;
use crate::compile::roles::ExclusiveInfo;
use crate::compile::schema::TypeSort;
use crate::model::{Position, order};

use super::Stage;
use super::expanded::{Expanded, Held};

/// Reports every holder that holds two roles of one set on one scope.
pub(super) fn check(stage: &Stage<'_, '_>, expanded: &Expanded<'_>, findings: &mut Findings) {
    for set in &stage.roles.exclusives {
        let members = stage.roles.listed(set.roles);
        let counts = |(_, record, _): &&Held| {
            members.binary_search(&record.role.get()).is_ok()
                && stage.entities.info(record.scope.get()).is_some_and(|scope| set.at.contains(&scope.kind))
        };
        let mut held: Vec<Claim> = expanded
            .list
            .iter()
            .filter(counts)
            .map(|(holder, record, at)| Claim {
                scope: record.scope.get(),
                holder: *holder,
                role: record.role.get(),
                at: *at,
            })
            .collect();
        held.sort_by_key(|claim| (claim.scope, claim.holder, claim.role));
        held.dedup_by_key(|claim| (claim.scope, claim.holder, claim.role));
        for mine in held.chunk_by(|a, b| (a.scope, a.holder) == (b.scope, b.holder)) {
            if let [first, second, ..] = mine {
                report(set, first.holder, mine, second.at, stage, findings);
            }
        }
        if !expanded.is_plain() {
            through_groups(set, &held, stage, expanded, findings);
        }
    }
}

/// A role of the set that somebody holds on a scope.
#[derive(Clone, Copy)]
struct Claim {
    scope: u32,
    holder: u32,
    role: u32,
    at: Position,
}

/// Conflicts between what a subject holds itself and what its groups hold. Only scopes on which two different roles are
/// held at all are looked at; whether two groups share a member is found out once.
fn through_groups(
    set: &ExclusiveInfo<'_>,
    held: &[Claim],
    stage: &Stage<'_, '_>,
    expanded: &Expanded<'_>,
    findings: &mut Findings,
) {
    let mut shared: HashMap<(u32, u32), Option<u32>> = HashMap::new();
    for here in held.chunk_by(|a, b| a.scope == b.scope) {
        if here.iter().all(|claim| Some(claim.role) == here.first().map(|first| first.role)) {
            continue;
        }
        let is_subject = |claim: &&Claim| stage.entities.sort(stage.schema, claim.holder) == Some(TypeSort::Subject);
        let (own, groups): (Vec<&Claim>, Vec<&Claim>) = here.iter().partition(is_subject);
        for mine in &own {
            let around = expanded.groups(mine.holder).filter_map(|membership| {
                let start = groups.partition_point(|claim| claim.holder < membership.group.get());
                let rest = groups.get(start..)?;
                let mut theirs = rest.iter().take_while(|claim| claim.holder == membership.group.get());
                theirs.find(|claim| claim.role != mine.role)
            });
            if let Some(other) = around.into_iter().next() {
                report(set, mine.holder, &[**mine, **other], mine.at, stage, findings);
            }
        }
        for (place, one) in groups.iter().enumerate() {
            for other in groups.iter().skip(place + 1) {
                if one.role == other.role || one.holder == other.holder {
                    continue;
                }
                let pair = (one.holder, other.holder);
                let subject = shared.entry(pair).or_insert_with(|| expanded.in_both(pair.0, pair.1));
                if let Some(subject) = subject {
                    report(set, *subject, &[**one, **other], other.at, stage, findings);
                }
            }
        }
    }
}

fn report(
    set: &ExclusiveInfo<'_>,
    holder: u32,
    claims: &[Claim],
    at: Position,
    stage: &Stage<'_, '_>,
    findings: &mut Findings,
) {
    let mut claims: Vec<&Claim> = claims.iter().collect();
    order::by_key(&mut claims, |claim| claim.role);
    let names: Vec<String> = claims
        .iter()
        .filter_map(|claim| Some((claim, stage.roles.info(claim.role)?)))
        .map(|(claim, role)| {
            if claim.holder == holder {
                return format!("`{}`", role.name);
            }
            format!("`{}` (through `{}`)", role.name, stage.entities.holder_name(stage.schema, claim.holder))
        })
        .collect();
    let scope = claims.first().map_or_else(String::new, |claim| stage.entities.name(stage.schema, claim.scope));
    findings.error_with_help(
        at,
        format!(
            "`{}` holds {} on `{scope}`: of `{}` only one is held on a scope",
            stage.entities.holder_name(stage.schema, holder),
            names.join(" and "),
            set.name
        ),
        "remove all but one of these bindings",
    );
}
