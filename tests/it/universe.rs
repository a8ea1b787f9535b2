//! Small universes: a policy, its facts and questions about them, drawn from a list of choices so that proptest can
//! shrink them. Few ids for every sort, the same ones for all, so that collisions are common.

mod admin;
mod bindings;
mod change;
mod condition;
mod credentials;
mod defined;
pub(crate) mod draw;
mod facts;
mod features;
mod groups;
mod policy;
mod question;
mod roles;

pub(crate) use admin::ADMIN;
pub(crate) use draw::Draw;
pub(crate) use facts::chain;
pub(crate) use features::Feature;
pub(crate) use question::question;

use sidegate::model::{
    BindingHolder, DefinedRule, EntityName, Facts, Literal, Policy, Position, RoleRules, Spanned, ValueType,
};

/// A policy with its facts.
#[derive(Clone, Debug)]
pub(crate) struct Universe {
    pub(crate) policy: Policy,
    pub(crate) facts: Facts,
}

impl Universe {
    pub(crate) fn draw(draw: &mut Draw<'_>) -> Self {
        let mut policy = policy::policy(draw);
        let facts = facts::facts(draw, &policy);
        for forbid in &mut policy.forbids {
            let (subject, scope) = (facts::bound(draw, &facts), draw.choose(&facts.resources).name.clone());
            forbid.subjects.extend(subject.filter(|_| draw.chance(30)));
            forbid.scopes.extend(draw.chance(30).then_some(scope));
        }
        Self { policy, facts }
    }
}

/// Ids, the same for every type; some look like syntax.
pub(crate) const IDS: [&str; 5] = ["a", "b", "a/b", "b.view", "*"];

/// The attributes that every type, every subject type and the context declare, each with suppliers of its own.
pub(crate) const ATTRIBUTES: [&str; 10] =
    ["flag", "num", "word", "mood", "tags", "seen", "owner", "keeper", "near", "ruler"];

/// The ladder of levels.
pub(crate) const LEVELS: [&str; 3] = ["low", "mid", "high"];

/// What levels are set on.
pub(crate) const GOVERNORS: [&str; 5] = ["a", "a/x", "a/x/z", "a/y", "b"];

/// Values of the enum.
pub(crate) const MOODS: [&str; 2] = ["calm", "wild"];

/// Values of strings.
pub(crate) const WORDS: [&str; 3] = ["x", "y", "calm"];

/// Moments, in seconds: lifetimes begin and end at some of them, questions are asked at and between them.
pub(crate) const MOMENTS: [&str; 3] = ["1970-01-01T00:00:10Z", "1970-01-01T00:00:20Z", "1970-01-01T00:00:30Z"];

/// The rules of a role, of each of its versions.
pub(crate) fn all_rules(rules: &mut RoleRules) -> impl Iterator<Item = &mut Vec<DefinedRule>> {
    let (plain, versions) = match rules {
        RoleRules::Plain(rules) => (Some(rules), None),
        RoleRules::Versioned { versions, .. } => (None, Some(versions)),
    };
    plain.into_iter().chain(versions.into_iter().flatten().map(|(_, rules)| rules))
}

/// A subject as the holder of a binding.
pub(crate) fn held_by(name: &Spanned<EntityName>) -> Spanned<BindingHolder> {
    Spanned::new(BindingHolder::One(name.value.clone()), name.at)
}

/// The type of an attribute.
pub(crate) fn value_type(attribute: &str) -> ValueType {
    match attribute {
        "flag" => ValueType::Bool,
        "num" => ValueType::Int,
        "mood" => ValueType::Enum(MOODS.map(name).to_vec()),
        "tags" => ValueType::List(Box::new(ValueType::String)),
        "seen" => ValueType::Timestamp,
        "owner" => ValueType::Reference(name("user")),
        "keeper" => ValueType::Reference(name("subject")),
        "near" => ValueType::Reference(name("b")),
        "ruler" => ValueType::Governor,
        _ => ValueType::String,
    }
}

pub(crate) fn name(text: &str) -> Spanned<String> {
    Spanned::new(text.to_owned(), Position::default())
}

pub(crate) fn names<T: AsRef<str>>(texts: &[T]) -> Vec<Spanned<String>> {
    texts.iter().map(|text| name(text.as_ref())).collect()
}

pub(crate) fn spanned<T>(value: T) -> Spanned<T> {
    Spanned::new(value, Position::default())
}

/// A value of an attribute, as an author writes it.
pub(crate) fn literal(draw: &mut Draw<'_>, attribute: &str) -> Literal {
    match attribute {
        "flag" => Literal::Bool(draw.chance(50)),
        "num" => Literal::Int(i64::try_from(draw.pick(3)).unwrap()),
        "mood" => Literal::String((*draw.choose(&MOODS)).to_owned()),
        "tags" => Literal::List(
            draw.some(&WORDS, 2).iter().map(|word| spanned(Literal::String((*word).to_owned()))).collect(),
        ),
        "seen" => Literal::String((*draw.choose(&MOMENTS)).to_owned()),
        "owner" => Literal::String(format!("user/{}", draw.choose(&IDS[..2]))),
        "keeper" => Literal::String(format!("{}/{}", draw.choose(&["user", "robot"]), draw.choose(&IDS[..2]))),
        "near" => Literal::String(format!("b/{}", draw.choose(&IDS[..2]))),
        "ruler" => Literal::String((*draw.choose(&GOVERNORS)).to_owned()),
        _ => Literal::String((*draw.choose(&WORDS)).to_owned()),
    }
}
