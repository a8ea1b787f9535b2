//! I19: whatever the bytes, loading answers, and whatever the index's bytes, opening and deciding answer.

use std::fs;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use sidegate::compile::compile;
use sidegate::decide::{self, Listing, PageBounds};
use sidegate::document::{Source, build};
use sidegate::index::Index;

use super::{QUESTIONS, seed};
use crate::support::daemon::packs;
use crate::universe::{Draw, Universe, question};

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(seed()), ..Config::default() })
}

/// Overwrites, removes or repeats a few bytes.
fn damage(bytes: &mut Vec<u8>, draw: &mut Draw<'_>) {
    for _ in 0..=draw.pick(3) {
        let at = draw.pick(256) * 256 + draw.pick(256);
        let at = at % bytes.len().max(1);
        match draw.pick(4) {
            0 => bytes.truncate(at),
            1 => {
                let sign = *draw.choose(b"{}[]:,\"'#&*!|>-%@`\n\t\0\xff ~1a");
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = sign;
                }
            }
            2 => {
                let end = (at + draw.pick(40)).min(bytes.len());
                bytes.drain(at.min(end)..end);
            }
            _ => {
                let tail = bytes[at.min(bytes.len())..].to_vec();
                bytes.extend(tail.into_iter().take(4_000));
            }
        }
    }
}

#[test]
fn any_source_is_answered() {
    let texts: Vec<_> = ["flowlock", "dialog-studio"]
        .iter()
        .flat_map(|pack| ["policy.yaml", "facts.yaml"].map(|file| fs::read(packs().join(pack).join(file)).unwrap()))
        .chain([b"{\"kind\":\"subject\",\"id\":\"user/ana\",\"attributes\":{},\"disabled\":false}\n".to_vec()])
        .collect();
    let strategy = (vec(any::<u16>(), 0..40), vec(any::<u8>(), 0..60));
    let result = runner(400).run(&strategy, |(choices, noise)| {
        let mut draw = Draw::new(&choices);
        let mut bytes = if draw.chance(20) { noise } else { draw.choose(&texts).clone() };
        damage(&mut bytes, &mut draw);
        let name = (*draw.choose(&["damaged.yaml", "damaged.jsonl"])).to_owned();
        match build(vec![Source { name, bytes }]) {
            Ok(_) => {}
            Err(report) => assert!(!report.to_string().is_empty()),
        }
        Ok(())
    });
    result.unwrap();
}

#[test]
fn any_index_is_answered() {
    let strategy = (vec(any::<u16>(), 0..2_400), vec(any::<u16>(), 0..3_200), vec((any::<u32>(), any::<u8>()), 1..4));
    let result = runner(300).run(&strategy, |(world, asked, damage)| {
        let universe = Universe::draw(&mut Draw::new(&world));
        let Ok(compiled) = compile(&universe.policy, &universe.facts) else { return Ok(()) };
        let mut bytes = compiled.bytes;
        for (at, byte) in damage {
            let at = usize::try_from(at).unwrap() % bytes.len().max(1);
            if let Some(own) = bytes.get_mut(at) {
                *own = byte;
            }
        }
        let Ok(index) = Index::open(bytes) else { return Ok(()) };
        let mut draw = Draw::new(&asked);
        for _ in 0..QUESTIONS {
            let (question, time) = question(&mut draw, &universe);
            let verdict = question.with(|request| decide::authorize(&index, request, time));
            let name = verdict.map(|verdict| index.rule_id(verdict.because));
            drop(name);
            drop(question.with(|request| decide::explain(&index, request, time)));
            let some = PageBounds { allowed: 3, looked_at: 20 };
            question.with(|request| {
                drop(Listing::of_resources(&index, request, request.parent, time).and_then(|list| list.page(0, some)));
                drop(Listing::of_subjects(&index, request, time).and_then(|list| list.page(1, some)));
            });
        }
        Ok(())
    });
    result.unwrap();
}
