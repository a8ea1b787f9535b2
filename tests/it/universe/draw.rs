//! Choices read from a list; when it is exhausted every choice is the first, simplest one.

/// Where choices come from.
pub(crate) struct Draw<'a> {
    choices: &'a [u16],
    at: usize,
    careless: bool,
}

impl<'a> Draw<'a> {
    pub(crate) fn new(choices: &'a [u16]) -> Self {
        Self { choices, at: 0, careless: false }
    }

    /// Draws facts with mistakes too.
    pub(crate) fn careless(choices: &'a [u16]) -> Self {
        Self { careless: true, ..Self::new(choices) }
    }

    /// A number below `n`.
    pub(crate) fn pick(&mut self, n: usize) -> usize {
        let choice = self.choices.get(self.at).copied().map_or(0, usize::from);
        self.at += 1;
        choice % n.max(1)
    }

    /// Yes, in so many of a hundred; no when choices are exhausted.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.pick(100) >= 100 - percent
    }

    /// A mistake, in so many of a hundred, where mistakes are wanted.
    pub(crate) fn slip(&mut self, percent: usize) -> bool {
        self.careless && self.chance(percent)
    }

    pub(crate) fn choose<'t, T>(&mut self, items: &'t [T]) -> &'t T {
        &items[self.pick(items.len())]
    }

    /// One of them, in so many of a hundred, if there are any.
    pub(crate) fn maybe<'t, T>(&mut self, percent: usize, items: &'t [T]) -> Option<&'t T> {
        if items.is_empty() || !self.chance(percent) { None } else { Some(self.choose(items)) }
    }

    /// One to `most` different items, in their order.
    pub(crate) fn some<T: Clone + PartialEq>(&mut self, items: &[T], most: usize) -> Vec<T> {
        let wanted = 1 + self.pick(most);
        let chosen: Vec<_> = (0..wanted).map(|_| self.pick(items.len())).collect();
        items
            .iter()
            .enumerate()
            .filter(|(position, _)| chosen.contains(position))
            .map(|(_, item)| item.clone())
            .collect()
    }
}
