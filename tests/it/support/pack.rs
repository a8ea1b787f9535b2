//! What a pack's policy declares and the shared form of cases leaves to be looked up there: by kind, never by name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::cases::read_yaml;

/// A pack, and its policy as it is written.
pub(crate) struct Pack {
    pub(crate) directory: PathBuf,
    policy: Value,
}

/// The template of roles that have versions.
pub(crate) struct Versioned<'a> {
    pub(crate) name: &'a str,
    /// The type of the scopes that define such roles.
    pub(crate) defined_at: &'a str,
    /// The type of the scopes on which they are held.
    pub(crate) at: &'a str,
}

impl Pack {
    /// Reads it.
    pub(crate) fn read(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), policy: read_yaml(&directory.join("policy.yaml")) }
    }

    /// One that is nothing but a policy.
    pub(crate) fn of(policy: Value) -> Self {
        Self { directory: PathBuf::new(), policy }
    }

    /// The parameters that the actions of a type declare, with the types that are written for them.
    pub(crate) fn parameters(&self, kind: &str, action: Option<&str>) -> BTreeMap<&str, &str> {
        let body = &self.policy["types"][kind];
        let shape = body["shape"].as_str().map_or(&Value::Null, |shape| &self.policy["shapes"][shape]);
        let actions = [&shape["actions"], &body["actions"]].into_iter().filter_map(Value::as_object).flatten();
        let asked = actions.filter(|(name, _)| action.is_none_or(|action| action == *name));
        let parameters = asked.filter_map(|(_, details)| details["parameters"].as_object()).flatten();
        parameters.map(|(name, form)| (name.as_str(), written_type(form))).collect()
    }

    /// The only class of seats, if there is exactly one.
    pub(crate) fn seat_class(&self) -> Option<&str> {
        let mut classes = self.policy["seats"].as_object()?.keys();
        classes.next().filter(|_| classes.next().is_none()).map(String::as_str)
    }

    /// The only template of roles that have versions, if there is exactly one.
    pub(crate) fn versioned(&self) -> Option<Versioned<'_>> {
        let templates = self.policy["role_templates"].as_object().into_iter().flat_map(Map::iter);
        let mut versioned = templates.filter(|(_, body)| body["versioned"] == true);
        let (name, body) = versioned.next().filter(|_| versioned.next().is_none())?;
        Some(Versioned { name, defined_at: body["defined_at"].as_str()?, at: body["at"].as_str()? })
    }
}

/// A parameter's type: written alone, or in a mapping.
fn written_type(form: &Value) -> &str {
    form.as_str().or_else(|| form["type"].as_str()).unwrap_or_else(|| panic!("a parameter without a type: {form}"))
}
