//! The configuration: defaults, then a TOML file, then `SIDEGATE_*` variables, then flags. The only module that reads
//! the environment. It checks everything and reports all mistakes at once.

mod keys;

use std::{collections::BTreeMap, fmt, fs, net::SocketAddr, path::Path, path::PathBuf, time::Duration};

use toml::de::{DeTable, DeValue};

use crate::{
    observe::{decision_log, log},
    service::{HttpLimits, Stale},
    snapshot::MAX_SOURCE_BYTES,
};
use keys::{KEYS, Key};

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
    pub max_age: Duration,
    /// What becomes of questions when the snapshot is older than it may be.
    pub stale: Stale,
    /// Where a copy of the newest good snapshot is kept.
    pub state_directory: Option<PathBuf>,
    /// The data listener.
    pub listen: Option<SocketAddr>,
    /// The data listener's Unix socket.
    pub uds: Option<PathBuf>,
    /// The ops listener.
    pub ops_listen: Option<SocketAddr>,
    /// The admin listener.
    pub admin_uds: Option<PathBuf>,
    /// Whether the data listener may be reached from other machines.
    pub insecure_listen: bool,
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
    /// How long a new client may stay silent.
    pub handshake: Duration,
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
    /// Which decisions are logged, and where.
    pub decision_log: decision_log::Settings,
}

