//! Who is at the other end of a connection, as far as something other than itself vouches for it.
//!
//! Not what the peer may do: that is for the rules about callers.

use std::{fmt, net::SocketAddr};

/// The other end of a connection, as the system names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// TCP. An address proves nothing: every container of a pod shares its loopback.
    Address(SocketAddr),
    /// A Unix socket. The kernel vouches for user and group as of the connect; the process id is for logs alone, since
    /// it may have been given to another process since.
    Unix {
        /// The user.
        uid: u32,
        /// The user's main group.
        gid: u32,
        /// The process, where the system tells.
        pid: Option<i32>,
    },
    /// Something that the system tells nothing of: it can be nobody's identity.
    Unknown,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Unix { uid, gid, pid: Some(pid) } => write!(f, "uid {uid} gid {gid} pid {pid}"),
            Self::Unix { uid, gid, pid: None } => write!(f, "uid {uid} gid {gid}"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// What a verified client certificate says of its holder: its subject alternative names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificate {
    /// URIs, as `spiffe://example.org/ns/prod/sa/bots`.
    pub uris: Vec<String>,
    /// DNS names.
    pub dns: Vec<String>,
}
