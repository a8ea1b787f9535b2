//! One order for what an author may write in any order: the same policy has the same bytes, and so the same digest,
//! however it was written. Only the ladder of levels means its order.

use crate::model::{
    Action, Attribute, Class, CredentialScope, CredentialType, Exclusive, Forbid, Grants, Holder, HttpMapping,
    HttpRoute, Limit, LimitKind, Literal, Policy, Requirement, Role, RoleSet, RoleTemplate, Rule, SeatClass, Spanned,
    Type, ValueType, order,
};

/// The policy in its one order. Places stay what they were.
pub(super) fn policy(written: &Policy) -> Policy {
    let mut policy = written.clone();
    by_name(&mut policy.subject_types, |one| &one.name);
    policy.subject_types.iter_mut().for_each(|one| attributes(&mut one.attributes));
    by_name(&mut policy.group_types, |one| &one.name);
    policy.group_types.iter_mut().for_each(|one| names(&mut one.members));
    by_name(&mut policy.credential_types, |one| &one.name);
    policy.credential_types.iter_mut().for_each(credential_type);
    attributes(&mut policy.context);
    by_name(&mut policy.operations, |one| &one.name);
    by_name(&mut policy.classes, |one| &one.name);
    policy.classes.iter_mut().for_each(|Class { members, .. }| names(members));
    by_name(&mut policy.types, |one| &one.name);
    policy.types.iter_mut().for_each(resource_type);
    by_name(&mut policy.roles, |one| &one.name);
    policy.roles.iter_mut().for_each(role);
    by_name(&mut policy.role_templates, |one| &one.name);
    policy.role_templates.iter_mut().for_each(template);
    by_name(&mut policy.exclusive, |one| &one.name);
    policy.exclusive.iter_mut().for_each(|Exclusive { roles, at, .. }| {
        names(roles);
        names(at);
    });
    by_name(&mut policy.forbids, |one| &one.id);
    policy.forbids.iter_mut().for_each(|Forbid { on, except, grants, .. }| selection(on, except, grants));
    by_name(&mut policy.seats, |one| &one.name);
    policy.seats.iter_mut().for_each(|SeatClass { per, subjects, who, .. }| {
        names(per);
        names(subjects);
        for rule in who.iter_mut() {
            names(&mut rule.roles);
            order::natural(&mut rule.held);
        }
        order::by_cached_key(who, |rule| (texts(&rule.roles), rule.held.clone()));
    });
    http(&mut policy.http);
    policy
}

fn http(mapping: &mut HttpMapping) {
    let HttpMapping { subject_properties, context, remove_headers, set_headers, routes, .. } = mapping;
    for list in [subject_properties, context, set_headers] {
        by_name(list, |(name, _)| name);
    }
    names(remove_headers);
    by_name(routes, |route| &route.pattern);
    for HttpRoute { subject_properties, parameters, properties, context, .. } in routes {
        for list in [subject_properties, parameters, properties, context] {
            by_name(list, |(name, _)| name);
        }
    }
}

fn by_name<T>(list: &mut [T], name: impl Fn(&T) -> &Spanned<String>) {
    order::by(list, |a, b| name(a).value.cmp(&name(b).value));
}

fn names(list: &mut [Spanned<String>]) {
    order::by(list, |a, b| a.value.cmp(&b.value));
}

fn texts(list: &[Spanned<String>]) -> Vec<String> {
    list.iter().map(|name| name.value.clone()).collect()
}

fn attributes(list: &mut [Attribute]) {
    by_name(list, |one| &one.name);
    for attribute in list {
        let item = if let ValueType::List(item) = &mut attribute.value_type { item } else { &mut attribute.value_type };
        if let ValueType::Enum(values) = item {
            names(values);
        }
    }
}

fn resource_type(one: &mut Type) {
    names(&mut one.parents);
    attributes(&mut one.attributes);
    by_name(&mut one.actions, |action| &action.name);
    one.actions.iter_mut().for_each(|Action { parameters, .. }| by_name(parameters, |parameter| &parameter.name));
}

fn credential_type(one: &mut CredentialType) {
    holders(&mut one.owners);
    attributes(&mut one.attributes);
    names(&mut one.demands);
    by_name(&mut one.scopes, |scope| &scope.name);
    for CredentialScope { context, allow, owners, .. } in &mut one.scopes {
        by_name(context, |(key, _)| key);
        for (_, values) in context.iter_mut() {
            literals(values);
        }
        allow.iter_mut().for_each(rule_list);
        holders(owners);
    }
}

