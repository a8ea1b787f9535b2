//! Makes a universe that breaks a property small enough to read, by leaving things out while it still breaks.

use std::fmt::Write as _;

use super::{Broken, Draw, Property, Sample, opened};
use crate::print::print;
use crate::universe::{Universe, all_rules};

/// One way to leave something out: the `n`th of its kind; false when there is no such thing.
type Leave = fn(&mut Universe, usize) -> bool;

const WAYS: [Leave; 28] = [
    |world, n| remove(&mut world.facts.bindings, n),
    |world, n| remove(&mut world.facts.blocks, n),
    |world, n| remove(&mut world.facts.credentials, n),
    |world, n| remove(&mut world.facts.groups, n),
    |world, n| remove(&mut world.facts.roles, n),
    |world, n| remove(&mut world.facts.resources, n),
    |world, n| remove(&mut world.facts.subjects, n),
    |world, n| remove(&mut world.policy.forbids, n),
    |world, n| remove(&mut world.policy.seats, n),
    |world, n| remove(&mut world.policy.roles, n),
    |world, n| remove(&mut world.policy.role_templates, n),
    |world, n| remove(&mut world.policy.credential_types, n),
    |world, n| remove(&mut world.policy.exclusive, n),
    |world, n| remove_inner(world.policy.roles.iter_mut().map(|role| &mut role.rules), n),
    |world, n| remove_inner(world.policy.roles.iter_mut().map(|role| &mut role.limits), n),
    |world, n| remove_inner(world.policy.roles.iter_mut().map(|role| &mut role.includes), n),
    |world, n| remove_inner(world.policy.roles.iter_mut().map(|role| &mut role.requires), n),
    |world, n| remove_inner(world.policy.roles.iter_mut().map(|role| &mut role.holders), n),
    |world, n| remove_inner(world.policy.role_templates.iter_mut().map(|role| &mut role.requires), n),
    |world, n| remove_inner(world.policy.credential_types.iter_mut().map(|kind| &mut kind.demands), n),
    |world, n| remove_inner(world.facts.bindings.iter_mut().map(|own| &mut own.levels), n),
    |world, n| remove_inner(world.facts.groups.iter_mut().map(|own| &mut own.members), n),
    |world, n| {
        let lists = world.facts.bindings.iter_mut().filter_map(|own| own.customised.as_mut());
        remove_inner(lists.map(|own| &mut own.permissions), n)
    },
    |world, n| {
        let actions = world.policy.types.iter_mut().flat_map(|kind| &mut kind.actions);
        let left = actions.filter(|action| action.level.is_some()).nth(n);
        left.is_some_and(|action| action.level.take().is_some())
    },
    |world, n| remove_inner(world.facts.roles.iter_mut().flat_map(|role| all_rules(&mut role.rules)), n),
    |world, n| remove_inner(world.policy.types.iter_mut().map(|kind| &mut kind.actions), n),
    |world, n| {
        let facts = &mut world.facts;
        let subjects = facts.subjects.iter_mut().map(|own| &mut own.attributes);
        let credentials = facts.credentials.iter_mut().map(|own| &mut own.attributes);
        let resources = facts.resources.iter_mut().map(|own| &mut own.attributes);
        remove_inner(subjects.chain(credentials).chain(resources), n)
    },
    |world, n| {
        let types = world.policy.types.iter_mut().map(|kind| &mut kind.attributes);
        let subjects = world.policy.subject_types.iter_mut().map(|kind| &mut kind.attributes);
        let credentials = world.policy.credential_types.iter_mut().map(|kind| &mut kind.attributes);
        remove_inner(types.chain(subjects).chain(credentials).chain([&mut world.policy.context]), n)
    },
];

/// Two reasons that begin alike are about the same.
const ALIKE: usize = 12;

/// The smallest universe found that is still wrong.
pub(super) fn universe(mut universe: Universe, is_wrong: &dyn Fn(&Universe) -> bool) -> Universe {
    loop {
        let mut smaller = false;
        for way in WAYS {
            let mut n = 0;
            loop {
                let mut left = universe.clone();
                if !way(&mut left, n) {
                    break;
                }
                if is_wrong(&left) {
                    (universe, smaller) = (left, true);
                } else {
                    n += 1;
                }
            }
        }
        if !smaller {
            return universe;
        }
    }
}

/// The smallest sample found, as a source, with its question and what is wrong.
pub(super) fn report(sample: Sample, property: Property, choices: &[u16], why: &impl ToString) -> String {
    let Sample { universe: world, mut questions, .. } = sample;
    let why = why.to_string();
    let break_with = |world: &Universe, questions: &[_]| {
        let left = Sample { universe: world.clone(), index: opened(world)?, questions: questions.to_vec() };
        let broken = property(&left, &mut Draw::new(choices)).err()?;
        // Leaving things out may break something else.
        (broken.why.get(..ALIKE) == why.get(..ALIKE)).then_some(broken)
    };
    let mut n = 0;
    while n < questions.len() {
        let mut fewer = questions.clone();
        fewer.remove(n);
        if break_with(&world, &fewer).is_some() {
            questions = fewer;
        } else {
            n += 1;
        }
    }
    let small = universe(world, &|left| break_with(left, &questions).is_some());
    let broken = break_with(&small, &questions).unwrap_or(Broken { question: None, why });
    let mut text = format!("{}\n{}", broken.why, print(&small));
    if let Some((question, time)) = broken.question.map(|asked| *asked) {
        write!(text, "asked at {time}: {question:?}").expect("a string takes everything");
    }
    text
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
