//! The layer in front of an axum and a tonic service, with a Sidegate of few words behind it.
#![expect(clippy::unwrap_used, reason = "a failed test is a panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::request::Parts;
use http::{Request, StatusCode};
use sidegate_client::layer::{AuthorizeLayer, Question};
use sidegate_client::proto::authorization_service_server::{AuthorizationService, AuthorizationServiceServer};
use sidegate_client::proto::{AuthorizeRequest, AuthorizeResponse, Decision};
use sidegate_client::{Entity, Sidegate};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tower::{ServiceBuilder, ServiceExt};

#[tokio::test]
async fn axum_is_reached_only_by_whom_sidegate_allows() {
    let (handled, app) = app(&serve().await);
    assert_eq!(ask(&app, Some("ana"), "/orders/1").await, StatusCode::OK);
    assert_eq!(handled.load(Ordering::Relaxed), 1);
    assert_eq!(ask(&app, Some("bob"), "/orders/1").await, StatusCode::FORBIDDEN);
    assert_eq!(ask(&app, None, "/orders/1").await, StatusCode::FORBIDDEN, "nobody was authenticated");
    assert_eq!(ask(&app, Some("ana"), "/other").await, StatusCode::FORBIDDEN, "nothing is said about this path");
    assert_eq!(handled.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn without_sidegate_nobody_gets_through() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap().to_string();
    drop(gone);
    let (handled, app) = app(&address);
    assert_eq!(ask(&app, Some("ana"), "/orders/1").await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(handled.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn tonic_is_reached_only_by_whom_sidegate_allows() {
    let layer = AuthorizeLayer::grpc(Sidegate::new(&serve().await).unwrap(), meaning);
    let service = ServiceBuilder::new().layer(layer).service(AuthorizationServiceServer::new(FewWords));
    for (user, wanted) in [(Some("ana"), None), (Some("bob"), Some("7")), (None, Some("7"))] {
        let response = service.clone().oneshot(request(user, "/orders/1", tonic::body::Body::empty())).await.unwrap();
        let status = response.headers().get("grpc-status").map(|value| value.to_str().unwrap());
        // What is let through is no path of that service: UNIMPLEMENTED.
        assert_eq!(status, wanted.or(Some("12")), "{user:?}");
    }
}

/// Ana may view, and nobody else may anything.
struct FewWords;

#[tonic::async_trait]
impl AuthorizationService for FewWords {
    async fn authorize(
        &self,
        request: tonic::Request<AuthorizeRequest>,
    ) -> Result<tonic::Response<AuthorizeResponse>, tonic::Status> {
        let AuthorizeRequest { subject, action, resource, .. } = request.into_inner();
        let yes = subject.unwrap().id == "ana" && action.unwrap().name == "view" && resource.unwrap().id == "1";
        let decision = if yes { Decision::Allow } else { Decision::Deny }.into();
        Ok(tonic::Response::new(AuthorizeResponse { decision, ..Default::default() }))
    }
}

/// On a port that the system chooses.
async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = Server::builder().add_service(AuthorizationServiceServer::new(FewWords));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

/// A handler that counts how often it is reached, behind the layer.
fn app(address: &str) -> (Arc<AtomicUsize>, Router) {
    let handled = Arc::new(AtomicUsize::new(0));
    let count = handled.clone();
    let route = get(move || async move {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let layer = AuthorizeLayer::http(Sidegate::new(address).unwrap(), meaning);
    (handled, Router::new().route("/orders/1", route.clone()).route("/other", route).layer(layer))
}

/// The name of a user, as a layer that authenticates leaves it.
#[derive(Clone)]
struct User(String);

fn meaning(parts: &Parts) -> Option<Question> {
    let User(user) = parts.extensions.get()?;
    let id = parts.uri.path().strip_prefix("/orders/")?;
    Some(Question { subject: Entity::new("user", user), action: "view".into(), resource: Entity::new("order", id) })
}

fn request<B>(user: Option<&str>, path: &str, body: B) -> Request<B> {
    let mut request = Request::builder().uri(path).body(body).unwrap();
    if let Some(user) = user {
        request.extensions_mut().insert(User(user.to_owned()));
    }
    request
}

async fn ask(app: &Router, user: Option<&str>, path: &str) -> StatusCode {
    app.clone().oneshot(request(user, path, Body::empty())).await.unwrap().status()
}
