//! T4, T5: damaged sources. Whatever bytes are changed or cut: no panic, and what still loads is decided as the reference
//! decides it. A compiled file with any damage is refused.
//!
//! `SIDEGATE_FLIPS=N` draws so many.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sidegate::decide;
use sidegate::document::{self, Built, Source};
use sidegate::index::file::{self, Publication, header};

use crate::checker::{Dice, Version, now, seed};
use crate::reference::{self, NotAsked, Outcome};
use crate::support::good;
use crate::universe::Universe;

/// What became of damaged sources.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flips {
    pub(crate) text: usize,
    pub(crate) compiled: usize,
    pub(crate) refused: usize,
    /// Loaded, and says what it said before.
    pub(crate) same: usize,
    /// Loaded, and says something else, as an author might have meant it.
    pub(crate) other: usize,
    pub(crate) panics: usize,
    /// Loaded, and decided otherwise than by the reference, or not to be loaded.
    pub(crate) wrong: Vec<String>,
}

impl fmt::Display for Flips {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, compiled, refused, same, other, panics, wrong } = self;
        let wrong = wrong.len();
        write!(
            f,
            "{text} texts and {compiled} compiled files damaged: {refused} refused, {same} the same, {other} another \
             valid text; panics {panics}, wrong {wrong}"
        )
    }
}

/// Damages so many sources, of which one in `text_in` is a text: reading one takes a hundred times as long.
pub(crate) fn run(flips: usize, text_in: usize, seed: u64) -> Flips {
    let (mut dice, mut found) = (Dice::new(seed), Flips::default());
    let mut left = flips;
    while left > 0 {
        let version = Version::draw(&mut dice, now());
        let questions = version.questions(&mut dice, 4, now());
        let built = build(version.text.as_bytes()).unwrap();
        let publication = Publication { sequence: dice.next() % 3, ..Publication::default() };
        let whole = [header(&publication, &built.index), built.index.bytes().to_vec()].concat();
        for number in 0..left.min(1_000) {
            left -= 1;
            if number % text_in == 0 {
                let damaged = damage(version.text.as_bytes(), &mut dice);
                found.text += 1;
                found.note(&damaged, &version.digest, &mut |universe, built| agree(universe, built, &questions));
            } else {
                found.compiled += 1;
                let damaged = damage(&whole, &mut dice);
                match catch_unwind(|| file::open(damaged).is_ok()) {
                    Ok(false) => found.refused += 1,
                    Ok(true) => found.wrong.push("a damaged compiled file is opened".to_owned()),
                    Err(_) => found.panics += 1,
                }
            }
        }
    }
    found
}

impl Flips {
    /// Loads a damaged text.
    fn note(&mut self, bytes: &[u8], digest: &str, agree: &mut dyn FnMut(&Universe, &Built) -> Result<(), String>) {
        let loaded = catch_unwind(AssertUnwindSafe(|| {
            let built = build(bytes)?;
            let (policy, facts) = document::parse(&[source(bytes)]).ok()?;
            Some((Universe { policy, facts }, built))
        }));
        let (universe, built) = match loaded {
            Ok(Some(loaded)) => loaded,
            Ok(None) => {
                self.refused += 1;
                return;
            }
            Err(_) => {
                self.panics += 1;
                return;
            }
        };
        let is_same = blake3::Hash::from_bytes(built.index.digest()).to_hex().as_str() == digest;
        *(if is_same { &mut self.same } else { &mut self.other }) += 1;
        if let Err(why) = agree(&universe, &built) {
            self.wrong.push(format!("{why}\n{}", String::from_utf8_lossy(bytes)));
        }
    }
}

/// Whether what was loaded is what the reference takes it for.
fn agree(universe: &Universe, built: &Built, questions: &[crate::support::question::Question]) -> Result<(), String> {
    let Universe { policy, facts } = universe;
    if reference::refuses(policy, facts) {
        return Err("this should be refused".to_owned());
    }
    for question in questions {
        let engine = question.with(|request| decide::authorize(&built.index, request, now()));
        let engine = engine.map_err(|_| NotAsked).map(|verdict| Outcome {
            decision: verdict.decision,
            reason: verdict.reason,
            rule: built.index.rule_id(verdict.because),
            undetermined: verdict.undetermined,
        });
        let wanted = question.with(|request| reference::decide(policy, facts, request, now()));
        if engine != wanted {
            return Err(format!("{question:?}\n  {engine:?}\n  {wanted:?}"));
        }
    }
    Ok(())
}

/// One bit, several, a byte, a cut, a piece doubled or gone: always something else than before.
fn damage(whole: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let place = dice.below(bytes.len());
    match dice.below(10) {
        0 => bytes.truncate(place),
        1 => drop(bytes.drain(place..(place + 1 + dice.below(40)).min(whole.len()))),
        2 => {
            let piece = bytes[place..(place + 1 + dice.below(40)).min(whole.len())].to_vec();
            bytes.splice(place..place, piece);
        }
        3..=5 => {
            for _ in 0..=dice.below(4) {
                let place = dice.below(bytes.len());
                bytes[place] ^= u8::try_from(1 + dice.below(255)).unwrap();
            }
        }
        _ => bytes[place] ^= 1 << dice.below(8),
    }
    if bytes == whole {
        bytes[place] ^= 1;
    }
    bytes
}

fn source(bytes: &[u8]) -> Source {
    Source { name: "policy.yaml".to_owned(), bytes: bytes.to_vec() }
}

fn build(bytes: &[u8]) -> Option<Built> {
    document::build(vec![source(bytes)]).ok()
}

#[test]
fn damaged_sources_are_refused_or_mean_what_they_say() {
    let flips =
        std::env::var("SIDEGATE_FLIPS").map_or(20_000, |text| text.parse().expect("SIDEGATE_FLIPS is a number"));
    let found = run(flips, 40, seed());
    println!("seed {}: {found}", seed());
    assert!(found.panics == 0 && found.wrong.is_empty(), "{found}\n{:#?}", found.wrong.first());
    assert!(found.refused > 0 && found.same + found.other > 0, "{found}");
}

#[test]
fn a_text_that_is_cut_anywhere_is_refused_or_ends_with_a_line() {
    let text = good().into_bytes();
    let digest = |cut: &[u8]| Some(build(cut)?.index.digest());
    let lines = (1..=text.len()).filter(|end| text[end - 1] == b'\n');
    let whole_lines: BTreeSet<_> = lines.filter_map(|end| digest(&text[..end])).collect();
    assert!(whole_lines.len() > 1, "some cuts are valid by themselves");
    for length in 0..text.len() {
        let cut = &text[..length];
        assert!(
            digest(cut).is_none_or(|digest| whole_lines.contains(&digest)),
            "half a line was read:\n{}",
            String::from_utf8_lossy(cut)
        );
    }
}
