//! Thousands of connections that never come to the point: when they are gone, and what others notice.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::daemon::Daemon;
use crate::frames::{HEADERS, PREFACE, Wire, call, frame, settings};
use crate::load::{block_on, percentile, spread, steadily};

const CONNECTIONS: usize = 5_000;
const ROUNDS: usize = 7;
const RATE: u32 = 500;
const PATH: &str = "/sidegate.v1.AuthorizationService/Authorize";

pub(crate) fn run(binary: &Path) {
    let config = "[limits]\nconnections = 8000\n";
    println!("| {CONNECTIONS} connections that say | KiB each | first gone after | all gone after | calls lost |");
    println!("|---|---|---|---|---|");
    for (what, bytes) in beginnings() {
        let daemon = Daemon::start(binary, config);
        let before = daemon.kib("VmRSS:");
        let begun = Instant::now();
        let mut open = open(&daemon, &bytes);
        let each = (daemon.kib("VmRSS:").saturating_sub(before)) * 10 / CONNECTIONS as u64;
        let mut first = None;
        let address = daemon.data.clone();
        let steady = thread::spawn(move || block_on(steadily(&address, RATE, Duration::from_secs(8))));
        while !open.is_empty() && begun.elapsed() < Duration::from_secs(60) {
            open.retain_mut(|wire| !wire.is_closed());
            if open.len() < CONNECTIONS {
                first.get_or_insert_with(|| begun.elapsed());
            }
            thread::sleep(Duration::from_millis(50));
        }
        let gone =
            if open.is_empty() { format!("{:.1?}", begun.elapsed()) } else { format!("{} are left", open.len()) };
        let lost = steady.join().unwrap().lost;
        let first = first.map_or_else(|| "–".to_owned(), |first| format!("{first:.1?}"));
        println!("| {what} | {}.{} | {first} | {gone} | {lost} |", each / 10, each % 10);
    }
    ratio(binary);
}

/// What a caller with manners notices: its p99 while they are open against its p99 without them, in turns.
fn ratio(binary: &Path) {
    let daemon = Daemon::start(binary, "[limits]\nconnections = 8000\nhandshake = \"60s\"\n");
    let mut ratios = Vec::new();
    let (_, bytes) = beginnings().into_iter().next_back().unwrap();
    println!("\n| round | p99 without | p99 with {CONNECTIONS} half-open | ratio |\n|---|---|---|---|");
    for round in 1..=ROUNDS {
        let p99 = || {
            let mut got = block_on(steadily(&daemon.data, RATE, Duration::from_secs(4)));
            assert_eq!(got.lost, 0);
            percentile(&mut got.answered, 0.99)
        };
        let quiet = p99();
        let held = open(&daemon, &bytes);
        let busy = p99();
        drop(held);
        daemon.wait("they are gone", || daemon.metric("sidegate_connections{listener=\"data\"}") == 0);
        let ratio = busy.as_secs_f64() / quiet.as_secs_f64();
        println!("| {round} | {quiet:.1?} | {busy:.1?} | {ratio:.2} |");
        ratios.push(ratio);
    }
    println!("\nMedian ratio (range): {}", spread(&mut ratios));
}

fn beginnings() -> [(&'static str, Vec<u8>); 4] {
    let hello = [PREFACE, &settings(&[])].concat();
    [
        ("nothing", Vec::new()),
        ("half a preface", PREFACE[..12].to_vec()),
        ("settings alone", hello.clone()),
        ("headers without end", [&hello[..], &frame(HEADERS, 0, 1, &call(PATH))].concat()),
    ]
}

fn open(daemon: &Daemon, bytes: &[u8]) -> Vec<Wire> {
    let open = (0..CONNECTIONS).map(|_| {
        let mut wire = Wire::open(&daemon.data);
        assert!(wire.write(bytes));
        wire
    });
    let open: Vec<_> = open.collect();
    daemon.wait("they are taken", || {
        daemon.metric("sidegate_connections{listener=\"data\"}") >= CONNECTIONS as u64
            || daemon.metric("sidegate_connections_accepted_total{listener=\"data\"}") >= CONNECTIONS as u64
    });
    open
}
