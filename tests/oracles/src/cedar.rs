//! A world as Cedar policies and entities, and Cedar's answers.
//!
//! A role held on a scope becomes an entity (`Holder::"r0@space/a"`) of which the holder is a member, and each rule a
//! `permit(principal in ..., action in ..., resource in ...)`; scopes are parents of resources, operations are parents
//! of actions. Cedar skips a policy that has an error; with us a forbid that cannot be decided forbids. So **an error in
//! a forbid counts as a denial**, and one in a permit as a permit that is not open, as Cedar has it.
//!
//! Two translations. [`Form::Plain`] writes each condition as the author did. Then Cedar has an error where we have
//! "unknown", and its `&&` and `||` look at the left side first, so `missing && false` is an error and not false: there
//! Cedar may deny more than we do, never less. [`Form::Guarded`] writes Kleene's logic out with `has`: no errors, and
//! every decision must be the same.

use std::fmt::Write as _;

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision, Entities, EntityUid, Policy, PolicyId, PolicySet, Request,
};
use serde_json::{Map, Value, json};

use crate::world::{
    Condition, FlatRule, Lifetime, Name, OPERATIONS, Operand, Question, Root, TYPES, Test, Val, Values, World,
    actions_of, covers, operation_of,
};

/// How conditions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As the author did.
    Plain,
    /// With a guard around every test.
    Guarded,
}

/// Cedar with a world loaded.
pub struct Cedar {
    policies: PolicySet,
    entities: Entities,
    contexts: Vec<Context>,
    authorizer: Authorizer,
}

/// What Cedar says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its decision, after an error in a forbid was counted as a denial.
    pub allowed: bool,
    /// Whether any policy had an error.
    pub errors: bool,
    /// Whether an error may hide a value that we know, so that Cedar may deny more.
    pub stricter: bool,
}

impl Cedar {
    /// Loads a world.
    ///
    /// # Panics
    /// When Cedar refuses the translation.
    pub fn load(world: &World, form: Form) -> Self {
        let mut policies = PolicySet::new();
        for (number, (id, text)) in texts(world, form).into_iter().enumerate() {
            let policy = Policy::parse(Some(PolicyId::new(format!("{id}:{number}"))), &text);
            let policy = policy.unwrap_or_else(|error| panic!("{error:?}\n{text}"));
            policies.add(policy).expect("ids differ");
        }
        let entities = entities(world);
        let contexts = world.contexts.iter().map(|context| {
            let mut values = attributes(context);
            values.insert("now".to_owned(), json!(world.now));
            Context::from_json_value(Value::Object(values), None).expect("a context")
        });
        Self {
            policies,
            contexts: contexts.collect(),
            entities: Entities::from_json_value(entities, None).expect("entities"),
            authorizer: Authorizer::new(),
        }
    }

    /// Asks.
    ///
    /// # Panics
    /// When Cedar refuses the question.
    pub fn ask(&self, question: &Question) -> Answer {
        let action = uid("Action", &format!("{}.{}", question.resource.kind, question.action));
        let (subject, resource) = (&question.subject, &question.resource);
        let context = self.contexts[question.context].clone();
        let request =
            Request::new(uid(subject.kind, subject.id), action, uid(resource.kind, resource.id), context, None);
        let response = self.authorizer.is_authorized(&request.expect("a request"), &self.policies, &self.entities);
        let failed: Vec<String> = response.diagnostics().errors().map(failed).collect();
        let forbidden = failed.iter().any(|id| id.starts_with("forbid"));
        Answer {
            allowed: response.decision() == Decision::Allow && !forbidden,
            errors: !failed.is_empty(),
            stricter: failed.iter().any(|id| id.contains("nested")),
        }
    }
}

fn failed(error: &AuthorizationError) -> String {
    match error {
        AuthorizationError::PolicyEvaluationError(error) => error.policy_id().to_string(),
    }
}

fn uid(kind: &str, id: &str) -> EntityUid {
    EntityUid::from_json(json!({"type": kind, "id": id})).expect("a name")
}

// ---- policies

