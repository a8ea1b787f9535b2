//! Builds every part from the configuration: sockets first, so that a taken address ends the start before any work.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    runtime::{self, Runtime},
    sync::{mpsc, watch},
};

use super::{
    Addresses, AppError, ExitReason, descriptors::make_room, exit::Exits, news::tell_of, reconfigure::Reconfigure,
};
use crate::{
    config::Config,
    observe::{
        decision_log::DecisionLog,
        metrics::Metrics,
        spans::{Exporter, Spans},
    },
    service::{
        Authorization, AuthzenSettings, Clock, Connected, DATA_SERVICES, Drain, Expensive, FastPath, Gate, Health,
        HttpLimits, Kind, Listener, Liveness, Pdp, Registry, Snapshots, Stale, Tls, Workers, admin_routes, bind_tcp,
        bind_unix, data_routes, default_worker_count, ops_routes, with_authzen,
    },
    snapshot::{Builder, Keeper, KeeperHandle, KeeperOptions, Outcome, Store},
};

/// The sockets, each with its name in metrics.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) data: Vec<(Listener, &'static str)>,
    pub(super) ops: Option<Listener>,
    pub(super) admin: Vec<Listener>,
}

/// Everything that the control thread runs.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) runtime: Runtime,
    pub(super) bound: Bound,
    pub(super) addresses: Addresses,
    pub(super) store: Arc<Store>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) health: Health,
    pub(super) keeper: Arc<KeeperHandle>,
    pub(super) gate: Arc<Gate>,
    /// Reads the configuration again, where it has a file.
    pub(super) reconfigure: Option<Reconfigure>,
    pub(super) workers: Arc<Workers>,
    pub(super) decision_log: Option<Arc<DecisionLog>>,
    /// The connections of the data listeners.
    pub(super) registry: Arc<Registry>,
    /// The connections of the others.
    pub(super) side: Arc<Registry>,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) ops: Connected,
    /// Where there is a socket for it.
    pub(super) admin: Option<Connected>,
    /// Set when the drain of the data listeners begins.
    pub(super) draining: watch::Sender<bool>,
    /// Set when the others end.
    pub(super) ending: watch::Sender<bool>,
    pub(super) exits: mpsc::UnboundedReceiver<ExitReason>,
    pub(super) guards: Exits,
    pub(super) drain_time: std::time::Duration,
    pub(super) stale: Stale,
    /// The clock of every decision.
    pub(super) clock: Clock,
    /// Where spans go, if anywhere.
    pub(super) exporter: Option<Exporter>,
}

impl Parts {
    pub(super) fn assemble(config: &Config, builder: Builder) -> Result<Self, AppError> {
        let source = config.snapshot.clone().ok_or(AppError::NoSource)?;
        let runtime = control_runtime()?;
        let (bound, addresses) = bind(config, &runtime)?;
        let tls = Tls::load(&config.tls)?.map(Arc::new);
        let (metrics, exporter) = metrics_of(config)?;
        let store = Arc::new(Store::default());
        let health = runtime.block_on(new_health());
        let (guards, exits) = Exits::new();
        let (draining, drain) = watch::channel(false);
        let (ending, end) = watch::channel(false);
        let on_exit = || guards.guard("decision log");
        let decision_log = DecisionLog::spawn(config.decision_log.clone(), metrics.decision_log(), on_exit)?;
        let decision_log = decision_log.map(Arc::new);
        let gate = Arc::new(Gate::new(config.settings(), Arc::clone(&metrics)));
        let pdp = decision_point(config, &store, &metrics, decision_log.as_ref())?.with_gate(Arc::clone(&gate));
        let clock = pdp.clock();
        let workers = Arc::new(spawn_workers(config, pdp, &metrics, &health, &guards, &drain, tls.clone())?);
        let keeper = Arc::new(spawn_keeper(config, source.clone(), &store, &metrics, builder, &guards)?);
        let limits = http_limits(config);
        let liveness = liveness(config, &workers, &store, &metrics, drain);
        let beside = |routes, kind| Connected {
            routes,
            fast: None,
            kind,
            limits: limits.clone(),
            tls: None,
            drain: end.clone(),
        };
        let ops = beside(ops_routes(liveness, health.service(Arc::clone(&metrics))), Kind::Any);
        let reloader = Arc::clone(&keeper);
        let snapshots = Snapshots::new(Arc::clone(&store), source, Arc::new(move || reloader.reload_and_tell()));
        let admin = || admin_routes(snapshots, health.service(Arc::clone(&metrics)));
        let admin = (!bound.admin.is_empty()).then(admin).transpose()?.map(|routes| beside(routes, Kind::Grpc));
        let (registry, side) = registries(config, &metrics);
        Ok(Self {
            runtime,
            bound,
            addresses,
            store,
            metrics,
            health,
            keeper,
            gate,
            reconfigure: None,
            workers,
            decision_log,
            registry,
            side,
            tls,
            ops,
            admin,
            draining,
            ending,
            exits,
            guards,
            drain_time: config.drain,
            stale: config.stale,
            clock,
            exporter,
        })
    }
}

