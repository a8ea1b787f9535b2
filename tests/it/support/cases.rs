//! Reads case files: fixtures, patches, requests and what is expected. Decides nothing and knows no product.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// One case file.
pub(crate) struct CaseFile {
    /// The file's name without its extension.
    pub(crate) name: String,
    /// What the file says under `system`, `fixtures` and `cases`.
    body: Value,
}

/// One wanted decision.
pub(crate) struct Case<'a> {
    pub(crate) id: &'a str,
    pub(crate) product: &'a str,
    /// The facts that are live first.
    pub(crate) first: Value,
    /// The facts offered afterwards, and whether they must be accepted.
    pub(crate) second: Option<(Value, bool)>,
    pub(crate) request: &'a Value,
    pub(crate) expect: &'a Value,
    pub(crate) error_names: Vec<&'a str>,
}

/// Every `*.yaml` of a directory, in name order.
pub(crate) fn read_directory(directory: &Path) -> Vec<CaseFile> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    paths.iter().map(|path| CaseFile::read(path)).collect()
}

/// Reads YAML 1.2 as JSON: `true` and `false` are the only bools, and a quoted scalar is a string.
pub(crate) fn read_yaml(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    parse_yaml(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn parse_yaml(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
}

impl CaseFile {
    fn read(path: &Path) -> Self {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self { name, body: read_yaml(path) }
    }

    /// The cases, in the file's order.
    pub(crate) fn cases(&self) -> Vec<Case<'_>> {
        let cases = self.body["cases"].as_array().map_or(&[][..], Vec::as_slice);
        cases.iter().map(|case| self.case(case)).collect()
    }

    /// Names of types whose `type/id` strings are entities: the vocabulary's and the fixtures' principals'.
    pub(crate) fn entity_types(&self) -> Vec<&str> {
        let systems = self.body["system"].as_object().into_iter().flat_map(Map::values);
        let types = systems.filter_map(|system| system["types"].as_object()).flat_map(Map::keys).map(String::as_str);
        let fixtures = self.body["fixtures"].as_object().into_iter().flat_map(Map::values);
        let principals = fixtures.filter_map(|fixture| fixture["principals"].as_object()).flat_map(Map::keys);
        types.chain(principals.filter_map(|name| name.split_once('/').map(|(kind, _)| kind))).collect()
    }

    fn case<'a>(&'a self, case: &'a Value) -> Case<'a> {
        let id = case["id"].as_str().expect("every case has an id");
        let given = &case["given"];
        let used = given["use"].as_str().unwrap_or_else(|| panic!("{id}: no fixture"));
        let mut first = self.fixture(used);
        merge_patch(&mut first, &given["patch"]);
        let second = given.get("reload").map(|reload| {
            let mut second = first.clone();
            merge_patch(&mut second, &reload["patch"]);
            (second, reload["accepted"].as_bool().unwrap_or_else(|| panic!("{id}: `accepted` is missing")))
        });
        Case {
            id,
            product: used.split_once('/').map_or(used, |(product, _)| product),
            first,
            second,
            request: &case["request"],
            expect: &case["expect"],
            error_names: case["error_names"].as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
        }
    }

    /// A fixture with what it extends, which it deep-merges over: a null stays a value.
    fn fixture(&self, name: &str) -> Value {
        let mut own = self.body["fixtures"][name].clone();
        assert!(own.is_object(), "no fixture `{name}`");
        let Some(base) = own.as_object_mut().and_then(|own| own.remove("extends")) else {
            return own;
        };
        let mut merged = self.fixture(base.as_str().expect("`extends` names a fixture"));
        deep_merge(&mut merged, own);
        merged
    }
}

fn deep_merge(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                deep_merge(under.entry(key).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

/// RFC 7396. An absent patch (null at the top) changes nothing.
fn merge_patch(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else { return };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(target) = target.as_object_mut() else { return };
    for (key, value) in patch {
        match value {
            Value::Null => {
                target.remove(key);
            }
            Value::Object(_) => merge_patch(target.entry(key.clone()).or_insert(Value::Null), value),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                target.insert(key.clone(), value.clone());
            }
        }
    }
}

#[test]
fn yaml_keeps_its_types() {
    let value = parse_yaml("{a: 'false', b: null, c: false, d: no, e: '1', f: 1, g: '*', h: ~}").unwrap();
    let wanted =
        serde_json::json!({"a": "false", "b": null, "c": false, "d": "no", "e": "1", "f": 1, "g": "*", "h": null});
    assert_eq!(value, wanted);
}

#[test]
fn patches_and_extensions_treat_null_differently() {
    let base = serde_json::json!({"a": {"b": 1, "c": 2}, "d": [1, 2]});
    let change = serde_json::json!({"a": {"b": null}, "d": [3], "e": {"f": null}});
    let (mut extended, mut patched) = (base.clone(), base);
    deep_merge(&mut extended, change.clone());
    merge_patch(&mut patched, &change);
    assert_eq!(extended, serde_json::json!({"a": {"b": null, "c": 2}, "d": [3], "e": {"f": null}}));
    assert_eq!(patched, serde_json::json!({"a": {"c": 2}, "d": [3], "e": {}}));
}
