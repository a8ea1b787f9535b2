//! Joins what all files say: sections split over files, names defined twice, shapes folded into the types that name
//! them. What names mean is not looked at here.

use std::cmp::Ordering;
use std::fmt::{self, Display};

use super::decode::{Entries, Many, OrEmpty, Turned, nouns};
use super::fact::{BindingDoc, BlockDoc, CredentialDoc, GroupDoc, ResourceDoc, RoleForm, SubjectDoc, defined_role};
use super::file::{FileDoc, Version};
use super::http::Once;
use super::permission::PER_BINDING;
use super::shape::{Shape, fold};
use super::sink::{Sink, quote};
use super::text::{Id, Name, plain, plain_all};
use super::vocabulary::TypeDoc;
use crate::model::{Case, Class, DefinedRole, Entity, EntityName, Facts, Operation, Policy, Position, Spanned, order};

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) policy: Policy,
    pub(super) facts: Facts,
    cases: Vec<Case>,
    strict: Option<Spanned<bool>>,
    levels: Option<Spanned<Vec<Spanned<Name>>>>,
    http: Once,
    shapes: Vec<Shape>,
    types: Vec<(Spanned<String>, TypeDoc)>,
    /// Whether something could not be read, so that a name that seems unknown may only be unread.
    pub(super) has_gaps: bool,
    /// Whether plain bindings are to be kept small.
    packs: bool,
}

/// The sections that hold facts, of a file or of a test.
pub(super) struct FactSections {
    pub(super) subjects: Option<Entries<EntityName, OrEmpty<SubjectDoc>>>,
    pub(super) groups: Option<Entries<EntityName, OrEmpty<GroupDoc>>>,
    pub(super) credentials: Option<Entries<EntityName, CredentialDoc>>,
    pub(super) resources: Option<Entries<EntityName, OrEmpty<ResourceDoc>>>,
    pub(super) defined_roles: Option<Entries<EntityName, Entries<Id, RoleForm>>>,
    pub(super) bindings: Vec<Turned<BindingDoc>>,
    pub(super) blocks: Option<Entries<Id, BlockDoc>>,
}

impl Gathered {
    /// Nothing yet, for facts that are compiled and not looked at otherwise.
    pub(super) fn packing() -> Self {
        Self { packs: true, ..Self::default() }
    }

    /// Keeps the last binding small, if that is wanted and it is plain.
    pub(super) fn pack(&mut self) {
        let last = if self.packs { self.facts.bindings.pop() } else { None };
        if let Some(Err(other)) = last.map(|last| self.facts.plain.keep(last)) {
            self.facts.bindings.push(*other);
        }
    }

    /// Adds one YAML file.
    pub(super) fn add(&mut self, file: FileDoc, sink: &mut Sink<'_>) {
        let Version = file.version;
        if let Some(sequence) = file.sequence {
            once("sequence", &mut self.facts.sequence, sequence, sink);
        }
        if let Some(strict) = file.strict_properties {
            once("strict_properties", &mut self.strict, strict, sink);
        }
        let policy = &mut self.policy;
        policy.subject_types.extend(each("subject_types", file.subject_types, sink, |name, doc, _| {
            Some(doc.0.into_subject_type(plain(name)))
        }));
        policy
            .group_types
            .extend(each("group_types", file.group_types, sink, |name, doc, _| Some(doc.into_group_type(plain(name)))));
        policy.credential_types.extend(each("credential_types", file.credential_types, sink, |name, doc, _| {
            Some(doc.into_credential_type(plain(name)))
        }));
        policy
            .context
            .extend(each("context", file.context, sink, |name, form, sink| Some(form.into_context(name, sink))));
        if let Some(levels) = file.levels {
            once("levels", &mut self.levels, levels, sink);
        }
        policy.governors.extend(
            each("governors", file.governors, sink, |name, below, _| Some(governors(name, below.0)))
                .into_iter()
                .flatten(),
        );
        policy.operations.extend(each("operations", file.operations, sink, |name, names, _| {
            Some(Operation { name: plain(name), actions: plain_all(names.0) })
        }));
        policy.classes.extend(each("classes", file.classes, sink, |name, names, _| {
            Some(Class { name: plain(name), members: plain_all(names.0) })
        }));
        self.shapes.extend(each("shapes", file.shapes, sink, |name, doc, _| Some(Shape::new(plain(name), doc.0))));
        self.types.extend(each("types", file.types, sink, |name, doc, _| Some((plain(name), doc.0))));
        policy.roles.extend(each("roles", file.roles, sink, |name, doc, _| Some(doc.into_role(plain(name)))));
        policy.role_templates.extend(each("role_templates", file.role_templates, sink, |name, doc, _| {
            Some(doc.into_template(plain(name)))
        }));
        policy
            .exclusive
            .extend(each("exclusive", file.exclusive, sink, |name, doc, _| Some(doc.into_exclusive(plain(name)))));
        policy.forbids.extend(each("forbids", file.forbids, sink, |id, doc, sink| doc.into_forbid(plain(id), sink)));
        policy.seats.extend(each("seats", file.seats, sink, |name, doc, _| Some(doc.into_seat_class(plain(name)))));
        if let Some(http) = file.http {
            sink.within("http", |sink| http.add_to(&mut policy.http, &mut self.http, sink));
        }
        let sections = FactSections {
            subjects: file.subjects,
            groups: file.groups,
            credentials: file.credentials,
            resources: file.resources,
            defined_roles: file.defined_roles,
            bindings: file.bindings.unwrap_or_default(),
            blocks: file.blocks,
        };
        sections.add_to(&mut self.facts, sink);
        self.cases.extend(nouns(file.tests.unwrap_or_default()));
    }

