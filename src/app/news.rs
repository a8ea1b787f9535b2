//! What the log and the metrics tell of reloads.

use std::sync::Arc;

use crate::{
    observe::metrics::{Metrics, ReloadResult},
    snapshot::{Applied, Failure, Outcome},
};

/// Warnings of a snapshot that are logged one by one.
const MOST_WARNINGS: usize = 20;
/// How much of a report goes into one event of the log.
const LONGEST_REPORT: usize = 16 * 1024;
/// How much of a warning.
const LONGEST_WARNING: usize = 1024;

/// Tells what became of a reload.
pub(super) fn tell_of(outcome: &Outcome, metrics: &Metrics) {
    match outcome {
        Outcome::Applied(applied) => {
            metrics.reloaded(ReloadResult::Applied);
            tell_of_live(applied, metrics);
        }
        Outcome::Unchanged => {
            metrics.reloaded(ReloadResult::Unchanged);
            tracing::info!("the source holds what is live");
        }
        Outcome::Rejected(failure) => tell_of_refused(failure, metrics),
        Outcome::Restored(applied, failure) => {
            tell_of_refused(failure, metrics);
            tell_of_live(applied, metrics);
            tracing::warn!("serving the copy of the last good snapshot until the source is good");
        }
    }
}

fn tell_of_live(applied: &Arc<Applied>, metrics: &Metrics) {
    metrics.live(Arc::clone(applied));
    let Applied { sequence, generation, digest, took, bytes, replaced, counts, warnings, .. } = applied.as_ref();
    metrics.reload_took(*took);
    let (old_sequence, old_digest) = replaced.as_ref().map(|(sequence, digest)| (*sequence, digest.as_str())).unzip();
    tracing::info!(generation, sequence, digest, old_sequence, old_digest, ?took, bytes, ?counts, "a snapshot is live");
    for warning in warnings.iter().take(MOST_WARNINGS) {
        tracing::warn!(
            warning = beginning(warning, LONGEST_WARNING),
            "the snapshot has a finding that did not stop it"
        );
    }
    if warnings.len() > MOST_WARNINGS {
        let more = warnings.len() - MOST_WARNINGS;
        tracing::warn!(more, "the snapshot has more findings, which GetSnapshot lists");
    }
}

fn tell_of_refused(failure: &Failure, metrics: &Metrics) {
    let Failure { took, error_count, rendered, .. } = failure;
    metrics.reloaded(ReloadResult::Rejected);
    metrics.reload_took(*took);
    let report = beginning(rendered, LONGEST_REPORT);
    tracing::error!(errors = error_count, ?took, "the source was refused:\n{report}");
}

/// At most so many bytes of a text, cut between characters.
fn beginning(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}
