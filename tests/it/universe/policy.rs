//! Policies over a fixed set of names: types `a` (root) › `b` › `c` › `d`, and the virtual `v`.

use sidegate::model::{
    Action, Also, AlsoTarget, Attribute, Class, Exclusive, Forbid, GovernedBy, Grants, Lifetime, Operation, Parameter,
    Place, Policy, SeatClass, SeatRule, Spanned, SubjectType, Supplier, Timestamp, Type, ValueType,
};

use super::roles::{role, template, text};
use super::{
    ATTRIBUTES, Draw, Feature, GOVERNORS, IDS, LEVELS, MOMENTS, admin, credentials, groups, literal, name, names,
    spanned, value_type,
};

pub(crate) const REAL: [&str; 4] = ["a", "b", "c", "d"];
pub(crate) const ACTIONS: [&str; 5] = ["view", "edit", "make", "move", "deploy"];
pub(crate) const OPERATIONS: [&str; 2] = ["read", "write"];

pub(crate) fn policy(draw: &mut Draw<'_>) -> Policy {
    let c_parents = *draw.choose::<&[&str]>(&[&["b"][..], &["a", "b"], &["b", "c"]]);
    let d_parents = *draw.choose::<&[&str]>(&[&["b"][..], &["b", "c"]]);
    let above = Type { is_virtual: true, root: false, governed_by: governed_by(draw), ..bare_type("v") };
    let mut types: Vec<_> = [("a", &[][..]), ("b", &["a"]), ("c", c_parents), ("d", d_parents)]
        .into_iter()
        .map(|(own, parents)| real_type(draw, own, parents, above.governed_by.is_some()))
        .collect();
    types.push(above);
    let subject_types =
        ["user", "robot"].map(|own| SubjectType { name: name(own), attributes: attributes(draw, false) });
    let mut policy = Policy {
        strict_properties: draw.chance(10),
        subject_types: subject_types.to_vec(),
        group_types: groups::types(draw),
        context: attributes(draw, true),
        levels: names(&LEVELS),
        governors: names(&GOVERNORS),
        operations: vec![operation("read", &["view"]), operation("write", &["edit", "make", "move"])],
        classes: classes(draw),
        types,
        ..Policy::default()
    };
    policy.credential_types = credentials::types(draw, &policy);
    for number in 0..=draw.pick(4) {
        let role = role(draw, &policy, &format!("r{number}"));
        policy.roles.push(role);
    }
    if draw.chance(60) {
        let template = template(draw, &policy);
        policy.role_templates.push(template);
    }
    if draw.chance(10) {
        policy.exclusive.push(exclusive(draw, &policy));
    }
    if draw.uses(Feature::Seats, 60) {
        policy.seats = vec![seats(draw, &policy, "one"), seats(draw, &policy, "two")];
    }
    for id in IDS.iter().take(draw.pick(3)) {
        let forbid = forbid(draw, &policy, id);
        policy.forbids.push(forbid);
    }
    policy
}

fn bare_type(own: &str) -> Type {
    Type {
        governed_by: None,
        name: name(own),
        parents: Vec::new(),
        root: true,
        open: false,
        is_virtual: false,
        attributes: Vec::new(),
        actions: Vec::new(),
    }
}

/// A constant, or what the instance says; nothing for some.
fn governed_by(draw: &mut Draw<'_>) -> Option<GovernedBy> {
    match draw.pick(5) {
        0 => None,
        1 | 2 => Some(GovernedBy::Node(name(draw.choose::<&str>(&GOVERNORS)))),
        _ => Some(GovernedBy::Attribute(name("ruler"))),
    }
}

fn exclusive(draw: &mut Draw<'_>, policy: &Policy) -> Exclusive {
    let templates = policy.role_templates.iter().map(|template| &template.name);
    let roles: Vec<_> = policy.roles.iter().map(|role| &role.name).chain(templates).cloned().collect();
    Exclusive { name: name("x"), roles: draw.some(&roles, 2), at: names(&draw.some(&["b", "c"], 2)) }
}

fn seats(draw: &mut Draw<'_>, policy: &Policy, own: &str) -> SeatClass {
    let templates = policy.role_templates.iter().map(|template| &template.name);
    let roles: Vec<_> = policy.roles.iter().map(|role| &role.name).chain(templates).cloned().collect();
    let rule = |draw: &mut Draw<'_>| SeatRule {
        roles: draw.some(&roles, 3),
        held: draw.some(&[Place::Here, Place::Above, Place::Below], 2),
    };
    SeatClass {
        name: name(own),
        per: names(&draw.some(&["b", "a", "c"], 2)),
        subjects: if draw.chance(40) { names(&["user"]) } else { Vec::new() },
        who: (0..=draw.pick(2)).map(|_| rule(draw)).collect(),
    }
}

