//! A daemon that has just started: how soon it answers right, and what it holds while nobody asks.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sidegate::client::{Client, allows};

use crate::load::{block_on, percentile, question};

const STARTS: usize = 50;

pub(crate) fn run(binary: &Path) {
    let mut starts: Vec<_> = (0..STARTS).map(|_| start(binary)).collect();
    let resident = idle(binary);
    let size = fs::metadata(binary).unwrap().len();
    println!(
        "| program | exec to the first right answer, p50 | p99 | resident with the demo's policy, idle |\n|---|---|---|---|"
    );
    println!(
        "| {} KiB | {:.1?} | {:.1?} | {resident} KiB |",
        size / 1024,
        percentile(&mut starts, 0.5),
        percentile(&mut starts, 0.99)
    );
}

struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // Both do nothing to a child that has ended.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn spawn(command: &mut Command) -> Started {
    Started(command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

/// A port that was free a moment ago.
fn port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// How long one start takes.
fn start(binary: &Path) -> Duration {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("policy.yaml");
    fs::write(&source, crate::daemon::POLICY).unwrap();
    // A source that has just been written is given time to be whole: a start finds one that lies there.
    thread::sleep(Duration::from_millis(200));
    let address = port();
    let mut command = Command::new(binary);
    command.args(["serve", "--listen", &address, "--ops-listen", ""]).arg("--snapshot").arg(&source);
    let begun = Instant::now();
    let child = spawn(&mut command);
    block_on(async {
        loop {
            if let Ok(client) = Client::connect(&address, Duration::from_secs(10)).await
                && client.authorize(question("ana")).await.is_ok_and(|answer| allows(&answer))
            {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "it does not answer");
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    });
    let took = begun.elapsed();
    drop(child);
    took
}

/// What the demo holds after a while without a call.
fn idle(binary: &Path) -> u64 {
    let mut command = Command::new(binary);
    let child = spawn(command.args(["demo", "--listen", &port(), "--ops-listen", &port()]));
    thread::sleep(Duration::from_secs(5));
    let status = fs::read_to_string(format!("/proc/{}/status", child.0.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
