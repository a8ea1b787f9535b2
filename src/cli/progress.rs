//! How far a long read has come, on one line of a terminal. Nothing is told elsewhere, and nothing of short reads.

use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// What takes no longer than this is not worth a line.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often the line is written.
const EVERY: Duration = Duration::from_millis(100);

/// The width of the bar.
const WIDTH: u64 = 30;

/// A line that is written over.
#[derive(Debug)]
pub(super) struct Progress {
    is_terminal: bool,
    begun: Instant,
    told: Cell<Option<Instant>>,
}

impl Progress {
    /// Begins.
    pub(super) fn new() -> Self {
        Self { is_terminal: std::io::stderr().is_terminal(), begun: Instant::now(), told: Cell::new(None) }
    }

    /// So many bytes of so many were read.
    pub(super) fn tell(&self, read: u64, all: u64) {
        let is_early = self.begun.elapsed() < PATIENCE;
        let is_fresh = self.told.get().is_some_and(|told| told.elapsed() < EVERY) && read < all;
        if self.is_terminal && !is_early && !is_fresh {
            // A terminal that is gone is no reason to stop.
            drop(write!(std::io::stderr().lock(), "\r{:<78}", line(read, all)));
            self.told.set(Some(Instant::now()));
        }
    }

    /// Takes the line away.
    pub(super) fn end(&self) {
        if self.told.get().is_some() {
            drop(write!(std::io::stderr().lock(), "\r{:<78}\r", ""));
        }
    }
}

/// All that is read is still to be compiled.
fn line(read: u64, all: u64) -> String {
    if read >= all {
        return "compiling".to_owned();
    }
    let part = |of: u64| u64::try_from(u128::from(read) * u128::from(of) / u128::from(all.max(1))).unwrap_or(of);
    let done = usize::try_from(part(WIDTH)).unwrap_or(0);
    let open = usize::try_from(WIDTH).unwrap_or(0).saturating_sub(done);
    format!("reading [{}{}] {:>3} % of {} MiB", "=".repeat(done), " ".repeat(open), part(100), all >> 20)
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn the_bar_grows_to_its_end() {
        assert!(line(0, 0).starts_with("compiling"));
        assert_eq!(line(0, 10 << 20), format!("reading [{}]   0 % of 10 MiB", " ".repeat(30)));
        assert_eq!(line(5 << 20, 10 << 20), format!("reading [{}{}]  50 % of 10 MiB", "=".repeat(15), " ".repeat(15)));
        assert_eq!(line(10 << 20, 10 << 20), "compiling");
    }
}
