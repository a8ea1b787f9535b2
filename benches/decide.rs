//! How long one decision takes, from request strings to verdict: `cargo bench --bench decide`.
//!
//! Subjects and resources are drawn at random over a universe, so that caches help no more than they would in a
//! service. A sample is a batch of 1,000 decisions; the medians of batches are the figures to quote. Beside them stands
//! the work that cannot be avoided: three hash look-ups and a bit.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark whose universe does not build has nothing to measure"
)]

use std::collections::HashMap;
use std::fmt::Write;

use divan::{Bencher, black_box};
use sidegate::decide::authorize;
use sidegate::document::{Source, build};
use sidegate::index::Index;
use sidegate::model::{Entity, Request, Timestamp};

fn main() {
    divan::main();
}

/// Decisions in a batch.
const BATCH: u32 = 1_000;
/// Questions drawn before the clock starts; a power of two.
const QUESTIONS: usize = 1 << 16;

const POLICY: &str = r#"
sidegate: 1
subject_types: {user: {}}
operations: {read: [view], write: [update]}
types:
  org: {root: true, actions: [manage]}
  workspace: {parent: org, attributes: {tier: string}, actions: [enter]}
  document:
    parent: workspace
    attributes: {locked: {type: bool, from: [snapshot, request]}, owner: ref(user)}
    actions: [view, update, publish]
roles:
  owner: {at: org, allow: [{on: [org, workspace, document], actions: all}]}
  reader: {at: workspace, allow: [{on: document, operations: [read]}]}
  writer: {at: workspace, includes: [reader], allow: [{on: document, operations: [write]}]}
  publisher:
    at: workspace
    allow: [{on: document, actions: [publish], when: "resource.locked == false && ancestor.workspace.tier == 'pro'"}]
role_templates:
  custom: {defined_at: org, at: workspace, may: {on: document, actions: all}}
"#;

/// A universe and questions about it.
struct Universe {
    index: Index,
    questions: Vec<(String, String)>,
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

/// Users, workspaces with four documents each, three bindings a user, and roles that tenants wrote.
fn universe(users: usize, workspaces: usize, custom_roles: usize) -> Universe {
    let mut draw = Draw(7);
    let mut facts = String::new();
    writeln!(facts, r#"{{"kind":"resource","id":"org/one"}}"#).unwrap();
    for workspace in 0..workspaces {
        writeln!(
            facts,
            r#"{{"kind":"resource","id":"workspace/w{workspace}","parent":"org/one","attributes":{{"tier":"pro"}}}}"#
        )
        .unwrap();
        for document in 0..4 {
            writeln!(facts, r#"{{"kind":"resource","id":"document/w{workspace}-{document}","parent":"workspace/w{workspace}","attributes":{{"locked":{}}}}}"#, document == 0).unwrap();
        }
    }
    for role in 0..custom_roles {
        writeln!(facts, r#"{{"kind":"role","at":"org/one","name":"custom/r{role}","rules":{{"document":{{"operations":["read"]}}}}}}"#).unwrap();
    }
    for user in 0..users {
        writeln!(facts, r#"{{"kind":"subject","id":"user/u{user}"}}"#).unwrap();
        for role in ["reader", "writer", "publisher"] {
            let role = if custom_roles > 0 && role == "reader" {
                format!("custom/r{}", draw.below(custom_roles))
            } else {
                role.to_owned()
            };
            writeln!(
                facts,
                r#"{{"kind":"binding","subject":"user/u{user}","role":"{role}","at":"workspace/w{}"}}"#,
                (user + draw.below(3)) % workspaces
            )
            .unwrap();
        }
    }
    let source = |name: &str, text: &str| Source { name: name.to_owned(), bytes: text.as_bytes().to_vec() };
    let built = build(vec![source("policy.yaml", POLICY), source("facts.jsonl", &facts)]);
    let index = built.unwrap_or_else(|report| panic!("{report}")).index;
    // Half of the questions are about a workspace where the user holds something.
    let questions = (0..QUESTIONS).map(|at| {
        let user = draw.below(users);
        let workspace = if at % 2 == 0 { (user + draw.below(3)) % workspaces } else { draw.below(workspaces) };
        (format!("u{user}"), format!("w{workspace}-{}", draw.below(4)))
    });
    Universe { index, questions: questions.collect() }
}

fn run(bencher: Bencher<'_, '_>, universe: &Universe, action: &'static str) {
    let mut next = 0;
    bencher.bench_local(|| {
        let (user, document) = &universe.questions[next % QUESTIONS];
        next += 1;
        let request = Request {
            subject: Entity { kind: "user", id: black_box(user) },
            subject_properties: &[],
            action: black_box(action),
            action_properties: &[],
            resource: Entity { kind: "document", id: black_box(document) },
            parent: None,
            resource_properties: &[],
            context: &[],
        };
        authorize(&universe.index, &request, Timestamp::EPOCH)
    });
}

#[divan::bench(sample_size = BATCH, sample_count = 200)]
fn plain(bencher: Bencher<'_, '_>) {
    run(bencher, &universe(10_000, 1_000, 0), "update");
}

#[divan::bench(sample_size = BATCH, sample_count = 200)]
fn with_condition(bencher: Bencher<'_, '_>) {
    run(bencher, &universe(10_000, 1_000, 0), "publish");
}

#[divan::bench(sample_size = BATCH, sample_count = 200, args = [10, 1_000, 100_000])]
fn tenants_roles(bencher: Bencher<'_, '_>, roles: usize) {
    run(bencher, &universe(10_000, 1_000, roles), "view");
}

#[divan::bench(sample_size = BATCH, sample_count = 200, args = [1_000, 30_000, 300_000])]
fn bindings(bencher: Bencher<'_, '_>, count: usize) {
    run(bencher, &universe(count / 3, (count / 30).max(1), 0), "update");
}

/// The floor: user → number, document → number, (user, document) → bits, with the standard library's maps.
#[divan::bench(sample_size = BATCH, sample_count = 200)]
fn three_look_ups_and_a_bit(bencher: Bencher<'_, '_>) {
    let universe = universe(10_000, 1_000, 0);
    let users: HashMap<String, u32> = (0..10_000).map(|user| (format!("u{user}"), user)).collect();
    let documents: HashMap<String, u32> = (0..4_000).map(|at| (format!("w{}-{}", at / 4, at % 4), at / 4)).collect();
    let bits: HashMap<(u32, u32), u64> = (0..30_000).map(|at| ((at % 10_000, at % 1_000), u64::from(at))).collect();
    let mut next = 0;
    bencher.bench_local(|| {
        let (user, document) = &universe.questions[next % QUESTIONS];
        next += 1;
        let user = users.get(black_box(user.as_str()))?;
        let workspace = documents.get(black_box(document.as_str()))?;
        bits.get(&(*user, *workspace)).map(|bits| bits & 4 != 0)
    });
}
