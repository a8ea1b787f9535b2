//! A small client of the daemon, for the command line and for tests. It fails closed: whatever is not a clear allow is
//! an error or a denial.

pub mod bench;
mod lists;

use std::{fmt, io, time::Duration};

use tokio::runtime::{self, Runtime};
use tonic::{
    Code, Request, Status,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};
use tonic_types::StatusExt;

use crate::service::proto::{
    health_v1::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient},
    v1::{self, authorization_service_client::AuthorizationServiceClient},
};

pub use lists::Listed;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is none.
    #[error("`{address}` is not an address; write `127.0.0.1:8650` or `unix:/run/sidegate.sock`")]
    Address {
        /// What was given.
        address: String,
    },
    /// The certificates cannot be used.
    #[error("cannot use TLS: {problem}")]
    Tls {
        /// Why not.
        problem: String,
    },
    /// Nobody answers.
    #[error("cannot reach `{address}`: {problem}")]
    Unreachable {
        /// Who was asked.
        address: String,
        /// Why not.
        problem: String,
    },
    /// The daemon refused to answer.
    #[error("the daemon answers {code:?}: {message}")]
    Refused {
        /// The status code.
        code: Code,
        /// What it says.
        message: String,
        /// The malformed field, where it names one.
        field: Option<String>,
    },
    /// No runtime to wait on.
    #[error("cannot start a runtime: {0}")]
    Runtime(#[from] io::Error),
}

/// What TLS needs of a client: PEM texts.
#[derive(Clone)]
pub struct Trust {
    /// Who vouches for the daemon.
    pub authorities: Vec<u8>,
    /// The client's certificate and key, where it must show who it is.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
    /// The daemon's name in its certificate, where it is not the address's.
    pub name: Option<String>,
}

/// A connection to a daemon. Clones share it.
#[derive(Debug, Clone)]
pub struct Client {
    channel: Channel,
    address: String,
    deadline: Duration,
}

impl Client {
    /// Connects to `HOST:PORT` or `unix:PATH`; every call has the deadline.
    ///
    /// # Errors
    /// No address, or nobody there within the deadline.
    pub async fn connect(address: &str, deadline: Duration) -> Result<Self, ClientError> {
        Self::connect_with(address, deadline, None).await
    }

    /// The same over TLS, where that is given: the address is then `HOST:PORT` or `https://HOST:PORT`.
    ///
    /// # Errors
    /// As there; certificates that are none.
    pub async fn connect_with(address: &str, deadline: Duration, trust: Option<&Trust>) -> Result<Self, ClientError> {
        let uri = match trust {
            _ if address.contains("://") || address.starts_with("unix:") => address.to_owned(),
            None => format!("http://{address}"),
            Some(_) => format!("https://{address}"),
        };
        let not_one = |_| ClientError::Address { address: address.to_owned() };
        let mut endpoint = Endpoint::from_shared(uri).map_err(not_one)?.connect_timeout(deadline);
        if let Some(trust) = trust {
            // Another scheme would go on without TLS.
            if endpoint.uri().scheme_str() != Some("https") {
                return Err(ClientError::Tls { problem: format!("`{address}` is not to be reached by it") });
            }
            let bad = |error: tonic::transport::Error| ClientError::Tls { problem: innermost(&error) };
            endpoint = endpoint.tls_config(trust.config()).map_err(bad)?;
        }
        let channel = endpoint
            .connect()
            .await
            .map_err(|error| ClientError::Unreachable { address: address.to_owned(), problem: innermost(&error) })?;
        Ok(Self { channel, address: address.to_owned(), deadline })
    }

    /// Who is asked.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// May the subject?
    ///
    /// # Errors
    /// No answer: to be treated as a denial.
    pub async fn authorize(&self, request: v1::AuthorizeRequest) -> Result<v1::AuthorizeResponse, ClientError> {
        answer(self.stub().authorize(self.request(request)).await)
    }

    /// Several at once.
    ///
    /// # Errors
    /// No answer: to be treated as a denial.
    pub async fn batch(&self, request: v1::BatchAuthorizeRequest) -> Result<v1::BatchAuthorizeResponse, ClientError> {
        answer(self.stub().batch_authorize(self.request(request)).await)
    }

    /// May the subject, and why?
    ///
    /// # Errors
    /// No answer: to be treated as a denial.
    pub async fn explain(&self, request: v1::AuthorizeRequest) -> Result<v1::ExplainResponse, ClientError> {
        let request = v1::ExplainRequest { request: Some(request) };
        answer(self.stub().explain(self.request(request)).await)
    }

    /// What may the subject do?
    ///
    /// # Errors
    /// No answer: to be treated as nothing.
    pub async fn list_actions(&self, request: v1::ListActionsRequest) -> Result<v1::ListActionsResponse, ClientError> {
        answer(self.stub().list_actions(self.request(request)).await)
    }

    /// The health of a service; empty for the daemon as a whole.
    ///
    /// # Errors
    /// No answer, or no such service.
    pub async fn health(&self, service: &str) -> Result<ServingStatus, ClientError> {
        let request = HealthCheckRequest { service: service.to_owned() };
        let response = HealthClient::new(self.channel.clone()).check(self.request(request)).await;
        answer(response).map(|response| response.status())
    }

    fn stub(&self) -> AuthorizationServiceClient<Channel> {
        AuthorizationServiceClient::new(self.channel.clone()).max_decoding_message_size(64 * 1024 * 1024)
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.deadline);
        request
    }
}

impl Trust {
    fn config(&self) -> ClientTlsConfig {
        let Self { authorities, identity, name } = self;
        let mut config = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authorities));
        if let Some((certificate, key)) = identity {
            config = config.identity(Identity::from_pem(certificate, key));
        }
        match name {
            Some(name) => config.domain_name(name),
            None => config,
        }
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Whether an answer allows: nothing but a clear allow does.
pub fn allows(response: &v1::AuthorizeResponse) -> bool {
    v1::Decision::try_from(response.decision) == Ok(v1::Decision::Allow)
}

/// The same client for who has no runtime.
#[derive(Debug)]
pub struct Blocking {
    runtime: Runtime,
    client: Client,
}

impl Blocking {
    /// Connects as [`Client::connect`] does.
    ///
    /// # Errors
    /// As there.
    pub fn connect(address: &str, deadline: Duration) -> Result<Self, ClientError> {
        Self::connect_with(address, deadline, None)
    }

    /// Connects as [`Client::connect_with`] does.
    ///
    /// # Errors
    /// As there.
    pub fn connect_with(address: &str, deadline: Duration, trust: Option<&Trust>) -> Result<Self, ClientError> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let client = runtime.block_on(Client::connect_with(address, deadline, trust))?;
        Ok(Self { runtime, client })
    }

    /// Waits for a call: `client.call(|client| client.authorize(request))`.
    pub fn call<'a, F: Future>(&'a self, call: impl FnOnce(&'a Client) -> F) -> F::Output {
        self.runtime.block_on(call(&self.client))
    }
}

fn answer<T>(response: Result<tonic::Response<T>, Status>) -> Result<T, ClientError> {
    match response {
        Ok(response) => Ok(response.into_inner()),
        Err(status) => {
            let violations = status.get_details_bad_request().map(|details| details.field_violations);
            let field = violations.and_then(|violations| violations.into_iter().next()).map(|first| first.field);
            Err(ClientError::Refused { code: status.code(), message: status.message().to_owned(), field })
        }
    }
}

/// The last cause in the chain: "transport error" says nothing.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
