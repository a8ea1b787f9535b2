//! What loads: exactly what the reference finds nothing wrong with, mistakes drawn on purpose.

use std::cell::Cell;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use sidegate::compile::compile;
use sidegate::model::Facts;

use super::{decisions, seed, shrink};
use crate::print::print;
use crate::reference;
use crate::universe::{Draw, Universe};

#[test]
fn what_loads_is_what_the_reference_takes() {
    let cases = u32::try_from(decisions() / 60).expect("fewer decisions") + 1;
    let config = Config {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed()),
        max_shrink_iters: 300,
        ..Config::default()
    };
    let (taken, refused) = (Cell::new(0), Cell::new(0));
    let result = TestRunner::new(config).run(&vec(any::<u16>(), 1_200..3_600), |world| {
        let universe = Universe::draw(&mut Draw::careless(&world));
        let counter = if compile(&universe.policy, &universe.facts).is_ok() { &taken } else { &refused };
        counter.set(counter.get() + 1);
        if disagree(&universe) { Err(TestCaseError::fail("they disagree")) } else { Ok(()) }
    });
    println!("load: seed {}, {} taken, {} refused", seed(), taken.get(), refused.get());
    match result {
        Ok(()) => assert!(refused.get() * 10 > taken.get(), "too few mistakes"),
        Err(TestError::Fail(_, world)) => {
            panic!("load: seed {}: {}", seed(), report(Universe::draw(&mut Draw::careless(&world))))
        }
        Err(error) => panic!("load: seed {}: {error}", seed()),
    }
}

fn disagree(universe: &Universe) -> bool {
    compile(&universe.policy, &universe.facts).is_ok() == reference::refuses(&universe.policy, &universe.facts)
}

/// Whether nothing is wrong with the policy alone.
fn has_a_good_policy(universe: &Universe) -> bool {
    let mut policy = universe.policy.clone();
    policy.forbids.clear();
    compile(&policy, &Facts::default()).is_ok()
}

/// The smallest universe found on which they disagree, and what the engine says about it.
pub(super) fn report(universe: Universe) -> String {
    let small = shrink::universe(universe, &|left| disagree(left) && has_a_good_policy(left));
    let findings = compile(&small.policy, &small.facts).err();
    let refused = reference::refuses(&small.policy, &small.facts);
    format!("the reference refuses: {refused}; the engine: {findings:?}\n{}", print(&small))
}
