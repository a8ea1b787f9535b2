//! Groups: who is in which, flattened, so that a decision never walks from group to group.
//!
//! A subject's memberships name every group that it is in, itself or through other groups, with `all(type)` and
//! `members_of(scope)`. What a group holds is none of this module's business.

mod flatten;
mod nesting;

use std::collections::HashMap;

use crate::model::{BindingHolder, EntityName, Facts, Policy, Position, Spanned, order};

use super::entities::Entities;
use super::findings::Findings;
use super::layout::{BindingRecord, MembershipRecord, NONE, membership_flags};
use super::schema::{Schema, TypeSort};

/// The name of the language's own group type of everybody of a subject type.
const ALL: &str = "all";
/// The name of the language's own group type of everybody with a role on a scope.
const MEMBERS_OF: &str = "members_of";
/// The most groups that one subject is in (DESIGN section 2, "Caps").
const MOST_GROUPS: usize = 1_000;
/// The most memberships of all subjects together: a small source must not unfold into a large table.
const MOST_MEMBERSHIPS: usize = 1 << 26;

/// The language's own groups that the facts use.
#[derive(Debug, Default)]
pub(super) struct BuiltIn {
    /// Their types.
    pub(super) types: Vec<Spanned<String>>,
    /// The groups themselves: `all/user`, `members_of/workspace/prod`.
    pub(super) names: Vec<Spanned<EntityName>>,
}

impl BuiltIn {
    /// Those that bindings, forbids and blocks name.
    pub(super) fn used(policy: &Policy, facts: &Facts) -> Self {
        let forbidden = policy.forbids.iter().flat_map(|forbid| &forbid.subjects);
        let blocked = facts.blocks.iter().filter_map(|block| block.subject.as_ref());
        let bound = facts.bindings.iter().map(|binding| &binding.subject);
        let named = bound.chain(forbidden).chain(blocked);
        let mut names: Vec<Spanned<EntityName>> =
            named.filter_map(|holder| Some(Spanned::new(entity_of(&holder.value)?, holder.at))).collect();
        order::by(&mut names, |a, b| (&a.value, a.at).cmp(&(&b.value, b.at)));
        names.dedup_by(|later, earlier| later.value == earlier.value);
        let mut types: Vec<Spanned<String>> =
            names.iter().map(|name| Spanned::new(name.value.kind.clone(), Position::default())).collect();
        types.dedup();
        Self { types, names }
    }

    /// The scope whose members a group is.
    pub(super) fn scope_of(name: &EntityName) -> Option<EntityName> {
        if name.kind == MEMBERS_OF { EntityName::parse(&name.id) } else { None }
    }
}

/// The name under which a holder of the language's own is an entity.
fn entity_of(holder: &BindingHolder) -> Option<EntityName> {
    match holder {
        BindingHolder::One(_) => None,
        BindingHolder::AllOf(kind) => Some(EntityName { kind: ALL.to_owned(), id: kind.clone() }),
        BindingHolder::MembersOf(scope) => Some(EntityName { kind: MEMBERS_OF.to_owned(), id: scope.to_string() }),
    }
}

/// The number of a holder, or an error that names it. `whose` begins the sentence.
pub(super) fn expect_holder(
    holder: &Spanned<BindingHolder>,
    schema: &Schema<'_>,
    entities: &Entities<'_>,
    whose: &str,
    findings: &mut Findings,
) -> Option<u32> {
    let problem = match &holder.value {
        BindingHolder::One(name) => {
            let name = Spanned::new(name.clone(), holder.at);
            let found = entities.expect(schema, &name, whose, findings)?;
            match entities.sort(schema, found) {
                Some(TypeSort::BuiltIn) => format!("`{}` is written `{}(...)`", name.value, name.value.kind),
                Some(TypeSort::Resource) => format!("`{}` is a resource: nobody asks in its name", name.value),
                _ => return Some(found),
            }
        }
        BindingHolder::AllOf(kind) => match schema.type_number(kind).and_then(|number| schema.sort(number)) {
            Some(TypeSort::Subject) => return entities.number(schema, &entity_of(&holder.value)?),
            _ => format!("`{kind}` is no subject type of this policy"),
        },
        BindingHolder::MembersOf(scope) => {
            let found = entities.expect(schema, &Spanned::new(scope.clone(), holder.at), whose, findings)?;
            match entities.sort(schema, found) {
                Some(TypeSort::Resource) => return entities.number(schema, &entity_of(&holder.value)?),
                _ => format!("`{scope}` is no scope on which a role is held"),
            }
        }
    };
    findings.error(holder.at, format!("{whose}: {problem}"));
    None
}

/// The memberships of a snapshot, by subject, then group.
#[derive(Debug, Default)]
pub(super) struct Memberships {
    pairs: Vec<(u32, MembershipRecord)>,
}

