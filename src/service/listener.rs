//! One accept loop for TCP and Unix sockets. It never ends for an error and never spins on one.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::net::{TcpListener, TcpSocket, UnixListener};

use super::{
    peer::Peer,
    registry::{Registered, Registry},
    socket::SocketFile,
    stream::Drain,
};

/// How many connections the kernel keeps waiting: a burst of pods that start together must not be refused.
const BACKLOG: u32 = 1024;
/// The first and the longest pause after an accept that failed for want of something: five attempts a second cost
/// nothing, and what was missing is used soon after it has come back.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// An accepted connection that belongs to no thread's event loop yet.
#[derive(Debug)]
pub enum Stream {
    /// TCP, without delay.
    Tcp(std::net::TcpStream),
    /// A Unix socket.
    Unix(std::os::unix::net::UnixStream),
}

/// Something that yields connections: a socket, or a test.
pub trait Accept {
    /// Waits for a connection; also names the other end.
    fn accept(&self) -> impl Future<Output = io::Result<(Stream, Peer)>> + Send;
}

/// A bound socket.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket, whose file goes with it.
    Unix(UnixListener, SocketFile),
}

impl Listener {
    /// The bound address, where it is one of TCP.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn address(&self) -> io::Result<Option<SocketAddr>> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Some),
            Self::Unix(..) => Ok(None),
        }
    }
}

impl Accept for Listener {
    async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Small answers would otherwise wait for the peer's acknowledgement of the ones before. What fails
                // here is this connection alone.
                stream.set_nodelay(true).map_err(|_| io::ErrorKind::ConnectionAborted)?;
                Ok((Stream::Tcp(stream.into_std()?), Peer::Address(peer)))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                let peer = match stream.peer_cred() {
                    Ok(peer) => Peer::Unix { uid: peer.uid(), gid: peer.gid(), pid: peer.pid() },
                    Err(_) => Peer::Unknown,
                };
                Ok((Stream::Unix(stream.into_std()?), peer))
            }
        }
    }
}

/// Binds a TCP address. To be called within a runtime, which will own the socket.
///
/// # Errors
/// The address is taken or not ours.
pub fn bind_tcp(address: SocketAddr) -> io::Result<Listener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(Listener::Tcp(socket.listen(BACKLOG)?))
}

/// Accepts until the drain begins and hands each connection that has a place to `serve`.
pub async fn accept_loop(
    listener: impl Accept,
    name: &'static str,
    registry: Arc<Registry>,
    mut drain: Drain,
    mut serve: impl FnMut(Stream, Registered),
) {
    let mut pause = SHORTEST_PAUSE;
    loop {
        let accepted = tokio::select! {
            biased;
            _ = drain.wait_for(|draining| *draining) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                pause = SHORTEST_PAUSE;
                // Without a place it is closed at once: its client sees that and may go elsewhere.
                if let Some(registered) = registry.register(peer, name) {
                    serve(stream, registered);
                }
            }
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                registry.metrics().accept_failed();
                if pause == SHORTEST_PAUSE {
                    tracing::warn!(listener = name, %error, "cannot accept a connection; trying again");
                }
                tokio::select! {
                    biased;
                    _ = drain.wait_for(|draining| *draining) => return,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Errors that concern the connection that was just accepted and say nothing about the next one.
fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
            | io::ErrorKind::NotConnected
    )
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        os::unix::net::UnixStream,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use tokio::{sync::watch, time::timeout};

    use super::{Accept, Peer, Registry, Stream, accept_loop};
    use crate::observe::metrics::Metrics;

    /// Fails as a process without descriptors does, then as a broken connection does, then yields two.
    struct Script(AtomicUsize);

    impl Accept for Script {
        async fn accept(&self) -> io::Result<(Stream, Peer)> {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                0 | 1 => Err(io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error())),
                2 => Err(io::ErrorKind::ConnectionAborted.into()),
                3 | 4 => Ok((Stream::Unix(UnixStream::pair()?.0), Peer::Unknown)),
                _ => std::future::pending().await,
            }
        }
    }

    #[tokio::test]
    async fn outlives_errors_keeps_the_cap_and_stops() {
        let metrics = Arc::new(Metrics::default());
        let registry = Arc::new(Registry::new(1, Arc::clone(&metrics)));
        let (stop, drain) = watch::channel(false);
        let mut held = Vec::new();
        let looping =
            accept_loop(Script(AtomicUsize::new(0)), "data", Arc::clone(&registry), drain, |stream, place| {
                held.push((stream, place));
            });
        let end = async {
            while !metrics.render().contains("sidegate_shed_total") {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            stop.send_replace(true);
        };
        let both = async { tokio::join!(looping, end) };
        timeout(Duration::from_secs(60), both).await.unwrap();
        assert_eq!(held.len(), 1, "the second had no place");
        let text = metrics.render();
        assert!(text.contains("sidegate_accept_errors_total 2"), "{text}");
        assert!(text.contains("sidegate_shed_total{what=\"connection\"} 1"), "{text}");
    }
}
