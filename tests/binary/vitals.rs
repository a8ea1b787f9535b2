//! What a process holds, and whether an attack leaves it and everybody else unharmed.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{self, JoinHandle};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sidegate::client::{Blocking, allows};

use crate::support::{Daemon, LIMIT, question, until};

/// How much more memory an attack may take, at its worst moment.
const MOST_KIB: u64 = 64 * 1024;
/// The answers that each of the others gets while the attack lasts, and after it.
const ANSWERS: usize = 20;

/// What the kernel says of a process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vitals {
    pub(crate) descriptors: usize,
    pub(crate) threads: u64,
    /// Resident now.
    pub(crate) resident_kib: u64,
    /// Resident at the worst moment so far.
    pub(crate) peak_kib: u64,
}

impl Vitals {
    pub(crate) fn of(daemon: &Daemon) -> Self {
        let process = format!("/proc/{}", daemon.process.id());
        let status = fs::read_to_string(format!("{process}/status")).unwrap();
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}"));
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        Self {
            descriptors: fs::read_dir(format!("{process}/fd")).unwrap().count(),
            threads: number("Threads:"),
            resident_kib: number("VmRSS:"),
            peak_kib: number("VmHWM:"),
        }
    }
}

/// The state of a process as the kernel's letter: `T` is stopped.
pub(crate) fn state(daemon: &Daemon) -> char {
    let text = fs::read_to_string(format!("/proc/{}/stat", daemon.process.id())).unwrap();
    text.rsplit_once(") ").unwrap().1.chars().next().unwrap()
}

/// Lets this process open as many files as the system allows it; how many.
pub(crate) fn raise_descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Callers that ask during an attack, and must be answered right.
pub(crate) struct Bystanders {
    stop: Arc<AtomicBool>,
    answers: Vec<Arc<AtomicUsize>>,
    threads: Vec<JoinHandle<()>>,
}

impl Bystanders {
    /// Two that are connected already; with `arriving` also one that connects anew for every question.
    pub(crate) fn ask(address: &str, arriving: bool) -> Self {
        let mut all = Self { stop: Arc::default(), answers: Vec::new(), threads: Vec::new() };
        for number in 0..2 + usize::from(arriving) {
            let (stop, answers) = (Arc::clone(&all.stop), Arc::new(AtomicUsize::new(0)));
            all.answers.push(Arc::clone(&answers));
            let address = address.to_owned();
            all.threads.push(thread::spawn(move || {
                let mut client = Blocking::connect(&address, LIMIT).unwrap();
                while !stop.load(SeqCst) {
                    for (user, right) in [("ana", true), ("bob", false)] {
                        let answer = client.call(|client| client.authorize(question(user, "access")));
                        assert_eq!(allows(&answer.unwrap()), right, "{user}");
                    }
                    answers.fetch_add(2, SeqCst);
                    if number == 2 {
                        client = Blocking::connect(&address, LIMIT).unwrap();
                    }
                }
            }));
        }
        all.wait();
        all
    }

    /// Waits until each has got some more answers.
    pub(crate) fn wait(&self) {
        let before: Vec<_> = self.answers.iter().map(|count| count.load(SeqCst)).collect();
        until("the others are answered", || {
            assert!(self.threads.iter().all(|thread| !thread.is_finished()), "one of the others got no right answer");
            self.answers.iter().zip(&before).all(|(count, before)| count.load(SeqCst) >= before + ANSWERS)
        });
    }

    /// Ends them; how many answers they got.
    pub(crate) fn end(self) -> usize {
        self.stop.store(true, SeqCst);
        for thread in self.threads {
            thread.join().expect("the others get right answers");
        }
        self.answers.iter().map(|count| count.load(SeqCst)).sum()
    }
}

/// What must be as before once an attack is over.
pub(crate) struct Baseline {
    vitals: Vitals,
    connections: u64,
}

impl Baseline {
    pub(crate) fn of(daemon: &Daemon) -> Self {
        Self { connections: connections(daemon), vitals: Vitals::of(daemon) }
    }

    /// Waits until the daemon holds no more than before; it must have held little more meanwhile, and not have panicked.
    pub(crate) fn is_reached_again(&self, daemon: &Daemon, what: &str) {
        until("its connections are gone", || connections(daemon) <= self.connections);
        until("its descriptors and threads are gone", || {
            let now = Vitals::of(daemon);
            now.descriptors <= self.vitals.descriptors && now.threads <= self.vitals.threads
        });
        let grown = Vitals::of(daemon).peak_kib.saturating_sub(self.vitals.resident_kib);
        println!("{what}: {grown} KiB more at the worst moment");
        assert!(grown <= MOST_KIB, "{what}: {grown} KiB more at the worst moment");
        assert_eq!(daemon.metric("sidegate_handler_panics_total"), 0, "{what}");
        let told = daemon.process.err().join("\n");
        assert!(!told.contains("panicked"), "{what}: {told}");
    }
}

pub(crate) fn connections(daemon: &Daemon) -> u64 {
    daemon.metric("sidegate_connections{listener=\"data\"}")
}

/// Runs an attack while others ask: they are answered, and what it took is given back.
pub(crate) fn unharmed<T>(daemon: &Daemon, what: &str, attack: impl FnOnce() -> T) -> T {
    let baseline = Baseline::of(daemon);
    let others = Bystanders::ask(&daemon.data, true);
    let outcome = attack();
    others.wait();
    let answers = others.end();
    println!("{what}: the others got {answers} answers");
    baseline.is_reached_again(daemon, what);
    outcome
}
