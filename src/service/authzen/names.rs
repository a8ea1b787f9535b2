//! Names that callers use and the policy does not: translated on the way in, and back on the way out.
//!
//! A policy's own names are few and plain; an application may call a resource type like a type of subjects, an action
//! `GET`, or say of an action what the policy reads from the context.

use std::fmt;

use crate::{model::Malformed, service::proto::v1};

/// What callers call by other names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(Vec<Renamed>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Renamed {
    what: What,
    theirs: String,
    ours: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    ResourceType,
    Action,
    /// A property of an action that is a context key here.
    ActionProperty,
}

const FORMS: [(What, &str, &str); 3] = [
    (What::ResourceType, "resource.type:", ""),
    (What::Action, "action.name:", ""),
    (What::ActionProperty, "action.properties.", "context."),
];

/// Not such names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be pairs such as `resource.type:user=profile`, `action.name:GET=get` or `action.properties.soft=context.soft`, \
     with commas between them and no name twice"
)]
pub struct NotNames;

impl Names {
    /// Reads pairs with commas between them.
    ///
    /// # Errors
    /// They are not of that form, or not one to one.
    pub fn parse(text: &str) -> Result<Self, NotNames> {
        let mut names = Vec::new();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let renamed = Renamed::parse(pair).ok_or(NotNames)?;
            let is_taken = |known: &Renamed| {
                known.what == renamed.what && (known.theirs == renamed.theirs || known.ours == renamed.ours)
            };
            if names.iter().any(is_taken) {
                return Err(NotNames);
            }
            names.push(renamed);
        }
        Ok(Self(names))
    }

    /// A question in the policy's names.
    pub(super) fn question(&self, question: &mut v1::AuthorizeRequest) -> Result<(), Malformed> {
        self.resource(&mut question.resource);
        let Some(action) = &mut question.action else { return Ok(()) };
        self.action(action, &mut question.context)
    }

    /// A resource in the policy's names.
    pub(super) fn resource(&self, resource: &mut Option<v1::Resource>) {
        let Some(v1::Resource { r#type, parent, .. }) = resource else { return };
        self.resource_type(r#type);
        self.entity(parent);
    }

    /// A scope in the policy's names.
    pub(super) fn entity(&self, entity: &mut Option<v1::Entity>) {
        if let Some(v1::Entity { r#type, .. }) = entity {
            self.resource_type(r#type);
        }
    }

    /// A type of resources in the policy's names.
    pub(super) fn resource_type(&self, name: &mut String) {
        self.ours(What::ResourceType, name);
    }

    /// An action in the policy's names.
    pub(super) fn action(
        &self,
        action: &mut v1::Action,
        context: &mut std::collections::BTreeMap<String, v1::Value>,
    ) -> Result<(), Malformed> {
        self.ours(What::Action, &mut action.name);
        for Renamed { theirs, ours, .. } in self.0.iter().filter(|renamed| renamed.what == What::ActionProperty) {
            let Some(value) = action.properties.remove(theirs) else { continue };
            if context.insert(ours.clone(), value).is_some() {
                return Err(Malformed::new(
                    format!("context.{ours}"),
                    format!("is given twice: `action.properties.{theirs}` is the same"),
                ));
            }
        }
        Ok(())
    }

    /// A type of resources in the caller's names.
    pub(super) fn shown_type(&self, name: &mut String) {
        self.theirs(What::ResourceType, name);
    }

    /// An action in the caller's names.
    pub(super) fn shown_action(&self, name: &mut String) {
        self.theirs(What::Action, name);
    }

    fn ours(&self, what: What, name: &mut String) {
        if let Some(renamed) = self.0.iter().find(|renamed| renamed.what == what && renamed.theirs == *name) {
            name.clone_from(&renamed.ours);
        }
    }

    fn theirs(&self, what: What, name: &mut String) {
        if let Some(renamed) = self.0.iter().find(|renamed| renamed.what == what && renamed.ours == *name) {
            name.clone_from(&renamed.theirs);
        }
    }
}

impl Renamed {
    fn parse(pair: &str) -> Option<Self> {
        let (theirs, ours) = pair.split_once('=')?;
        let (theirs, ours) = (theirs.trim(), ours.trim());
        let form = |(what, before, behind): (What, &str, &str)| {
            Some((what, theirs.strip_prefix(before)?, ours.strip_prefix(behind)?))
        };
        let (what, theirs, ours) = FORMS.into_iter().find_map(form)?;
        let fits = !theirs.is_empty() && !ours.is_empty() && !ours.contains('=');
        fits.then(|| Self { what, theirs: theirs.to_owned(), ours: ours.to_owned() })
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Renamed { what, theirs, ours }) in self.0.iter().enumerate() {
            let form = FORMS.into_iter().find(|(form, ..)| form == what);
            let (before, behind) = form.map_or_else(Default::default, |(_, before, behind)| (before, behind));
            let comma = if number == 0 { "" } else { ", " };
            write!(f, "{comma}{before}{theirs}={behind}{ours}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn pairs_are_read_and_written_back() {
        let text = "resource.type:user=profile, action.name:GET=get, action.properties.soft=context.soft";
        assert_eq!(Names::parse(text).map(|names| names.to_string()).as_deref(), Ok(text));
        assert_eq!(Names::parse(" , "), Ok(Names::default()));
        let bad = [
            "user=profile",
            "resource.type:user",
            "resource.type:=profile",
            "resource.type:user=",
            "action.properties.soft=soft",
            "action.name:GET=get, action.name:GET=read",
            "action.name:GET=get, action.name:HEAD=get",
            "action.name:a=b=c",
        ];
        for bad in bad {
            assert!(Names::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_goes_there_and_back() {
        let names = Names::parse("resource.type:user=profile, action.name:GET=get").unwrap();
        let mut name = "user".to_owned();
        names.resource_type(&mut name);
        assert_eq!(name, "profile");
        names.shown_type(&mut name);
        assert_eq!(name, "user");
        names.resource_type(&mut "GET".to_owned());
        let mut action = "get".to_owned();
        names.shown_action(&mut action);
        assert_eq!(action, "GET");
    }
}
