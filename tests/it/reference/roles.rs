//! The reference's roles: in how many ways one gives an action where it is held.

use sidegate::model::{
    Action, Binding, DefinedRole, DefinedRule, EntityName, Grants, LimitKind, Purview, Resource, Role, Rule, Spanned,
    Term, TermScope, Type,
};

use super::book::{Book, named};

type Name = Spanned<String>;

/// One way for a role to give an action.
#[derive(Default)]
pub(super) struct Way<'a> {
    pub(super) ceiling: bool,
    pub(super) gates: Vec<&'a str>,
    pub(super) when: Option<&'a str>,
    pub(super) terms: Vec<&'a Term>,
    pub(super) purview: Option<&'a Purview>,
    pub(super) superuser: bool,
}

impl<'a> Book<'a> {
    pub(super) fn ways(&self, binding: &Binding, kind: &'a Type, action: &'a Action) -> Vec<Way<'a>> {
        self.ways_at(&binding.role, &binding.at, kind, action)
    }

    pub(super) fn ways_at(&self, role: &str, at: &EntityName, kind: &'a Type, action: &'a Action) -> Vec<Way<'a>> {
        match self.role(role) {
            Some(role) => self.role_ways(role, &at.kind, kind, action),
            None => self
                .definer(&self.chain_of(at.as_entity()), role)
                .map_or(Vec::new(), |role| self.defined_ways(role.rules.current().unwrap_or_default(), kind, action)),
        }
    }

    /// The role's own rules and copies of the included ones, each already under its own limits, all under this role's.
    fn role_ways(&self, role: &'a Role, held_at: &str, kind: &'a Type, action: &'a Action) -> Vec<Way<'a>> {
        if role.superuser {
            return vec![Way { superuser: true, ..Way::default() }];
        }
        let here = |scopes: &[Name]| scopes.is_empty() || scopes.iter().any(|scope| **scope == *held_at);
        let gives =
            |rule: &&Rule| here(&rule.held_at) && self.gives(&rule.on, &rule.except, &rule.grants, kind, action);
        let own = role.rules.iter().filter(gives).map(|rule| Way {
            when: rule.when.as_ref().map(|when| when.value.as_str()),
            purview: Some(&rule.purview),
            ..Way::default()
        });
        let included = role.includes.iter().filter_map(|name| self.role(name));
        let mut ways: Vec<_> =
            own.chain(included.flat_map(|role| self.role_ways(role, held_at, kind, action))).collect();
        for limit in role.limits.iter().filter(|limit| here(&limit.held_at)) {
            for way in &mut ways {
                match &limit.kind {
                    LimitKind::Only(names) if self.names(&limit.on, &limit.except, &kind.name) => {
                        way.ceiling |= names.iter().all(|name| **name != *action.name);
                    }
                    LimitKind::Gate { grants, only_when }
                        if self.takes(&limit.on, &limit.except, grants, kind, action) =>
                    {
                        way.gates.push(only_when);
                    }
                    LimitKind::Only(_) | LimitKind::Gate { .. } => {}
                }
            }
        }
        ways
    }

    /// The role of that name whose definer is the first of these resources.
    pub(super) fn definer(&self, chain: &[&Resource], name: &str) -> Option<&'a DefinedRole> {
        let at = |scope: &&Resource| {
            self.facts.roles.iter().find(|role| *role.at == *scope.name && *role.name.value == *name)
        };
        chain.iter().find_map(at)
    }

    pub(super) fn defined_ways(&self, rules: &'a [DefinedRule], kind: &'a Type, action: &'a Action) -> Vec<Way<'a>> {
        let rules =
            rules.iter().filter(|rule| self.gives(std::slice::from_ref(&rule.on), &[], &rule.grants, kind, action));
        let restricts = |scope: &TermScope| match scope {
            TermScope::All => true,
            TermScope::Named(name) => **name == **action.name || self.operation(action) == Some(name),
        };
        rules
            .map(|rule| {
                let terms =
                    rule.when.iter().filter(|(scope, _)| restricts(scope)).flat_map(|(_, terms)| terms).collect();
                Way { terms, ..Way::default() }
            })
            .collect()
    }

    /// A rule's operations are those that its types govern; all else names the resource's own type.
    pub(super) fn gives(&self, on: &[Name], except: &[Name], grants: &Grants, kind: &Type, action: &Action) -> bool {
        let governing = action.governed_by.as_ref().filter(|_| matches!(grants, Grants::Operations(_)));
        self.names(on, except, governing.unwrap_or(&kind.name)) && self.selects(grants, action)
    }

    /// A limit, forbid or block names the resource's own type.
    pub(super) fn takes(&self, on: &[Name], except: &[Name], grants: &Grants, kind: &Type, action: &Action) -> bool {
        self.names(on, except, &kind.name) && self.selects(grants, action)
    }

    fn selects(&self, grants: &Grants, action: &Action) -> bool {
        match grants {
            Grants::All => true,
            Grants::Actions(names) => names.iter().any(|name| **name == *action.name),
            Grants::Operations(names) => {
                names.iter().any(|name| self.operation(action).is_some_and(|own| *own == **name))
            }
        }
    }

    fn operation<'b>(&self, action: &'b Action) -> Option<&'b str>
    where
        'a: 'b,
    {
        let holds = |names: &[Name]| names.iter().any(|name| *name.value == *action.name.value);
        let listed =
            || self.policy.operations.iter().find(|operation| holds(&operation.actions)).map(|found| &found.name);
        action.operation.as_ref().or_else(listed).map(|name| name.value.as_str())
    }

    /// Whether a type is among types and classes; no name at all means every type.
    fn names(&self, on: &[Name], except: &[Name], kind: &str) -> bool {
        (on.is_empty() || on.iter().any(|name| self.is_in(name, kind)))
            && !except.iter().any(|name| self.is_in(name, kind))
    }

    fn is_in(&self, name: &str, kind: &str) -> bool {
        let class = named(&self.policy.classes, name, |class| &class.name);
        name == kind || class.is_some_and(|class| class.members.iter().any(|member| self.is_in(member, kind)))
    }

    /// A declared permission, from `type.action`.
    pub(super) fn permission(&self, text: &str) -> Option<(&'a Type, &'a Action)> {
        let (kind, action) = text.split_once('.')?;
        let kind = self.kind(kind)?;
        Some((kind, named(&kind.actions, action, |own| &own.name)?))
    }
}
