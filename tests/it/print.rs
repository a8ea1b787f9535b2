//! Prints a policy and its facts as a source: for the round trip, and so that a failing universe can be read and kept.

mod facts;
mod roles;

use serde_json::{Map, Value, json};
use sidegate::model::{
    Action, AlsoTarget, Attribute, Attributes, Change, CredentialScope, CredentialType, Exclusive, GovernedBy, Grants,
    Holder, Lifetime, Literal, Place, Policy, SeatClass, Spanned, SubjectType, Supplier, Type, ValueType,
};

use crate::universe::Universe;
use facts::facts;
use roles::{forbid, role, rule, template};

pub(crate) use facts::json_lines;
/// The whole as one YAML file (JSON, one section a line).
pub(crate) fn print(universe: &Universe) -> String {
    let body = Value::Object(policy(universe).into_iter().chain(facts(universe)).collect());
    let sections = body.as_object().into_iter().flatten().filter(|(_, section)| !is_empty(section));
    sections.fold("sidegate: 1\n".to_owned(), |text, (name, section)| format!("{text}{name}: {section}\n"))
}

fn policy(universe: &Universe) -> Map<String, Value> {
    let policy = &universe.policy;
    let kind = |own: &SubjectType| (own.name.value.clone(), json!({"attributes": attributes(&own.attributes)}));
    map([
        ("strict_properties", json!(policy.strict_properties)),
        ("subject_types", policy.subject_types.iter().map(kind).collect()),
        (
            "group_types",
            policy
                .group_types
                .iter()
                .map(|own| (own.name.value.clone(), json!({"members": names(&own.members)})))
                .collect(),
        ),
        (
            "credential_types",
            policy.credential_types.iter().map(|own| (own.name.value.clone(), credential_type(own))).collect(),
        ),
        ("context", attributes(&policy.context)),
        ("levels", names(&policy.levels)),
        ("governors", governors(policy)),
        ("operations", policy.operations.iter().map(|own| (own.name.value.clone(), names(&own.actions))).collect()),
        ("classes", policy.classes.iter().map(|own| (own.name.value.clone(), names(&own.members))).collect()),
        ("types", policy.types.iter().map(|own| (own.name.value.clone(), type_body(own))).collect()),
        ("roles", policy.roles.iter().map(|own| (own.name.value.clone(), role(own))).collect()),
        ("role_templates", policy.role_templates.iter().map(|own| (own.name.value.clone(), template(own))).collect()),
        ("exclusive", policy.exclusive.iter().map(|own| (own.name.value.clone(), exclusive(own))).collect()),
        ("forbids", policy.forbids.iter().map(|own| (own.id.value.clone(), forbid(own))).collect()),
        ("seats", policy.seats.iter().map(|own| (own.name.value.clone(), seats(own))).collect()),
    ])
}

/// Each governor at the top with what stands under it.
fn governors(policy: &Policy) -> Value {
    let paths = || policy.governors.iter().map(|path| path.value.as_str());
    let below = |top: &str| paths().filter_map(|path| path.strip_prefix(top)?.strip_prefix('/')).collect::<Vec<_>>();
    paths().filter(|path| !path.contains('/')).map(|top| (top.to_owned(), json!(below(top)))).collect()
}

fn exclusive(own: &Exclusive) -> Value {
    json!({"roles": names(&own.roles), "at": names(&own.at)})
}

fn type_body(own: &Type) -> Value {
    let governed_by = own.governed_by.iter().map(|by| match by {
        GovernedBy::Node(path) => ("governed_by".to_owned(), json!(path.value)),
        GovernedBy::Attribute(name) => ("governed_by".to_owned(), json!({"attribute": name.value})),
    });
    if own.is_virtual {
        return map([("virtual", json!(true))]).into_iter().chain(governed_by).collect();
    }
    let actions = own.actions.iter().map(|own| (own.name.value.clone(), action(own))).collect();
    let mut body =
        filled([("attributes", attributes(&own.attributes)), ("actions", actions), ("parent", names(&own.parents))]);
    body.extend(governed_by);
    body.extend([("root".to_owned(), json!(own.root)), ("open".to_owned(), json!(own.open))]);
    body.into()
}

fn attributes(declared: &[Attribute]) -> Value {
    let one = |own: &Attribute| {
        let mut body = value_type(&own.value_type);
        let from = match own.from {
            Supplier::Snapshot => json!("snapshot"),
            Supplier::Request => json!("request"),
            Supplier::SnapshotThenRequest => json!(["snapshot", "request"]),
            Supplier::RequestThenSnapshot => json!(["request", "snapshot"]),
        };
        body.insert("from".into(), from);
        body.extend(own.default.iter().map(|default| ("default".to_owned(), literal(default))));
        body.insert("optional".into(), json!(own.optional));
        body.insert("sensitive".into(), json!(own.sensitive));
        (own.name.value.clone(), Value::Object(body))
    };
    declared.iter().map(one).collect()
}

fn value_type(value_type: &ValueType) -> Map<String, Value> {
    let ValueType::Enum(values) = value_type else { return map([("type", json!(type_name(value_type)))]) };
    map([("type", json!("enum")), ("values", names(values))])
}

