//! The doors: gRPC services, listeners, worker threads, health, the ops page.
//!
//! A door converts, asks [`Pdp`], converts back; none has an idea of its own of what allow means. Holds a store, never
//! a path.

mod authorization;
mod authzen;
mod caller;
mod clock;
mod connection;
mod consistency;
mod convert;
mod direct;
mod envoy;
mod expensive;
mod fast;
mod flow;
mod framing;
mod front;
mod headers;
mod health;
mod listener;
mod ops;
mod page_token;
mod pdp;
mod peer;
pub mod proto;
mod registry;
mod room;
mod routes;
mod settings;
mod snapshot_service;
mod socket;
mod staleness;
mod stream;
mod tls;
mod wire;
mod worker;
mod written;

pub use authorization::Authorization;
pub use authzen::{AuthzenSettings, BaseUrl, Names, NotBaseUrl, NotNames, read_question, read_questions, with_authzen};
pub use caller::{
    Asserted, CallerRule, Gate, MOST_RULES, Rate, Reasons, SanPattern, Tenants, Ticks, Who, unknown_names,
};
pub use clock::Clock;
pub use connection::{Connected, HttpLimits};
pub use envoy::Envoy;
pub use expensive::Expensive;
pub use fast::{FastPath, PlainBatch, PlainQuestion};
pub use front::Kind;
pub use health::{Health, HealthService};
pub use listener::{Accept, Listener, Stream, accept_loop, bind_tcp};
pub use ops::{Liveness, ops_routes};
pub use pdp::{Pdp, Refusal};
pub use peer::{Certificate, Peer};
pub use registry::{Connection, Registered, Registry};
pub use routes::{DATA_SERVICES, admin_routes, data_routes};
pub use settings::Settings;
pub use snapshot_service::{Reload, Snapshots};
pub use socket::{Access, SocketFile, bind_unix};
pub use staleness::{Stale, mind_staleness};
pub use stream::Drain;
pub use tls::{Renewal, Tls, TlsError, TlsFiles};
pub use worker::{Workers, default_worker_count};