impl Memberships {
    /// Who is in which group and in `all(type)`: everything that does not rest on bindings.
    pub(super) fn resolve(
        policy: &Policy,
        facts: &Facts,
        schema: &Schema<'_>,
        entities: &Entities<'_>,
        findings: &mut Findings,
    ) -> Self {
        let mut own = Self { pairs: flatten::regular(policy, facts, schema, entities, findings) };
        for (info, group) in entities.list.iter().zip(0_u32..) {
            if schema.sort(info.kind) != Some(TypeSort::BuiltIn) || schema.type_name(info.kind) != ALL {
                continue;
            }
            let kind = schema.type_number(info.id);
            let record = MembershipRecord {
                group: group.into(),
                flags: (membership_flags::LIVE | membership_flags::ALL).into(),
            };
            let all = entities.list.iter().zip(0_u32..).filter(|(info, _)| Some(info.kind) == kind);
            own.pairs.extend(all.map(|(_, subject)| (subject, record)));
        }
        own.finish(schema, entities, findings);
        own
    }

    /// Adds who is in `members_of(scope)`: whoever holds something at exactly that scope, itself or through a group of
    /// the facts, in force or not. `always` says of a binding that it is in force for everybody at any time.
    pub(super) fn add_members_of(
        &mut self,
        held: &[(u32, BindingRecord, Position)],
        always: impl Fn(&BindingRecord) -> bool,
        schema: &Schema<'_>,
        entities: &Entities<'_>,
        findings: &mut Findings,
    ) {
        let numbered = entities.list.iter().zip(0_u32..);
        let scopes: HashMap<u32, u32> = numbered
            .filter(|(info, _)| schema.sort(info.kind) == Some(TypeSort::BuiltIn) && info.parent != NONE)
            .map(|(info, group)| (info.parent, group))
            .collect();
        if scopes.is_empty() {
            return;
        }
        let by_group = self.by_group();
        let mut added = Vec::new();
        // Several roles of one holder on one scope make its members be there once: in force if one of them always is.
        for here in held.chunk_by(|a, b| (a.0, a.1.scope) == (b.0, b.1.scope)) {
            let Some((holder, binding, _)) = here.first() else { continue };
            let Some(group) = scopes.get(&binding.scope.get()) else { continue };
            let always = here.iter().any(|(_, binding, _)| always(binding));
            let record = |live: bool| {
                let live = if live && always { membership_flags::LIVE } else { 0 };
                MembershipRecord { group: (*group).into(), flags: (membership_flags::MEMBERS_OF | live).into() }
            };
            match entities.sort(schema, *holder) {
                Some(TypeSort::BuiltIn) => {}
                Some(TypeSort::Group) => {
                    let members = by_group.members(*holder);
                    added.extend(members.iter().map(|(_, subject, live)| (*subject, record(*live))));
                }
                _ => added.push((*holder, record(true))),
            }
            if added.len() > MOST_MEMBERSHIPS {
                // Who is left out here would hold less than the facts say, and escape what is checked of members.
                too_many_in_all(findings);
                return;
            }
        }
        self.pairs.append(&mut added);
        self.finish(schema, entities, findings);
    }

    /// The groups of a subject.
    pub(super) fn of(&self, subject: u32) -> impl Iterator<Item = &MembershipRecord> {
        let start = self.pairs.partition_point(|(own, _)| *own < subject);
        let rest = self.pairs.get(start..).unwrap_or_default();
        rest.iter().take_while(move |(own, _)| *own == subject).map(|(_, record)| record)
    }

    /// All of them, by subject, then group.
    pub(super) fn all(&self) -> &[(u32, MembershipRecord)] {
        &self.pairs
    }

    /// The same, by group.
    pub(super) fn by_group(&self) -> Members {
        let mut list: Vec<(u32, u32, bool)> = self
            .pairs
            .iter()
            .map(|(subject, record)| (record.group.get(), *subject, record.flags.get() & membership_flags::LIVE != 0))
            .collect();
        list.sort_unstable();
        Members { list }
    }

    /// Puts everything in order and holds it against the caps.
    fn finish(&mut self, schema: &Schema<'_>, entities: &Entities<'_>, findings: &mut Findings) {
        self.pairs.sort_unstable_by_key(|(subject, record)| (*subject, record.group.get()));
        self.pairs.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0 && later.1.group == earlier.1.group;
            if same {
                earlier.1.flags = (earlier.1.flags.get() | later.1.flags.get()).into();
            }
            same
        });
        for mine in self.pairs.chunk_by(|a, b| a.0 == b.0) {
            if let (true, Some((subject, _))) = (mine.len() > MOST_GROUPS, mine.first()) {
                too_many(*subject, schema, entities, findings);
            }
        }
        if self.pairs.len() > MOST_MEMBERSHIPS {
            too_many_in_all(findings);
        }
    }
}

/// Who is in a group: group, subject, and whether the membership is live at any time.
#[derive(Debug)]
pub(super) struct Members {
    list: Vec<(u32, u32, bool)>,
}

impl Members {
    /// The members of one group.
    pub(super) fn members(&self, group: u32) -> &[(u32, u32, bool)] {
        let start = self.list.partition_point(|(own, ..)| *own < group);
        let end = self.list.partition_point(|(own, ..)| *own <= group);
        self.list.get(start..end).unwrap_or_default()
    }
}

fn too_many(subject: u32, schema: &Schema<'_>, entities: &Entities<'_>, findings: &mut Findings) {
    let message = format!("`{}` is in more than {MOST_GROUPS} groups", entities.name(schema, subject));
    findings.error(entities.position(subject), message);
}

fn too_many_in_all(findings: &mut Findings) {
    let message = format!("the groups of this snapshot have more than {MOST_MEMBERSHIPS} members in all");
    findings.error(Position::default(), message);
}
