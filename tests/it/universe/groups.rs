//! Group types, groups that fit them, and who may hold a role.

use sidegate::model::{Attribute, EntityName, Facts, Group, GroupType, Holder, Literal, Policy, Spanned, Supplier};

use super::facts::entity;
use super::{Draw, Feature, IDS, literal, name, names, spanned};

pub(super) const GROUP_TYPES: [&str; 2] = ["team", "crew"];

pub(super) fn types(draw: &mut Draw<'_>) -> Vec<GroupType> {
    if !Feature::Groups.is_known() {
        return Vec::new();
    }
    let crew = *draw.choose::<&[&str]>(&[&["user", "robot", "team"][..], &["team", "crew"], &["robot"]]);
    vec![
        GroupType { name: name("team"), members: names(&["user", "team"]) },
        GroupType { name: name("crew"), members: names(crew) },
    ]
}

/// Groups within groups, in whatever order; in circles only by mistake.
pub(super) fn groups(draw: &mut Draw<'_>, policy: &Policy, facts: &mut Facts) {
    for kind in &policy.group_types {
        for id in IDS.iter().take(draw.pick(4)) {
            let names = facts.subjects.iter().map(|own| &own.name).chain(facts.groups.iter().map(|own| &own.name));
            let fits = |own: &&Spanned<EntityName>| kind.members.iter().any(|kind| **kind == own.kind);
            let fitting: Vec<_> = names.clone().filter(fits).cloned().collect();
            let mut members = if fitting.is_empty() || draw.chance(10) { Vec::new() } else { draw.some(&fitting, 4) };
            if draw.slip(8) {
                let others: Vec<_> = names.cloned().chain([entity(&kind.name, id), entity("b", "a")]).collect();
                members.push(draw.choose(&others).clone());
            }
            members.dedup();
            facts.groups.push(Group { name: entity(&kind.name, id), members, disabled: draw.chance(15) });
        }
    }
    if draw.chance(50) {
        facts.groups.reverse();
    }
}

pub(super) fn holders(draw: &mut Draw<'_>, policy: &Policy) -> Vec<Holder> {
    let plain = |kind: &str| Holder { kind: name(kind), when: Vec::new() };
    if !draw.chance(25) {
        return Vec::new();
    }
    let mut holders = vec![];
    if draw.uses(Feature::Where, 40) {
        holders.push(holder_where(draw, policy));
    } else if !draw.uses(Feature::Groups, 20) {
        holders.push(plain("user"));
    }
    if draw.uses(Feature::Groups, 50) || holders.is_empty() {
        holders.extend(draw.some(&GROUP_TYPES, 2).into_iter().map(plain));
    }
    if draw.uses(Feature::Where, 20) {
        holders.push(plain("robot"));
    }
    holders
}

/// A subject type with the values that its subjects must have.
pub(super) fn holder_where(draw: &mut Draw<'_>, policy: &Policy) -> Holder {
    let kind = draw.choose(&policy.subject_types);
    let plain = |own: &&Attribute| {
        own.from == Supplier::Snapshot && ["flag", "num", "word", "mood"].contains(&own.name.as_str())
    };
    let attributes: Vec<_> = kind.attributes.iter().filter(plain).collect();
    let mut when = Vec::new();
    if !attributes.is_empty() {
        let own = *draw.choose(&attributes);
        when.push((own.name.clone(), some_values(draw, &own.name)));
    }
    Holder { kind: kind.name.clone(), when }
}

fn some_values(draw: &mut Draw<'_>, attribute: &str) -> Vec<Spanned<Literal>> {
    let mut values = vec![spanned(literal(draw, attribute)), spanned(literal(draw, attribute))];
    values.dedup();
    values
}
