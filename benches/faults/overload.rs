//! Ten times as many calls in flight as saturate the daemon: what is still answered, and how much memory that takes.
//!
//! `sidegate bench` asks, for a client that costs more than the daemon would measure itself. The two stand on a core
//! each, and the shapes of the load take turns, so that all of them meet the same machine.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::Value;

use crate::daemon::Daemon;
use crate::load::{block_on, percentile, spread, steadily};

const ROUNDS: usize = 15;
/// About a second at saturation.
const CALLS: u64 = 150_000;
/// Connections, and the calls in flight on each: what saturates, then ten times that in either way. A connection has 128
/// calls at most (`limits.streams`), so most of the last wait at the client.
const SHAPES: [(u16, u16); 3] = [(4, 32), (40, 32), (4, 320)];
const DAEMON_CORE: usize = 0;
const CLIENT_CORE: usize = 1;

pub(crate) fn run(binary: &Path) {
    let daemon = on_core(DAEMON_CORE, || Daemon::start(binary, "[threads]\nworkers = 1\n"));
    let mut rates: [Vec<f64>; SHAPES.len()] = Default::default();
    let mut times: [Vec<f64>; SHAPES.len()] = Default::default();
    let (mut lost, mut memory) = ([0; SHAPES.len()], [0; SHAPES.len()]);
    ask(binary, &daemon, SHAPES[0]);
    for _ in 0..ROUNDS {
        for (number, shape) in SHAPES.into_iter().enumerate() {
            let (told, mut second) = beside_another(&daemon, || ask(binary, &daemon, shape));
            rates[number].push(told["calls_per_second"].as_f64().unwrap());
            let errors = told["errors"].as_object().unwrap().values().filter_map(Value::as_u64).sum::<u64>();
            lost[number] += told["unanswered"].as_u64().unwrap() + errors + second.1;
            times[number].push(percentile(&mut second.0, 0.99).as_secs_f64() * 1e3);
            memory[number] = memory[number].max(daemon.kib("VmRSS:"));
        }
    }
    println!("| connections × in flight | calls/s | of saturation, % | lost | memory MiB | p99 ms of another caller |");
    println!("|---|---|---|---|---|---|");
    for (number, (connections, in_flight)) in SHAPES.into_iter().enumerate() {
        let mut shares: Vec<_> = rates[number].iter().zip(&rates[0]).map(|(one, best)| one / best * 100.0).collect();
        #[expect(clippy::cast_precision_loss, reason = "a size of memory")]
        let mib = memory[number] as f64 / 1024.0;
        println!(
            "| {connections} × {in_flight} | {} | {} | {} | {mib:.1} | {} |",
            spread(&mut rates[number].clone()),
            spread(&mut shares),
            lost[number],
            spread(&mut times[number]),
        );
    }
}

/// What `sidegate bench` tells of one shape.
fn ask(binary: &Path, daemon: &Daemon, (connections, in_flight): (u16, u16)) -> Value {
    let mut command = Command::new(binary);
    command.args(["bench", "--json", "--threads", "1", "--server", &daemon.data, "--count", &CALLS.to_string()]);
    command.args(["--connections", &connections.to_string(), "--in-flight", &in_flight.to_string()]);
    command.args(["--expect", "allow", "user/ana", "access", "workspace/prod"]);
    let done = on_core(CLIENT_CORE, || command.output().unwrap());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// The work, and the times and losses of a caller who asks a hundred times in a second meanwhile.
fn beside_another<T>(daemon: &Daemon, work: impl FnOnce() -> T) -> (T, (Vec<Duration>, u64)) {
    let address = daemon.data.clone();
    let second =
        thread::spawn(move || on_core(CLIENT_CORE, || block_on(steadily(&address, 100, Duration::from_secs(1)))));
    let done = work();
    let second = second.join().unwrap();
    (done, (second.answered, (second.lost + second.shed.len()) as u64))
}

/// On that core with all that it starts. A machine with one core has no other.
fn on_core<T>(core: usize, work: impl FnOnce() -> T) -> T {
    let before = sched_getaffinity(None).unwrap();
    let mut one = CpuSet::new();
    one.set(core);
    // A core that is not ours to use leaves the process where it was.
    let pinned = before.is_set(core) && sched_setaffinity(None, &one).is_ok();
    let done = work();
    if pinned {
        sched_setaffinity(None, &before).unwrap();
    }
    done
}
