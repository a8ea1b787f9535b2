//! T6: what reloading costs those who ask meanwhile: an open loop at half of what the daemon answers here, in rounds with
//! and without reloads by turns, so that both meet the same machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sidegate::service::proto::v1::AuthorizeRequest;

use crate::checker::{Dice, Load, Pace, Version, Versions, check, seed};
use crate::latency::{capacity, open_loop};
use crate::shared::support::wire;
use crate::storms::{asks_of, world};
use crate::support::{Daemon, command};
use crate::{
    slow,
    table::{self, quantile},
};

/// What is reloaded, how large, and how often a second.
struct Case {
    what: &'static str,
    sizes: [usize; 2],
    hertz: f64,
    is_compiled: bool,
}

const CASES: [Case; 2] = [
    Case { what: "YAML, 1,000 bindings, 2 Hz", sizes: [1_500, 1_500], hertz: 2.0, is_compiled: false },
    Case {
        what: "compiled, 1,000 and 100,000 bindings by turns, 10 Hz",
        sizes: [1_500, 150_000],
        hertz: 10.0,
        is_compiled: true,
    },
];

pub(crate) fn reloads(rounds: usize, length: Duration) -> bool {
    println!(
        "| reloaded | rate/s | p50 ms | p99 ms | p99.9 ms | p99 ratio | p99.9 ratio | reloads | unanswered | wrong |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    CASES.iter().all(|case| case.run(rounds, length))
}

impl Case {
    fn run(&self, rounds: usize, length: Duration) -> bool {
        let directory = tempfile::tempdir().unwrap();
        // Two of three hold the role; which ones is another matter every time.
        let versions: Vec<_> = (0..4)
            .map(|number| Version::read(&world(self.sizes[number % 2], |user| (user + number) % 3 > 0)))
            .collect();
        let files: Vec<_> =
            versions.iter().enumerate().map(|(number, version)| self.file(directory.path(), number, version)).collect();
        let live = directory.path().join(if self.is_compiled { "live.sgate" } else { "live.yaml" });
        fs::copy(&files[0], &live).unwrap();
        let daemon = Daemon::serve(tempfile::tempdir().unwrap(), &live, &[]).ready();
        let mut dice = Dice::new(seed());
        let questions: Arc<Vec<_>> = Arc::new((0..200).map(|_| asks_of(dice.below(self.sizes[0]))).collect());
        let requests: Vec<AuthorizeRequest> = questions.iter().map(wire::authorize).collect();
        let rate = capacity(&daemon.data, &requests) / 2.0;
        let (mut ratios, mut times, mut unanswered, mut wrong) = ([Vec::new(), Vec::new()], Vec::new(), 0, true);
        let before = daemon.metric("sidegate_reloads_total{result=\"applied\"}");
        for _ in 0..rounds {
            let (steady, lost) = open_loop(&daemon.data, &requests, rate, length);
            let over = AtomicBool::new(false);
            // One slow client checks what is answered meanwhile.
            let load = Load::start(&daemon.data, &questions, Pace { lists: false, ..slow(1) });
            let (reloading, lost_too) = thread::scope(|scope| {
                scope.spawn(|| self.reload(&files, &live, &over));
                let measured = open_loop(&daemon.data, &requests, rate, length);
                over.store(true, Ordering::Relaxed);
                measured
            });
            let mut known = Versions::default();
            (0..1_000).for_each(|number| known.note(&versions[number % versions.len()]));
            let findings = check(&load.stop(), &known, &questions);
            wrong &= table::is_clean(&findings);
            for (ratios, thousandths) in ratios.iter_mut().zip([990, 999]) {
                let pair = [&reloading, &steady].map(|times| quantile(times, thousandths).as_secs_f64());
                ratios.push(pair[0] / pair[1]);
            }
            unanswered += lost + lost_too;
            times.extend(reloading);
        }
        times.sort_unstable();
        let applied = daemon.metric("sidegate_reloads_total{result=\"applied\"}") - before;
        let [p50, p99, p999] = [500, 990, 999].map(|thousandths| table::ms(quantile(&times, thousandths)));
        let [ratio99, ratio999] = ratios.map(table::median);
        println!(
            "| {} | {rate:.0} | {p50} | {p99} | {p999} | {ratio99} | {ratio999} | {applied} | {unanswered} | {} |",
            self.what,
            usize::from(!wrong)
        );
        wrong && unanswered == 0
    }

    fn file(&self, directory: &Path, number: usize, version: &Version) -> PathBuf {
        let (text, compiled) = (directory.join(format!("{number}.yaml")), directory.join(format!("{number}.sgate")));
        fs::write(&text, &version.text).unwrap();
        if !self.is_compiled {
            return text;
        }
        let status = command(&["compile", text.to_str().unwrap(), "-o", compiled.to_str().unwrap()]).output().unwrap();
        assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
        compiled
    }

    /// Renames one file after the other into place.
    fn reload(&self, files: &[PathBuf], live: &Path, over: &AtomicBool) {
        let next = live.with_extension("next");
        let begun = Instant::now();
        for number in 1_u32.. {
            fs::copy(&files[usize::try_from(number).unwrap() % files.len()], &next).unwrap();
            let due = begun + Duration::from_secs_f64(f64::from(number) / self.hertz);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if over.load(Ordering::Relaxed) {
                return;
            }
            fs::rename(&next, live).unwrap();
        }
    }
}
