//! Whole calls by method: how many, how they ended, how long they took with all their waiting, how many are on their way.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Instant,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};

use super::{
    durations::{self, Durations},
    shards::{Shards, add},
};
use crate::observe::spans::Span;

/// Upper bounds of the histogram in nanoseconds; the last bucket has none.
const BOUNDS: [u64; 10] =
    [10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000, 25_000_000, 100_000_000, 1_000_000_000];

/// The codes of gRPC, by number.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The number of CANCELLED, for a call whose caller has gone.
const CANCELLED: usize = 1;
/// The number of UNKNOWN, for a code that is none.
const UNKNOWN: usize = 2;

macro_rules! methods {
    ($($(#[$doc:meta])* $method:ident $name:literal;)*) => {
        /// The methods that are told apart; whatever else is called is [`Method::Other`], so that no caller makes series.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Method {
            $($(#[$doc])* $method,)*
        }

        impl Method {
            /// Every method.
            pub const ALL: &[Self] = &[$(Self::$method),*];

            /// As the label has it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$method => $name,)*
                }
            }
        }
    };
}

methods! {
    /// `AuthorizationService/Authorize`.
    Authorize "Authorize";
    /// `AuthorizationService/BatchAuthorize`.
    BatchAuthorize "BatchAuthorize";
    /// `AuthorizationService/AuthorizeStream`.
    AuthorizeStream "AuthorizeStream";
    /// `AuthorizationService/Explain`.
    Explain "Explain";
    /// `AuthorizationService/ListActions`.
    ListActions "ListActions";
    /// `AuthorizationService/ListLevels`.
    ListLevels "ListLevels";
    /// `AuthorizationService/ListResources`.
    ListResources "ListResources";
    /// `AuthorizationService/ListSubjects`.
    ListSubjects "ListSubjects";
    /// `AuthorizationService/CheckGrant`.
    CheckGrant "CheckGrant";
    /// `AuthorizationService/CountSeats`.
    CountSeats "CountSeats";
    /// `SnapshotService/GetSnapshot`.
    GetSnapshot "GetSnapshot";
    /// `SnapshotService/WatchSnapshot`.
    WatchSnapshot "WatchSnapshot";
    /// `SnapshotService/ReloadSnapshot`.
    ReloadSnapshot "ReloadSnapshot";
    /// `envoy.service.auth.v3.Authorization/Check`.
    Check "Check";
    /// Every call of gRPC health.
    Health "health";
    /// Every call of server reflection.
    Reflection "reflection";
    /// `AuthZEN`'s `/access/v1/evaluation`.
    AuthzenEvaluation "authzen_evaluation";
    /// Its `/access/v1/evaluations`.
    AuthzenEvaluations "authzen_evaluations";
    /// Its searches.
    AuthzenSearch "authzen_search";
    /// Its metadata.
    AuthzenConfiguration "authzen_configuration";
    /// Whatever else, on any listener.
    Other "other";
}

const METHODS: usize = Method::ALL.len();

impl Method {
    /// The method that a path calls.
    pub fn of(path: &str) -> Self {
        let Some((service, method)) = path.strip_prefix('/').and_then(|path| path.split_once('/')) else {
            return Self::Other;
        };
        match service {
            "sidegate.v1.AuthorizationService" | "sidegate.v1.SnapshotService" => {
                // Those of other services are named in small letters, or are Envoy's.
                let is_own = |known: &Self| known.name().starts_with(char::is_uppercase) && *known != Self::Check;
                let mut own = Self::ALL.iter().copied().filter(is_own);
                own.find(|known| known.name() == method).unwrap_or(Self::Other)
            }
            "envoy.service.auth.v3.Authorization" if method == "Check" => Self::Check,
            "access" => match method {
                "v1/evaluation" => Self::AuthzenEvaluation,
                "v1/evaluations" => Self::AuthzenEvaluations,
                "v1/search/subject" | "v1/search/resource" | "v1/search/action" => Self::AuthzenSearch,
                _ => Self::Other,
            },
            ".well-known" if method == "authzen-configuration" => Self::AuthzenConfiguration,
            "grpc.health.v1.Health" => Self::Health,
            "grpc.reflection.v1.ServerReflection" | "grpc.reflection.v1alpha.ServerReflection" => Self::Reflection,
            _ => Self::Other,
        }
    }

    /// Whether it is called by `AuthZEN`, which is no gRPC.
    pub fn is_authzen(self) -> bool {
        matches!(
            self,
            Self::AuthzenEvaluation | Self::AuthzenEvaluations | Self::AuthzenSearch | Self::AuthzenConfiguration
        )
    }

    /// Whether one call carries question after question.
    pub fn takes_many(self) -> bool {
        matches!(self, Self::AuthorizeStream | Self::Reflection)
    }

    /// Whether a call lasts as long as its client likes: how long it took says nothing.
    pub fn is_stream(self) -> bool {
        matches!(self, Self::AuthorizeStream | Self::WatchSnapshot | Self::Health | Self::Reflection)
    }
}

/// Every call.
#[derive(Debug, Default)]
pub(super) struct Calls(Shards<[OfMethod; METHODS]>);

#[derive(Debug, Default)]
struct OfMethod {
    begun: AtomicU64,
    codes: [AtomicU64; CODES.len()],
    took: Durations<{ BOUNDS.len() + 1 }>,
}

/// A call on its way. One that is dropped without a code was cancelled.
#[derive(Debug)]
pub struct Call {
    calls: Arc<Calls>,
    method: Method,
    begun: Instant,
    code: usize,
    span: Option<Span>,
}

impl Call {
    pub(super) fn begin(calls: Arc<Calls>, method: Method, span: Option<Span>) -> Self {
        add(calls.of(method).map(|of| &of.begun), 1);
        Self { calls, method, begun: Instant::now(), code: CANCELLED, span }
    }

    /// What is called.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Notes how it ended; it ends when this is dropped.
    pub fn note(&mut self, code: i32) {
        self.code = usize::try_from(code).ok().filter(|code| *code < CODES.len()).unwrap_or(UNKNOWN);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let Some(of) = self.calls.of(self.method) else { return };
        add(of.codes.get(self.code), 1);
        if !self.method.is_stream() {
            of.took.count(&BOUNDS, self.begun.elapsed());
        }
        if let Some(span) = self.span.take() {
            span.end(self.method.name(), i32::try_from(self.code).unwrap_or_default());
        }
    }
}

impl Calls {
    fn of(&self, method: Method) -> Option<&OfMethod> {
        self.0.mine()?.get(method as usize)
    }

    fn sum(&self, method: Method, part: impl Fn(&OfMethod) -> Option<&AtomicU64>) -> u64 {
        self.0.sum(|shard| part(shard.get(method as usize)?))
    }
}

impl Collector for Calls {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let seen: Vec<Method> =
            Method::ALL.iter().copied().filter(|method| self.sum(*method, |of| Some(&of.begun)) > 0).collect();
        let mut ended = [0_u64; METHODS];
        let mut family = encoder.encode_descriptor("calls", "Calls that ended", None, MetricType::Counter)?;
        for method in &seen {
            for (number, code) in CODES.iter().enumerate() {
                let count = self.sum(*method, |of| of.codes.get(number));
                if let Some(ended) = ended.get_mut(*method as usize) {
                    *ended = ended.wrapping_add(count);
                }
                if count > 0 {
                    let labels = [("method", method.name()), ("code", code)];
                    ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        let mut family = encoder.encode_descriptor("calls_in_flight", "Calls on their way", None, MetricType::Gauge)?;
        for method in &seen {
            let begun = self.sum(*method, |of| Some(&of.begun));
            let open = begun.saturating_sub(ended.get(*method as usize).copied().unwrap_or_default());
            let open = ConstGauge::new(i64::try_from(open).unwrap_or(i64::MAX));
            open.encode(family.encode_family(&[("method", method.name())])?)?;
        }
        let help = "How long a whole call takes, with its waiting; streams are not among them";
        let mut family = encoder.encode_descriptor("call", help, Some(&Unit::Seconds), MetricType::Histogram)?;
        for method in seen.iter().filter(|method| !method.is_stream()) {
            let labels = [("method", method.name())];
            let number = *method as usize;
            let encoder = family.encode_family(&labels)?;
            durations::encode(&self.0, |shard| shard.get(number).map(|of| &of.took), &BOUNDS, encoder)?;
        }
        Ok(())
    }
}
