//! Floods of frames for as long as it takes: what they cost the others and the daemon.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use crate::daemon::Daemon;
use crate::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, SETTINGS, Wire, call, field, frame, reset,
};
use crate::load::{block_on, percentile, spread, steadily};

const PATH: &str = "/sidegate.v1.AuthorizationService/Authorize";
const TIME: Duration = Duration::from_secs(2);
const ROUNDS: usize = 5;
const RATE: u32 = 500;
/// Frames of one write.
const PIECE: u32 = 64;

type Flood = (&'static str, fn(u32) -> Vec<u8>);

const FLOODS: [Flood; 8] = [
    ("nothing", |_| Vec::new()),
    ("rapid reset", |number| {
        [frame(HEADERS, END_HEADERS | END_STREAM, number * 2 + 1, &call(PATH)), reset(number * 2 + 1)].concat()
    }),
    ("CONTINUATION", |number| match number {
        0 => frame(HEADERS, 0, 1, &call(PATH)),
        _ => frame(CONTINUATION, 0, 1, &field("x", "y")),
    }),
    ("empty DATA", |number| match number {
        0 => frame(HEADERS, END_HEADERS, 1, &call(PATH)),
        _ => frame(DATA, 0, 1, &[]),
    }),
    ("PING", |_| frame(PING, 0, 0, &[7; 8])),
    ("SETTINGS", |_| frame(SETTINGS, 0, 0, &[])),
    ("packed headers", |number| {
        let entry = [&[0x40][..], &crate::frames::text("x"), &crate::frames::text(&"x".repeat(4_000))].concat();
        let block = [call(PATH), if number == 0 { entry } else { Vec::new() }, vec![0xbe; 4_000]].concat();
        frame(HEADERS, END_HEADERS | END_STREAM, number * 2 + 1, &block)
    }),
    ("frames of an unknown kind", |_| frame(0xfa, 0, 0, &[])),
];

pub(crate) fn run(binary: &Path) {
    println!(
        "| flood, from one connection after the other | frames/s | connections it cost | p99 of others, ratio to none | others' calls lost | memory |"
    );
    println!("|---|---|---|---|---|---|");
    let daemon = Daemon::start(binary, "");
    for (what, bytes) in FLOODS {
        let (mut ratios, mut lost, mut sent, mut cost) = (Vec::new(), 0, 0, 0);
        for _ in 0..ROUNDS {
            let (quiet, none) = p99(&daemon);
            let stop = Arc::new(AtomicBool::new(false));
            let counts = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
            let flooding = thread::spawn({
                let (address, stop, counts) = (daemon.data.clone(), Arc::clone(&stop), Arc::clone(&counts));
                move || flood(&address, bytes, &stop, &counts)
            });
            let (busy, some) = p99(&daemon);
            stop.store(true, SeqCst);
            flooding.join().unwrap();
            ratios.push(busy.as_secs_f64() / quiet.as_secs_f64());
            lost += none + some;
            sent += counts[0].load(SeqCst);
            cost += counts[1].load(SeqCst);
        }
        let rate = sent / (ROUNDS * usize::try_from(TIME.as_secs()).unwrap());
        println!("| {what} | {rate} | {cost} | {} | {lost} | {} KiB |", spread(&mut ratios), daemon.kib("VmRSS:"));
    }
    println!("\n{} panics, {} descriptors", daemon.metric("sidegate_handler_panics_total"), daemon.descriptors());
}

fn p99(daemon: &Daemon) -> (Duration, usize) {
    let mut got = block_on(steadily(&daemon.data, RATE, TIME));
    (percentile(&mut got.answered, 0.99), got.lost)
}

/// Floods from one connection; from the next when that is cut.
fn flood(address: &str, bytes: fn(u32) -> Vec<u8>, stop: &AtomicBool, [sent, cost]: &[AtomicUsize; 2]) {
    if bytes(1).is_empty() {
        return;
    }
    while !stop.load(SeqCst) {
        let mut wire = Wire::hello(address, &[]);
        let listening = wire.listen();
        let mut number = 0;
        while !stop.load(SeqCst) && wire.write(&(number..number + PIECE).flat_map(bytes).collect::<Vec<_>>()) {
            number += PIECE;
            sent.fetch_add(usize::try_from(PIECE).unwrap(), SeqCst);
        }
        wire.finish();
        listening.end();
        cost.fetch_add(1, SeqCst);
    }
}
