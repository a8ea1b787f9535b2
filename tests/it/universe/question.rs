//! Questions about a universe: right ones, wrong ones, contradictory ones.

use sidegate::model::{
    Attribute, Attributes, Binding, BindingHolder, EntityName, Facts, Literal, Resource, Supplier, Timestamp, Type,
    ValueType,
};

use super::credentials::permissions;
use super::facts::chain;
use super::policy::ACTIONS;
use super::{ADMIN, Draw, Feature, IDS, Universe, literal};
use crate::support::question::{Props, Question, Val};

/// A question, and when it is asked.
pub(crate) fn question(draw: &mut Draw<'_>, universe: &Universe) -> (Question, Timestamp) {
    let (policy, facts) = (&universe.policy, &universe.facts);
    let (subject, resource) = who_and_what(draw, universe);
    let held = facts.resources.iter().find(|held| *held.name == resource);
    let parent = match held {
        Some(held) if draw.chance(20) => held.parent.as_ref().map(|parent| parent.value.clone()),
        Some(_) if draw.chance(95) => None,
        _ if draw.chance(90) => Some(draw.choose(&facts.resources).name.value.clone()),
        _ => None,
    };
    let kind = policy.types.iter().find(|kind| *kind.name == resource.kind);
    let action = if draw.chance(4) { *draw.choose(&["fly", "write"]) } else { action(draw, &resource) };
    let resource_attributes = kind.map_or(&[][..], |kind| &kind.attributes);
    let (subject_attributes, subject_values) = described(universe, &subject);
    let question = Question {
        subject_properties: properties(draw, subject_attributes, subject_values, 1),
        action_properties: parameters(draw, universe, action, kind),
        resource_properties: properties(draw, resource_attributes, held.map(|held| &held.attributes), 3),
        context: properties(draw, &policy.context, None, 4),
        action: action.to_owned(),
        subject,
        resource,
        parent,
    };
    let second = *draw.choose(&[5, 10, 15, 20, 25, 30, 35]);
    (question, Timestamp::new(second, 0).unwrap())
}

fn action(draw: &mut Draw<'_>, resource: &EntityName) -> &'static str {
    let is_administered = ["a", "b"].contains(&resource.kind.as_str());
    if is_administered && draw.uses(Feature::Purview, 40) {
        draw.choose::<&str>(&ADMIN)
    } else {
        draw.choose::<&str>(&ACTIONS)
    }
}

/// What the properties of a subject, or of a credential, describe.
fn described<'u>(universe: &'u Universe, subject: &EntityName) -> (&'u [Attribute], Option<&'u Attributes>) {
    let Universe { policy, facts } = universe;
    if let Some(kind) = policy.credential_types.iter().find(|kind| *kind.name == subject.kind) {
        let held = facts.credentials.iter().find(|held| *held.name == *subject);
        return (&kind.attributes, held.map(|held| &held.attributes));
    }
    let kind = policy.subject_types.iter().find(|kind| *kind.name == subject.kind);
    let held = facts.subjects.iter().find(|held| *held.name == *subject);
    (kind.map_or(&[], |kind| &kind.attributes), held.map(|held| &held.attributes))
}

/// Mostly somebody with a role, or a credential, and something where it counts.
fn who_and_what(draw: &mut Draw<'_>, universe: &Universe) -> (EntityName, EntityName) {
    let facts = &universe.facts;
    let binding = (!facts.bindings.is_empty() && draw.chance(75)).then(|| draw.choose(&facts.bindings));
    let mut subject = match binding {
        _ if draw.chance(4) => EntityName {
            kind: (*draw.choose(&["user", "robot", "b", "ghost", "team", "key"])).to_owned(),
            id: (*draw.choose(&IDS)).to_owned(),
        },
        Some(binding) => someone(draw, facts, &binding.subject),
        None => draw.choose(&facts.subjects).name.value.clone(),
    };
    let keys: Vec<_> = facts.credentials.iter().filter(|own| *own.owner == subject).collect();
    if let Some(key) = draw.maybe(40, &keys) {
        subject = key.name.value.clone();
    }
    let is_within =
        |resource: &&Resource, at: &EntityName| chain(facts, resource).iter().any(|above| *above.name == *at);
    let within =
        binding.map(|binding| facts.resources.iter().filter(|own| is_within(own, &binding.at)).collect::<Vec<_>>());
    let resource = match within {
        _ if draw.chance(15) => EntityName {
            kind: (*draw.choose(&["a", "b", "c", "d", "b", "c", "d", "v", "k", "ghost"])).to_owned(),
            id: (*draw.choose(&["new", "a", "b", "a/b"])).to_owned(),
        },
        Some(within) if !within.is_empty() => draw.choose(&within).name.value.clone(),
        _ => draw.choose(&facts.resources).name.value.clone(),
    };
    (subject, resource)
}

/// Somebody who has what hangs on a binding, or might.
fn someone(draw: &mut Draw<'_>, facts: &Facts, holder: &BindingHolder) -> EntityName {
    let anybody = draw.choose(&facts.subjects).name.value.clone();
    match holder {
        BindingHolder::One(name) => {
            let Some(group) = facts.groups.iter().find(|group| *group.name == *name) else { return name.clone() };
            let member = draw.maybe(90, &group.members).map(|member| &member.value);
            let inner = facts.groups.iter().find(|own| Some(&own.name.value) == member);
            let innermost = inner.and_then(|inner| inner.members.first());
            let found = innermost.map(|name| &name.value).or(member);
            found.filter(|name| facts.subjects.iter().any(|own| own.name.value == **name)).cloned().unwrap_or(anybody)
        }
        BindingHolder::AllOf(kind) => {
            let alike: Vec<_> = facts.subjects.iter().filter(|own| own.name.kind == *kind).collect();
            draw.maybe(100, &alike).map_or(anybody, |own| own.name.value.clone())
        }
        BindingHolder::MembersOf(scope) => {
            let there = |own: &&Binding| *own.at == *scope;
            let names = facts.bindings.iter().filter(there).filter_map(|own| own.subject.one());
            let names: Vec<_> = names.filter(|name| facts.subjects.iter().any(|own| *own.name == **name)).collect();
            draw.maybe(90, &names).map_or(anybody, |name| (*name).clone())
        }
    }
}

