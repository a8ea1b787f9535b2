//! The configuration: defaults, then a TOML file, then `SIDEGATE_*` variables, then flags. The only module that reads
//! the environment. It checks everything and reports all mistakes at once.

mod callers;
mod change;
mod keys;
mod loaded;

use std::{fmt, net::SocketAddr, path::Path, path::PathBuf, sync::Arc, time::Duration};

use crate::{
    observe::{decision_log, log, spans},
    service::{Access, BaseUrl, CallerRule, HttpLimits, Names, Settings, Stale, TlsFiles},
    snapshot::MAX_SOURCE_BYTES,
};
use keys::{KEYS, Key};
pub use loaded::{Loaded, Origin, supervisor};

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The snapshot's file or directory.
    pub snapshot: Option<PathBuf>,
    /// Whether to end with 65 when the first load is refused.
    pub fail_fast: bool,
    /// The largest source in bytes.
    pub max_bytes: usize,
    /// How long a burst of file events is waited out.
    pub debounce: Duration,
    /// How often the source is looked at in case an event was missed.
    pub poll: Duration,
    /// How often it is read again in case even that shows nothing.
    pub reread: Duration,
    /// The longest random wait before a changed source is read.
    pub jitter: Duration,
    /// How long a snapshot may be relied on whose publisher does not say; zero for as long as it is live.
    pub snapshot_max_age: Duration,
    /// What becomes of questions when the snapshot is older than it may be.
    pub stale: Stale,
    /// Where a copy of the newest good snapshot is kept.
    pub state_directory: Option<PathBuf>,
    /// The data listener.
    pub listen: Option<SocketAddr>,
    /// The data listener's Unix socket.
    pub uds: Option<PathBuf>,
    /// Who may connect to the Unix sockets.
    pub socket_access: Access,
    /// The ops listener.
    pub ops_listen: Option<SocketAddr>,
    /// The admin listener.
    pub admin_listen: Option<SocketAddr>,
    /// The admin listener's Unix socket.
    pub admin_uds: Option<PathBuf>,
    /// Whether the data listener may be reached from other machines.
    pub insecure_listen: bool,
    /// What the data listener's address speaks TLS with.
    pub tls: TlsFiles,
    /// Whether the data listener answers `AuthZEN` too.
    pub authzen: bool,
    /// Where `AuthZEN`'s callers find the daemon.
    pub authzen_url: Option<BaseUrl>,
    /// What they call by other names than the policy.
    pub authzen_names: Names,
    /// Open connections at once.
    pub connections: usize,
    /// Calls in flight of one connection.
    pub streams: usize,
    /// Bytes of headers of one call.
    pub header_bytes: usize,
    /// Bytes of one message.
    pub message_bytes: usize,
    /// Bytes of a batch.
    pub batch_bytes: usize,
    /// Items of a batch.
    pub batch_items: usize,
    /// Expensive calls in flight.
    pub expensive_calls: usize,
    /// Calls that wait for a snapshot.
    pub waiters: usize,
    /// Within what time a new client must have sent a complete request.
    pub handshake: Duration,
    /// After how long without a call a client is told to go.
    pub idle: Duration,
    /// After how long it is told to go in any case.
    pub max_age: Duration,
    /// How often an idle client is asked whether it is there.
    pub keepalive: Duration,
    /// How long it may take to answer.
    pub keepalive_timeout: Duration,
    /// Data worker threads; 0 lets the machine decide.
    pub workers: usize,
    /// How long a drain may take.
    pub drain: Duration,
    /// How log lines look.
    pub log_format: log::Format,
    /// Which log lines there are.
    pub log_filter: String,
    /// Where spans go; empty for nowhere.
    pub otlp_endpoint: String,
    /// Which decisions are logged, and where.
    pub decision_log: decision_log::Settings,
    /// Who may ask what; the first rule that covers a caller counts.
    pub callers: Vec<CallerRule>,
}

