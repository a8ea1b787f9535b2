//! Forbids of the policy and blocks among the facts. Nothing overrides one.

use crate::model::{BindingHolder, Block, EntityName, Facts, Forbid, Grants, Policy, Spanned, order};

use super::condition::{Conditions, Lowering};
use super::findings::Findings;
use super::groups::expect_holder;
use super::holdings::intern_terms;
use super::intern::Runs;
use super::layout::{ForbidRecord, NONE, TargetedForbidRecord, TermsRecord};
use super::schema::OperationsOf;

/// The forbids of a snapshot.
#[derive(Debug, Default)]
pub(super) struct Forbids {
    /// In the order of their rule ids.
    pub(super) list: Vec<ForbidInfo>,
    /// Lifetimes.
    pub(super) terms: Runs<TermsRecord>,
}

/// One forbid, for the permissions that share one program.
#[derive(Debug)]
pub(super) struct ForbidInfo {
    /// Its whole rule id.
    pub(super) id: String,
    /// The program, or [`NONE`].
    pub(super) when: u32,
    /// The lifetime, or [`NONE`].
    pub(super) terms: u32,
    /// What it takes.
    pub(super) permissions: Vec<u32>,
    /// Whom it binds; empty for everybody.
    pub(super) subjects: Vec<u32>,
    /// Where it holds; empty for everywhere.
    pub(super) scopes: Vec<u32>,
}

impl Forbids {
    /// Resolves both kinds.
    pub(super) fn resolve(
        policy: &Policy,
        facts: &Facts,
        lowering: &mut Lowering<'_, '_>,
        conditions: &mut Conditions,
        findings: &mut Findings,
    ) -> Self {
        let mut forbids = Self::default();
        duplicates(policy.forbids.iter().map(|forbid| &forbid.id), "forbid", findings);
        duplicates(facts.blocks.iter().map(|block| &block.id), "block", findings);
        for forbid in &policy.forbids {
            forbids.add_forbid(forbid, lowering, conditions, findings);
        }
        // Lifetimes are numbered in this order: it must not depend on the order of the source.
        let mut blocks: Vec<&Block> = facts.blocks.iter().collect();
        order::by(&mut blocks, |a, b| a.id.value.cmp(&b.id.value));
        for block in blocks {
            forbids.add_block(block, lowering, findings);
        }
        order::by(&mut forbids.list, |a, b| (&a.id, a.when).cmp(&(&b.id, b.when)));
        forbids
    }

    fn add_forbid(
        &mut self,
        forbid: &Forbid,
        lowering: &mut Lowering<'_, '_>,
        conditions: &mut Conditions,
        findings: &mut Findings,
    ) {
        let label = format!("forbid `{}`", forbid.id.value);
        let permissions = taken(&forbid.on, &forbid.except, &forbid.grants, &label, lowering, findings);
        let subjects = bound(forbid.subjects.iter(), &label, lowering, findings);
        let scopes = scopes(forbid.scopes.iter(), &label, lowering, findings);
        let programs = match &forbid.when {
            None => vec![NONE; permissions.len()],
            Some(text) => {
                let programs = lowering.condition(text, &permissions, conditions, findings);
                if !programs.is_empty() {
                    warn_of_absence(text, &permissions, &label, lowering, findings);
                }
                programs
            }
        };
        let terms = intern_terms(&forbid.lifetime, 0, NONE, NONE, &mut self.terms);
        let mut guarded: Vec<(u32, u32)> = programs.into_iter().zip(permissions).collect();
        order::natural(&mut guarded);
        for group in guarded.chunk_by(|a, b| a.0 == b.0) {
            self.list.push(ForbidInfo {
                id: format!("forbids/{}", forbid.id.value),
                when: group.first().map_or(NONE, |(when, _)| *when),
                terms,
                permissions: group.iter().map(|(_, permission)| *permission).collect(),
                subjects: subjects.clone(),
                scopes: scopes.clone(),
            });
        }
    }

    fn add_block(&mut self, block: &Block, lowering: &Lowering<'_, '_>, findings: &mut Findings) {
        let label = format!("block `{}`", block.id.value);
        let permissions = taken(&block.on, &[], &block.grants, &label, lowering, findings);
        let subjects = bound(block.subject.iter(), &label, lowering, findings);
        let scopes = scopes(block.at.iter(), &label, lowering, findings);
        let terms = intern_terms(&block.lifetime, 0, NONE, NONE, &mut self.terms);
        self.list.push(ForbidInfo {
            id: format!("blocks/{}", block.id.value),
            when: NONE,
            terms,
            permissions,
            subjects,
            scopes,
        });
    }

