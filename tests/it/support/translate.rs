//! Turns a case's facts into Sidegate's own, by renaming and restructuring only.

use serde_json::{Map, Value, json};

use super::pack::{Pack, Versioned};

/// The facts of a fixture, in the forms that a source may have.
pub(crate) struct FactsText {
    pub(crate) yaml: String,
    pub(crate) json_lines: String,
}

/// Renames a fixture's facts. A key that has no counterpart is kept as it is, so that loading it fails and names it.
pub(crate) fn facts(fixture: &Value, pack: &Pack) -> FactsText {
    let mut written = Written::default();
    let versioned = pack.versioned().filter(|_| fixture.get("roles").is_some());
    for (key, body) in object(fixture) {
        match (key.as_str(), &versioned) {
            ("principals", versioned) => {
                let (subjects, bindings) = principals(body, &|role| role_name(role, fixture, versioned.as_ref()));
                written.entities("subjects", "subject", subjects);
                written.bindings(bindings);
            }
            ("resources", _) => written.entities("resources", "resource", resources(body)),
            ("api_keys", _) => written.entities("credentials", "credential", credentials(body)),
            ("custom_roles", _) => {
                let scopes = object(body).map(|(scope, roles)| (scope.clone(), defined_roles(roles)));
                written.roles(scopes.collect(), |rules| json!({"rules": rules}));
            }
            ("roles", Some(versioned)) => {
                let scopes = object(&fixture["resources"]).map(|(scope, _)| scope);
                let scopes = scopes.filter(|scope| kind_of(scope) == versioned.defined_at);
                written.roles(scopes.map(|scope| (scope.clone(), versions(body, versioned))).collect(), Value::clone);
            }
            _ => written.unknown(key, body),
        }
    }
    written.into_text()
}

/// A role's name as a policy's own: one that the fixture defines is a role of the template.
pub(crate) fn role_name(role: &Value, fixture: &Value, versioned: Option<&Versioned<'_>>) -> Value {
    match (role.as_str(), versioned) {
        (Some(name), Some(template)) if fixture["roles"].get(name).is_some() => {
            json!(format!("{}/{name}", template.name))
        }
        _ => role.clone(),
    }
}

/// A permission as `type.action`: one that is written without a type is of this type.
pub(crate) fn permission(written: &Value, kind: &str) -> Value {
    match written.as_str() {
        Some(action) if !action.contains('.') => json!(format!("{kind}.{action}")),
        _ => written.clone(),
    }
}

/// Both forms, section by section and line by line.
#[derive(Default)]
struct Written {
    sections: Map<String, Value>,
    lines: Vec<Value>,
}

impl Written {
    fn entities(&mut self, section: &str, kind: &str, entities: Map<String, Value>) {
        self.lines.extend(entities.iter().map(|(id, body)| line(kind, &[("id", json!(id))], body)));
        self.sections.insert(section.to_owned(), entities.into());
    }

    fn bindings(&mut self, bindings: Vec<Value>) {
        self.lines.extend(bindings.iter().map(|binding| line("binding", &[], binding)));
        self.sections.insert("bindings".to_owned(), bindings.into());
    }

    fn roles(&mut self, scopes: Map<String, Value>, body: impl Fn(&Value) -> Value) {
        for (scope, roles) in &scopes {
            let names = |name: &String| [("at", json!(scope)), ("name", json!(name))];
            self.lines.extend(object(roles).map(|(name, role)| line("role", &names(name), &body(role))));
        }
        self.sections.insert("defined_roles".to_owned(), scopes.into());
    }

    fn unknown(&mut self, key: &str, body: &Value) {
        self.lines.push(json!({"kind": key, "body": body}));
        self.sections.insert(key.to_owned(), body.clone());
    }

