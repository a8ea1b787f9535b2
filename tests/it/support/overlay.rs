//! What a test's own facts make of the files of a source, as text: a second reading of `given`, at the level of YAML.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::cases::read_yaml;

/// The files of a source: name, text and the text as JSON.
pub(crate) struct Files {
    files: Vec<(String, String, Value)>,
}

impl Files {
    /// Reads a YAML file, or all of a directory.
    pub(crate) fn read(path: &Path) -> Self {
        let mut paths = vec![path.to_owned()];
        if path.is_dir() {
            paths = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
            paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
            paths.sort();
        }
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        let file = |path: &PathBuf| (name(path), fs::read_to_string(path).unwrap(), read_yaml(path));
        Self { files: paths.iter().map(file).collect() }
    }

    /// The files as they would be if a test's own facts were everybody's; as they are, where it has none.
    pub(crate) fn for_test(&self, name: &str) -> Vec<(String, String)> {
        let tests = self.files.iter().filter_map(|(.., file)| file["tests"].as_array()).flatten();
        let mut found = tests.filter(|test| test["name"] == name);
        let test = found.next().unwrap_or_else(|| panic!("there is no test `{name}`"));
        let Some(given) = test["given"].as_object().cloned() else {
            return self.files.iter().map(|(name, text, _)| (name.clone(), text.clone())).collect();
        };
        let mut files: Vec<_> =
            self.files.iter().map(|(name, _, file)| (name.clone(), without(file, &given))).collect();
        let mut own = given;
        own.insert("sidegate".to_owned(), Value::from(1));
        files.push(("zz-given.yaml".to_owned(), Value::Object(own)));
        files.into_iter().map(|(name, file)| (name, text(&file))).collect()
    }
}

/// A file without its tests and without what is given anew.
fn without(file: &Value, given: &Map<String, Value>) -> Value {
    let mut file = file.as_object().expect("a file is a mapping").clone();
    file.remove("tests");
    for (section, replaced) in given {
        match (file.get_mut(section), replaced) {
            (Some(Value::Object(old)), Value::Object(new)) if section == "defined_roles" => {
                for (scope, roles) in new {
                    let Some(Value::Object(old)) = old.get_mut(scope) else { continue };
                    old.retain(|name, _| roles.get(name).is_none());
                }
            }
            (Some(Value::Object(old)), Value::Object(new)) => old.retain(|name, _| !new.contains_key(name)),
            (Some(Value::Array(old)), Value::Array(new)) => {
                let same = |a: &Value, b: &Value| ["subject", "role", "at"].iter().all(|key| a[key] == b[key]);
                old.retain(|own| !new.iter().any(|other| same(own, other)));
            }
            _ => {}
        }
    }
    Value::Object(file)
}

/// One section a line, so that an error names one.
fn text(file: &Value) -> String {
    let sections = file.as_object().into_iter().flatten();
    sections.fold(String::new(), |text, (name, section)| format!("{text}{name}: {section}\n"))
}
