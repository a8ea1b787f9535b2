//! Callers with manners, and what they measure.

use std::time::{Duration, Instant};

use sidegate::client::{Client, ClientError, allows};
use sidegate::service::proto::v1;
use tokio::task::JoinSet;
use tonic::Code;

/// How long a call may take before it counts as lost.
const DEADLINE: Duration = Duration::from_secs(30);

/// May the user access `workspace/prod`?
pub(crate) fn question(user: &str) -> v1::AuthorizeRequest {
    v1::AuthorizeRequest {
        subject: Some(v1::Subject { r#type: "user".into(), id: user.into(), ..Default::default() }),
        action: Some(v1::Action { name: "access".into(), ..Default::default() }),
        resource: Some(v1::Resource { r#type: "workspace".into(), id: "prod".into(), ..Default::default() }),
        ..Default::default()
    }
}

/// A runtime of one thread.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// What some callers got.
#[derive(Debug, Default)]
pub(crate) struct Got {
    pub(crate) answered: Vec<Duration>,
    pub(crate) shed: Vec<Duration>,
    pub(crate) lost: usize,
}

impl Got {
    fn take(&mut self, answer: Result<v1::AuthorizeResponse, ClientError>, took: Duration) {
        match answer {
            Ok(answer) if allows(&answer) => self.answered.push(took),
            Err(ClientError::Refused { code: Code::ResourceExhausted | Code::Unavailable, .. }) => self.shed.push(took),
            Ok(_) | Err(_) => self.lost += 1,
        }
    }
}

/// Asks at a fixed rate from one connection, whatever becomes of the answers; times count from when each was due.
pub(crate) async fn steadily(address: &str, per_second: u32, time: Duration) -> Got {
    steadily_by(Client::connect(address, DEADLINE).await.unwrap(), per_second, time).await
}

/// The same from a connection that is there.
pub(crate) async fn steadily_by(client: Client, per_second: u32, time: Duration) -> Got {
    let mut calls = JoinSet::new();
    let begun = Instant::now();
    let mut all = Got::default();
    for number in 0.. {
        let due = begun + Duration::from_secs(1) * number / per_second;
        if due - begun >= time {
            break;
        }
        tokio::time::sleep_until(due.into()).await;
        let client = client.clone();
        calls.spawn(async move {
            let answer = client.authorize(question("ana")).await;
            (answer, due.elapsed())
        });
    }
    while let Some(call) = calls.join_next().await {
        let (answer, took) = call.unwrap();
        all.take(answer, took);
    }
    all
}

/// The value below which this share of them lies.
pub(crate) fn percentile(values: &mut [Duration], share: f64) -> Duration {
    values.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into a few million values"
    )]
    let at = ((values.len() as f64) * share) as usize;
    values.get(at.min(values.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// The middle one, with the smallest and the largest.
pub(crate) fn spread(values: &mut [f64]) -> String {
    values.sort_unstable_by(f64::total_cmp);
    let (first, last) = (values[0], values[values.len() - 1]);
    format!("{:.2} ({first:.2}–{last:.2})", values[values.len() / 2])
}
