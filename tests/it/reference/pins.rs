//! The reference's versions and pins, as loading looks at them.

use sidegate::model::{Binding, DefinedRole, DefinedRule, RoleRules};

use super::book::Book;

impl<'a> Book<'a> {
    /// Whether a role written as a fact has versions just where its template wants them, and the one that is current.
    pub(super) fn is_good_role(&self, role: &DefinedRole) -> bool {
        let Some(template) = self.template(&role.name) else { return false };
        let versioned = matches!(role.rules, RoleRules::Versioned { .. });
        template.defined_at.iter().any(|kind| **kind == *role.at.kind)
            && self.resource(role.at.as_entity()).is_some()
            && template.versioned == versioned
            && role.rules.current().is_some()
    }

    /// Whether a list of somebody's own may hang on a binding, and lies inside what it was cut from.
    pub(super) fn is_good_pin(&self, binding: &Binding) -> bool {
        let Some(own) = &binding.customised else { return true };
        let customisable = match self.role(&binding.role) {
            Some(role) => role.customisable,
            None => self.template(&binding.role).is_some_and(|template| template.customisable),
        };
        let version = own.version.as_ref().map(|version| version.value);
        customisable
            && own.permissions.iter().all(|name| self.version_gives(binding, version, name))
            && (!own.permissions.is_empty() || self.has_version(binding, version))
    }

    /// Every permission that a version gives.
    pub(super) fn given(&self, binding: &Binding, version: Option<u64>) -> Vec<String> {
        let all = self
            .policy
            .types
            .iter()
            .flat_map(|kind| kind.actions.iter().map(move |action| format!("{}.{}", *kind.name, *action.name)));
        all.filter(|permission| self.version_gives(binding, version, permission)).collect()
    }

    fn has_version(&self, binding: &Binding, version: Option<u64>) -> bool {
        if self.role(&binding.role).is_some() { version.is_none() } else { self.rules_of(binding, version).is_some() }
    }

    fn version_gives(&self, binding: &Binding, version: Option<u64>, permission: &str) -> bool {
        let Some((kind, action)) = self.permission(permission) else { return false };
        if self.role(&binding.role).is_some() {
            return version.is_none() && !self.ways(binding, kind, action).is_empty();
        }
        let rules = self.rules_of(binding, version);
        rules.is_some_and(|rules| !self.defined_ways(rules, kind, action).is_empty())
    }

    /// The rules of a version; of a role without versions those it has.
    fn rules_of(&self, binding: &Binding, version: Option<u64>) -> Option<&'a [DefinedRule]> {
        let role = self.definer(&self.chain_of(binding.at.as_entity()), &binding.role)?;
        match (&role.rules, version) {
            (RoleRules::Plain(rules), None) => Some(rules),
            (RoleRules::Versioned { versions, .. }, Some(version)) => {
                versions.iter().find(|(own, _)| own.value == version).map(|(_, rules)| rules.as_slice())
            }
            _ => None,
        }
    }

    /// The version that is current; `None` for a role without versions.
    pub(super) fn current_version(&self, binding: &Binding) -> Option<u64> {
        match &self.definer(&self.chain_of(binding.at.as_entity()), &binding.role)?.rules {
            RoleRules::Plain(_) => None,
            RoleRules::Versioned { current, .. } => Some(current.value),
        }
    }
}
