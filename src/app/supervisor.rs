//! Tells who supervises the process, as systemd with `Type=notify`, when it serves and when it ends. Whether anybody
//! listens changes nothing else.

use std::{
    ffi::OsStr,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
};

use crate::config;

/// Who supervises the process, if anybody does.
#[derive(Debug, Clone, Default)]
pub(super) struct Supervisor(Option<SocketAddr>);

impl Supervisor {
    /// The one that the environment names.
    pub(super) fn of_environment() -> Self {
        let Some(named) = config::supervisor() else { return Self(None) };
        let address = address(&named).inspect_err(warn);
        Self(address.ok())
    }

    /// A snapshot is live, and questions are answered.
    pub(super) fn serving(&self) {
        self.tell("READY=1\n");
    }

    /// The end has begun.
    pub(super) fn ending(&self) {
        self.tell("STOPPING=1\n");
    }

    fn tell(&self, state: &str) {
        let Some(address) = &self.0 else { return };
        let told = UnixDatagram::unbound().and_then(|socket| {
            socket.set_nonblocking(true)?;
            socket.send_to_addr(state.as_bytes(), address)
        });
        if let Err(error) = told {
            warn(&error);
        }
    }
}

/// A path, or behind an `@` a name that no file has.
fn address(named: &OsStr) -> io::Result<SocketAddr> {
    match named.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        [b'/', ..] => SocketAddr::from_pathname(named),
        _ => Err(io::Error::other("it must begin with `/` or `@`")),
    }
}

fn warn(error: &io::Error) {
    tracing::warn!(%error, "the supervisor that NOTIFY_SOCKET names cannot be told");
}
