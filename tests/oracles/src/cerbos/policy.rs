//! The policies of a world.

use serde_json::{Value, json};

use super::Scene;
use crate::world::{
    Condition, FlatRule, Grants, Lifetime, Name, Operand, Root, TYPES, Test, actions_of, call, covers, literal,
};

const VERSION: &str = "api.cerbos.dev/v1";

/// The derived roles and one policy for each type.
pub(super) fn policies(scene: &Scene) -> Vec<(String, Value)> {
    let own = format!("w{}", scene.number);
    let definitions: Vec<_> = scene.world.roles.iter().map(|role| {
        json!({"name": format!("{own}_{}", role.name), "parentRoles": ["somebody"], "condition": when(&[held(&role.name)])})
    }).collect();
    let derived = json!({"apiVersion": VERSION, "derivedRoles": {"name": own, "definitions": definitions}});
    let mut files = vec![(format!("{own}.json"), derived)];
    for (kind, _) in TYPES {
        let mut rules = Vec::new();
        for role in &scene.world.roles {
            let flat = scene.world.flat_rules(role);
            rules.extend(flat.iter().filter(|rule| rule.kind == kind).map(|rule| allow(scene, &role.name, rule)));
        }
        rules.extend(forbids(scene, kind));
        rules.push(deny(&["*"], &["P.attr.disabled".to_owned()]));
        let policy =
            json!({"resource": scene.kind(kind), "version": "default", "importDerivedRoles": [own], "rules": rules});
        files.push((format!("{own}_{kind}.json"), json!({"apiVersion": VERSION, "resourcePolicy": policy})));
    }
    files
}

fn allow(scene: &Scene, role: &str, rule: &FlatRule<'_>) -> Value {
    let mut all: Vec<_> = rule.conditions.iter().map(|condition| text(scene, condition, true)).collect();
    if let Some(kind) = rule.held_at {
        all.push(format!("P.attr.holds[\"{role}\"].exists(s, s.startsWith(\"{kind}/\") && s in R.attr.scopes)"));
    }
    let derived = format!("w{}_{role}", scene.number);
    let mut rule = json!({"actions": [rule.action], "effect": "EFFECT_ALLOW", "derivedRoles": [derived]});
    if !all.is_empty() {
        rule["condition"] = when(&all);
    }
    rule
}

fn forbids(scene: &Scene, kind: &str) -> Vec<Value> {
    let mut rules = Vec::new();
    for own in scene.world.forbids.iter().filter(|own| covers(&own.on, kind)) {
        let held: Vec<_> = actions_of(kind).iter().copied().filter(|action| own.grants.hold(action)).collect();
        let actions = if matches!(own.grants, Grants::All) { vec!["*"] } else { held };
        if actions.is_empty() {
            continue;
        }
        let mut all = lifetime(own.lifetime);
        if !own.subjects.is_empty() {
            all.push(format!("P.id in [{}]", names(&own.subjects)));
        }
        if !own.scopes.is_empty() {
            all.push(format!("[{}].exists(s, s in R.attr.scopes)", names(&own.scopes)));
        }
        if let Some(condition) = &own.when {
            // It forbids unless it is known to be false.
            let unless = || format!("!({})", text(scene, condition, false));
            all.push(if scene.plain { text(scene, condition, true) } else { unless() });
        }
        rules.push(deny(&actions, &all));
    }
    rules
}

fn deny(actions: &[&str], all: &[String]) -> Value {
    let mut rule = json!({"actions": actions, "effect": "EFFECT_DENY", "roles": ["*"]});
    if !all.is_empty() {
        rule["condition"] = when(all);
    }
    rule
}

fn when(all: &[String]) -> Value {
    let of: Vec<_> = all.iter().map(|text| json!({"expr": text})).collect();
    json!({"match": {"all": {"of": of}}})
}

fn held(role: &str) -> String {
    format!("\"{role}\" in P.attr.holds && P.attr.holds[\"{role}\"].exists(s, s in R.attr.scopes)")
}

fn lifetime(own: Lifetime) -> Vec<String> {
    let from = own.from.map(|from| format!("P.attr.context.now >= {from}"));
    from.into_iter().chain(own.until.map(|until| format!("P.attr.context.now < {until}"))).collect()
}

fn names(names: &[Name]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    quoted.join(", ")
}

fn text(scene: &Scene, condition: &Condition, wanted: bool) -> String {
    if scene.plain {
        return condition.render(&test);
    }
    condition.guarded(wanted, &|own, wanted| {
        let opposite = if wanted { "" } else { "!" };
        let guards: Vec<_> = own.paths().iter().map(|(root, name)| format!("has({})", path(*root, name))).collect();
        match own {
            Test::Has(..) => format!("({opposite}{})", test(own)),
            Test::Flag(..) | Test::Compare(..) => format!("({} && {opposite}({}))", guards.join(" && "), test(own)),
        }
    })
}

fn test(test: &Test) -> String {
    match test {
        Test::Flag(root, name) => path(*root, name),
        Test::Has(root, name) => format!("has({})", path(*root, name)),
        Test::Compare(sign, left, right) => call(sign, &operand(left), &operand(right)),
    }
}

fn path(root: Root, name: &str) -> String {
    match root {
        Root::Resource => format!("R.attr.{name}"),
        Root::Subject => format!("P.attr.{name}"),
        Root::Context => format!("P.attr.context.{name}"),
        Root::Ancestor(kind) => format!("R.attr.in_{kind}.{name}"),
    }
}

fn operand(operand: &Operand) -> String {
    match operand {
        Operand::Path(root, name) => path(*root, name),
        Operand::Literal(value) => literal(value),
        Operand::Subject => "P.id".to_owned(),
    }
}
