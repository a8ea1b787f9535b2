//! Whether a rule lets a question be asked: about this subject, about this place, and with what the caller says of them.

use crate::{
    compile::layout::SupplierCode,
    decide,
    index::{Corrupt, Index},
    model::{Entity, Request, Value},
    observe::decision_log::{Owner, PropertyName},
};

use super::{super::pdp::Refusal, Caller, CallerRule};

/// Where the answer of a question comes from.
#[derive(Debug, Clone, Copy)]
pub(in crate::service) enum Place<'q> {
    /// The request's resource.
    Resource,
    /// Everything below this one; `None` for everywhere.
    Within(Option<Entity<'q>>),
}

impl Caller {
    /// Whether this caller may ask a question: to be called before it is decided.
    pub(in crate::service) fn may_ask(
        &self,
        index: &Index,
        request: &Request<'_>,
        place: Place<'_>,
    ) -> Result<(), Refusal> {
        let Some(rule) = &self.rule else { return Ok(()) };
        self.check_subject(rule, request.subject.kind)?;
        self.check_place(rule, index, request, place)?;
        self.check_properties(rule, index, request)
    }

    /// Whether this caller may ask about a type of subjects.
    pub(in crate::service) fn may_ask_of(&self, subject_type: &str) -> Result<(), Refusal> {
        self.rule.as_ref().map_or(Ok(()), |rule| self.check_subject(rule, subject_type))
    }

    /// Whether this caller may ask about a scope.
    pub(in crate::service) fn may_ask_at(&self, index: &Index, scope: Entity<'_>) -> Result<(), Refusal> {
        let Some(rule) = &self.rule else { return Ok(()) };
        if is_within(rule, index, scope, None)? { Ok(()) } else { Err(self.outside(rule)) }
    }

    fn check_subject(&self, rule: &CallerRule, subject_type: &str) -> Result<(), Refusal> {
        match &rule.subject_types {
            Some(types) if !types.contains(subject_type) => {
                Err(self.lacks(rule, format_args!("`{}` in `subject_types`", shown(subject_type))))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_place(
        &self,
        rule: &CallerRule,
        index: &Index,
        request: &Request<'_>,
        place: Place<'_>,
    ) -> Result<(), Refusal> {
        if rule.tenants.is_none() {
            return Ok(());
        }
        let inside = match place {
            Place::Resource => is_within(rule, index, request.resource, request.parent)?,
            Place::Within(Some(scope)) => is_within(rule, index, scope, None)?,
            Place::Within(None) => {
                return Err(
                    self.lacks(rule, format_args!("leave to list everywhere; set `within` to one of its `tenants`"))
                );
            }
        };
        if inside && second_objects_are_within(rule, index, request)? { Ok(()) } else { Err(self.outside(rule)) }
    }

    fn outside(&self, rule: &CallerRule) -> Refusal {
        self.lacks(rule, format_args!("a node in `tenants` that the resource asked about stands in"))
    }

    fn check_properties(&self, rule: &CallerRule, index: &Index, request: &Request<'_>) -> Result<(), Refusal> {
        let all = [
            (Owner::Subject, request.subject_properties, Some(request.subject.kind)),
            (Owner::Action, request.action_properties, None),
            (Owner::Resource, request.resource_properties, Some(request.resource.kind)),
            (Owner::Context, request.context, None),
        ];
        for (owner, properties, kind) in all {
            for (name, _) in properties {
                let may = rule.assert.names(owner, name)
                    || (rule.assert.covers(owner) && !goes_before_the_snapshot(index, kind, name)?);
                if !may {
                    return Err(self.lacks(rule, format_args!("`{}.{}` in `assert`", owner.name(), shown(name))));
                }
            }
        }
        Ok(())
    }
}

/// Whether a resource stands in one of the rule's tenants, by the snapshot's placement; for one that the snapshot does
/// not hold, whether its parent does.
fn is_within(
    rule: &CallerRule,
    index: &Index,
    resource: Entity<'_>,
    parent: Option<Entity<'_>>,
) -> Result<bool, Corrupt> {
    match &rule.tenants {
        None => Ok(true),
        Some(tenants) => decide::stands_within(index, resource, parent, |node| tenants.has(node)),
    }
}

/// A parameter may name another resource, and an answer would tell of it too.
fn second_objects_are_within(rule: &CallerRule, index: &Index, request: &Request<'_>) -> Result<bool, Corrupt> {
    for (_, value) in request.action_properties {
        let items = if let Value::List(items) = value { *items } else { std::slice::from_ref(value) };
        for item in items {
            if let Value::Entity(entity) = item
                && decide::is_type_of_resources(index, entity.kind)?
                && !is_within(rule, index, *entity, None)?
            {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Whether a value that a request sends would win over the stored one.
fn goes_before_the_snapshot(index: &Index, kind: Option<&str>, name: &str) -> Result<bool, Corrupt> {
    let Some(kind) = kind else { return Ok(false) };
    let Some((kind, _)) = index.type_named(kind)? else { return Ok(false) };
    let Some(attribute) = index.attribute_named(kind, name)? else { return Ok(false) };
    Ok(index.attribute(attribute)?.supplier == SupplierCode::RequestThenSnapshot as u8)
}

/// A caller's own text in a message: short, and without what would break a line.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(64).collect();
    short.escape_debug().to_string()
}

/// What the rules name and a snapshot does not know: such a name lets nobody ask anything, which is seldom meant.
pub fn unknown_names<'r>(rules: impl IntoIterator<Item = &'r CallerRule>, index: &Index) -> Vec<String> {
    let is_type = |name: &str| matches!(index.type_named(name), Ok(Some(_)));
    let is_context = |name: &str| matches!(index.context_key_named(name), Ok(Some(_)));
    let mut unknown = Vec::new();
    for rule in rules {
        let name = &rule.name;
        for kind in rule.subject_types.iter().flatten().filter(|kind| !is_type(kind)) {
            unknown.push(format!("the caller rule `{name}` names the subject type `{kind}`"));
        }
        for node in rule.tenants.iter().flat_map(super::Tenants::iter) {
            if !matches!(decide::stands_within(index, node, None, |_| true), Ok(true)) {
                unknown.push(format!("the caller rule `{name}` names the tenant `{node}`"));
            }
        }
        let context = |named: &&PropertyName| named.owner == Owner::Context && !is_context(&named.name);
        for key in rule.assert.names.iter().filter(context) {
            unknown.push(format!("the caller rule `{name}` names the property `{key}`"));
        }
    }
    unknown
}
