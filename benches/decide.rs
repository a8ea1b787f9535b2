//! How long one decision takes, from request strings to verdict: `cargo bench --bench decide`.
//!
//! Subjects and resources are drawn at random over a universe, so that caches help no more than they would in a
//! service. A sample is a batch of 1,000 decisions; the medians of batches are the figures to quote. Beside them stands
//! the work that cannot be avoided: three hash look-ups and a bit. `SIDEGATE_BINDINGS=10000000` adds a snapshot of that
//! many bindings; building it takes minutes and several GiB.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark whose universe does not build has nothing to measure"
)]

mod universe;

use std::collections::HashMap;

use divan::{Bencher, black_box};

use universe::{QUESTIONS, Universe, of_bindings_of_one, of_depth, of_levels, of_members, of_teams, of_users};

fn main() {
    divan::main();
}

/// Decisions in a batch.
const BATCH: u32 = 1_000;

fn run(bencher: Bencher<'_, '_>, universe: &Universe) {
    let mut next = 0;
    bencher.bench_local(|| {
        let question = &universe.questions[next % QUESTIONS];
        next += 1;
        universe.ask(black_box(question))
    });
}

#[divan::bench(sample_size = BATCH, sample_count = 200)]
fn plain(bencher: Bencher<'_, '_>) {
    run(bencher, &of_users("update", 10_000, 1_000, 0));
}

#[divan::bench(sample_size = BATCH, sample_count = 200)]
fn with_condition(bencher: Bencher<'_, '_>) {
    run(bencher, &of_users("publish", 10_000, 1_000, 0));
}

#[divan::bench(sample_size = BATCH, sample_count = 200)]
fn with_level(bencher: Bencher<'_, '_>) {
    run(bencher, &of_levels());
}

#[divan::bench(sample_size = BATCH, sample_count = 200, args = [10, 1_000, 100_000])]
fn roles(bencher: Bencher<'_, '_>, roles: usize) {
    run(bencher, &of_users("view", 10_000, 1_000, roles));
}

#[divan::bench(sample_size = BATCH, sample_count = 200, args = counts())]
fn bindings(bencher: Bencher<'_, '_>, count: usize) {
    run(bencher, &of_users("update", count / 3, (count / 30).max(1), 0));
}

fn counts() -> Vec<usize> {
    let more = std::env::var("SIDEGATE_BINDINGS").ok().map(|text| text.parse().unwrap());
    [1_000, 30_000, 300_000].into_iter().chain(more).collect()
}

#[divan::bench(sample_size = BATCH, sample_count = 200, args = [3, 8, 16])]
fn depth(bencher: Bencher<'_, '_>, depth: usize) {
    run(bencher, &of_depth(depth));
}

#[divan::bench(sample_size = BATCH, sample_count = 200, args = [1, 8, 32])]
fn groups(bencher: Bencher<'_, '_>, groups: usize) {
    run(bencher, &of_teams(groups));
}

#[divan::bench(sample_size = BATCH, sample_count = 200, args = [1_000, 100_000])]
fn members_of_one_role(bencher: Bencher<'_, '_>, members: usize) {
    run(bencher, &of_members(members));
}

/// All of one snapshot: only what the subject holds grows.
#[divan::bench(sample_size = BATCH, sample_count = 200, args = [10, 1_000, 100_000])]
fn bindings_of_one_subject(bencher: Bencher<'_, '_>, count: usize) {
    run(bencher, &of_bindings_of_one(count, 100_000));
}

/// The floor: user → number, document → number, (user, document) → bits, with the standard library's maps.
#[divan::bench(sample_size = BATCH, sample_count = 200)]
fn three_look_ups_and_a_bit(bencher: Bencher<'_, '_>) {
    let universe = of_users("update", 10_000, 1_000, 0);
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
