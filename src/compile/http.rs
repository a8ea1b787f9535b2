//! The mapping from requests of HTTP to questions: every name in it means something, no two routes quarrel, and none is
//! in vain. Which route a request takes is [`crate::mapping`]'s.

mod pattern;
mod routes;
mod template;
mod values;

use crate::model::{HttpMapping, HttpRoute, Literal, Policy, Spanned, order};

use super::findings::Findings;
use super::layout::{HttpHeaderSort, HttpPartSort, HttpTold, HttpValueOwner, ValueKind};
use super::schema::Schema;
use pattern::Pattern;
use template::{Scope, Sought};

/// The key under which Envoy leaves claims by most of its examples.
const CLAIMS: &str = "payload";

/// The mapping, resolved.
#[derive(Debug, Default)]
pub(super) struct Http {
    /// The routes, in the order in which they are tried.
    pub(super) routes: Vec<RouteInfo>,
    /// The headers that matter, by sort, then name.
    pub(super) headers: Vec<HeaderInfo>,
    /// Whether a denied client may read why.
    pub(super) tell_reason: bool,
}

/// One method of one route.
#[derive(Clone, Debug)]
pub(super) struct RouteInfo {
    pub(super) method: String,
    pub(super) host: Option<String>,
    pub(super) path: Vec<PartInfo>,
    pub(super) action: String,
    pub(super) resource: TemplateInfo,
    pub(super) parent: Option<TemplateInfo>,
    pub(super) subjects: Vec<TemplateInfo>,
    pub(super) values: Vec<ValueInfo>,
}

/// An entity put together from parts.
#[derive(Clone, Debug)]
pub(super) struct TemplateInfo {
    pub(super) kind: String,
    pub(super) parts: Vec<PartInfo>,
}

/// Where a text comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PartInfo {
    pub(super) sort: HttpPartSort,
    pub(super) text: String,
}

/// A property that the question carries.
#[derive(Clone, Debug)]
pub(super) struct ValueInfo {
    pub(super) owner: HttpValueOwner,
    pub(super) kind: ValueKind,
    pub(super) item_kind: ValueKind,
    pub(super) name: String,
    pub(super) part: PartInfo,
    pub(super) reference: Option<String>,
}

/// A header that matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HeaderInfo {
    pub(super) sort: HttpHeaderSort,
    pub(super) name: String,
    pub(super) told: u8,
    pub(super) text: Option<String>,
}

/// The mapping of a policy.
pub(super) fn resolve(policy: &Policy, schema: &Schema<'_>, findings: &mut Findings) -> Http {
    let mapping = &policy.http;
    if mapping.routes.is_empty() {
        refuse_in_vain(mapping, findings);
        return Http::default();
    }
    let resolving = Resolving { mapping, schema, claims: mapping.claims.as_ref().map_or(CLAIMS, |key| &key.value) };
    let mut found = Vec::new();
    for route in &mapping.routes {
        match Pattern::parse(&route.pattern.value) {
            Ok(pattern) => found.push((route, pattern)),
            Err((problem, help)) => {
                let message = format!("the route `{}`: {problem}", route.pattern.value);
                findings.error_with_help(route.pattern.at, message, help);
            }
        }
    }
    routes::compare(&found, findings);
    let infos = found.iter().filter_map(|(route, pattern)| resolving.route(route, pattern, findings));
    let routes = routes::in_order(infos.flatten().collect());
    let headers = resolving.headers(&routes, findings);
    Http { routes, headers, tell_reason: mapping.tell_reason }
}

fn refuse_in_vain(mapping: &HttpMapping, findings: &mut Findings) {
    let HttpMapping { subject, claims, subject_properties, context, remove_headers, set_headers, .. } = mapping;
    let named = [subject_properties, context, set_headers].into_iter().flatten().map(|(name, _)| name);
    let first = subject.iter().chain(claims).chain(remove_headers).chain(named).next();
    if let Some(first) = first {
        findings.error_with_help(first.at, "`http` has no routes", "add `routes`: without one every request is denied");
    }
}

struct Resolving<'r, 'p> {
    mapping: &'r HttpMapping,
    schema: &'r Schema<'p>,
    claims: &'r str,
}

impl Resolving<'_, '_> {
    /// One route, method by method; `None` after a report.
    fn route(&self, route: &HttpRoute, pattern: &Pattern, findings: &mut Findings) -> Option<Vec<RouteInfo>> {
        let label = format!("the route `{}`", route.pattern.value);
        let before = findings.errors();
        let captures: Vec<(&str, bool)> = pattern.captures().collect();
        for (place, (name, _)) in captures.iter().enumerate() {
            if captures.iter().take(place).any(|(earlier, _)| earlier == name) {
                findings.error(route.pattern.at, format!("{label} names two segments `{name}`"));
            }
        }
        let scope = Scope { schema: self.schema, captures: &captures, claims: self.claims };
        let resource = scope.entity(&route.on, Sought::Resource, &label, findings);
        let parent = route.parent.as_ref().map(|parent| scope.entity(parent, Sought::Resource, &label, findings));
        let kind = resource.as_ref().and_then(|resource| self.schema.type_number(&resource.kind));
        let permission = kind.and_then(|kind| self.action(kind, &route.action, &label, findings));
        if let Some(kind) = kind {
            let parent = parent.as_ref().and_then(Option::as_ref);
            self.check_parent(kind, permission, (route, parent), &label, findings);
        }
        let subjects = self.subjects(route, &scope, &label, findings);
        let values = values::Values { scope: &scope, mapping: self.mapping, route, label: &label };
        let values = values.all(kind?, permission?, &subjects, findings);
        if findings.errors() > before {
            return None;
        }
        let path = pattern.path.iter().map(routes::part).collect();
        let info = RouteInfo {
            method: String::new(),
            host: pattern.host.clone(),
            path,
            action: route.action.value.clone(),
            resource: resource?,
            parent: parent.flatten(),
            subjects,
            values,
        };
        Some(pattern.methods.iter().map(|method| RouteInfo { method: method.clone(), ..info.clone() }).collect())
    }