fn type_name(value_type: &ValueType) -> String {
    match value_type {
        ValueType::Governor => "governor".to_owned(),
        ValueType::Role => "role".to_owned(),
        ValueType::Permission => "permission".to_owned(),
        ValueType::Bool => "bool".to_owned(),
        ValueType::Int => "int".to_owned(),
        ValueType::String => "string".to_owned(),
        ValueType::Timestamp => "timestamp".to_owned(),
        ValueType::Enum(_) => "enum".to_owned(),
        ValueType::List(of) => format!("list({})", type_name(of)),
        ValueType::Reference(kind) => format!("ref({})", kind.value),
    }
}

fn action(own: &Action) -> Value {
    let parameters = own.parameters.iter().map(|parameter| {
        let mut body = value_type(&parameter.value_type);
        body.insert("optional".into(), json!(parameter.optional));
        (parameter.name.value.clone(), Value::Object(body))
    });
    let mut body = filled([("parameters", parameters.collect())]);
    body.extend(own.operation.iter().map(|name| ("operation".to_owned(), json!(name.value))));
    body.extend(own.governed_by.iter().map(|name| ("governed_by".to_owned(), json!(name.value))));
    body.extend(own.level.iter().map(|level| ("level".to_owned(), json!(level.value))));
    if own.creates {
        body.insert("creates".into(), json!(true));
    }
    body.extend(own.change.iter().map(|change| ("change".to_owned(), json!(change_name(change.value)))));
    body.extend(own.valid_result.map(|_| ("result".to_owned(), json!("valid"))));
    if let Some(also) = &own.also {
        let (key, parameter) = match &also.target {
            AlsoTarget::On(parameter) => ("on", parameter),
            AlsoTarget::Under(parameter) => ("under", parameter),
        };
        body.insert("also".into(), json!({"action": also.action.value, key: parameter.value}));
    }
    body.into()
}

fn change_name(change: Change) -> &'static str {
    match change {
        Change::Grant => "grant",
        Change::Revoke => "revoke",
        Change::Replace => "replace",
        Change::Customise => "customise",
    }
}

fn grants(grants: &Grants) -> Map<String, Value> {
    match grants {
        Grants::All => map([("actions", json!("all"))]),
        Grants::Actions(own) => map([("actions", names(own))]),
        Grants::Operations(own) => map([("operations", names(own))]),
    }
}

fn lifetime(own: Lifetime) -> impl Iterator<Item = (String, Value)> {
    let ends = [("not_before", own.not_before), ("expires", own.expires)];
    ends.into_iter().filter_map(|(name, end)| end.map(|end| (name.to_owned(), json!(end.to_string()))))
}

fn values(attributes: &Attributes) -> Value {
    attributes.iter().map(|(name, value)| (name.value.clone(), literal(value))).collect()
}

fn literal(literal_value: &Literal) -> Value {
    match literal_value {
        Literal::Null => Value::Null,
        Literal::Bool(value) => json!(value),
        Literal::Int(value) => json!(value),
        Literal::String(value) => json!(value),
        Literal::List(items) => items.iter().map(|item| literal(item)).collect(),
    }
}

fn names(names: &[Spanned<String>]) -> Value {
    names.iter().map(|name| json!(name.value)).collect()
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Map<String, Value> {
    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn filled<const N: usize>(entries: [(&str, Value); N]) -> Map<String, Value> {
    map(entries).into_iter().filter(|(_, value)| !is_empty(value)).collect()
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty)
}

fn credential_type(own: &CredentialType) -> Value {
    let scopes = own.scopes.iter().map(|own| (own.name.value.clone(), credential_scope(own))).collect();
    let body = filled([
        ("owners", holders(&own.owners)),
        ("attributes", attributes(&own.attributes)),
        ("demands", names(&own.demands)),
        ("scopes", scopes),
    ]);
    body.into()
}

fn credential_scope(own: &CredentialScope) -> Value {
    let mut body = filled([("context", some_of(&own.context)), ("owners", holders(&own.owners))]);
    body.extend(own.allow.iter().map(|rules| ("allow".to_owned(), rules.iter().map(rule).collect())));
    body.into()
}

fn holders(own: &[Holder]) -> Value {
    let one = |holder: &Holder| match &holder.when[..] {
        [] => json!(holder.kind.value),
        when => json!({"type": holder.kind.value, "where": some_of(when)}),
    };
    own.iter().map(one).collect()
}

/// Names, each with the values of which one must be equal.
fn some_of(own: &[(Spanned<String>, Vec<Spanned<Literal>>)]) -> Value {
    let list = |values: &[Spanned<Literal>]| -> Value { values.iter().map(|own| literal(own)).collect() };
    own.iter().map(|(name, values)| (name.value.clone(), list(values))).collect()
}

fn seats(own: &SeatClass) -> Value {
    let place = |place: &Place| match place {
        Place::Here => "self",
        Place::Above => "ancestors",
        Place::Below => "descendants",
    };
    let who = own.who.iter().map(|own| {
        let held: Vec<_> = own.held.iter().map(place).collect();
        json!({"roles": names(&own.roles), "held": held})
    });
    let body = filled([("per", names(&own.per)), ("subjects", names(&own.subjects)), ("who", who.collect())]);
    body.into()
}
