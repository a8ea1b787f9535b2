//! From facts to a live index: `cargo bench --bench load`, or with a size, `cargo bench --bench load -- 10000000`.
//!
//! For each number of bindings it writes a source, compiles it with the program itself in a process of its own, so that
//! its memory is its own, and loads the compiled file as a daemon does. Three bindings a subject, thirty a workspace,
//! each workspace with four documents; a million takes seconds, ten millions half a minute and some gigabytes of disk.

#![expect(clippy::unwrap_used, reason = "a benchmark whose universe does not build has nothing to measure")]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use sidegate::index::file;

const POLICY: &str = r#"
sidegate: 1
subject_types: {user: {}}
operations: {read: [view], write: [update]}
types:
  org: {root: true, actions: [manage]}
  workspace: {parent: org, attributes: {tier: string}, actions: [enter]}
  document: {parent: workspace, attributes: {locked: bool}, actions: [view, update]}
roles:
  owner: {at: org, allow: [{on: [org, workspace, document], actions: all}]}
  reader: {at: workspace, allow: [{on: document, operations: [read]}]}
  writer: {at: workspace, includes: [reader], allow: [{on: document, operations: [write]}]}
  editor: {at: workspace, allow: [{on: document, actions: [update], when: "resource.locked == false"}]}
"#;

/// What is measured without a size.
const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];

/// Loads are repeated, and the median counts.
const LOADS: usize = 7;

fn main() {
    let mut words = std::env::args().skip(1);
    // The second half of a measurement runs in a process of its own: see `resident`.
    if words.next().as_deref() == Some("resident") {
        return hold(Path::new(&words.next().unwrap()));
    }
    let asked: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    println!(
        "| bindings | source MiB | compile s (cpu) | peak MiB | file MiB | bytes a binding | beside ids | load ms | read | checksum | validate | resident MiB | x file |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for size in if asked.is_empty() { SIZES.to_vec() } else { asked } {
        measure(size);
    }
}

fn measure(bindings: usize) {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("policy.yaml"), POLICY).unwrap();
    let ids = write_facts(&source.join("facts.jsonl"), bindings);
    let source_bytes = fs::metadata(source.join("facts.jsonl")).unwrap().len();
    let compiled = directory.path().join("facts.sgate");
    let (seconds, peak) = compile(&source, &compiled);
    fs::remove_dir_all(&source).unwrap();
    let bytes = fs::metadata(&compiled).unwrap().len();
    let [whole, read, checksum, validate] = load(&compiled);
    let resident = resident(&compiled);
    let each = |bytes: u64| float(bytes) / float(u64::try_from(bindings).unwrap());
    println!(
        "| {bindings} | {:.0} | {seconds:.2} | {:.0} | {:.1} | {:.1} | {:.1} | {} | {} | {} | {} | {:.1} | {:.2} |",
        mib(source_bytes),
        mib(peak),
        mib(bytes),
        each(bytes),
        each(bytes.saturating_sub(ids)),
        millis(whole),
        millis(read),
        millis(checksum),
        millis(validate),
        mib(resident),
        float(resident) / float(bytes),
    );
}

/// Writes facts, and says how many bytes their ids have, each counted once.
fn write_facts(path: &Path, bindings: usize) -> u64 {
    let mut out = BufWriter::new(File::create(path).unwrap());
    let (users, workspaces) = (bindings.div_ceil(3), bindings.div_ceil(30));
    let mut ids = 3;
    writeln!(out, r#"{{"kind":"resource","id":"org/one"}}"#).unwrap();
    for workspace in 0..workspaces {
        writeln!(
            out,
            r#"{{"kind":"resource","id":"workspace/w{workspace}","parent":"org/one","attributes":{{"tier":"pro"}}}}"#
        )
        .unwrap();
        ids += format!("w{workspace}").len();
        for document in 0..4 {
            let id = format!("w{workspace}-{document}");
            writeln!(out, r#"{{"kind":"resource","id":"document/{id}","parent":"workspace/w{workspace}","attributes":{{"locked":{}}}}}"#, document == 0).unwrap();
            ids += id.len();
        }
    }
    let mut left = bindings;
    for user in 0..users {
        writeln!(out, r#"{{"kind":"subject","id":"user/u{user}"}}"#).unwrap();
        ids += format!("u{user}").len();
        for (number, role) in ["reader", "writer", "editor"].iter().enumerate().take(left) {
            let workspace = user.wrapping_mul(2_654_435_761).wrapping_add(number * 7) % workspaces;
            writeln!(
                out,
                r#"{{"kind":"binding","subject":"user/u{user}","role":"{role}","at":"workspace/w{workspace}"}}"#
            )
            .unwrap();
        }
        left = left.saturating_sub(3);
    }
    out.flush().unwrap();
    u64::try_from(ids).unwrap()
}

/// Processor seconds and peak memory of the program that compiles.
fn compile(source: &Path, compiled: &Path) -> (f64, u64) {
    let before = children();
    let mut child = Command::new(env!("CARGO_BIN_EXE_sidegate"))
        .arg("compile")
        .arg(source)
        .arg("-o")
        .arg(compiled)
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        // The kernel keeps the peak; asked often enough, the last answer before the end is it.
        let now = fs::read_to_string(&status).ok().and_then(|text| kib(&text, "VmHWM:"));
        peak = peak.max(now.unwrap_or(0));
        if let Some(ended) = child.try_wait().unwrap() {
            assert!(ended.success(), "it does not compile");
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    (children() - before, peak << 10)
}

/// Processor seconds of all children that have ended: fields 16 and 17 of `stat`, behind the name in brackets.
fn children() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap();
    let fields = text.rsplit_once(") ").unwrap().1.split(' ');
    fields.skip(13).take(2).map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

/// Medians of whole loads and of their parts.
fn load(compiled: &Path) -> [Duration; 4] {
    let mut all: [Vec<Duration>; 4] = Default::default();
    for _ in 0..LOADS {
        let begun = Instant::now();
        let bytes = fs::read(compiled).unwrap();
        let read = begun.elapsed();
        let hashing = Instant::now();
        std::hint::black_box(blake3::hash(&bytes));
        let checksum = hashing.elapsed();
        let opening = Instant::now();
        let (_, index) = file::open(bytes).unwrap();
        let opened = opening.elapsed();
        drop(std::hint::black_box(index));
        for (list, time) in all.iter_mut().zip([read + opened, read, checksum, opened.saturating_sub(checksum)]) {
            list.push(time);
        }
    }
    all.map(|mut list| {
        list.sort_unstable();
        list.get(LOADS / 2).copied().unwrap()
    })
}

/// How much memory a process takes that holds nothing but the index.
fn resident(compiled: &Path) -> u64 {
    let output = Command::new(std::env::current_exe().unwrap()).arg("resident").arg(compiled).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

fn hold(compiled: &Path) {
    let (_, index) = file::open(fs::read(compiled).unwrap()).unwrap();
    let text = fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", kib(&text, "VmRSS:").unwrap() << 10);
    drop(std::hint::black_box(index));
}

fn kib(status: &str, field: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(field))?.split_whitespace().next()?.parse().ok()
}

fn mib(bytes: u64) -> f64 {
    float(bytes) / 1_048_576.0
}

fn millis(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}

#[expect(clippy::cast_precision_loss, reason = "no file has 2^52 bytes")]
fn float(number: u64) -> f64 {
    number as f64
}
