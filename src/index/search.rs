//! Where a number stands in a long list that is in order: nothing about what the list means.

/// Guesses before halving takes over: with numbers that are spread evenly the third finds it among ten million.
const GUESSES: usize = 4;

/// How many are left when the search is over, whichever way: they stand together in memory.
const NEAR: usize = 8;

/// The first place whose number is not below the one sought; the length if there is none.
///
/// As `partition_point`, which halves: in a list of a million that is twenty steps, most of them a wait for memory. The
/// first steps go where the number would stand if all were spread evenly, which those of one subject's scopes often are.
/// However they are spread, a search takes at most [`GUESSES`] steps more than halving alone.
pub(super) fn first_not_below<T>(list: &[T], sought: u32, number: impl Fn(&T) -> u32) -> usize {
    let (Some(first), Some(last)) = (list.first(), list.last()) else { return 0 };
    let (mut first, mut last) = (number(first), number(last));
    if first >= sought {
        return 0;
    }
    if last < sought {
        return list.len();
    }
    // The number at `low` is below; the one at `high` is not.
    let (mut low, mut high) = (0, list.len() - 1);
    for _ in 0..GUESSES {
        if high - low <= NEAR {
            break;
        }
        let guess = low + share(high - low, sought - first, last - first);
        let guess = guess.clamp(low + 1, high - 1);
        let Some(found) = list.get(guess).map(&number) else { break };
        if found < sought {
            (low, first) = (guess, found);
        } else {
            (high, last) = (guess, found);
        }
    }
    let between = list.get(low + 1..high).unwrap_or_default();
    low + 1 + between.partition_point(|item| number(item) < sought)
}

/// `whole * part / parts`, in which the part is at most all of them.
fn share(whole: usize, part: u32, parts: u32) -> usize {
    let share = u64::try_from(whole).unwrap_or(0).saturating_mul(u64::from(part)) / u64::from(parts.max(1));
    usize::try_from(share).unwrap_or(whole)
}

#[cfg(test)]
mod tests {
    use super::first_not_below;

    fn agrees(list: &[u32]) {
        let mut sought: Vec<u32> = list.iter().flat_map(|n| [n.saturating_sub(1), *n, n.saturating_add(1)]).collect();
        sought.extend([0, 1, u32::MAX - 1, u32::MAX]);
        for sought in sought {
            let halved = list.partition_point(|number| *number < sought);
            assert_eq!(first_not_below(list, sought, |number| *number), halved, "{sought} in {list:?}");
        }
    }

    #[test]
    fn it_finds_what_halving_finds_however_the_numbers_are_spread() {
        agrees(&[]);
        agrees(&[7]);
        agrees(&[7; 100]);
        agrees(&[0, u32::MAX]);
        agrees(&(0..1_000).collect::<Vec<_>>());
        agrees(&(0..1_000).map(|n| n * 4_000_000).collect::<Vec<_>>());
        agrees(&(0..31).map(|n| 1 << n).collect::<Vec<_>>());
        agrees(&(0..31).map(|n| u32::MAX - (1 << (30 - n))).collect::<Vec<_>>());
        let mut heaps: Vec<u32> = (0..500).chain(2_000_000_000..2_000_000_500).collect();
        heaps.extend([u32::MAX; 20]);
        agrees(&heaps);
        agrees(&(0..900).map(|n| n / 30 * 1_000).collect::<Vec<_>>());
    }
}
