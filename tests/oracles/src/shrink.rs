//! Makes a world that breaks a property small enough to read, by leaving things out while it still breaks.

use crate::world::{Condition, World};

/// One way to leave something out: the `n`th of its kind; false when there is no such thing.
type Leave = fn(&mut World, usize) -> bool;

const WAYS: [Leave; 14] = [
    |world, n| world.contexts.len() > 1 && remove(&mut world.contexts, n),
    |world, n| remove(&mut world.bindings, n),
    |world, n| remove(&mut world.forbids, n),
    |world, n| {
        let unused = |name: &String| world.bindings.iter().all(|own| own.role != *name);
        let free = world
            .roles
            .iter()
            .position(|own| unused(&own.name) && world.roles.iter().all(|other| !other.includes.contains(&own.name)));
        n == 0 && free.is_some_and(|at| remove(&mut world.roles, at))
    },
    |world, n| inner(world.roles.iter_mut().map(|own| &mut own.includes), n, 0),
    |world, n| inner(world.roles.iter_mut().map(|own| &mut own.limits), n, 0),
    |world, n| inner(world.roles.iter_mut().map(|own| &mut own.rules), n, 0),
    |world, n| inner(world.roles.iter_mut().flat_map(|own| &mut own.rules).map(|rule| &mut rule.on), n, 1),
    |world, n| inner(world.forbids.iter_mut().map(|own| &mut own.subjects), n, 0),
    |world, n| inner(world.forbids.iter_mut().map(|own| &mut own.scopes), n, 0),
    |world, n| {
        let rules = world.roles.iter_mut().flat_map(|own| &mut own.rules).map(|rule| &mut rule.when);
        let whens = rules.chain(world.forbids.iter_mut().map(|own| &mut own.when));
        whens.filter(|when| when.is_some()).nth(n).is_some_and(|when| when.take().is_some())
    },
    |world, n| {
        let rules = world.roles.iter_mut().flat_map(|own| &mut own.rules).map(|rule| &mut rule.when);
        let mut whens = rules.chain(world.forbids.iter_mut().map(|own| &mut own.when)).flatten();
        let Some(when) = whens.nth(n / 2) else { return false };
        let half = match when {
            Condition::Test(_) => None,
            Condition::Not(inner) => Some(&**inner),
            Condition::And(left, right) | Condition::Or(left, right) => {
                Some(if n % 2 == 0 { &**left } else { &**right })
            }
        };
        // A test stays as it is: nothing smaller, but there may be further conditions.
        if let Some(half) = half.cloned() {
            *when = half;
        }
        true
    },
    |world, n| {
        let values = world.subjects.iter_mut().chain(&mut world.resources).map(|own| &mut own.values);
        let mut n = n;
        for values in values.chain(&mut world.contexts) {
            if n < values.len() {
                let name = *values.keys().nth(n).expect("counted");
                return values.remove(name).is_some();
            }
            n -= values.len();
        }
        false
    },
    |world, n| {
        let leaf = |own: &crate::world::Name| {
            world.resources.iter().all(|other| other.parent.as_ref() != Some(own))
                && world.bindings.iter().all(|other| other.at != *own)
                && world.forbids.iter().all(|other| !other.scopes.contains(own))
        };
        let free = world.resources.iter().enumerate().filter(|(_, own)| leaf(&own.name)).nth(n).map(|(at, _)| at);
        free.is_some_and(|at| remove(&mut world.resources, at))
    },
];

/// The smallest world found for which `broken` still says why.
pub fn shrink(mut world: World, broken: impl Fn(&World) -> Option<String>) -> (World, String) {
    let mut why = broken(&world).unwrap_or_default();
    loop {
        let size = format!("{world:?}").len();
        for way in WAYS {
            let mut n = 0;
            loop {
                let mut left = world.clone();
                if !way(&mut left, n) {
                    break;
                }
                let smaller = format!("{left:?}").len() < format!("{world:?}").len();
                match broken(&left).filter(|_| smaller) {
                    Some(still) => (world, why) = (left, still),
                    None => n += 1,
                }
            }
        }
        if format!("{world:?}").len() >= size {
            return (world, why);
        }
    }
}

fn remove<T>(items: &mut Vec<T>, n: usize) -> bool {
    let found = n < items.len();
    if found {
        items.remove(n);
    }
    found
}

/// Removes the `n`th of several lists' items, leaving at least `keep` in each.
fn inner<'a, T: 'a>(lists: impl Iterator<Item = &'a mut Vec<T>>, mut n: usize, keep: usize) -> bool {
    for list in lists.filter(|list| list.len() > keep) {
        if n < list.len() {
            return remove(list, n);
        }
        n -= list.len();
    }
    false
}