/// Every policy: whether it permits or forbids and whether its condition is `simple` or `nested`, and its text.
fn texts(world: &World, form: Form) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    let mut groups: Vec<(&str, &Name)> = Vec::new();
    for own in world.bindings.iter().filter(|own| !own.disabled) {
        let always = own.lifetime.from.is_none() && own.lifetime.until.is_none();
        if always && groups.contains(&(&own.role, &own.at)) {
            continue;
        }
        let principal = if always {
            groups.push((&own.role, &own.at));
            format!("principal in {}", quoted("Holder", &holder(&own.role, &own.at)))
        } else {
            format!("principal == {}", quoted(own.subject.kind, own.subject.id))
        };
        let role = world.roles.iter().find(|role| role.name == own.role).expect("a role");
        for rule in world.flat_rules(role) {
            if rule.held_at.is_none_or(|kind| kind == own.at.kind) {
                texts.push(permit(&principal, &own.at, &rule, own.lifetime, form));
            }
        }
    }
    texts.extend(forbids(world, form));
    for own in world.subjects.iter().filter(|own| own.disabled) {
        let principal = quoted(own.name.kind, own.name.id);
        texts.push(("forbid:simple".to_owned(), format!("forbid(principal == {principal}, action, resource);")));
    }
    texts
}

fn permit(principal: &str, at: &Name, rule: &FlatRule<'_>, lifetime: Lifetime, form: Form) -> (String, String) {
    let action = quoted("Action", &format!("{}.{}", rule.kind, rule.action));
    let scope = quoted(at.kind, at.id);
    let mut text = format!("permit({principal}, action == {action}, resource in {scope})");
    spans(&mut text, lifetime);
    for condition in &rule.conditions {
        write!(text, "\nwhen {{ {} }}", condition_text(condition, true, form)).expect("a text");
    }
    let simple = rule.conditions.iter().all(|condition| condition.is_conjunction());
    (format!("permit:{}", if simple { "simple" } else { "nested" }), text + ";")
}

fn forbids(world: &World, form: Form) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for own in &world.forbids {
        let parts = TYPES.iter().filter(|(kind, _)| covers(&own.on, kind));
        let parts = parts.flat_map(|(kind, actions)| actions.iter().map(move |action| (*kind, *action)));
        let named: Vec<_> = parts.filter(|(_, action)| own.grants.hold(action)).collect();
        if named.is_empty() {
            continue;
        }
        let actions: Vec<_> = match &own.grants {
            crate::world::Grants::Operations(operations) => {
                let kinds = TYPES.iter().filter(|(kind, _)| covers(&own.on, kind));
                let groups = kinds.flat_map(|(kind, _)| operations.iter().map(move |of| format!("{kind}:{of}")));
                groups.map(|id| quoted("Action", &id)).collect()
            }
            _ => named.iter().map(|(kind, action)| quoted("Action", &format!("{kind}.{action}"))).collect(),
        };
        let mut text = format!("forbid(principal, action in [{}], resource)", actions.join(", "));
        let among = |names: &[Name], text: &mut String, what: &str, sign: &str| {
            let names: Vec<_> =
                names.iter().map(|name| format!("{what} {sign} {}", quoted(name.kind, name.id))).collect();
            if !names.is_empty() {
                write!(text, "\nwhen {{ {} }}", names.join(" || ")).expect("a text");
            }
        };
        among(&own.subjects, &mut text, "principal", "==");
        among(&own.scopes, &mut text, "resource", "in");
        spans(&mut text, own.lifetime);
        let mut simple = true;
        if let Some(condition) = &own.when {
            simple = condition.is_disjunction();
            let condition = match form {
                Form::Plain => condition_text(condition, true, form),
                // It forbids unless it is known to be false.
                Form::Guarded => format!("!({})", condition_text(condition, false, form)),
            };
            write!(text, "\nwhen {{ {condition} }}").expect("a text");
        }
        texts.push((format!("forbid:{}", if simple { "simple" } else { "nested" }), text + ";"));
    }
    texts
}

fn spans(text: &mut String, lifetime: Lifetime) {
    if let Some(from) = lifetime.from {
        write!(text, "\nwhen {{ context.now >= {from} }}").expect("a text");
    }
    if let Some(until) = lifetime.until {
        write!(text, "\nwhen {{ context.now < {until} }}").expect("a text");
    }
}

fn holder(role: &str, at: &Name) -> String {
    format!("{role}@{at}")
}

fn quoted(kind: &str, id: &str) -> String {
    format!("{kind}::{id:?}")
}

// ---- conditions

