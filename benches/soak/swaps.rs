//! T1 and T2 at length: how soon what was written is served, and that it is.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use sidegate::client::Blocking;

use crate::checker::{Dice, Version};
use crate::stage::{Script, Stage};
use crate::support::{Daemon, LIMIT, question};
use crate::writers::{FILE, Volume, Way};
use crate::{slow, table};

/// A version that nobody replaced for so long is final: it must have been served.
const FINAL: Duration = Duration::from_secs(1);

/// When each sequence answered first.
type Seen = Arc<Mutex<HashMap<u64, Instant>>>;

/// Asks all the time which sequence is live.
struct Observer {
    seen: Seen,
    over: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Observer {
    fn start(address: &str) -> Self {
        let (seen, over) = (Seen::default(), Arc::<AtomicBool>::default());
        let client = Blocking::connect(address, LIMIT).unwrap();
        let thread = thread::spawn({
            let (seen, over) = (Arc::clone(&seen), Arc::clone(&over));
            move || {
                while !over.load(Ordering::Relaxed) {
                    let answer = client.call(|client| client.authorize(question("nobody", "nothing")));
                    let received = Instant::now();
                    let sequence = answer.ok().and_then(|answer| answer.snapshot).map(|from| from.sequence);
                    seen.lock().unwrap().entry(sequence.unwrap_or_default()).or_insert(received);
                    thread::sleep(Duration::from_millis(1));
                }
            }
        });
        Self { seen, over, thread }
    }

    fn has_seen(&self, sequence: u64) -> bool {
        self.seen.lock().unwrap().contains_key(&sequence)
    }

    fn wait_for(&self, sequence: u64) -> bool {
        let begun = Instant::now();
        while !self.has_seen(sequence) && begun.elapsed() < LIMIT {
            thread::sleep(Duration::from_millis(1));
        }
        self.has_seen(sequence)
    }

    fn stop(self) -> HashMap<u64, Instant> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        Arc::into_inner(self.seen).unwrap().into_inner().unwrap()
    }
}

/// Kubelet swaps with gaps from 10 ms to 2 s, most of them short, under four clients.
pub(crate) fn swaps(count: usize) -> bool {
    let mut script = Script::numbered(6, count + 1);
    let directory = tempfile::tempdir().unwrap();
    let mut volume = Volume::new(directory.path());
    let first = script.to_come.remove(0);
    volume.swap(&first.text);
    let source = directory.path().to_owned();
    let mut stage = Stage::open(Daemon::serve(directory, &source, &[]), &first, &script, slow(4));
    let observer = Observer::start(&stage.daemon.data);
    let mut swapped = Vec::new();
    for version in &script.to_come {
        let mut at = Instant::now();
        stage.write(version, |text| at = volume.swap(text));
        swapped.push((version.sequence, at));
        thread::sleep(gap(&mut script.dice));
    }
    let last = script.to_come.last().map_or(0, |version| version.sequence);
    observer.wait_for(last);
    let rejected = stage.daemon.metric("sidegate_reloads_total{result=\"rejected\"}");
    let seen = observer.stop();
    let findings = stage.close();
    let served = swapped.iter().filter_map(|(sequence, at)| Some(seen.get(sequence)?.saturating_duration_since(*at)));
    let served: Vec<_> = served.collect();
    let ends = swapped.iter().skip(1).map(|(_, at)| *at).chain([Instant::now() + FINAL]);
    let is_final = swapped.iter().zip(ends).filter(|((_, at), end)| end.saturating_duration_since(*at) >= FINAL);
    let (finals, missed) = is_final.fold((0, 0), |(finals, missed), ((sequence, _), _)| {
        (finals + 1, missed + usize::from(!seen.contains_key(sequence)))
    });
    let superseded = swapped.len() - served.len();
    println!("| swaps | superseded | final | missed finals | refused | served | p50 ms | p99 ms | max ms |");
    println!("|---|---|---|---|---|---|---|---|---|");
    println!("| {count} | {superseded} | {finals} | {missed} | {rejected} | {} |", table::spread(served));
    table::findings(&findings);
    missed == 0 && rejected == 0 && table::is_clean(&findings)
}

/// From 10 ms to 2 s, each order of magnitude as often.
fn gap(dice: &mut Dice) -> Duration {
    let position = f64::from(u32::try_from(dice.below(10_000)).unwrap()) / 10_000.0;
    Duration::from_secs_f64(0.01 * 200_f64.powf(position))
}

/// Every way of writing, so many times each, in any order.
pub(crate) fn kinds(count: usize) -> bool {
    let mut script = Script::numbered(6, count * Way::ALL.len() + 1);
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().to_owned();
    let first: Version = script.to_come.remove(0);
    Way::prepare(&root, &first.text);
    let source = root.join("current").join(FILE);
    let mut stage = Stage::open(Daemon::serve(directory, &source, &[]), &first, &script, slow(4));
    let observer = Observer::start(&stage.daemon.data);
    let (mut ways, mut written): (Vec<Way>, _) = (Way::ALL.repeat(count), Vec::new());
    for version in &script.to_come {
        let way = ways.remove(script.dice.below(ways.len()));
        stage.write(version, |text| way.write(&root, text));
        written.push((way, version.sequence, Instant::now()));
        observer.wait_for(version.sequence);
    }
    let seen = observer.stop();
    let findings = stage.close();
    println!("| way | missed | served | p50 ms | p99 ms | max ms |\n|---|---|---|---|---|---|");
    let mut missed = 0;
    for way in Way::ALL {
        let of_way = || written.iter().filter(|(own, ..)| *own == way);
        let served = of_way().filter_map(|(_, number, at)| Some(seen.get(number)?.saturating_duration_since(*at)));
        let served: Vec<_> = served.collect();
        let unseen = of_way().count() - served.len();
        missed += unseen;
        println!("| {way:?} | {unseen} | {} |", table::spread(served));
    }
    table::findings(&findings);
    missed == 0 && table::is_clean(&findings)
}