fn control_runtime() -> std::io::Result<Runtime> {
    let mut builder = runtime::Builder::new_current_thread();
    builder.enable_all().thread_name("sidegate-block").max_blocking_threads(4).build()
}

fn metrics_of(config: &Config) -> Result<(Arc<Metrics>, Option<Exporter>), AppError> {
    let metrics = Metrics::default();
    for (key, address) in config.exposed() {
        tracing::warn!(key, %address, "other machines can ask without TLS or authentication");
        metrics.insecure_listen();
    }
    let (spans, exporter) = Spans::new(&config.otlp_endpoint, metrics.span_counters())?;
    Ok((Arc::new(metrics.with_spans(spans)), exporter))
}

fn liveness(
    config: &Config,
    workers: &Arc<Workers>,
    store: &Arc<Store>,
    metrics: &Arc<Metrics>,
    drain: Drain,
) -> Liveness {
    let (workers, store, metrics) = (Arc::clone(workers), Arc::clone(store), Arc::clone(metrics));
    Liveness { workers, store, stale: config.stale, drain, metrics }
}

/// Who may be connected: to the data listeners, and to the others.
fn registries(config: &Config, metrics: &Arc<Metrics>) -> (Arc<Registry>, Arc<Registry>) {
    let room = make_room(config.connections, worker_count(config));
    let of = |most| Arc::new(Registry::new(most, Arc::clone(metrics)));
    (of(room.data), of(room.side))
}

async fn new_health() -> Health {
    let health = Health::new().await;
    for name in DATA_SERVICES {
        health.set(name, false).await;
    }
    health
}

fn decision_point(
    config: &Config,
    store: &Arc<Store>,
    metrics: &Arc<Metrics>,
    log: Option<&Arc<DecisionLog>>,
) -> io::Result<Pdp> {
    let pdp = Pdp::new(Arc::clone(store), Arc::clone(metrics))?;
    Ok(pdp.with_log(log.cloned()).with_stale(config.stale))
}

fn bind(config: &Config, runtime: &Runtime) -> Result<(Bound, Addresses), AppError> {
    let _within = runtime.enter();
    let mut addresses = Addresses::default();
    let mut data = Vec::new();
    if let Some(address) = config.listen {
        let (listener, address) = bind_address("listen.data", address)?;
        addresses.data = Some(address);
        data.push((listener, "data"));
    }
    if let Some(path) = &config.uds {
        data.push((bind_path("listen.uds", path, config)?, "uds"));
        addresses.uds = Some(path.clone());
    }
    let mut ops = None;
    if let Some(address) = config.ops_listen {
        let (listener, address) = bind_address("listen.ops", address)?;
        addresses.ops = Some(address);
        ops = Some(listener);
    }
    let mut admin = Vec::new();
    if let Some(address) = config.admin_listen {
        let (listener, address) = bind_address("listen.admin", address)?;
        addresses.admin = Some(address);
        admin.push(listener);
    }
    if let Some(path) = &config.admin_uds {
        admin.push(bind_path("listen.admin_uds", path, config)?);
        addresses.admin_uds = Some(path.clone());
    }
    Ok((Bound { data, ops, admin }, addresses))
}