    fn into_text(mut self) -> FactsText {
        self.sections.insert("sidegate".to_owned(), json!(1));
        FactsText {
            yaml: Value::Object(self.sections).to_string(),
            json_lines: self.lines.iter().fold(String::new(), |text, line| format!("{text}{line}\n")),
        }
    }
}

/// What is known of an entity, by its names here and there.
const ENTITY: &[(&str, &str)] = &[("attrs", "attributes")];

fn resources(body: &Value) -> Map<String, Value> {
    object(body).map(|(id, body)| (id.clone(), rename(body, ENTITY))).collect()
}

fn credentials(body: &Value) -> Map<String, Value> {
    let names = [("generated_by", "owner"), ("scope", "scopes"), ("attrs", "attributes")];
    object(body).map(|(id, body)| (id.clone(), rename(body, &names))).collect()
}

/// The keys of a principal that say what hangs on its bindings, by scope.
const HELD: [&str; 4] = ["roles", "grants", "levels", "customised"];

fn principals(body: &Value, role_name: &dyn Fn(&Value) -> Value) -> (Map<String, Value>, Vec<Value>) {
    let (mut subjects, mut bindings) = (Map::new(), Vec::new());
    for (id, body) in object(body) {
        bindings.extend(held(id, body, role_name));
        let mut subject = rename(body, ENTITY);
        if let Some(subject) = subject.as_object_mut() {
            subject.retain(|key, _| !HELD.contains(&key.as_str()));
            if let Some(kind) = subject.remove("type") {
                let attributes = subject.entry("attributes").or_insert_with(|| json!({}));
                attributes["kind"] = kind;
            }
        }
        subjects.insert(id.clone(), subject);
    }
    (subjects, bindings)
}

/// One binding for each role; what is customised where there is no role is a binding without one.
fn held(id: &str, body: &Value, role_name: &dyn Fn(&Value) -> Value) -> Vec<Value> {
    let mut bindings = Vec::new();
    for (scope, held) in object(&body["roles"]).chain(object(&body["grants"])) {
        let roles = if let Value::Array(roles) = held { roles.as_slice() } else { std::slice::from_ref(held) };
        let roles = roles.iter().filter(|role| !role.is_null());
        bindings.extend(roles.map(|role| (scope, json!({"subject": id, "role": role_name(role), "at": scope}))));
    }
    for (scope, customised) in object(&body["customised"]) {
        if bindings.iter().all(|(at, _)| *at != scope) {
            bindings.push((scope, json!({"subject": id, "at": scope})));
        }
        let here = bindings.iter_mut().filter(|(at, _)| *at == scope);
        here.for_each(|(_, binding)| binding["customised"] = own_list(customised, kind_of(scope)));
    }
    for (scope, levels) in object(&body["levels"]) {
        let here = bindings.iter_mut().filter(|(at, _)| *at == scope);
        here.for_each(|(_, binding)| binding["levels"] = levels.clone());
    }
    bindings.into_iter().map(|(_, binding)| binding).collect()
}

fn own_list(customised: &Value, kind: &str) -> Value {
    let mut list = rename(customised, &[("base_version", "version")]);
    for written in list.get_mut("permissions").and_then(Value::as_array_mut).into_iter().flatten() {
        *written = permission(written, kind);
    }
    list
}

/// Roles with their versions: each a list of permissions, by type.
fn versions(roles: &Value, template: &Versioned<'_>) -> Value {
    let role = |body: &Value| {
        let mut role = body.clone();
        for rules in role.get_mut("versions").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
            *rules = by_type(rules, template.at);
        }
        role
    };
    object(roles).map(|(name, body)| (format!("{}/{name}", template.name), role(body))).collect()
}

fn by_type(permissions: &Value, kind: &str) -> Value {
    let Value::Array(permissions) = permissions else { return permissions.clone() };
    let mut rules = json!({});
    for written in permissions {
        let qualified = permission(written, kind);
        let (kind, action) = qualified.as_str().and_then(|text| text.split_once('.')).expect("a permission is a text");
        if rules[kind].is_null() {
            rules[kind] = json!({"actions": []});
        }
        rules[kind]["actions"].as_array_mut().expect("a list").push(json!(action));
    }
    rules
}

