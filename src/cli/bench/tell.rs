//! How a run is told: while it lasts on one line of a terminal, in the end as lines or as JSON.

use std::io::Write;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::client::bench::{Door, Length, Moment, Outcome, Plan};

use super::super::Exit;
use super::super::output::{count, say};

/// The quantiles that are told, and their names.
const QUANTILES: [(&str, f64); 5] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// Writes over the line before.
pub(super) fn progress(moment: &Moment) {
    let Moment { elapsed, per_second, p50, p99, errors, wrong } = moment;
    let line = format!(
        "{:>4} s  {per_second:>9.0}/s  p50 {}  p99 {}  errors {errors}  wrong {wrong}",
        elapsed.as_secs(),
        shown(*p50),
        shown(*p99),
    );
    // To its width, so that nothing is left of a longer line.
    drop(write!(std::io::stderr().lock(), "\r{line:<78}"));
}

/// Clears the line.
pub(super) fn end_of_progress() {
    drop(write!(std::io::stderr().lock(), "\r{:<78}\r", ""));
}

/// For people.
pub(super) fn lines(plan: &Plan, outcome: &Outcome) {
    say(&format!("{} over {}: {}", door(plan.door), plan.address, load(plan)));
    let Outcome { calls, allowed, denied, wrong, errors, unanswered, unsent, digests, cost, .. } = outcome;
    let calls = usize::try_from(*calls).unwrap_or(usize::MAX);
    say(&format!(
        "answered   {} in {:.2} s, {:.0} a second",
        count(calls, "call"),
        outcome.elapsed.as_secs_f64(),
        outcome.per_second()
    ));
    say(&format!("decisions  {allowed} ALLOW, {denied} DENY, {wrong} wrong"));
    let times = QUANTILES.map(|(name, quantile)| format!("{name} {}", shown(outcome.time(quantile))));
    say(&format!("latency    {}", times.join("  ")));
    for (digest, count) in digests {
        say(&format!("snapshot   {digest} gave {count}"));
    }
    for (why, count) in errors {
        say(&format!("errors     {count} {why}"));
    }
    if *unanswered > 0 {
        say(&format!("errors     {unanswered} had no answer when the waiting ended"));
    }
    if *unsent > 0 {
        say(&format!("behind     {unsent} calls were due and never sent: the answers did not keep up with the rate"));
    }
    say(&format!("cost       {:.2} us of a processor to ask once", micros(*cost)));
}

/// For machines.
pub(super) fn json(plan: &Plan, outcome: &Outcome) -> Json {
    let Outcome { calls, allowed, denied, wrong, errors, unanswered, unsent, digests, cost, elapsed, .. } = outcome;
    let times = QUANTILES.map(|(name, quantile)| (name.to_owned(), json!(micros(outcome.time(quantile)))));
    json!({
        "server": plan.address.to_string(),
        "call": door(plan.door),
        "batch": if let Door::Batch(size) = plan.door { size.get() } else { 1 },
        "rate": plan.rate,
        "connections": plan.connections,
        "in_flight": plan.in_flight,
        "threads": plan.threads,
        "seconds": elapsed.as_secs_f64(),
        "calls": calls,
        "calls_per_second": outcome.per_second(),
        "answers": outcome.answers(),
        "allowed": allowed,
        "denied": denied,
        "wrong": wrong,
        "errors": errors,
        "unanswered": unanswered,
        "unsent": unsent,
        "latency_us": times.into_iter().collect::<serde_json::Map<_, _>>(),
        "digests": digests,
        "client_cpu_us_per_call": micros(*cost),
    })
}

/// A wrong answer outweighs one that did not come.
pub(super) fn exit(outcome: &Outcome) -> Exit {
    let malformed = "INVALID_ARGUMENT";
    if outcome.wrong > 0 {
        Exit::No
    } else if outcome.is_whole() {
        Exit::Yes
    } else if outcome.unanswered == 0 && outcome.errors.keys().eq([malformed]) {
        Exit::Usage
    } else {
        Exit::Unavailable
    }
}

fn door(door: Door) -> &'static str {
    match door {
        Door::Authorize => "Authorize",
        Door::Batch(_) => "BatchAuthorize",
        Door::Stream => "AuthorizeStream",
    }
}

fn load(plan: &Plan) -> String {
    let mut parts = vec![count(plan.connections.get(), "connection"), format!("{} in flight on each", plan.in_flight)];
    if let Door::Batch(size) = plan.door {
        parts.push(format!("{size} questions a call"));
    }
    parts.extend(plan.rate.map(|rate| format!("{rate} calls a second")));
    parts.push(match plan.length {
        Length::Time(time) => format!("{} s", time.as_secs()),
        Length::Calls(calls) => format!("{calls} calls"),
    });
    parts.join(", ")
}

fn shown(time: Duration) -> String {
    let micros = micros(time);
    if micros < 10_000.0 { format!("{micros:.0} us") } else { format!("{:.1} ms", micros / 1_000.0) }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
