//! `sidegate health`: is a running daemon serving? For exec probes, where no shell and no other client is at hand.

use clap::Args;
use serde_json::json;

use crate::service::proto::health_v1::health_check_response::ServingStatus;

use super::Exit;
use super::output::{say, say_json};
use super::wire::{TlsArguments, connect, refused};

/// Whom to ask about what.
#[derive(Debug, Args)]
pub(super) struct HealthArguments {
    /// A running daemon: HOST:PORT or unix:PATH
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8651")]
    server: String,
    #[command(flatten)]
    tls: TlsArguments,
    /// A service's full name; none for the daemon as a whole
    #[arg(long, default_value = "")]
    service: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Asks: exit 0 if it is serving, 1 if it is not, 69 if it cannot be reached.
pub(super) fn health(arguments: &HealthArguments) -> Exit {
    let asked = connect(&arguments.server, &arguments.tls).and_then(|client| {
        client.call(|client| client.health(&arguments.service)).map_err(|problem| refused(&problem))
    });
    let status = match asked {
        Ok(status) => status,
        Err(trouble) => return trouble.tell(arguments.json),
    };
    if arguments.json {
        say_json(&json!({"service": arguments.service, "status": status.as_str_name()}));
    } else {
        say(status.as_str_name());
    }
    if status == ServingStatus::Serving { Exit::Yes } else { Exit::No }
}
