//! Roles without `includes` and limits: what is left of each rule, action by action, and under which conditions.

use super::{Condition, Limit, Role, Rule, World, actions_of, covers};

/// One action of one type that a role gives.
#[derive(Clone, Debug)]
pub struct FlatRule<'a> {
    /// The type.
    pub kind: &'static str,
    /// The action.
    pub action: &'static str,
    /// The type on which the role must be held.
    pub held_at: Option<&'static str>,
    /// What must be true: the rule's condition and the gates'.
    pub conditions: Vec<&'a Condition>,
}

impl World {
    /// Everything that a role gives.
    pub fn flat_rules<'a>(&'a self, role: &'a Role) -> Vec<FlatRule<'a>> {
        let mut rules: Vec<_> = role.rules.iter().flat_map(expand).collect();
        let included = self.roles.iter().filter(|own| role.includes.contains(&own.name));
        rules.extend(included.flat_map(|own| self.flat_rules(own)));
        rules.retain_mut(|rule| role.limits.iter().all(|limit| passes(rule, limit)));
        rules
    }
}

fn expand(rule: &Rule) -> impl Iterator<Item = FlatRule<'_>> {
    rule.on.iter().flat_map(move |kind| {
        let given = actions_of(kind).iter().filter(|action| rule.grants.hold(action));
        given.map(move |action| FlatRule {
            kind,
            action,
            held_at: rule.held_at,
            conditions: rule.when.iter().collect(),
        })
    })
}

/// Whether a limit lets a rule through; a gate leaves its condition.
fn passes<'a>(rule: &mut FlatRule<'a>, limit: &'a Limit) -> bool {
    match limit {
        Limit::Only(on, actions) => !covers(on, rule.kind) || actions.contains(&rule.action),
        Limit::Gate(on, grants, condition) => {
            if covers(on, rule.kind) && grants.hold(rule.action) {
                rule.conditions.push(condition);
            }
            true
        }
    }
}
