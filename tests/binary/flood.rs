//! Floods of frames: each costs its sender its connection or nothing, and nobody else anything.

use prost::Message as _;
use tokio::task::JoinSet;

use crate::frames::{
    self, ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, Heard, PING, PRIORITY, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, Wire, call, field, frame, reset, whole_call,
};
use crate::raw;
use crate::support::{Daemon, block_on, good, question};
use crate::vitals::unharmed;

pub(crate) const AUTHORIZE: &str = "/sidegate.v1.AuthorizationService/Authorize";
/// `ENHANCE_YOUR_CALM`.
const CALM: u32 = 11;

fn body() -> Vec<u8> {
    raw::frame(&question("ana", "access").encode_to_vec())
}

/// How a flood ended.
#[derive(Debug)]
struct Ended {
    /// The daemon took no more before all was sent.
    cut: bool,
    heard: Heard,
}

/// Sends `bytes(0)`, `bytes(1)`, … from one connection that listens, in pieces of some size.
fn flood(daemon: &Daemon, what: &str, times: usize, bytes: impl Fn(usize) -> Vec<u8>) -> Ended {
    unharmed(daemon, what, || {
        let mut wire = Wire::hello(&daemon.data, &[]);
        let listening = wire.listen();
        let piece = 256;
        let sent = wire.flood(times.div_ceil(piece), |number| {
            let frames = number * piece..((number + 1) * piece).min(times);
            frames.flat_map(&bytes).collect()
        });
        wire.finish();
        let ended = Ended { cut: sent < times.div_ceil(piece), heard: listening.end() };
        let Heard { goaway, frames, payloads } = &ended.heard;
        println!("{what}: cut {}, goaway {goaway:?}, heard {frames:?} with {} bytes", ended.cut, payloads.len());
        ended
    })
}

fn id(number: usize) -> u32 {
    u32::try_from(number).unwrap() * 2 + 1
}

#[test]
fn rapid_resets_cost_the_connection() {
    let daemon = Daemon::start(&good()).ready();
    let ended = flood(&daemon, "rapid reset", 20_000, |number| {
        [frame(HEADERS, END_HEADERS | END_STREAM, id(number), &call(AUTHORIZE)), reset(id(number))].concat()
    });
    assert!(ended.cut || ended.heard.goaway == Some(CALM), "{ended:?}");
    // With a body: the call is on its way when it is taken back.
    let ended = flood(&daemon, "rapid reset of whole calls", 20_000, |number| {
        [whole_call(id(number), AUTHORIZE, &body()), reset(id(number))].concat()
    });
    assert!(ended.cut || ended.heard.goaway == Some(CALM), "{ended:?}");
}

#[test]
fn making_the_daemon_reset_costs_the_connection() {
    let daemon = Daemon::start(&good()).ready();
    // A window update of 0 is an error of the stream, for which the daemon resets it.
    let ended = flood(&daemon, "resets by the daemon", 20_000, |number| {
        let headers = frame(HEADERS, END_HEADERS, id(number), &call(AUTHORIZE));
        [headers, frame(WINDOW_UPDATE, 0, id(number), &[0; 4])].concat()
    });
    assert!(ended.cut || ended.heard.goaway.is_some(), "{ended:?}");
    // As is a length that is not that of the body.
    let ended = flood(&daemon, "wrong content lengths", 20_000, |number| {
        let block = [call(AUTHORIZE), field("content-length", "1")].concat();
        [frame(HEADERS, END_HEADERS, id(number), &block), frame(DATA, END_STREAM, id(number), &[0; 9])].concat()
    });
    assert!(ended.cut || ended.heard.goaway.is_some(), "{ended:?}");
}

#[test]
fn headers_without_end_cost_the_connection() {
    let daemon = Daemon::start(&good()).ready();
    let block = field("x", &"x".repeat(4_000));
    for (what, continued) in [("continuations", block), ("empty continuations", Vec::new())] {
        let ended = flood(&daemon, what, 20_000, |number| match number {
            0 => frame(HEADERS, 0, 1, &call(AUTHORIZE)),
            _ => frame(CONTINUATION, 0, 1, &continued),
        });
        assert!(ended.cut || ended.heard.goaway.is_some(), "{ended:?}");
        assert_eq!(ended.heard.frames[usize::from(HEADERS)], 0, "not taken for a call");
    }
}

