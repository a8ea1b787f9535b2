//! Sidegate's `decide`, and the work that nobody can avoid.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;

use sidegate::decide::authorize;
use sidegate::index::file;
use sidegate::model::{Decision, Entity, Request, Timestamp};

use super::Case;
use super::world::{Question, World, questions};

/// From request strings to the verdict, on the compiled world.
pub fn decide(name: &str, directory: &Path, asked: &str) -> Result<Case, Box<dyn Error>> {
    let (_, index) = file::open(std::fs::read(directory.join("world.sgate"))?)?;
    let questions = questions(&directory.join(asked))?;
    let wanted = questions.iter().map(|question| question.wanted).collect();
    let ask = move |number: usize| {
        let Question { user, action, document, .. } = &questions[number];
        let request = Request {
            subject: Entity { kind: "user", id: user },
            subject_properties: &[],
            action,
            action_properties: &[],
            resource: Entity { kind: "document", id: document },
            parent: None,
            resource_properties: &[],
            context: &[],
        };
        authorize(&index, &request, Timestamp::EPOCH).is_ok_and(|verdict| verdict.decision == Decision::Allow)
    };
    Ok(Case { name: name.to_owned(), ask: Box::new(ask), wanted, batch: 1_000 })
}

/// User → number, document → number, (user, workspace) → bits, with the standard library's maps.
pub fn floor(world: &World) -> Case {
    fn numbers<'a>(names: impl Iterator<Item = &'a String>) -> HashMap<String, u32> {
        let mut numbers = HashMap::new();
        for name in names {
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            numbers.entry(name.clone()).or_insert(next);
        }
        numbers
    }
    let users = numbers(world.bindings.iter().map(|[user, ..]| user));
    let workspaces = numbers(world.workspaces.iter());
    let documents: HashMap<String, u32> =
        world.documents.iter().map(|(document, at, _)| (document.clone(), workspaces[at])).collect();
    let mut bits: HashMap<(u32, u32), u64> = HashMap::new();
    for [user, role, at] in &world.bindings {
        let bit = match role.as_str() {
            "writer" => 3,
            "reader" => 1,
            _ => 4,
        };
        *bits.entry((users[user], workspaces[at])).or_default() |= bit;
    }
    let asked: Vec<_> = world.questions.iter().map(|asked| (asked.user.clone(), asked.document.clone())).collect();
    let ask = move |number: usize| {
        let (user, document) = &asked[number];
        let held = users.get(user).zip(documents.get(document));
        held.and_then(|(user, at)| bits.get(&(*user, *at))).is_some_and(|bits| bits & 2 != 0)
    };
    let wanted = world.questions.iter().map(|question| question.wanted).collect();
    Case { name: "three look-ups and a bit".to_owned(), ask: Box::new(ask), wanted, batch: 1_000 }
}
