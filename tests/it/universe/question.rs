//! Questions about a universe: right ones, wrong ones, contradictory ones.

use sidegate::model::{
    Attribute, Attributes, Binding, BindingHolder, EntityName, Literal, Resource, Spanned, Supplier, Timestamp,
    ValueType,
};

use super::facts::chain;
use super::policy::ACTIONS;
use super::{Draw, IDS, Universe, literal};
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
    let subject_kind = policy.subject_types.iter().find(|kind| *kind.name == subject.kind);
    let held_subject = facts.subjects.iter().find(|held| *held.name == subject);
    let action = if draw.chance(4) { *draw.choose(&["fly", "write"]) } else { *draw.choose(&ACTIONS) };
    let resource_attributes = kind.map_or(&[][..], |kind| &kind.attributes);
    let subject_attributes = subject_kind.map_or(&[][..], |kind| &kind.attributes);
    let question = Question {
        subject_properties: properties(draw, subject_attributes, held_subject.map(|held| &held.attributes), 1),
        action_properties: parameters(
            draw,
            action,
            kind.is_some_and(|kind| kind.parents.iter().any(|parent| parent.value == "b")),
        ),
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

/// Mostly somebody with a role and something where it counts.
fn who_and_what(draw: &mut Draw<'_>, universe: &Universe) -> (EntityName, EntityName) {
    let facts = &universe.facts;
    let binding = (!facts.bindings.is_empty() && draw.chance(75)).then(|| draw.choose(&facts.bindings));
    let subject = match binding {
        _ if draw.chance(4) => EntityName {
            kind: (*draw.choose(&["user", "robot", "b", "ghost"])).to_owned(),
            id: (*draw.choose(&IDS)).to_owned(),
        },
        Some(Binding { subject: Spanned { value: BindingHolder::One(name), .. }, .. }) => name.clone(),
        _ => draw.choose(&facts.subjects).name.value.clone(),
    };
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

fn parameters(draw: &mut Draw<'_>, action: &str, under_b: bool) -> Props {
    let mut parameters = Props::new();
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
