//! A daemon without descriptors: what its failing accepts cost, and how soon it is itself again.

use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use sidegate::client::Client;

use crate::daemon::Daemon;
use crate::load::{block_on, question, steadily};

const ROUNDS: usize = 7;
const TIME: Duration = Duration::from_secs(5);

pub(crate) fn run(binary: &Path) {
    println!(
        "| round | CPU at rest | CPU while accepts fail | failed accepts | calls lost of who is connected | a new client is answered after |"
    );
    println!("|---|---|---|---|---|---|");
    for round in 1..=ROUNDS {
        let daemon = Daemon::start(binary, "");
        let share = |begun: Instant, before: Duration| {
            format!(
                "{:.1} %",
                daemon.cpu().saturating_sub(before).as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0
            )
        };
        let (begun, before) = (Instant::now(), daemon.cpu());
        thread::sleep(TIME);
        let rest = share(begun, before);
        let own = getrlimit(Resource::Nofile);
        prlimit(Some(daemon.pid()), Resource::Nofile, Rlimit { current: Some(0), maximum: own.maximum }).unwrap();
        let waiting: Vec<_> = (0..60).map(|_| TcpStream::connect(&daemon.data).unwrap()).collect();
        let (begun, before) = (Instant::now(), daemon.cpu());
        thread::sleep(TIME);
        let failing = share(begun, before);
        prlimit(Some(daemon.pid()), Resource::Nofile, own).unwrap();
        let begun = Instant::now();
        block_on(async {
            let client = Client::connect(&daemon.data, Duration::from_secs(30)).await.unwrap();
            client.authorize(question("ana")).await.unwrap();
        });
        let recovery = begun.elapsed();
        drop(waiting);
        let errors = daemon.metric("sidegate_accept_errors_total");
        let lost = who_is_connected(&daemon, own);
        println!("| {round} | {rest} | {failing} | {errors} | {lost} | {recovery:.1?} |");
    }
}

/// The calls that a connected client loses while others cannot connect.
fn who_is_connected(daemon: &Daemon, own: Rlimit) -> usize {
    let address = daemon.data.clone();
    let steady = thread::spawn(move || block_on(steadily(&address, 200, Duration::from_secs(3))));
    daemon.wait("it is connected", || daemon.metric("sidegate_connections{listener=\"data\"}") >= 1);
    prlimit(Some(daemon.pid()), Resource::Nofile, Rlimit { current: Some(0), maximum: own.maximum }).unwrap();
    let waiting: Vec<_> = (0..60).map(|_| TcpStream::connect(&daemon.data).unwrap()).collect();
    let lost = steady.join().unwrap().lost;
    prlimit(Some(daemon.pid()), Resource::Nofile, own).unwrap();
    drop(waiting);
    lost
}
