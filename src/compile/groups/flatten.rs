//! The groups of the facts, checked and flattened: each subject with every group around it.

use std::collections::HashMap;

use crate::compile::entities::Entities;
use crate::compile::findings::Findings;
use crate::compile::intern::number;
use crate::compile::layout::{MembershipRecord, entity_flags, membership_flags};
use crate::compile::schema::{Schema, TypeSort};
use crate::model::{EntityName, Facts, Group, Policy, Spanned, order};

use super::nesting::Nesting;
use super::{MOST_GROUPS, MOST_MEMBERSHIPS, too_many, too_many_in_all};

/// Subjects and their groups, in no order.
pub(super) fn regular(
    policy: &Policy,
    facts: &Facts,
    schema: &Schema<'_>,
    entities: &Entities<'_>,
    findings: &mut Findings,
) -> Vec<(u32, MembershipRecord)> {
    let allowed = allowed_members(policy, schema, findings);
    let before = findings.errors();
    let graph = Graph::read(facts, &allowed, schema, entities, findings);
    let Some(order) = graph.nesting.order(findings) else { return Vec::new() };
    if findings.errors() > before {
        return Vec::new();
    }
    let around = graph.around(&order);
    let pairs = around.as_ref().map(|around| graph.flatten(around, schema, entities, findings));
    pairs.filter(|pairs| pairs.len() <= MOST_MEMBERSHIPS).unwrap_or_else(|| {
        too_many_in_all(findings);
        Vec::new()
    })
}

/// The types of members, by group type.
fn allowed_members(policy: &Policy, schema: &Schema<'_>, findings: &mut Findings) -> HashMap<u16, Vec<u16>> {
    let mut allowed = HashMap::new();
    for group in &policy.group_types {
        let mut types = Vec::new();
        for member in &group.members {
            let number = schema.type_number(&member.value);
            if let (Some(number), Some(TypeSort::Subject | TypeSort::Group)) =
                (number, number.and_then(|number| schema.sort(number)))
            {
                types.push(number);
                continue;
            }
            let message =
                format!("group type `{}`: `{}` is no subject type and no group type", group.name.value, member.value);
            findings.error(member.at, message);
        }
        allowed.extend(schema.type_number(&group.name.value).map(|number| (number, types)));
    }
    allowed
}

/// Who contains whom.
struct Graph<'f> {
    nesting: Nesting<'f>,
    /// The number of each group as an entity, and whether it is enabled.
    groups: Vec<(u32, bool)>,
    /// Subjects and the groups that list them, by subject.
    direct: Vec<(u32, usize)>,
}

/// For a group, the groups around it with itself, each with whether a chain of enabled groups leads there; `None` where
/// they are too many.
type Around = Option<Vec<(u32, bool)>>;

impl<'f> Graph<'f> {
    fn read(
        facts: &'f Facts,
        allowed: &HashMap<u16, Vec<u16>>,
        schema: &Schema<'_>,
        entities: &Entities<'_>,
        findings: &mut Findings,
    ) -> Self {
        let mut listed: Vec<(u32, &Group)> = Vec::new();
        for group in &facts.groups {
            listed.extend(entities.number(schema, &group.name.value).map(|number| (number, group)));
        }
        order::by_key(&mut listed, |(number, _)| *number);
        listed.dedup_by_key(|(number, _)| *number);
        let mut groups = Vec::with_capacity(listed.len());
        let mut names: Vec<&Spanned<EntityName>> = Vec::with_capacity(listed.len());
        let (mut direct, mut up) = (Vec::new(), Vec::new());
        for (place, (number, group)) in listed.iter().enumerate() {
            let Some(info) = entities.info(*number) else { continue };
            groups.push((*number, info.flags & entity_flags::DISABLED == 0));
            names.push(&group.name);
            let types = allowed.get(&info.kind).map(Vec::as_slice).unwrap_or_default();
            for member in &group.members {
                let Some(found) = member_of(group, member, types, schema, entities, findings) else { continue };
                match listed.binary_search_by_key(&found, |(number, _)| *number) {
                    Ok(inner) => up.push((inner, place)),
                    Err(_) => direct.push((found, place)),
                }
            }
        }
        order::natural(&mut direct);
        direct.dedup();
        Self { nesting: Nesting::new(names, up), groups, direct }
    }

