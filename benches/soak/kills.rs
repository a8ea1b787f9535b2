//! T18: SIGKILL at a random moment of a start or a reload; the next start serves what was good, or nothing.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::checker::{Dice, Version, seed};
use crate::storms::world;
use crate::support::{Daemon, LIMIT, question};
use crate::table;

const BAD: &str = "sidegate: 1\nrolls: {}\n";

pub(crate) fn kills(count: usize) -> bool {
    println!("seed {}", seed());
    let (mut dice, root) = (Dice::new(seed()), tempfile::tempdir().unwrap());
    let versions: Vec<_> = (0..4).map(|number| Version::read(&world(3_000, |user| (user + number) % 3 > 0))).collect();
    let (source, state) = (root.path().join("policy.yaml"), root.path().join("state"));
    fs::create_dir(&state).unwrap();
    fs::write(root.path().join("sidegate.toml"), format!("[snapshot]\nstate_directory = \"{}\"\n", state.display()))
        .unwrap();
    let put = |text: &str| {
        fs::write(root.path().join("next"), text).unwrap();
        fs::rename(root.path().join("next"), &source).unwrap();
    };
    let (mut from_source, mut from_copy, mut wrong, mut kept) = (Vec::new(), Vec::new(), 0, false);
    for number in 0..count {
        // Every third start finds a bad source, and has the copy alone.
        let is_bad = number % 3 == 2;
        let good = &versions[dice.below(versions.len())];
        put(if is_bad { BAD } else { &good.text });
        let begun = Instant::now();
        let daemon = start(&source, root.path());
        if is_bad && !kept {
            continue;
        }
        let digest = first_answer(&daemon);
        let right = if is_bad { versions.iter().any(|own| own.digest == digest) } else { digest == good.digest };
        wrong += usize::from(!right);
        (if is_bad { &mut from_copy } else { &mut from_source }).push(begun.elapsed());
        kept = true;
        // Then a reload, in the middle of which it dies.
        put(&versions[dice.below(versions.len())].text);
        thread::sleep(Duration::from_micros(u64::try_from(dice.below(120_000)).unwrap()));
        daemon.process.signal(Signal::KILL);
        drop(daemon);
        // And a start, in the middle of which it dies.
        let daemon = start(&source, root.path());
        thread::sleep(Duration::from_micros(u64::try_from(dice.below(60_000)).unwrap()));
        daemon.process.signal(Signal::KILL);
    }
    let left = fs::read_dir(&state).unwrap().count();
    println!("| from | wrong | starts | p50 ms | p99 ms | max ms |\n|---|---|---|---|---|---|");
    println!("| the source | {wrong} | {} |", table::spread(from_source));
    println!("| the copy, the source being bad | {wrong} | {} |", table::spread(from_copy));
    println!("\n{left} files in the state directory");
    wrong == 0 && left == 1
}

fn start(source: &Path, root: &Path) -> Daemon {
    let config = root.join("sidegate.toml");
    Daemon::serve(tempfile::tempdir().unwrap(), source, &["--config", config.to_str().unwrap()])
}

/// The digest of the first answer.
fn first_answer(daemon: &Daemon) -> String {
    let (client, begun) = (daemon.client(), Instant::now());
    loop {
        if let Ok(answer) = client.call(|client| client.authorize(question("ana", "access"))) {
            return answer.snapshot.unwrap().digest;
        }
        assert!(begun.elapsed() < LIMIT, "it never serves");
        thread::sleep(Duration::from_millis(1));
    }
}
