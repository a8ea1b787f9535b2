//! Choices from a seed, so that a failure can be had again.

use std::env;

/// The seed of this run: `SIDEGATE_SEED`, or 1.
pub(crate) fn seed() -> u64 {
    env::var("SIDEGATE_SEED").map_or(1, |text| text.parse().expect("SIDEGATE_SEED is a number"))
}

/// A small generator (`SplitMix64`).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n.max(1)).unwrap()).unwrap()
    }

    /// Choices for [`crate::universe::Draw`].
    pub(crate) fn choices(&mut self, count: usize) -> Vec<u16> {
        (0..count).map(|_| u16::try_from(self.next() >> 48).unwrap()).collect()
    }
}
