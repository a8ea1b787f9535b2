//! Makes a universe that breaks a property small enough to read, by leaving things out while it still breaks.

use std::fmt::Write as _;

use super::{Broken, Draw, Property, Sample, opened};
use crate::print::print;
use crate::universe::{Universe, plain_rules};

/// One way to leave something out: the `n`th of its kind; false when there is no such thing.
type Leave = fn(&mut Sample, usize) -> bool;

const WAYS: [Leave; 17] = [
    |sample, n| remove(&mut sample.questions, n),
    |sample, n| remove(&mut sample.universe.facts.bindings, n),
    |sample, n| remove(&mut sample.universe.facts.blocks, n),
    |sample, n| remove(&mut sample.universe.facts.roles, n),
    |sample, n| remove(&mut sample.universe.facts.resources, n),
    |sample, n| remove(&mut sample.universe.facts.subjects, n),
    |sample, n| remove(&mut sample.universe.policy.forbids, n),
    |sample, n| remove(&mut sample.universe.policy.roles, n),
    |sample, n| remove_inner(sample.universe.policy.roles.iter_mut().map(|role| &mut role.rules), n),
    |sample, n| remove_inner(sample.universe.policy.roles.iter_mut().map(|role| &mut role.limits), n),
    |sample, n| remove_inner(sample.universe.policy.roles.iter_mut().map(|role| &mut role.includes), n),
    |sample, n| remove(&mut sample.universe.policy.exclusive, n),
    |sample, n| remove_inner(sample.universe.facts.bindings.iter_mut().map(|own| &mut own.levels), n),
    |sample, n| {
        let actions = sample.universe.policy.types.iter_mut().flat_map(|kind| &mut kind.actions);
        let left = actions.filter(|action| action.level.is_some()).nth(n);
        left.is_some_and(|action| action.level.take().is_some())
    },
    |sample, n| remove_inner(sample.universe.facts.roles.iter_mut().map(|role| plain_rules(&mut role.rules)), n),
    |sample, n| {
        let facts = &mut sample.universe.facts;
        let subjects = facts.subjects.iter_mut().map(|own| &mut own.attributes);
        remove_inner(subjects.chain(facts.resources.iter_mut().map(|own| &mut own.attributes)), n)
    },
    |sample, n| {
        let types = sample.universe.policy.types.iter_mut().map(|kind| &mut kind.attributes);
        let subjects = sample.universe.policy.subject_types.iter_mut().map(|kind| &mut kind.attributes);
        remove_inner(types.chain(subjects).chain([&mut sample.universe.policy.context]), n)
    },
];

/// The smallest sample found, as a source, with its question and what is wrong.
pub(super) fn report(mut sample: Sample, property: Property, choices: &[u16], why: &impl ToString) -> String {
    let mut broken = Broken { question: None, why: why.to_string() };
    loop {
        let mut smaller = false;
        for way in WAYS {
            let mut n = 0;
            while let Some(left) = leave(&sample, way, n) {
                match left.test(property, choices) {
                    Some((still, left)) => (broken, sample, smaller) = (still, left, true),
                    None => n += 1,
                }
            }
        }
        if !smaller {
            break;
        }
    }
    let mut text = format!("{}\n{}", broken.why, print(&sample.universe));
    if let Some((question, time)) = broken.question.map(|asked| *asked) {
        write!(text, "asked at {time}: {question:?}").expect("a string takes everything");
    }
    text
}

/// What is left of a sample; nothing when it can no longer be compiled.
struct Left(Option<Sample>);

impl Left {
    /// The sample, if it still breaks the property.
    fn test(self, property: Property, choices: &[u16]) -> Option<(Broken, Sample)> {
        let left = self.0?;
        let broken = property(&left, &mut Draw::new(choices)).err()?;
        Some((broken, left))
    }
}

/// `None` when there is nothing more to leave out in this way.
fn leave(sample: &Sample, way: Leave, n: usize) -> Option<Left> {
    let Universe { policy, facts } = sample.universe.clone();
    let index = opened(&sample.universe)?;
    let mut left = Sample { universe: Universe { policy, facts }, index, questions: sample.questions.clone() };
    if !way(&mut left, n) {
        return None;
    }
    Some(Left(opened(&left.universe).map(|index| Sample { index, ..left })))
}

fn remove<T>(items: &mut Vec<T>, n: usize) -> bool {
    let found = n < items.len();
    if found {
        items.remove(n);
    }
    found
}

fn remove_inner<'a, T: 'a>(lists: impl Iterator<Item = &'a mut Vec<T>>, mut n: usize) -> bool {
    for list in lists {
        if n < list.len() {
            return remove(list, n);
        }
        n -= list.len();
    }
    false
}
