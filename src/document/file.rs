//! The shape of one YAML file: every section that it may hold.

use super::case::CaseDoc;
use super::decode::{Decode, Entries, Many, OrEmpty, Turned, documents};
use super::fact::{BindingDoc, BlockDoc, CredentialDoc, GroupDoc, ResourceDoc, RoleForm, SubjectDoc};
use super::holder::CredentialTypeDoc;
use super::http::HttpDoc;
use super::node::Node;
use super::permission::{ExclusiveDoc, ForbidDoc, RoleDoc, SeatsDoc, TemplateDoc};
use super::sink::{Sink, quote};
use super::text::{ActionName, Id, Name, TypeName};
use super::vocabulary::{AttributeForm, GroupTypeDoc, ShapeDoc, SubjectTypeDoc, TypeDoc};
use crate::model::{EntityName, Spanned};

documents! {
    /// One YAML file of a Sidegate policy.
    FileDoc {
        version = "sidegate": Version,
        sequence = "sequence": Option<Spanned<u64>>,
        strict_properties = "strict_properties": Option<Spanned<bool>>,
        subject_types = "subject_types": Option<Entries<TypeName, OrEmpty<SubjectTypeDoc>>>,
        group_types = "group_types": Option<Entries<TypeName, GroupTypeDoc>>,
        credential_types = "credential_types": Option<Entries<TypeName, CredentialTypeDoc>>,
        context = "context": Option<Entries<Name, AttributeForm>>,
        levels = "levels": Option<Spanned<Vec<Spanned<Name>>>>,
        governors = "governors": Option<Entries<Name, OrEmpty<Many<Spanned<Id>>>>>,
        operations = "operations": Option<Entries<ActionName, Many<Spanned<Name>>>>,
        classes = "classes": Option<Entries<TypeName, Many<Spanned<Name>>>>,
        shapes = "shapes": Option<Entries<Name, OrEmpty<ShapeDoc>>>,
        types = "types": Option<Entries<TypeName, OrEmpty<TypeDoc>>>,
        roles = "roles": Option<Entries<Name, RoleDoc>>,
        role_templates = "role_templates": Option<Entries<Name, TemplateDoc>>,
        exclusive = "exclusive": Option<Entries<Name, ExclusiveDoc>>,
        forbids = "forbids": Option<Entries<Id, ForbidDoc>>,
        seats = "seats": Option<Entries<Name, SeatsDoc>>,
        http = "http": Option<HttpDoc>,
        subjects = "subjects": Option<Entries<EntityName, OrEmpty<SubjectDoc>>>,
        groups = "groups": Option<Entries<EntityName, OrEmpty<GroupDoc>>>,
        credentials = "credentials": Option<Entries<EntityName, CredentialDoc>>,
        resources = "resources": Option<Entries<EntityName, OrEmpty<ResourceDoc>>>,
        defined_roles = "defined_roles": Option<Entries<EntityName, Entries<Id, RoleForm>>>,
        bindings = "bindings": Option<Vec<Turned<BindingDoc>>>,
        blocks = "blocks": Option<Entries<Id, BlockDoc>>,
        /// Tests of the policy; no part of a snapshot.
        tests = "tests": Option<Vec<Turned<CaseDoc>>>,
    }
}

/// The version of the language: `1`.
#[derive(Debug)]
pub(super) struct Version;

impl Decode for Version {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        match node.digits() {
            Some("1") => return Some(Self),
            Some(digits) => {
                let message = format!("version {} of the language is not known", quote(digits));
                sink.error_with(node.at, message, "this Sidegate reads version 1: write `sidegate: 1`");
            }
            None => sink.error_with(node.at, "the version of the language must be `1`", "write `sidegate: 1`"),
        }
        None
    }
}

/// Whether the file says that it is in this version of the language; reported where not, and then nothing else in it
/// is worth reading: another version's keys would only be called unknown.
pub(super) fn is_current(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<()> {
    let entries = super::decode::mapping(node, sink)?;
    if let Some(entry) = entries.iter().find(|entry| entry.key == "sidegate") {
        return Version::decode(&entry.value, sink).map(|Version| ());
    }
    let first = entries.first().map_or(node.at, |entry| entry.at);
    sink.error_with(first, "the key `sidegate` is missing", "begin every policy file with `sidegate: 1`");
    None
}