    fn action(&self, kind: u16, name: &Spanned<String>, label: &str, findings: &mut Findings) -> Option<u32> {
        let permission = self.schema.permission(kind, &name.value);
        if permission.is_none() {
            let kind = self.schema.type_name(kind);
            findings.error(name.at, format!("{label}: `{kind}` has no action `{}`", name.value));
        }
        permission
    }

    fn check_parent(
        &self,
        kind: u16,
        permission: Option<u32>,
        (route, parent): (&HttpRoute, Option<&TemplateInfo>),
        label: &str,
        findings: &mut Findings,
    ) {
        let Some(info) = self.schema.type_info(kind) else { return };
        let name = self.schema.type_name(kind);
        let above = parent.and_then(|parent| self.schema.type_number(&parent.kind));
        match (parent, above) {
            (Some(parent), Some(above)) if !info.parents.contains(&above) => {
                let at = route.parent.as_ref().map_or(route.on.at, |parent| parent.at);
                let message = format!("{label}: a `{name}` does not stand under a `{}`", parent.kind);
                findings.error_with_help(at, message, "name a type that its `parent` lists, or leave the key out");
            }
            (None, _) if !info.root => {
                let creates = permission.and_then(|number| self.schema.permission_info(number));
                if creates.is_some_and(|permission| permission.action.creates) {
                    let message = format!("{label} creates a `{name}` but names no `parent`");
                    findings.warning(route.on.at, message, "only one that exists already can be asked about");
                }
            }
            _ => {}
        }
    }

    fn subjects(
        &self,
        route: &HttpRoute,
        scope: &Scope<'_, '_>,
        label: &str,
        findings: &mut Findings,
    ) -> Vec<TemplateInfo> {
        let own = if route.subject.is_empty() { &self.mapping.subject } else { &route.subject };
        if own.is_empty() {
            let help = "write `subject`, in `http` or in the route, like `user/{claim.sub}`";
            findings.error_with_help(route.pattern.at, format!("{label} does not say who asks"), help);
        }
        let templates: Vec<TemplateInfo> =
            own.iter().filter_map(|text| scope.entity(text, Sought::Subject, label, findings)).collect();
        let (_, before) = own.split_last().map_or((None, &[][..]), |(last, before)| (Some(last), before));
        for (text, template) in before.iter().zip(&templates) {
            if template.parts.iter().all(|part| part.sort == HttpPartSort::Literal) {
                let message =
                    format!("`{}` is always there, so that what stands behind it is never looked at", text.value);
                findings.error_with_help(text.at, message, "let it be the last");
            }
        }
        templates
    }

    /// The headers that are read, removed and set.
    fn headers(&self, routes: &[RouteInfo], findings: &mut Findings) -> Vec<HeaderInfo> {
        let HttpMapping { remove_headers, set_headers, .. } = self.mapping;
        let read = routes.iter().flat_map(|route| {
            let templates = route.subjects.iter().chain(&route.parent).chain([&route.resource]);
            templates.flat_map(|template| &template.parts).chain(route.values.iter().map(|value| &value.part))
        });
        let read = read.filter(|part| part.sort == HttpPartSort::Header).map(|part| part.text.clone());
        let mut headers: Vec<HeaderInfo> = read.map(|name| header(HttpHeaderSort::Read, name)).collect();
        for name in remove_headers {
            template::check_header(name, findings);
            headers.push(header(HttpHeaderSort::Remove, name.value.clone()));
        }
        for (name, value) in set_headers {
            template::check_header(name, findings);
            if remove_headers.iter().any(|removed| removed.value == name.value) {
                let message = format!("the header `{}` is both set and removed", name.value);
                findings.error_with_help(
                    name.at,
                    message,
                    "what is set takes the place of what was sent: do not remove it",
                );
            }
            match told(&value.value) {
                Ok((told, text)) => headers.push(HeaderInfo {
                    told: told as u8,
                    text,
                    ..header(HttpHeaderSort::Set, name.value.clone())
                }),
                Err(problem) => findings.error_with_help(
                    value.at,
                    format!("the header `{}` {problem}", name.value),
                    "write a text, or one of `{subject}`, `{subject.id}`, `{resource}`, `{decision}`, `{rule}`, `{snapshot}`",
                ),
            }
        }
        order::natural(&mut headers);
        headers.dedup();
        headers
    }
}

fn header(sort: HttpHeaderSort, name: String) -> HeaderInfo {
    HeaderInfo { sort, name, told: HttpTold::Text as u8, text: None }
}

fn told(value: &Literal) -> Result<(HttpTold, Option<String>), &'static str> {
    let Literal::String(text) = value else { return Err("is set to what is no text") };
    if let Some(word) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let known = HttpTold::WORDS.into_iter().find(|(name, _)| *name == word);
        return known.map(|(_, told)| (told, None)).ok_or("is set to something that is not known");
    }
    let fits = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b'{' && byte != b'}';
    if text.is_empty() || text.len() > 1024 || !text.bytes().all(fits) {
        return Err("is set to a text that is empty, too long, or not plain ASCII without braces");
    }
    Ok((HttpTold::Text, Some(text.clone())))
}
