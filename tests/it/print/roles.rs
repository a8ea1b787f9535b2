//! Prints roles, templates and forbids.

use serde_json::{Map, Value, json};
use sidegate::model::{
    Forbid, Limit, LimitKind, Place, Purview, Requirement, Role, RoleLevels, RoleSet, RoleTemplate, Rule, TargetHolds,
    TemplateConditions,
};

use super::{filled, grants, holders, lifetime, map, names};

pub(super) fn role(own: &Role) -> Value {
    let mut body = filled([
        ("at", names(&own.at)),
        ("holders", holders(&own.holders)),
        ("includes", names(&own.includes)),
        ("allow", own.rules.iter().map(rule).collect()),
        ("limits", own.limits.iter().map(limit).collect()),
        ("requires", own.requires.iter().map(requirement).collect()),
    ]);
    for (key, is) in [("customisable", own.customisable), ("superuser", own.superuser)] {
        body.extend(is.then(|| (key.to_owned(), json!(true))));
    }
    body.extend(own.levels.iter().map(|levels| match levels {
        RoleLevels::PerBinding => ("levels".to_owned(), json!("per_binding")),
        RoleLevels::All(level) => ("levels".to_owned(), json!(level.value)),
    }));
    body.into()
}

fn limit(own: &Limit) -> Value {
    let mut body = filled([("on", names(&own.on)), ("except", names(&own.except)), ("held_at", names(&own.held_at))]);
    match &own.kind {
        LimitKind::Only(only) => drop(body.insert("only".into(), names(only))),
        LimitKind::Gate { grants: own, only_when } => {
            body.insert("only_when".into(), json!(only_when.value));
            body.extend(grants(own));
        }
    }
    body.into()
}

pub(super) fn template(own: &RoleTemplate) -> Value {
    let mut body = filled([
        ("defined_at", names(&own.defined_at)),
        ("at", names(&own.at)),
        ("holders", holders(&own.holders)),
        ("may", own.may.iter().map(rule).collect()),
        ("requires", own.requires.iter().map(requirement).collect()),
    ]);
    for (key, is) in [("customisable", own.customisable), ("versioned", own.versioned)] {
        body.extend(is.then(|| (key.to_owned(), json!(true))));
    }
    let conditions = |own: &TemplateConditions| json!({"attributes_of": names(&own.roots), "most": own.most.value});
    body.extend(own.conditions.iter().map(|own| ("conditions".to_owned(), conditions(own))));
    body.into()
}

pub(super) fn forbid(own: &Forbid) -> Value {
    let mut body = filled([
        ("on", names(&own.on)),
        ("except", names(&own.except)),
        ("subjects", own.subjects.iter().map(|name| json!(name.to_string())).collect()),
        ("at", own.scopes.iter().map(|name| json!(name.to_string())).collect()),
    ]);
    body.extend(grants(&own.grants));
    body.extend(own.when.iter().map(|when| ("when".to_owned(), json!(when.value))));
    body.extend(lifetime(own.lifetime));
    body.into()
}

pub(super) fn rule(own: &Rule) -> Value {
    let mut body = filled([("on", names(&own.on)), ("except", names(&own.except)), ("held_at", names(&own.held_at))]);
    body.extend(grants(&own.grants));
    body.extend(own.when.iter().map(|when| ("when".to_owned(), json!(when.value))));
    body.extend(purview(&own.purview));
    body.into()
}

fn requirement(own: &Requirement) -> Value {
    let mut body = map([("held_at", json!(own.held_at.value)), ("on", json!(own.on.value))]);
    body.extend(filled([("has", names(&own.has)), ("has_no", names(&own.has_no))]));
    body.into()
}

fn purview(own: &Purview) -> Map<String, Value> {
    let mut body = filled([("within", names(&own.within))]);
    body.extend(own.assigns.iter().map(|set| ("assigns".to_owned(), role_set(set))));
    body.extend(own.target.iter().map(|target| ("target".to_owned(), target_holds(target))));
    body
}

fn target_holds(own: &TargetHolds) -> Value {
    let place = |place: &Place| match place {
        Place::Here => "here",
        Place::Above => "above",
        Place::Below => "below",
    };
    let look: Vec<_> = own.look.iter().map(place).collect();
    let mut body = map([("holds_only", role_set(&own.holds_only)), ("look", json!(look))]);
    body.extend(own.parameter.iter().map(|name| ("parameter".to_owned(), json!(name.value))));
    body.into()
}

fn role_set(set: &RoleSet) -> Value {
    match set {
        RoleSet::All => json!("all"),
        RoleSet::Named(own) => names(own),
    }
}
