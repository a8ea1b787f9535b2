//! One connection from its first byte to its last: every limit of HTTP set, drained when told to.

use std::{
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};
use tonic::service::Routes;

use super::{
    fast::FastPath,
    front::{Front, Kind},
    listener::Stream,
    registry::Registered,
    stream::Drain,
};

/// A client that has sent less than this has not said anything yet: it is the length of HTTP/2's preface, and less than
/// any HTTP/1 request.
const FIRST_WORDS: usize = 24;

/// How long a client without a call in flight may take to close when told to: one that does not listen, or listens
/// no more, must not hold up the drain.
const FAREWELL: Duration = Duration::from_secs(1);

/// What one connection may take.
#[derive(Debug, Clone)]
pub struct HttpLimits {
    /// Calls in flight.
    pub streams: u32,
    /// Bytes of headers of one call.
    pub header_list: u32,
    /// How long a new client may stay silent, or take over the headers of an HTTP/1 request.
    pub handshake: Duration,
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
            handshake: Duration::from_secs(10),
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
    /// Ends each in good order.
    pub drain: Drain,
}

impl Connected {
    /// Serves one connection on the runtime that this is called on.
    pub async fn serve(self, stream: Stream, registered: Registered) {
        let served = match stream {
            Stream::Tcp(stream) => match tokio::net::TcpStream::from_std(stream) {
                Ok(stream) => self.serve_io(stream, &registered).await,
                Err(error) => Err(error.into()),
            },
            Stream::Unix(stream) => match tokio::net::UnixStream::from_std(stream) {
                Ok(stream) => self.serve_io(stream, &registered).await,
                Err(error) => Err(error.into()),
            },
        };
        if let Err(error) = served {
            let connection = registered.connection();
            tracing::debug!(peer = %connection.peer, listener = connection.listener, %error, "a connection broke");
        }
    }

    async fn serve_io(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        registered: &Registered,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let Self { routes, fast, kind, limits, mut drain } = self;
        let heard = Arc::new(AtomicUsize::new(0));
        let io = TokioIo::new(Heard { io: stream, heard: Arc::clone(&heard) });
        let calls = registered.connection();
        let connection = Arc::clone(calls);
        let front = Front { routes, fast, kind, connection, metrics: Arc::clone(registered.metrics()) };
        let builder = builder(&limits);
        let mut serving = pin!(builder.serve_connection(io, front));
        let mut silence = pin!(tokio::time::sleep(limits.handshake));
        let mut farewell = pin!(tokio::time::sleep(FAREWELL));
        let mut new = true;
        let mut open = true;
        loop {
            tokio::select! {
                served = serving.as_mut() => return served,
                () = silence.as_mut(), if new => {
                    if heard.load(Ordering::Relaxed) < FIRST_WORDS {
                        return Err("the client stayed silent".into());
                    }
                    new = false;
                }
                _ = drain.wait_for(|draining| *draining), if open => {
                    serving.as_mut().graceful_shutdown();
                    farewell.as_mut().reset(Instant::now() + FAREWELL);
                    open = false;
                }
                () = farewell.as_mut(), if !open => {
                    if calls.in_flight.load(Ordering::Relaxed) == 0 {
                        return Ok(());
                    }
                    farewell.as_mut().reset(Instant::now() + FAREWELL);
                }
            }
        }
    }
}

fn builder(limits: &HttpLimits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.handshake)
        .max_headers(64)
        .max_buf_size(64 * 1024)
        .keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.header_list)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(256)
        .max_frame_size(16 * 1024)
        .initial_stream_window_size(256 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .adaptive_window(false)
        .max_send_buf_size(64 * 1024)
        .keep_alive_interval(limits.keepalive)
        .keep_alive_timeout(limits.keepalive_timeout);
    builder
}

/// Counts the bytes that a client has sent.
struct Heard<T> {
    io: T,
    heard: Arc<AtomicUsize>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Heard<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.heard.fetch_add(buf.filled().len().saturating_sub(before), Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Heard<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}

#[cfg(test)]
mod tests;