impl Default for Config {
    fn default() -> Self {
        let HttpLimits { handshake, idle, max_age, keepalive, keepalive_timeout, .. } = HttpLimits::default();
        Self {
            snapshot: None,
            fail_fast: false,
            max_bytes: usize::try_from(MAX_SOURCE_BYTES).unwrap_or(usize::MAX),
            debounce: Duration::from_millis(30),
            poll: Duration::from_secs(2),
            reread: Duration::from_secs(60),
            jitter: Duration::ZERO,
            snapshot_max_age: Duration::ZERO,
            stale: Stale::Mark,
            state_directory: None,
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 8650))),
            uds: None,
            socket_access: Access::default(),
            ops_listen: Some(SocketAddr::from(([127, 0, 0, 1], 8651))),
            admin_listen: None,
            admin_uds: None,
            insecure_listen: false,
            tls: TlsFiles::default(),
            authzen: true,
            authzen_url: None,
            authzen_names: Names::default(),
            connections: 1024,
            streams: 128,
            header_bytes: 16 * 1024,
            message_bytes: 256 * 1024,
            batch_bytes: 4 * 1024 * 1024,
            batch_items: 1000,
            expensive_calls: 16,
            waiters: 1024,
            handshake,
            idle,
            max_age,
            keepalive,
            keepalive_timeout,
            workers: 0,
            drain: Duration::from_secs(25),
            log_format: log::Format::Text,
            log_filter: "info".to_owned(),
            otlp_endpoint: String::new(),
            decision_log: decision_log::Settings {
                mode: decision_log::Mode::Off,
                destination: decision_log::Destination::Stdout,
                one_in: 100,
                properties: Vec::new(),
                queue: 4096,
            },
            callers: Vec::new(),
        }
    }
}

