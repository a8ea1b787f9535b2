//! What a caller demands of the snapshot, how long it may be waited for, and when the caller's own time is over.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use tokio::time::timeout_at;
use tonic::metadata::MetadataMap;

use super::{
    pdp::{Pdp, Refusal},
    proto::v1::{self, consistency::Requirement},
};
use crate::{model::Malformed, observe::metrics::Shed, snapshot::Snapshot};

/// The longest wait for a demanded snapshot.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// When a caller stops waiting: read once, when the call arrives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Option<(Instant, Duration)>);

impl Deadline {
    /// The caller's own, from `grpc-timeout`.
    pub(super) fn of(metadata: &MetadataMap) -> Self {
        Self(deadline(metadata).map(|given| (Instant::now(), given)))
    }

    /// Whether nobody waits any more.
    pub(super) fn has_passed(self) -> bool {
        self.0.is_some_and(|(arrived, given)| arrived.elapsed() >= given)
    }

    /// Ends a call whose caller has gone before what is named begins.
    pub(super) fn before(self, what: &'static str) -> Result<(), Refusal> {
        if self.has_passed() { Err(Refusal::Late(what)) } else { Ok(()) }
    }

    /// How long a snapshot may be waited for. A tenth is left for the answer: a caller should hear what is wrong, not
    /// its own timeout.
    fn wait(self) -> Instant {
        let (from, given) = self.0.unwrap_or_else(|| (Instant::now(), LONGEST_WAIT));
        let given = if self.0.is_some() { given / 10 * 9 } else { given };
        from + given.min(LONGEST_WAIT)
    }
}

/// One call that waits.
struct Waiting<'p>(&'p AtomicUsize);

impl<'p> Waiting<'p> {
    fn begin(pdp: &'p Pdp) -> Result<Self, Refusal> {
        let most = pdp.gate().read(|live| live.waiters);
        let taken =
            pdp.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| (count < most).then_some(count + 1));
        if taken.is_ok() {
            return Ok(Self(&pdp.waiting));
        }
        pdp.metrics().shed(Shed::Waiter);
        Err(Refusal::Exhausted(format!("{most} calls wait for a snapshot already (`limits.waiters`); try again later")))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether this snapshot is the one demanded.
pub(super) fn check(demand: Option<&v1::Consistency>, snapshot: &Snapshot) -> Result<(), Refusal> {
    match demand.and_then(|v1::Consistency { requirement }| requirement.as_ref()) {
        None => Ok(()),
        Some(Requirement::AtLeastSequence(wanted)) if snapshot.sequence >= *wanted => Ok(()),
        Some(Requirement::AtLeastSequence(wanted)) if snapshot.sequence == 0 => Err(Refusal::Unmeetable(format!(
            "sequence {wanted} is demanded, but the live snapshot declares none; demand `exact_digest`, or declare \
             `sequence` in the source"
        ))),
        Some(Requirement::AtLeastSequence(wanted)) => {
            Err(Refusal::NotYet(format!("sequence {wanted} is demanded, {} is live", snapshot.sequence)))
        }
        Some(Requirement::ExactDigest(wanted)) if wanted.is_empty() => {
            Err(Malformed::new("consistency.exact_digest", "must not be empty").into())
        }
        Some(Requirement::ExactDigest(wanted)) if *wanted == snapshot.digest => Ok(()),
        Some(Requirement::ExactDigest(_)) => {
            Err(Refusal::NotYet(format!("another digest is demanded, `{}` is live", snapshot.digest)))
        }
    }
}

/// Asks, and while the demanded snapshot is not live, asks again after every change until the wait is over.
pub(super) async fn ask<R>(
    pdp: &Pdp,
    deadline: Deadline,
    mut attempt: impl FnMut(&Pdp) -> Result<R, Refusal>,
) -> Result<R, Refusal> {
    let refusal = match attempt(pdp) {
        Err(refusal @ Refusal::NotYet(_)) => refusal,
        settled => return settled,
    };
    deadline.before("the wait for a snapshot")?;
    let _waiting = Waiting::begin(pdp)?;
    let end = deadline.wait().into();
    let mut changes = pdp.store().subscribe();
    loop {
        // After subscribing: a change before it is not told of.
        match attempt(pdp) {
            Err(Refusal::NotYet(_)) => {}
            settled => return settled,
        }
        match timeout_at(end, changes.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Err(refusal),
        }
    }
}

/// The time that the caller gives, from `grpc-timeout`; `None` where it gives none or it is malformed.
fn deadline(metadata: &MetadataMap) -> Option<Duration> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::metadata::MetadataMap;

    use super::{Deadline, deadline};

    #[test]
    fn reads_the_callers_deadline() {
        let read = |text: &'static str| {
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-timeout", text.parse().unwrap());
            deadline(&metadata)
        };
        assert_eq!(read("200m"), Some(Duration::from_millis(200)));
        assert_eq!(read("3S"), Some(Duration::from_secs(3)));
        for bad in ["", "S", "5", "-1S", "123456789S", "1x", "\u{e9}"] {
            if let Ok(text) = bad.parse() {
                let mut metadata = MetadataMap::new();
                metadata.insert("grpc-timeout", text);
                assert_eq!(deadline(&metadata), None, "{bad}");
            }
        }
        assert_eq!(deadline(&MetadataMap::new()), None);
        assert!(!Deadline::of(&MetadataMap::new()).has_passed());
        let mut metadata = MetadataMap::new();
        metadata.insert("grpc-timeout", "0m".parse().unwrap());
        assert!(Deadline::of(&metadata).before("anything").is_err());
    }
}