    /// The records that bind somebody or hold somewhere, in look-up order.
    pub(super) fn targeted(&self) -> Vec<TargetedForbidRecord> {
        let mut records = Vec::new();
        for (info, forbid) in self.list.iter().zip(0_u32..) {
            if info.subjects.is_empty() && info.scopes.is_empty() {
                continue;
            }
            for holder in or_none(&info.subjects) {
                for scope in or_none(&info.scopes) {
                    records.push(TargetedForbidRecord {
                        holder: holder.into(),
                        scope: scope.into(),
                        forbid: forbid.into(),
                    });
                }
            }
        }
        order::by_key(&mut records, |record| (record.holder.get(), record.scope.get(), record.forbid.get()));
        records
    }

    /// For one permission, the forbids that bind everybody everywhere.
    pub(super) fn general(&self, permission: u32) -> impl Iterator<Item = u32> + '_ {
        let numbered = self.list.iter().zip(0..);
        let general = numbered.filter(|(info, _)| info.subjects.is_empty() && info.scopes.is_empty());
        general.filter(move |(info, _)| info.permissions.binary_search(&permission).is_ok()).map(|(_, forbid)| forbid)
    }

    /// The forbids as records; terms and permission sets are numbered by the writer.
    pub(super) fn record(info: &ForbidInfo, id: u32, permissions: u32) -> ForbidRecord {
        ForbidRecord {
            id: id.into(),
            when: info.when.into(),
            terms: info.terms.into(),
            permissions: permissions.into(),
        }
    }
}

/// Whom a forbid binds. Groups bind all their members, live or not; who is in `members_of(...)` changes with time.
fn bound<'a>(
    names: impl Iterator<Item = &'a Spanned<BindingHolder>>,
    label: &str,
    lowering: &Lowering<'_, '_>,
    findings: &mut Findings,
) -> Vec<u32> {
    let mut found = Vec::new();
    for holder in names {
        if matches!(holder.value, BindingHolder::MembersOf(_)) {
            let message = format!("{label}: `{}` cannot be forbidden anything", holder.value);
            findings.error_with_help(holder.at, message, "who that is changes with time: name subjects or groups");
            continue;
        }
        found.extend(expect_holder(holder, lowering.schema, lowering.entities, label, findings));
    }
    found
}

fn scopes<'a>(
    names: impl Iterator<Item = &'a Spanned<EntityName>>,
    label: &str,
    lowering: &Lowering<'_, '_>,
    findings: &mut Findings,
) -> Vec<u32> {
    names.filter_map(|name| lowering.entities.expect(lowering.schema, name, label, findings)).collect()
}

fn or_none(list: &[u32]) -> Vec<u32> {
    if list.is_empty() { vec![NONE] } else { list.to_vec() }
}

fn duplicates<'a>(ids: impl Iterator<Item = &'a Spanned<String>>, what: &str, findings: &mut Findings) {
    let mut seen = std::collections::HashSet::new();
    for id in ids {
        if !seen.insert(id.value.as_str()) {
            findings.error(id.at, format!("{what} `{}` is declared twice", id.value));
        }
    }
}

fn taken(
    on: &[Spanned<String>],
    except: &[Spanned<String>],
    grants: &Grants,
    label: &str,
    lowering: &Lowering<'_, '_>,
    findings: &mut Findings,
) -> Vec<u32> {
    let types = lowering.schema.types_of(on, except, findings);
    lowering.schema.select(&types, grants, OperationsOf::Own, label, findings)
}

fn warn_of_absence(
    text: &Spanned<String>,
    permissions: &[u32],
    label: &str,
    lowering: &Lowering<'_, '_>,
    findings: &mut Findings,
) {
    let absent = lowering.may_be_absent(text, permissions);
    if !absent.is_empty() {
        let message =
            format!("{label} reads `{}`, which may be absent: every request without it is denied", absent.join("`, `"));
        findings.warning(
            text.at,
            message,
            "give the attribute a `default`, or ask `has(…)` first, if that is not meant",
        );
    }
}
