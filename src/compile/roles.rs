//! Roles: what each one gives, flattened to one list of permissions with their conditions and limits.

use std::collections::HashMap;
use std::rc::Rc;

use crate::model::{Facts, Policy, Requirement, Role, RoleLevels, Spanned, order};

use super::condition::{Conditions, Lowering};
use super::eligible::Eligible;
use super::entities::Entities;
use super::findings::Findings;
use super::intern::Runs;
use super::layout::{ANY_TYPE, LimitRecord, NONE, PurviewRecord, RuleRecord, role_flags, role_levels};
use super::limits::{Limits, limits_of};
use super::purviews::Purviews;
use super::schema::OperationsOf;
use super::{superuser, templates};

/// How many `includes` may be followed, one behind another (DESIGN section 2, "Caps").
const MOST_INCLUDES: usize = 8;

/// How many rules the built-in roles may give, each counted for every role and every way of `includes` that it is reached
/// by: a few roles that include each other layer by layer reach each other in millions of ways.
const MOST_RULES: usize = 4_000_000;

/// The roles of a snapshot.
#[derive(Debug)]
pub(super) struct Roles<'p> {
    /// In name order: a smaller number is a smaller rule id.
    pub(super) list: Vec<RoleInfo<'p>>,
    /// The limits that the rules refer to.
    pub(super) limits: Runs<LimitRecord>,
    /// The purviews that the rules refer to.
    pub(super) purviews: Vec<PurviewRecord>,
    /// Lists of roles, each in order.
    pub(super) role_lists: Runs<u32>,
    /// Sets of which one role is held on a scope.
    pub(super) exclusives: Vec<ExclusiveInfo<'p>>,
    by_name: HashMap<&'p str, Vec<u32>>,
}

/// Roles of which a subject holds at most one on a scope.
#[derive(Debug)]
pub(super) struct ExclusiveInfo<'p> {
    /// Its name.
    pub(super) name: &'p str,
    /// Where its list of roles stands.
    pub(super) roles: (u32, u32),
    /// The types of scope on which it counts.
    pub(super) at: Vec<u16>,
}

/// A role, ready to be held.
#[derive(Debug)]
pub(super) struct RoleInfo<'p> {
    /// Its name.
    pub(super) name: &'p str,
    /// The scope that defines it; `None` for a built-in role.
    pub(super) definer: Option<u32>,
    /// The types of scope on which it is held.
    pub(super) at: Vec<u16>,
    /// Who may hold it.
    pub(super) holders: Rc<Eligible>,
    /// What its holder must hold besides.
    pub(super) requires: &'p [Requirement],
    /// Where its levels come from: [`role_levels`], and the level that is the same everywhere.
    pub(super) levels: (u8, u8),
    /// [`role_flags`].
    pub(super) flags: u16,
    /// By permission.
    pub(super) rules: Vec<RuleRecord>,
    /// What each version gives, by permission; empty for a role without versions.
    pub(super) versions: Vec<(u64, Vec<u32>)>,
}

/// A rule on one permission before its limits are stored.
#[derive(Clone, Debug)]
pub(super) struct FlatRule {
    /// The permission.
    pub(super) permission: u32,
    /// The condition, or [`NONE`].
    pub(super) when: u32,
    /// The scope type it needs, or [`ANY_TYPE`].
    pub(super) held_at: u16,
    /// What the parameters may name, or [`NONE`].
    pub(super) purview: u32,
    /// What filters it.
    pub(super) limits: Vec<LimitRecord>,
}

impl<'p> Roles<'p> {
    /// Flattens the policy's roles and those that the facts define.
    pub(super) fn resolve(
        policy: &'p Policy,
        facts: &'p Facts,
        lowering: &mut Lowering<'_, 'p>,
        conditions: &mut Conditions,
        findings: &mut Findings,
    ) -> Self {
        let mut limits = Runs::default();
        let mut purviews = Purviews::default();
        let mut list = built_in(policy, lowering, conditions, &mut purviews, &mut limits, findings);
        list.extend(templates::defined(policy, facts, lowering, conditions, findings));
        // A slash follows the role in a rule id: `x-y/` sorts before `x/`.
        order::by(&mut list, |a, b| {
            a.name.bytes().chain(*b"/").cmp(b.name.bytes().chain(*b"/")).then(a.definer.cmp(&b.definer))
        });
        let mut by_name: HashMap<&str, Vec<u32>> = HashMap::new();
        for (role, number) in list.iter().zip(0..) {
            by_name.entry(role.name).or_default().push(number);
        }
        let mut roles =
            Self { list, limits, purviews: Vec::new(), role_lists: Runs::default(), exclusives: Vec::new(), by_name };
        let mut role_lists = Runs::default();
        roles.purviews = purviews.records(&roles, policy, &mut role_lists, findings);
        for set in &policy.exclusive {
            let label = format!("the exclusive roles `{}`", set.name.value);
            let members = role_lists.intern(roles.named(&set.roles, policy, &label, findings));
            let at = lowering.schema.scope_types(&set.at, &label, findings);
            roles.exclusives.push(ExclusiveInfo { name: &set.name.value, roles: members, at });
        }
        roles.role_lists = role_lists;
        roles
    }

