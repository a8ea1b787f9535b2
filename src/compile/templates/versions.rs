//! Versions: a role written as a fact may have several, of which one is current. All of them are checked, because a
//! customised holder's list was cut from any of them; only the current one gives anything.

use crate::compile::condition::{Conditions, Lowering};
use crate::compile::findings::Findings;
use crate::compile::roles::FlatRule;
use crate::model::{DefinedRole, DefinedRule, RoleRules, order};

use super::{Bounds, rules_of};

/// What each version gives, by its number.
type Versions = Vec<(u64, Vec<u32>)>;

/// What a role gives now, and what each of its versions gives.
pub(super) fn rules(
    role: &DefinedRole,
    bounds: &Bounds<'_>,
    lowering: &mut Lowering<'_, '_>,
    conditions: &mut Conditions,
    findings: &mut Findings,
) -> (Vec<FlatRule>, Versions) {
    check_form(role, bounds, findings);
    let mut flat = |rules: &[DefinedRule], label: &str, conditions: &mut Conditions| -> Vec<FlatRule> {
        // Conditions are numbered in this order: it must not depend on the order of the source.
        let mut rules: Vec<&DefinedRule> = rules.iter().collect();
        order::by(&mut rules, |a, b| a.on.value.cmp(&b.on.value));
        rules.into_iter().flat_map(|rule| rules_of(rule, label, bounds, lowering, conditions, findings)).collect()
    };
    let name = &role.name.value;
    match &role.rules {
        RoleRules::Plain(rules) => (flat(rules, &format!("role `{name}`"), conditions), Vec::new()),
        RoleRules::Versioned { current, versions } => {
            let (mut now, mut gives) = (Vec::new(), Versions::new());
            let mut versions: Vec<_> = versions.iter().collect();
            order::by_key(&mut versions, |(number, _)| number.value);
            for (number, rules) in versions {
                let label = format!("version {} of role `{name}`", number.value);
                let is_current = number.value == current.value;
                // The conditions of a version that is not current are checked and thrown away.
                let mut scratch = Conditions::default();
                let flat = flat(rules, &label, if is_current { conditions } else { &mut scratch });
                gives.push((number.value, flat.iter().map(|rule| rule.permission).collect()));
                if is_current {
                    now = flat;
                }
            }
            order::by_key(&mut gives, |(number, _)| *number);
            (now, gives)
        }
    }
}

/// A template says whether its roles have versions, and the current one must be there.
fn check_form(role: &DefinedRole, bounds: &Bounds<'_>, findings: &mut Findings) {
    let (name, template) = (&role.name.value, &bounds.template.name.value);
    let whose = format!("role `{name}` of `{}`", role.at.value);
    match (&role.rules, bounds.template.versioned) {
        (RoleRules::Plain(_), true) => findings.error_with_help(
            role.name.at,
            format!("{whose} has no versions, but roles of template `{template}` do"),
            "write `current` and `versions`",
        ),
        (RoleRules::Versioned { .. }, false) => findings.error_with_help(
            role.name.at,
            format!("{whose} has versions, but roles of template `{template}` do not"),
            "declare the template `versioned: true`, or write the rules alone",
        ),
        (RoleRules::Versioned { current, versions }, true) if role.rules.current().is_none() => {
            let numbers: Vec<String> = versions.iter().map(|(number, _)| number.value.to_string()).collect();
            findings.error_with_help(
                current.at,
                format!("{whose} has no version {}, which it says is current", current.value),
                format!("its versions are {}", numbers.join(", ")),
            );
        }
        _ => {}
    }
}