#[test]
fn packed_headers_are_not_unpacked_beyond_the_limit() {
    let daemon = Daemon::start(&good()).ready();
    // One field of 4,000 bytes enters the table; a byte each repeats it four thousand times: 16 MiB in 8 KiB.
    let entry = [&[0x40][..], &frames::text("x"), &frames::text(&"x".repeat(4_000))].concat();
    let ended = flood(&daemon, "packed headers", 64, |number| {
        let entry = if number == 0 { entry.clone() } else { Vec::new() };
        let block = [call(AUTHORIZE), entry, vec![0xbe; 4_000]].concat();
        [frame(HEADERS, END_HEADERS, id(number), &block), frame(DATA, END_STREAM, id(number), &body())].concat()
    });
    assert!(!ended.heard.payloads.windows(4).any(|bytes| bytes == b"prod" || bytes == b"rule"), "not answered");
    // Numbers and lengths that overflow.
    for bad in
        [[0xff; 64].to_vec(), [&[0x40, 0x7f], &[0xff; 40][..]].concat(), vec![0x80], vec![0x3f, 0xff, 0xff, 0xff]]
    {
        let ended = flood(&daemon, "headers that do not unpack", 1, |_| frame(HEADERS, END_HEADERS, 1, &bad));
        assert!(ended.heard.goaway.is_some(), "{ended:?}");
    }
}

#[test]
fn frames_that_carry_nothing_are_borne_or_cost_the_connection() {
    let daemon = Daemon::start(&good()).ready();
    flood(&daemon, "empty data", 30_000, |number| match number {
        0 => frame(HEADERS, END_HEADERS, 1, &call(AUTHORIZE)),
        _ => frame(DATA, 0, 1, &[]),
    });
    flood(&daemon, "padding alone", 20_000, |number| match number {
        0 => frame(HEADERS, END_HEADERS, 1, &call(AUTHORIZE)),
        _ => frame(DATA, 8, 1, &[255; 256]),
    });
    flood(&daemon, "frames of an unknown kind", 30_000, |_| frame(0xfa, 0, 0, &[]));
    flood(&daemon, "priorities", 30_000, |number| frame(PRIORITY, 0, id(number), &[0, 0, 0, 0, 1]));
    flood(&daemon, "windows", 30_000, |_| frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]));
    let ended = flood(&daemon, "a window that overflows", 2, |_| frame(WINDOW_UPDATE, 0, 0, &[0x7f, 255, 255, 255]));
    assert!(ended.heard.goaway.is_some(), "{ended:?}");
    let ended = flood(&daemon, "resets of what never was", 2, |_| frame(RST_STREAM, 0, 7, &[0, 0, 0, 8]));
    assert!(ended.heard.goaway.is_some(), "{ended:?}");
}

#[test]
fn settings_and_pings_are_answered_one_by_one() {
    let daemon = Daemon::start(&good()).ready();
    let ended = flood(&daemon, "pings", 20_000, |_| frame(PING, 0, 0, &[7; 8]));
    assert!(ended.cut || ended.heard.frames[usize::from(PING)] == 20_000, "{ended:?}");
    flood(&daemon, "settings", 20_000, |_| frame(SETTINGS, 0, 0, &[]));
    flood(&daemon, "settings that say something", 20_000, |number| {
        frames::settings(&[(1, id(number) % 4096), (4, id(number)), (5, 16_384)])
    });
    flood(&daemon, "acknowledgements of nothing", 20_000, |_| frame(SETTINGS, ACK, 0, &[]));
    flood(&daemon, "farewells", 20_000, |_| frame(GOAWAY, 0, 0, &[0; 8]));
}

/// Who asks and does not listen to the answers fills its own pipe.
#[test]
fn a_flood_without_a_listener_stops_itself() {
    let daemon = Daemon::start(&good()).ready();
    for (what, bytes) in [("pings", frame(PING, 0, 0, &[7; 8])), ("settings", frame(SETTINGS, 0, 0, &[]))] {
        let sent = unharmed(&daemon, what, || {
            let mut wire = Wire::hello(&daemon.data, &[]);
            let many = bytes.repeat(10_000);
            wire.flood(5_000, |_| many.clone())
        });
        println!("{what}: stuck or cut after {sent} of 5,000 pieces");
        assert!(sent < 5_000, "{what}");
    }
    let sent = unharmed(&daemon, "calls", || {
        let mut wire = Wire::hello(&daemon.data, &[]);
        wire.flood(20_000, |number| whole_call(id(number), AUTHORIZE, &body()))
    });
    println!("calls: stuck or cut after {sent}");
}

#[test]
fn many_short_calls_on_one_connection_are_all_answered() {
    let daemon = Daemon::start(&good()).ready();
    let (calls, at_once) = (3_000, 100);
    let answered = unharmed(&daemon, "stream churn", || {
        block_on(async {
            let client = raw::connect(&daemon.data).await;
            let mut asking = JoinSet::new();
            for _ in 0..at_once {
                let client = client.clone();
                asking.spawn(async move {
                    let mut answered = 0;
                    for _ in 0..calls / at_once {
                        let mut client = client.clone().ready().await.unwrap();
                        let answer = raw::send(&mut client, raw::post(AUTHORIZE, "application/grpc"), body()).await;
                        answered += usize::from(answer.unwrap().grpc == Some(0));
                    }
                    answered
                });
            }
            asking.join_all().await.into_iter().sum::<usize>()
        })
    });
    assert_eq!(answered, calls);
}
