//! Hash tables with open addressing whose longest probe is known, so that no id can make a look-up slow.

use super::intern::number;
use super::layout::{NONE, first_slot};

/// A look-up never visits more slots than this. With half of the slots filled by a good hash the longest run in ten
/// million keys is about 40; a set of ids chosen to collide exceeds it under one seed, not under the next.
const MOST_PROBES: usize = 192;

/// How many seeds are tried before the ids are refused.
const SEEDS: u64 = 16;

/// A filled table.
#[derive(Debug)]
pub(super) struct Slots {
    /// The seed of the hash.
    pub(super) seed: u64,
    /// The longest run of slots that a look-up may visit.
    pub(super) probes: u32,
    /// Numbers of keys; [`NONE`] is empty.
    pub(super) keys: Vec<u32>,
}

/// Fills a table with the keys `0..count`. The seed comes from the keys, so that the same keys give the same table and
/// nobody can choose colliding keys without knowing all the others.
pub(super) fn fill(count: usize, first_seed: u64, hash: impl Fn(u64, usize) -> u64) -> Result<Slots, String> {
    (0..SEEDS)
        .find_map(|attempt| fill_with(count, first_seed.wrapping_add(attempt), &hash))
        .ok_or_else(|| "the ids of this snapshot collide under every hash seed".to_owned())
}

/// Half of the slots stay empty: then most look-ups end at the first.
fn capacity(count: usize) -> usize {
    2 * count + 1
}

fn fill_with(count: usize, seed: u64, hash: &impl Fn(u64, usize) -> u64) -> Option<Slots> {
    let capacity = capacity(count);
    let slots_in_all = number(capacity);
    let mut slots = vec![NONE; capacity];
    let mut longest = 0;
    for key in 0..count {
        let mut at = usize::try_from(first_slot(hash(seed, key), slots_in_all)).ok()?;
        let mut probes = 1;
        while *slots.get(at)? != NONE {
            at = if at + 1 == capacity { 0 } else { at + 1 };
            probes += 1;
            if probes > MOST_PROBES {
                return None;
            }
        }
        *slots.get_mut(at)? = number(key);
        longest = longest.max(probes);
    }
    Some(Slots { seed, probes: number(longest), keys: slots })
}

#[cfg(test)]
mod tests {
    use super::{MOST_PROBES, capacity, fill};
    use crate::compile::layout::{entity_hash, first_slot};

    #[test]
    fn colliding_keys_are_tried_under_other_seeds_and_then_refused() {
        let slots = fill(1_000, 7, |seed, key| if seed == 7 { 0 } else { (key as u64) << 54 }).unwrap();
        assert_eq!(slots.seed, 8);
        assert!(fill(1_000, 7, |_, _| 0).is_err());
    }

    /// Ids that all begin their search in the same small part of the table under a seed that is known beforehand: with
    /// that seed a look-up would walk thousands of slots, so another one is taken, and look-ups stay short.
    #[test]
    fn ids_chosen_for_a_known_seed_are_placed_under_another() {
        const IDS: usize = 20_000;
        const KNOWN_SEED: u64 = 7;
        let slots_in_all = u32::try_from(capacity(IDS)).unwrap();
        let collides =
            |id: &String| first_slot(entity_hash(KNOWN_SEED, 1, id.as_bytes()), slots_in_all) < slots_in_all / 16;
        let ids: Vec<String> = (0..).map(|number: u32| format!("user-{number}")).filter(collides).take(IDS).collect();
        let slots = fill(IDS, KNOWN_SEED, |seed, at| entity_hash(seed, 1, ids[at].as_bytes())).unwrap();
        assert_ne!(slots.seed, KNOWN_SEED);
        assert!(slots.probes as usize <= MOST_PROBES, "{}", slots.probes);
        for (number, id) in (0..).zip(&ids) {
            let first = first_slot(entity_hash(slots.seed, 1, id.as_bytes()), slots_in_all) as usize;
            let walk = (0..slots.probes as usize).map(|step| slots.keys[(first + step) % capacity(IDS)]);
            assert!(walk.take_while(|key| *key != super::NONE).any(|key| key == number), "{id}");
        }
    }
}
