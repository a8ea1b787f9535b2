//! Texts, each stored once, and lists of records, each stored once.

use std::collections::HashMap;
use std::hash::Hash;

/// The string table while it grows.
#[derive(Debug, Default)]
pub(super) struct Strings {
    bytes: Vec<u8>,
    known: HashMap<String, u32>,
    overflow: bool,
}

impl Strings {
    /// The number of a text, which may occur often.
    pub(super) fn intern(&mut self, text: &str) -> u32 {
        if let Some(number) = self.known.get(text) {
            return *number;
        }
        let number = self.push(text);
        self.known.insert(text.to_owned(), number);
        number
    }

    /// The number of a text that occurs once, such as an id: not remembered.
    pub(super) fn push(&mut self, text: &str) -> u32 {
        let number = u32::try_from(self.bytes.len());
        let length = u16::try_from(text.len());
        let (Ok(number), Ok(length)) = (number, length) else {
            self.overflow = true;
            return 0;
        };
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
        number
    }

    /// The table, or why it cannot be written.
    pub(super) fn finish(self) -> Result<Vec<u8>, String> {
        if self.overflow || u32::try_from(self.bytes.len()).is_err() {
            return Err("the texts of this snapshot need more than 4 GiB, or one is over 64 KiB".to_owned());
        }
        Ok(self.bytes)
    }
}

/// A table in which equal runs of records are stored once.
#[derive(Debug)]
pub(super) struct Runs<T> {
    /// All runs, one behind another.
    pub(super) items: Vec<T>,
    known: HashMap<Vec<T>, (u32, u32)>,
}

impl<T> Default for Runs<T> {
    fn default() -> Self {
        Self { items: Vec::new(), known: HashMap::new() }
    }
}

impl<T: Clone + Eq + Hash> Runs<T> {
    /// Where a run stands: `[start, end)`.
    pub(super) fn intern(&mut self, run: Vec<T>) -> (u32, u32) {
        if let Some(range) = self.known.get(&run) {
            return *range;
        }
        let start = number(self.items.len());
        self.items.extend(run.iter().cloned());
        let range = (start, number(self.items.len()));
        self.known.insert(run, range);
        range
    }
}

/// A count as a reference. Tables that long are refused when they are written.
pub(super) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
