//! Credential types, and credentials that fit them.

use sidegate::model::{
    Credential, CredentialScope, CredentialType, EntityName, Facts, Grants, Holder, Policy, Purview, Rule, Spanned,
};

use super::facts::{attributes as values, entity};
use super::groups::holder_where;
use super::policy::{ACTIONS, OPERATIONS, REAL, attributes, lifetime};
use super::{Draw, Feature, IDS, literal, name, names, spanned};
use crate::reference;

/// Context keys that a scope may speak of.
const KEYS: [&str; 4] = ["word", "mood", "flag", "num"];

pub(super) fn types(draw: &mut Draw<'_>, policy: &Policy) -> Vec<CredentialType> {
    if !Feature::Credentials.is_known() {
        return Vec::new();
    }
    ["key", "badge"].map(|own| credential_type(draw, policy, own)).to_vec()
}

fn credential_type(draw: &mut Draw<'_>, policy: &Policy, own: &str) -> CredentialType {
    let mut owners = vec![Holder { kind: name("user"), when: Vec::new() }];
    if own == "badge" || draw.chance(30) {
        owners.push(Holder { kind: name("robot"), when: Vec::new() });
    }
    let scopes: &[&str] = if draw.chance(60) { &["one", "two"] } else { &[] };
    CredentialType {
        name: name(own),
        owners,
        attributes: attributes(draw, false),
        demands: if draw.chance(25) { names(&draw.some(&KEYS, 2)) } else { Vec::new() },
        scopes: scopes.iter().map(|own| scope(draw, policy, own)).collect(),
    }
}

fn scope(draw: &mut Draw<'_>, policy: &Policy, own: &str) -> CredentialScope {
    let keys = if draw.chance(60) { draw.some(&KEYS, 2) } else { Vec::new() };
    let some_values = |draw: &mut Draw<'_>, key: &str| {
        let mut values = vec![spanned(literal(draw, key)), spanned(literal(draw, key))];
        values.dedup();
        values
    };
    let context = keys.iter().map(|key| (name(key), some_values(draw, key))).collect::<Vec<_>>();
    let owners = if draw.chance(25) { vec![holder_where(draw, policy)] } else { Vec::new() };
    let allow = (context.is_empty() || draw.chance(50)).then(|| (0..=draw.pick(2)).map(|_| rule(draw)).collect());
    CredentialScope { name: name(own), context, allow, owners }
}

fn rule(draw: &mut Draw<'_>) -> Rule {
    let grants = match draw.pick(3) {
        0 => Grants::Actions(names(&draw.some(&ACTIONS, 4))),
        1 => Grants::Operations(names(&draw.some(&OPERATIONS, 2))),
        _ => Grants::All,
    };
    let on = names(&draw.some(&REAL, 3));
    Rule { on, except: Vec::new(), grants, held_at: Vec::new(), when: None, purview: Purview::default() }
}

pub(super) fn credentials(draw: &mut Draw<'_>, policy: &Policy, facts: &mut Facts) {
    for kind in &policy.credential_types {
        for id in IDS.iter().take(draw.pick(4)) {
            let own = credential(draw, policy, facts, kind, id);
            facts.credentials.push(own);
            if !draw.slip(40) && reference::refuses(policy, facts) {
                facts.credentials.pop();
            }
        }
    }
}

fn credential(draw: &mut Draw<'_>, policy: &Policy, facts: &Facts, kind: &CredentialType, id: &str) -> Credential {
    let scopes: Vec<_> = kind.scopes.iter().map(|scope| scope.name.value.as_str()).collect();
    let mut scopes = if scopes.is_empty() || draw.slip(10) { Vec::new() } else { draw.some(&scopes, 2) };
    if draw.slip(5) {
        scopes.push("three");
    }
    let resources: Vec<Spanned<EntityName>> = facts.resources.iter().map(|own| own.name.clone()).collect();
    let within = if draw.chance(30) { draw.some(&resources, 2) } else { Vec::new() };
    let permissions = draw.chance(30).then(|| permissions(draw, policy));
    let mut owner = draw.choose(&facts.subjects).name.clone();
    if draw.slip(5) {
        owner = entity(&kind.name, "a");
    }
    Credential {
        name: entity(&kind.name, id),
        owner,
        scopes: names(&scopes),
        within,
        permissions,
        attributes: values(draw, &kind.attributes),
        disabled: draw.chance(6),
        lifetime: lifetime(draw),
    }
}

/// Some permissions that are declared.
pub(super) fn permissions(draw: &mut Draw<'_>, policy: &Policy) -> Vec<Spanned<String>> {
    let types = policy.types.iter().filter(|kind| !kind.is_virtual);
    let all: Vec<_> = types
        .flat_map(|kind| kind.actions.iter().map(move |action| format!("{}.{}", *kind.name, *action.name)))
        .collect();
    let mut some = draw.some(&all, 12);
    if draw.slip(5) {
        some.push("b.fly".to_owned());
    }
    names(&some)
}
