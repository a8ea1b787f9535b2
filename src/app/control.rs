//! The control thread: accepts, serves ops and admin, turns news of the snapshot into health, ends the process.

use std::{mem, sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    Addresses, ExitReason, exit::Guard, orphans, parts::Parts, reconfigure::Reconfigure, renewal, signals::Signals,
    supervisor::Supervisor,
};
use crate::{
    observe::{decision_log::DecisionLog, spans::Exporter},
    service::{
        Clock, Connected, Drain, Gate, Health, Listener, Registry, Stale, accept_loop, mind_staleness, unknown_names,
    },
    snapshot::{KeeperHandle, Store},
};

/// Of what the rules name and the snapshot does not know, so much is told.
const MOST_WARNINGS: usize = 20;
const PAUSE: Duration = Duration::from_millis(5);
/// How long what waits for the decision log, and for a collector of spans, may take to be written.
const LAST_LINES: Duration = Duration::from_secs(2);
/// How long ops and admin connections get to end when everything else has.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// What a handle asks of the control thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Reload,
    Drain,
    End,
}

impl Parts {
    /// Runs until the end.
    pub(super) fn run(mut self, commands: mpsc::UnboundedReceiver<Command>, signals: Option<Signals>) -> ExitReason {
        // Dropped, and with it every task, when this returns.
        let mut tasks = JoinSet::new();
        self.listen(&mut tasks);
        let supervisor = signals.as_ref().map(|_| Supervisor::of_environment()).unwrap_or_default();
        self.mind(&mut tasks, supervisor.clone());
        if signals.is_some() {
            tasks.spawn_on(orphans::bury(), self.runtime.handle());
        }
        let Self { runtime, registry, side, decision_log, draining, ending, tls, .. } = self;
        tell_of(&self.addresses);
        let mut orders = Orders { commands, exits: self.exits, signals };
        let reload = || {
            drop(renewal::renew_soon(tls.as_ref(), &self.metrics));
            read_all_again(decision_log.as_deref(), &self.keeper, self.reconfigure.as_ref());
        };
        let reason = runtime.block_on(async {
            if let Some(reason) = orders.until_told(reload).await {
                return reason;
            }
            tracing::info!(connections = registry.count(), "draining");
            self.metrics.draining();
            supervisor.ending();
            self.health.shut_down().await;
            draining.send_replace(true);
            let cut = orders.drain(&registry, self.drain_time).await;
            ending.send_replace(true);
            drop(timeout(LAST_WORDS, ended(&side)).await);
            ExitReason::Stopped { cut }
        });
        runtime.block_on(async { drop(timeout(LAST_LINES, self.metrics.spans().flush()).await) });
        if let Some(log) = decision_log {
            close(&log);
        }
        tracing::info!(%reason, "ending");
        runtime.shutdown_background();
        reason
    }
}

/// What SIGHUP stands for.
fn read_all_again(log: Option<&DecisionLog>, keeper: &KeeperHandle, configuration: Option<&Reconfigure>) {
    if let Some(log) = log {
        log.reopen();
    }
    keeper.reload();
    if let Some(configuration) = configuration {
        configuration.read_again();
    }
}

impl Parts {
    /// Opens the doors.
    fn listen(&mut self, tasks: &mut JoinSet<()>) {
        let (drain, end) = (self.draining.subscribe(), self.ending.subscribe());
        for (listener, name) in mem::take(&mut self.bound.data) {
            let workers = Arc::clone(&self.workers);
            let guard = self.guards.guard("data listener");
            let registry = Arc::clone(&self.registry);
            let accepting = accept_loop(listener, name, registry, drain.clone(), move |stream, place| {
                let _guard = &guard;
                workers.serve(stream, place);
            });
            tasks.spawn_on(accepting, self.runtime.handle());
        }
        let ops = self.bound.ops.take().map(|listener| (listener, "ops", &self.ops));
        let admin = mem::take(&mut self.bound.admin).into_iter();
        let admin = admin.filter_map(|listener| Some((listener, "admin", self.admin.as_ref()?)));
        for (listener, name, connected) in ops.into_iter().chain(admin) {
            let (side, guard) = (Arc::clone(&self.side), self.guards.guard("side listener"));
            let serving = serve_here(listener, name, side, end.clone(), connected.clone(), guard);
            tasks.spawn_on(serving, self.runtime.handle());
        }
    }

    /// Starts what looks after the rest.
    fn mind(&mut self, tasks: &mut JoinSet<()>, supervisor: Supervisor) {
        let guard = |what| self.guards.guard(what);
        let store = || Arc::clone(&self.store);
        let (drain, end, runtime) = (self.draining.subscribe(), self.ending.subscribe(), self.runtime.handle());
        let health = bridge(store(), self.health.clone(), supervisor, self.stale, drain, guard("health bridge"));
        tasks.spawn_on(health, runtime);
        tasks.spawn_on(age(store(), self.clock.clone(), guard("watch on the age")), runtime);
        let names = warn_of_names(store(), Arc::clone(&self.gate), end, guard("check of the caller rules"));
        tasks.spawn_on(names, runtime);
        if let Some(tls) = &self.tls {
            let watching = renewal::watch(Arc::clone(tls), Arc::clone(&self.metrics), guard("certificate watch"));
            tasks.spawn_on(watching, runtime);
        }
        if let Some(exporter) = self.exporter.take() {
            tasks.spawn_on(export(exporter, guard("exporter of spans")), runtime);
        }
    }
}