fn holders(list: &mut [Holder]) {
    for holder in list.iter_mut() {
        by_name(&mut holder.when, |(name, _)| name);
        holder.when.iter_mut().for_each(|(_, values)| literals(values));
    }
    order::by_cached_key(list, |Holder { kind, when }| {
        let when =
            when.iter().map(|(name, values)| (name.value.clone(), values.iter().map(literal).collect::<Vec<_>>()));
        (kind.value.clone(), when.collect::<Vec<_>>())
    });
}

fn literals(list: &mut [Spanned<Literal>]) {
    order::by_cached_key(list, literal);
}

/// What a literal says, without where it says it.
fn literal(one: &Spanned<Literal>) -> String {
    match &one.value {
        Literal::List(items) => items.iter().map(|item| literal(item) + "\u{1}").collect(),
        scalar => format!("{scalar:?}"),
    }
}

fn role(one: &mut Role) {
    names(&mut one.at);
    holders(&mut one.holders);
    names(&mut one.includes);
    rule_list(&mut one.rules);
    limits(&mut one.limits);
    requirements(&mut one.requires);
}

fn template(one: &mut RoleTemplate) {
    names(&mut one.defined_at);
    names(&mut one.at);
    holders(&mut one.holders);
    rule_list(&mut one.may);
    requirements(&mut one.requires);
    if let Some(conditions) = &mut one.conditions {
        names(&mut conditions.roots);
    }
}

fn requirements(list: &mut [Requirement]) {
    for requirement in list.iter_mut() {
        names(&mut requirement.has);
        names(&mut requirement.has_no);
    }
    order::by_cached_key(list, |one| {
        (one.held_at.value.clone(), one.on.value.clone(), texts(&one.has), texts(&one.has_no))
    });
}

/// What a rule, limit or forbid speaks of.
fn selection(on: &mut [Spanned<String>], except: &mut [Spanned<String>], grants: &mut Grants) {
    names(on);
    names(except);
    match grants {
        Grants::All => {}
        Grants::Actions(list) | Grants::Operations(list) => names(list),
    }
}

fn grants_key(grants: &Grants) -> (u8, Vec<String>) {
    match grants {
        Grants::All => (0, Vec::new()),
        Grants::Actions(list) => (1, texts(list)),
        Grants::Operations(list) => (2, texts(list)),
    }
}

/// In order, and each once: the same rule written twice is one.
fn rule_list(list: &mut Vec<Rule>) {
    for Rule { on, except, grants, held_at, purview, .. } in list.iter_mut() {
        selection(on, except, grants);
        names(held_at);
        names(&mut purview.within);
        purview.assigns.iter_mut().for_each(role_set);
        purview.target.iter_mut().for_each(|target| {
            role_set(&mut target.holds_only);
            order::natural(&mut target.look);
        });
    }
    order::by_cached_key(list, rule_key);
    list.dedup_by_key(|rule| rule_key(rule));
}

fn rule_key(rule: &Rule) -> impl Ord + use<> {
    let Rule { on, except, grants, held_at, when, purview } = rule;
    let when = when.as_ref().map(|when| when.value.clone());
    let target = purview.target.as_ref().map(|target| {
        let parameter = target.parameter.as_ref().map(|name| name.value.clone());
        (role_set_key(&target.holds_only), target.look.clone(), parameter)
    });
    let purview = (purview.assigns.as_ref().map(role_set_key), target, texts(&purview.within));
    (texts(on), texts(except), grants_key(grants), texts(held_at), when, purview)
}

fn role_set(set: &mut RoleSet) {
    if let RoleSet::Named(list) = set {
        names(list);
    }
}

fn role_set_key(set: &RoleSet) -> Option<Vec<String>> {
    if let RoleSet::Named(list) = set { Some(texts(list)) } else { None }
}

fn limits(list: &mut [Limit]) {
    for Limit { on, except, kind, held_at } in list.iter_mut() {
        match kind {
            LimitKind::Only(actions) => {
                selection(on, except, &mut Grants::All);
                names(actions);
            }
            LimitKind::Gate { grants, .. } => selection(on, except, grants),
        }
        names(held_at);
    }
    order::by_cached_key(list, |Limit { on, except, kind, held_at }| {
        let kind = match kind {
            LimitKind::Only(actions) => (grants_key(&Grants::Actions(actions.clone())), None),
            LimitKind::Gate { grants, only_when } => (grants_key(grants), Some(only_when.value.clone())),
        };
        (texts(on), texts(except), kind, texts(held_at))
    });
}
