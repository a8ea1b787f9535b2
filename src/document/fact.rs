//! The shape of facts: as sections of a YAML file, and as lines of JSON. Both become the same nouns.

use super::decode::{Decode, Entries, FromText, Many, OrEmpty, Turn, documents, mapping, refuse, unknown_key};
use super::node::Node;
use super::permission::{ActionNames, grants, grants_or_all, lifetime};
use super::sink::{Sink, quote};
use super::suggest;
use super::text::{Id, Name, plain, plain_all};
use crate::model::{
    Attributes, Binding, BindingHolder, Block, Credential, Customised, DefinedRole, DefinedRule, EntityName, Facts,
    Group, Literal, Position, Resource, RoleRules, Spanned, Subject, Term, TermOperator, TermScope, Timestamp,
};

/// Attribute names with their values.
pub(super) type AttributesDoc = Entries<Name, Spanned<Literal>>;

/// The levels that a binding sets, by governor.
pub(super) type LevelsDoc = Entries<Id, Spanned<Name>>;

/// What a tenant's role gives, by type.
pub(super) type RulesDoc = Entries<Name, DefinedRuleDoc>;

documents! {
    /// A subject.
    SubjectDoc {
        attributes = "attributes": Option<AttributesDoc>,
        disabled = "disabled": Option<bool>,
    }

    /// A group.
    GroupDoc {
        members = "members": Option<Many<Spanned<EntityName>>>,
        disabled = "disabled": Option<bool>,
    }

    /// A credential.
    CredentialDoc {
        owner = "owner": Spanned<EntityName>,
        scopes = "scopes": Option<Many<Spanned<Name>, 1>>,
        within = "within": Option<Many<Spanned<EntityName>, 1>>,
        permissions = "permissions": Option<Vec<Spanned<Id>>>,
        attributes = "attributes": Option<AttributesDoc>,
        disabled = "disabled": Option<bool>,
        not_before = "not_before": Option<Spanned<Timestamp>>,
        expires = "expires": Option<Spanned<Timestamp>>,
    }

    /// A tenant's role that has versions.
    VersionedDoc {
        current = "current": Spanned<u64>,
        versions = "versions": Entries<VersionNumber, OrEmpty<RulesDoc>>,
    }

    /// The list of its own that a holder's rights are narrowed to.
    CustomisedDoc {
        version = "version": Option<Spanned<u64>>,
        permissions = "permissions": Vec<Spanned<Id>>,
    }

    /// A resource.
    ResourceDoc {
        parent = "parent": Option<Spanned<EntityName>>,
        attributes = "attributes": Option<AttributesDoc>,
    }

    /// What a tenant's role gives on one type.
    DefinedRuleDoc {
        actions = "actions": Option<ActionNames>,
        operations = "operations": Option<Many<Spanned<Name>>>,
        when = "when": Option<Entries<Name, Vec<TermDoc>>>,
    }

    /// Who holds which role where.
    BindingDoc {
        subject = "subject": Spanned<BindingHolder>,
        role = "role": Option<Spanned<Id>>,
        at = "at": Spanned<EntityName>,
        levels = "levels": Option<LevelsDoc>,
        customised = "customised": Option<CustomisedDoc>,
        not_before = "not_before": Option<Spanned<Timestamp>>,
        expires = "expires": Option<Spanned<Timestamp>>,
        disabled = "disabled": Option<bool>,
    }

    /// A prohibition written as a fact.
    BlockDoc {
        subject = "subject": Option<Spanned<BindingHolder>>,
        at = "at": Option<Spanned<EntityName>>,
        on = "on": Option<Many<Spanned<Name>, 1>>,
        actions = "actions": Option<ActionNames>,
        operations = "operations": Option<Many<Spanned<Name>>>,
        not_before = "not_before": Option<Spanned<Timestamp>>,
        expires = "expires": Option<Spanned<Timestamp>>,
    }

    /// A line that is a subject.
    SubjectLine {
        kind = "kind": SubjectKind,
        id = "id": Spanned<EntityName>,
        attributes = "attributes": Option<AttributesDoc>,
        disabled = "disabled": Option<bool>,
    }

    /// A line that is a group.
    GroupLine {
        kind = "kind": GroupKind,
        id = "id": Spanned<EntityName>,
        members = "members": Option<Many<Spanned<EntityName>>>,
        disabled = "disabled": Option<bool>,
    }

    /// A line that is a credential.
    CredentialLine {
        kind = "kind": CredentialKind,
        id = "id": Spanned<EntityName>,
        owner = "owner": Spanned<EntityName>,
        scopes = "scopes": Option<Many<Spanned<Name>, 1>>,
        within = "within": Option<Many<Spanned<EntityName>, 1>>,
        permissions = "permissions": Option<Vec<Spanned<Id>>>,
        attributes = "attributes": Option<AttributesDoc>,
        disabled = "disabled": Option<bool>,
        not_before = "not_before": Option<Spanned<Timestamp>>,
        expires = "expires": Option<Spanned<Timestamp>>,
    }

    /// A line that is a resource.
    ResourceLine {
        kind = "kind": ResourceKind,
        id = "id": Spanned<EntityName>,
        parent = "parent": Option<Spanned<EntityName>>,
        attributes = "attributes": Option<AttributesDoc>,
    }

    /// A line that is a tenant's role.
    RoleLine {
        kind = "kind": RoleKind,
        at = "at": Spanned<EntityName>,
        name = "name": Spanned<Id>,
        rules = "rules": Option<RulesDoc>,
        current = "current": Option<Spanned<u64>>,
        versions = "versions": Option<Entries<VersionNumber, OrEmpty<RulesDoc>>>,
    }

    /// A line that is a binding.
    BindingLine {
        kind = "kind": BindingKind,
        subject = "subject": Spanned<BindingHolder>,
        role = "role": Option<Spanned<Id>>,
        at = "at": Spanned<EntityName>,
        levels = "levels": Option<LevelsDoc>,
        customised = "customised": Option<CustomisedDoc>,
        not_before = "not_before": Option<Spanned<Timestamp>>,
        expires = "expires": Option<Spanned<Timestamp>>,
        disabled = "disabled": Option<bool>,
    }

    /// A line that is a block.
    BlockLine {
        kind = "kind": BlockKind,
        id = "id": Spanned<Id>,
        subject = "subject": Option<Spanned<BindingHolder>>,
        at = "at": Option<Spanned<EntityName>>,
        on = "on": Option<Many<Spanned<Name>, 1>>,
        actions = "actions": Option<ActionNames>,
        operations = "operations": Option<Many<Spanned<Name>>>,
        not_before = "not_before": Option<Spanned<Timestamp>>,
        expires = "expires": Option<Spanned<Timestamp>>,
    }

    /// A line about the snapshot itself.
    SnapshotLine {
        kind = "kind": SnapshotKind,
        sequence = "sequence": Spanned<u64>,
    }
}

