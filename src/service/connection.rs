//! One connection from its first byte to its last: every limit of HTTP set, drained when told to.

mod io;
mod life;
mod turn;

use std::{
    error::Error as StdError,
    future::poll_fn,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpStream, UnixStream},
    time::{Instant, sleep_until},
};
use tonic::service::Routes;

use super::{
    fast::FastPath,
    front::{Front, Kind},
    listener::Stream,
    registry::{Connection, Registered},
    stream::Drain,
    tls::{self, Tls},
};
use crate::observe::metrics::Closed;
use io::Io;
use life::{Life, Seen, Step};
use turn::{Caller, Turn};

/// What one connection may take.
#[derive(Debug, Clone)]
pub struct HttpLimits {
    /// Calls in flight.
    pub streams: u32,
    /// Bytes of headers of one call.
    pub header_list: u32,
    /// Within what time a new client must have sent a complete request, TLS included.
    pub handshake: Duration,
    /// After how long without a call it is told to go; zero for never.
    pub idle: Duration,
    /// After how long it is told to go in any case, a tenth more or less; zero for never.
    pub max_age: Duration,
    /// How often an idle client is asked whether it is there.
    pub keepalive: Duration,
    /// How long it may take to answer that.
    pub keepalive_timeout: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            streams: 128,
            header_list: 16 * 1024,
            handshake: Duration::from_secs(5),
            idle: Duration::from_secs(5 * 60),
            max_age: Duration::from_secs(60 * 60),
            keepalive: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(10),
        }
    }
}

/// What a listener's connections have in common.
#[derive(Debug, Clone)]
pub struct Connected {
    /// Where calls go.
    pub routes: Routes,
    /// What answers plain calls before they get there.
    pub fast: Option<FastPath>,
    /// What is served.
    pub kind: Kind,
    /// What each may take.
    pub limits: HttpLimits,
    /// What those over TCP must speak; `None` for no TLS.
    pub tls: Option<Arc<Tls>>,
    /// Ends each in good order.
    pub drain: Drain,
}

/// What HTTP says at the end of a connection.
type Served = Result<(), Box<dyn StdError + Send + Sync>>;

impl Connected {
    /// Serves one connection on the runtime that this is called on.
    pub async fn serve(self, stream: Stream, registered: Registered) {
        let life = Life::new(&self.limits, Instant::now(), getrandom::u32().unwrap_or_default());
        let why = match stream {
            Stream::Tcp(stream) => match TcpStream::from_std(stream) {
                Ok(stream) => self.serve_tcp(stream, life, &registered).await,
                Err(error) => broken(registered.connection(), &error),
            },
            Stream::Unix(stream) => match UnixStream::from_std(stream) {
                Ok(stream) => self.serve_io(Io::Unix(stream), life, &registered).await,
                Err(error) => broken(registered.connection(), &error),
            },
        };
        registered.close(why);
    }

    async fn serve_tcp(mut self, stream: TcpStream, life: Life, registered: &Registered) -> Closed {
        let Some(tls) = self.tls.take() else { return self.serve_io(Io::Tcp(stream), life, registered).await };
        let connection = registered.connection();
        let drain = &mut self.drain;
        let shaken = tokio::select! {
            biased;
            shaken = tls.acceptor().accept(stream) => shaken,
            () = sleep_until(life.first()) => return Closed::NoRequest,
            _ = drain.wait_for(|draining| *draining) => return Closed::Drain,
        };
        let stream = match shaken {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(peer = %connection.peer, listener = connection.listener, %error, "no TLS");
                return Closed::Tls;
            }
        };
        if let Some(names) = tls::names(stream.get_ref().1.peer_certificates()) {
            // It is set here alone, once.
            drop(connection.certificate.set(names));
        }
        self.serve_io(Io::Tls(Box::new(stream)), life, registered).await
    }

    async fn serve_io(self, stream: Io, mut life: Life, registered: &Registered) -> Closed {
        let Self { routes, fast, kind, limits, mut drain, tls: _ } = self;
        let connection = registered.connection();
        let metrics = registered.metrics();
        let front = Front { routes, fast, kind, connection: connection.clone(), metrics: metrics.clone() };
        let mut turn = Turn::default();
        let builder = builder(&limits, turn.caller());
        let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), front));
        let mut clock = pin!(sleep_until(life.next()));
        let mut open = true;
        loop {
            tokio::select! {
                biased;
                served = poll_fn(|cx| {
                    let served = serving.as_mut().poll(cx);
                    if turn.take() {
                        // Their answers are to be written.
                        cx.waker().wake_by_ref();
                    }
                    served
                }) => return life.closing().unwrap_or_else(|| why(connection, served)),
                _ = drain.wait_for(|draining| *draining), if open => {
                    open = false;
                    serving.as_mut().graceful_shutdown();
                    life.drain(Instant::now());
                }
                () = connection.share.overdue() => return Closed::Slow,
                () = clock.as_mut() => match life.step(Instant::now(), seen(connection)) {
                    Step::Wait => {}
                    Step::Close => {
                        serving.as_mut().graceful_shutdown();
                        connection.old.send_replace(life.closing() == Some(Closed::Age));
                    }
                    Step::End(why) => return why,
                }
            }
            clock.as_mut().reset(life.next());
        }
    }
}

fn seen(connection: &Connection) -> Seen {
    Seen {
        heard: connection.heard.load(Ordering::Relaxed),
        calls: connection.calls.load(Ordering::Relaxed),
        in_flight: connection.in_flight.load(Ordering::Relaxed),
    }
}

/// Why a connection has ended that nobody here has ended.
fn why(connection: &Connection, served: Served) -> Closed {
    let Err(error) = served else { return Closed::Client };
    let why = broken(connection, &*error);
    let Some(error) = error.downcast_ref::<hyper::Error>() else { return why };
    let flood = error.source().and_then(|cause| cause.downcast_ref::<h2::Error>()).is_some_and(|cause| {
        cause.is_go_away() && cause.is_library() && cause.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM)
    });
    if flood {
        Closed::Flood
    } else if error.is_timeout() {
        Closed::Keepalive
    } else {
        why
    }
}

fn broken(connection: &Connection, error: &(impl StdError + ?Sized)) -> Closed {
    tracing::debug!(peer = %connection.peer, listener = connection.listener, %error, "a connection broke");
    Closed::Error
}

fn builder(limits: &HttpLimits, caller: Caller) -> auto::Builder<Caller> {
    let mut builder = auto::Builder::new(caller);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout((!limits.idle.is_zero()).then_some(limits.idle))
        .max_headers(64)
        // Bounds the headers; less is more than hyper can do.
        .max_buf_size(usize::try_from(limits.header_list).unwrap_or(usize::MAX).max(8 * 1024))
        .keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.header_list)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(256)
        .max_frame_size(16 * 1024)
        // What fits into it in small messages must stay below what h2 takes for a flood of small frames: half of the
        // connection's window, of which each uses 256 bytes less its length. Who pipelines has done nothing wrong.
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .adaptive_window(false)
        // gRPC knows no date, and pays for one with every answer; who speaks HTTP adds it.
        .auto_date_header(false)
        .max_send_buf_size(64 * 1024)
        .keep_alive_interval(limits.keepalive)
        .keep_alive_timeout(limits.keepalive_timeout);
    builder
}

#[cfg(test)]
mod tests;
