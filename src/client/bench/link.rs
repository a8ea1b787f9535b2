//! A connection of the load generator: opened before the clock starts, opened again when the daemon ends it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::{ClientError, Door};

/// Room for answers, so that no call waits for the window of another.
const WINDOW: u32 = 16 << 20;

/// A pause before one more attempt to connect.
const PAUSE: Duration = Duration::from_millis(50);

/// Where a daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `HOST:PORT`.
    Tcp(String),
    /// `unix:PATH`.
    Unix(PathBuf),
}

impl Address {
    /// Reads `HOST:PORT` or `unix:PATH`.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, ClientError> {
        let wrong = || ClientError::Address { address: text.to_owned() };
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(wrong()) } else { Ok(Self::Unix(PathBuf::from(path))) };
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        if host.is_empty() || port.parse::<u16>().is_err() || text.parse::<http::uri::Authority>().is_err() {
            return Err(wrong());
        }
        Ok(Self::Tcp(text.to_owned()))
    }

    /// Whether it cannot but be this machine.
    pub fn is_local(&self) -> bool {
        let Self::Tcp(text) = self else { return true };
        match text.parse::<SocketAddr>() {
            Ok(address) => IpAddr::is_loopback(&address.ip()),
            Err(_) => text.starts_with("localhost:"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(text) => f.write_str(text),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A connection, whichever it is by now. Shared by all that ask on it.
#[derive(Debug)]
pub(super) struct Link {
    address: Address,
    in_flight: usize,
    deadline: Duration,
    current: Mutex<Current>,
}

/// A connection that was open a moment ago.
#[derive(Clone, Debug)]
pub(super) struct Current {
    pub(super) sender: SendRequest<Bytes>,
    /// Which of the link's connections this is.
    generation: u64,
}

impl Link {
    pub(super) async fn open(address: &Address, in_flight: usize, deadline: Duration) -> Result<Self, ClientError> {
        let sender = connect(address, in_flight, deadline).await?;
        let current = Mutex::new(Current { sender, generation: 0 });
        Ok(Self { address: address.clone(), in_flight, deadline, current })
    }

    pub(super) async fn current(&self) -> Current {
        self.current.lock().await.clone()
    }

    /// The connection after one that has ended; the first to ask opens it for all.
    pub(super) async fn after(&self, ended: &Current) -> Result<Current, ClientError> {
        let mut current = self.current.lock().await;
        if current.generation == ended.generation {
            match connect(&self.address, self.in_flight, self.deadline).await {
                Ok(sender) => *current = Current { sender, generation: ended.generation + 1 },
                Err(problem) => {
                    tokio::time::sleep(PAUSE).await;
                    return Err(problem);
                }
            }
        }
        Ok(current.clone())
    }
}

/// A call of a door without its message.
pub(super) fn request(address: &Address, door: Door, deadline: Duration) -> Result<Request<()>, ClientError> {
    let wrong = || ClientError::Address { address: address.to_string() };
    // A path is no authority that HTTP/2 admits.
    let authority = match address {
        Address::Tcp(text) => text.as_str(),
        Address::Unix(_) => "localhost",
    };
    let path = match door {
        Door::Authorize => "/sidegate.v1.AuthorizationService/Authorize",
        Door::Batch(_) => "/sidegate.v1.AuthorizationService/BatchAuthorize",
        Door::Stream => "/sidegate.v1.AuthorizationService/AuthorizeStream",
    };
    let uri = Uri::builder().scheme("http").authority(authority).path_and_query(PathAndQuery::from_static(path));
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.build().map_err(|_| wrong())?;
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    // A stream lasts as long as the run; each of its answers has no deadline of its own.
    if door != Door::Stream {
        let milliseconds = HeaderValue::from_str(&format!("{}m", deadline.as_millis())).map_err(|_| wrong())?;
        headers.insert("grpc-timeout", milliseconds);
    }
    *request.headers_mut() = headers;
    Ok(request)
}

async fn connect(address: &Address, in_flight: usize, within: Duration) -> Result<SendRequest<Bytes>, ClientError> {
    let unreachable = |problem: String| ClientError::Unreachable { address: address.to_string(), problem };
    let opened = timeout(within, async {
        match address {
            Address::Tcp(text) => {
                let stream = TcpStream::connect(text).await.map_err(|error| unreachable(error.to_string()))?;
                stream.set_nodelay(true).map_err(|error| unreachable(error.to_string()))?;
                handshake(Box::new(stream), in_flight).await.map_err(|error| unreachable(error.to_string()))
            }
            Address::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(|error| unreachable(error.to_string()))?;
                handshake(Box::new(stream), in_flight).await.map_err(|error| unreachable(error.to_string()))
            }
        }
    });
    opened.await.unwrap_or_else(|_| Err(unreachable(format!("no connection within {} s", within.as_secs()))))
}

/// Any connected socket: one type, so that HTTP/2 is compiled once.
trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

async fn handshake(stream: Box<dyn Socket>, in_flight: usize) -> Result<SendRequest<Bytes>, h2::Error> {
    let (sender, connection) = Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .initial_max_send_streams(in_flight)
        .enable_push(false)
        .handshake(stream)
        .await?;
    // Ends with the connection; why it ended, the calls on it say.
    tokio::spawn(connection);
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn addresses_are_read_and_known_to_be_here() {
        for here in ["127.0.0.1:8650", "[::1]:8650", "localhost:8650", "unix:/run/sidegate.sock"] {
            let address = Address::parse(here).unwrap();
            assert!(address.is_local(), "{here}");
            assert_eq!(address.to_string(), here);
        }
        assert!(!Address::parse("10.0.0.1:8650").unwrap().is_local());
        assert!(!Address::parse("localhost.example:8650").unwrap().is_local());
        for wrong in ["", "unix:", "localhost", ":8650", "a b:1", "http://127.0.0.1:1", "127.0.0.1:99999"] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }
}
