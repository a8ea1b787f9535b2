//! Sidegate's `decide`, the work that nobody can avoid, and what a wait for this machine's memory takes.

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

/// One step through as many bytes, in an order that nothing can foresee: each waits for the one before.
pub fn wait(bytes: u64) -> Case {
    const WORDS_OF_A_LINE: usize = 16;
    let lines = (bytes as usize / 64).max(1);
    let mut order: Vec<usize> = (0..lines).collect();
    let mut seed = 1_u64;
    for last in (1..lines).rev() {
        // splitmix64.
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        order.swap(last, ((mixed ^ (mixed >> 31)) >> 16) as usize % (last + 1));
    }
    let mut table = vec![0_u32; lines * WORDS_OF_A_LINE];
    for (from, to) in order.iter().zip(order.iter().cycle().skip(1)) {
        table[from * WORDS_OF_A_LINE] = *to as u32;
    }
    let mut at = 0;
    let ask = move |_| {
        at = table[at as usize * WORDS_OF_A_LINE];
        (at as usize) < lines
    };
    Case { name: "one wait for memory".to_owned(), ask: Box::new(ask), wanted: vec![true; 1_000], batch: 1_000 }
}
