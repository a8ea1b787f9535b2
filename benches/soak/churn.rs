//! A long run of everything at once: connections that come and go, reloads good and bad. What it holds must not grow.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sidegate::client::Blocking;

use crate::stage::{Script, Stage};
use crate::support::{Daemon, LIMIT, question};
use crate::writers::{FILE, Way};
use crate::{slow, table};

/// Tells the others to stop, also when its owner panics: a scope waits for all of its threads.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Memory in KiB, descriptors, threads.
type Sample = [f64; 3];

pub(crate) fn churn(length: Duration) -> bool {
    let reloads = usize::try_from(length.as_millis() / 150).unwrap();
    let mut script = Script::numbered(6, reloads + 2);
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().to_owned();
    let first = script.to_come.remove(0);
    Way::prepare(&root, &first.text);
    let source = root.join("current").join(FILE);
    let mut stage = Stage::open(Daemon::serve(directory, &source, &[]), &first, &script, slow(3));
    let (over, mut samples) = (AtomicBool::new(false), Vec::new());
    let (id, address) = (stage.daemon.process.id(), stage.daemon.data.clone());
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let clients: Vec<_> = (0..20).map(|_| Blocking::connect(&address, LIMIT).unwrap()).collect();
                for client in &clients {
                    client.call(|client| client.authorize(question("nobody", "nothing"))).unwrap();
                }
            }
        });
        let end = End(&over);
        let begun = Instant::now();
        for version in script.to_come.iter().take_while(|_| begun.elapsed() < length) {
            let way = Way::ALL[script.dice.below(Way::ALL.len())];
            stage.write(version, |text| way.write(&root, text));
            if script.dice.below(4) == 0 {
                thread::sleep(Duration::from_millis(60));
                Way::RenameOver.write(&root, "sidegate: 1\nrolls: {}\n");
            }
            thread::sleep(Duration::from_millis(120));
            samples.push(sample(id));
        }
        drop(end);
    });
    let last = script.to_come.last().unwrap();
    stage.write(last, |text| Way::RenameOver.write(&root, text));
    stage.wait_for(last);
    let findings = stage.close();
    // Once everything has been used.
    let later = &samples[samples.len() / 3..];
    println!("| | at first | half-way | at last | slope over the last two thirds |\n|---|---|---|---|---|");
    for (place, what) in ["memory KiB", "descriptors", "threads"].into_iter().enumerate() {
        let figures: Vec<_> = later.iter().map(|sample| sample[place]).collect();
        let [first, half, end] =
            [0, figures.len() / 2, figures.len() - 1].map(|at| figures.get(at).copied().unwrap_or_default());
        let hours = length.as_secs_f64() * 2.0 / 3.0 / 3_600.0;
        println!("| {what} | {first:.0} | {half:.0} | {end:.0} | {:.1} an hour |", slope(&figures) / hours);
    }
    table::findings(&findings);
    table::is_clean(&findings)
}

fn sample(id: u32) -> Sample {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap()
    };
    let descriptors = fs::read_dir(format!("/proc/{id}/fd")).unwrap().count();
    [field("VmRSS:"), f64::from(u32::try_from(descriptors).unwrap()), field("Threads:")]
}

/// By how much a line through the figures rises from the first to the last.
fn slope(figures: &[f64]) -> f64 {
    let count = figures.len() as f64;
    let mean = figures.iter().sum::<f64>() / count;
    let middle = (count - 1.0) / 2.0;
    let (mut up, mut along) = (0.0, 0.0);
    for (place, figure) in figures.iter().enumerate() {
        let x = place as f64 - middle;
        up += x * (figure - mean);
        along += x * x;
    }
    if along > 0.0 { up / along * (count - 1.0) } else { 0.0 }
}