fn close(log: &DecisionLog) {
    let unwritten = log.finish(LAST_LINES);
    let (written, dropped) = log.counts();
    tracing::info!(written, dropped, unwritten, "the decision log is closed");
}

fn tell_of(addresses: &Addresses) {
    tracing::info!(
        data = addresses.data.map(display),
        uds = addresses.uds.as_ref().map(|path| display(path.display())),
        ops = addresses.ops.map(display),
        admin = addresses.admin.map(display),
        admin_uds = addresses.admin_uds.as_ref().map(|path| display(path.display())),
        "listening"
    );
}

/// Accepts and serves on this thread.
async fn serve_here(
    listener: Listener,
    name: &'static str,
    side: Arc<Registry>,
    end: Drain,
    connected: Connected,
    guard: Guard,
) {
    accept_loop(listener, name, side, end, move |stream, place| {
        let _guard = &guard;
        tokio::spawn(connected.clone().serve(stream, place));
    })
    .await;
}

/// Health follows the first snapshot. A refused reload later changes nothing: the last good one serves. One that is too old
/// does where that is to be denied.
async fn bridge(
    store: Arc<Store>,
    health: Health,
    supervisor: Supervisor,
    stale: Stale,
    mut drain: Drain,
    guard: Guard,
) {
    let _guard = guard;
    let mut status = store.subscribe();
    let mut told = false;
    loop {
        let serving = {
            let status = status.borrow_and_update();
            status.generation > 0 && !(status.stale && stale == Stale::Deny)
        };
        if serving != told {
            health.set_all(serving).await;
            told = serving;
            if serving {
                supervisor.serving();
            }
        }
        tokio::select! {
            biased;
            _ = drain.wait_for(|draining| *draining) => return,
            changed = status.changed() => if changed.is_err() { return },
        }
    }
}

/// Sends spans.
async fn export(exporter: Exporter, guard: Guard) {
    let _guard = guard;
    exporter.run().await;
}

/// Tells when the snapshot becomes too old.
async fn age(store: Arc<Store>, clock: Clock, guard: Guard) {
    let _guard = guard;
    mind_staleness(store, clock).await;
}

/// Tells, once a snapshot or a change of the rules, what the rules name and the snapshot does not know.
async fn warn_of_names(store: Arc<Store>, gate: Arc<Gate>, mut end: Drain, guard: Guard) {
    let mut news = store.subscribe();
    let mut rules = gate.subscribe();
    loop {
        let callers = gate.settings().callers.clone();
        let unknown = store.load_full().map(|live| unknown_names(callers.iter().map(AsRef::as_ref), &live.index));
        for name in unknown.iter().flatten().take(MOST_WARNINGS) {
            tracing::warn!(name, "a caller rule names what the live snapshot does not know");
        }
        tokio::select! {
            biased;
            _ = end.wait_for(|ending| *ending) => break,
            changed = news.changed() => if changed.is_err() { break },
            changed = rules.changed() => if changed.is_err() { break },
        }
    }
    // Not before everything else ends: a part that ends early ends the process.
    drop(end.wait_for(|ending| *ending).await);
    drop(guard);
}

async fn ended(registry: &Registry) {
    while registry.count() > 0 {
        sleep(PAUSE).await;
    }
}

/// Everybody who can tell the process what to do.
struct Orders {
    commands: mpsc::UnboundedReceiver<Command>,
    exits: mpsc::UnboundedReceiver<ExitReason>,
    signals: Option<Signals>,
}

impl Orders {
    /// Waits for the order to drain (`None`), or for an end at once.
    async fn until_told(&mut self, reload: impl Fn()) -> Option<ExitReason> {
        loop {
            tokio::select! {
                biased;
                reason = self.exits.recv() => return Some(reason.unwrap_or(ExitReason::Died("daemon"))),
                command = self.commands.recv() => match command {
                    Some(Command::Reload) => reload(),
                    Some(Command::Drain) => return None,
                    Some(Command::End) | None => return Some(ExitReason::Stopped { cut: 0 }),
                },
                signal = Signals::next(&mut self.signals) => match signal {
                    Command::Reload => reload(),
                    Command::Drain | Command::End => return None,
                },
            }
        }
    }

    /// Waits for the connections to end; how many are cut because the time is over or a second order came.
    async fn drain(&mut self, registry: &Registry, time: Duration) -> usize {
        let end = Instant::now() + time;
        loop {
            tokio::select! {
                () = ended(registry) => return 0,
                () = tokio::time::sleep_until(end) => break,
                signal = Signals::next(&mut self.signals) => if signal != Command::Reload { break },
                command = self.commands.recv() => if !matches!(command, Some(Command::Reload | Command::Drain)) { break },
            }
        }
        let open = registry.open();
        for connection in &open {
            let in_flight = connection.in_flight.load(std::sync::atomic::Ordering::Relaxed);
            let age = connection.since.elapsed().as_secs();
            tracing::warn!(peer = %connection.peer, listener = connection.listener, in_flight, age, "cut");
        }
        open.len()
    }
}
