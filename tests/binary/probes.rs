//! What probes and tools ask: gRPC health on both listeners, and server reflection.

use prost::Message as _;
use prost_types::FileDescriptorProto;
use sidegate::service::proto::health_v1::{
    HealthCheckRequest, HealthListRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tokio::time::timeout;
use tonic::{Code, transport::Endpoint};
use tonic_reflection::pb;

use crate::support::{Daemon, block_on, good, until};

const SERVICE: &str = "sidegate.v1.AuthorizationService";

fn ask(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

#[test]
fn health_checks_lists_and_watches() {
    let daemon = Daemon::start("sidegate: 1\nrolls: {}\n");
    block_on(async {
        let mut health = HealthClient::connect(format!("http://{}", daemon.data)).await.unwrap();
        let unknown = health.check(ask("no.such.Service")).await.unwrap_err();
        assert_eq!(unknown.code(), Code::NotFound);
        let list = health.list(HealthListRequest {}).await.unwrap().into_inner().statuses;
        assert_eq!(
            list.keys().map(String::as_str).collect::<Vec<_>>(),
            ["", "envoy.service.auth.v3.Authorization", SERVICE]
        );
        assert!(list.values().all(|answer| answer.status() == ServingStatus::NotServing));

        let mut known = health.watch(ask(SERVICE)).await.unwrap().into_inner();
        let mut unknown = health.watch(ask("no.such.Service")).await.unwrap().into_inner();
        assert_eq!(known.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
        assert_eq!(unknown.message().await.unwrap().unwrap().status(), ServingStatus::ServiceUnknown);
        daemon.write(&good());
        assert_eq!(known.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
        let silence = timeout(std::time::Duration::from_millis(100), unknown.message()).await;
        assert!(silence.is_err(), "the watch of an unknown service stays open: {silence:?}");
        let list = health.list(HealthListRequest {}).await.unwrap().into_inner().statuses;
        assert!(list.values().all(|answer| answer.status() == ServingStatus::Serving));
        assert_eq!(health.check(ask(SERVICE)).await.unwrap().into_inner().status(), ServingStatus::Serving);
    });
}

#[test]
fn the_ops_listener_answers_the_same_health() {
    let daemon = Daemon::start(&good()).ready();
    block_on(async {
        let mut health = HealthClient::connect(format!("http://{}", daemon.ops)).await.unwrap();
        let mut watch = health.watch(ask("")).await.unwrap().into_inner();
        let mut status = ServingStatus::Unknown;
        while status != ServingStatus::Serving {
            status = watch.message().await.unwrap().unwrap().status();
        }
        assert_eq!(health.check(ask(SERVICE)).await.unwrap().into_inner().status(), ServingStatus::Serving);
    });
    until("metrics are there", || daemon.get("/metrics").1.contains("sidegate_snapshot_generation 1"));
    let (status, text) = daemon.get("/metrics");
    assert_eq!(status, 200);
    assert!(text.contains("# TYPE sidegate_decisions_total counter\n"), "{text}");
}

/// The two versions of reflection have the same shape under two names.
macro_rules! reflects {
    ($channel:expr, $module:ident) => {{
        use pb::$module::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
            server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
        };
        let mut client = ServerReflectionClient::new($channel);
        let ask = |message_request| ServerReflectionRequest {
            message_request: Some(message_request),
            ..ServerReflectionRequest::default()
        };
        let asked = tokio_stream::iter([
            ask(MessageRequest::ListServices(String::new())),
            ask(MessageRequest::FileContainingSymbol(SERVICE.to_owned())),
            ask(MessageRequest::FileByFilename("sidegate/v1/value.proto".to_owned())),
            ask(MessageRequest::FileContainingSymbol("no.such.Symbol".to_owned())),
        ]);
        let mut answers = client.server_reflection_info(asked).await.unwrap().into_inner();
        let Some(MessageResponse::ListServicesResponse(list)) =
            answers.message().await.unwrap().unwrap().message_response
        else {
            panic!("no list")
        };
        let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
        for name in [SERVICE, "grpc.health.v1.Health"] {
            assert!(names.iter().any(|own| own == name), "{names:?}");
        }
        assert!(!names.iter().any(|name| name.contains("SnapshotService")), "not served here: {names:?}");
        for wanted in ["sidegate/v1/authorization.proto", "sidegate/v1/value.proto"] {
            let answer = answers.message().await.unwrap().unwrap().message_response;
            let Some(MessageResponse::FileDescriptorResponse(files)) = answer else { panic!("{answer:?}") };
            let files = files.file_descriptor_proto.iter();
            let names: Vec<_> =
                files.map(|file| FileDescriptorProto::decode(file.as_slice()).unwrap().name().to_owned()).collect();
            assert!(names.iter().any(|name| name == wanted), "{names:?}");
        }
        let missing = answers.message().await;
        let refused = match &missing {
            Err(status) => status.code() == Code::NotFound,
            Ok(answer) => matches!(
                answer.as_ref().and_then(|answer| answer.message_response.as_ref()),
                Some(MessageResponse::ErrorResponse(_))
            ),
        };
        assert!(refused, "{missing:?}");
    }};
}

#[test]
fn both_versions_of_reflection_describe_what_is_served() {
    let daemon = Daemon::start("");
    block_on(async {
        let channel = Endpoint::from_shared(format!("http://{}", daemon.data)).unwrap().connect().await.unwrap();
        reflects!(channel.clone(), v1);
        reflects!(channel, v1alpha);
    });
}