/// Declares the value of `kind` of each sort of line. Which it is was settled before the line is read.
macro_rules! kinds {
    ($($name:ident = $word:literal)*) => {$(
        /// The value of `kind`.
        #[derive(Debug)]
        pub(super) struct $name;

        impl $name {
            pub(super) const WORD: &'static str = $word;
        }

        impl Decode for $name {
            fn decode(_: &Node<'_>, _: &mut Sink<'_>) -> Option<Self> {
                Some(Self)
            }
        }
    )*};
}

kinds! {
    SubjectKind = "subject"
    GroupKind = "group"
    CredentialKind = "credential"
    ResourceKind = "resource"
    RoleKind = "role"
    BindingKind = "binding"
    BlockKind = "block"
    SnapshotKind = "snapshot"
}

/// Every value of `kind`.
const KINDS: [&str; 8] = [
    SubjectKind::WORD,
    GroupKind::WORD,
    CredentialKind::WORD,
    ResourceKind::WORD,
    RoleKind::WORD,
    BindingKind::WORD,
    BlockKind::WORD,
    SnapshotKind::WORD,
];

/// The number of a version, as a key.
#[derive(Debug)]
pub(super) struct VersionNumber(u64);

impl FromText for VersionNumber {
    const WANTED: &'static str = "the number of a version";

    fn from_text(text: &str, at: Position, sink: &mut Sink<'_>) -> Option<Self> {
        let number = text.parse().ok().filter(|number: &u64| number.to_string() == text);
        if number.is_none() {
            sink.error_with(at, format!("{} is not the number of a version", quote(text)), "write a number, like `3`");
        }
        number.map(Self)
    }
}

/// A tenant's role: its rules by type, or its versions.
#[derive(Debug)]
pub(super) enum RoleForm {
    Plain(RulesDoc),
    Versioned(VersionedDoc),
}

impl Decode for RoleForm {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        let is_versioned = |key: &str| key == "versions" || key == "current";
        if node.entries().is_some_and(|entries| entries.iter().any(|entry| is_versioned(&entry.key))) {
            return VersionedDoc::decode(node, sink).map(Self::Versioned);
        }
        OrEmpty::<RulesDoc>::decode(node, sink).map(|rules| Self::Plain(rules.0))
    }
}

/// One comparison of a tenant's role. How many operators it may have is not ours to say.
#[derive(Debug)]
pub(super) struct TermDoc(Term);

