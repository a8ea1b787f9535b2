//! Roles written as facts, within their template.

use sidegate::model::{
    DefinedRole, DefinedRule, Facts, Grants, Policy, Position, RoleRules, Spanned, Term, TermOperator, TermScope,
};

use super::policy::{ACTIONS, OPERATIONS};
use super::{ATTRIBUTES, Draw, literal, name, names, spanned};

pub(super) fn defined_roles(draw: &mut Draw<'_>, policy: &Policy, facts: &mut Facts) {
    let template = &policy.role_templates[0];
    let definers = |kind: &str| template.defined_at.iter().any(|name| **name == *kind);
    let scopes: Vec<_> =
        facts.resources.iter().map(|scope| scope.name.clone()).filter(|scope| definers(&scope.kind)).collect();
    for _ in 0..draw.pick(4) {
        let (at, own) = (draw.choose(&scopes).clone(), *draw.choose(&["t/x", "t/x-y", "t/a/b"]));
        if facts.roles.iter().any(|role| role.at == at && *role.name == *own) {
            continue;
        }
        let versioned = if draw.slip(5) { !template.versioned } else { template.versioned };
        let rules = if versioned { versions(draw) } else { RoleRules::Plain(rules(draw)) };
        facts.roles.push(DefinedRole { at, name: name(own), rules });
    }
}

fn versions(draw: &mut Draw<'_>) -> RoleRules {
    let numbers = draw.some(&[1, 2, 5], 3);
    let current = if draw.slip(5) { 4 } else { *draw.choose(&numbers) };
    let versions = numbers.into_iter().map(|number| (spanned(number), rules(draw))).collect();
    RoleRules::Versioned { current: spanned(current), versions }
}

fn rules(draw: &mut Draw<'_>) -> Vec<DefinedRule> {
    draw.some(&["b", "c", "d", "v", "a"], 3).iter().map(|kind| defined_rule(draw, kind)).collect()
}

fn defined_rule(draw: &mut Draw<'_>, kind: &str) -> DefinedRule {
    let operations = kind == "v" || draw.chance(60);
    let (grants, scopes) = if operations {
        (Grants::Operations(names(if kind == "v" { &["write"][..] } else { &OPERATIONS })), &OPERATIONS[..])
    } else {
        let actions = draw.some(&ACTIONS, 3);
        return DefinedRule { on: name(kind), when: when(draw, &actions), grants: Grants::Actions(names(&actions)) };
    };
    DefinedRule { on: name(kind), grants, when: when(draw, if kind == "v" { &["write"] } else { scopes }) }
}

fn when(draw: &mut Draw<'_>, scopes: &[&str]) -> Vec<(Spanned<TermScope>, Vec<Term>)> {
    let mut when = Vec::new();
    if draw.chance(40) {
        when.push((spanned(TermScope::All), terms(draw)));
    }
    for scope in scopes {
        if draw.chance(25) {
            when.push((spanned(TermScope::Named((*scope).to_owned())), terms(draw)));
        }
    }
    when
}

fn terms(draw: &mut Draw<'_>) -> Vec<Term> {
    (0..=draw.pick(2)).map(|_| term(draw)).collect()
}

fn term(draw: &mut Draw<'_>) -> Term {
    let roots = ["resource", "subject", "context"];
    let attribute = *draw.choose(&ATTRIBUTES.map(|own| if own == "tags" { "word" } else { own }));
    let operator = match draw.pick(5) {
        0 | 1 => TermOperator::Eq(spanned(literal(draw, attribute))),
        2 => TermOperator::Ne(spanned(literal(draw, attribute))),
        3 => TermOperator::In(vec![spanned(literal(draw, attribute)), spanned(literal(draw, attribute))]),
        _ if attribute == "keeper" && draw.chance(50) => TermOperator::EqAttribute(name("subject")),
        _ => TermOperator::EqAttribute(name(&format!("{}.{attribute}", draw.choose(&roots)))),
    };
    let attribute = name(&format!("{}.{attribute}", draw.choose(&roots)));
    Term { attribute, operators: vec![(Position::default(), operator)] }
}
