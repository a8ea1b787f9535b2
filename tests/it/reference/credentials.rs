//! The reference's credentials: what their scope covers, and whether loading takes them.

use sidegate::model::{Action, Credential, CredentialScope};

use super::book::{Book, named};
use super::condition::all;
use super::values::written;
use super::{Object, World};

impl<'a> World<'a> {
    /// Whether the scope of the credential that asks covers the question; it does where none asks.
    pub(super) fn is_covered(&self, object: &Object<'a>, action: &Action) -> Option<bool> {
        let Some((credential, kind)) = self.credential().zip(self.credential_type()) else { return Some(true) };
        let permission = format!("{}.{}", *object.kind.name, *action.name);
        let scopes = credential.scopes.iter().filter_map(|name| named(&kind.scopes, name, |scope| &scope.name));
        let none_covers = all(scopes.map(|scope| self.covers(scope, object, action).map(|covers| !covers)));
        let by_scopes = if credential.scopes.is_empty() { Some(true) } else { none_covers.map(|none| !none) };
        let within = credential.within.is_empty() || credential.within.iter().any(|scope| object.is_within(scope));
        let listed = credential.permissions.as_ref().is_none_or(|list| list.iter().any(|own| **own == *permission));
        all([by_scopes, Some(within), Some(listed)])
    }

    fn covers(&self, scope: &CredentialScope, object: &Object<'a>, action: &Action) -> Option<bool> {
        let context = scope.context.iter().map(|(key, values)| {
            let declared = named(&self.policy.context, key, |own| &own.name).expect("a declared key");
            let value = self.look_up(&["context", key], object, action).known()?;
            Some(values.iter().any(|wanted| written(&declared.value_type, wanted).as_ref() == Some(&value)))
        });
        let allows = scope.allow.as_ref().is_none_or(|rules| {
            rules.iter().any(|rule| self.gives(&rule.on, &rule.except, &rule.grants, object.kind, action))
        });
        all(context.chain([Some(allows)]))
    }
}

impl Book<'_> {
    pub(super) fn is_good_credential(&self, credential: &Credential) -> bool {
        let Some(kind) = named(&self.policy.credential_types, &credential.name.kind, |kind| &kind.name) else {
            return false;
        };
        let owner = &credential.owner.value;
        let alone = self.facts.credentials.iter().filter(|other| other.name == credential.name).count() == 1;
        let fits = |scope: &CredentialScope| scope.owners.is_empty() || self.fits(owner, &scope.owners);
        alone
            && self.is_subject(owner)
            && self.fits(owner, &kind.owners)
            && (kind.scopes.is_empty() || !credential.scopes.is_empty())
            && credential.scopes.iter().all(|name| named(&kind.scopes, name, |scope| &scope.name).is_some_and(fits))
            && credential.within.iter().all(|scope| self.resource(scope.as_entity()).is_some())
            && credential.permissions.iter().flatten().all(|name| self.permission(name).is_some())
    }
}