/// What flags set; each goes before the environment and the file. Texts are parsed as in the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--snapshot`.
    pub snapshot: Option<String>,
    /// `--listen`; empty for none.
    pub listen: Option<String>,
    /// `--uds`.
    pub uds: Option<String>,
    /// `--ops-listen`; empty for none.
    pub ops_listen: Option<String>,
    /// `--admin-uds`.
    pub admin_uds: Option<String>,
    /// `--fail-fast`.
    pub fail_fast: bool,
    /// `--insecure-listen`.
    pub insecure_listen: bool,
    /// `--log-format`.
    pub log_format: Option<String>,
    /// `--log`.
    pub log_filter: Option<String>,
}

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// One mistake each, with where it was made.
    pub mistakes: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.mistakes.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// The configuration of this process: file, environment, flags.
    ///
    /// # Errors
    /// Every mistake in any of them.
    pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Self, ConfigError> {
        let origin = Origin { file: file.map(Path::to_owned), overrides: overrides.clone() };
        origin.load().map(|loaded| loaded.config)
    }

    /// The same from an environment that is given.
    ///
    /// # Errors
    /// Every mistake in any part.
    pub fn from_parts(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        overrides: &Overrides,
    ) -> Result<Self, ConfigError> {
        Loaded::from_parts(file, environment, overrides).map(|loaded| loaded.config)
    }

    /// Every key with its value and a comment, as a file that means this configuration.
    pub fn to_toml(&self) -> String {
        let head = "# Every key of sidegate with its default. A variable goes before this file, a flag before both.\n\
                    # An empty text means none. Unknown keys are errors.\n";
        let keys = self.write_keys(|Key { comment, variable, .. }, name, value| {
            format!("# {comment} ({variable})\n{name} = {value}")
        });
        format!("{head}{keys}{}\n", callers::to_toml(&self.callers))
    }

    /// Every key in its section, as `line` writes it.
    fn write_keys(&self, line: impl Fn(&Key, &str, &str) -> String) -> String {
        let mut lines = Vec::new();
        let mut section = "";
        let mut config = self.clone();
        for key in KEYS {
            let (its_section, its_name) = key.name.split_once('.').unwrap_or(("", key.name));
            if its_section != section {
                section = its_section;
                lines.push(format!("\n[{section}]"));
            }
            let value = (key.slot)(&mut config).to_toml();
            lines.push(line(key, its_name, &value));
        }
        lines.join("\n") + "\n"
    }

    /// What may change while the daemon runs.
    pub fn settings(&self) -> Settings {
        Settings {
            generation: 0,
            callers: self.callers.iter().cloned().map(Arc::new).collect(),
            open_to_strangers: self.insecure_listen,
            message_bytes: self.message_bytes,
            batch_bytes: self.batch_bytes,
            batch_items: self.batch_items,
            expensive_calls: self.expensive_calls,
            waiters: self.waiters,
        }
    }

    /// The addresses where other machines can ask without TLS or without having shown who they are, each with its key.
    /// The admin listener knows no callers.
    pub fn exposed(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let data = self.listen.filter(|_| !self.tls.authenticates());
        let both =
            [data.map(|address| ("listen.data", address)), self.admin_listen.map(|address| ("listen.admin", address))];
        both.into_iter().flatten().filter(|(_, address)| !address.ip().is_loopback())
    }

    fn check(&self, mistakes: &mut Vec<String>) {
        if self.snapshot.is_none() {
            mistakes.push("`snapshot.path` is not set; give `--snapshot PATH`".to_owned());
        }
        if self.listen.is_none() && self.uds.is_none() {
            mistakes.push("neither `listen.data` nor `listen.uds` is set; nobody could ask".to_owned());
        }
        for (key, address) in self.exposed().filter(|_| !self.insecure_listen) {
            let certificates =
                if key == "listen.data" { "demand client certificates with `tls.client_ca`, " } else { "" };
            mistakes.push(format!(
                "`{key}` is `{address}`, which other machines can reach without TLS or authentication; listen on \
                 127.0.0.1 or a Unix socket, {certificates}or set `listen.insecure`"
            ));
        }
        let elsewhere = self.listen.filter(|address| !address.ip().is_loopback());
        if let Some(address) = elsewhere.filter(|_| self.callers.is_empty() && !self.insecure_listen) {
            mistakes.push(format!("`listen.data` is `{address}`, and no `[[callers]]` says who may ask there"));
        }
        let TlsFiles { certificate, key, client_ca } = &self.tls;
        if certificate.is_some() != key.is_some() {
            mistakes.push("`tls.certificate` and `tls.key` go together; one of them is not set".to_owned());
        }
        if client_ca.is_some() && certificate.is_none() {
            mistakes.push("`tls.client_ca` needs `tls.certificate` and `tls.key`".to_owned());
        }
        if !self.snapshot_max_age.is_zero() && self.snapshot_max_age <= self.poll {
            mistakes.push(
                "`snapshot.max_age` must be longer than `snapshot.poll`, which is how often it is begun anew"
                    .to_owned(),
            );
        }
        if let Err(error) = spans::Spans::check(&self.otlp_endpoint) {
            mistakes.push(error.to_string());
        }
        if let Err(error) = log::check_filter(&self.log_filter) {
            mistakes.push(format!("`log.filter`: {error}"));
        }
    }
}

impl Overrides {
    /// The keys that are set, with the flags that set them.
    fn set(&self) -> Vec<(&'static str, &'static str, &str)> {
        let Self { snapshot, listen, uds, ops_listen, admin_uds, fail_fast, insecure_listen, log_format, log_filter } =
            self;
        let flag = |set: &bool| set.then_some("true");
        [
            ("snapshot.path", "--snapshot", snapshot.as_deref()),
            ("snapshot.fail_fast", "--fail-fast", flag(fail_fast)),
            ("listen.data", "--listen", listen.as_deref()),
            ("listen.uds", "--uds", uds.as_deref()),
            ("listen.ops", "--ops-listen", ops_listen.as_deref()),
            ("listen.admin_uds", "--admin-uds", admin_uds.as_deref()),
            ("listen.insecure", "--insecure-listen", flag(insecure_listen)),
            ("log.format", "--log-format", log_format.as_deref()),
            ("log.filter", "--log", log_filter.as_deref()),
        ]
        .into_iter()
        .filter_map(|(key, flag, value)| Some((key, flag, value?)))
        .collect()
    }
}

#[cfg(test)]
mod tests;
