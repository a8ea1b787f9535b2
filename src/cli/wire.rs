//! A question as the wire has it, for asking a running daemon.

use std::{fs, path::PathBuf};

use clap::Args;

use crate::client::{Blocking, ClientError, Trust};
use crate::model::{Entity, Properties, Request, Value};
use crate::service::proto::v1;

use super::Exit;
use super::output::Trouble;

/// How long a daemon may take to answer the command line.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(5);

/// The page size of whole lists: few round trips.
const LARGEST_PAGE: u32 = 1_000;

/// How to reach a daemon that speaks TLS.
#[derive(Debug, Args)]
pub(super) struct TlsArguments {
    /// Reach the daemon over TLS; who vouches for its certificate (PEM)
    #[arg(id = "tls_ca", long = "tls-ca", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The certificate to show it (PEM)
    #[arg(
        id = "tls_certificate",
        long = "tls-certificate",
        value_name = "FILE",
        requires = "tls_ca",
        requires = "tls_key"
    )]
    certificate: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(id = "tls_key", long = "tls-key", value_name = "FILE", requires = "tls_certificate")]
    key: Option<PathBuf>,
    /// The name in the daemon's certificate, if it is not the address's
    #[arg(id = "tls_name", long = "tls-name", value_name = "NAME", requires = "tls_ca")]
    name: Option<String>,
}

/// Connects, or says why that is not possible.
pub(super) fn connect(address: &str, tls: &TlsArguments) -> Result<Blocking, Trouble> {
    let trust = tls.read()?;
    Blocking::connect_with(address, DEADLINE, trust.as_ref()).map_err(|problem| refused(&problem))
}

impl TlsArguments {
    fn read(&self) -> Result<Option<Trust>, Trouble> {
        let read = |path: &PathBuf| {
            fs::read(path)
                .map_err(|error| Trouble::new(Exit::Usage, format!("cannot read `{}`: {error}", path.display())))
        };
        let Some(authorities) = &self.ca else { return Ok(None) };
        let identity = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some((read(certificate)?, read(key)?)),
            (None, _) | (_, None) => None,
        };
        Ok(Some(Trust { authorities: read(authorities)?, identity, name: self.name.clone() }))
    }
}

/// A call that was not answered.
pub(super) fn refused(problem: &ClientError) -> Trouble {
    let exit = match problem {
        ClientError::Address { .. }
        | ClientError::Tls { .. }
        | ClientError::Refused { code: tonic::Code::InvalidArgument, .. } => Exit::Usage,
        ClientError::Unreachable { .. } | ClientError::Refused { .. } => Exit::Unavailable,
        ClientError::Runtime(_) => Exit::Runtime,
    };
    Trouble::new(exit, problem.to_string())
}

/// A call that was not answered, which names what may not be there: that is a mistake of the command line.
pub(super) fn refused_name(problem: &ClientError) -> Trouble {
    match problem {
        ClientError::Refused { code: tonic::Code::NotFound, .. } => Trouble::new(Exit::Usage, problem.to_string()),
        _ => refused(problem),
    }
}

/// A request as a message.
pub(super) fn authorize_request(request: &Request<'_>) -> v1::AuthorizeRequest {
    v1::AuthorizeRequest {
        subject: Some(subject(request)),
        action: Some(action(request)),
        resource: Some(resource(request)),
        context: properties(request.context),
        consistency: None,
        request_id: String::new(),
    }
}

/// The same question without its action.
pub(super) fn list_actions_request(request: &Request<'_>) -> v1::ListActionsRequest {
    v1::ListActionsRequest {
        subject: Some(subject(request)),
        resource: Some(resource(request)),
        context: properties(request.context),
        parameters: properties(request.action_properties),
        consistency: None,
        request_id: String::new(),
    }
}

/// The question of every resource of the request's resource type.
pub(super) fn list_resources_request(request: &Request<'_>, within: Option<Entity<'_>>) -> v1::ListResourcesRequest {
    v1::ListResourcesRequest {
        subject: Some(subject(request)),
        action: Some(action(request)),
        resource_type: request.resource.kind.to_owned(),
        within: within.map(entity),
        context: properties(request.context),
        page_size: LARGEST_PAGE,
        ..v1::ListResourcesRequest::default()
    }
}

/// The question of every subject of the request's subject type.
pub(super) fn list_subjects_request(request: &Request<'_>) -> v1::ListSubjectsRequest {
    v1::ListSubjectsRequest {
        action: Some(action(request)),
        resource: Some(resource(request)),
        subject_type: request.subject.kind.to_owned(),
        context: properties(request.context),
        page_size: LARGEST_PAGE,
        ..v1::ListSubjectsRequest::default()
    }
}

/// The question of every level of a subject at a scope.
pub(super) fn list_levels_request(subject: Entity<'_>, scope: Entity<'_>) -> v1::ListLevelsRequest {
    v1::ListLevelsRequest {
        subject: Some(entity(subject)),
        scope: Some(entity(scope)),
        page_size: LARGEST_PAGE,
        ..v1::ListLevelsRequest::default()
    }
}

/// The question of how many seats are taken; no class stands for all.
pub(super) fn count_seats_request(scope: Entity<'_>, classes: &[String]) -> v1::CountSeatsRequest {
    v1::CountSeatsRequest {
        scope: Some(entity(scope)),
        seat_classes: classes.to_vec(),
        ..v1::CountSeatsRequest::default()
    }
}

fn action(request: &Request<'_>) -> v1::Action {
    v1::Action { name: request.action.to_owned(), properties: properties(request.action_properties) }
}

fn subject(request: &Request<'_>) -> v1::Subject {
    let Entity { kind, id } = request.subject;
    v1::Subject { r#type: kind.to_owned(), id: id.to_owned(), properties: properties(request.subject_properties) }
}

fn resource(request: &Request<'_>) -> v1::Resource {
    let Entity { kind, id } = request.resource;
    v1::Resource {
        r#type: kind.to_owned(),
        id: id.to_owned(),
        parent: request.parent.map(entity),
        properties: properties(request.resource_properties),
    }
}

/// An entity.
pub(super) fn entity(entity: Entity<'_>) -> v1::Entity {
    v1::Entity { r#type: entity.kind.to_owned(), id: entity.id.to_owned() }
}

fn properties<C: FromIterator<(String, v1::Value)>>(properties: Properties<'_>) -> C {
    properties.iter().map(|(name, property)| ((*name).to_owned(), value(property))).collect()
}

/// A value.
pub(super) fn value(value_sent: &Value<'_>) -> v1::Value {
    use v1::value::Kind;
    let kind = match value_sent {
        Value::Null => None,
        Value::Bool(flag) => Some(Kind::BoolValue(*flag)),
        Value::Int(int) => Some(Kind::IntValue(*int)),
        Value::String(text) => Some(Kind::StringValue((*text).to_owned())),
        Value::Timestamp(time) => Some(Kind::TimestampValue(prost_types::Timestamp {
            seconds: time.seconds(),
            nanos: i32::try_from(time.nanos()).unwrap_or(0),
        })),
        Value::List(items) => Some(Kind::ListValue(v1::ListValue { values: items.iter().map(value).collect() })),
        Value::Entity(named) => Some(Kind::EntityValue(entity(*named))),
    };
    v1::Value { kind }
}