fn real_type(draw: &mut Draw<'_>, own: &str, parents: &[&str], above_is_governed: bool) -> Type {
    let by = governed_by(draw);
    let governed = draw.chance(60);
    let deploy = Action {
        governed_by: governed.then(|| name("v")),
        operation: (governed || draw.chance(30)).then(|| name("write")),
        ..action("deploy")
    };
    let mut mover = Action {
        parameters: vec![
            parameter(
                "target",
                ValueType::Reference(name(if parents.contains(&"b") { "b" } else { "c" })),
                draw.chance(60),
            ),
            parameter("third", ValueType::Reference(name("user")), draw.chance(80)),
            parameter("who", ValueType::Reference(name("subject")), draw.chance(80)),
        ],
        ..action("move")
    };
    if draw.chance(50) {
        let under = parents.contains(&"b") && draw.chance(50);
        let target = if under { AlsoTarget::Under(name("target")) } else { AlsoTarget::On(name("target")) };
        mover.also = Some(Also { action: name(if under { "make" } else { "edit" }), target });
    }
    let make = Action { creates: true, ..action("make") };
    let mut actions = vec![action("view"), action("edit"), make, mover, deploy];
    if admin::ADMINISTERED.contains(&own) {
        actions.extend(admin::actions(draw));
    }
    for action in &mut actions {
        let governed = if action.governed_by.is_some() { above_is_governed } else { by.is_some() };
        if governed && draw.chance(40) {
            action.level = Some(name(draw.choose::<&str>(&["mid", "mid", "high", "high", "low"])));
        }
    }
    Type {
        governed_by: by,
        parents: names(parents),
        root: parents.is_empty(),
        open: draw.chance(10),
        attributes: attributes(draw, false),
        actions,
        ..bare_type(own)
    }
}

pub(super) fn action(own: &str) -> Action {
    Action {
        name: name(own),
        operation: None,
        governed_by: None,
        level: None,
        creates: false,
        parameters: Vec::new(),
        also: None,
        change: None,
        valid_result: None,
    }
}

pub(super) fn parameter(own: &str, value_type: ValueType, optional: bool) -> Parameter {
    Parameter { name: name(own), value_type, optional }
}

fn operation(own: &str, actions: &[&str]) -> Operation {
    Operation { name: name(own), actions: names(actions) }
}

pub(super) fn attributes(draw: &mut Draw<'_>, context: bool) -> Vec<Attribute> {
    let one = |own: &&str| {
        let suppliers =
            [Supplier::Snapshot, Supplier::SnapshotThenRequest, Supplier::Request, Supplier::RequestThenSnapshot];
        let from = if context { Supplier::Request } else { *draw.choose(&suppliers) };
        let default = draw.chance(15).then(|| spanned(literal(draw, own)));
        let optional = default.is_none() && from == Supplier::Snapshot && draw.chance(30);
        Attribute { name: name(own), value_type: value_type(own), from, default, optional, sensitive: draw.chance(5) }
    };
    ATTRIBUTES.iter().map(one).collect()
}

fn classes(draw: &mut Draw<'_>) -> Vec<Class> {
    let inner = draw.some(&["a", "b", "c", "d", "v"], 3);
    vec![Class { name: name("k"), members: names(&inner) }, Class { name: name("m"), members: names(&["k", "d"]) }]
}

/// What a rule, limit or forbid speaks of.
pub(crate) fn speaks_of(draw: &mut Draw<'_>) -> (Vec<Spanned<String>>, Vec<Spanned<String>>, Grants) {
    let grants = match draw.pick(5) {
        0 | 1 => Grants::Actions(names(&draw.some(&ACTIONS, 3))),
        2 | 3 => Grants::Operations(names(&draw.some(&OPERATIONS, 2))),
        _ => Grants::All,
    };
    let on: &[&str] = if matches!(grants, Grants::Actions(_)) { &REAL } else { &["a", "b", "c", "d", "v", "k", "m"] };
    let on = draw.some(on, 3);
    let except = if on.len() > 1 && draw.chance(20) { names(&[draw.choose(&on)]) } else { Vec::new() };
    (names(&on), except, grants)
}

pub(super) fn is_among(policy: &Policy, on: &[Spanned<String>], kind: &str) -> bool {
    let class = |name: &str| policy.classes.iter().find(|class| *class.name == *name);
    let among = |name: &Spanned<String>| {
        **name == *kind || class(name).is_some_and(|class| is_among(policy, &class.members, kind))
    };
    on.iter().any(among)
}

fn forbid(draw: &mut Draw<'_>, policy: &Policy, id: &str) -> Forbid {
    let (mut on, mut except, grants) = speaks_of(draw);
    if draw.chance(30) {
        (on, except) = (Vec::new(), Vec::new());
    }
    let when = draw.chance(70).then(|| spanned(text(draw, policy, &on, &except, &grants)));
    let id = id.replace(['/', '.', '*'], "_");
    let lifetime = lifetime(draw);
    // Subjects and scopes name facts, which are drawn later.
    Forbid { id: name(&id), on, except, grants, subjects: Vec::new(), scopes: Vec::new(), when, lifetime }
}

pub(crate) fn lifetime(draw: &mut Draw<'_>) -> Lifetime {
    let moment = |position: usize| Timestamp::parse(MOMENTS[position]);
    Lifetime {
        not_before: if draw.chance(20) { moment(0) } else { None },
        expires: if draw.chance(20) { moment(1 + draw.pick(2)) } else { None },
    }
}
