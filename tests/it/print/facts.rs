//! Prints facts: as sections of a YAML file, and as lines of JSON.

use serde_json::{Map, Value, json};
use sidegate::model::{
    Binding, Block, Credential, Customised, DefinedRole, DefinedRule, EntityName, Group, Resource, RoleRules, Spanned,
    Subject, Term, TermOperator, TermScope,
};

use super::{filled, grants, lifetime, literal, map, names, values};
use crate::universe::Universe;

pub(super) fn facts(universe: &Universe) -> Map<String, Value> {
    let facts = &universe.facts;
    let mut defined = Map::new();
    for role in &facts.roles {
        defined.entry(role.at.to_string()).or_insert(json!({}))[&role.name.value] = role_body(&role.rules).into();
    }
    map([
        ("subjects", facts.subjects.iter().map(|own| (own.name.to_string(), Value::from(subject(own)))).collect()),
        ("groups", facts.groups.iter().map(|own| (own.name.to_string(), Value::from(group(own)))).collect()),
        (
            "credentials",
            facts.credentials.iter().map(|own| (own.name.to_string(), Value::from(credential(own)))).collect(),
        ),
        ("resources", facts.resources.iter().map(|own| (own.name.to_string(), Value::from(resource(own)))).collect()),
        ("defined_roles", defined.into()),
        ("bindings", facts.bindings.iter().map(|own| Value::from(binding(own))).collect()),
        ("blocks", facts.blocks.iter().map(|own| (own.id.value.clone(), Value::from(block(own)))).collect()),
    ])
}

/// The facts as lines of JSON.
pub(crate) fn json_lines(universe: &Universe) -> String {
    let facts = &universe.facts;
    let with = |kind: &str, keys: &[(&str, String)], body: Map<String, Value>| {
        let head = [("kind", kind.to_owned())].into_iter().chain(keys.iter().cloned());
        let head = head.map(|(key, value)| (key.to_owned(), json!(value)));
        format!("{}\n", Value::Object(head.chain(body).collect()))
    };
    let named = |kind: &str, id: &EntityName, body| with(kind, &[("id", id.to_string())], body);
    let role = |own: &DefinedRole| {
        let rules = role_body(&own.rules);
        let body = if matches!(own.rules, RoleRules::Plain(_)) { map([("rules", rules.into())]) } else { rules };
        with("role", &[("at", own.at.to_string()), ("name", own.name.value.clone())], body)
    };
    let lines = facts.subjects.iter().map(|own| named("subject", &own.name, subject(own)));
    let lines = lines.chain(facts.groups.iter().map(|own| named("group", &own.name, group(own))));
    let lines = lines.chain(facts.credentials.iter().map(|own| named("credential", &own.name, credential(own))));
    let lines = lines.chain(facts.resources.iter().map(|own| named("resource", &own.name, resource(own))));
    let lines = lines.chain(facts.roles.iter().map(role));
    let lines = lines.chain(facts.bindings.iter().map(|own| with("binding", &[], binding(own))));
    let lines = lines.chain(facts.blocks.iter().map(|own| with("block", &[("id", own.id.value.clone())], block(own))));
    lines.collect()
}

fn role_body(rules: &RoleRules) -> Map<String, Value> {
    let by_type = |rules: &[DefinedRule]| -> Map<String, Value> {
        rules.iter().map(|own| (own.on.value.clone(), defined_rule(own))).collect()
    };
    match rules {
        RoleRules::Plain(rules) => by_type(rules),
        RoleRules::Versioned { current, versions } => {
            let versions: Map<_, _> =
                versions.iter().map(|(number, rules)| (number.value.to_string(), by_type(rules).into())).collect();
            map([("current", json!(current.value)), ("versions", versions.into())])
        }
    }
}

fn subject(own: &Subject) -> Map<String, Value> {
    map([("attributes", values(&own.attributes)), ("disabled", json!(own.disabled))])
}

fn group(own: &Group) -> Map<String, Value> {
    map([("members", entities(&own.members)), ("disabled", json!(own.disabled))])
}

fn credential(own: &Credential) -> Map<String, Value> {
    let mut body = filled([("scopes", names(&own.scopes)), ("within", entities(&own.within))]);
    body.extend(own.permissions.iter().map(|list| ("permissions".to_owned(), names(list))));
    body.extend(map([
        ("owner", json!(own.owner.to_string())),
        ("attributes", values(&own.attributes)),
        ("disabled", json!(own.disabled)),
    ]));
    body.extend(lifetime(own.lifetime));
    body
}

fn entities(names: &[Spanned<EntityName>]) -> Value {
    names.iter().map(|name| json!(name.to_string())).collect()
}

fn customised(own: &Customised) -> Value {
    let mut body = map([("permissions", names(&own.permissions))]);
    body.extend(own.version.iter().map(|version| ("version".to_owned(), json!(version.value))));
    body.into()
}

fn resource(own: &Resource) -> Map<String, Value> {
    let mut body = filled([("attributes", values(&own.attributes))]);
    body.extend(own.parent.iter().map(|parent| ("parent".to_owned(), json!(parent.to_string()))));
    body
}

fn binding(own: &Binding) -> Map<String, Value> {
    let mut body = map([
        ("subject", json!(own.subject.to_string())),
        ("role", json!(own.role.value)),
        ("at", json!(own.at.to_string())),
        ("disabled", json!(own.disabled)),
    ]);
    if !own.levels.is_empty() {
        let levels: Map<_, _> =
            own.levels.iter().map(|(path, level)| (path.value.clone(), json!(level.value))).collect();
        body.insert("levels".into(), levels.into());
    }
    body.extend(own.customised.iter().map(|own| ("customised".to_owned(), customised(own))));
    body.extend(lifetime(own.lifetime));
    body
}

fn block(own: &Block) -> Map<String, Value> {
    let mut body = filled([("on", names(&own.on))]);
    body.extend(grants(&own.grants));
    body.extend(own.subject.iter().map(|name| ("subject".to_owned(), json!(name.to_string()))));
    body.extend(own.at.iter().map(|name| ("at".to_owned(), json!(name.to_string()))));
    body.extend(lifetime(own.lifetime));
    body
}

fn defined_rule(own: &DefinedRule) -> Value {
    let scope = |scope: &TermScope| match scope {
        TermScope::All => "all".to_owned(),
        TermScope::Named(name) => name.clone(),
    };
    let when: Map<_, _> = own.when.iter().map(|(of, terms)| (scope(of), terms.iter().map(term).collect())).collect();
    let mut body = filled([("when", when.into())]);
    body.extend(grants(&own.grants));
    body.into()
}

fn term(own: &Term) -> Value {
    let mut body = map([("attr", json!(own.attribute.value))]);
    body.extend(own.operators.iter().map(|(_, operator)| match operator {
        TermOperator::Eq(value) => ("eq".to_owned(), literal(value)),
        TermOperator::Ne(value) => ("ne".to_owned(), literal(value)),
        TermOperator::In(values) => ("in".to_owned(), values.iter().map(|value| literal(value)).collect()),
        TermOperator::EqAttribute(path) => ("eq_attr".to_owned(), json!(path.value)),
    }));
    body.into()
}