    /// The role of a name as seen from a scope: the built-in one, or that of the nearest definer at or above the scope.
    pub(super) fn seen_from(&self, name: &str, scope: u32, entities: &Entities<'_>) -> Option<u32> {
        let candidates = self.by_name.get(name)?;
        let definer = |role: u32| self.info(role).and_then(|info| info.definer);
        let built_in = candidates.iter().copied().find(|role| definer(*role).is_none());
        built_in.or_else(|| {
            let mut above = entities.chain(scope);
            above.find_map(|node| candidates.iter().copied().find(|role| definer(*role) == Some(node)))
        })
    }

    /// The scopes that define a role of this name.
    pub(super) fn definers(&self, name: &str) -> Vec<u32> {
        let candidates = self.by_name.get(name).into_iter().flatten();
        candidates.filter_map(|role| self.info(*role).and_then(|info| info.definer)).collect()
    }

    /// The roles of a list of names: built-in ones, and all roles of a template. `whose` names the list, for the errors.
    pub(super) fn named(
        &self,
        names: &[Spanned<String>],
        policy: &Policy,
        whose: &str,
        findings: &mut Findings,
    ) -> Vec<u32> {
        let mut members = Vec::new();
        for name in names {
            let is_template = policy.role_templates.iter().any(|template| template.name.value == name.value);
            if !is_template && !policy.roles.iter().any(|role| role.name.value == name.value) {
                findings.error(name.at, format!("`{}` in {whose} is no role and no role template", name.value));
            }
            for (role, number) in self.list.iter().zip(0..) {
                let of_template = role.definer.is_some() && role.name.split('/').next() == Some(name.value.as_str());
                if of_template || (role.definer.is_none() && role.name == name.value) {
                    members.push(number);
                }
            }
        }
        order::natural(&mut members);
        members.dedup();
        members
    }

    /// The roles of one of the lists.
    pub(super) fn listed(&self, (start, end): (u32, u32)) -> &[u32] {
        let place = |number: u32| usize::try_from(number).ok();
        let range = place(start).zip(place(end)).map(|(start, end)| start..end);
        range.and_then(|range| self.role_lists.items.get(range)).unwrap_or_default()
    }

    /// A role by number.
    pub(super) fn info(&self, role: u32) -> Option<&RoleInfo<'p>> {
        self.list.get(usize::try_from(role).ok()?)
    }
}

fn built_in<'p>(
    policy: &'p Policy,
    lowering: &mut Lowering<'_, 'p>,
    conditions: &mut Conditions,
    purviews: &mut Purviews<'p>,
    limits: &mut Runs<LimitRecord>,
    findings: &mut Findings,
) -> Vec<RoleInfo<'p>> {
    let mut declared: HashMap<&str, &Role> = HashMap::new();
    for role in &policy.roles {
        if declared.insert(&role.name.value, role).is_some() {
            findings.error(role.name.at, format!("role `{}` is declared twice", role.name.value));
        }
    }
    let mut own = HashMap::new();
    let mut left = MOST_RULES;
    for role in &policy.roles {
        superuser::check(role, findings);
        let gives = if role.superuser {
            superuser::rules(lowering.schema)
        } else {
            own_rules(role, lowering, conditions, purviews, findings)
        };
        left = left.saturating_sub(gives.len());
        if left == 0 {
            break;
        }
        own.insert(role.name.value.as_str(), (gives, limits_of(role, lowering, conditions, findings)));
    }
    let mut list = Vec::new();
    for role in &policy.roles {
        let label = format!("role `{}`", role.name.value);
        let mut rules = Vec::new();
        gather(role, &declared, &own, &mut vec![role.name.value.as_str()], &mut rules, (&mut left, findings));
        if left == 0 {
            let message =
                format!("with {label} the roles give more than {MOST_RULES} rules, all ways of `includes` counted");
            findings.error_with_help(role.name.at, message, "include each role once, or name fewer types and actions");
            break;
        }
        if role.at.is_empty() {
            findings.error_with_help(role.name.at, format!("{label} is held nowhere"), "say where: `at: <type>`");
        }
        list.push(RoleInfo {
            name: &role.name.value,
            definer: None,
            at: lowering.schema.scope_types(&role.at, &label, findings),
            holders: Rc::new(Eligible::resolve(&role.holders, &label, lowering, findings)),
            requires: &role.requires,
            levels: levels_of(role, lowering, findings),
            flags: flags_of(role.superuser, role.customisable),
            rules: records(rules, limits),
            versions: Vec::new(),
        });
    }
    list
}

/// What [`role_flags`] says of a role.
pub(super) fn flags_of(superuser: bool, customisable: bool) -> u16 {
    let superuser = if superuser { role_flags::SUPERUSER } else { 0 };
    superuser | if customisable { role_flags::CUSTOMISABLE } else { 0 }
}

