//! Puts lists in order by numbers, so that the program holds one sort and not a hundred: the standard library's is made
//! anew for every type and every way to compare, several kilobytes each. It is as fast as that one but for a call through
//! a pointer for each comparison; where a list is long and its order cheap, or a request waits, the standard one is used.
//!
//! Every order is stable.

use std::cmp::Ordering;

/// Sorts by a way to compare.
pub(crate) fn by<T>(list: &mut [T], mut compare: impl FnMut(&T, &T) -> Ordering) {
    let mut positions = positions(list.len(), &mut |one, other| match (list.get(one), list.get(other)) {
        (Some(one), Some(other)) => compare(one, other),
        _ => Ordering::Equal,
    });
    rearrange(list, &mut positions);
}

/// Sorts by a key that each comparison takes anew.
pub(crate) fn by_key<T, K: Ord>(list: &mut [T], key: impl Fn(&T) -> K) {
    by(list, |one, other| key(one).cmp(&key(other)));
}

/// Sorts by a key that is taken once of each.
pub(crate) fn by_cached_key<T, K: Ord>(list: &mut [T], key: impl FnMut(&T) -> K) {
    let keys: Vec<K> = list.iter().map(key).collect();
    rearrange(list, &mut positions_of(&keys));
}

/// Sorts by the order of what is in the list.
pub(crate) fn natural<T: Ord>(list: &mut [T]) {
    let mut positions = positions_of(list);
    rearrange(list, &mut positions);
}

fn positions_of<K: Ord>(keys: &[K]) -> Vec<usize> {
    positions(keys.len(), &mut |one, other| keys.get(one).cmp(&keys.get(other)))
}

/// Which position of a list of so many comes first, which second and so on.
#[inline(never)]
pub(crate) fn positions(len: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut positions: Vec<usize> = (0..len).collect();
    positions.sort_by(|one, other| compare(*one, *other));
    positions
}

/// Moves what is at `positions[n]` to `n`, along the circles that the moves make.
#[inline(never)]
fn rearrange<T>(list: &mut [T], positions: &mut [usize]) {
    for start in 0..list.len() {
        let mut at = start;
        while let Some(from) = positions.get_mut(at).map(|next| std::mem::replace(next, at)) {
            if from == start {
                break;
            }
            list.swap(at, from);
            at = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_sorts_as_the_standard_library_does(list in prop::collection::vec((0_u8..9, any::<u8>()), 0..60)) {
            let mut wanted = list.clone();
            wanted.sort_unstable();
            let mut sorted = list.clone();
            natural(&mut sorted);
            prop_assert_eq!(&sorted, &wanted);
            wanted.clone_from(&list);
            wanted.sort_by_key(|(first, _)| *first);
            for sort in [by_key, by_cached_key] as [fn(&mut [(u8, u8)], fn(&(u8, u8)) -> u8); 2] {
                sorted.clone_from(&list);
                sort(&mut sorted, |(first, _)| *first);
                prop_assert_eq!(&sorted, &wanted);
            }
            wanted.clone_from(&list);
            wanted.sort_by(|(one, _), (other, _)| other.cmp(one));
            sorted.clone_from(&list);
            by(&mut sorted, |(one, _), (other, _)| other.cmp(one));
            prop_assert_eq!(&sorted, &wanted);
        }
    }
}