impl Default for Config {
    fn default() -> Self {
        let HttpLimits { handshake, keepalive, keepalive_timeout, .. } = HttpLimits::default();
        Self {
            snapshot: None,
            fail_fast: false,
            max_bytes: usize::try_from(MAX_SOURCE_BYTES).unwrap_or(usize::MAX),
            debounce: Duration::from_millis(30),
            poll: Duration::from_secs(2),
            reread: Duration::from_secs(60),
            jitter: Duration::ZERO,
            max_age: Duration::ZERO,
            stale: Stale::Mark,
            state_directory: None,
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 8650))),
            uds: None,
            ops_listen: Some(SocketAddr::from(([127, 0, 0, 1], 8651))),
            admin_uds: None,
            insecure_listen: false,
            connections: 1024,
            streams: 128,
            header_bytes: 16 * 1024,
            message_bytes: 256 * 1024,
            batch_bytes: 4 * 1024 * 1024,
            batch_items: 1000,
            expensive_calls: 16,
            handshake,
            keepalive,
            keepalive_timeout,
            workers: 0,
            drain: Duration::from_secs(25),
            log_format: log::Format::Text,
            log_filter: "info".to_owned(),
            decision_log: decision_log::Settings {
                mode: decision_log::Mode::Off,
                destination: decision_log::Destination::Stdout,
                one_in: 100,
                properties: Vec::new(),
                queue: 4096,
            },
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
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            Some((name, value.to_string_lossy().into_owned()))
        });
        Self::from_parts(file, environment, overrides)
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
        let mut config = Self::default();
        let mut mistakes = Vec::new();
        if let Some(file) = file {
            match fs::read_to_string(file) {
                Ok(text) => config.read_file(file, &text, &mut mistakes),
                Err(error) => mistakes.push(format!("cannot read `{}`: {error}", file.display())),
            }
        }
        // Variables that are no keys are left alone: Kubernetes sets SIDEGATE_PORT and its like for a service that is
        // called sidegate.
        let environment: BTreeMap<String, String> = environment.into_iter().collect();
        for key in KEYS {
            if let Some(value) = environment.get(key.variable) {
                config.set(key, value, key.variable, &mut mistakes);
            }
        }
        for (name, flag, value) in overrides.set() {
            if let Some(key) = KEYS.iter().find(|key| key.name == name) {
                config.set(key, value, flag, &mut mistakes);
            }
        }
        config.check(&mut mistakes);
        if mistakes.is_empty() { Ok(config) } else { Err(ConfigError { mistakes }) }
    }

    /// Every key with its value and a comment, as a file that means this configuration.
    pub fn to_toml(&self) -> String {
        let mut lines = vec![
            "# Every key of sidegate with its default. A variable goes before this file, a flag before both."
                .to_owned(),
            "# An empty text means none. Unknown keys are errors.".to_owned(),
        ];
        let mut section = "";
        let mut config = self.clone();
        for Key { name, comment, variable, slot } in KEYS {
            let (its_section, its_name) = name.split_once('.').unwrap_or(("", name));
            if its_section != section {
                section = its_section;
                lines.push(format!("\n[{section}]"));
            }
            let value = slot(&mut config).to_toml();
            lines.push(format!("# {comment} ({variable})\n{its_name} = {value}"));
        }
        lines.join("\n") + "\n"
    }

    fn read_file(&mut self, file: &Path, text: &str, mistakes: &mut Vec<String>) {
        let name = file.display();
        let line = |offset: usize| text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let at = error.span().map_or(1, |span| line(span.start));
            mistakes.push(format!("{name}:{at}: {}", error.message()));
        }
        for (section, entries) in table.get_ref() {
            let at = line(section.span().start);
            let Some(entries) = entries.get_ref().as_table() else {
                mistakes.push(format!("{name}:{at}: unknown key `{}`; keys stand in sections", section.get_ref()));
                continue;
            };
            for (key, value) in entries {
                let path = format!("{}.{}", section.get_ref(), key.get_ref());
                let at = format!("{name}:{}", line(key.span().start));
                match KEYS.iter().find(|key| key.name == path) {
                    Some(key) => match toml_text(key, value.get_ref(), &mut Self::default()) {
                        Ok(text) => self.set(key, &text, &at, mistakes),
                        Err(problem) => mistakes.push(format!("{at}: `{path}` {problem}")),
                    },
                    None => mistakes.push(format!("{at}: unknown key `{path}`; {}", nearest(&path))),
                }
            }
        }
    }

    fn set(&mut self, key: &Key, text: &str, origin: &str, mistakes: &mut Vec<String>) {
        if let Err(problem) = (key.slot)(self).set(text) {
            mistakes.push(format!("{origin}: `{}` {problem}, not `{text}`", key.name));
        }
    }

    fn check(&self, mistakes: &mut Vec<String>) {
        if self.snapshot.is_none() {
            mistakes.push("`snapshot.path` is not set; give `--snapshot PATH`".to_owned());
        }
        if self.listen.is_none() && self.uds.is_none() {
            mistakes.push("neither `listen.data` nor `listen.uds` is set; nobody could ask".to_owned());
        }
        if let Some(address) = self.listen
            && !address.ip().is_loopback()
            && !self.insecure_listen
        {
            mistakes.push(format!(
                "`listen.data` is `{address}`, which other machines can reach without TLS or authentication; listen on \
                 127.0.0.1 or a Unix socket, or set `listen.insecure`"
            ));
        }
        if !self.max_age.is_zero() && self.max_age <= self.poll {
            mistakes.push(
                "`snapshot.max_age` must be longer than `snapshot.poll`, which is how often it is begun anew"
                    .to_owned(),
            );
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

/// A TOML value as the text that a variable would hold, if it is of the key's type.
fn toml_text(key: &Key, value: &DeValue<'_>, scratch: &mut Config) -> Result<String, String> {
    let wanted = (key.slot)(scratch).toml_type();
    match value {
        DeValue::String(text) if wanted == "string" => Ok(text.clone().into_owned()),
        DeValue::Boolean(flag) if wanted == "boolean" => Ok(flag.to_string()),
        DeValue::Integer(number) if wanted == "integer" => {
            let number = i64::from_str_radix(number.as_str(), number.radix()).map_err(|error| error.to_string())?;
            Ok(number.to_string())
        }
        DeValue::String(_)
        | DeValue::Boolean(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => Err(format!("must be a TOML {wanted}, not {}", value.type_str())),
    }
}

/// Helps who mistyped.
fn nearest(path: &str) -> String {
    let last = path.rsplit('.').next().unwrap_or(path);
    match KEYS.iter().find(|key| key.name.ends_with(&format!(".{last}"))) {
        Some(key) => format!("did you mean `{}`?", key.name),
        None => "`sidegate.toml` as shipped lists every key".to_owned(),
    }
}

#[cfg(test)]
mod tests;
