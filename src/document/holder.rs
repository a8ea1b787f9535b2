//! The shape of "who": holders of roles, owners of credentials, and credential types themselves.

use super::decode::{Decode, Entries, Many, OrEmpty, Turned, documents, nouns};
use super::node::Node;
use super::permission::MayDoc;
use super::sink::Sink;
use super::text::{Name, plain, plain_all};
use super::vocabulary::{AttributeForm, attributes};
use crate::model::{CredentialScope, CredentialType, Holder, Literal, Spanned};

/// Names, each with the values of which one must be equal.
type ValuesDoc = Entries<Name, Many<Spanned<Literal>, 1>>;

documents! {
    /// A subject type whose subjects must have these values.
    HolderDoc {
        kind = "type": Spanned<Name>,
        when = "where": Option<ValuesDoc>,
    }

    /// A kind of credential.
    CredentialTypeDoc {
        owners = "owners": Many<HolderForm, 1>,
        attributes = "attributes": Option<Entries<Name, AttributeForm>>,
        demands = "demands": Option<Many<Spanned<Name>, 1>>,
        scopes = "scopes": Option<Entries<Name, OrEmpty<ScopeDoc>>>,
    }

    /// What a credential may be limited to.
    ScopeDoc {
        context = "context": Option<ValuesDoc>,
        allow = "allow": Option<Many<Turned<MayDoc>>>,
        owners = "owners": Option<Many<HolderForm, 1>>,
    }
}

/// A type, or a type with the values that its subjects must have.
#[derive(Debug)]
pub(super) struct HolderForm(Holder);

impl Decode for HolderForm {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        if node.text().is_some() {
            let kind = Spanned::<Name>::decode(node, sink)?;
            return Some(Self(Holder { kind: plain(kind), when: Vec::new() }));
        }
        let HolderDoc { kind, when } = HolderDoc::decode(node, sink)?;
        Some(Self(Holder { kind: plain(kind), when: values(when) }))
    }
}

/// The holders of a list that may be left out.
pub(super) fn holders<const MIN: usize>(forms: Option<Many<HolderForm, MIN>>) -> Vec<Holder> {
    Many::or_none(forms).into_iter().map(|form| form.0).collect()
}

fn values(entries: Option<ValuesDoc>) -> Vec<(Spanned<String>, Vec<Spanned<Literal>>)> {
    Entries::or_none(entries).into_iter().map(|(name, values)| (plain(name), values.0)).collect()
}

impl CredentialTypeDoc {
    pub(super) fn into_credential_type(self, name: Spanned<String>) -> CredentialType {
        let scopes = Entries::or_none(self.scopes).into_iter();
        CredentialType {
            name,
            owners: holders(Some(self.owners)),
            attributes: attributes(self.attributes),
            demands: plain_all(Many::or_none(self.demands)),
            scopes: scopes.map(|(name, doc)| doc.0.into_scope(plain(name))).collect(),
        }
    }
}

impl ScopeDoc {
    fn into_scope(self, name: Spanned<String>) -> CredentialScope {
        CredentialScope {
            name,
            context: values(self.context),
            allow: self.allow.map(|rules| nouns(rules.0)),
            owners: holders(self.owners),
        }
    }
}
