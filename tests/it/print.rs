//! Prints a policy and its facts as a source: for the round trip, and so that a failing universe can be read and kept.

use serde_json::{Map, Value, json};
use sidegate::model::{
    Action, AlsoTarget, Attribute, Attributes, Binding, Block, DefinedRule, Exclusive, Forbid, GovernedBy, Grants,
    Holder, Lifetime, Limit, LimitKind, Literal, Policy, Resource, Role, RoleLevels, RoleTemplate, Rule, Spanned,
    Subject, SubjectType, Supplier, TemplateConditions, Term, TermOperator, TermScope, Type, ValueType,
};

use crate::universe::Universe;

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

fn holders(own: &[Holder]) -> Value {
    own.iter().map(|holder| json!(holder.kind.value)).collect()
}

fn role(own: &Role) -> Value {
    let mut body = filled([
        ("at", names(&own.at)),
        ("holders", holders(&own.holders)),
        ("includes", names(&own.includes)),
        ("allow", own.rules.iter().map(rule).collect()),
        ("limits", own.limits.iter().map(limit).collect()),
    ]);
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

fn template(own: &RoleTemplate) -> Value {
    let mut body = filled([
        ("defined_at", names(&own.defined_at)),
        ("at", names(&own.at)),
        ("holders", holders(&own.holders)),
        ("may", own.may.iter().map(rule).collect()),
    ]);
    let conditions = |own: &TemplateConditions| json!({"attributes_of": names(&own.roots), "most": own.most.value});
    body.extend(own.conditions.iter().map(|own| ("conditions".to_owned(), conditions(own))));
    body.into()
}

fn forbid(own: &Forbid) -> Value {
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

fn facts(universe: &Universe) -> Map<String, Value> {
    let facts = &universe.facts;
    let mut defined = Map::new();
    for role in &facts.roles {
        let rules: Map<_, _> = role
            .rules
            .current()
            .unwrap_or_default()
            .iter()
            .map(|own| (own.on.value.clone(), defined_rule(own)))
            .collect();
        defined.entry(role.at.to_string()).or_insert(json!({}))[&role.name.value] = rules.into();
    }
    let subject = |own: &Subject| json!({"attributes": values(&own.attributes), "disabled": own.disabled});
    map([
        ("subjects", facts.subjects.iter().map(|own| (own.name.to_string(), subject(own))).collect()),
        ("resources", facts.resources.iter().map(|own| (own.name.to_string(), resource(own))).collect()),
        ("defined_roles", defined.into()),
        ("bindings", facts.bindings.iter().map(binding).collect()),
        ("blocks", facts.blocks.iter().map(|own| (own.id.value.clone(), block(own))).collect()),
    ])
}

fn resource(own: &Resource) -> Value {
    let mut body = filled([("attributes", values(&own.attributes))]);
    body.extend(own.parent.iter().map(|parent| ("parent".to_owned(), json!(parent.to_string()))));
    body.into()
}

fn binding(own: &Binding) -> Value {
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
    body.extend(lifetime(own.lifetime));
    body.into()
}

fn block(own: &Block) -> Value {
    let mut body = filled([("on", names(&own.on))]);
    body.extend(grants(&own.grants));
    body.extend(own.subject.iter().map(|name| ("subject".to_owned(), json!(name.to_string()))));
    body.extend(own.at.iter().map(|name| ("at".to_owned(), json!(name.to_string()))));
    body.extend(lifetime(own.lifetime));
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
    if let Some(also) = &own.also {
        let (key, parameter) = match &also.target {
            AlsoTarget::On(parameter) => ("on", parameter),
            AlsoTarget::Under(parameter) => ("under", parameter),
        };
        body.insert("also".into(), json!({"action": also.action.value, key: parameter.value}));
    }
    body.into()
}

fn rule(own: &Rule) -> Value {
    let mut body = filled([("on", names(&own.on)), ("except", names(&own.except)), ("held_at", names(&own.held_at))]);
    body.extend(grants(&own.grants));
    body.extend(own.when.iter().map(|when| ("when".to_owned(), json!(when.value))));
    body.into()
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