/// Role names to types to what is switched on.
fn defined_roles(roles: &Value) -> Value {
    let role = |rules: &Value| object(rules).map(|(kind, rule)| (kind.clone(), defined_rule(rule))).collect::<Value>();
    object(roles).map(|(name, rules)| (name.clone(), role(rules))).collect()
}

fn defined_rule(rule: &Value) -> Value {
    let mut rule = rename(rule, &[("ops", "operations")]);
    for terms in rule.get_mut("when").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        for term in terms.as_array_mut().into_iter().flatten() {
            for key in ["attr", "eq_attr"] {
                if let Some(Value::String(path)) = term.get_mut(key) {
                    *path = attribute_path(path);
                }
            }
        }
    }
    rule
}

fn attribute_path(path: &str) -> String {
    match path.strip_prefix("principal.") {
        Some("id") => "subject".to_owned(),
        Some(attribute) => format!("subject.{attribute}"),
        None => path.to_owned(),
    }
}

fn rename(value: &Value, names: &[(&str, &str)]) -> Value {
    let Value::Object(map) = value else { return value.clone() };
    let new_name =
        |key: &String| names.iter().find(|(from, _)| from == key).map_or(key.clone(), |(_, to)| (*to).to_owned());
    map.iter().map(|(key, value)| (new_name(key), value.clone())).collect()
}

fn line(kind: &str, keys: &[(&str, Value)], body: &Value) -> Value {
    let mut line = body.as_object().cloned().unwrap_or_default();
    line.insert("kind".to_owned(), json!(kind));
    line.extend(keys.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    Value::Object(line)
}

fn kind_of(entity: &str) -> &str {
    entity.split_once('/').map_or("", |(kind, _)| kind)
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

#[test]
fn what_hangs_on_a_principal_becomes_bindings() {
    let policy = json!({"role_templates": {"built": {"defined_at": "root", "at": "account", "versioned": true}}});
    let fixture = json!({
        "roles": {"maker": {"current": 2, "versions": {"2": ["flow.read", "invite"]}}},
        "resources": {"root/r": {}, "account/a": {"parent": "root/r"}},
        "api_keys": {"key/k": {"generated_by": "user/u", "scope": "x"}},
        "principals": {"user/u": {
            "type": "person",
            "roles": {"account/a": ["maker", "other"]},
            "grants": {"flow/f": "editor"},
            "customised": {"account/a": {"base_version": 2, "permissions": ["flow.read", "invite"]}, "account/b": {"permissions": []}},
        }},
    });
    let text = facts(&fixture, &Pack::of(policy));
    let yaml: Value = serde_json::from_str(&text.yaml).unwrap();
    let list = json!({"version": 2, "permissions": ["flow.read", "account.invite"]});
    let wanted = json!({
        "sidegate": 1,
        "subjects": {"user/u": {"attributes": {"kind": "person"}}},
        "resources": {"root/r": {}, "account/a": {"parent": "root/r"}},
        "credentials": {"key/k": {"owner": "user/u", "scopes": "x"}},
        "defined_roles": {"root/r": {"built/maker": {
            "current": 2,
            "versions": {"2": {"flow": {"actions": ["read"]}, "account": {"actions": ["invite"]}}},
        }}},
        "bindings": [
            {"subject": "user/u", "role": "built/maker", "at": "account/a", "customised": list},
            {"subject": "user/u", "role": "other", "at": "account/a", "customised": list},
            {"subject": "user/u", "role": "editor", "at": "flow/f"},
            {"subject": "user/u", "at": "account/b", "customised": {"permissions": []}},
        ],
    });
    assert_eq!(yaml, wanted);
    assert_eq!(text.json_lines.lines().count(), 9);
}
