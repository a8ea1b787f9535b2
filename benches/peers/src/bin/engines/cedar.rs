//! Cedar: who holds a role on a workspace is a member of that workspace's group, which the workspace names. The request
//! is ready.

use std::collections::HashMap;
use std::error::Error;

use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request};
use serde_json::{Value, json};

use super::Case;
use super::world::World;

const POLICIES: &str = r#"
permit(principal, action == Action::"view", resource is document) when { principal in resource.workspace.reader };
permit(principal, action == Action::"view", resource is document) when { principal in resource.workspace.writer };
permit(principal, action == Action::"update", resource is document) when { principal in resource.workspace.writer };
permit(principal, action == Action::"publish", resource is document)
when { principal in resource.workspace.publisher && !resource.locked && resource.workspace.tier == "pro" };
permit(principal, action, resource is document) when { principal in resource.workspace.org.owner };
permit(principal, action, resource is workspace) when { principal in resource.org.owner };
permit(principal, action, resource is org) when { principal in resource.owner };
"#;

const ROLES: [&str; 3] = ["reader", "writer", "publisher"];

pub fn engine(world: &World) -> Result<Case, Box<dyn Error>> {
    let policies: PolicySet = POLICIES.parse()?;
    let entities = Entities::from_json_value(entities(world), None)?;
    let authorizer = Authorizer::new();
    let mut requests = Vec::new();
    for asked in &world.questions {
        let [user, action, document] =
            [uid("user", &asked.user)?, uid("Action", &asked.action)?, uid("document", &asked.document)?];
        requests.push(Request::new(user, action, document, Context::empty(), None)?);
    }
    let ask = move |number: usize| {
        authorizer.is_authorized(&requests[number], &policies, &entities).decision() == Decision::Allow
    };
    let wanted = world.questions.iter().map(|question| question.wanted).collect();
    Ok(Case { name: "Cedar 4.14".to_owned(), ask: Box::new(ask), wanted, batch: 100 })
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, Box<dyn Error>> {
    Ok(EntityUid::from_json(json!({"type": kind, "id": id}))?)
}

fn entities(world: &World) -> Value {
    let name = |kind: &str, id: &str| json!({"type": kind, "id": id});
    let group = |at: &str, role: &str| name("group", &format!("{at}/{role}"));
    let of = |name: Value| json!({"__entity": name});
    let mut all = vec![
        json!({"uid": name("org", "one"), "attrs": {"owner": of(group("one", "owner"))}, "parents": []}),
        json!({"uid": group("one", "owner"), "attrs": {}, "parents": []}),
    ];
    for at in &world.workspaces {
        let mut attributes = json!({"tier": "pro", "org": of(name("org", "one"))});
        for role in ROLES {
            attributes[role] = of(group(at, role));
            all.push(json!({"uid": group(at, role), "attrs": {}, "parents": []}));
        }
        all.push(json!({"uid": name("workspace", at), "attrs": attributes, "parents": [name("org", "one")]}));
    }
    for (document, at, locked) in &world.documents {
        let attributes = json!({"workspace": of(name("workspace", at)), "locked": locked});
        all.push(json!({"uid": name("document", document), "attrs": attributes, "parents": [name("workspace", at)]}));
    }
    let mut held: HashMap<&str, Vec<Value>> = HashMap::new();
    for [user, role, at] in &world.bindings {
        held.entry(user).or_default().push(group(at, role));
    }
    all.extend(held.into_iter().map(|(user, held)| json!({"uid": name("user", user), "attrs": {}, "parents": held})));
    all.into()
}
