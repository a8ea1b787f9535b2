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
use sidegate_client::proto::{
    AuthorizeRequest, AuthorizeResponse, CheckGrantRequest, CheckGrantResponse, CountSeatsRequest, CountSeatsResponse,
    Decision,
};
use sidegate_client::{Entity, Sidegate};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tower::{ServiceBuilder, ServiceExt};

#[tokio::test]
async fn axum_is_reached_only_by_whom_sidegate_allows() {
    let (handled, app) = app(serve().await);
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
    let (handled, app) = app(address);
    assert_eq!(ask(&app, Some("ana"), "/orders/1").await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(handled.load(Ordering::Relaxed), 0);
}
