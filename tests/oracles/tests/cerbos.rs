//! Decisions against a real Cerbos 0.55: every question of a fixed set of worlds.
//!
//! `SIDEGATE_CERBOS=/path/of/cerbos` names the binary; without it there is nothing to compare with, and the test is only
//! run when asked for. `SIDEGATE_DECISIONS=N` asks for more, `SIDEGATE_SEED=N` for others.

use std::env;

use sidegate_oracles::cerbos::{Scene, Server};
use sidegate_oracles::shrink::shrink;
use sidegate_oracles::world::{Random, World};

/// Worlds that one server holds.
const AT_ONCE: usize = 100;

fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
#[ignore = "needs the Cerbos binary: `.ci/run cerbos`"]
fn every_decision_is_that_of_cerbos() {
    let binary = env::var("SIDEGATE_CERBOS").expect("SIDEGATE_CERBOS names the Cerbos binary");
    let (wanted, seed) = (number("SIDEGATE_DECISIONS", 100_000), number("SIDEGATE_SEED", 1));
    let (mut decisions, mut allowed, mut worlds) = (0_u64, 0_u64, 0_usize);
    while decisions < wanted {
        let scenes: Vec<_> = (worlds..worlds + AT_ONCE).map(|number| scene(seed, number)).collect();
        worlds += AT_ONCE;
        let directory = tempfile::tempdir().expect("a directory");
        let server = Server::start(&binary, directory.path(), &scenes);
        for scene in &scenes {
            let index = scene.world.index();
            for (question, theirs) in server.ask(scene) {
                let (ours, _) = scene.world.ask(&index, &question);
                decisions += 1;
                allowed += u64::from(ours);
                if ours != theirs {
                    report(&binary, seed, scene);
                }
            }
        }
    }
    println!(
        "cerbos: seed {seed}, {worlds} worlds, {decisions} decisions compared, 0 disagreements, {allowed} allowed"
    );
    assert!(allowed > decisions / 100, "hardly anything is allowed");
}

fn scene(seed: u64, number: usize) -> Scene {
    let own = seed.wrapping_mul(1_000_003).wrapping_add(u64::try_from(number).expect("small"));
    let plain = number.is_multiple_of(2);
    Scene { world: World::draw(&mut Random::new(own), plain), number, plain }
}

/// Panics with the smallest world found; each step starts a server of its own, so the last one is bounded.
fn report(binary: &str, seed: u64, scene: &Scene) -> ! {
    let steps = std::cell::Cell::new(0);
    let (world, why) = shrink(scene.world.clone(), |world| {
        steps.set(steps.get() + 1);
        if steps.get() > 150 || scene.plain && !is_complete(world, &scene.world) {
            return None;
        }
        differs(binary, &Scene { world: world.clone(), ..scene.clone() })
    });
    panic!("seed {seed}, world {}: {why}\n{}", scene.number, world.source());
}

/// Whether everything that is left has all the values it had.
fn is_complete(left: &World, whole: &World) -> bool {
    let of = |world: &World| -> Vec<_> {
        let held = world.subjects.iter().chain(&world.resources).map(|own| (own.name.to_string(), own.values.len()));
        held.chain(world.contexts.iter().map(|context| ("context".to_owned(), context.len()))).collect()
    };
    let whole = of(whole);
    of(left).iter().all(|own| whole.contains(own))
}

fn differs(binary: &str, scene: &Scene) -> Option<String> {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start(binary, directory.path(), std::slice::from_ref(scene));
    let index = scene.world.index();
    server.ask(scene).into_iter().find_map(|(question, theirs)| {
        let (ours, reason) = scene.world.ask(&index, &question);
        (ours != theirs).then(|| format!("{question:?}\nwe: {ours} {reason}\nCerbos: {theirs}\n{:?}", scene.policies()))
    })
}
