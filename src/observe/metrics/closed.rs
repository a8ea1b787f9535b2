//! Why a connection ended, as a label of few values.

use prometheus_client::encoding::EncodeLabelSet;

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Closed {
    /// The client has closed it, or left.
    Client,
    /// It broke, or the client broke the protocol.
    Error,
    /// The client did what only an attack does: resets, empty frames or headers without end.
    Flood,
    /// The TLS handshake failed.
    Tls,
    /// No first complete request came in time.
    NoRequest,
    /// The client did not answer when asked whether it is there.
    Keepalive,
    /// It did not send, or did not take, the whole of something large in time.
    Slow,
    /// No call for long.
    Idle,
    /// It was open for long.
    Age,
    /// The daemon drains.
    Drain,
    /// It was still open when the daemon ended.
    Cut,
}

impl Closed {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Error => "error",
            Self::Flood => "flood",
            Self::Tls => "tls",
            Self::NoRequest => "no_request",
            Self::Keepalive => "keepalive",
            Self::Slow => "slow",
            Self::Idle => "idle",
            Self::Age => "age",
            Self::Drain => "drain",
            Self::Cut => "cut",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ClosedLabels {
    pub(super) listener: &'static str,
    pub(super) why: &'static str,
}
