//! The long versions of the reload tests: `cargo bench --bench soak -- NAME [--count N] [--seconds S]`.
//!
//! Each runs the real program, changes its source in some way for a long time, has every answer recomputed by the
//! reference engine (`tests/binary/checker`) and prints a table. It fails when an answer was wrong, lost or open; figures
//! it only prints.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a soak that cannot go on has nothing to measure"
)]

mod churn;
mod kills;
mod latency;
mod reloads;
mod swaps;
mod table;

/// What the tests of the binary share with this.
#[path = "../../tests/binary"]
#[expect(dead_code, unused_imports, reason = "the tests use more of it")]
mod binary {
    pub(crate) mod checker;
    pub(crate) mod flips;
    pub(crate) mod stage;
    pub(crate) mod storms;
    pub(crate) mod support;
    pub(crate) mod writers;
}

/// The reference engine and the drawn worlds, as the tests of the binary include them.
#[path = "../../tests/it"]
#[expect(dead_code, unused_imports, clippy::assigning_clones, reason = "the tests use more of it")]
mod shared {
    pub(crate) mod print;
    pub(crate) mod reference;
    pub(crate) mod support {
        pub(crate) mod question;
        pub(crate) mod wire;
    }
    pub(crate) mod universe;
}

use std::process::ExitCode;
use std::time::Duration;

use binary::checker::Pace;
use binary::{checker, flips, stage, storms, support, writers};
use shared::{print, reference, universe};

const USAGE: &str = "cargo bench --bench soak -- NAME [--count N] [--seconds S]

  swaps     1,000 swaps of a Kubernetes volume under load: swap to served
  kinds     every way of writing a source, 50 times each
  reloads   latency while sources of different size are reloaded, against steady, in paired rounds
  flips     1,000,000 damaged sources
  kills     200 restarts after SIGKILL at a random moment
  churn     a minute of everything: memory, descriptors and threads must not grow";

/// How much of it is wanted.
#[derive(Clone, Copy, Debug)]
struct Amount {
    count: Option<usize>,
    seconds: Option<u64>,
}

impl Amount {
    fn count(self, usual: usize) -> usize {
        self.count.unwrap_or(usual)
    }

    fn seconds(self, usual: u64) -> Duration {
        Duration::from_secs(self.seconds.unwrap_or(usual))
    }
}

fn main() -> ExitCode {
    // Cargo itself adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let number = |name: &str| {
        let place = words.iter().position(|word| word == name)?;
        Some(words.get(place + 1).expect("a number").parse::<u64>().expect("a number"))
    };
    let amount =
        Amount { count: number("--count").map(|count| usize::try_from(count).unwrap()), seconds: number("--seconds") };
    let is_clean = match words.first().map(String::as_str) {
        Some("swaps") => swaps::swaps(amount.count(1_000)),
        Some("kinds") => swaps::kinds(amount.count(50)),
        Some("reloads") => reloads::reloads(amount.count(7), amount.seconds(6)),
        Some("flips") => damaged(amount.count(1_000_000)),
        Some("kills") => kills::kills(amount.count(200)),
        Some("churn") => churn::churn(amount.seconds(60)),
        Some(_) | None => {
            println!("{USAGE}");
            true
        }
    };
    if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Clients whose answers can all be kept for as long as a soak lasts.
fn slow(clients: u64) -> Pace {
    Pace { pause: Duration::from_millis(8), ..Pace::of(clients) }
}

fn damaged(count: usize) -> bool {
    let found = flips::run(count, 10, checker::seed());
    println!("seed {}: {found}", checker::seed());
    found.panics == 0 && found.wrong.is_empty()
}