fn parameters(draw: &mut Draw<'_>, universe: &Universe, action: &str, kind: Option<&Type>) -> Props {
    let under_b = kind.is_some_and(|kind| kind.parents.iter().any(|parent| parent.value == "b"));
    let mut parameters = Props::new();
    if ADMIN.contains(&action) {
        parameters = administrative(draw, universe, action);
    }
    if action == "move" {
        let kind = if draw.chance(5) {
            "a"
        } else if under_b {
            "b"
        } else {
            "c"
        };
        let sent = [
            ("target", Val::Entity(EntityName { kind: kind.to_owned(), id: (*draw.choose(&IDS[..4])).to_owned() })),
            (
                "who",
                Val::Entity(EntityName {
                    kind: (*draw.choose(&["user", "robot"])).to_owned(),
                    id: (*draw.choose(&IDS[..3])).to_owned(),
                }),
            ),
            ("third", Val::Entity(EntityName { kind: "user".to_owned(), id: (*draw.choose(&IDS[..3])).to_owned() })),
        ];
        parameters.extend(sent.into_iter().filter(|_| draw.chance(75)).map(|(name, value)| (name.to_owned(), value)));
    }
    if draw.chance(3) {
        parameters.push(("colour".to_owned(), Val::Str("red".to_owned())));
    }
    for (_, value) in &mut parameters {
        if draw.chance(4) {
            *value = wrong(draw);
        }
    }
    parameters
}

/// A target, and what is done to it.
fn administrative(draw: &mut Draw<'_>, universe: &Universe, action: &str) -> Props {
    let Universe { policy, facts } = universe;
    let mut target = draw.choose(&facts.subjects).name.value.clone();
    if let Some(binding) = draw.maybe(60, &facts.bindings) {
        target = someone(draw, facts, &binding.subject);
    }
    let mut sent = vec![("target", Val::Entity(target))];
    let mut roles: Vec<_> = policy.roles.iter().map(|role| role.name.value.as_str()).collect();
    roles.extend(facts.roles.iter().map(|role| role.name.value.as_str()));
    let role = if draw.chance(4) { "nothing" } else { *draw.choose(&roles) };
    let things: Vec<_> = facts.resources.iter().filter(|own| own.name.kind == "c").collect();
    match action {
        "assign" | "revoke" => sent.push(("role", Val::Str(role.to_owned()))),
        "customise" => {
            let texts = permissions(draw, policy).into_iter().map(|name| Val::Str(name.value));
            sent.push(("permissions", Val::List(texts.take(1 + draw.pick(4)).collect())));
        }
        _ => sent.push(("thing", Val::Entity(draw.choose(&things).name.value.clone()))),
    }
    let sent = sent.into_iter().filter(|_| draw.chance(95));
    sent.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Up to `most` properties: what is stored, something else, something of a wrong type, or nothing.
fn properties(draw: &mut Draw<'_>, declared: &[Attribute], stored: Option<&Attributes>, most: usize) -> Props {
    let mut properties = Props::new();
    if declared.is_empty() {
        return properties;
    }
    for _ in 0..draw.pick(most + 1) {
        let attribute = draw.choose(declared);
        if attribute.from == Supplier::Snapshot && !draw.chance(10) {
            continue;
        }
        let own = stored.and_then(|stored| stored.iter().find(|(name, _)| *name == attribute.name));
        let value = match (draw.pick(20), own) {
            (0..8, Some((_, own))) => value(&attribute.value_type, own),
            (18, _) => Val::Null,
            (19, _) => wrong(draw),
            _ => value(&attribute.value_type, &literal(draw, &attribute.name)),
        };
        if properties.iter().all(|(name, _)| *name != *attribute.name) {
            properties.push((attribute.name.value.clone(), value));
        }
    }
    if draw.chance(4) {
        properties.push(("colour".to_owned(), Val::Str("red".to_owned())));
    }
    properties
}

fn wrong(draw: &mut Draw<'_>) -> Val {
    let entity = EntityName { kind: "d".to_owned(), id: "a".to_owned() };
    let mixed = vec![Val::Str("x".to_owned()), Val::Int(1)];
    let all = [
        Val::Str("false".to_owned()),
        Val::Str("user/a".to_owned()),
        Val::Int(7),
        Val::Bool(true),
        Val::Entity(entity),
        Val::List(mixed),
    ];
    draw.choose(&all).clone()
}

/// A written value, as a request carries it.
fn value(value_type: &ValueType, literal: &Literal) -> Val {
    match (value_type, literal) {
        (_, Literal::Bool(value)) => Val::Bool(*value),
        (_, Literal::Int(value)) => Val::Int(*value),
        (ValueType::Timestamp, Literal::String(text)) => Val::Time(Timestamp::parse(text).unwrap()),
        (ValueType::Reference(_), Literal::String(text)) => Val::Entity(EntityName::parse(text).unwrap()),
        (_, Literal::String(text)) => Val::Str(text.clone()),
        (ValueType::List(of), Literal::List(items)) => Val::List(items.iter().map(|item| value(of, item)).collect()),
        (_, Literal::Null | Literal::List(_)) => Val::Null,
    }
}
