//! More calls than can be answered: what is still answered, and how much memory that takes.

use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::daemon::Daemon;
use crate::load::{block_on, percentile, saturate, steadily};

const TIME: Duration = Duration::from_secs(5);
const ROUNDS: usize = 3;
/// Saturation: so many connections with so many calls each.
const CONNECTIONS: usize = 4;
const IN_FLIGHT: usize = 32;

pub(crate) fn run(binary: &Path) {
    let daemon = Daemon::start(binary, "[threads]\nworkers = 1\n");
    block_on(saturate(&daemon.data, CONNECTIONS, IN_FLIGHT, Duration::from_secs(1)));
    println!(
        "| round | concurrency | goodput | of saturation | lost | shed (p99) | peak memory | p99 of a second caller |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for round in 1..=ROUNDS {
        let mut best = 0.0;
        for times in [1, 2, 5, 10] {
            let address = daemon.data.clone();
            let second = thread::spawn(move || block_on(steadily(&address, 100, TIME)));
            let mut got = block_on(saturate(&daemon.data, CONNECTIONS * times, IN_FLIGHT, TIME));
            let mut second = second.join().unwrap();
            #[expect(clippy::cast_precision_loss, reason = "a few hundred thousand")]
            let goodput = got.answered.len() as f64 / TIME.as_secs_f64();
            if times == 1 {
                best = goodput;
            }
            println!(
                "| {round} | {times} × | {goodput:.0}/s | {:.0} % | {} | {} ({:.1?}) | {:.1} MiB | {:.1?} |",
                goodput / best * 100.0,
                got.lost + second.lost,
                got.shed.len(),
                percentile(&mut got.shed, 0.99),
                mib(daemon.kib("VmHWM:")),
                percentile(&mut second.answered, 0.99),
            );
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a size of memory")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