fn levels_of(role: &Role, lowering: &Lowering<'_, '_>, findings: &mut Findings) -> (u8, u8) {
    match &role.levels {
        None => (role_levels::LOWEST, 0),
        Some(RoleLevels::PerBinding) => (role_levels::PER_BINDING, 0),
        Some(RoleLevels::All(name)) => {
            let level = lowering.schema.level(&name.value);
            if level.is_none() {
                let message = format!("role `{}`: `{}` is no level", role.name.value, name.value);
                findings.error_with_help(name.at, message, lowering.schema.levels_help());
            }
            (role_levels::ALL, level.unwrap_or(0))
        }
    }
}

/// What a role's own `allow` gives.
fn own_rules<'p>(
    role: &'p Role,
    lowering: &mut Lowering<'_, '_>,
    conditions: &mut Conditions,
    purviews: &mut Purviews<'p>,
    findings: &mut Findings,
) -> Vec<FlatRule> {
    let label = format!("role `{}`", role.name.value);
    let mut flat = Vec::new();
    for rule in &role.rules {
        let types = lowering.schema.types_of(&rule.on, &rule.except, findings);
        let permissions = lowering.schema.select(&types, &rule.grants, OperationsOf::Governor, &label, findings);
        let programs = match &rule.when {
            Some(text) => lowering.condition(text, &permissions, conditions, findings),
            None => vec![NONE; permissions.len()],
        };
        let held_at = held_at(&rule.held_at, role, lowering, findings);
        let over_whom = purviews.of_rule(rule, &permissions, &label, lowering.schema, findings);
        for ((permission, when), purview) in permissions.into_iter().zip(programs).zip(over_whom) {
            flat.extend(held_at.iter().map(|held_at| FlatRule {
                permission,
                when,
                held_at: *held_at,
                purview,
                limits: Vec::new(),
            }));
        }
    }
    flat
}

/// The scope types that a rule or limit needs, each of which the role must be held on.
pub(super) fn held_at(
    names: &[Spanned<String>],
    role: &Role,
    lowering: &Lowering<'_, '_>,
    findings: &mut Findings,
) -> Vec<u16> {
    if names.is_empty() {
        return vec![ANY_TYPE];
    }
    let label = format!("role `{}`", role.name.value);
    for name in names {
        if !role.at.iter().any(|at| at.value == name.value) {
            findings.error(name.at, format!("{label} is never held at `{}`", name.value));
        }
    }
    lowering.schema.scope_types(names, &label, findings)
}

/// A role's rules and those of the roles it includes, each with the limits of every role on the way.
fn gather<'p>(
    role: &'p Role,
    declared: &HashMap<&str, &'p Role>,
    own: &HashMap<&str, (Vec<FlatRule>, Limits)>,
    open: &mut Vec<&'p str>,
    rules: &mut Vec<FlatRule>,
    (left, findings): (&mut usize, &mut Findings),
) {
    let first = rules.len();
    let Some((gives, limits)) = own.get(role.name.value.as_str()) else { return };
    *left = left.saturating_sub(1 + gives.len());
    if *left == 0 {
        return;
    }
    rules.extend(gives.iter().cloned());
    for included in &role.includes {
        let name = included.value.as_str();
        let Some(inner) = declared.get(name) else {
            findings
                .error(included.at, format!("role `{}` includes `{name}`, which is no built-in role", role.name.value));
            continue;
        };
        if inner.superuser {
            findings.error_with_help(
                included.at,
                format!("role `{}` includes `{name}`, which is a superuser", role.name.value),
                "a superuser gives every declared action: bind whoever needs that to the role itself",
            );
        } else if open.contains(&name) {
            findings.error(included.at, format!("role `{name}` includes itself: {} → {name}", open.join(" → ")));
        } else if open.len() > MOST_INCLUDES {
            findings.error(
                included.at,
                format!("roles include each other more than {MOST_INCLUDES} deep: {}", open.join(" → ")),
            );
        } else {
            open.push(name);
            gather(inner, declared, own, open, rules, (left, findings));
            open.pop();
        }
    }
    for rule in rules.iter_mut().skip(first) {
        rule.limits.extend(limits.get(&rule.permission).into_iter().flatten().copied());
    }
}

/// Rules as records, in order of permission; the same rule reached twice is one.
pub(super) fn records(rules: Vec<FlatRule>, limits: &mut Runs<LimitRecord>) -> Vec<RuleRecord> {
    let mut records: Vec<RuleRecord> = Vec::with_capacity(rules.len());
    for mut rule in rules {
        order::natural(&mut rule.limits);
        rule.limits.dedup();
        let (start, end) = limits.intern(rule.limits);
        records.push(RuleRecord {
            permission: rule.permission.into(),
            when: rule.when.into(),
            limits: start.into(),
            limits_end: end.into(),
            purview: rule.purview.into(),
            held_at: rule.held_at.into(),
            reserved: 0.into(),
        });
    }
    let key = |r: &RuleRecord| {
        let limits = (r.limits.get(), r.limits_end.get());
        (r.permission.get(), r.when.get(), r.held_at.get(), limits, r.purview.get())
    };
    // An unconditional rule (NONE is the largest number) is tried last; order does not change an answer.
    order::by_key(&mut records, key);
    records.dedup_by_key(|record| key(record));
    records
}