impl Decode for TermDoc {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        let (mut attribute, mut operators, mut whole) = (None, Vec::new(), true);
        for entry in mapping(node, sink)? {
            let value = &entry.value;
            let operator = sink.within(&entry.key, |sink| match entry.key.as_ref() {
                "attr" => {
                    attribute = Spanned::<Id>::decode(value, sink);
                    None
                }
                "eq" => Spanned::decode(value, sink).map(TermOperator::Eq),
                "ne" => Spanned::decode(value, sink).map(TermOperator::Ne),
                "in" => Vec::decode(value, sink).map(TermOperator::In),
                "eq_attr" => Spanned::<Id>::decode(value, sink).map(|path| TermOperator::EqAttribute(plain(path))),
                _ => None,
            });
            match entry.key.as_ref() {
                "attr" => {}
                "eq" | "ne" | "in" | "eq_attr" => match operator {
                    Some(operator) => operators.push((entry.at, operator)),
                    None => whole = false,
                },
                _ => unknown_key(entry, &["attr", "eq", "ne", "in", "eq_attr"], sink),
            }
        }
        if attribute.is_none() && mapping(node, sink)?.iter().all(|entry| entry.key != "attr") {
            sink.error(node.at, "the key `attr` is missing");
        }
        let attribute = plain(attribute?);
        whole.then_some(Self(Term { attribute, operators }))
    }
}

pub(super) fn attributes(entries: Option<AttributesDoc>) -> Attributes {
    Entries::or_none(entries).into_iter().map(|(name, value)| (plain(name), value)).collect()
}

fn levels(entries: Option<LevelsDoc>) -> Vec<(Spanned<String>, Spanned<String>)> {
    Entries::or_none(entries).into_iter().map(|(path, level)| (plain(path), plain(level))).collect()
}

impl SubjectDoc {
    pub(super) fn into_subject(self, name: Spanned<EntityName>) -> Subject {
        Subject { name, attributes: attributes(self.attributes), disabled: self.disabled.unwrap_or(false) }
    }
}

impl ResourceDoc {
    pub(super) fn into_resource(self, name: Spanned<EntityName>) -> Resource {
        Resource { name, parent: self.parent, attributes: attributes(self.attributes) }
    }
}

/// A tenant's role from its parts.
pub(super) fn defined_role(
    at: Spanned<EntityName>,
    name: Spanned<Id>,
    form: RoleForm,
    sink: &mut Sink<'_>,
) -> DefinedRole {
    let rules = match form {
        RoleForm::Plain(doc) => RoleRules::Plain(rules(doc, sink)),
        RoleForm::Versioned(VersionedDoc { current, versions }) => {
            let versions = versions.0.into_iter().map(|(version, doc)| {
                let rules = sink.within(&version.value.0.to_string(), |sink| rules(doc.0, sink));
                (Spanned::new(version.value.0, version.at), rules)
            });
            RoleRules::Versioned { current, versions: versions.collect() }
        }
    };
    DefinedRole { at, name: plain(name), rules }
}

fn rules(doc: RulesDoc, sink: &mut Sink<'_>) -> Vec<DefinedRule> {
    let mut all = Vec::with_capacity(doc.0.len());
    for (on, rule) in doc.0 {
        match sink.within(&on.value.0.clone(), |sink| rule.into_rule(on, sink)) {
            Some(rule) => all.push(rule),
            None => sink.fail(),
        }
    }
    all
}

impl GroupDoc {
    pub(super) fn into_group(self, name: Spanned<EntityName>) -> Group {
        Group { name, members: Many::or_none(self.members), disabled: self.disabled.unwrap_or(false) }
    }
}

impl CredentialDoc {
    pub(super) fn into_credential(self, name: Spanned<EntityName>, sink: &mut Sink<'_>) -> Credential {
        Credential {
            name,
            owner: self.owner,
            scopes: plain_all(Many::or_none(self.scopes)),
            within: Many::or_none(self.within),
            permissions: self.permissions.map(plain_all),
            attributes: attributes(self.attributes),
            disabled: self.disabled.unwrap_or(false),
            lifetime: lifetime(self.not_before, self.expires, sink),
        }
    }
}

impl DefinedRuleDoc {
    fn into_rule(self, on: Spanned<Name>, sink: &mut Sink<'_>) -> Option<DefinedRule> {
        let scope = |name: Spanned<Name>| {
            let scope = if name.value.0 == "all" { TermScope::All } else { TermScope::Named(name.value.0) };
            Spanned::new(scope, name.at)
        };
        let when = Entries::or_none(self.when).into_iter();
        Some(DefinedRule {
            grants: grants(self.actions, self.operations, on.at, sink)?,
            on: plain(on),
            when: when.map(|(name, terms)| (scope(name), terms.into_iter().map(|term| term.0).collect())).collect(),
        })
    }
}

