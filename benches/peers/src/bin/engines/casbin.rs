//! Casbin: roles with domains. It knows no documents, so the caller names the workspace as the domain.

use std::error::Error;
use std::fmt::Write;

use casbin::{CoreApi, DefaultModel, Enforcer, StringAdapter};

use super::Case;
use super::world::World;

const MODEL: &str = "
[request_definition]
r = sub, dom, obj, act

[policy_definition]
p = sub, obj, act

[role_definition]
g = _, _, _

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = r.obj == p.obj && r.act == p.act && g(r.sub, p.sub, r.dom)
";

/// What each role gives. The publisher's condition is left out: it is not asked for.
const RULES: &str = "\
p, reader, document, view
p, writer, document, view
p, writer, document, update
p, publisher, document, publish
";

pub fn engine(world: &World) -> Result<Case, Box<dyn Error>> {
    let mut rules = RULES.to_owned();
    for [user, role, at] in &world.bindings {
        writeln!(rules, "g, {user}, {role}, {at}")?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let enforcer = runtime
        .block_on(async { Enforcer::new(DefaultModel::from_str(MODEL).await?, StringAdapter::new(&rules)).await })?;
    let of = |asked: &super::world::Question| {
        let at = World::workspace_of(&asked.document).to_owned();
        [asked.user.clone(), at, "document".to_owned(), asked.action.clone()]
    };
    let asked: Vec<_> = world.questions.iter().map(of).collect();
    let ask = move |number: usize| {
        let [user, at, kind, action] = &asked[number];
        enforcer.enforce((user, at, kind, action)).is_ok_and(|allowed| allowed)
    };
    let wanted = world.questions.iter().map(|question| question.wanted).collect();
    Ok(Case { name: "Casbin 2.20".to_owned(), ask: Box::new(ask), wanted, batch: 100 })
}