    /// By group, what is around it; `None` where that is too much in all.
    fn around(&self, order: &[usize]) -> Option<Vec<Around>> {
        let mut union = Union::new(self.groups.len());
        let mut around: Vec<Around> = vec![None; self.groups.len()];
        let mut total = 0;
        for group in order {
            let enabled = self.groups.get(*group).is_some_and(|(_, enabled)| *enabled);
            union.begin();
            union.add(number(*group), enabled);
            for container in self.nesting.containers(*group) {
                union.add_all(around.get(container).and_then(Option::as_ref), enabled);
            }
            total += union.found.len();
            if total > MOST_MEMBERSHIPS {
                return None;
            }
            if let Some(place) = around.get_mut(*group) {
                *place = union.take();
            }
        }
        Some(around)
    }

    fn flatten(
        &self,
        around: &[Around],
        schema: &Schema<'_>,
        entities: &Entities<'_>,
        findings: &mut Findings,
    ) -> Vec<(u32, MembershipRecord)> {
        let mut union = Union::new(self.groups.len());
        let mut pairs = Vec::new();
        for mine in self.direct.chunk_by(|a, b| a.0 == b.0) {
            let Some((subject, _)) = mine.first() else { continue };
            union.begin();
            for (_, group) in mine {
                union.add_all(around.get(*group).and_then(Option::as_ref), true);
            }
            match union.take() {
                Some(all) => pairs.extend(all.iter().filter_map(|found| Some((*subject, self.record(*found)?)))),
                None => too_many(*subject, schema, entities, findings),
            }
            if pairs.len() > MOST_MEMBERSHIPS {
                break;
            }
        }
        pairs
    }

    fn record(&self, (group, live): (u32, bool)) -> Option<MembershipRecord> {
        let (number, _) = self.groups.get(usize::try_from(group).ok()?)?;
        let flags = if live { membership_flags::LIVE } else { 0 };
        Some(MembershipRecord { group: (*number).into(), flags: flags.into() })
    }
}

/// The number of a group's member, if it may be one.
fn member_of(
    group: &Group,
    member: &Spanned<EntityName>,
    types: &[u16],
    schema: &Schema<'_>,
    entities: &Entities<'_>,
    findings: &mut Findings,
) -> Option<u32> {
    let whose = format!("group `{}`", group.name.value);
    if schema.type_number(&member.value.kind).is_some_and(|kind| !types.contains(&kind)) {
        let wanted = schema.list_types(types);
        findings.error(member.at, format!("{whose}: `{}` cannot be a member: {wanted} can", member.value));
        return None;
    }
    entities.expect(schema, member, &whose, findings)
}

/// A set of groups while it grows, with no more than are allowed.
struct Union {
    found: Vec<(u32, bool)>,
    /// By group: the round in which it was last found, and its place in `found`.
    places: Vec<(usize, usize)>,
    round: usize,
    too_many: bool,
}

impl Union {
    fn new(groups: usize) -> Self {
        Self { found: Vec::new(), places: vec![(0, 0); groups], round: 0, too_many: false }
    }

    fn begin(&mut self) {
        self.found.clear();
        self.round += 1;
        self.too_many = false;
    }

    fn add(&mut self, group: u32, live: bool) {
        let place = usize::try_from(group).ok().and_then(|group| self.places.get_mut(group));
        let Some((round, place)) = place else { return };
        if *round == self.round {
            if let Some((_, known)) = self.found.get_mut(*place) {
                *known |= live;
            }
            return;
        }
        (*round, *place) = (self.round, self.found.len());
        self.found.push((group, live));
        self.too_many |= self.found.len() > MOST_GROUPS;
    }

    fn add_all(&mut self, others: Option<&Vec<(u32, bool)>>, enabled: bool) {
        let Some(others) = others else {
            self.too_many = true;
            return;
        };
        for (group, live) in others {
            if self.too_many {
                return;
            }
            self.add(*group, *live && enabled);
        }
    }

    fn take(&mut self) -> Around {
        if self.too_many { None } else { Some(self.found.clone()) }
    }
}