impl Turn for BindingDoc {
    type Noun = Binding;

    fn turn(self, position: Position, sink: &mut Sink<'_>) -> Option<Binding> {
        Some(Binding {
            position,
            subject: self.subject,
            // That a binding names no role is for loading to say: it knows how to name the rest.
            role: self.role.map_or_else(|| Spanned::new(String::new(), position), plain),
            at: self.at,
            levels: levels(self.levels),
            customised: self
                .customised
                .map(|list| Customised { version: list.version, permissions: plain_all(list.permissions) }),
            lifetime: lifetime(self.not_before, self.expires, sink),
            disabled: self.disabled.unwrap_or(false),
        })
    }
}

impl BlockDoc {
    pub(super) fn into_block(self, id: Spanned<Id>, sink: &mut Sink<'_>) -> Option<Block> {
        let lifetime = lifetime(self.not_before, self.expires, sink);
        let grants = grants_or_all(self.actions, self.operations, id.at, sink)?;
        let on = plain_all(Many::or_none(self.on));
        Some(Block { id: plain(id), subject: self.subject, at: self.at, on, grants, lifetime })
    }
}

/// Reads one line of JSON into the facts; `None` after a report.
pub(super) fn line(node: &Node<'_>, sink: &mut Sink<'_>, facts: &mut Facts) -> Option<()> {
    let entries = mapping(node, sink)?;
    let Some(kind) = entries.iter().find(|entry| entry.key == "kind") else {
        sink.error_with(node.at, "the key `kind` is missing", suggest::help("", KINDS));
        return None;
    };
    let Some(word) = kind.value.text() else { return refuse(&kind.value, "a kind of fact", sink) };
    match word {
        SubjectKind::WORD => {
            let SubjectLine { kind: SubjectKind, id, attributes, disabled } = Decode::decode(node, sink)?;
            facts.subjects.push(SubjectDoc { attributes, disabled }.into_subject(id));
        }
        ResourceKind::WORD => {
            let ResourceLine { kind: ResourceKind, id, parent, attributes } = Decode::decode(node, sink)?;
            facts.resources.push(ResourceDoc { parent, attributes }.into_resource(id));
        }
        GroupKind::WORD => {
            let GroupLine { kind: GroupKind, id, members, disabled } = Decode::decode(node, sink)?;
            facts.groups.push(GroupDoc { members, disabled }.into_group(id));
        }
        CredentialKind::WORD => {
            let line: CredentialLine = Decode::decode(node, sink)?;
            let CredentialLine { kind: CredentialKind, id, owner, scopes, within, permissions, .. } = line;
            let CredentialLine { attributes, disabled, not_before, expires, .. } = line;
            let doc = CredentialDoc { owner, scopes, within, permissions, attributes, disabled, not_before, expires };
            facts.credentials.push(doc.into_credential(id, sink));
        }
        RoleKind::WORD => {
            let RoleLine { kind: RoleKind, at, name, rules, current, versions } = Decode::decode(node, sink)?;
            let form = match (rules, current, versions) {
                (Some(rules), None, None) => RoleForm::Plain(rules),
                (None, Some(current), Some(versions)) => RoleForm::Versioned(VersionedDoc { current, versions }),
                _ => {
                    let help = "a role has `rules`, or `versions` and the `current` one";
                    sink.error_with(node.at, "the role has neither rules nor versions, or both", help);
                    return None;
                }
            };
            facts.roles.push(defined_role(at, name, form, sink));
        }
        BindingKind::WORD => {
            let line: BindingLine = Decode::decode(node, sink)?;
            let BindingLine { kind: BindingKind, subject, role, at, levels, customised, .. } = line;
            let BindingLine { not_before, expires, disabled, .. } = line;
            let binding = BindingDoc { subject, role, at, levels, customised, not_before, expires, disabled };
            facts.bindings.push(binding.turn(node.at, sink)?);
        }
        BlockKind::WORD => {
            let BlockLine { kind: BlockKind, id, subject, at, on, actions, operations, not_before, expires } =
                Decode::decode(node, sink)?;
            let block = BlockDoc { subject, at, on, actions, operations, not_before, expires };
            facts.blocks.push(block.into_block(id, sink)?);
        }
        SnapshotKind::WORD => {
            let SnapshotLine { kind: SnapshotKind, sequence } = Decode::decode(node, sink)?;
            super::once("sequence", &mut facts.sequence, sequence, sink);
        }
        other => {
            let message = format!("{} is not a kind of fact", quote(other));
            sink.error_with(kind.value.at, message, suggest::help(other, KINDS));
            return None;
        }
    }
    Some(())
}
