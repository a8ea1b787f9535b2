//! Every key: its name, its variable, what it is for, and how its text is read and written.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use super::Config;
use crate::{
    observe::{
        decision_log::{Destination, Mode, PropertyName},
        log::Format,
    },
    service::{BaseUrl, Names, Stale},
};

/// One key of the configuration.
pub(super) struct Key {
    /// `section.key`.
    pub(super) name: &'static str,
    /// The environment variable that sets it.
    pub(super) variable: &'static str,
    /// One line for the file.
    pub(super) comment: &'static str,
    /// Where its value stands.
    pub(super) slot: fn(&mut Config) -> Slot<'_>,
}

/// A value by its type.
pub(super) enum Slot<'a> {
    Path(&'a mut Option<PathBuf>),
    Address(&'a mut Option<SocketAddr>),
    Flag(&'a mut bool),
    Count { value: &'a mut usize, least: usize, most: usize },
    Time { value: &'a mut Duration, zero: bool },
    FileMode(&'a mut u32),
    Name(&'a mut Option<String>),
    Text(&'a mut String),
    Format(&'a mut Format),
    Stale(&'a mut Stale),
    Mode(&'a mut Mode),
    Destination(&'a mut Destination),
    Properties(&'a mut Vec<PropertyName>),
    Url(&'a mut Option<BaseUrl>),
    Names(&'a mut Names),
}

const MEBIBYTE: usize = 1024 * 1024;
/// What is measured by 32 bits on the wire, and no message comes near.
const MOST_BYTES: usize = 1024 * MEBIBYTE;

macro_rules! keys {
    ($($name:literal $variable:literal $comment:literal $slot:expr;)*) => {
        &[$(Key { name: $name, variable: $variable, comment: $comment, slot: $slot }),*]
    };
}

/// Every key, in the order of the file.
pub(super) const KEYS: &[Key] = keys! {
    "snapshot.path" "SIDEGATE_SNAPSHOT" "The policy snapshot: a file or a directory; required"
        |config| Slot::Path(&mut config.snapshot);
    "snapshot.fail_fast" "SIDEGATE_FAIL_FAST" "End with 65 when the first load is refused, instead of waiting for better"
        |config| Slot::Flag(&mut config.fail_fast);
    "snapshot.max_bytes" "SIDEGATE_SNAPSHOT_MAX_BYTES" "The largest source, all files together"
        |config| Slot::Count { value: &mut config.max_bytes, least: 1, most: 64 * MOST_BYTES };
    "snapshot.debounce" "SIDEGATE_SNAPSHOT_DEBOUNCE" "How long a burst of file events is waited out"
        |config| Slot::Time { value: &mut config.debounce, zero: false };
    "snapshot.poll" "SIDEGATE_SNAPSHOT_POLL" "How often the source is looked at in case an event was missed"
        |config| Slot::Time { value: &mut config.poll, zero: false };
    "snapshot.reread" "SIDEGATE_SNAPSHOT_REREAD" "How often it is read again in case even that shows nothing"
        |config| Slot::Time { value: &mut config.reread, zero: false };
    "snapshot.jitter" "SIDEGATE_SNAPSHOT_JITTER" "The longest random wait before a changed source is read, for large fleets"
        |config| Slot::Time { value: &mut config.jitter, zero: true };
    "snapshot.max_age" "SIDEGATE_SNAPSHOT_MAX_AGE" "How old a snapshot may be whose publisher does not say; 0s for any age"
        |config| Slot::Time { value: &mut config.snapshot_max_age, zero: true };
    "snapshot.stale" "SIDEGATE_SNAPSHOT_STALE" "What becomes of questions when it is older: `mark` the answers, or `deny`"
        |config| Slot::Stale(&mut config.stale);
    "snapshot.state_directory" "SIDEGATE_STATE_DIRECTORY" "Keeps a copy of the newest good snapshot here, to start from when the source is bad"
        |config| Slot::Path(&mut config.state_directory);
    "listen.data" "SIDEGATE_LISTEN" "Address of the data listener: loopback, unless with `tls.client_ca` or `insecure`"
        |config| Slot::Address(&mut config.listen);
    "listen.uds" "SIDEGATE_UDS" "Unix socket of the data listener"
        |config| Slot::Path(&mut config.uds);
    "listen.uds_mode" "SIDEGATE_UDS_MODE" "Mode of the Unix sockets, data and admin"
        |config| Slot::FileMode(&mut config.socket_access.mode);
    "listen.uds_group" "SIDEGATE_UDS_GROUP" "Group of the Unix sockets, by name or number; the daemon's own if empty"
        |config| Slot::Name(&mut config.socket_access.group);
    "listen.ops" "SIDEGATE_OPS_LISTEN" "Address of the ops listener: health, /livez, /readyz, /metrics"
        |config| Slot::Address(&mut config.ops_listen);
    "listen.admin" "SIDEGATE_ADMIN_LISTEN" "Address of the admin listener, on loopback: SnapshotService, for whoever may connect"
        |config| Slot::Address(&mut config.admin_listen);
    "listen.admin_uds" "SIDEGATE_ADMIN_UDS" "Unix socket of the admin listener"
        |config| Slot::Path(&mut config.admin_uds);
    "listen.insecure" "SIDEGATE_INSECURE_LISTEN" "Let other machines reach the data and admin listeners, without TLS or authentication"
        |config| Slot::Flag(&mut config.insecure_listen);
    "tls.certificate" "SIDEGATE_TLS_CERTIFICATE" "Certificate chain of `listen.data` (PEM); read again when it changes"
        |config| Slot::Path(&mut config.tls.certificate);
    "tls.key" "SIDEGATE_TLS_KEY" "Its key (PEM)"
        |config| Slot::Path(&mut config.tls.key);
    "tls.client_ca" "SIDEGATE_TLS_CLIENT_CA" "Demand a client certificate that one of these has signed (PEM)"
        |config| Slot::Path(&mut config.tls.client_ca);
    "authzen.enabled" "SIDEGATE_AUTHZEN" "Answer AuthZEN 1.0 on the data listener too, over HTTP/1.1 and HTTP/2"
        |config| Slot::Flag(&mut config.authzen);
    "authzen.url" "SIDEGATE_AUTHZEN_URL" "Where its callers reach the daemon, as `https://pdp.example.org`; empty for no metadata"
        |config| Slot::Url(&mut config.authzen_url);
    "authzen.names" "SIDEGATE_AUTHZEN_NAMES" "What its callers call otherwise, as `resource.type:user=profile, action.name:GET=get`"
        |config| Slot::Names(&mut config.authzen_names);
    "limits.connections" "SIDEGATE_LIMITS_CONNECTIONS" "Open data connections at once; fewer where descriptors are few"
        |config| Slot::Count { value: &mut config.connections, least: 1, most: 1_000_000 };
    "limits.streams" "SIDEGATE_LIMITS_STREAMS" "Calls in flight of one connection"
        |config| Slot::Count { value: &mut config.streams, least: 1, most: 10_000 };
    "limits.header_bytes" "SIDEGATE_LIMITS_HEADER_BYTES" "Headers of one call"
        |config| Slot::Count { value: &mut config.header_bytes, least: 1024, most: MEBIBYTE };
    "limits.message_bytes" "SIDEGATE_LIMITS_MESSAGE_BYTES" "One question"
        |config| Slot::Count { value: &mut config.message_bytes, least: 1024, most: MOST_BYTES };
    "limits.batch_bytes" "SIDEGATE_LIMITS_BATCH_BYTES" "One batch"
        |config| Slot::Count { value: &mut config.batch_bytes, least: 1024, most: MOST_BYTES };
    "limits.batch_items" "SIDEGATE_LIMITS_BATCH_ITEMS" "Items of one batch"
        |config| Slot::Count { value: &mut config.batch_items, least: 1, most: 1_000_000 };
    "limits.expensive_calls" "SIDEGATE_LIMITS_EXPENSIVE_CALLS" "Lists, explanations and large batches in flight"
        |config| Slot::Count { value: &mut config.expensive_calls, least: 1, most: 10_000 };
    "limits.waiters" "SIDEGATE_LIMITS_WAITERS" "Calls that wait for a snapshot that they demand by `consistency`"
        |config| Slot::Count { value: &mut config.waiters, least: 1, most: 1_000_000 };
    "limits.handshake" "SIDEGATE_LIMITS_HANDSHAKE" "Within what time a new client must have sent a complete request"
        |config| Slot::Time { value: &mut config.handshake, zero: false };
    "limits.idle" "SIDEGATE_LIMITS_IDLE" "After how long without a call a client is told to go; `0s` for never"
        |config| Slot::Time { value: &mut config.idle, zero: true };
    "limits.max_age" "SIDEGATE_LIMITS_MAX_AGE" "After how long it is told to go in any case, a tenth more or less; `0s` for never"
        |config| Slot::Time { value: &mut config.max_age, zero: true };
    "limits.keepalive" "SIDEGATE_LIMITS_KEEPALIVE" "How often a client is asked whether it is there"
        |config| Slot::Time { value: &mut config.keepalive, zero: false };
    "limits.keepalive_timeout" "SIDEGATE_LIMITS_KEEPALIVE_TIMEOUT" "How long it may take to answer that"
        |config| Slot::Time { value: &mut config.keepalive_timeout, zero: false };
    "threads.workers" "SIDEGATE_THREADS_WORKERS" "Data worker threads; 0 for one a core, at most 4"
        |config| Slot::Count { value: &mut config.workers, least: 0, most: 256 };
    "shutdown.drain" "SIDEGATE_DRAIN" "How long calls in flight may take to end after SIGTERM"
        |config| Slot::Time { value: &mut config.drain, zero: true };
    "log.format" "SIDEGATE_LOG_FORMAT" "`text` or `json`"
        |config| Slot::Format(&mut config.log_format);
    "log.filter" "SIDEGATE_LOG" "Which lines: `info`, or `warn,sidegate=debug`"
        |config| Slot::Text(&mut config.log_filter);
    "otlp.endpoint" "SIDEGATE_OTLP_ENDPOINT" "A collector for spans of sampled traces, as `http://127.0.0.1:4317`; needs the feature `otlp`"
        |config| Slot::Text(&mut config.otlp_endpoint);
    "decision_log.mode" "SIDEGATE_DECISION_LOG" "Which decisions are logged: `off`, `denials`, `all` or `sampled`"
        |config| Slot::Mode(&mut config.decision_log.mode);
    "decision_log.to" "SIDEGATE_DECISION_LOG_TO" "Where to: `stdout`, `file:PATH` or `unix:PATH`"
        |config| Slot::Destination(&mut config.decision_log.destination);
    "decision_log.one_in" "SIDEGATE_DECISION_LOG_ONE_IN" "With `sampled`: one decision in so many"
        |config| Slot::Count { value: &mut config.decision_log.one_in, least: 1, most: 1_000_000_000 };
    "decision_log.properties" "SIDEGATE_DECISION_LOG_PROPERTIES" "Whose values are written, as `context.mfa, resource.state`; never of `sensitive` ones"
        |config| Slot::Properties(&mut config.decision_log.properties);
    "decision_log.queue" "SIDEGATE_DECISION_LOG_QUEUE" "Decisions that may wait; what comes on top is dropped and counted"
        |config| Slot::Count { value: &mut config.decision_log.queue, least: 64, most: 100_000 };
};

impl Slot<'_> {
    /// Reads the text of a variable or a flag; says what it must be where it is not.
    pub(super) fn set(self, text: &str) -> Result<(), String> {
        match self {
            Self::Path(value) => *value = (!text.is_empty()).then(|| PathBuf::from(text)),
            Self::Address(value) if text.is_empty() => *value = None,
            Self::Address(value) => {
                let address = text.parse();
                *value = Some(address.map_err(|_| "must be an address such as `127.0.0.1:8650`".to_owned())?);
            }
            Self::Flag(value) => *value = text.parse().map_err(|_| "must be `true` or `false`".to_owned())?,
            Self::Count { value, least, most } => {
                let count = text.parse().ok().filter(|count| (least..=most).contains(count));
                *value = count.ok_or_else(|| format!("must be a number from {least} to {most}"))?;
            }
            Self::Time { value, zero } => {
                let time = parse_time(text).filter(|time| zero || !time.is_zero());
                *value = time.ok_or_else(|| "must be a time such as `30ms` or `25s`".to_owned())?;
            }
            Self::FileMode(value) => {
                let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
                *value = mode.ok_or_else(|| "must be a mode such as `0660`".to_owned())?;
            }
            Self::Name(value) => *value = (!text.is_empty()).then(|| text.to_owned()),
            Self::Text(value) => text.clone_into(value),
            Self::Format(value) => {
                *value = match text {
                    "text" => Format::Text,
                    "json" => Format::Json,
                    _ => return Err("must be `text` or `json`".to_owned()),
                }
            }
            Self::Stale(value) => {
                let stale = Stale::ALL.into_iter().find(|stale| stale.name() == text);
                *value = stale.ok_or_else(|| "must be `mark` or `deny`".to_owned())?;
            }
            Self::Mode(value) => {
                let mode = Mode::ALL.into_iter().find(|mode| mode.name() == text);
                *value = mode.ok_or_else(|| "must be `off`, `denials`, `all` or `sampled`".to_owned())?;
            }
            Self::Destination(value) => {
                let to = Destination::parse(text);
                *value = to.ok_or_else(|| "must be `stdout`, `file:PATH` or `unix:PATH`".to_owned())?;
            }
            Self::Url(value) if text.is_empty() => *value = None,
            Self::Url(value) => *value = Some(BaseUrl::parse(text).map_err(|error| error.to_string())?),
            Self::Names(value) => *value = Names::parse(text).map_err(|error| error.to_string())?,
            Self::Properties(value) => {
                let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
                let names: Option<_> = names.map(PropertyName::parse).collect();
                *value = names.ok_or_else(|| {
                    "must be names such as `context.mfa, resource.state`, of subject, action, resource or context"
                        .to_owned()
                })?;
            }
        }
        Ok(())
    }

    /// Writes the value as TOML.
    pub(super) fn to_toml(&self) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        match self {
            Self::Path(path) => quoted(&path.as_deref().map(|path| path.display().to_string()).unwrap_or_default()),
            Self::Address(address) => quoted(&address.map(|address| address.to_string()).unwrap_or_default()),
            Self::Flag(flag) => flag.to_string(),
            Self::Count { value, .. } => value.to_string(),
            Self::Time { value, .. } if value.subsec_millis() == 0 => quoted(&format!("{}s", value.as_secs())),
            Self::Time { value, .. } => quoted(&format!("{}ms", value.as_millis())),
            Self::FileMode(mode) => quoted(&format!("{mode:04o}")),
            Self::Name(name) => quoted(name.as_deref().unwrap_or_default()),
            Self::Text(text) => quoted(text),
            Self::Format(Format::Text) => quoted("text"),
            Self::Format(Format::Json) => quoted("json"),
            Self::Stale(stale) => quoted(stale.name()),
            Self::Mode(mode) => quoted(mode.name()),
            Self::Destination(to) => quoted(&to.to_string()),
            Self::Url(url) => quoted(&url.as_ref().map(ToString::to_string).unwrap_or_default()),
            Self::Names(names) => quoted(&names.to_string()),
            Self::Properties(names) => quoted(&names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        }
    }

    /// The type that a file must give it.
    pub(super) fn toml_type(&self) -> &'static str {
        match self {
            Self::Flag(_) => "boolean",
            Self::Count { .. } => "integer",
            Self::Path(_)
            | Self::Address(_)
            | Self::Time { .. }
            | Self::FileMode(_)
            | Self::Name(_)
            | Self::Text(_)
            | Self::Format(_)
            | Self::Stale(_)
            | Self::Mode(_)
            | Self::Destination(_)
            | Self::Properties(_)
            | Self::Url(_)
            | Self::Names(_) => "string",
        }
    }
}

/// `30ms`, `25s` or `5m`, up to a day.
fn parse_time(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit())?);
    let count: u64 = digits.parse().ok()?;
    let time = match unit {
        "ms" => Duration::from_millis(count),
        "s" => Duration::from_secs(count),
        "m" => Duration::from_secs(count.checked_mul(60)?),
        _ => return None,
    };
    (time <= Duration::from_secs(86_400)).then_some(time)
}
