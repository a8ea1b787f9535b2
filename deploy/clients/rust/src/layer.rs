//! A tower layer that asks Sidegate before a request reaches its handler: for axum (HTTP) and for tonic (gRPC).
//!
//! What is asked about a request is for the application to say, from what it has authenticated: a layer in front of this
//! one puts the user into the request's extensions. A request about which nothing is said is denied.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{Request, Response, StatusCode};
use tonic::Status;
use tower::{Layer, Service};

use crate::{Answer, Entity, Sidegate};

/// What is asked before a request is let through.
#[derive(Clone, Debug)]
pub struct Question {
    /// Who asks, as the application has authenticated it.
    pub subject: Entity,
    /// What is to be done.
    pub action: String,
    /// What it is done to.
    pub resource: Entity,
}

/// What a request means: `None` denies.
type Meaning = Arc<dyn Fn(&Parts) -> Option<Question> + Send + Sync>;

/// What those see who are denied. The reason stays here: it is for logs.
#[derive(Clone, Copy, Debug)]
enum Door {
    Http,
    Grpc,
}

/// Puts the question in front of a service.
#[derive(Clone)]
pub struct AuthorizeLayer {
    sidegate: Sidegate,
    meaning: Meaning,
    door: Door,
}

impl AuthorizeLayer {
    /// For axum and other HTTP services: 403 for a denial, 503 where Sidegate could not be asked.
    pub fn http(sidegate: Sidegate, meaning: impl Fn(&Parts) -> Option<Question> + Send + Sync + 'static) -> Self {
        Self { sidegate, meaning: Arc::new(meaning), door: Door::Http }
    }

    /// For tonic: `PERMISSION_DENIED` for a denial, `UNAVAILABLE` where Sidegate could not be asked.
    pub fn grpc(sidegate: Sidegate, meaning: impl Fn(&Parts) -> Option<Question> + Send + Sync + 'static) -> Self {
        Self { sidegate, meaning: Arc::new(meaning), door: Door::Grpc }
    }
}

impl<S> Layer<S> for AuthorizeLayer {
    type Service = Authorize<S>;

    fn layer(&self, inner: S) -> Authorize<S> {
        Authorize { inner, layer: self.clone() }
    }
}

/// A service behind the question.
#[derive(Clone)]
pub struct Authorize<S> {
    inner: S,
    layer: AuthorizeLayer,
}

impl<S, B, R> Service<Request<B>> for Authorize<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that was polled to be ready goes with the call; a clone waits for the next.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let layer = self.layer.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let answer = match (layer.meaning)(&parts) {
                Some(Question { subject, action, resource }) => {
                    layer.sidegate.check(&subject, &action, &resource).await
                }
                None => return Ok(denial(layer.door, false)),
            };
            if answer.allowed() {
                return inner.call(Request::from_parts(parts, body)).await;
            }
            log(&answer);
            Ok(denial(layer.door, answer.is_error()))
        })
    }
}

/// In an application: a line of its log.
fn log(answer: &Answer) {
    eprintln!("denied: {}", answer.why());
}

fn denial<R: Default>(door: Door, error: bool) -> Response<R> {
    match (door, error) {
        (Door::Http, error) => {
            let mut response = Response::new(R::default());
            *response.status_mut() = if error { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::FORBIDDEN };
            response
        }
        (Door::Grpc, false) => Status::permission_denied("denied").into_http(),
        (Door::Grpc, true) => Status::unavailable("permissions cannot be checked now").into_http(),
    }
}