fn bind_address(
    key: &'static str,
    address: std::net::SocketAddr,
) -> Result<(Listener, std::net::SocketAddr), AppError> {
    let refused = |error| AppError::Bind { key, address: address.to_string(), error };
    let listener = bind_tcp(address).map_err(refused)?;
    let address = listener.address().map_err(refused)?.unwrap_or(address);
    Ok((listener, address))
}

fn bind_path(key: &'static str, path: &Path, config: &Config) -> Result<Listener, AppError> {
    bind_unix(path, &config.socket_access).map_err(|error| AppError::Bind {
        key,
        address: path.display().to_string(),
        error,
    })
}

fn spawn_workers(
    config: &Config,
    pdp: Pdp,
    metrics: &Arc<Metrics>,
    health: &Health,
    guards: &Exits,
    drain: &Drain,
    tls: Option<Arc<Tls>>,
) -> Result<Workers, AppError> {
    let expensive = Expensive::spawn(Arc::clone(metrics), guards.guard("thread for expensive calls"))?;
    let pdp = Arc::new(pdp);
    let authorization = Authorization::new(Arc::clone(&pdp), expensive, drain.clone());
    let routes = data_routes(&authorization, health.service(Arc::clone(metrics)))?;
    let (routes, kind) = if config.authzen {
        let (url, names) = (config.authzen_url.clone(), config.authzen_names.clone());
        let settings = AuthzenSettings { patience: config.handshake, url, names };
        (with_authzen(routes, &authorization, settings), Kind::GrpcAndAuthzen)
    } else {
        (routes, Kind::Grpc)
    };
    let connected = Connected {
        routes,
        fast: Some(FastPath::new(pdp)),
        kind,
        limits: http_limits(config),
        tls,
        drain: drain.clone(),
    };
    Ok(Workers::spawn(worker_count(config), &connected, || guards.guard("data worker"))?)
}

fn worker_count(config: &Config) -> usize {
    if config.workers == 0 { default_worker_count() } else { config.workers }
}

fn spawn_keeper(
    config: &Config,
    source: std::path::PathBuf,
    store: &Arc<Store>,
    metrics: &Arc<Metrics>,
    builder: Builder,
    guards: &Exits,
) -> Result<KeeperHandle, AppError> {
    let options = KeeperOptions {
        max_bytes: u64::try_from(config.max_bytes).unwrap_or(u64::MAX),
        debounce: config.debounce,
        poll: config.poll,
        reread: config.reread,
        jitter: config.jitter,
        max_age: (!config.snapshot_max_age.is_zero()).then_some(config.snapshot_max_age),
        state: config.state_directory.clone(),
        ..KeeperOptions::new(source)
    };
    let metrics = Arc::clone(metrics);
    // Lives as long as the build thread.
    let guard = guards.guard("build thread");
    let exits = guards.clone();
    let fail_fast = config.fail_fast;
    let first = AtomicBool::new(true);
    let on_outcome = Box::new(move |outcome: &Outcome| {
        let _guard = &guard;
        tell_of(outcome, &metrics);
        if first.swap(false, Ordering::Relaxed)
            && fail_fast
            && let Outcome::Rejected(failure) = outcome
        {
            exits.tell(ExitReason::FailedFast(failure.rendered.clone()));
        }
    });
    Ok(Keeper::spawn(options, Arc::clone(store), builder, on_outcome)?)
}

fn http_limits(config: &Config) -> HttpLimits {
    HttpLimits {
        streams: u32::try_from(config.streams).unwrap_or(u32::MAX),
        header_list: u32::try_from(config.header_bytes).unwrap_or(u32::MAX),
        handshake: config.handshake,
        idle: config.idle,
        max_age: config.max_age,
        keepalive: config.keepalive,
        keepalive_timeout: config.keepalive_timeout,
    }
}
