//! The snapshots that the benchmarks ask, and questions about them: the same in every run. Measures nothing.

use std::fmt::Write;

use sidegate::decide::authorize;
use sidegate::document::{Source, build};
use sidegate::index::Index;
use sidegate::model::{Entity, Request, Timestamp, Verdict};

/// Questions drawn before the clock starts; a power of two.
pub(crate) const QUESTIONS: usize = 1 << 16;

const POLICY: &str = r#"
sidegate: 1
levels: [none, read, edit]
governors: {area: [main]}
subject_types: {user: {}}
group_types: {team: {members: [user]}}
operations: {read: [view], write: [update]}
types:
  org: {root: true, actions: [manage]}
  workspace: {parent: org, attributes: {tier: string}, actions: [enter]}
  folder: {parent: [workspace, folder], actions: [view]}
  document:
    parent: [workspace, folder]
    attributes: {locked: {type: bool, from: [snapshot, request]}, owner: ref(user)}
    actions: [view, update, publish]
  report: {parent: workspace, governed_by: area/main, actions: {open: {level: read}}}
roles:
  owner: {at: org, allow: [{on: [org, workspace, document], actions: all}]}
  reader: {at: workspace, allow: [{on: document, operations: [read]}]}
  writer: {at: workspace, includes: [reader], allow: [{on: document, operations: [write]}]}
  publisher:
    at: workspace
    allow: [{on: document, actions: [publish], when: "resource.locked == false && ancestor.workspace.tier == 'pro'"}]
  analyst: {at: workspace, levels: per_binding, allow: [{on: report, actions: all}]}
role_templates:
  custom: {defined_at: org, at: workspace, may: {on: document, actions: all}}
"#;

/// A snapshot and questions about it.
pub(crate) struct Universe {
    /// The snapshot.
    pub(crate) index: Index,
    /// What is asked, always.
    pub(crate) action: &'static str,
    /// The type of what it is asked of.
    pub(crate) kind: &'static str,
    /// Users and resources, by id.
    pub(crate) questions: Vec<(String, String)>,
}

/// splitmix64: the same numbers in every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 16).unwrap() % bound
    }
}

impl Universe {
    /// The decision on a question.
    pub(crate) fn ask(&self, (user, resource): &(String, String)) -> Verdict {
        let request = Request {
            subject: Entity { kind: "user", id: user },
            subject_properties: &[],
            action: self.action,
            action_properties: &[],
            resource: Entity { kind: self.kind, id: resource },
            parent: None,
            resource_properties: &[],
            context: &[],
        };
        authorize(&self.index, &request, Timestamp::EPOCH).unwrap()
    }

    fn of(
        facts: &Facts,
        (action, kind): (&'static str, &'static str),
        mut draw: impl FnMut(usize) -> (String, String),
    ) -> Self {
        let source = |name: &str, text: &str| Source { name: name.to_owned(), bytes: text.as_bytes().to_vec() };
        let built = build(vec![source("policy.yaml", POLICY), source("facts.jsonl", &facts.0)]);
        let index = built.unwrap_or_else(|report| panic!("{report}")).index;
        Self { index, action, kind, questions: (0..QUESTIONS).map(&mut draw).collect() }
    }
}

/// Lines of facts.
struct Facts(String);

impl Facts {
    fn new() -> Self {
        let mut facts = Self(String::new());
        facts.resource("org/one", None, "{}");
        facts
    }