    /// Folds the shapes in and looks for names defined twice.
    pub(super) fn finish(mut self, sink: &mut Sink<'_>) -> (Policy, Facts, Vec<Case>) {
        let (policy, facts) = (&mut self.policy, &self.facts);
        policy.strict_properties = self.strict.is_some_and(|strict| strict.value);
        for level in self.levels.map_or_else(Vec::new, |levels| levels.value) {
            if level.value.0 == PER_BINDING {
                sink.error(level.at, format!("`{PER_BINDING}` is reserved and cannot name a level"));
            }
            policy.levels.push(plain(level));
        }
        refuse_twice("the shape", &self.shapes, |shape| shape.name.value.as_str(), |shape| shape.name.at, sink);
        policy.types = fold(self.types, &self.shapes, self.has_gaps, sink);
        self.http.finish(&mut policy.http);
        refuse_names_twice(policy, sink);
        refuse_twice("the subject", &facts.subjects, |one| one.name.as_entity(), |one| one.name.at, sink);
        refuse_twice("the group", &facts.groups, |one| one.name.as_entity(), |one| one.name.at, sink);
        refuse_twice("the credential", &facts.credentials, |one| one.name.as_entity(), |one| one.name.at, sink);
        refuse_twice("the resource", &facts.resources, |one| one.name.as_entity(), |one| one.name.at, sink);
        refuse_twice("the role", &facts.roles, RoleKey::from, |one| one.name.at, sink);
        refuse_twice("the block", &facts.blocks, |one| one.id.value.as_str(), |one| one.id.at, sink);
        refuse_twice("the test", &self.cases, |case| case.name.value.as_str(), |case| case.name.at, sink);
        (self.policy, self.facts, self.cases)
    }
}

impl FactSections {
    /// Turns every entry into a fact.
    pub(super) fn add_to(self, facts: &mut Facts, sink: &mut Sink<'_>) {
        for (name, doc) in Entries::or_none(self.subjects) {
            facts.subjects.push(doc.0.into_subject(name));
        }
        for (name, doc) in Entries::or_none(self.groups) {
            facts.groups.push(doc.0.into_group(name));
        }
        facts.credentials.extend(each("credentials", self.credentials, sink, |name, doc, sink| {
            Some(doc.into_credential(name, sink))
        }));
        for (name, doc) in Entries::or_none(self.resources) {
            facts.resources.push(doc.0.into_resource(name));
        }
        let scopes = each("defined_roles", self.defined_roles, sink, |at, roles, sink| {
            let role = |(name, rules): (Spanned<Id>, RoleForm)| {
                sink.within(&name.value.to_string(), |sink| defined_role(at.clone(), name, rules, sink))
            };
            Some(roles.0.into_iter().map(role).collect::<Vec<_>>())
        });
        facts.roles.extend(scopes.into_iter().flatten());
        facts.bindings.extend(nouns(self.bindings));
        facts.blocks.extend(each("blocks", self.blocks, sink, |id, doc, sink| doc.into_block(id, sink)));
    }
}

/// A governor and what stands under it, as paths.
fn governors(name: Spanned<Name>, below: Many<Spanned<Id>>) -> Vec<Spanned<String>> {
    let root = plain(name);
    let under = below.0.into_iter().map(|part| Spanned::new(format!("{}/{}", root.value, part.value), part.at));
    let mut all: Vec<Spanned<String>> = under.collect();
    all.push(root);
    all
}

/// What tells one tenant's role from another.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct RoleKey<'a> {
    at: Entity<'a>,
    name: &'a str,
}

