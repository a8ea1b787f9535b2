//! How many instructions decisions execute, counted by Callgrind: `cargo bench --bench instructions`.
//!
//! A count does not depend on how busy a machine is, so that it can be a gate: `benches/instructions.toml` holds the
//! figures, `.ci/run instructions` compares. Needs `valgrind`, and `gungraun-runner` of the same version as the crate.

#![expect(missing_docs, clippy::exit, clippy::disallowed_methods, reason = "what the macros generate")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark whose universe does not build has nothing to measure"
)]

mod universe;

use std::hint::black_box;

use gungraun::prelude::*;

use universe::Universe;

/// Decisions that are counted together.
const DECISIONS: usize = 1_000;

/// All questions have been asked once before the count begins: what a process does once is none of a decision's cost.
fn ready(universe: Universe) -> Universe {
    for question in universe.questions.iter().take(DECISIONS) {
        black_box(universe.ask(question));
    }
    universe
}

/// The same snapshot with only those questions that are answered so.
fn answered(allowed: bool, mut universe: Universe) -> Universe {
    let mut questions = std::mem::take(&mut universe.questions);
    questions.truncate(4 * DECISIONS);
    questions.retain(|question| universe.ask(question).is_allow() == allowed);
    assert!(!questions.is_empty(), "no question is answered so");
    Universe { questions, ..universe }
}

#[library_benchmark(setup = ready)]
#[bench::plain_allow(answered(true, universe::of_users("update", 2_000, 200, 0)))]
#[bench::plain_deny(answered(false, universe::of_users("update", 2_000, 200, 0)))]
#[bench::with_condition(answered(true, universe::of_users("publish", 2_000, 200, 0)))]
#[bench::groups(answered(true, universe::of_teams(8)))]
#[bench::level(answered(true, universe::of_levels()))]
#[bench::deep(answered(true, universe::of_depth(16)))]
#[bench::large_role(answered(true, universe::of_members(100_000)))]
#[bench::large_subject(answered(true, universe::of_bindings_of_one(10_000, 10_000)))]
fn decide(universe: Universe) -> Universe {
    for question in universe.questions.iter().cycle().take(DECISIONS) {
        black_box(universe.ask(black_box(question)));
    }
    universe
}

library_benchmark_group!(name = decisions, benchmarks = decide);

main!(library_benchmark_groups = decisions);