fn condition_text(condition: &Condition, wanted: bool, form: Form) -> String {
    match form {
        Form::Plain => condition.render(&plain),
        Form::Guarded => condition.guarded(wanted, &|test, wanted| {
            let guards: Vec<_> =
                test.paths().iter().map(|(root, name)| format!("{} has {name}", owner(*root))).collect();
            let opposite = if wanted { "" } else { "!" };
            match test {
                Test::Has(..) => format!("({opposite}({}))", plain(test)),
                Test::Flag(..) | Test::Compare(..) => {
                    format!("({} && {opposite}({}))", guards.join(" && "), plain(test))
                }
            }
        }),
    }
}

fn plain(test: &Test) -> String {
    match test {
        Test::Flag(root, name) => path(*root, name),
        Test::Has(root, name) => format!("{} has {name}", owner(*root)),
        Test::Compare("in", left, right) => format!("{}.contains({})", operand(right), operand(left)),
        Test::Compare(sign @ ("startsWith" | "endsWith" | "contains"), left, Operand::Literal(Val::Text(text))) => {
            let (before, after) = match *sign {
                "startsWith" => ("", "*"),
                "endsWith" => ("*", ""),
                _ => ("*", "*"),
            };
            format!("{} like \"{before}{}{after}\"", operand(left), text.replace('*', "\\*"))
        }
        Test::Compare(sign, left, right) => format!("{} {sign} {}", operand(left), operand(right)),
    }
}

fn owner(root: Root) -> String {
    match root {
        Root::Resource => "resource".to_owned(),
        Root::Subject => "principal".to_owned(),
        Root::Context => "context".to_owned(),
        Root::Ancestor(kind) => format!("resource.in_{kind}"),
    }
}

fn path(root: Root, name: &str) -> String {
    format!("{}.{name}", owner(root))
}

fn operand(operand: &Operand) -> String {
    match operand {
        Operand::Path(root, name) => path(*root, name),
        Operand::Literal(Val::Subject(name)) => quoted(name.kind, name.id),
        // Lists, texts and numbers look the same in CEL.
        Operand::Literal(value) => crate::world::literal(value),
        Operand::Subject => "principal".to_owned(),
    }
}

// ---- entities

fn entities(world: &World) -> Value {
    let mut entities = Vec::new();
    let mut add = |kind: &str, id: &str, values: Map<String, Value>, parents: Vec<Value>| {
        entities.push(json!({"uid": {"type": kind, "id": id}, "attrs": values, "parents": parents}));
    };
    let reference = |kind: &str, id: &str| json!({"type": kind, "id": id});
    for own in &world.subjects {
        let held = world.bindings.iter().filter(|binding| {
            let always = binding.lifetime.from.is_none() && binding.lifetime.until.is_none();
            always && !binding.disabled && binding.subject == own.name
        });
        let parents = held.map(|binding| reference("Holder", &holder(&binding.role, &binding.at)));
        add(own.name.kind, own.name.id, with_default(&own.values), parents.collect());
    }
    for own in &world.resources {
        let mut values = with_default(&own.values);
        for above in world.chain(own).skip(1) {
            let key = format!("in_{}", above.name.kind);
            values.entry(key).or_insert_with(|| json!({"__entity": reference(above.name.kind, above.name.id)}));
        }
        let parents = own.parent.iter().map(|parent| reference(parent.kind, parent.id));
        add(own.name.kind, own.name.id, values, parents.collect());
    }
    for (kind, _) in TYPES {
        for action in actions_of(kind) {
            let group = reference("Action", &format!("{kind}:{}", operation_of(action)));
            add("Action", &format!("{kind}.{action}"), Map::new(), vec![group]);
        }
        for (operation, _) in OPERATIONS {
            add("Action", &format!("{kind}:{operation}"), Map::new(), Vec::new());
        }
    }
    Value::Array(entities)
}

fn with_default(values: &Values) -> Map<String, Value> {
    let mut attributes = attributes(values);
    attributes.entry("mood").or_insert_with(|| json!(crate::world::MOODS[0]));
    attributes
}

fn attributes(values: &Values) -> Map<String, Value> {
    let value = |value: &Val| match value {
        Val::Bool(value) => json!(value),
        Val::Int(value) => json!(value),
        Val::Text(value) => json!(value),
        Val::Texts(value) => json!(value),
        Val::Subject(Name { kind, id }) => json!({"__entity": {"type": kind, "id": id}}),
    };
    values.iter().map(|(name, own)| ((*name).to_owned(), value(own))).collect()
}

impl std::fmt::Debug for Cedar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cedar").finish_non_exhaustive()
    }
}
