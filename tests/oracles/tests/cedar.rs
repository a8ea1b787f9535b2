//! Decisions against the `cedar-policy` crate: every question of worlds drawn at random, under two translations.
//!
//! `SIDEGATE_DECISIONS=N` asks for more, `SIDEGATE_SEED=N` for others; a disagreement prints its seed, the smallest world
//! found as a source that can be loaded, the question and both answers.

use std::collections::BTreeMap;
use std::env;

use sidegate::index::Index;
use sidegate::model::Reason;
use sidegate_oracles::cedar::{Cedar, Form};
use sidegate_oracles::shrink::shrink;
use sidegate_oracles::world::{Random, World};

/// What was compared.
#[derive(Default)]
struct Tally {
    worlds: u64,
    decisions: u64,
    with_errors: u64,
    stricter: u64,
    reasons: BTreeMap<Reason, u64>,
}

fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn every_decision_is_cedars() {
    let (wanted, seed) = (number("SIDEGATE_DECISIONS", 250_000), number("SIDEGATE_SEED", 1));
    let mut tally = Tally::default();
    let mut worlds = 0;
    while tally.decisions < wanted {
        let own = seed.wrapping_mul(1_000_003).wrapping_add(worlds);
        let world = World::draw(&mut Random::new(own), worlds % 4 == 0);
        worlds += 1;
        if compare(&world, &mut tally).is_some() {
            let (world, why) = shrink(world, |world| compare(world, &mut Tally::default()));
            panic!("seed {seed}, world {own}: {why}\n{}", world.source());
        }
    }
    let Tally { worlds, decisions, with_errors, stricter, reasons } = tally;
    println!(
        "cedar: seed {seed}, {worlds} worlds, {decisions} decisions compared, 0 disagreements; under the plain \
         translation Cedar had errors in {with_errors} and denied for one what we allow in {stricter}\n{reasons:?}"
    );
    for reason in
        [Reason::Granted, Reason::NoGrant, Reason::ConditionFalse, Reason::ConditionUnknown, Reason::Forbidden]
    {
        assert!(
            reasons.get(&reason).is_some_and(|count| *count > decisions / 200),
            "hardly ever {reason}: {reasons:?}"
        );
    }
}

/// That nothing differs means something: what Cedar is not told about makes a difference.
#[test]
fn a_difference_is_noticed() {
    let leave: [fn(&mut World); 3] = [
        |world| drop(world.forbids.pop()),
        |world| drop(world.bindings.pop()),
        |world| world.roles.iter_mut().flat_map(|role| &mut role.rules).for_each(|rule| rule.when = None),
    ];
    for leave in leave {
        let differs = |seed: &u64| {
            let world = World::draw(&mut Random::new(*seed), false);
            let mut less = world.clone();
            leave(&mut less);
            compare_with(&world.index(), &less, &mut Tally::default()).is_some()
        };
        assert!((0..60).filter(differs).count() > 5);
    }
}

/// The first disagreement about a world.
fn compare(world: &World, tally: &mut Tally) -> Option<String> {
    compare_with(&world.index(), world, tally)
}

fn compare_with(index: &Index, world: &World, tally: &mut Tally) -> Option<String> {
    let (plain, guarded) = (Cedar::load(world, Form::Plain), Cedar::load(world, Form::Guarded));
    tally.worlds += 1;
    for question in world.questions() {
        let (ours, reason) = world.ask(index, &question);
        let (plain, guarded) = (plain.ask(&question), guarded.ask(&question));
        tally.decisions += 1;
        tally.with_errors += u64::from(plain.errors);
        tally.stricter += u64::from(plain.stricter && ours && !plain.allowed);
        *tally.reasons.entry(reason).or_default() += 1;
        let said = |why: &str| Some(format!("{why}: {question:?}\nwe: {ours} {reason}\nCedar: {plain:?}, {guarded:?}"));
        if reason == Reason::Internal {
            return said("an inconsistent snapshot");
        }
        // Of a resource that is not there Cedar knows no ancestor to look at.
        let held = world.resources.iter().any(|own| own.name == question.resource);
        if guarded.errors && held || guarded.allowed != ours {
            return said("the guarded translation differs");
        }
        if plain.allowed != ours && !(plain.stricter && ours) {
            return said("the plain translation differs");
        }
    }
    None
}
