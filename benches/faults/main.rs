//! The long versions of the fault tests: `cargo bench --bench faults -- NAME [BINARY]`, a Markdown table each.
//!
//! `halfopen`, `descriptors`, `overload`, `quota`, `floods` or `idle`. The daemon is a process of its own: the program that cargo
//! built beside this, or the one whose path is given. Figures depend on what else the machine does; ratios are between
//! rounds that alternate.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark whose daemon does not run has nothing to measure"
)]

mod daemon;
mod descriptors;
mod floods;
#[expect(dead_code, reason = "the tests that share it send more kinds of frames")]
#[path = "../../tests/binary/frames.rs"]
mod frames;
mod halfopen;
mod idle;
mod load;
mod overload;
mod quota;

use std::path::PathBuf;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

fn main() {
    // Cargo adds `--bench`.
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let name = words.next().unwrap_or_default();
    let binary = words.next().map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_sidegate")), PathBuf::from);
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    match name.as_str() {
        "halfopen" => halfopen::run(&binary),
        "descriptors" => descriptors::run(&binary),
        "overload" => overload::run(&binary),
        "quota" => quota::run(&binary),
        "floods" => floods::run(&binary),
        "idle" => idle::run(&binary),
        // All benchmarks are being run: this one only on demand.
        _ => {
            println!(
                "cargo bench --bench faults -- halfopen | descriptors | overload | quota | floods | idle [BINARY]"
            );
        }
    }
}
