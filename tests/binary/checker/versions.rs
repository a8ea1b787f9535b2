//! Every version of a source that was ever written, as text for the daemon and as a model for the reference engine.

use std::collections::HashMap;

use sidegate::document::{self, Source};
use sidegate::model::{Lifetime, Timestamp};

use super::{Answer, Dice, Named};
use crate::print::print;
use crate::reference;
use crate::support::question::Question;
use crate::universe::{Draw, Universe, question};

/// How long the choices are that draw a universe and its questions.
const CHOICES: usize = 3_000;

/// One version of the source.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    /// What is written.
    pub(crate) text: String,
    /// What replies must call it.
    pub(crate) digest: String,
    /// What it declares; 0 for none.
    pub(crate) sequence: u64,
    pub(super) universe: Universe,
    /// Whether answers are the same at all times.
    pub(super) is_timeless: bool,
}

impl Version {
    /// Draws a world in which there is something to take away. Its lifetimes begin and end around `now`, so that some do
    /// while it is asked.
    pub(crate) fn draw(dice: &mut Dice, now: Timestamp) -> Self {
        loop {
            let mut universe = Universe::draw(&mut Draw::new(&dice.choices(CHOICES)));
            move_lifetimes(&mut universe, now);
            if universe.facts.bindings.len() >= 4 {
                return Self::of(universe, 0);
            }
        }
    }

    /// A version of this model.
    pub(crate) fn of(universe: Universe, sequence: u64) -> Self {
        let text = print(&universe);
        let text = if sequence == 0 { text } else { format!("{text}sequence: {sequence}\n") };
        let digest = digest(&text);
        let is_timeless = !["request.time", "not_before", "expires"].iter().any(|word| text.contains(word));
        Self { text, digest, sequence, universe, is_timeless }
    }

    /// A version that somebody wrote by hand.
    pub(crate) fn read(text: &str) -> Self {
        let source = Source { name: "policy.yaml".to_owned(), bytes: text.as_bytes().to_vec() };
        let (policy, facts) = document::parse(&[source]).unwrap_or_else(|wrong| panic!("{wrong:?}\n{text}"));
        let sequence = facts.sequence.as_ref().map_or(0, |sequence| sequence.value);
        Self { text: text.to_owned(), digest: digest(text), ..Self::of(Universe { policy, facts }, sequence) }
    }

    /// The same world with some of its bindings gone or disabled: what one allows, the other may not.
    pub(crate) fn varied(&self, dice: &mut Dice) -> Self {
        loop {
            let mut universe = self.universe.clone();
            let Universe { policy, facts } = &mut universe;
            facts.bindings.retain(|_| dice.below(5) > 0);
            facts.bindings.iter_mut().for_each(|own| own.disabled ^= dice.below(6) == 0);
            facts.blocks.retain(|_| dice.below(2) > 0);
            // A role that others rest on may be gone.
            if !reference::refuses(policy, facts) {
                return Self::of(universe, self.sequence);
            }
        }
    }

    /// The same world under a sequence.
    pub(crate) fn with_sequence(self, sequence: u64) -> Self {
        Self::of(self.universe, sequence)
    }

    /// Questions about it: half of them are allowed at `now`, where so many are found.
    pub(crate) fn questions(&self, dice: &mut Dice, count: usize, now: Timestamp) -> Vec<Question> {
        let (mut allowed, mut others) = (Vec::new(), Vec::new());
        for _ in 0..10 * count {
            let question = question(&mut Draw::new(&dice.choices(200)), &self.universe).0;
            let allows = matches!(self.verdict(&question, now), Answer::Verdict { allow: true, .. });
            (if allows { &mut allowed } else { &mut others }).push(question);
            if allowed.len() >= count / 2 {
                break;
            }
        }
        others.truncate(count.saturating_sub(allowed.len()));
        allowed.extend(others);
        allowed
    }
}

fn digest(text: &str) -> String {
    let source = Source { name: "policy.yaml".to_owned(), bytes: text.as_bytes().to_vec() };
    let built = document::build(vec![source]).unwrap_or_else(|report| panic!("{report}\n{text}"));
    blake3::Hash::from_bytes(built.index.digest()).to_hex().to_string()
}

/// Worlds are drawn with the seconds 10, 20 and 30 after 1970: an hour ago, two seconds from now, in an hour.
fn move_lifetimes(universe: &mut Universe, now: Timestamp) {
    let moved = |moment: Timestamp| {
        let away = match moment.seconds() {
            ..=10 => -3_600,
            11..=20 => 2,
            21.. => 3_600,
        };
        Timestamp::new(now.seconds() + away, now.nanos()).unwrap()
    };
    let Universe { policy, facts } = universe;
    let lifetimes = (policy.forbids.iter_mut().map(|own| &mut own.lifetime))
        .chain(facts.bindings.iter_mut().map(|own| &mut own.lifetime))
        .chain(facts.credentials.iter_mut().map(|own| &mut own.lifetime))
        .chain(facts.blocks.iter_mut().map(|own| &mut own.lifetime));
    for Lifetime { not_before, expires } in lifetimes {
        *not_before = not_before.map(moved);
        *expires = expires.map(moved);
    }
}

/// Every version that was written, in the order of writing.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    known: Vec<Version>,
    by_name: HashMap<(String, u64), usize>,
    /// Which were written, one after the other.
    written: Vec<usize>,
}

impl Versions {
    /// To be called before a version is written where the daemon may read it.
    pub(crate) fn note(&mut self, version: &Version) {
        let Self { known, by_name, written } = self;
        let number = *by_name.entry((version.digest.clone(), version.sequence)).or_insert_with(|| {
            known.push(version.clone());
            known.len() - 1
        });
        written.push(number);
    }

    /// The version that a reply names.
    pub(super) fn find(&self, from: &Named) -> Option<(usize, &Version)> {
        let number = *self.by_name.get(&(from.digest.clone(), from.sequence))?;
        Some((number, &self.known[number]))
    }

    pub(super) fn all(&self) -> &[Version] {
        &self.known
    }

    /// The earliest place in the order of writing, at or after another, at which this version was written.
    pub(super) fn place(&self, number: usize, from: usize) -> Option<usize> {
        let later = self.written.iter().enumerate().skip(from);
        later.filter(|(_, written)| **written == number).map(|(place, _)| place).next()
    }
}