    fn resource(&mut self, id: &str, parent: Option<&str>, attributes: &str) {
        let parent = parent.map_or_else(String::new, |parent| format!(r#","parent":"{parent}""#));
        writeln!(self.0, r#"{{"kind":"resource","id":"{id}"{parent},"attributes":{attributes}}}"#).unwrap();
    }

    fn workspace(&mut self, number: usize) {
        self.resource(&format!("workspace/w{number}"), Some("org/one"), r#"{"tier":"pro"}"#);
    }

    fn user(&mut self, number: usize) {
        writeln!(self.0, r#"{{"kind":"subject","id":"user/u{number}"}}"#).unwrap();
    }

    fn binding(&mut self, holder: &str, role: &str, workspace: usize) {
        self.binding_with(holder, role, workspace, "");
    }

    fn binding_with(&mut self, holder: &str, role: &str, workspace: usize, more: &str) {
        let at = format!("workspace/w{workspace}");
        writeln!(self.0, r#"{{"kind":"binding","subject":"{holder}","role":"{role}","at":"{at}"{more}}}"#).unwrap();
    }
}

/// Users, workspaces with four documents each, three bindings a user, and roles that tenants wrote; half of the
/// questions are about a workspace where the user holds something.
pub(crate) fn of_users(action: &'static str, users: usize, workspaces: usize, custom_roles: usize) -> Universe {
    let mut draw = Draw(7);
    let mut facts = Facts::new();
    for workspace in 0..workspaces {
        facts.workspace(workspace);
        for document in 0..4 {
            let (id, parent) = (format!("document/w{workspace}-{document}"), format!("workspace/w{workspace}"));
            facts.resource(
                &id,
                Some(&parent),
                if document == 0 { r#"{"locked":true}"# } else { r#"{"locked":false}"# },
            );
        }
    }
    for role in 0..custom_roles {
        let rules = r#"{"document":{"operations":["read"]}}"#;
        writeln!(facts.0, r#"{{"kind":"role","at":"org/one","name":"custom/r{role}","rules":{rules}}}"#).unwrap();
    }
    for user in 0..users {
        facts.user(user);
        for role in ["reader", "writer", "publisher"] {
            let custom = if custom_roles > 0 { Some(draw.below(custom_roles)) } else { None };
            let role = match custom {
                Some(custom) if role == "reader" => format!("custom/r{custom}"),
                _ => role.to_owned(),
            };
            facts.binding(&format!("user/u{user}"), &role, (user + draw.below(3)) % workspaces);
        }
    }
    Universe::of(&facts, (action, "document"), |at| {
        let user = draw.below(users);
        let workspace = if at % 2 == 0 { (user + draw.below(3)) % workspaces } else { draw.below(workspaces) };
        (format!("u{user}"), format!("w{workspace}-{}", draw.below(4)))
    })
}

/// 1,000 users, each in some teams; a team holds the role, each on another workspace.
pub(crate) fn of_teams(teams: usize) -> Universe {
    const USERS: usize = 1_000;
    let mut draw = Draw(7);
    let mut facts = Facts::new();
    (0..USERS).for_each(|user| facts.user(user));
    for workspace in 0..100 {
        facts.workspace(workspace);
        facts.resource(&format!("document/w{workspace}-0"), Some(&format!("workspace/w{workspace}")), "{}");
        let members: Vec<_> = (0..USERS)
            .filter(|user| (0..teams).any(|team| (user + team * 7) % 100 == workspace))
            .map(|user| format!(r#""user/u{user}""#))
            .collect();
        let members = members.join(",");
        writeln!(facts.0, r#"{{"kind":"group","id":"team/t{workspace}","members":[{members}]}}"#).unwrap();
        facts.binding(&format!("team/t{workspace}"), "writer", workspace);
    }
    Universe::of(&facts, ("update", "document"), |_| {
        let user = draw.below(USERS);
        (format!("u{user}"), format!("w{}-0", (user + draw.below(teams) * 7) % 100))
    })
}

/// 1,000 users who hold a level on reports.
pub(crate) fn of_levels() -> Universe {
    const USERS: usize = 1_000;
    let mut draw = Draw(7);
    let mut facts = Facts::new();
    for workspace in 0..100 {
        facts.workspace(workspace);
        facts.resource(&format!("report/w{workspace}"), Some(&format!("workspace/w{workspace}")), "{}");
    }
    for user in 0..USERS {
        facts.user(user);
        facts.binding_with(&format!("user/u{user}"), "analyst", user % 100, r#","levels":{"area":"edit"}"#);
    }
    Universe::of(&facts, ("open", "report"), |_| {
        let user = draw.below(USERS);
        (format!("u{user}"), format!("w{}", user % 100))
    })
}

/// Documents that stand so deep that they have `depth` scopes, themselves and the root included; at least 3. Each of
/// 1,000 users holds one role on a workspace.
pub(crate) fn of_depth(depth: usize) -> Universe {
    const USERS: usize = 1_000;
    let mut draw = Draw(7);
    let mut facts = Facts::new();
    for workspace in 0..100 {
        facts.workspace(workspace);
        let mut parent = format!("workspace/w{workspace}");
        for folder in 0..depth.saturating_sub(3) {
            let id = format!("folder/w{workspace}-{folder}");
            facts.resource(&id, Some(&parent), "{}");
            parent = id;
        }
        facts.resource(&format!("document/w{workspace}"), Some(&parent), "{}");
    }
    for user in 0..USERS {
        facts.user(user);
        facts.binding(&format!("user/u{user}"), "writer", user % 100);
    }
    Universe::of(&facts, ("update", "document"), |_| {
        let user = draw.below(USERS);
        (format!("u{user}"), format!("w{}", user % 100))
    })
}

/// One role that all users hold, each on one of 1,000 workspaces.
pub(crate) fn of_members(members: usize) -> Universe {
    let mut draw = Draw(7);
    let mut facts = Facts::new();
    for workspace in 0..1_000 {
        facts.workspace(workspace);
        facts.resource(&format!("document/w{workspace}"), Some(&format!("workspace/w{workspace}")), "{}");
    }
    for user in 0..members {
        facts.user(user);
        facts.binding(&format!("user/u{user}"), "writer", user % 1_000);
    }
    Universe::of(&facts, ("update", "document"), |_| {
        let user = draw.below(members);
        (format!("u{user}"), format!("w{}", user % 1_000))
    })
}

/// One subject with so many bindings, each on a workspace of its own, of as many as there are.
pub(crate) fn of_bindings_of_one(bindings: usize, workspaces: usize) -> Universe {
    let mut draw = Draw(7);
    let mut facts = Facts::new();
    facts.user(0);
    for workspace in 0..workspaces {
        facts.workspace(workspace);
        facts.resource(&format!("document/w{workspace}"), Some(&format!("workspace/w{workspace}")), "{}");
    }
    let step = workspaces / bindings;
    (0..bindings).for_each(|binding| facts.binding("user/u0", "writer", binding * step));
    Universe::of(&facts, ("update", "document"), |_| ("u0".to_owned(), format!("w{}", draw.below(bindings) * step)))
}