impl<'a> From<&'a DefinedRole> for RoleKey<'a> {
    fn from(role: &'a DefinedRole) -> Self {
        Self { at: role.at.as_entity(), name: &role.name }
    }
}

impl Display for RoleKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.name, self.at)
    }
}

fn refuse_names_twice(policy: &Policy, sink: &mut Sink<'_>) {
    let types = policy.types.iter().map(|one| &one.name);
    let types: Vec<&Spanned<String>> = types.chain(policy.classes.iter().map(|one| &one.name)).collect();
    refuse_twice("the type or class", &types, |name| name.value.as_str(), |name| name.at, sink);
    let one = |name: &Spanned<String>| name.at;
    refuse_twice("the subject type", &policy.subject_types, |it| it.name.value.as_str(), |it| one(&it.name), sink);
    refuse_twice("the group type", &policy.group_types, |it| it.name.value.as_str(), |it| one(&it.name), sink);
    refuse_twice(
        "the credential type",
        &policy.credential_types,
        |it| it.name.value.as_str(),
        |it| one(&it.name),
        sink,
    );
    refuse_twice("the seat class", &policy.seats, |it| it.name.value.as_str(), |it| one(&it.name), sink);
    refuse_twice("the context key", &policy.context, |it| it.name.value.as_str(), |it| one(&it.name), sink);
    refuse_twice("the operation", &policy.operations, |it| it.name.value.as_str(), |it| one(&it.name), sink);
    refuse_twice("the role", &policy.roles, |it| it.name.value.as_str(), |it| one(&it.name), sink);
    refuse_twice("the role template", &policy.role_templates, |it| it.name.value.as_str(), |it| one(&it.name), sink);
    let http = &policy.http;
    refuse_twice("the route", &http.routes, |it| it.pattern.value.as_str(), |it| one(&it.pattern), sink);
    for (what, list) in [
        ("the http context key", &http.context),
        ("the http subject property", &http.subject_properties),
        ("the header", &http.set_headers),
    ] {
        refuse_twice(what, list, |(name, _)| name.value.as_str(), |(name, _)| one(name), sink);
    }
    refuse_twice("the removed header", &http.remove_headers, |it| it.value.as_str(), one, sink);
    refuse_twice("the forbid", &policy.forbids, |it| it.id.value.as_str(), |it| one(&it.id), sink);
}

/// Turns every entry of a section, naming section and key in what it reports.
fn each<K: Display, V, T>(
    section: &str,
    entries: Option<Entries<K, V>>,
    sink: &mut Sink<'_>,
    into: impl Fn(Spanned<K>, V, &mut Sink<'_>) -> Option<T>,
) -> Vec<T> {
    let mut all = Vec::new();
    for (name, doc) in Entries::or_none(entries) {
        let key = name.value.to_string();
        match sink.within(section, |sink| sink.within(&key, |sink| into(name, doc, sink))) {
            Some(one) => all.push(one),
            None => sink.fail(),
        }
    }
    all
}

/// Keeps a value that a source says once.
pub(super) fn once<T>(what: &str, slot: &mut Option<Spanned<T>>, value: Spanned<T>, sink: &mut Sink<'_>) {
    match slot {
        Some(first) => {
            let first = sink.place(first.at);
            sink.error_with(value.at, format!("`{what}` is written twice; first at {first}"), "remove one of the two");
        }
        None => *slot = Some(value),
    }
}

/// Reports whatever has the same key as something before it, naming both places. Sorts numbers instead of filling a
/// map: facts come by the million.
pub(super) fn refuse_twice<'i, T, K: Ord + Display>(
    what: &str,
    items: &'i [T],
    key: impl Fn(&'i T) -> K,
    at: impl Fn(&'i T) -> Position,
    sink: &mut Sink<'_>,
) {
    let in_order = order::positions(items.len(), &mut |one, other| match (items.get(one), items.get(other)) {
        (Some(one), Some(other)) => key(one).cmp(&key(other)).then_with(|| at(one).cmp(&at(other))),
        _ => Ordering::Equal,
    });
    let mut before: Option<&T> = None;
    for item in in_order.into_iter().filter_map(|position| items.get(position)) {
        if let Some(first) = before.filter(|before| key(before) == key(item)) {
            defined_twice(what, &key(item), [at(first), at(item)], sink);
        }
        before = Some(item);
    }
}

#[cold]
fn defined_twice(what: &str, key: &dyn Display, [first, second]: [Position; 2], sink: &mut Sink<'_>) {
    let message = format!("{what} {} is defined twice; first at {}", quote(&key.to_string()), sink.place(first));
    sink.error_with(second, message, "remove or rename one of the two");
}
